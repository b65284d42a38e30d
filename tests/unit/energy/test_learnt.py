"""Curves learnt from sessions: what vehicles took where nothing else held them, robustly."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from voltyard.energy.curve import ChargeCurve
from voltyard.energy.learnt import (
    SESSIONS_KEPT,
    SESSIONS_NEEDED,
    Learnt,
    Observed,
    Taken,
    applied,
    taken,
    with_session,
)
from voltyard.fleets.model import Vehicle

AT = datetime(2026, 1, 14, 6, 0, tzinfo=UTC)
MOST_W = 150e3
TRUE = ChargeCurve(((0.0, 150e3), (70.0, 150e3), (100.0, 20e3)))
BUS = Vehicle(UUID(int=1), UUID(int=2), "bus 1", "solo", 350e3, MOST_W)


def night(allowed_w: float = MOST_W, worse: float = 1.0) -> list[Observed]:
    """From 30 to 95 % in readings of half a percent; ``worse`` from the middle on."""
    socs = [30.0 + step / 2.0 for step in range(131)]
    powers = [TRUE.power_at(soc, MOST_W) * (worse if soc >= 50.0 else 1.0) for soc in socs]
    return [
        Observed(soc, min(allowed_w, power_w), allowed_w)
        for soc, power_w in zip(socs, powers, strict=True)
    ]


def known_after(*nights: list[Observed]) -> Learnt | None:
    known: Learnt | None = None
    for number, readings in enumerate(nights):
        seen = taken(readings, MOST_W)
        known = with_session(known, "solo", UUID(int=100 + number), seen, AT)
    return known


def test_the_taper_of_a_type_without_a_curve_is_found() -> None:
    learnt = applied(BUS, known_after(*[night()] * SESSIONS_NEEDED))
    curve = ChargeCurve(learnt.charge_curve)
    for soc in (10.0, 40.0, 60.0, 75.0, 85.0, 92.0):
        assert curve.power_at(soc, MOST_W) == pytest.approx(TRUE.power_at(soc, MOST_W), rel=0.14)


def test_a_limit_is_not_taken_for_a_taper() -> None:
    assert not taken(night(allowed_w=15e3), MOST_W).held_w


def test_a_charger_that_never_gives_what_it_is_allowed_teaches_nothing() -> None:
    weak = [replace(reading, power_w=reading.power_w * 0.6) for reading in night()]
    assert taken(weak, MOST_W) == Taken({}, {})


def test_few_sessions_teach_nothing_and_one_counts_once() -> None:
    known = known_after(*[night()] * (SESSIONS_NEEDED - 1))
    assert known is not None
    again = with_session(known, "solo", UUID(int=100), taken(night(), MOST_W), AT)
    assert again == known
    assert applied(BUS, known) == BUS


def test_one_cold_night_among_many_changes_little() -> None:
    nights = [night(), night(), night(worse=0.3), night(), night()]
    mixed, alike = (
        ChargeCurve(applied(BUS, known).charge_curve)
        for known in (known_after(*nights), known_after(*[night()] * 5))
    )
    for soc in (30.0, 55.0, 65.0, 75.0, 85.0, 95.0):
        assert mixed.power_at(soc, MOST_W) == pytest.approx(alike.power_at(soc, MOST_W))


@pytest.mark.parametrize(
    "readings",
    [
        [replace(reading, soc_pct=80.0) for reading in night()],
        [replace(reading, power_w=reading.power_w * 3.0) for reading in night()],
        list(reversed(night())),
        [replace(reading, soc_pct=reading.soc_pct * 3.0) for reading in night()],
        [replace(reading, power_w=float("nan")) for reading in night()],
        [],
    ],
    ids=["stuck", "too much", "falling", "beyond 100", "not a number", "none"],
)
def test_bad_meters_teach_nothing(readings: list[Observed]) -> None:
    assert taken(readings, MOST_W) == Taken({}, {})


def test_an_entered_curve_gives_way_only_where_it_promises_too_much() -> None:
    known = known_after(*[night()] * SESSIONS_NEEDED)
    right = replace(BUS, charge_curve=TRUE.points)
    assert applied(right, known) == right
    late = ChargeCurve(((0.0, 150e3), (90.0, 150e3), (100.0, 20e3)))
    made = ChargeCurve(applied(replace(BUS, charge_curve=late.points), known).charge_curve)
    assert made.power_at(60.0, MOST_W) == late.power_at(60.0, MOST_W)
    assert made.power_at(87.0, MOST_W) == pytest.approx(TRUE.power_at(87.0, MOST_W), rel=0.1)
    careful = replace(BUS, charge_curve=((0.0, 50e3), (100.0, 10e3)))
    assert applied(careful, known) == careful


def test_what_is_kept_is_bounded_and_never_stalls_a_plan() -> None:
    known = known_after(*[night(worse=0.06)] * (2 * SESSIONS_KEPT))
    assert known is not None
    assert max(len(values) for values in known.powers_w.values()) == SESSIONS_KEPT
    assert len(known.session_ids) == SESSIONS_KEPT
    curve = ChargeCurve(applied(BUS, known).charge_curve)
    assert min(power_w for _, power_w in curve.points) >= 0.05 * MOST_W
    assert curve.time_s(20.0, 100.0, 350e3, MOST_W) < 40 * 3600.0


def test_without_its_full_power_a_vehicle_stays_as_it_is() -> None:
    known = known_after(*[night()] * SESSIONS_NEEDED)
    unknown = replace(BUS, max_power_w=None)
    assert applied(unknown, known) == unknown


def test_a_curve_learnt_in_the_cold_is_found_too_low() -> None:
    """Limits follow the curve that is too low; whoever takes all of them raises it again."""
    known = known_after(*[night(worse=0.6)] * SESSIONS_NEEDED)
    cold = ChargeCurve(applied(BUS, known).charge_curve).power_at(82.5, MOST_W)
    for number in range(60):
        curve = ChargeCurve(applied(BUS, known).charge_curve)
        followed = []
        for reading in night():
            allowed_w = min(MOST_W, curve.power_at(reading.soc_pct, MOST_W))
            followed.append(Observed(reading.soc_pct, min(allowed_w, reading.power_w), allowed_w))
        seen = taken(followed, MOST_W)
        known = with_session(known, "solo", UUID(int=500 + number), seen, AT)
    warm = ChargeCurve(applied(BUS, known).charge_curve).power_at(82.5, MOST_W)
    assert cold < 0.7 * TRUE.power_at(82.5, MOST_W)
    assert warm == pytest.approx(TRUE.power_at(82.5, MOST_W), rel=0.15)

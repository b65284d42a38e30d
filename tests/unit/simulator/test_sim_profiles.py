"""Charging profiles: stacking, validity, kinds, units, and composite schedules."""

from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any

import pytest

from voltyard.errors import Invalid
from voltyard.simulator.profiles import Circuit, Profile, ProfileStore, Purpose, composite, parse

T0 = datetime(2027, 1, 19, 18, 0, tzinfo=UTC)
CIRCUIT = Circuit(1, 3, 150_000.0, started_at=T0)


def iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def profile(
    limit: float | list[tuple[float, float]],
    *,
    evse: int = 1,
    purpose: str = "TxDefaultProfile",
    level: int = 0,
    number: int = 1,
    kind: str = "Absolute",
    schedule: dict[str, Any] | None = None,
    **more: Any,
) -> Profile:
    periods = [(0.0, limit)] if isinstance(limit, float) else limit
    fields = {
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [{"startPeriod": s, "limit": w} for s, w in periods],
        **({"startSchedule": iso(T0)} if kind == "Absolute" else {}),
        **(schedule or {}),
    }
    return parse(
        evse,
        {
            "chargingProfileId": number,
            "stackLevel": level,
            "chargingProfilePurpose": purpose,
            "chargingProfileKind": kind,
            "chargingSchedule": fields,
            **more,
        },
    )


def store(*profiles: Profile, one_default_level: bool = False) -> ProfileStore:
    made = ProfileStore(one_default_level=one_default_level)
    for one in profiles:
        made.install(one)
    return made


def test_without_profiles_there_is_no_limit() -> None:
    assert store().evse_limit_w(CIRCUIT, T0) == inf
    assert store().station_limit_w(3, T0) == inf
    assert store().next_change_at([CIRCUIT], T0) is None


def test_a_transaction_profile_overrules_the_default_even_upwards() -> None:
    made = store(profile(10e3), profile(50e3, purpose="TxProfile", number=2))
    assert made.evse_limit_w(CIRCUIT, T0) == 50e3
    made.end_transaction(1)
    assert made.evse_limit_w(CIRCUIT, T0) == 10e3


def test_the_default_holds_again_when_the_transaction_profile_expires() -> None:
    short = profile(50e3, purpose="TxProfile", number=2, schedule={"duration": 600})
    made = store(profile(10e3), short)
    assert made.next_change_at([CIRCUIT], T0) == after(600)
    assert made.evse_limit_w(CIRCUIT, after(599.9)) == 50e3
    assert made.evse_limit_w(CIRCUIT, after(600)) == 10e3


def test_the_highest_valid_stack_level_prevails() -> None:
    high = profile(20e3, level=3, number=2, validFrom=iso(after(60)), validTo=iso(after(120)))
    made = store(profile(10e3, level=1), high, profile(90e3, level=0, number=3))
    limits = [made.evse_limit_w(CIRCUIT, after(s)) for s in (0, 59.9, 60, 119.9, 120)]
    assert limits == [10e3, 10e3, 20e3, 20e3, 10e3]
    assert made.next_change_at([CIRCUIT], after(1)) == after(60)
    assert made.next_change_at([CIRCUIT], after(60)) == after(120)


def test_a_schedule_of_the_future_does_not_hold_yet() -> None:
    later = profile(5e3, level=5, number=2, schedule={"startSchedule": iso(after(100))})
    made = store(profile(10e3), later)
    assert made.evse_limit_w(CIRCUIT, after(99)) == 10e3
    assert made.evse_limit_w(CIRCUIT, after(100)) == 5e3


def test_relative_profiles_count_from_the_start_of_the_transaction() -> None:
    made = store(profile([(0.0, 10e3), (300.0, 20e3)], kind="Relative"))
    started = Circuit(1, 3, 150e3, started_at=after(1000))
    assert made.evse_limit_w(started, after(1299)) == 10e3
    assert made.evse_limit_w(started, after(1300)) == 20e3
    assert made.next_change_at([started], after(1000)) == after(1300)
    idle = Circuit(1, 3, 150e3)
    assert made.evse_limit_w(idle, T0) == inf


def test_a_daily_profile_recurs_and_has_gaps() -> None:
    daily = profile(
        [(0.0, 10e3)],
        kind="Recurring",
        recurrencyKind="Daily",
        schedule={"startSchedule": iso(T0), "duration": 3600},
    )
    made = store(daily)
    day = 86_400
    assert made.evse_limit_w(CIRCUIT, after(-1)) == inf
    assert made.evse_limit_w(CIRCUIT, after(3 * day + 10)) == 10e3
    assert made.evse_limit_w(CIRCUIT, after(3 * day + 3600)) == inf
    assert made.next_change_at([CIRCUIT], after(3 * day + 3600)) == after(4 * day)


def test_a_weekly_profile_recurs_after_seven_days() -> None:
    weekly = profile(
        10e3, kind="Recurring", recurrencyKind="Weekly", schedule={"startSchedule": iso(T0)}
    )
    assert store(weekly).evse_limit_w(CIRCUIT, after(8 * 86_400)) == 10e3


def test_amps_count_per_phase() -> None:
    amps = profile(16.0, schedule={"chargingRateUnit": "A"})
    assert store(amps).evse_limit_w(CIRCUIT, T0) == pytest.approx(16 * 230 * 3)
    one_phase = Circuit(1, 1, 7_400.0)
    assert store(amps).evse_limit_w(one_phase, T0) == pytest.approx(16 * 230)
    narrowed = profile(
        16.0,
        schedule={
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16, "numberPhases": 1}],
        },
    )
    assert store(narrowed).evse_limit_w(CIRCUIT, T0) == pytest.approx(16 * 230)


def test_the_same_purpose_level_and_evse_replaces() -> None:
    made = store(profile(10e3, number=1), profile(20e3, number=2))
    assert [p.id for p in made.profiles] == [2]
    made.install(profile(30e3, number=2, level=4))
    assert [(p.id, p.stack_level) for p in made.profiles] == [(2, 4)]


def test_in_16_the_connectors_own_default_replaces_the_stations_there() -> None:
    made = store(profile(10e3, evse=0, number=1), profile(20e3, evse=1, number=2))
    assert made.evse_limit_w(CIRCUIT, T0) == 20e3
    assert made.evse_limit_w(Circuit(2, 3, 150e3), T0) == 10e3


def test_in_201_a_second_default_of_the_level_is_refused() -> None:
    made = store(profile(10e3, evse=0, number=1), one_default_level=True)
    with pytest.raises(Invalid) as caught:
        made.install(profile(20e3, evse=1, number=2))
    assert caught.value.code == "DuplicateProfile"
    made.install(profile(20e3, evse=1, number=2, level=1))
    assert made.evse_limit_w(CIRCUIT, T0) == 20e3


def test_clearing_by_id_or_by_criteria() -> None:
    made = store(
        profile(1e3, number=1),
        profile(2e3, number=2, level=1),
        profile(3e3, evse=0, purpose="ChargePointMaxProfile", number=3),
    )
    assert made.clear(profile_id=99) == 0
    assert made.clear(profile_id=1, purpose=Purpose.TX) == 1
    assert made.clear(evse=1, stack_level=1) == 1
    assert made.clear(purpose=Purpose.STATION_MAX) == 1
    assert made.clear() == 0


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: profile(1.0, purpose="TxProfile", evse=0),
        lambda: profile(1.0, purpose="ChargePointMaxProfile", evse=1),
        lambda: profile([(10.0, 1.0)]),
        lambda: profile([(0.0, 1.0), (20.0, 1.0), (10.0, 1.0)]),
        lambda: profile(-5.0),
        lambda: profile([]),
        lambda: profile(1.0, kind="Recurring", recurrencyKind="Daily"),
        lambda: profile(1.0, kind="Recurring", schedule={"startSchedule": iso(T0)}),
        lambda: profile(1.0, schedule={"startSchedule": "2027-01-19T18:00:00"}),
        lambda: profile(1.0, purpose="NoSuchProfile"),
        lambda: parse(1, {"id": 1}),
    ],
)
def test_senseless_profiles_are_refused(wrong: Any) -> None:
    with pytest.raises(Invalid):
        wrong()


def test_a_composite_schedule_merges_purposes_and_marks_every_change() -> None:
    made = store(
        profile(10e3),
        profile(50e3, purpose="TxProfile", number=2, schedule={"duration": 600}),
        profile([(0.0, 200e3), (300.0, 30e3)], evse=0, purpose="ChargePointMaxProfile", number=3),
    )
    made_up = composite(made, [CIRCUIT], 150e3, start_at=T0, duration_s=900, unit="W")
    assert made_up.periods == ((0, 50e3), (300, 30e3), (600, 10e3))


def test_a_composite_of_the_station_is_its_outlets_capped() -> None:
    circuits = [CIRCUIT, Circuit(2, 3, 150e3, started_at=T0)]
    made = store(profile(90e3, evse=0, schedule={"duration": 60}))
    schedule = composite(made, circuits, 150e3, start_at=T0, duration_s=120, unit="W")
    assert schedule.periods == ((0, 150e3),)
    small = store(profile(20e3, evse=0, schedule={"duration": 60}))
    schedule = composite(small, circuits, 150e3, start_at=T0, duration_s=120, unit="W")
    assert schedule.periods == ((0, 40e3), (60, 150e3))


def test_a_composite_in_amps() -> None:
    made = store(profile(6_900.0))
    schedule = composite(made, [CIRCUIT], 150e3, start_at=T0, duration_s=60, unit="A")
    assert schedule.periods == ((0, 10.0),)


def test_a_composite_stops_at_its_duration() -> None:
    made = store(profile([(0.0, 1e3), (50.0, 2e3), (100.0, 3e3)]))
    schedule = composite(made, [CIRCUIT], 150e3, start_at=T0, duration_s=100, unit="W")
    assert schedule.periods == ((0, 1e3), (50, 2e3))

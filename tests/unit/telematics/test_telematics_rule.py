"""Which charge counts when several tell one: stated as properties of the rule."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from voltyard.telematics.model import Flag, Observation, Told
from voltyard.telematics.rule import (
    AHEAD,
    FUTURE,
    OLD,
    SOC_FLAGS,
    USABLE,
    Origin,
    Plugged,
    Point,
    Verdict,
    at_arrival_pct,
    at_plug_in_pct,
    claims,
    flags_of,
    point,
    thinned,
    usable,
)

NOW = datetime(2026, 1, 15, 18, tzinfo=UTC)
BUS, ORG = uuid4(), uuid4()
percents = st.floats(0.0, 100.0)
minutes = st.integers(-30 * 60, 30)
moments = minutes.map(lambda m: NOW + timedelta(minutes=m))
sources = st.sampled_from(("geotab", "samsara", "rest"))
points = st.lists(st.builds(Point, moments, percents, sources), max_size=25)


@st.composite
def seen(draw: st.DrawFn) -> Observation:
    told = Told(
        observed_at=NOW + timedelta(minutes=draw(st.integers(-48 * 60, 60))),
        soc_pct=draw(st.floats(-50.0, 200.0)),
    )
    flags = flags_of(told, None, None, None, NOW)
    return Observation(
        BUS, ORG, draw(sources), told.observed_at, NOW, soc_pct=told.soc_pct, flags=flags
    )


observations = st.lists(seen(), max_size=6, unique_by=lambda one: one.source)
plugs = st.none() | st.builds(
    Plugged,
    st.just(uuid4()),
    st.just(NOW - timedelta(hours=1)),
    st.none() | percents,
    st.just(NOW),
    st.none() | percents,
    st.just(NOW),
)


@settings(max_examples=60)
@given(observations, plugs, st.none() | percents, st.randoms(use_true_random=False))
def test_exactly_one_is_used_and_it_is_the_first_that_may_be(
    latest: list[Observation], plugged: Plugged | None, duty_pct: float | None, chance: object
) -> None:
    found = claims(latest, plugged, duty_pct, 20.0, NOW)
    used = [claim for claim in found if claim.verdict is Verdict.USED]
    assert len(used) == 1
    (one,) = used
    assert one.soc_pct is not None
    assert 0.0 <= one.soc_pct <= 100.0
    if plugged is not None and plugged.soc_pct is not None:
        assert (one.origin, one.soc_pct) == (Origin.CHARGER, plugged.soc_pct)
    elif plugged is not None and plugged.vehicle_soc_pct is not None:
        assert one.origin is Origin.VEHICLE
    else:
        good = [p for s in latest if (p := point(s)) is not None and p.at >= NOW - USABLE]
        good = [p for p in good if p.at <= NOW + FUTURE]
        if good:
            assert one.origin is Origin.TELEMATICS
            assert one.at == max(p.at for p in good)
        else:
            expected = Origin.ASSUMED if duty_pct is None else Origin.TIMETABLE
            assert one.origin is expected
    chance.shuffle(latest)  # type: ignore[attr-defined]
    assert claims(latest, plugged, duty_pct, 20.0, NOW) == found


@settings(max_examples=60)
@given(seen())
def test_what_cannot_be_is_flagged_and_no_point(one: Observation) -> None:
    assert one.soc_pct is not None
    wrong = not 0.0 <= one.soc_pct <= 100.0
    wrong |= one.observed_at > NOW + FUTURE or one.observed_at < NOW - OLD
    assert bool(SOC_FLAGS.intersection(one.flags)) == wrong
    assert (point(one) is None) == wrong


@settings(max_examples=60)
@given(points, st.integers(-60, 600), percents)
def test_a_charge_at_arrival_is_a_charge_and_far_ahead_only_lowers(
    told: list[Point], ahead_min: int, expected: float
) -> None:
    arrival = NOW + timedelta(minutes=ahead_min)
    found = at_arrival_pct(told, arrival, expected, NOW)
    young = usable(told, NOW)
    assert (found is None) == (not young)
    if found is not None:
        assert 0.0 <= found <= young[0].soc_pct
        if max(arrival, NOW) - young[0].at > AHEAD:
            assert found <= expected
    assert at_arrival_pct([*told, *reversed(told)], arrival, expected, NOW) == found


@settings(max_examples=60)
@given(points)
def test_what_is_remembered_is_bounded_and_holds_the_newest(told: list[Point]) -> None:
    kept = thinned(told)
    assert thinned(kept) == kept
    if told:
        assert kept[0].at == max(one.at for one in told)


def test_a_bus_that_loses_charge_arrives_with_less() -> None:
    told = [Point(NOW - timedelta(minutes=m), 50.0 + m / 3.0, "geotab") for m in range(0, 61, 15)]
    reached = at_arrival_pct(told, NOW + timedelta(hours=1), 80.0, NOW)
    assert reached is not None
    assert 29.0 < reached < 31.0
    standing = [Point(one.at, 50.0, "geotab") for one in told]
    assert at_arrival_pct(standing, NOW + timedelta(hours=1), 80.0, NOW) == 50.0
    assert at_arrival_pct(standing, NOW + timedelta(hours=9), 30.0, NOW) == 30.0


def test_a_reading_from_before_plug_in_is_what_it_came_with() -> None:
    started = NOW - timedelta(hours=8)
    told = [Point(started - timedelta(minutes=10), 43.0, "geotab")]
    assert at_plug_in_pct(told, started, NOW) == 43.0
    assert at_plug_in_pct(told, started + timedelta(hours=5), NOW) is None


def test_a_jump_is_doubted_once_and_believed_when_it_stays() -> None:
    before = Point(NOW - timedelta(minutes=5), 40.0, "rest")
    jump = Told(NOW - timedelta(minutes=3), soc_pct=95.0)
    assert flags_of(jump, before, None, None, NOW) == (Flag.SOC_JUMP,)
    doubted = Point(jump.observed_at, 95.0, "rest")
    again = Told(NOW, soc_pct=94.0)
    assert flags_of(again, before, doubted, None, NOW) == ()
    back = Told(NOW, soc_pct=41.0)
    assert flags_of(back, before, doubted, None, NOW) == ()
    charged = Told(NOW + timedelta(minutes=4), soc_pct=60.0)
    assert flags_of(charged, Point(NOW - timedelta(minutes=5), 40.0, "rest"), None, None, NOW) == ()


def test_other_signals_are_judged_each_for_itself() -> None:
    told = Told(
        NOW,
        soc_pct=50.0,
        odometer_km=900.0,
        range_km=9_000.0,
        latitude=95.0,
        longitude=8.0,
        departure_at=NOW - timedelta(hours=1),
    )
    flags = flags_of(told, None, None, 1_000.0, NOW)
    assert set(flags) == {
        Flag.ODOMETER_BACK,
        Flag.REACH_RANGE,
        Flag.POSITION_RANGE,
        Flag.DEPARTURE_RANGE,
    }

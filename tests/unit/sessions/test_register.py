"""What was delivered, from meters that misbehave in the ways the field has reported."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltyard.sessions.model import Flag
from voltyard.sessions.register import Measured, Point, Register, Source, measure

B, S, E = Source.BEGIN, Source.SAMPLE, Source.END
POWER_W = 60_000.0
STEP_WH = 1_000.0


def series(start_wh: float, count: int = 10, *, scale: float = 1.0) -> list[Point]:
    """A sample a minute of a vehicle that draws 60 kW: 1 kWh each."""
    return [
        Point(60.0 * place, S, (start_wh + STEP_WH * place) * scale, POWER_W)
        for place in range(1, count + 1)
    ]


def measured(points: list[Point], prior_wh: float | None = None) -> Measured:
    return measure(sorted(points), max_power_w=150_000, prior_wh=prior_wh)


def flags(result: Measured) -> set[Flag]:
    return {note.flag for note in result.notes}


def test_a_meter_that_behaves() -> None:
    points = [Point(0, B, 500_000), *series(500_000), Point(600, E, 510_000)]
    assert measured(points) == Measured(10_000, 500_000, 510_000)


def test_start_and_stop_alone_are_enough() -> None:
    assert measured([Point(0, B, 500_000), Point(600, E, 510_000)]).energy_wh == 10_000


def test_samples_alone_are_enough() -> None:
    assert measured(series(500_000)).energy_wh == 9_000


def test_offline_start_with_placeholder_zero_does_not_bill_the_odometer() -> None:
    """A start at 0 and a stop at 910 kWh: 83 Wh were delivered (citrineos-core PR 1060)."""
    points = [Point(0, B, 0), Point(60, S, 910_000), Point(120, E, 910_083)]
    result = measured(points)
    assert result.energy_wh == 83
    assert Flag.START_PLACEHOLDER in flags(result)


def test_placeholder_start_uses_where_the_register_stood_before() -> None:
    points = [Point(0, B, 0), Point(120, E, 910_083)]
    result = measured(points, prior_wh=910_000)
    assert (result.energy_wh, result.start_wh) == (83, 910_000)
    assert measured(points).energy_wh == 0, "unknown is not billed"


def test_session_relative_meter_counts_from_zero() -> None:
    points = [Point(0, B, 0), *series(0), Point(600, E, 10_000)]
    assert measured(points) == Measured(10_000, 0, 10_000)


def test_session_relative_samples_between_lifetime_start_and_stop() -> None:
    points = [Point(0, B, 500_000), *series(0), Point(600, E, 510_000)]
    result = measured(points)
    assert result.energy_wh == 10_000
    assert Flag.SESSION_RELATIVE in flags(result)


def test_session_relative_start_and_stop_around_lifetime_samples() -> None:
    points = [Point(0, B, 0), *series(500_000), Point(600, E, 10_000)]
    assert measured(points).energy_wh == 10_000


def test_samples_in_kwh_between_start_and_stop_in_wh() -> None:
    points = [Point(0, B, 500_000), *series(500_000, scale=0.001), Point(600, E, 510_000)]
    result = measured(points)
    assert result.energy_wh == pytest.approx(10_000)
    assert flags(result) == {Flag.UNIT_MIXED}


def test_session_relative_samples_in_kwh_seen_by_the_stop() -> None:
    bare = [point._replace(power_w=None) for point in series(0, scale=0.001)]
    result = measured([Point(0, B, 0), *bare, Point(600, E, 10_000)])
    assert result.energy_wh == pytest.approx(10_000)


def test_session_relative_samples_in_kwh_seen_by_the_power() -> None:
    result = measured([Point(0, B, 0), *series(0, scale=0.001)])
    assert result.energy_wh == pytest.approx(10_000)


def test_samples_a_thousand_times_too_large_seen_by_the_power() -> None:
    result = measured(series(500_000, scale=1000))
    assert result.energy_wh == pytest.approx(9_000)


def test_start_in_kwh_and_samples_in_wh() -> None:
    result = measured([Point(0, B, 500.0), *series(500_000)])
    assert (result.energy_wh, result.start_wh) == (10_000, 500_000)


def test_stop_in_kwh() -> None:
    points = [Point(0, B, 500_000), *series(500_000), Point(600, E, 510)]
    assert measured(points).energy_wh == 10_000
    assert measured([points[0], points[-1]]).energy_wh == 10_000


def test_register_reset_counts_both_sides() -> None:
    after = [Point(600 + 60 * place, S, STEP_WH * place, POWER_W) for place in range(1, 6)]
    result = measured([Point(0, B, 500_000), *series(500_000), *after])
    assert result.energy_wh == 15_000
    assert flags(result) == {Flag.REGISTER_RESET}


def test_meter_replaced_by_one_with_another_count() -> None:
    after = [Point(600 + 60 * place, S, 77_000 + STEP_WH * place) for place in range(1, 6)]
    result = measured([Point(0, B, 500_000), *series(500_000), *after])
    assert result.energy_wh == 14_000


def test_a_drop_to_zero_between_good_values_is_skipped() -> None:
    points = series(500_000)
    points[4] = points[4]._replace(wh=0)
    result = measured([Point(0, B, 500_000), *points])
    assert result.energy_wh == 10_000
    assert flags(result) == {Flag.DROP_TO_ZERO}


def test_a_spike_between_good_values_is_skipped() -> None:
    points = series(500_000)
    points[4] = points[4]._replace(wh=9_000_000)
    result = measured([Point(0, B, 500_000), *points])
    assert result.energy_wh == 10_000
    assert flags(result) == {Flag.GLITCH}


def test_a_stop_at_zero_keeps_what_the_samples_say() -> None:
    result = measured([Point(0, B, 500_000), *series(500_000), Point(600, E, 0)])
    assert (result.energy_wh, result.last_wh) == (10_000, 510_000)
    assert measured([Point(0, B, 500_000), Point(600, E, 0)]).energy_wh == 0


def test_negative_values_are_ignored() -> None:
    result = measured([Point(0, B, 100), Point(30, S, -5.0), Point(60, E, 600)])
    assert result.energy_wh == 500
    assert flags(result) == {Flag.NEGATIVE_ENERGY}


def test_energy_is_never_negative_when_the_stop_is_below_the_start() -> None:
    assert measured([Point(0, B, 500_000), Point(600, E, 499_900)]).energy_wh == 0
    assert measured([Point(0, B, 500_000), Point(600, E, 4_000)]).energy_wh == 4_000


def test_rounding_back_by_a_little_is_no_reset() -> None:
    points = [Point(0, B, 500_700), Point(60, S, 500_000), Point(120, S, 502_000)]
    assert measured(points) == Measured(1_300, 500_700, 502_000)


TRUE_STEPS = st.lists(st.floats(0, 6_000), min_size=1, max_size=60)


@given(TRUE_STEPS, st.floats(0, 5e6), st.randoms(use_true_random=False), st.booleans())
def test_order_and_repeats_of_a_true_register_change_nothing(
    steps_wh: list[float], start_wh: float, chance: random.Random, ended: bool
) -> None:
    points = [Point(0, B, start_wh)]
    for place, step_wh in enumerate(steps_wh, start=1):
        points.append(Point(60.0 * place, S, points[-1].wh + step_wh))
    if ended:
        points.append(Point(60.0 * len(points), E, points[-1].wh))
    shuffled = [*points, *chance.choices(points, k=len(points))]
    chance.shuffle(shuffled)
    straight, mixed = Register(150_000), Register(150_000)
    for point in points:
        before_wh = straight.measured.energy_wh
        straight.add(point)
        assert straight.measured.energy_wh >= before_wh
    for point in shuffled:
        mixed.add(point)
    true_wh = points[-1].wh - start_wh
    assert straight.measured.energy_wh == pytest.approx(true_wh, abs=1e-6)
    assert mixed.measured.energy_wh == pytest.approx(true_wh, abs=1e-6)


ANY_POINT = st.builds(
    Point,
    st.floats(0, 86_400),
    st.sampled_from(Source),
    st.floats(-1e4, 1e7),
    st.none() | st.floats(0, 2e5),
)


@given(st.lists(ANY_POINT, max_size=30), st.randoms(use_true_random=False))
def test_whatever_comes_the_order_of_arrival_does_not_matter(
    points: list[Point], chance: random.Random
) -> None:
    """Nonsense too converges, and never counts more than the hardware could deliver."""
    unique = list({point[:3]: point for point in points}.values())
    one, other = Register(150_000), Register(150_000)
    for point in unique:
        one.add(point)
    chance.shuffle(unique)
    for point in unique:
        other.add(point)
    assert one.measured == other.measured
    span_s = max((p.at_s for p in unique), default=0) - min((p.at_s for p in unique), default=0)
    possible_wh = 400_000 * span_s / 3600 + 2_000 * (len(unique) + 1)
    assert 0 <= one.measured.energy_wh <= possible_wh


def test_memory_of_a_long_session_is_bounded_and_its_energy_right() -> None:
    register = Register(150_000)
    register.add(Point(0, B, 1_000))
    for place in range(1, 5_000):
        register.add(Point(60.0 * place, S, 1_000 + 10.0 * place, 600.0))
    assert register.measured.energy_wh == pytest.approx(49_990)
    assert len(register.points) <= 240


def test_a_reset_is_remembered_when_old_points_are_forgotten() -> None:
    register = Register(150_000)
    register.add(Point(0, B, 500_000))
    for place in range(1, 100):
        register.add(Point(60.0 * place, S, 500_000 + 100.0 * place))
    for place in range(100, 3_000):
        register.add(Point(60.0 * place, S, 100.0 * (place - 99)))
    assert register.measured.energy_wh == pytest.approx(9_900 + 290_000)
    assert len(register.points) <= 480


def test_samples_after_the_end_are_cut() -> None:
    register = Register(150_000)
    for point in [Point(0, B, 0), *series(0)]:
        register.add(point)
    register.add(Point(300, E, 5_000))
    assert register.cut(300)
    assert register.measured.energy_wh == 5_000
    assert not register.cut(300)

"""When a charger counts as disobedient, and when it is trusted again."""

from datetime import UTC, datetime, timedelta

from voltyard.energy.watch import Obedience, Rules, Step, observe

START = datetime(2026, 1, 15, tzinfo=UTC)
RULES = Rules()


def after(readings: list[tuple[float, float]], settled_s: float | None = None) -> Obedience:
    """``readings``: (seconds, watts) against an allowance of 50 kW."""
    known = Obedience()
    settled = None if settled_s is None else START + timedelta(seconds=settled_s)
    for at_s, power_w in readings:
        known = observe(known, power_w, START + timedelta(seconds=at_s), 50_000.0, settled, RULES)
    return known


def test_obedience_counts_nothing() -> None:
    assert after([(0, 50_000), (60, 51_000)]).counted_w(150_000) == 0.0


def test_one_reading_over_counts_as_measured_at_once() -> None:
    known = after([(0, 80_000)])
    assert known.step is Step.SUSPECTED
    assert known.counted_w(150_000) == 80_000


def test_two_readings_over_for_long_enough_fence_it_at_full_power() -> None:
    known = after([(0, 80_000), (60, 80_000)])
    assert known.step is Step.FENCED
    assert known.counted_w(150_000) == 150_000


def test_two_readings_close_together_are_not_enough() -> None:
    assert after([(0, 80_000), (5, 80_000)]).step is Step.SUSPECTED


def test_it_is_stopped_and_then_switched_off() -> None:
    readings = [(60.0 * i, 80_000.0) for i in range(12)]
    assert after(readings[:4]).step is Step.STOP
    assert after(readings).step is Step.SWITCH_OFF


def test_a_ramp_after_a_confirmed_cut_is_forgiven() -> None:
    assert after([(5, 80_000)], settled_s=0.0).step is Step.OBEYS
    assert after([(30, 80_000)], settled_s=0.0).step is Step.SUSPECTED


def test_it_is_trusted_again_only_after_a_while() -> None:
    over = [(0.0, 80_000.0), (60.0, 80_000.0)]
    assert after([*over, (120, 40_000)]).step is Step.FENCED
    assert after([*over, (120, 40_000), (180, 40_000)]).step is Step.FENCED
    assert after([*over, (120, 40_000), (180, 40_000), (240, 40_000)]).step is Step.OBEYS


def test_an_old_reading_that_comes_late_changes_nothing() -> None:
    known = after([(100, 40_000), (0, 80_000)])
    assert known.step is Step.OBEYS
    assert known.measured_w == 40_000


def test_a_measured_value_grows_old() -> None:
    known = after([(0, 40_000)])
    assert known.fresh_w(START + timedelta(seconds=100)) == 40_000
    assert known.fresh_w(START + timedelta(seconds=1000)) is None

"""Units and clocks."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltyard.clock import ScaledClock, seeded
from voltyard.simulator.loop import run_virtual
from voltyard.units import amps_to_watts, floor_amps, iso_z, watts_to_amps

START = datetime(2026, 1, 15, 18, tzinfo=UTC)


@given(st.floats(0, 1000), st.sampled_from([1, 2, 3]))
def test_amps_and_watts_are_inverse(current_a: float, phases: int) -> None:
    assert watts_to_amps(amps_to_watts(current_a, phases), phases) == pytest.approx(current_a)


@given(st.floats(0, 1000))
def test_whole_amps_are_never_more_than_asked(current_a: float) -> None:
    assert floor_amps(current_a) <= current_a + 1e-6


def test_instants_leave_in_utc_with_z() -> None:
    at = datetime(2026, 1, 15, 18, 0, 0, 1500, tzinfo=timezone(timedelta(hours=1)))
    assert iso_z(at) == "2026-01-15T17:00:00.001Z"
    with pytest.raises(ValueError, match="timezone"):
        iso_z(datetime(2026, 1, 15))  # noqa: DTZ001


def test_virtual_time_jumps() -> None:
    async def main(clock: ScaledClock) -> datetime:
        await clock.sleep(36_000)
        return clock.now()

    assert run_virtual(main, START) == START + timedelta(hours=10)


def test_a_timeout_on_virtual_time_ends_at_its_instant() -> None:
    async def main(clock: ScaledClock) -> datetime:
        with pytest.raises(TimeoutError):
            async with clock.timeout(30):
                await clock.sleep(60)
        return clock.now()

    assert run_virtual(main, START) == START + timedelta(seconds=30)


def test_chance_repeats_by_seed_and_differs_by_purpose() -> None:
    assert seeded(1, "a").random() == seeded(1, "a").random()
    assert seeded(1, "a").random() != seeded(1, "b").random()


def test_a_clock_needs_a_zone_and_a_speed() -> None:
    with pytest.raises(ValueError, match="timezone"):
        ScaledClock(datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(ValueError, match="positive"):
        ScaledClock(START, 0)


def test_a_clock_that_changes_its_speed_never_jumps() -> None:
    async def main(clock: ScaledClock) -> tuple[float, float]:
        await clock.sleep(10)
        clock.change_speed(60)
        before_s = clock.monotonic_s()
        await clock.sleep(120)
        return before_s, clock.monotonic_s()

    assert run_virtual(main, START) == (10.0, 130.0)

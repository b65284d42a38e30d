"""Virtual time: instant, in order, repeatable, and honest about what it cannot wait for."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from voltyard.clock import ScaledClock
from voltyard.simulator.loop import RealInput, VirtualDeadlock, run_virtual

START_AT = datetime(2027, 3, 28, 0, 30, tzinfo=UTC)


def test_a_year_passes_at_once() -> None:
    async def main(clock: ScaledClock) -> datetime:
        await clock.sleep(365 * 86_400.0)
        return clock.now()

    before_s = time.process_time()
    assert run_virtual(main, START_AT) == START_AT + timedelta(days=365)
    assert time.process_time() - before_s < 5.0


def test_timers_fire_in_order_and_at_their_instant() -> None:
    async def main(clock: ScaledClock) -> list[tuple[float, str]]:
        seen: list[tuple[float, str]] = []

        async def wait(seconds: float, name: str) -> None:
            await clock.sleep(seconds)
            seen.append((round(clock.monotonic_s(), 6), name))

        async with asyncio.TaskGroup() as group:
            for name, seconds in (("c", 3.0), ("a", 1.0), ("b", 2.0), ("a2", 1.0)):
                group.create_task(wait(seconds, name))
        return seen

    expected = [(1.0, "a"), (1.0, "a2"), (2.0, "b"), (3.0, "c")]
    assert run_virtual(main, START_AT) == expected


def test_a_deadlock_is_raised() -> None:
    async def main(clock: ScaledClock) -> None:
        await asyncio.Event().wait()

    with pytest.raises(VirtualDeadlock):
        run_virtual(main, START_AT)


def test_real_sockets_are_refused() -> None:
    async def main(clock: ScaledClock) -> None:
        await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)

    with pytest.raises(RealInput):
        run_virtual(main, START_AT)


def test_timeouts_are_virtual() -> None:
    async def main(clock: ScaledClock) -> float:
        with pytest.raises(TimeoutError):
            async with clock.timeout(30):
                await asyncio.Event().wait()
        return clock.monotonic_s()

    assert run_virtual(main, START_AT) == pytest.approx(30.0)


def test_an_error_of_main_comes_out() -> None:
    async def main(clock: ScaledClock) -> None:
        raise ValueError("out")

    with pytest.raises(ValueError, match="out"):
        run_virtual(main, START_AT)

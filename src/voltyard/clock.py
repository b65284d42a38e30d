"""Time and chance, passed in everywhere: nothing else reads the wall clock or a random source."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What the rest of voltyard knows of time.

    ``now`` is an aware UTC instant; ``monotonic_s`` never goes back; ``sleep`` waits in the
    clock's own seconds (a sped-up clock sleeps shorter); ``timeout`` bounds network waits.
    """

    def now(self) -> datetime: ...

    def monotonic_s(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...

    def timeout(self, seconds: float) -> asyncio.Timeout: ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Finer than the event loop's own time, which uvloop takes once a turn, in milliseconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    def timeout(self, seconds: float) -> asyncio.Timeout:
        return asyncio.timeout(seconds)


class ScaledClock:
    """Time that starts at a stated instant and runs ``speed`` times as fast as the event loop.

    On a virtual-time loop ``speed`` is 1. Network timeouts never shrink below
    ``timeout_floor_s`` of loop time, because sockets do not get faster with the clock.
    """

    def __init__(
        self, start_at: datetime, speed: float = 1.0, timeout_floor_s: float = 5.0
    ) -> None:
        if start_at.tzinfo is None:
            raise ValueError("start_at must be timezone-aware")
        if speed <= 0:
            raise ValueError("speed must be positive")
        self._start_at = start_at.astimezone(UTC)
        self._speed = speed
        self._timeout_floor_s = timeout_floor_s
        self._origin_s: float | None = None
        self._passed_s = 0.0

    @property
    def speed(self) -> float:
        return self._speed

    def change_speed(self, speed: float) -> None:
        """Run ``speed`` times as fast from now on. A sleep that has begun ends as it was begun."""
        if speed <= 0:
            raise ValueError("speed must be positive")
        self._passed_s = self.monotonic_s()
        self._origin_s = asyncio.get_running_loop().time()
        self._speed = speed

    def now(self) -> datetime:
        return self._start_at + timedelta(seconds=self.monotonic_s())

    def monotonic_s(self) -> float:
        loop_s = asyncio.get_running_loop().time()
        if self._origin_s is None:
            self._origin_s = loop_s
        return self._passed_s + (loop_s - self._origin_s) * self._speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self._speed)

    def timeout(self, seconds: float) -> asyncio.Timeout:
        floor_s = 0.0 if self._speed == 1.0 else self._timeout_floor_s
        return asyncio.timeout(max(seconds / self._speed, floor_s))


async def let_go() -> None:
    """Once around the event loop, whatever the clock says."""
    await asyncio.sleep(0)


async def ticks(clock: Clock, every_s: float) -> AsyncIterator[int]:
    """Yield 0, 1, 2 … every ``every_s`` of the clock; a late consumer skips, never piles up."""
    count = 0
    next_s = clock.monotonic_s()
    while True:
        yield count
        count += 1
        now_s = clock.monotonic_s()
        next_s = max(next_s + every_s, now_s)
        await clock.sleep(next_s - now_s)


@asynccontextmanager
async def within(clock: Clock, seconds: float) -> AsyncIterator[None]:
    """``async with within(clock, 30):`` raises TimeoutError after 30 of the clock's seconds."""
    async with clock.timeout(seconds):
        yield


def seeded(seed: int, *parts: object) -> random.Random:
    """An independent random stream for one purpose: the same seed and parts repeat exactly."""
    return random.Random(":".join([str(seed), *map(str, parts)]))

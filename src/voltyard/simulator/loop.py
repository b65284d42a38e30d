"""An event loop whose time is virtual: when nothing is ready it jumps to the next timer.

Nothing here knows what runs on it; whatever waits through the ``Clock`` waits for no time at all.
"""

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, NoReturn, TypeVar

from voltyard.clock import ScaledClock

T = TypeVar("T")

_RESOLUTION_S = 1e-7


class VirtualDeadlock(RuntimeError):
    """Every task waits and no timer is set: in real life this would wait for ever."""


class RealInput(RuntimeError):
    """Something tried to wait for a socket or pipe, whose time cannot be virtual."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """asyncio on virtual time. Deterministic: it knows no threads, sockets or signals.

    ``call_soon_threadsafe`` works from the loop's own thread only. A blocking call (such as one
    to a database that is made to block) appears instantaneous.
    """

    def __init__(self) -> None:
        self._virtual_s = 0.0
        selector = _TimerSelector(self._advance)
        super().__init__(selector)
        # asyncio fires timers this early; it must not vanish beside years of seconds in a float.
        self._clock_resolution = _RESOLUTION_S
        selector.sealed = True

    def time(self) -> float:
        return self._virtual_s

    def _advance(self, seconds: float) -> None:
        self._virtual_s += seconds


class _TimerSelector(selectors.BaseSelector):
    """Selects nothing: it turns the time asyncio would wait into a jump of the loop's time."""

    def __init__(self, advance: Callable[[float], None]) -> None:
        self._advance = advance
        self._keys: dict[Any, selectors.SelectorKey] = {}
        self.sealed = False

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise VirtualDeadlock("all tasks wait for each other: no timer is set")
        if timeout > 0:
            self._advance(timeout)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        if self.sealed:
            self._refuse(fileobj)
        key = selectors.SelectorKey(fileobj, -1, events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys

    def close(self) -> None:
        self._keys.clear()

    def _refuse(self, fileobj: Any) -> NoReturn:
        raise RealInput(f"virtual time cannot wait for {fileobj!r}; use an in-memory link")


def run_virtual(main: Callable[[ScaledClock], Awaitable[T]], start_at: datetime) -> T:
    """Run ``main(clock)`` on a fresh virtual loop whose clock begins at ``start_at`` (aware).

    Raises ``VirtualDeadlock`` when it would wait for ever and ``RealInput`` on real I/O.
    """
    clock = ScaledClock(start_at, speed=1.0)

    async def entry() -> T:
        clock.monotonic_s()  # the clock's origin is the start of the run
        return await main(clock)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(entry())

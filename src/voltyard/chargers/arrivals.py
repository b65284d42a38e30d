"""Whether many chargers are coming at once: what can wait waits until they are in.

After an outage of the network ten thousand come back within seconds, and what is asked of those
that are in already would keep the others out.
"""

from collections import deque

from voltyard.bus import Bus
from voltyard.chargers.events import StationConnected
from voltyard.clock import Clock

CROWD = 200
WITHIN_S = 10.0
HELD_MAX_S = 120.0
LOOK_S = 2.0


class Arrivals:
    """A crowd is ``CROWD`` chargers that connected within ``WITHIN_S``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_s: deque[float] = deque(maxlen=CROWD)

    def listen(self, bus: Bus, *, name: str) -> None:
        bus.subscribe(StationConnected, self._on_connected, name=name)

    @property
    def crowded(self) -> bool:
        last_s = self._last_s
        return len(last_s) == CROWD and self._clock.monotonic_s() - last_s[0] < WITHIN_S

    async def calm(self) -> None:
        """Once no crowd is coming, at the latest after ``HELD_MAX_S``: some places never rest."""
        until_s = self._clock.monotonic_s() + HELD_MAX_S
        while self.crowded and self._clock.monotonic_s() < until_s:
            await self._clock.sleep(LOOK_S)

    async def _on_connected(self, event: StationConnected) -> None:
        self._last_s.append(self._clock.monotonic_s())

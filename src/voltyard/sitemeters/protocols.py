"""What a way to read meters is, for whoever adds one."""

from collections.abc import AsyncGenerator
from typing import Protocol

from voltyard.clock import Clock
from voltyard.errors import VoltyardError
from voltyard.sitemeters.model import Reading, SiteMeter


class Unreadable(VoltyardError):
    """The meter cannot be read now: it is tried again, a little later each time."""

    code = "meter_unreadable"


class MeterReader(Protocol):
    """Made anew for every attempt."""

    def __init__(self, meter: SiteMeter, password: str | None, clock: Clock) -> None: ...

    def readings(self) -> AsyncGenerator[Reading, None]:
        """Readings as they come, until it is closed. Raises Unreadable."""

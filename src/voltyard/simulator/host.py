"""What a simulated night needs of the system under test; the composition root provides it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from voltyard.clock import Clock
from voltyard.simulator.depot import DepotSpec
from voltyard.simulator.link import Acceptor


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as the database has it."""

    station: str
    evse_number: int | None
    transaction_ref: str
    state: str
    energy_wh: float
    flags: tuple[str, ...]
    token: str = ""
    started_at: datetime | None = None


class Host(Protocol):
    """The whole of voltyard but sockets and HTTP: from framing to planner to store."""

    @property
    def acceptor(self) -> Acceptor: ...

    async def start(self) -> None: ...

    async def furnish(self, depots: Sequence[DepotSpec]) -> Mapping[str, UUID]:
        """Enter the depots as a customer would; site ids by depot name."""

    async def sessions(self) -> Sequence[StoredSession]: ...

    async def announced(self) -> Mapping[str, datetime]:
        """When each duty (by external id) was first said to be late."""

    def crash(self) -> None:
        """Die as by ``kill -9``: nothing is finished, flushed or said goodbye to."""

    async def close(self) -> None: ...


MakeHost = Callable[[Clock], Awaitable[Host]]
"""A host on the same database each time: after a crash a new one finds what was committed."""

"""What alerts need of others: somebody who tells people, within the transaction of the change."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from voltyard.alerts.model import Alert, Topic
from voltyard.chargers.model import Evse, Station
from voltyard.reservations.model import Reservation
from voltyard.sessions.model import Session
from voltyard.storage.engine import Tx
from voltyard.timetable.model import Departing


@dataclass(frozen=True, slots=True)
class News:
    """``silent``: nobody is to be told by it (acknowledged, or asleep)."""

    alert: Alert
    topic: Topic
    silent: bool = False


class Outbox(Protocol):
    async def stage(self, tx: Tx, news: Sequence[News]) -> None:
        """Write down who is told what of it. Awaits nothing but the database."""

    def wake(self) -> None:
        """The transaction is committed."""


class Departures(Protocol):
    """``TimetableService`` is one."""

    async def departing(self, from_at: datetime, until_at: datetime) -> Sequence[Departing]:
        """Of all organisations, by departure; departed ones too, cancelled ones not."""


class Reservations(Protocol):
    """``ReservationService`` is one."""

    def pending(self) -> Sequence[Reservation]:
        """Of all organisations: those that wait for their beginning or hold an outlet."""


class Outlets(Protocol):
    """``ChargerService`` is one."""

    def station(self, station_id: UUID) -> Station | None: ...

    def outlets(self, station_id: UUID) -> Sequence[Evse]: ...

    def is_connected(self, station_id: UUID) -> bool: ...


class Occupancy(Protocol):
    """``SessionService`` is one."""

    def current(self, evse_id: UUID) -> Session | None: ...

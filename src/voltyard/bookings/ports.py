"""What bookings need of other rooms; wired by the composition root."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from voltyard.chargers.commands import Command, CommandResult
from voltyard.chargers.model import Evse, Station
from voltyard.fleets.model import Token, Vehicle
from voltyard.reservations.commands import NewReservation
from voltyard.reservations.model import Reservation
from voltyard.sessions.model import Session
from voltyard.sites.model import Bay, Site
from voltyard.tenancy.model import Principal
from voltyard.timetable.model import Duty


class Stations(Protocol):
    """``ChargerService`` is one."""

    def station(self, station_id: UUID) -> Station | None: ...

    def evse(self, evse_id: UUID) -> Evse | None: ...

    def outlets(self, station_id: UUID) -> Sequence[Evse]: ...

    def evses(self) -> Sequence[Evse]: ...

    def is_connected(self, station_id: UUID) -> bool: ...

    async def command(
        self, station_id: UUID, command: Command, principal_name: str, *, timeout_s: float = ...
    ) -> CommandResult: ...


class Places(Protocol):
    """``SiteService`` is one."""

    async def get(self, site_id: UUID) -> Site: ...

    async def all(self) -> list[Site]: ...

    async def site(self, principal: Principal, site_id: UUID) -> Site: ...

    async def bays(self, principal: Principal, site_id: UUID) -> list[Bay]: ...


class Vehicles(Protocol):
    """``FleetService`` is one."""

    async def all(self, org_id: UUID) -> list[Vehicle]: ...

    async def vehicle_of(self, org_id: UUID, vehicle_id: UUID) -> Vehicle | None: ...


class Tokens(Protocol):
    """``FleetService`` is one."""

    async def all_tokens(self, org_id: UUID) -> list[Token]: ...


class Reservations(Protocol):
    """``ReservationService`` is one."""

    def pending(self) -> Sequence[Reservation]: ...

    async def reserve(self, who: Principal, new: NewReservation) -> Reservation: ...

    async def cancel(self, who: Principal, reservation_id: UUID) -> Reservation: ...


class Sessions(Protocol):
    """``SessionService`` is one."""

    def open_sessions(
        self, *, org_id: UUID | None = None, site_id: UUID | None = None
    ) -> list[Session]: ...

    def occupied(self, station_id: UUID, evse_id: UUID) -> bool: ...

    async def session(self, org_id: UUID, session_id: UUID) -> Session: ...


class Duties(Protocol):
    """``TimetableService`` is one."""

    async def duties(
        self, org_id: UUID, site_id: UUID, from_at: datetime, until_at: datetime
    ) -> Sequence[Duty]: ...

    async def save_all(self, who: Principal, duties: Sequence[Duty]) -> list[Duty]: ...

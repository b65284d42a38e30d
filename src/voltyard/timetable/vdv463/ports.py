"""What the adapter needs of other rooms; wired by the composition root."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from voltyard.chargers.commands import Command
from voltyard.chargers.model import Evse, Station
from voltyard.fleets.model import Vehicle
from voltyard.sessions.live import EvseLive
from voltyard.sessions.model import Session
from voltyard.sites.model import Site
from voltyard.tenancy.model import Principal
from voltyard.timetable.model import Duty
from voltyard.timetable.vdv463.model import Preconditioning
from voltyard.timetable.vdv463.picture import VehicleReport
from voltyard.timetable.vdv463.prediction import Outlook


class Vehicles(Protocol):
    async def all(self, org_id: UUID) -> Sequence[Vehicle]: ...


class Places(Protocol):
    async def charging_sites(self, principal: Principal) -> Sequence[Site]: ...

    async def bays_reached(
        self, principal: Principal, site: Site
    ) -> Callable[[UUID | None], bool]: ...


class Chargers(Protocol):
    def station(self, station_id: UUID) -> Station | None: ...

    def all_stations(self) -> Sequence[Station]: ...

    def evses(self) -> Sequence[Evse]: ...

    async def command(
        self, station_id: UUID, command: Command, principal_name: str, *, timeout_s: float = ...
    ) -> Any: ...


class Board(Protocol):
    def site(self, site_id: UUID) -> Sequence[EvseLive]: ...


class Sessions(Protocol):
    def open_sessions(
        self, *, org_id: UUID | None = None, site_id: UUID | None = None
    ) -> Sequence[Session]: ...

    async def attach(self, session_id: UUID, *, duty_id: UUID | None = ...) -> Session: ...

    async def prioritise(self, who: Principal, session_id: UUID, *, first: bool) -> Session: ...


class Duties(Protocol):
    async def save_all(self, who: Principal, duties: Sequence[Duty]) -> list[Duty]: ...

    async def delete(self, who: Principal, duty_ids: Sequence[UUID]) -> None: ...

    async def duties_of(self, org_id: UUID, duty_ids: Sequence[UUID]) -> Sequence[Duty]:
        """Those that exist."""


class Plans(Protocol):
    def outlook(self, site_id: UUID) -> Outlook:
        """Empty where no controller of the site runs."""

    def hurry(self, site_id: UUID) -> None:
        """Plan again at once: somebody waits for it."""


class Preconditioner(Protocol):
    """Who sees that vehicles are preconditioned."""

    async def wished(
        self,
        org_id: UUID,
        duty_id: UUID,
        vehicle_id: UUID | None,
        wishes: Sequence[Preconditioning],
        asked_by: str,
    ) -> None:
        """All wishes of one duty; they replace those told before."""

    def report(self, org_id: UUID, vehicle_id: UUID) -> VehicleReport | None:
        """What the vehicle told last; None where it tells nothing."""


class Passwords(Protocol):
    """argon2 off the loop, guessers slowed down (``chargers.passwords``)."""

    async def hash(self, password: str) -> str: ...

    async def check(
        self,
        station_id: UUID,
        stored: str,
        presented: str,
        *,
        who: tuple[str, str],
        at: datetime,
    ) -> Any: ...

    def refused(self, who: tuple[str, str], at: datetime) -> int: ...

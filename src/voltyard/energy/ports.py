"""What the controller of a site needs of other rooms: narrow views, wired by the app."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from voltyard.chargers.commands import StationLink
from voltyard.chargers.model import Evse, Station
from voltyard.fleets.model import Vehicle
from voltyard.sessions.model import VehicleNeeds
from voltyard.sites.model import ElectricalTree, Site
from voltyard.timetable.model import Duty

T = TypeVar("T")

RunBlocking = Callable[[Callable[[], T]], Awaitable[T]]
"""Runs a long pure computation off the event loop (or inline, in virtual time)."""


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A running session as last heard. ``energy_wh`` since plug-in, at the EVSE's meter."""

    session_id: UUID
    station_id: UUID
    evse_id: UUID
    transaction_ref: str
    started_at: datetime
    vehicle_id: UUID | None = None
    duty_id: UUID | None = None
    energy_wh: float = 0.0
    soc_start_pct: float | None = None
    soc_pct: float | None = None
    power_w: float | None = None
    reading_at: datetime | None = None
    charging_state: str | None = None
    needs: VehicleNeeds | None = None


class LiveView(Protocol):
    """Sessions that run now, from memory; cheap enough to ask on every tick."""

    def running(self, site_id: UUID) -> Sequence[LiveSession]: ...


@dataclass(frozen=True, slots=True)
class SiteSetup:
    """A site with its tree and everything installed there."""

    site: Site
    tree: ElectricalTree
    stations: tuple[Station, ...]
    evses: tuple[Evse, ...]


class SiteSource(Protocol):
    async def setup(self, site_id: UUID) -> SiteSetup:
        """The site now; raises NotFound."""


class DutySource(Protocol):
    async def duties(
        self, org_id: UUID, site_id: UUID, from_at: datetime, until_at: datetime
    ) -> Sequence[Duty]:
        """Duties not departed or cancelled that arrive before ``until_at`` and depart after
        ``from_at``."""


class VehicleSource(Protocol):
    async def vehicles(self, org_id: UUID, ids: Sequence[UUID]) -> Sequence[Vehicle]: ...


class Links(Protocol):
    """Live connections to chargers, by station."""

    def link(self, station_id: UUID) -> StationLink | None: ...

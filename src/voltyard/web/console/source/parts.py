"""What the console's data is read from: the services, and the few look-ups all pages share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from voltyard.alerts.service import AlertService
from voltyard.bus import Bus
from voltyard.chargers.model import Station
from voltyard.chargers.service import ChargerService
from voltyard.clock import Clock
from voltyard.energy.model import Plan
from voltyard.energy.ordering import DischargeDesk
from voltyard.energy.records import ForecastRow, PowerSample
from voltyard.energy.view import SiteView as PowerView
from voltyard.fleets.service import FleetService
from voltyard.sessions.live import LiveBoard
from voltyard.sessions.service import SessionService
from voltyard.sites.model import Site
from voltyard.sites.service import SiteService
from voltyard.tenancy.model import Principal
from voltyard.tenancy.service import TenancyService
from voltyard.timetable.model import Duty
from voltyard.timetable.service import DutyFilter, TimetableService
from voltyard.web.console import views as v

DUTIES_MAX = 2_000


class EnergyReads(Protocol):
    """What the energy room shows of a site."""

    def view(self, org_id: UUID, site_id: UUID) -> PowerView | None:
        """Power node by node; None while no controller runs."""

    def plan(self, org_id: UUID, site_id: UUID) -> Plan | None: ...

    async def forecasts(self, org_id: UUID, site_id: UUID) -> Sequence[ForecastRow]: ...

    @property
    def discharge(self) -> DischargeDesk:
        """Orders to discharge vehicles."""

    async def series(
        self, org_id: UUID, site_id: UUID, node_id: UUID, since: datetime, until: datetime
    ) -> Sequence[PowerSample]:
        """At most 2,000 samples of a node, by time."""


@dataclass(frozen=True, slots=True)
class Services:
    """The rooms behind the console. ``bus`` tells when what it keeps has changed."""

    clock: Clock
    tenancy: TenancyService
    sites: SiteService
    chargers: ChargerService
    sessions: SessionService
    live: LiveBoard
    fleets: FleetService
    timetable: TimetableService
    energy: EnergyReads
    alerts: AlertService
    bus: Bus | None = None


class Source:
    """Base of the console's data parts: names for ids, and the duties of a site."""

    def __init__(self, services: Services) -> None:
        self.rooms = services

    def now(self) -> datetime:
        return self.rooms.clock.now()

    async def site_of(self, who: Principal, site_id: UUID) -> Site:
        """Raises NotFound for a site of somebody else."""
        return await self.rooms.sites.site(who, site_id)

    def stations_by_id(self, who: Principal) -> Mapping[UUID, Station]:
        found = self.rooms.chargers.list_stations(who.org_id)
        return {view.station.id: view.station for view in found}

    async def duties_between(
        self, who: Principal, site_id: UUID, since: datetime, until: datetime
    ) -> list[Duty]:
        wanted = DutyFilter(site_id=site_id, since=since, until=until, limit=DUTIES_MAX)
        return (await self.rooms.timetable.find(who.org_id, wanted))[0]


def outlook_of(duty: Duty | None, forecast: ForecastRow | None, soc_pct: float | None) -> v.Outlook:
    """How the departure of a duty looks, from its end, its state of charge or its forecast."""
    if duty is None:
        return v.Outlook.NONE
    if duty.ready is not None:
        return v.Outlook.READY if duty.ready else v.Outlook.MISSED
    if (
        soc_pct is not None
        and duty.target_soc_pct is not None
        and soc_pct >= duty.target_soc_pct - 1
    ):
        return v.Outlook.READY
    if forecast is not None and forecast.will_miss:
        return v.Outlook.AT_RISK
    return v.Outlook.ON_TIME


def page_of(rows: Sequence[v.T], total: int, paging: v.Paging) -> v.Page[v.T]:
    return v.Page(tuple(rows), total, paging)


def cut(rows: Sequence[v.T], paging: v.Paging) -> v.Page[v.T]:
    """One page of rows that are all at hand."""
    return v.Page(tuple(rows[paging.offset : paging.offset + paging.size]), len(rows), paging)

"""What live topics need every second but what seldom changes, kept until an event tells it did."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar
from uuid import UUID

from voltyard.bus import Bus
from voltyard.clock import Clock
from voltyard.energy.events import PlanMade
from voltyard.energy.records import ForecastRow
from voltyard.errors import NotFound
from voltyard.fleets.events import VehiclesChanged
from voltyard.fleets.model import Vehicle
from voltyard.sites.events import LimitChanged, SiteChanged, TreeChanged
from voltyard.sites.model import Area, Bay, Node, Site
from voltyard.tenancy.access import require
from voltyard.tenancy.events import OperatorsChanged
from voltyard.tenancy.model import Permission, Principal
from voltyard.timetable.events import DutiesChanged, DutyDeparted
from voltyard.timetable.model import Duty
from voltyard.web.console.source.parts import Services, Source

T = TypeVar("T")
Key = tuple[UUID, UUID | None]

MAX_AGE_S = 300.0
KEPT_MAX = 1_000
LOOKING_BACK = timedelta(hours=1)
LOOKING_AHEAD = timedelta(hours=24)


class Kept(Generic[T]):
    """Answers by organisation and site. Each grows old at last, should an event be missed."""

    def __init__(self, clock: Clock, max_age_s: float) -> None:
        self._clock = clock
        self._max_age_s = max_age_s
        self._found: dict[Key, tuple[float, T]] = {}
        self._changes = 0

    async def get(self, key: Key, read: Callable[[], Awaitable[T]]) -> T:
        """The kept answer or a new one; one that a change overtook is given but not kept."""
        now_s = self._clock.monotonic_s()
        known = self._found.get(key)
        if known is not None and now_s - known[0] < self._max_age_s:
            return known[1]
        changes = self._changes
        found = await read()
        if changes == self._changes:
            self._found.pop(key, None)
            if len(self._found) >= KEPT_MAX:
                del self._found[next(iter(self._found))]
            self._found[key] = (now_s, found)
        return found

    def forget(self, key: Key) -> None:
        self._changes += 1
        self._found.pop(key, None)

    def forget_of(self, thing_id: UUID) -> None:
        """Whatever is of an organisation, or of a site whoever looks at it."""
        self._changes += 1
        self._found = {key: found for key, found in self._found.items() if thing_id not in key}


@dataclass(frozen=True, slots=True)
class Place:
    """A site as it was built: its ``nodes`` depth first, each with its depth below the root."""

    site: Site
    areas: Sequence[Area]
    bays: Sequence[Bay]
    nodes: Sequence[tuple[Node, int]]


class StandingSource(Source):
    """Look-ups for what moves. Without a bus to tell of changes nothing is kept."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        clock, age_s = services.clock, MAX_AGE_S if services.bus else 0.0
        self._places: Kept[Place] = Kept(clock, age_s)
        self._sites: Kept[Sequence[Site]] = Kept(clock, age_s)
        self._fleets: Kept[Mapping[UUID, Vehicle]] = Kept(clock, age_s)
        self._duties: Kept[Mapping[UUID, Duty]] = Kept(clock, age_s)
        self._forecasts: Kept[Mapping[UUID, ForecastRow]] = Kept(clock, age_s)
        if services.bus:
            self._listen(services.bus)

    async def place(self, who: Principal, site_id: UUID) -> Place:
        """NotFound for a site of somebody else, unless one's vehicles charge there."""
        require(who, Permission.VIEW)

        async def read() -> Place:
            sites = self.rooms.sites
            site = await sites.charging_site(who, site_id)
            nodes = await sites.nodes(who, site_id) if site.org_id == who.org_id else []
            return Place(
                site,
                await sites.charging_areas(who, site_id),
                await sites.charging_bays(who, site_id),
                _in_order(nodes),
            )

        return await self._places.get((who.org_id, site_id), read)

    async def own_place(self, who: Principal, site_id: UUID) -> Place:
        """As ``place``, and NotFound where one's vehicles only charge."""
        place = await self.place(who, site_id)
        if place.site.org_id != who.org_id:
            raise NotFound("There is no such site.")
        return place

    async def sites_of(self, who: Principal) -> Sequence[Site]:
        """One's own, and those where one's vehicles charge."""
        require(who, Permission.VIEW)
        sites = self.rooms.sites
        return await self._sites.get((who.org_id, None), lambda: sites.charging_sites(who))

    async def site_names(self, who: Principal) -> Mapping[UUID, str]:
        return {site.id: site.name for site in await self.sites_of(who)}

    async def vehicles_by_id(self, who: Principal) -> Mapping[UUID, Vehicle]:
        async def read() -> Mapping[UUID, Vehicle]:
            return {vehicle.id: vehicle for vehicle in await self.rooms.fleets.all(who.org_id)}

        return await self._fleets.get((who.org_id, None), read)

    async def duties_of_the_day(self, who: Principal, site_id: UUID) -> Mapping[UUID, Duty]:
        """From an hour ago to a day ahead."""

        async def read() -> Mapping[UUID, Duty]:
            now = self.now()
            found = await self.duties_between(who, site_id, now - LOOKING_BACK, now + LOOKING_AHEAD)
            return {duty.id: duty for duty in found}

        return await self._duties.get((who.org_id, site_id), read)

    async def forecasts_by_duty(self, who: Principal, site_id: UUID) -> Mapping[UUID, ForecastRow]:
        async def read() -> Mapping[UUID, ForecastRow]:
            rows = await self.rooms.energy.forecasts(who.org_id, site_id)
            return {row.duty_id: row for row in rows}

        return await self._forecasts.get((who.org_id, site_id), read)

    def _listen(self, bus: Bus) -> None:
        bus.subscribe(SiteChanged, self._on_built, name="console.place")
        bus.subscribe(TreeChanged, self._on_built, name="console.place")
        bus.subscribe(LimitChanged, self._on_built, name="console.place")
        bus.subscribe(VehiclesChanged, self._on_vehicles, name="console.vehicles")
        bus.subscribe(DutiesChanged, self._on_duties, name="console.duties")
        bus.subscribe(DutyDeparted, self._on_duties, name="console.duties")
        bus.subscribe(PlanMade, self._on_plan, name="console.forecasts")
        bus.subscribe(OperatorsChanged, self._on_operators, name="console.operators")

    async def _on_built(self, event: SiteChanged | TreeChanged | LimitChanged) -> None:
        self._places.forget_of(event.site_id)
        self._sites.forget((event.org_id, None))

    async def _on_operators(self, event: OperatorsChanged) -> None:
        self._places.forget_of(event.operator_id)
        self._sites.forget_of(event.operator_id)
        self._fleets.forget_of(event.operator_id)

    async def _on_vehicles(self, event: VehiclesChanged) -> None:
        self._fleets.forget((event.org_id, None))

    async def _on_duties(self, event: DutiesChanged | DutyDeparted) -> None:
        self._duties.forget_of(event.site_id)

    async def _on_plan(self, event: PlanMade) -> None:
        self._forecasts.forget_of(event.site_id)


def _in_order(nodes: Sequence[Node]) -> list[tuple[Node, int]]:
    """Depth first, so that a table reads like a tree."""
    children: dict[UUID | None, list[Node]] = {}
    for node in nodes:
        children.setdefault(node.parent_id, []).append(node)
    ordered: list[tuple[Node, int]] = []
    waiting = [(node, 0) for node in reversed(children.get(None, ()))]
    while waiting:
        node, depth = waiting.pop()
        ordered.append((node, depth))
        waiting += [(child, depth + 1) for child in reversed(children.get(node.id, ()))]
    return ordered

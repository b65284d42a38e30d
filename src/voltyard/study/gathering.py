"""A stretch of a real site's past from the rooms that keep it, and a word on what it lacks."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import isfinite
from uuid import UUID

from voltyard.chargers.model import Evse, StationFilter
from voltyard.chargers.service import ChargerService
from voltyard.clock import Clock
from voltyard.energy.prices.model import Period
from voltyard.energy.prices.service import PriceService
from voltyard.energy.service import EnergyService
from voltyard.errors import Invalid, NotFound
from voltyard.fleets.model import Vehicle
from voltyard.fleets.service import FleetService
from voltyard.sessions.model import Session, SessionFilter, SessionState
from voltyard.sessions.service import SessionService
from voltyard.sitemeters.model import Covers, SiteMeter
from voltyard.sitemeters.service import SiteMeterService
from voltyard.sites.limits import lowest_limit_w
from voltyard.sites.model import ElectricalTree, Node, NodeKind, NodeLimit, Site
from voltyard.sites.service import SiteService
from voltyard.study.past import QUARTER, Gap, Past, PastOutlet, PastStay, Remark, filled
from voltyard.study.staying import Known, stays_of
from voltyard.tenancy.model import Principal
from voltyard.timetable.model import Duty
from voltyard.timetable.service import DutyFilter, TimetableService

DAYS_MAX = 14
SESSIONS_MAX = 20_000
_PAGE = 1_000
_AFTER = timedelta(days=1)
"""Stays that began in the period count up to so long after its end."""


@dataclass(frozen=True, slots=True)
class PastRooms:
    """Who keeps what of the past."""

    clock: Clock
    sites: SiteService
    sessions: SessionService
    timetable: TimetableService
    fleets: FleetService
    chargers: ChargerService
    meters: SiteMeterService
    prices: PriceService
    energy: EnergyService


class Gathering:
    """Reads; changes nothing."""

    def __init__(self, rooms: PastRooms) -> None:
        self._rooms = rooms

    async def past(
        self, who: Principal, site_id: UUID, from_at: datetime, until_at: datetime
    ) -> Past:
        """Every session that began in the period, with what was there for it.

        Raises NotFound, and Invalid with a word on what to do where nothing can be studied.
        """
        rooms, now = self._rooms, self._rooms.clock.now()
        site = await rooms.sites.site(who, site_id)
        self._check(from_at, until_at, now)
        until_at = min(until_at, now)
        tree = await self._tree(site_id)
        sessions = await self._sessions(who, site_id, from_at, until_at)
        known = await self._known(who, site, tree, from_at, until_at)
        stays, gaps = stays_of(sessions, known)
        if not stays:
            raise Invalid(
                "No session of this period can be studied: none took energy at an outlet of the"
                " electrical tree for ten minutes or more.",
                code="no_stays",
            )
        window = _window(stays, from_at, until_at)
        past = Past(
            site=site.name,
            zone=site.timezone,
            currency=site.currency,
            start_at=window[0],
            quarters=int((window[1] - window[0]) / QUARTER),
            nodes=(),
            outlets=_outlets(known.outlets),
            stays=tuple(stays),
            other_w=(),
        )
        past = await self._with_load(who, site_id, tree, past)
        past = await self._with_prices(who, site_id, past)
        past = _with_tree(tree, past)
        counted = tuple(Remark(gap, count, len(sessions)) for gap, count in gaps.items())
        facts = await self._facts(who, tree, past, sessions)
        return replace(past, remarks=(*counted, *past.remarks), facts=facts)

    @staticmethod
    def _check(from_at: datetime, until_at: datetime, now: datetime) -> None:
        if until_at <= from_at:
            raise Invalid("The period ends before it begins.", fields={"until_at": "after from"})
        if from_at >= now:
            raise Invalid("The period has not begun yet.", fields={"from_at": "in the past"})
        if until_at - from_at > timedelta(days=DAYS_MAX):
            raise Invalid(
                "A study is of two weeks at most.", fields={"until_at": f"{DAYS_MAX} days at most"}
            )

    async def _tree(self, site_id: UUID) -> ElectricalTree:
        try:
            return await self._rooms.sites.tree(site_id)
        except NotFound as error:
            raise Invalid(
                "This site has no electrical tree yet: draw it first, a study is of its limits.",
                code="no_tree",
            ) from error

    async def _sessions(
        self, who: Principal, site_id: UUID, from_at: datetime, until_at: datetime
    ) -> list[Session]:
        wanted = SessionFilter(site_id=site_id, from_at=from_at, until_at=until_at)
        found: list[Session] = []
        while True:
            page = await self._rooms.sessions.page(
                who.org_id, wanted, limit=_PAGE, offset=len(found)
            )
            found += page.sessions
            if page.total > SESSIONS_MAX:
                raise Invalid(
                    "There are too many sessions in this period: choose a shorter one.",
                    fields={"until_at": f"{SESSIONS_MAX} sessions at most"},
                )
            if not page.sessions or len(found) >= page.total:
                break
        found = [session for session in found if session.state is not SessionState.QUARANTINED]
        if not found:
            await self._tell_of_none(who, site_id)
        return sorted(found, key=lambda session: (session.started_at, session.id))

    async def _tell_of_none(self, who: Principal, site_id: UUID) -> None:
        newest = await self._rooms.sessions.page(
            who.org_id, SessionFilter(site_id=site_id), limit=1
        )
        if not newest.sessions:
            raise Invalid(
                "This site has no session yet: study the demo depot or a file until it has.",
                code="no_sessions",
            )
        last_at = newest.sessions[0].started_at
        raise Invalid(
            "No session began in this period.",
            code="no_sessions",
            fields={"from_at": f"last: {last_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"},
        )

    async def _known(
        self,
        who: Principal,
        site: Site,
        tree: ElectricalTree,
        from_at: datetime,
        until_at: datetime,
    ) -> Known:
        rooms = self._rooms
        wanted = DutyFilter(site_id=site.id, since=from_at - _AFTER, until=until_at + _AFTER)
        duties: dict[UUID, Duty] = {}
        total = 1
        while len(duties) < total:
            page, total = await rooms.timetable.find(
                who.org_id, replace(wanted, limit=_PAGE, offset=len(duties))
            )
            if not page:
                break
            duties.update({duty.id: duty for duty in page})
        vehicles: Mapping[UUID, Vehicle] = {
            vehicle.id: vehicle for vehicle in await rooms.fleets.all(who.org_id)
        }
        views = rooms.chargers.list_stations(who.org_id, StationFilter(site_id=site.id))
        outlets = {
            evse.id: evse for view in views for evse in view.evses if evse.id in tree.leaf_of_evse
        }
        return Known(duties, vehicles, outlets, site.unknown_vehicle_power_w, until_at)

    async def _with_load(
        self, who: Principal, site_id: UUID, tree: ElectricalTree, past: Past
    ) -> Past:
        """Load beside chargers of all meters that no other one covers, summed."""
        states = await self._rooms.meters.meters(who, site_id)
        meters = _outermost([state.meter for state in states], tree)
        known: defaultdict[datetime, float] = defaultdict(float)
        seen: Counter[datetime] = Counter()
        for meter in meters:
            for slot in await self._rooms.meters.loads(who, meter.id, past.start_at, past.end_at):
                at = slot.at.astimezone(UTC)
                known[at] += slot.mean_w
                seen[at] += 1
        whole = {at: value for at, value in known.items() if seen[at] == len(meters)}
        series, missing = filled(whole, past.start_at, past.quarters)
        remarks = past.remarks
        if not whole:
            remarks = (*remarks, Remark(Gap.NO_OTHER_LOAD))
        elif missing:
            remarks = (*remarks, Remark(Gap.OTHER_LOAD_FILLED, missing, past.quarters))
        return replace(past, other_w=series, remarks=remarks)

    async def _with_prices(self, who: Principal, site_id: UUID, past: Past) -> Past:
        view = await self._rooms.prices.view(who, site_id, past.start_at, past.end_at)
        tariff, remarks = view.tariff, past.remarks
        told = {slot.start_at.astimezone(UTC): slot.value for slot in view.total}
        prices: tuple[float, ...] = ()
        if told:
            prices, _ = filled(told, past.start_at, past.quarters)
        else:
            remarks = (*remarks, Remark(Gap.NO_PRICES))
        a_year = 12.0 if tariff.demand_period is Period.MONTH else 1.0
        demand: float | None = tariff.demand_per_kw * a_year
        if told and not demand:
            remarks = (*remarks, Remark(Gap.NO_DEMAND))
        if not told and not demand:
            demand = None
        paid = {slot.start_at.astimezone(UTC): slot.value for slot in view.export}
        sold = filled(paid, past.start_at, past.quarters)[0] if paid else ()
        return replace(
            past,
            prices=prices,
            currency=tariff.currency or past.currency,
            demand_per_kw_year=demand,
            export_prices=sold,
            remarks=remarks,
        )

    async def _facts(
        self, who: Principal, tree: ElectricalTree, past: Past, sessions: Sequence[Session]
    ) -> dict[str, float]:
        facts = {
            "sessions": float(len(sessions)),
            "energy_wh": sum(max(0.0, session.net_wh) for session in sessions),
        }
        rows = await self._rooms.energy.series(
            who.org_id, tree.root.id, past.start_at, past.end_at, bucket_s=900
        )
        means = [row["mean_w"] for row in rows if row["mean_w"] is not None]
        return facts | ({"peak_w": max(means)} if means else {})


def _window(
    stays: Sequence[PastStay], from_at: datetime, until_at: datetime
) -> tuple[datetime, datetime]:
    """Whole hours around all stays."""
    first = min(stay.planned_arrival_at or stay.arrival_at for stay in stays)
    first = max(min(first, from_at), from_at - timedelta(hours=6))
    first = min(first, *(stay.arrival_at for stay in stays)).astimezone(UTC)
    last = max(until_at, *(stay.departure_at for stay in stays)).astimezone(UTC)
    start_at = first.replace(minute=0, second=0, microsecond=0)
    quarters = -(-(last - start_at) // QUARTER)
    return start_at, start_at + quarters * QUARTER


def _outlets(outlets: Mapping[UUID, Evse]) -> tuple[PastOutlet, ...]:
    return tuple(
        PastOutlet(evse.id, evse.max_power_w, min(evse.min_power_w, evse.max_power_w))
        for evse in outlets.values()
    )


def _outermost(meters: Sequence[SiteMeter], tree: ElectricalTree) -> list[SiteMeter]:
    """Those whose load no other meter of all that flows has in it already."""
    whole = {meter.node_id for meter in meters if meter.covers is Covers.ALL}

    def covered(meter: SiteMeter) -> bool:
        above = [node.id for node in tree.path_to_root(meter.node_id)]
        if meter.covers is Covers.ALL:
            above = above[1:]
        return any(node_id in whole for node_id in above)

    return [meter for meter in meters if meter.node_id in tree.by_id and not covered(meter)]


def _with_tree(tree: ElectricalTree, past: Past) -> Past:
    """Each node with the lowest limit of the period; leaves only of outlets that there are."""
    outlets = {outlet.evse_id for outlet in past.outlets}
    nodes = [node for node in tree.nodes if node.evse_id is None or node.evse_id in outlets]
    timed = sum(any(not limit.is_constant for limit in node.limits) for node in nodes)
    most_w = sum(outlet.max_power_w for outlet in past.outlets) + max(0.0, *past.other_w, 0.0)
    remarks = (
        (*past.remarks, Remark(Gap.TIMED_LIMITS, timed, len(nodes))) if timed else past.remarks
    )
    constant = tuple(_constant(node, tree, past, most_w) for node in nodes)
    return replace(past, nodes=constant, remarks=remarks)


def _constant(node: Node, tree: ElectricalTree, past: Past, most_w: float) -> Node:
    lowest_w = lowest_limit_w(node, past.start_at, past.end_at, tree.zone)
    if not isfinite(lowest_w):
        lowest_w = most_w
        if node.kind is not NodeKind.GRID:
            return replace(node, limits=())
    return replace(node, limits=(NodeLimit(power_w=lowest_w),))

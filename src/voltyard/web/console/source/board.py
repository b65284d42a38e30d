"""The depot board, the load chart and the tree: what is live at a site."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from voltyard.chargers.model import EvseStatus, Station
from voltyard.energy.records import ForecastRow
from voltyard.energy.view import NodePower
from voltyard.energy.view import SiteView as PowerView
from voltyard.errors import NotFound
from voltyard.fleets.model import Vehicle
from voltyard.sessions.live import EvseLive
from voltyard.sites.limits import limit_w
from voltyard.sites.model import Bay, Node, NodeLimit, Site
from voltyard.tenancy.model import Principal
from voltyard.timetable.model import Duty
from voltyard.web.console import views as v
from voltyard.web.console.source.parts import outlook_of
from voltyard.web.console.source.standing import Place, StandingSource

DEPARTURES_SHOWN = 8
DRAWING_W = 500.0
NEWEST = timedelta(minutes=4)


@dataclass(frozen=True, slots=True)
class _Scene:
    """Everything a board is made of, read once."""

    place: Place
    own: bool
    power: PowerView | None
    duties: Mapping[UUID, Duty]
    forecasts: Mapping[UUID, ForecastRow]
    vehicles: Mapping[UUID, Vehicle]
    lives: Sequence[EvseLive]
    by_duty: Mapping[UUID, EvseLive]
    stations: Mapping[UUID, Station]
    now: datetime


class BoardSource(StandingSource):
    """``sites``, ``board``, ``load``, ``load_now`` and ``tree`` of ``ConsoleData``."""

    async def sites(self, who: Principal) -> tuple[v.SiteView, ...]:
        return tuple(site_view(site) for site in await self.sites_of(who))

    async def board(self, who: Principal, site_id: UUID) -> v.BoardView:
        scene = await self._scene(who, site_id)
        areas = scene.place.areas
        tiles = _tiles(scene)
        order: dict[UUID | None, int] = {area.id: place for place, area in enumerate(areas)}
        tiles.sort(key=lambda tile: (order.get(tile.area_id, len(order)), tile.bay, tile.outlet))
        shown = [v.AreaView(area.id, area.name) for area in areas]
        if any(tile.area_id is None for tile in tiles):
            shown.append(v.AreaView(None, ""))
        site = site_view(scene.place.site)
        return v.BoardView(site, scene.now, tuple(shown), tuple(tiles), _head(scene, tiles))

    async def load(
        self, who: Principal, site_id: UUID, since: datetime, until: datetime
    ) -> v.LoadSeries:
        await self.own_place(who, site_id)
        return await self._series(who, site_id, since, until)

    async def load_now(self, who: Principal, site_id: UUID) -> v.LoadSeries:
        now = self.now()
        return await self.load(who, site_id, now - NEWEST, now)

    async def tree(self, who: Principal, site_id: UUID) -> v.TreeView:
        place = await self.own_place(who, site_id)
        power = self.rooms.energy.view(who.org_id, site_id)
        powers = {node.node_id: node for node in power.nodes} if power else {}
        stations = {live.evse_id: live.station_id for live in self.rooms.live.site(site_id)}
        shown = tuple(
            _node(node, depth, powers.get(node.id), stations) for node, depth in place.nodes
        )
        return v.TreeView(site_view(place.site), self.now(), shown)

    async def _scene(self, who: Principal, site_id: UUID) -> _Scene:
        place = await self.place(who, site_id)
        lives = shown_to(who, place, self.rooms.live.site(site_id))
        known = map(self.rooms.chargers.station, {live.station_id for live in lives})
        return _Scene(
            place=place,
            own=place.site.org_id == who.org_id,
            power=self.rooms.energy.view(who.org_id, site_id),
            duties=await self.duties_of_the_day(who, site_id),
            forecasts=await self.forecasts_by_duty(who, site_id),
            vehicles=await self.vehicles_by_id(who),
            lives=lives,
            by_duty={live.duty_id: live for live in lives if live.duty_id is not None},
            stations={station.id: station for station in known if station is not None},
            now=self.now(),
        )

    async def _series(
        self, who: Principal, site_id: UUID, since: datetime, until: datetime
    ) -> v.LoadSeries:
        """Past minutes as sampled; ahead of now the plan's slots under the limits to come."""
        now = self.now()
        try:
            tree = await self.rooms.sites.tree(site_id)
        except NotFound:
            return v.LoadSeries(now, (), (), (), (), ())
        samples = await self.rooms.energy.series(
            who.org_id, site_id, tree.root.id, since, max(since, min(until, now))
        )
        columns: list[_Column] = [
            (int(s.at.timestamp()), s.measured_w, s.plan_w, s.limit_w, s.reserved_w, s.other_w)
            for s in samples
        ]
        plan = self.rooms.energy.plan(who.org_id, site_id)
        if plan is not None and until > now:
            for start_at, power_w in zip(
                plan.bounds, plan.node_power_w.get(tree.root.id, ()), strict=False
            ):
                if now < start_at < until:
                    allowed_w = _limit_at(tree.root, start_at, tree.zone)
                    columns.append(
                        (int(start_at.timestamp()), None, power_w, allowed_w, None, None)
                    )
        columns = _thinned(columns)
        parts = list(zip(*columns, strict=True)) or [()] * 6
        return v.LoadSeries(now, *parts)


_Column = tuple[int, Any, Any, Any, Any, Any]


def _thinned(columns: list[_Column]) -> list[_Column]:
    """At most 2,000 columns, one an instant, by time."""
    unique = {column[0]: column for column in columns}
    ordered = [unique[at] for at in sorted(unique)]
    step = -(-len(ordered) // 2000) or 1
    return ordered[::step]


def _limit_at(node: Node, at: datetime, zone: ZoneInfo) -> float | None:
    allowed_w = limit_w(node, at, zone)
    return allowed_w if isfinite(allowed_w) else None


def site_view(site: Site) -> v.SiteView:
    return v.SiteView(site.id, site.name, site.timezone)


def shown_to(who: Principal, place: Place, lives: Sequence[EvseLive]) -> Sequence[EvseLive]:
    """All outlets of one's own site; of another's those where a vehicle of one's own stands."""
    if place.site.org_id == who.org_id:
        return lives
    return [
        live
        for live in lives
        if live.session is not None and live.session.fleet_org_id == who.org_id
    ]


def _tiles(scene: _Scene) -> list[v.BoardTile]:
    bays = {bay.id: bay for bay in scene.place.bays}
    tiles = [_tile(scene, live, bays) for live in scene.lives]
    if not scene.own:
        return tiles
    taken = {live.bay_id for live in scene.lives}
    tiles += [
        v.BoardTile(f"bay-{bay.id}", bay.name, bay.area_id, v.TileState.EMPTY)
        for bay in scene.place.bays
        if bay.id not in taken
    ]
    return tiles


def _head(scene: _Scene, tiles: list[v.BoardTile]) -> v.BoardHead:
    root = scene.power.root if scene.power else None
    power_w = sum(tile.power_w or 0.0 for tile in tiles)
    limit_w = root.limit_w if root else None
    open_duties = [d for d in scene.duties.values() if d.departure_at > scene.now]
    outlooks = [(duty, _outlook(scene, duty)) for duty in open_duties]
    made = Counter(outlook for _, outlook in outlooks)
    states = Counter(tile.state for tile in tiles)
    return v.BoardHead(
        power_w=power_w,
        limit_w=limit_w,
        plan_w=root.plan_w if root else None,
        reserved_w=root.reserved_w if root else 0.0,
        duties=len(open_duties),
        duties_ready=made[v.Outlook.READY],
        duties_on_time=made[v.Outlook.ON_TIME],
        evses=len(scene.lives),
        charging=states[v.TileState.CHARGING],
        offline=states[v.TileState.OFFLINE],
        faulted=states[v.TileState.FAULTED],
        over_limit=limit_w is not None and power_w > limit_w,
        at_risk=tuple(
            _departure(scene, duty, state) for duty, state in outlooks if state is v.Outlook.AT_RISK
        ),
        out_of_reach=_out_of_reach(scene, tiles),
        departures=tuple(
            _departure(scene, duty, state) for duty, state in outlooks[:DEPARTURES_SHOWN]
        ),
    )


def tile_state(live: EvseLive, *, ready: bool) -> v.TileState:
    """What a dispatcher calls it: first what is wrong, then what it does."""
    if not live.online:
        return v.TileState.OFFLINE
    if live.status is EvseStatus.FAULTED:
        return v.TileState.FAULTED
    if live.status in {EvseStatus.UNAVAILABLE, EvseStatus.RESERVED}:
        return v.TileState.BLOCKED
    if live.session is not None and live.session.open:
        if (live.power_w or 0.0) > DRAWING_W:
            return v.TileState.CHARGING
        return v.TileState.READY if ready else v.TileState.WAITING
    if live.plugged:
        return v.TileState.READY if ready else v.TileState.PLUGGED
    return v.TileState.FREE


def _tile(scene: _Scene, live: EvseLive, bays: Mapping[UUID, Bay]) -> v.BoardTile:
    bay = bays.get(live.bay_id) if live.bay_id else None
    station = scene.stations.get(live.station_id)
    duty = scene.duties.get(live.duty_id) if live.duty_id else None
    vehicle = scene.vehicles.get(live.vehicle_id) if live.vehicle_id else None
    forecast = scene.forecasts.get(duty.id) if duty else None
    outlook = outlook_of(duty, forecast, live.soc_pct)
    power = scene.power.evses.get(live.evse_id) if scene.power else None
    granted_w = power.granted_w if power else None
    session = live.session
    unknown = session is not None and session.open and vehicle is None
    name = vehicle.name if vehicle else (live.id_token if unknown else None)
    present = session is not None and (session.open or live.plugged)
    return v.BoardTile(
        key=f"evse-{live.evse_id}",
        bay=bay.name if bay else live.name,
        area_id=bay.area_id if bay else None,
        state=tile_state(live, ready=outlook is v.Outlook.READY),
        evse_id=live.evse_id,
        station_id=live.station_id if scene.own else None,
        station=station.identity if station else "",
        outlet=str(live.number),
        vehicle=name if present else None,
        soc_pct=live.soc_pct if present else None,
        target_soc_pct=duty.target_soc_pct if duty and present else None,
        power_w=live.power_w if live.online else None,
        granted_w=granted_w,
        ready_at=forecast.ready_at if forecast and present else None,
        departs_at=duty.departure_at if duty and present else None,
        outlook=outlook if present else v.Outlook.NONE,
        shortfall_wh=forecast.shortfall_wh if forecast and present else 0.0,
        session_id=session.id if session and present else None,
        duty_id=duty.id if duty and present else None,
        note="unknown_vehicle" if unknown else (live.error_code or ""),
        operator_id=session.fleet_org_id if session and present and scene.own else None,
    )


def _outlook(scene: _Scene, duty: Duty) -> v.Outlook:
    live = scene.by_duty.get(duty.id)
    return outlook_of(duty, scene.forecasts.get(duty.id), live.soc_pct if live else None)


def vehicle_name(duty: Duty, vehicles: Mapping[UUID, Vehicle]) -> str:
    vehicle = vehicles.get(duty.vehicle_id) if duty.vehicle_id else None
    return vehicle.name if vehicle else (duty.vehicle_class or duty.external_id)


def _limited_by(reason: Mapping[str, Any], place: Place) -> str:
    """The names of the nodes that bind; none where time itself is short."""
    binding = [str(entry.get("node_id")) for entry in reason.get("binding", ())]
    if not binding:
        return ""
    found = {str(node.id): node.name for node, _ in place.nodes if str(node.id) in binding}
    names = dict.fromkeys(found[node_id] for node_id in binding if node_id in found)
    return ", ".join(list(names)[:3])


def _departure(scene: _Scene, duty: Duty, outlook: v.Outlook) -> v.DepartureRow:
    live = scene.by_duty.get(duty.id)
    forecast = scene.forecasts.get(duty.id)
    reason = dict(forecast.reason) if forecast else {}
    return v.DepartureRow(
        duty_id=duty.id,
        vehicle=vehicle_name(duty, scene.vehicles),
        departs_at=duty.departure_at,
        bay=live.name if live else "",
        soc_pct=live.soc_pct if live else None,
        target_soc_pct=duty.target_soc_pct,
        outlook=outlook,
        shortfall_wh=forecast.shortfall_wh if forecast else 0.0,
        ready_at=forecast.ready_at if forecast else None,
        limited_by=_limited_by(reason, scene.place),
        fix_w=float(reason.get("fix_w") or 0.0),
    )


def _out_of_reach(scene: _Scene, tiles: list[v.BoardTile]) -> tuple[v.OfflineRow, ...]:
    """Stations that are offline or faulted, with the power held back for them."""
    rows: dict[UUID, v.OfflineRow] = {}
    for tile in tiles:
        if tile.state not in {v.TileState.OFFLINE, v.TileState.FAULTED} or not tile.station_id:
            continue
        power = scene.power.evses.get(tile.evse_id) if scene.power and tile.evse_id else None
        before, station = rows.get(tile.station_id), scene.stations.get(tile.station_id)
        held_w = (before.reserved_w if before else 0.0) + (power.counted_w if power else 0.0)
        rows[tile.station_id] = v.OfflineRow(
            tile.station_id,
            tile.station,
            station.last_seen_at if station else None,
            held_w,
            tile.state is v.TileState.FAULTED,
            tile.note,
        )
    return tuple(sorted(rows.values(), key=lambda row: row.station))


def _node(
    node: Node, depth: int, power: NodePower | None, stations: Mapping[UUID, UUID]
) -> v.NodeView:
    return v.NodeView(
        id=node.id,
        kind=node.kind,
        name=node.name,
        depth=depth,
        power_w=(power.measured_w or 0.0) if power else 0.0,
        limit_w=power.limit_w if power else None,
        reserved_w=power.reserved_w if power else 0.0,
        plan_w=power.plan_w if power else None,
        station_id=stations.get(node.evse_id) if node.evse_id else None,
        limits=tuple(limit_view(index, limit) for index, limit in enumerate(node.limits)),
    )


def limit_view(index: int, limit: NodeLimit) -> v.LimitView:
    return v.LimitView(
        index=index,
        power_w=limit.power_w,
        current_a=limit.current_a,
        source=limit.source,
        from_time=limit.from_time.strftime("%H:%M") if limit.from_time else "",
        to_time=limit.to_time.strftime("%H:%M") if limit.to_time else "",
        valid_from=limit.valid_from.isoformat() if limit.valid_from else "",
        valid_to=limit.valid_to.isoformat() if limit.valid_to else "",
        weekdays=tuple(sorted(limit.weekdays)),
    )

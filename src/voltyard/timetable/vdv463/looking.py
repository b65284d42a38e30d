"""Depots as a presystem is told of them: from what is live, planned and asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from voltyard.chargers.model import Evse, EvseStatus, Station, StationState
from voltyard.clock import Clock
from voltyard.fleets.model import Vehicle
from voltyard.sessions.live import EvseLive
from voltyard.sites.model import Site
from voltyard.timetable.vdv463.desk import RequestDesk, acting
from voltyard.timetable.vdv463.faults import point_fault, station_fault
from voltyard.timetable.vdv463.model import Kept, Presystem, State
from voltyard.timetable.vdv463.picture import (
    NOTHING_TOLD,
    Depot,
    Picture,
    Point,
    PointStatus,
    Process,
    ProcessStatus,
    Rejected,
    StationPicture,
    StationStatus,
    VehiclePicture,
    VehicleReport,
    Wish,
)
from voltyard.timetable.vdv463.ports import Board, Chargers, Places, Plans, Sessions, Vehicles
from voltyard.timetable.vdv463.prediction import Outlook, predicted
from voltyard.timetable.vdv463.resolving import Spot, VehicleIndex, Yard, name_of, plain

_POINTS = {
    EvseStatus.AVAILABLE: PointStatus.AVAILABLE,
    EvseStatus.RESERVED: PointStatus.RESERVED,
    EvseStatus.UNAVAILABLE: PointStatus.UNAVAILABLE,
    EvseStatus.UNKNOWN: PointStatus.UNAVAILABLE,
    EvseStatus.FAULTED: PointStatus.FAULTED,
}
_PROCESSES = {
    EvseStatus.CHARGING: ProcessStatus.CHARGING,
    EvseStatus.SUSPENDED_EV: ProcessStatus.SUSPENDED_EV,
    EvseStatus.SUSPENDED_EVSE: ProcessStatus.SUSPENDED_EVSE,
    EvseStatus.FINISHING: ProcessStatus.FINISHING,
    EvseStatus.FAULTED: ProcessStatus.REJECTED,
}
_BY_STATE = {
    "charging": ProcessStatus.CHARGING,
    "suspended_ev": ProcessStatus.SUSPENDED_EV,
    "suspended_evse": ProcessStatus.SUSPENDED_EVSE,
}
_WAITING = (ProcessStatus.PREPARING, ProcessStatus.SUSPENDED_EVSE)
_NONE_GRANTED_W = 1.0


@dataclass(frozen=True, slots=True)
class _Look:
    """What one picture is drawn from. ``names``: how the presystem itself calls vehicles;
    ``evses``: what it is told of."""

    presystem: Presystem
    presystem_id: str
    now: datetime
    vehicles: Mapping[UUID, Vehicle]
    names: Mapping[UUID, str]
    waiting: Mapping[str, Sequence[Kept]]
    evses: Mapping[UUID, Evse]


class Looker:
    """Reads; changes nothing. All but sites and vehicles is in memory."""

    def __init__(
        self,
        clock: Clock,
        desk: RequestDesk,
        *,
        places: Places,
        vehicles: Vehicles,
        chargers: Chargers,
        board: Board,
        sessions: Sessions,
        plans: Plans,
    ) -> None:
        self._clock = clock
        self._desk = desk
        self._places = places
        self._vehicles = vehicles
        self._chargers = chargers
        self._board = board
        self._sessions = sessions
        self._plans = plans

    async def sites(self, presystem: Presystem) -> list[Site]:
        """Those it is told of: of a fleet operator those it is admitted to."""
        found = await self._places.charging_sites(acting(presystem))
        return [site for site in found if not presystem.site_ids or site.id in presystem.site_ids]

    async def picture(
        self, presystem: Presystem, presystem_id: str
    ) -> tuple[Picture, dict[str, Spot]]:
        """All depots now, and what each published point is."""
        now = self._clock.now()
        sites = await self.sites(presystem)
        rows = [row for row in self._desk.rows(presystem) if row.presystem_id == presystem_id]
        evses = await self._evses(presystem, sites)
        points = self._points(sites, evses)
        vehicles = {one.id: one for one in await self._vehicles.all(presystem.org_id)}
        served = {one.duty_id for one in self._sessions.open_sessions()}
        waiting: dict[str, list[Kept]] = {}
        for row in rows:
            if row.state is State.STANDING and row.duty_id not in served:
                waiting.setdefault(_where(row, points), []).append(row)
        names = {
            row.vehicle_id: row.request.vehicle
            for row in rows
            if row.vehicle_id is not None and row.request is not None
        }
        look = _Look(presystem, presystem_id, now, vehicles, names, waiting, evses)
        depots = tuple(self._depot(site, look) for site in sites)
        rejected = tuple(
            Rejected(presystem_id, row.request_id, row.reason) for row in rows if row.reason
        )
        return Picture(now, depots, rejected), points

    async def yard(self, presystem: Presystem, points: Mapping[str, Spot]) -> Yard:
        """What its requests are read against now."""
        sites = await self.sites(presystem)
        ids = frozenset(site.id for site in sites)
        default = presystem.default_site_id if presystem.default_site_id in ids else None
        if default is None and len(sites) == 1:
            default = sites[0].id
        standing = {
            session.vehicle_id: (session.site_id, session.started_at)
            for session in self._sessions.open_sessions()
            if session.vehicle_id is not None and session.site_id is not None
        }
        every = await self._vehicles.all(presystem.org_id)
        vehicles = [one for one in every if one.org_id == presystem.org_id]
        index = VehicleIndex(vehicles)
        return Yard(self._clock.now(), index, points, ids, default, standing)

    async def _evses(self, presystem: Presystem, sites: Sequence[Site]) -> dict[UUID, Evse]:
        """Outlets at which its vehicles may charge."""
        who = acting(presystem)
        reached = {site.id: await self._places.bays_reached(who, site) for site in sites}
        return {
            evse.id: evse
            for evse in self._chargers.evses()
            if evse.site_id in reached and reached[evse.site_id](evse.bay_id)
        }

    def _points(self, sites: Sequence[Site], evses: Mapping[UUID, Evse]) -> dict[str, Spot]:
        points = {f"{site.id}/0/0": Spot(site.id) for site in sites}
        for evse in evses.values():
            station = self._chargers.station(evse.station_id)
            if station is not None and evse.site_id is not None and _shown(station):
                points[_point_id(station, evse.number)] = Spot(evse.site_id, evse.bay_id)
        return points

    def _depot(self, site: Site, look: _Look) -> Depot:
        lives: dict[UUID, list[EvseLive]] = {}
        for live in self._board.site(site.id):
            if live.evse_id in look.evses:
                lives.setdefault(live.station_id, []).append(live)
        outlook = self._plans.outlook(site.id)
        stations = [
            station
            for station in self._chargers.all_stations()
            if station.site_id == site.id
            and _shown(station)
            and (station.id in lives or site.org_id == look.presystem.org_id)
        ]
        found = [
            self._station(station, lives.get(station.id, []), outlook, look)
            for station in sorted(stations, key=lambda station: station.identity)
        ]
        return Depot(str(site.id), site.name, (*found, self._stand_in(site, outlook, look)))

    def _stand_in(self, site: Site, outlook: Outlook, look: _Look) -> StationPicture:
        """Where requests without a charging point are told of; nobody can charge there."""
        point_id = f"{site.id}/0/0"
        rows = look.waiting.get(point_id, ())
        scheduled = tuple(_wish(row, look, outlook) for row in rows)
        point = Point(point_id, PointStatus.UNAVAILABLE, scheduled=scheduled)
        return StationPicture(f"{site.id}/0", StationStatus.UNAVAILABLE, (point,))

    def _station(
        self,
        station: Station,
        lives: Sequence[EvseLive],
        outlook: Outlook,
        look: _Look,
    ) -> StationPicture:
        ordered = sorted(lives, key=lambda live: live.number)
        points = tuple(self._point(station, live, outlook, look) for live in ordered)
        powers = [point.power_w for point in points if point.power_w is not None]
        status = StationStatus.AVAILABLE
        if not station.connected:
            status = StationStatus.UNAVAILABLE
        elif ordered and all(live.status is EvseStatus.FAULTED for live in ordered):
            status = StationStatus.FAULTED
        fault = station_fault(station, ordered, look.now)
        return StationPicture(
            station.identity, status, points, fault, sum(powers) if powers else None
        )

    def _point(
        self,
        station: Station,
        live: EvseLive,
        outlook: Outlook,
        look: _Look,
    ) -> Point:
        evse = look.evses.get(live.evse_id)
        point_id = _point_id(station, live.number)
        status = _POINTS.get(live.status, PointStatus.OCCUPIED)
        running = live.session is not None and live.session.open
        if running and status is not PointStatus.FAULTED:
            status = PointStatus.OCCUPIED
        if not live.online or (evse is not None and not evse.operative and not running):
            status = PointStatus.UNAVAILABLE
        granted = (outlook.limit_w or {}).get(live.evse_id)
        made = Point(
            id=point_id,
            status=status,
            power_w=live.power_w,
            limit_w=granted,
            fault=point_fault(live, look.now),
            scheduled=tuple(_wish(row, look, outlook) for row in look.waiting.get(point_id, ())),
        )
        return self._occupied(made, live, outlook, look)

    def _occupied(self, point: Point, live: EvseLive, outlook: Outlook, look: _Look) -> Point:
        """With who charges there; of vehicles of others only that somebody does."""
        session = live.session
        if session is None or not session.open:
            return point
        vehicle = look.vehicles.get(session.vehicle_id) if session.vehicle_id else None
        if vehicle is None and session.org_id != look.presystem.org_id:
            return replace(point, power_w=None, limit_w=None)
        status = _process_status(live, outlook)
        row = self._desk.of_duty(session.duty_id)
        process = Process(
            process=str(session.id),
            status=status,
            start_at=session.started_at,
            power_w=live.power_w or 0.0,
            energy_wh=live.energy_wh,
            wish=None if row is None else _wish(row, look, outlook, str(session.id)),
            soc_pct=live.soc_pct,
        )
        seen = None
        if vehicle is not None:
            seen = VehiclePicture(
                vehicle=look.names.get(vehicle.id) or name_of(vehicle, look.presystem.vehicle_key),
                soc_pct=live.soc_pct,
                charging=status is ProcessStatus.CHARGING,
                faulted=status is ProcessStatus.REJECTED,
                report=self._report(live, look, vehicle),
            )
        return replace(point, process=process, vehicle=seen)

    def _report(self, live: EvseLive, look: _Look, vehicle: Vehicle) -> VehicleReport:
        told = None
        if self._desk.preconditioner is not None:
            told = self._desk.preconditioner.report(look.presystem.org_id, vehicle.id)
        told = told or NOTHING_TOLD
        session = live.session
        if told.evcc_id is None and session is not None and session.id_token_kind in _BY_MAC:
            told = replace(told, evcc_id=session.id_token)
        return told


_BY_MAC = ("mac", "vid")


def _shown(station: Station) -> bool:
    return station.state is StationState.APPROVED


def _point_id(station: Station, number: int) -> str:
    return f"{station.identity}/{number}"


def _where(row: Kept, points: Mapping[str, Spot]) -> str:
    """The point asked for, if it is still there."""
    asked = plain(row.request.point) if row.request is not None else ""
    return asked if asked in points else f"{row.site_id}/0/0"


def _wish(row: Kept, look: _Look, outlook: Outlook, process: str = "") -> Wish:
    request = row.request
    assert request is not None
    assert row.duty_id is not None
    low_pct, high_pct = sorted((request.min_soc_pct, request.max_soc_pct))
    departure_at = row.departure_at or look.now
    return Wish(
        presystem_id=row.presystem_id,
        request_id=row.request_id,
        vehicle=request.vehicle,
        min_soc_pct=low_pct,
        max_soc_pct=high_pct,
        departure_at=departure_at,
        prediction=predicted(outlook, row.duty_id, look.now, departure_at, low_pct, high_pct),
        process=process,
    )


def _process_status(live: EvseLive, outlook: Outlook) -> ProcessStatus:
    """The charger's word; who waits because nothing is granted is in the queue."""
    status = _PROCESSES.get(live.status) or _BY_STATE.get(live.charging_state or "")
    status = status or ProcessStatus.PREPARING
    granted_w = (outlook.granted_w or {}).get(live.evse_id)
    if status in _WAITING and granted_w is not None and granted_w < _NONE_GRANTED_W:
        return ProcessStatus.QUEUED
    return status

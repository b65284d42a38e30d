"""Duties from a SpiceEV scenario (JSON): the stays at one of its grid connectors.

A SpiceEV file tells arrivals with the state of charge lost on the way (``soc_delta``) and a
desired state for the departure. What a vehicle arrives with follows from its whole way: each stop
before charged it at its station's power for as long as it stood there; at a stop with a
``desired_soc`` it is taken to have left with no more than that. Vehicles are known by name.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from voltyard.fleets.model import Vehicle
from voltyard.ids import new_id
from voltyard.sites.model import Site
from voltyard.tabular import Fault
from voltyard.timetable.importing import ImportReport
from voltyard.timetable.model import Duty, problems

SOURCE = "spice_ev"
_STEP_S = 60.0

Share = Annotated[float, msgspec.Meta(ge=-0.001, le=1.001)]


class _Update(msgspec.Struct):
    connected_charging_station: str | None = None
    estimated_time_of_departure: datetime | None = None
    soc_delta: float = 0.0
    desired_soc: Share = 1.0


class _Event(msgspec.Struct):
    vehicle_id: str
    event_type: str
    start_time: datetime
    update: _Update


class _Type(msgspec.Struct):
    capacity: Annotated[float, msgspec.Meta(gt=0)]
    charging_curve: list[tuple[float, float]]


class _VehicleRow(msgspec.Struct):
    vehicle_type: str
    soc: Share = 1.0


class _Station(msgspec.Struct):
    parent: str
    max_power: Annotated[float, msgspec.Meta(gt=0)]


class _Components(msgspec.Struct):
    vehicle_types: dict[str, _Type]
    vehicles: dict[str, _VehicleRow]
    grid_connectors: dict[str, Any]
    charging_stations: dict[str, _Station]


class _Events(msgspec.Struct):
    vehicle_events: list[_Event]


class _Scenario(msgspec.Struct):
    components: _Components
    events: _Events


@dataclass(frozen=True, slots=True)
class _Stop:
    """One stop of a vehicle; ``row`` is the number of its arrival event, from 1."""

    row: int
    vehicle: str
    station: str | None
    arrival_at: datetime
    departure_at: datetime
    soc_delta: float
    desired_soc: float


def read_duties(
    content: bytes, site: Site, vehicles: Mapping[str, Vehicle], *, connector: str = ""
) -> ImportReport:
    """The stays at ``connector`` (default: the one of the site's name); ``vehicles`` by
    case-folded name. Never raises for what a file holds; rows count vehicle events from 1.
    """
    try:
        scenario = msgspec.json.decode(content, type=_Scenario)
    except msgspec.DecodeError as error:
        return _refused(f"this is no SpiceEV scenario: {error}")
    wanted = _connector(scenario, connector or site.name)
    if wanted is None:
        known = ", ".join(sorted(_with_stays(scenario)))
        return _refused(f"there is no grid connector “{connector or site.name}”; known are {known}")
    faults = list(_broken(scenario))
    if faults:
        return ImportReport((), tuple(faults), len(scenario.events.vehicle_events))
    return _stays(scenario, wanted, site, vehicles)


def _refused(reason: str) -> ImportReport:
    return ImportReport((), (Fault(0, "", reason),), 0, source=SOURCE)


def _connector(scenario: _Scenario, name: str) -> str | None:
    return next(
        (c for c in scenario.components.grid_connectors if c.casefold() == name.casefold()), None
    )


def _with_stays(scenario: _Scenario) -> set[str]:
    return {station.parent for station in scenario.components.charging_stations.values()}


def _broken(scenario: _Scenario) -> Iterable[Fault]:
    """References that lead nowhere, events that cannot be."""
    parts = scenario.components
    for name, vehicle in parts.vehicles.items():
        if vehicle.vehicle_type not in parts.vehicle_types:
            yield Fault(0, "vehicle_type", "there is no such vehicle type", name)
    for row, event in enumerate(scenario.events.vehicle_events, start=1):
        if event.vehicle_id not in parts.vehicles:
            yield Fault(row, "vehicle_id", "there is no such vehicle", event.vehicle_id)
        if event.event_type not in ("arrival", "departure"):
            yield Fault(row, "event_type", "must be arrival or departure", event.event_type)
        if event.start_time.tzinfo is None:
            yield Fault(row, "start_time", "needs a UTC offset")
        station = event.update.connected_charging_station
        if station is not None and station not in parts.charging_stations:
            yield Fault(row, "connected_charging_station", "there is no such station", station)


def _stays(
    scenario: _Scenario, connector: str, site: Site, vehicles: Mapping[str, Vehicle]
) -> ImportReport:
    parts = scenario.components
    duties: list[Duty] = []
    lines: list[int] = []
    faults: list[Fault] = []
    warnings = list(_curve_warnings(parts))
    unknown: set[str] = set()
    for name, stops in _stops(scenario.events.vehicle_events).items():
        kind = parts.vehicle_types[parts.vehicles[name].vehicle_type]
        soc = parts.vehicles[name].soc
        for stop in stops:
            soc = max(0.0, soc + stop.soc_delta)
            station = parts.charging_stations.get(stop.station or "")
            here = station is not None and station.parent == connector
            if here and stop.departure_at > stop.arrival_at:
                vehicle = vehicles.get(name.casefold())
                if vehicle is None and name not in unknown:
                    unknown.add(name)
                    reason = "there is no vehicle of this name"
                    faults.append(Fault(stop.row, "vehicle_id", reason, name))
                if vehicle is not None:
                    duty = _duty(stop, soc, site, vehicle)
                    faults += [Fault(stop.row, f, why) for f, why in problems(duty).items()]
                    duties.append(duty)
                    lines.append(stop.row)
            if station is not None:
                soc = _charged(soc, stop, station.max_power, kind)
    return ImportReport(
        tuple(duties),
        tuple(sorted(faults, key=lambda fault: fault.row)),
        len(scenario.events.vehicle_events),
        warnings=tuple(warnings),
        lines=tuple(lines),
        source=SOURCE,
    )


def _stops(events: Iterable[_Event]) -> dict[str, list[_Stop]]:
    """Each vehicle's stops by time; a departure event ends the stop before it."""
    numbered = sorted(enumerate(events, start=1), key=lambda item: (item[1].start_time, item[0]))
    found: dict[str, list[_Stop]] = {}
    open_stops: dict[str, tuple[int, _Event]] = {}
    for row, event in numbered:
        begun = open_stops.pop(event.vehicle_id, None)
        if begun is not None:
            found[event.vehicle_id].append(_stop(*begun, event.start_time))
        if event.event_type == "arrival":
            found.setdefault(event.vehicle_id, [])
            open_stops[event.vehicle_id] = (row, event)
    for name, (row, event) in open_stops.items():
        announced = event.update.estimated_time_of_departure or event.start_time
        found[name].append(_stop(row, event, max(announced, event.start_time)))
    return found


def _stop(row: int, event: _Event, departure_at: datetime) -> _Stop:
    return _Stop(
        row,
        event.vehicle_id,
        event.update.connected_charging_station,
        event.start_time.astimezone(UTC),
        departure_at.astimezone(UTC),
        event.update.soc_delta,
        min(1.0, max(0.0, event.update.desired_soc)),
    )


def _duty(stop: _Stop, soc: float, site: Site, vehicle: Vehicle) -> Duty:
    return Duty(
        id=new_id(),
        org_id=site.org_id,
        site_id=site.id,
        external_id=f"{stop.vehicle}/{stop.arrival_at.isoformat()}",
        arrival_at=stop.arrival_at,
        departure_at=stop.departure_at,
        vehicle_id=vehicle.id,
        soc_arrival_pct=round(100.0 * soc, 3),
        target_soc_pct=round(100.0 * stop.desired_soc, 3),
        source=SOURCE,
    )


def _charged(soc: float, stop: _Stop, station_kw: float, kind: _Type) -> float:
    """State of charge after the stop, at the full power of station and vehicle."""
    curve, arrived = sound_curve(kind.charging_curve), soc
    left_s = (stop.departure_at - stop.arrival_at).total_seconds()
    while left_s > 0 and soc < stop.desired_soc:
        step_s = min(_STEP_S, left_s)
        power_kw = min(station_kw, power_at(curve, soc))
        if power_kw <= 0:
            break
        soc += power_kw * step_s / 3600.0 / kind.capacity
        left_s -= step_s
    return max(arrived, min(soc, stop.desired_soc))


def sound_curve(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """(SoC, kW) by SoC. A last point far above the one before it (a typo: 1900 for 190) is cut
    to it, because charging power does not rise towards a full battery."""
    ordered = sorted(points)
    for index in range(1, len(ordered)):
        before, (soc, power_kw) = ordered[index - 1], ordered[index]
        if soc >= 0.8 and power_kw > before[1]:
            ordered[index] = (soc, before[1])
    return ordered


def power_at(curve: list[tuple[float, float]], soc: float) -> float:
    """Power between two points of the curve; flat outside."""
    if not curve:
        return 0.0
    if soc <= curve[0][0]:
        return curve[0][1]
    for (low, low_kw), (high, high_kw) in itertools.pairwise(curve):
        if soc <= high:
            share = 0.0 if high == low else (soc - low) / (high - low)
            return low_kw + share * (high_kw - low_kw)
    return curve[-1][1]


def _curve_warnings(parts: _Components) -> Iterable[Fault]:
    for name, kind in parts.vehicle_types.items():
        if sound_curve(kind.charging_curve) != sorted(kind.charging_curve):
            reason = "the charging curve rises towards a full battery and was cut"
            yield Fault(0, "charging_curve", reason, name)

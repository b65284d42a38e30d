"""Reading a SpiceEV scenario (JSON) as depots to simulate.

Taken over: vehicle types, vehicles, grid connectors with their power, charging stations, and the
vehicle events. Instants keep the offsets of the file. A vehicle's battery goes through the whole
file: trips use what ``soc_delta`` says, and stops at grid connectors that are not simulated (by
default all but the depots, whose stations end in ``_deps``) charge it at the station's full power
for as long as it stands there. Batteries are lossless: the file names no efficiency. Left out are
stationary batteries, the building's load (another file), prices, and the number of intervals,
which covers less than the events do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from voltyard.errors import Invalid
from voltyard.simulator.depot import (
    DepotSpec,
    Leg,
    StaySpec,
    VehicleSpec,
    slug,
    stable_id,
    used_by,
)
from voltyard.simulator.evse import EvseSpec, StationSpec, Token
from voltyard.simulator.vehicle import Battery, BatterySpec
from voltyard.sites.model import Node, NodeKind, NodeLimit

_DEPOT_SUFFIX = "_deps"
_WATTS_A_KILOWATT = 1000.0
_ABSURD = 3.0
_MARGIN = timedelta(hours=1)


def spice_ev(path: Path | str, *, terminals: bool = False) -> list[DepotSpec]:
    """One depot for each grid connector that has depot stations, or (``terminals``) for all.

    Raises ``Invalid`` whose ``fields`` name the place in the file, such as
    ``$.components.vehicles.bus_1.soc``.
    """
    try:
        root = msgspec.json.decode(Path(path).read_bytes())
    except OSError as error:
        raise Invalid(f"cannot read {path}", detail=str(error)) from error
    except msgspec.DecodeError as error:
        raise _wrong("$", f"is not JSON: {error}") from error
    return _Reader(root, terminals=terminals).depots()


@dataclass(frozen=True, slots=True)
class _Connector:
    name: str
    power_w: float
    simulated: bool


@dataclass(frozen=True, slots=True)
class _Station:
    name: str
    connector: str
    max_power_w: float
    min_power_w: float


@dataclass(slots=True)
class _Journey:
    """A vehicle on its way through the events."""

    spec: VehicleSpec
    battery: Battery
    legs: list[Leg]
    arrived: "_Arrival | None" = None


@dataclass(frozen=True, slots=True)
class _Arrival:
    at: datetime
    departs_at: datetime
    station: _Station | None
    consumed_pct: float
    target_pct: float


class _Reader:
    def __init__(self, root: Any, *, terminals: bool) -> None:
        components = _object(_get(root, "components", "$"), "$.components")
        self._types = _table(components, "vehicle_types", "$.components")
        self._stations = {
            name: self._station(name, row)
            for name, row in _table(components, "charging_stations", "$.components").items()
        }
        depots = {s.connector for s in self._stations.values() if s.name.endswith(_DEPOT_SUFFIX)}
        self._connectors = {
            name: _Connector(
                name,
                _number(row, "max_power", f"$.components.grid_connectors.{name}", least=0.001)
                * _WATTS_A_KILOWATT,
                terminals or name in depots,
            )
            for name, row in _table(components, "grid_connectors", "$.components").items()
        }
        self._check_parents()
        self._journeys = {
            name: self._journey(name, row)
            for name, row in _table(components, "vehicles", "$.components").items()
        }
        events = _object(_get(root, "events", "$"), "$.events")
        self._events = _get(events, "vehicle_events", "$.events")
        if not isinstance(self._events, list):
            raise _wrong("$.events.vehicle_events", "must be a list")
        self._stays: dict[str, list[StaySpec]] = {name: [] for name in self._connectors}
        self._offset = timedelta(0)

    def depots(self) -> list[DepotSpec]:
        ordered = sorted(enumerate(self._events), key=self._instant_of)
        for index, event in ordered:
            self._event(f"$.events.vehicle_events[{index}]", event)
        for journey in self._journeys.values():
            self._leave(journey, None)
        return [
            self._depot(connector) for connector in self._connectors.values() if connector.simulated
        ]

    # Events.

    def _instant_of(self, item: tuple[int, Any]) -> datetime:
        path = f"$.events.vehicle_events[{item[0]}]"
        return _instant(_object(item[1], path), "start_time", path)

    def _event(self, path: str, event: Mapping[str, Any]) -> None:
        name = _get(event, "vehicle_id", path)
        journey = self._journeys.get(name)
        if journey is None:
            raise _wrong(f"{path}.vehicle_id", f"there is no vehicle {name!r}")
        kind, at = _get(event, "event_type", path), _instant(event, "start_time", path)
        if kind == "departure":
            self._leave(journey, at)
        elif kind == "arrival":
            self._leave(journey, at)
            update = _object(_get(event, "update", path), f"{path}.update")
            journey.arrived = self._arrival(f"{path}.update", at, update)
        else:
            raise _wrong(f"{path}.event_type", "must be arrival or departure")

    def _arrival(self, path: str, at: datetime, update: Mapping[str, Any]) -> _Arrival:
        name = update.get("connected_charging_station")
        if name is not None and name not in self._stations:
            raise _wrong(f"{path}.connected_charging_station", f"there is no station {name!r}")
        departs_at = at
        if update.get("estimated_time_of_departure") is not None:
            departs_at = _instant(update, "estimated_time_of_departure", path)
        if departs_at < at:
            raise _wrong(f"{path}.estimated_time_of_departure", "is before the arrival")
        return _Arrival(
            at,
            departs_at,
            None if name is None else self._stations[name],
            -100.0 * _number(update, "soc_delta", path, least=-1.0, most=0.0),
            100.0 * _number(update, "desired_soc", path, least=0.0, most=1.0),
        )

    def _leave(self, journey: _Journey, at: datetime | None) -> None:
        """Close the open stop: at the instant of departure, or as announced when none follows."""
        stop, journey.arrived = journey.arrived, None
        if stop is None:
            return
        departure = stop.departs_at if at is None else at
        station = stop.station
        seconds = (departure - stop.at).total_seconds()
        power_w = 0.0 if station is None else station.max_power_w
        leg = Leg(stop.consumed_pct, seconds if station is not None else 0.0, power_w)
        journey.battery.consume(stop.consumed_pct)
        soc_pct = journey.battery.soc_pct
        if station is not None:
            journey.battery.charge_for(seconds, station.max_power_w)
        if station is None or not self._connectors[station.connector].simulated or seconds <= 0:
            journey.legs.append(leg)
            return
        approach = (*journey.legs, Leg(stop.consumed_pct))
        journey.legs.clear()
        self._stays[station.connector].append(
            self._stay(journey.spec, station, stop, departure, soc_pct, approach)
        )

    def _stay(
        self,
        vehicle: VehicleSpec,
        station: _Station,
        stop: _Arrival,
        departure: datetime,
        soc_pct: float,
        approach: tuple[Leg, ...],
    ) -> StaySpec:
        key = f"{vehicle.name}/{stop.at.astimezone(UTC).isoformat()}"
        self._offset = stop.at.utcoffset() or timedelta(0)
        return StaySpec(
            id=stable_id("spice", station.connector, key),
            external_id=key,
            vehicle=vehicle.name,
            station=slug(station.name),
            evse=1,
            planned_arrival_at=stop.at.astimezone(UTC),
            planned_departure_at=departure.astimezone(UTC),
            arrival_at=stop.at.astimezone(UTC),
            departure_at=departure.astimezone(UTC),
            arrival_soc_pct=soc_pct,
            target_soc_pct=stop.target_pct,
            planned_soc_pct=soc_pct,
            approach=approach,
        )

    # Components.

    def _station(self, name: str, row: Any) -> _Station:
        path = f"$.components.charging_stations.{name}"
        fields = _object(row, path)
        return _Station(
            name,
            str(_get(fields, "parent", path)),
            _number(fields, "max_power", path, least=0.001) * _WATTS_A_KILOWATT,
            _number(fields, "min_power", path, least=0.0, default=0.0) * _WATTS_A_KILOWATT,
        )

    def _check_parents(self) -> None:
        for station in self._stations.values():
            if station.connector not in self._connectors:
                path = f"$.components.charging_stations.{station.name}.parent"
                raise _wrong(path, f"there is no grid connector {station.connector!r}")

    def _journey(self, name: str, row: Any) -> _Journey:
        path = f"$.components.vehicles.{name}"
        fields = _object(row, path)
        kind = _get(fields, "vehicle_type", path)
        if kind not in self._types:
            raise _wrong(f"{path}.vehicle_type", f"there is no vehicle type {kind!r}")
        battery = self._battery(str(kind))
        soc_pct = 100.0 * _number(fields, "soc", path, least=0.0, most=1.0)
        token = Token(f"{stable_id('spice', name).int % 2**48:012X}", "MacAddress", autocharge=True)
        spec = VehicleSpec(stable_id("spice", name), name, str(kind), battery, token)
        return _Journey(spec, Battery(battery, soc_pct), [])

    def _battery(self, kind: str) -> BatterySpec:
        path = f"$.components.vehicle_types.{kind}"
        fields = _object(self._types[kind], path)
        curve = _curve(_get(fields, "charging_curve", path), f"{path}.charging_curve")
        return BatterySpec(
            capacity_wh=_number(fields, "capacity", path, least=0.001) * _WATTS_A_KILOWATT,
            max_power_w=max(power_w for _, power_w in curve),
            curve=curve,
            min_power_w=_number(fields, "min_charging_power", path, least=0.0, default=0.0)
            * _WATTS_A_KILOWATT,
        )

    # Depots.

    def _depot(self, connector: _Connector) -> DepotSpec:
        stays = sorted(
            self._stays[connector.name], key=lambda stay: (stay.arrival_at, stay.vehicle)
        )
        if not stays:
            raise _wrong("$.events.vehicle_events", f"nobody ever comes to {connector.name!r}")
        stations = [s for s in self._stations.values() if s.connector == connector.name]
        vehicles = used_by(stays, [journey.spec for journey in self._journeys.values()])
        return DepotSpec(
            name=connector.name,
            timezone=_zone_name(self._offset),
            start_at=min(stay.arrival_at for stay in stays) - _MARGIN,
            end_at=max(stay.departure_at for stay in stays) + _MARGIN,
            nodes=_nodes(connector, stations),
            stations=tuple(_station_spec(station) for station in stations),
            vehicles=vehicles,
            stays=tuple(stays),
        )


def _nodes(connector: _Connector, stations: Sequence[_Station]) -> tuple[Node, ...]:
    root_id = stable_id("spice", connector.name)
    grid = Node(
        root_id, NodeKind.GRID, connector.name, None, (NodeLimit(power_w=connector.power_w),)
    )
    leaves = [
        Node(
            stable_id("spice", station.name, "leaf"),
            NodeKind.EVSE,
            station.name,
            root_id,
            (NodeLimit(power_w=station.max_power_w),),
            stable_id("spice", station.name),
        )
        for station in stations
    ]
    return (grid, *leaves)


def _station_spec(station: _Station) -> StationSpec:
    evse = EvseSpec(
        id=stable_id("spice", station.name),
        number=1,
        max_power_w=station.max_power_w,
        min_power_w=station.min_power_w,
    )
    odd = stable_id("spice", station.name).int % 2 == 1
    return StationSpec(
        identity=slug(station.name),
        protocol="ocpp2.0.1" if odd else "ocpp1.6",
        evses=(evse,),
        max_power_w=station.max_power_w,
        model="Depot 100",
        password=stable_id("password", station.name).hex,
    )


def _curve(rows: Any, path: str) -> tuple[tuple[float, float], ...]:
    """(SoC %, W) points. A power far beyond the others is a slip of the pen and cut to them."""
    if not isinstance(rows, list) or not rows:
        raise _wrong(path, "must be a list of [SoC, kW] points")
    points: list[tuple[float, float]] = []
    for index, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != 2:
            raise _wrong(f"{path}[{index}]", "must be [SoC, kW]")
        soc = _value(row[0], f"{path}[{index}][0]", least=0.0, most=1.0)
        points.append((soc * 100.0, _value(row[1], f"{path}[{index}][1]", least=0.0) * 1000.0))
    usual_w = median(power_w for _, power_w in points)
    if usual_w <= 0:
        raise _wrong(path, "has no power")
    return tuple((soc, usual_w if w > _ABSURD * usual_w else w) for soc, w in points)


def _zone_name(offset: timedelta) -> str:
    """The fixed zone of the file's offset; whole hours have a name in the zone database."""
    hours, rest = divmod(offset, timedelta(hours=1))
    if rest or not -12 <= hours <= 14:
        return "UTC"
    return "UTC" if hours == 0 else f"Etc/GMT{-hours:+d}"


# Fields of the file.


def _wrong(path: str, reason: str) -> Invalid:
    return Invalid(
        f"the SpiceEV scenario is not valid: {path} {reason}",
        code="scenario_invalid",
        fields={path: reason},
    )


def _object(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(path, "must be an object")
    return value


def _get(fields: Any, key: str, path: str) -> Any:
    found = _object(fields, path)
    if key not in found:
        raise _wrong(f"{path}.{key}", "is missing")
    return found[key]


def _table(fields: Mapping[str, Any], key: str, path: str) -> Mapping[str, Any]:
    table = _object(_get(fields, key, path), f"{path}.{key}")
    if not table:
        raise _wrong(f"{path}.{key}", "is empty")
    return table


def _number(
    fields: Any,
    key: str,
    path: str,
    *,
    least: float,
    most: float = float("inf"),
    default: float | None = None,
) -> float:
    if default is not None and _object(fields, path).get(key) is None:
        return default
    return _value(_get(fields, key, path), f"{path}.{key}", least=least, most=most)


def _value(value: Any, path: str, *, least: float, most: float = float("inf")) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(path, "must be a number")
    if not least <= value <= most:
        raise _wrong(path, f"must be between {least:g} and {most:g}")
    return float(value)


def _instant(fields: Mapping[str, Any], key: str, path: str) -> datetime:
    text = _get(fields, key, path)
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise _wrong(f"{path}.{key}", "must be an ISO 8601 instant") from None
    if at.tzinfo is None:
        raise _wrong(f"{path}.{key}", "needs a UTC offset")
    return at

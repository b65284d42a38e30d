"""SpiceEV scenario files (JSON): read and checked in one place, for imports and for simulations.

Taken over: vehicle types, vehicles, grid connectors with their power, charging stations, and the
vehicle events, as the stops of each vehicle. Instants keep the offsets of the file. Left out are
stationary batteries, the building's load (another file), prices, and the number of intervals,
which covers less than the events do.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from voltyard.errors import Invalid
from voltyard.timetable.model import YEARS

_WATTS_A_KILOWATT = 1000.0
_FULL = 0.8
_SLACK = 0.001

CurvePoint = tuple[float, float]


@dataclass(frozen=True, slots=True)
class VehicleType:
    """``curve`` is (SoC in %, W) by SoC, already sound; ``cut`` tells that a slip was cut off."""

    name: str
    capacity_wh: float
    curve: tuple[CurvePoint, ...]
    cut: bool
    min_power_w: float


@dataclass(frozen=True, slots=True)
class ScenarioVehicle:
    name: str
    kind: VehicleType
    soc_pct: float


@dataclass(frozen=True, slots=True)
class ScenarioStation:
    name: str
    connector: str
    max_power_w: float
    min_power_w: float


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop of a vehicle, wherever it is. ``row`` counts events from 1: that of the arrival.

    Without a station it stands somewhere without charging. ``consumed_pct`` was used on the way.
    """

    row: int
    vehicle: str
    station: ScenarioStation | None
    arrival_at: datetime
    departure_at: datetime
    consumed_pct: float
    desired_soc_pct: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """``connectors`` have their power in W; ``stops`` are by vehicle and by time."""

    vehicles: Mapping[str, ScenarioVehicle]
    stations: Mapping[str, ScenarioStation]
    connectors: Mapping[str, float]
    stops: Mapping[str, Sequence[Stop]]
    events: int


@dataclass(frozen=True, slots=True)
class Wrong:
    """``path`` is the place in the file; ``row`` the event from 1, or 0; ``value`` what it says."""

    path: str
    reason: str
    row: int = 0
    value: str = ""

    @property
    def field(self) -> str:
        """The last name of the path."""
        return self.path.rsplit(".", 1)[-1]


class BadScenario(Invalid):
    """``wrongs`` is never empty; ``fields`` has the same, by path."""

    def __init__(self, wrongs: Sequence[Wrong], events: int = 0) -> None:
        first = wrongs[0]
        super().__init__(
            f"the SpiceEV scenario is not valid: {first.path} {first.reason}",
            code="scenario_invalid",
            fields={wrong.path: wrong.reason for wrong in wrongs},
        )
        self.wrongs = tuple(wrongs)
        self.events = events


def read_scenario(content: bytes) -> Scenario:
    """Raises ``BadScenario``: the first fault of its components, or all of its events."""
    try:
        root = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _wrong("$", f"is not JSON: {error}") from error
    components = _object(_get(root, "components", "$"), "$.components")
    types = {name: _type(name, row) for name, row in _table(components, "vehicle_types").items()}
    connectors = {
        name: _number(row, "max_power", f"$.components.grid_connectors.{name}", least=0.001)
        * _WATTS_A_KILOWATT
        for name, row in _table(components, "grid_connectors").items()
    }
    stations = {
        name: _station(name, row, connectors)
        for name, row in _table(components, "charging_stations").items()
    }
    vehicles = {
        name: _vehicle(name, row, types) for name, row in _table(components, "vehicles").items()
    }
    events = _events(root, vehicles, stations)
    return Scenario(vehicles, stations, connectors, _stops(vehicles, events), len(events))


# Components.


def _type(name: str, row: Any) -> VehicleType:
    path = f"$.components.vehicle_types.{name}"
    points = _curve(_get(row, "charging_curve", path), f"{path}.charging_curve")
    curve = sound_curve(points)
    return VehicleType(
        name,
        _number(row, "capacity", path, least=0.001) * _WATTS_A_KILOWATT,
        curve,
        curve != tuple(sorted(points)),
        _number(row, "min_charging_power", path, least=0.0, default=0.0) * _WATTS_A_KILOWATT,
    )


def _curve(rows: Any, path: str) -> list[CurvePoint]:
    if not isinstance(rows, list) or not rows:
        raise _wrong(path, "must be a list of [SoC, kW] points")
    points: list[CurvePoint] = []
    for index, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != 2:
            raise _wrong(f"{path}[{index}]", "must be [SoC, kW]")
        soc = _value(row[0], f"{path}[{index}][0]", least=0.0, most=1.0)
        power_kw = _value(row[1], f"{path}[{index}][1]", least=0.0)
        points.append((100.0 * soc, power_kw * _WATTS_A_KILOWATT))
    if not any(power_w > 0 for _, power_w in points):
        raise _wrong(path, "has no power")
    return points


def sound_curve(points: Iterable[CurvePoint]) -> tuple[CurvePoint, ...]:
    """(SoC in %, W) by SoC. A point near the end that is above the one before it (a slip: 1900
    for 190) is cut to it, because charging power does not rise towards a full battery."""
    ordered = sorted(points)
    for index in range(1, len(ordered)):
        before, (soc_pct, power_w) = ordered[index - 1], ordered[index]
        if soc_pct >= 100.0 * _FULL and power_w > before[1]:
            ordered[index] = (soc_pct, before[1])
    return tuple(ordered)


def _station(name: str, row: Any, connectors: Mapping[str, float]) -> ScenarioStation:
    path = f"$.components.charging_stations.{name}"
    parent = _get(row, "parent", path)
    if not isinstance(parent, str) or parent not in connectors:
        raise _wrong(f"{path}.parent", f"there is no grid connector {parent!r}")
    return ScenarioStation(
        name,
        parent,
        _number(row, "max_power", path, least=0.001) * _WATTS_A_KILOWATT,
        _number(row, "min_power", path, least=0.0, default=0.0) * _WATTS_A_KILOWATT,
    )


def _vehicle(name: str, row: Any, types: Mapping[str, VehicleType]) -> ScenarioVehicle:
    path = f"$.components.vehicles.{name}"
    kind = _get(row, "vehicle_type", path)
    if not isinstance(kind, str) or kind not in types:
        raise _wrong(f"{path}.vehicle_type", f"there is no vehicle type {kind!r}")
    return ScenarioVehicle(name, types[kind], 100.0 * _share(row, "soc", path))


# Events.


@dataclass(frozen=True, slots=True)
class _Event:
    row: int
    vehicle: str
    at: datetime
    stop: Stop | None


def _events(
    root: Any,
    vehicles: Mapping[str, ScenarioVehicle],
    stations: Mapping[str, ScenarioStation],
) -> list[_Event]:
    rows = _get(_get(root, "events", "$"), "vehicle_events", "$.events")
    if not isinstance(rows, list):
        raise _wrong("$.events.vehicle_events", "must be a list")
    found: list[_Event] = []
    wrongs: list[Wrong] = []
    for row, fields in enumerate(rows, start=1):
        try:
            found.append(_event(row, fields, vehicles, stations))
        except BadScenario as error:
            wrongs += [Wrong(w.path, w.reason, row, w.value) for w in error.wrongs]
    if wrongs:
        raise BadScenario(wrongs, len(rows))
    return sorted(found, key=lambda event: (event.at, event.row))


def _event(
    row: int,
    fields: Any,
    vehicles: Mapping[str, ScenarioVehicle],
    stations: Mapping[str, ScenarioStation],
) -> _Event:
    path = f"$.events.vehicle_events[{row - 1}]"
    name, kind = _get(fields, "vehicle_id", path), _get(fields, "event_type", path)
    if not isinstance(name, str) or name not in vehicles:
        raise _wrong(f"{path}.vehicle_id", "there is no such vehicle", name)
    at = _instant(fields, "start_time", path)
    if kind == "departure":
        return _Event(row, name, at, None)
    if kind != "arrival":
        raise _wrong(f"{path}.event_type", "must be arrival or departure", kind)
    update = _object(_get(fields, "update", path), f"{path}.update")
    return _Event(row, name, at, _arrival(row, name, at, update, f"{path}.update", stations))


def _arrival(
    row: int,
    vehicle: str,
    at: datetime,
    update: Mapping[str, Any],
    path: str,
    stations: Mapping[str, ScenarioStation],
) -> Stop:
    name = update.get("connected_charging_station")
    if name is not None and (not isinstance(name, str) or name not in stations):
        raise _wrong(f"{path}.connected_charging_station", "there is no such station", name)
    departure_at = at
    if update.get("estimated_time_of_departure") is not None:
        departure_at = _instant(update, "estimated_time_of_departure", path)
    if departure_at < at:
        raise _wrong(f"{path}.estimated_time_of_departure", "is before the arrival")
    delta = _number(update, "soc_delta", path, least=-1.0 - _SLACK, most=_SLACK, default=0.0)
    return Stop(
        row,
        vehicle,
        None if name is None else stations[name],
        at,
        departure_at,
        max(0.0, -100.0 * delta),
        100.0 * _share(update, "desired_soc", path, default=1.0),
    )


def _stops(
    vehicles: Mapping[str, ScenarioVehicle], events: Iterable[_Event]
) -> dict[str, list[Stop]]:
    """The next event of a vehicle ends its stop; the last one ends as it was announced."""
    found: dict[str, list[Stop]] = {name: [] for name in vehicles}
    begun: dict[str, Stop] = {}
    for event in events:
        stop = begun.pop(event.vehicle, None)
        if stop is not None:
            found[event.vehicle].append(_ended(stop, event.at))
        if event.stop is not None:
            begun[event.vehicle] = event.stop
    for name, stop in begun.items():
        found[name].append(stop)
    return found


def _ended(stop: Stop, at: datetime) -> Stop:
    return Stop(
        stop.row,
        stop.vehicle,
        stop.station,
        stop.arrival_at,
        at,
        stop.consumed_pct,
        stop.desired_soc_pct,
    )


# Fields.


def _wrong(path: str, reason: str, value: Any = "") -> BadScenario:
    return BadScenario((Wrong(path, reason, value=str(value)),))


def _object(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(path, "must be an object")
    return value


def _get(fields: Any, key: str, path: str) -> Any:
    found = _object(fields, path)
    if key not in found:
        raise _wrong(f"{path}.{key}", "is missing")
    return found[key]


def _table(components: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    path = f"$.components.{key}"
    table = _object(_get(components, key, "$.components"), path)
    if not table:
        raise _wrong(path, "is empty")
    return table


def _share(fields: Any, key: str, path: str, *, default: float | None = None) -> float:
    """0 to 1; a hair beyond, as files have it, is taken as the end."""
    value = _number(fields, key, path, least=-_SLACK, most=1.0 + _SLACK, default=default)
    return min(1.0, max(0.0, value))


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
        raise _wrong(path, "must be a number", value)
    if not least <= value <= most:
        raise _wrong(path, f"must be between {least:g} and {most:g}", value)
    return float(value)


def _instant(fields: Any, key: str, path: str) -> datetime:
    text = _get(fields, key, path)
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise _wrong(f"{path}.{key}", "must be an ISO 8601 instant", text) from None
    if at.tzinfo is None:
        raise _wrong(f"{path}.{key}", "needs a UTC offset", text)
    if not YEARS[0] <= at.year <= YEARS[1]:
        raise _wrong(f"{path}.{key}", f"must be in the years {YEARS[0]} to {YEARS[1]}", text)
    return at

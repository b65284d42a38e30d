"""Depots to simulate, from a SpiceEV scenario.

A vehicle's battery goes through the whole file: trips use what ``soc_delta`` says, and stops at
grid connectors that are not simulated (by default all but the depots, whose stations end in
``_deps``) charge it at the station's full power for as long as it stands there. Batteries are
lossless: the file names no efficiency.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, timedelta
from pathlib import Path

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
from voltyard.timetable.scenario import (
    Scenario,
    ScenarioStation,
    ScenarioVehicle,
    Stop,
    read_scenario,
)

_DEPOT_SUFFIX = "_deps"
_MARGIN = timedelta(hours=1)


def spice_ev(path: Path | str, *, terminals: bool = False) -> list[DepotSpec]:
    """One depot for each grid connector that has depot stations, or (``terminals``) for all.

    Raises ``Invalid`` whose ``fields`` name the place in the file, such as
    ``$.components.vehicles.bus_1.soc``.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise Invalid(f"cannot read {path}", detail=str(error)) from error
    scenario = read_scenario(content)
    depots = [s.connector for s in scenario.stations.values() if s.name.endswith(_DEPOT_SUFFIX)]
    simulated = [name for name in scenario.connectors if terminals or name in depots]
    vehicles = {name: _vehicle(vehicle) for name, vehicle in scenario.vehicles.items()}
    stays = [
        (stop, stay)
        for name, vehicle in vehicles.items()
        for stop, stay in _journey(vehicle, scenario, name, set(simulated))
    ]
    return [_depot(scenario, connector, vehicles.values(), stays) for connector in simulated]


def _vehicle(vehicle: ScenarioVehicle) -> VehicleSpec:
    kind, name = vehicle.kind, vehicle.name
    battery = BatterySpec(
        capacity_wh=kind.capacity_wh,
        max_power_w=max(power_w for _, power_w in kind.curve),
        curve=kind.curve,
        min_power_w=kind.min_power_w,
    )
    token = Token(f"{stable_id('spice', name).int % 2**48:012X}", "MacAddress", autocharge=True)
    return VehicleSpec(stable_id("spice", name), name, kind.name, battery, token)


def _journey(
    vehicle: VehicleSpec, scenario: Scenario, name: str, simulated: set[str]
) -> list[tuple[Stop, StaySpec]]:
    """A vehicle through its stops: the stays to simulate, each with what lies before it."""
    battery = Battery(vehicle.battery, scenario.vehicles[name].soc_pct)
    found: list[tuple[Stop, StaySpec]] = []
    legs: list[Leg] = []
    for stop in scenario.stops[name]:
        station = stop.station
        seconds = (stop.departure_at - stop.arrival_at).total_seconds()
        battery.consume(stop.consumed_pct)
        soc_pct = battery.soc_pct
        if station is None:
            legs.append(Leg(stop.consumed_pct, 0.0, 0.0))
            continue
        battery.charge_for(seconds, station.max_power_w)
        if station.connector not in simulated or seconds <= 0:
            legs.append(Leg(stop.consumed_pct, seconds, station.max_power_w))
            continue
        found.append((stop, _stay(vehicle, station, stop, soc_pct, legs)))
        legs = []
    return found


def _stay(
    vehicle: VehicleSpec,
    station: ScenarioStation,
    stop: Stop,
    soc_pct: float,
    legs: Sequence[Leg],
) -> StaySpec:
    arrival_at, departure_at = stop.arrival_at.astimezone(UTC), stop.departure_at.astimezone(UTC)
    key = f"{vehicle.name}/{arrival_at.isoformat()}"
    return StaySpec(
        id=stable_id("spice", station.connector, key),
        external_id=key,
        vehicle=vehicle.name,
        station=slug(station.name),
        evse=1,
        planned_arrival_at=arrival_at,
        planned_departure_at=departure_at,
        arrival_at=arrival_at,
        departure_at=departure_at,
        arrival_soc_pct=soc_pct,
        target_soc_pct=stop.desired_soc_pct,
        planned_soc_pct=soc_pct,
        approach=(*legs, Leg(stop.consumed_pct)),
    )


def _depot(
    scenario: Scenario,
    connector: str,
    vehicles: Iterable[VehicleSpec],
    found: Sequence[tuple[Stop, StaySpec]],
) -> DepotSpec:
    here = [(stop, stay) for stop, stay in found if _at(stop) == connector]
    stays = sorted((stay for _, stay in here), key=lambda stay: (stay.arrival_at, stay.vehicle))
    if not stays:
        raise Invalid(
            f"the SpiceEV scenario is not valid: nobody ever comes to {connector!r}",
            code="scenario_invalid",
            fields={"$.events.vehicle_events": f"nobody ever comes to {connector!r}"},
        )
    stations = [s for s in scenario.stations.values() if s.connector == connector]
    return DepotSpec(
        name=connector,
        timezone=_zone_name(here[0][0].arrival_at.utcoffset() or timedelta(0)),
        start_at=min(stay.arrival_at for stay in stays) - _MARGIN,
        end_at=max(stay.departure_at for stay in stays) + _MARGIN,
        nodes=_nodes(connector, scenario.connectors[connector], stations),
        stations=tuple(_station_spec(station) for station in stations),
        vehicles=used_by(stays, list(vehicles)),
        stays=tuple(stays),
    )


def _at(stop: Stop) -> str:
    return "" if stop.station is None else stop.station.connector


def _nodes(connector: str, power_w: float, stations: Sequence[ScenarioStation]) -> tuple[Node, ...]:
    root_id = stable_id("spice", connector)
    grid = Node(root_id, NodeKind.GRID, connector, None, (NodeLimit(power_w=power_w),))
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


def _station_spec(station: ScenarioStation) -> StationSpec:
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


def _zone_name(offset: timedelta) -> str:
    """The fixed zone of the file's offset; whole hours have a name in the zone database."""
    hours, rest = divmod(offset, timedelta(hours=1))
    if rest or not -12 <= hours <= 14:
        return "UTC"
    return "UTC" if hours == 0 else f"Etc/GMT{-hours:+d}"

"""Duties from a SpiceEV scenario: the stays at one of its grid connectors.

A SpiceEV file tells arrivals with the state of charge lost on the way (``soc_delta``) and a
desired state for the departure. What a vehicle arrives with follows from its whole way: each stop
before charged it at its station's power for as long as it stood there; at a stop with a
``desired_soc`` it is taken to have left with no more than that. Vehicles are known by name.
"""

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC

from voltyard.fleets.model import Vehicle
from voltyard.ids import new_id
from voltyard.sites.model import Site
from voltyard.tabular import Fault
from voltyard.timetable.importing import ImportReport
from voltyard.timetable.model import Duty, problems
from voltyard.timetable.scenario import (
    BadScenario,
    CurvePoint,
    Scenario,
    Stop,
    VehicleType,
    read_scenario,
)

SOURCE = "spice_ev"
_STEP_S = 60.0


def read_duties(
    content: bytes, site: Site, vehicles: Mapping[str, Vehicle], *, connector: str = ""
) -> ImportReport:
    """The stays at ``connector`` (default: the one of the site's name); ``vehicles`` by
    case-folded name. Never raises for what a file holds; rows count vehicle events from 1.
    """
    try:
        scenario = read_scenario(content)
    except BadScenario as error:
        faults = tuple(Fault(w.row, w.field, f"{w.path} {w.reason}", w.value) for w in error.wrongs)
        return ImportReport((), faults, error.events, source=SOURCE)
    wanted = _connector(scenario, connector or site.name)
    if wanted is None:
        known = ", ".join(sorted({station.connector for station in scenario.stations.values()}))
        reason = f"there is no grid connector “{connector or site.name}”; known are {known}"
        return ImportReport((), (Fault(0, "", reason),), scenario.events, source=SOURCE)
    return _stays(scenario, wanted, site, vehicles)


def _connector(scenario: Scenario, name: str) -> str | None:
    return next((c for c in scenario.connectors if c.casefold() == name.casefold()), None)


def _stays(
    scenario: Scenario, connector: str, site: Site, vehicles: Mapping[str, Vehicle]
) -> ImportReport:
    duties: list[Duty] = []
    lines: list[int] = []
    faults: list[Fault] = []
    for name, stops in scenario.stops.items():
        stays = _stays_at(connector, stops, scenario)
        vehicle = vehicles.get(name.casefold())
        if vehicle is None and stays:
            reason = "there is no vehicle of this name"
            faults.append(Fault(stays[0][0].row, "vehicle_id", reason, name))
        for stop, soc_pct in stays if vehicle is not None else ():
            assert vehicle is not None
            duty = _duty(stop, soc_pct, site, vehicle)
            faults += [Fault(stop.row, field, why) for field, why in problems(duty).items()]
            duties.append(duty)
            lines.append(stop.row)
    return ImportReport(
        tuple(duties),
        tuple(sorted(faults, key=lambda fault: fault.row)),
        scenario.events,
        warnings=_warnings(scenario),
        lines=tuple(lines),
        source=SOURCE,
    )


def _stays_at(
    connector: str, stops: Sequence[Stop], scenario: Scenario
) -> list[tuple[Stop, float]]:
    """The stops that last, at stations of the connector, and the SoC in % they begin with."""
    found: list[tuple[Stop, float]] = []
    if not stops:
        return found
    vehicle = scenario.vehicles[stops[0].vehicle]
    soc_pct = vehicle.soc_pct
    for stop in stops:
        soc_pct = max(0.0, soc_pct - stop.consumed_pct)
        if stop.station is None:
            continue
        if stop.station.connector == connector and stop.departure_at > stop.arrival_at:
            found.append((stop, soc_pct))
        soc_pct = _charged(soc_pct, stop, stop.station.max_power_w, vehicle.kind)
    return found


def _duty(stop: Stop, soc_pct: float, site: Site, vehicle: Vehicle) -> Duty:
    arrival_at = stop.arrival_at.astimezone(UTC)
    return Duty(
        id=new_id(),
        org_id=site.org_id,
        site_id=site.id,
        external_id=f"{stop.vehicle}/{arrival_at.isoformat()}",
        arrival_at=arrival_at,
        departure_at=stop.departure_at.astimezone(UTC),
        vehicle_id=vehicle.id,
        soc_arrival_pct=round(soc_pct, 3),
        target_soc_pct=round(stop.desired_soc_pct, 3),
        source=SOURCE,
    )


def _charged(soc_pct: float, stop: Stop, station_w: float, kind: VehicleType) -> float:
    """State of charge after the stop, at the full power of station and vehicle."""
    arrived_pct = soc_pct
    left_s = (stop.departure_at - stop.arrival_at).total_seconds()
    while left_s > 0 and soc_pct < stop.desired_soc_pct:
        step_s = min(_STEP_S, left_s)
        power_w = min(station_w, power_at(kind.curve, soc_pct))
        if power_w <= 0:
            break
        soc_pct += 100.0 * power_w * step_s / 3600.0 / kind.capacity_wh
        left_s -= step_s
    return max(arrived_pct, min(soc_pct, stop.desired_soc_pct))


def power_at(curve: Sequence[CurvePoint], soc_pct: float) -> float:
    """Power in W between two points of the curve; flat outside."""
    if soc_pct <= curve[0][0]:
        return curve[0][1]
    for (low_pct, low_w), (high_pct, high_w) in itertools.pairwise(curve):
        if soc_pct <= high_pct:
            share = 0.0 if high_pct == low_pct else (soc_pct - low_pct) / (high_pct - low_pct)
            return low_w + share * (high_w - low_w)
    return curve[-1][1]


def _warnings(scenario: Scenario) -> tuple[Fault, ...]:
    reason = "the charging curve rises towards a full battery and was cut"
    kinds = {vehicle.kind.name: vehicle.kind for vehicle in scenario.vehicles.values()}
    return tuple(
        Fault(0, "charging_curve", reason, name) for name, kind in kinds.items() if kind.cut
    )

"""Where a study's period comes from: the demo depot, a SpiceEV scenario, or tables of duties."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from voltyard.bench.energy import depots, synthetic
from voltyard.bench.energy.case import STEP_S, Case, Outlet, Visit, on_step
from voltyard.clock import seeded
from voltyard.errors import Invalid
from voltyard.fleets.importing import read_vehicles
from voltyard.fleets.model import Vehicle
from voltyard.simulator.demo import demo_depot
from voltyard.simulator.depot import stable_id
from voltyard.simulator.spice import spice_ev
from voltyard.simulator.vehicle import BatterySpec
from voltyard.sites import tree as trees
from voltyard.sites.model import Bay, Node, NodeKind, NodeLimit, Site
from voltyard.study.chargers import at_once
from voltyard.study.scenario import Scenario, from_case
from voltyard.tabular import Fault
from voltyard.tabular import read as read_table
from voltyard.timetable.importing import COLUMNS, NEEDED, CsvDuties, parse_csv
from voltyard.timetable.model import Duty

_ORG, _SITE = stable_id("study organisation"), stable_id("study site")
_MARGIN = timedelta(hours=1)
_LEAST_W = 2_000.0
_DEFAULT_TARGET_PCT, _DEFAULT_ARRIVAL_PCT = 100.0, 50.0


@dataclass(frozen=True, slots=True)
class Yard:
    """A site for duties that come without one: so many equal chargers behind one limit.

    ``other_w`` is constant load beside them. ``errors``: vehicles come later and emptier or
    fuller than the duties say, as they do; without, exactly as they say (a past).
    """

    limit_w: float
    charger_w: float
    chargers: int | None
    zone: str = "Europe/Berlin"
    other_w: float = 0.0
    errors: bool = True


def demo(vehicles: int, seed: int) -> Scenario:
    """A winter night of buses with errors in arrival and state of charge."""
    depot = demo_depot(seed, vehicles)
    case = replace(depots.from_depot(depot, seed), name="demo", source=f"demo depot, seed {seed}")
    return from_case(case, {stay.id: stay.vehicle for stay in depot.stays}, seed)


def spice(path: Path, name: str | None, other_w: float, seed: int) -> Scenario:
    """A depot of a SpiceEV scenario by the name of its grid connector; without, its only one.

    The file has no other load: ``other_w`` is constant beside the chargers. Raises ``Invalid``.
    """
    found = {depot.name: depot for depot in spice_ev(path)}
    if name is None and len(found) == 1:
        name = next(iter(found))
    if name not in found:
        raise Invalid(f"say by --depot which of these to study: {', '.join(sorted(found))}")
    case = next(c for c in depots.spice(path, seed) if c.name == f"spice {name}")
    case = replace(
        case,
        base_w=(other_w,) * case.steps,
        base_forecast_w=(other_w,) * len(case.base_forecast_w),
    )
    return from_case(case, {stay.id: stay.vehicle for stay in found[name].stays}, seed)


def duties(duties_csv: Path, vehicles_csv: Path, yard: Yard, seed: int) -> Scenario:
    """Duties and vehicles in the columns that imports have. Raises ``Invalid`` naming each fault.

    A duty without state of charge on arrival arrives half full, one without target leaves full.
    """
    try:
        zone = ZoneInfo(yard.zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise Invalid(f"there is no time zone {yard.zone!r}") from error
    fleet = read_vehicles(_content(vehicles_csv), _ORG, ())
    _refuse(vehicles_csv, fleet.faults)
    vehicles = {v.name.casefold(): v for v in fleet.new if isinstance(v, Vehicle)}
    content = _content(duties_csv)
    site = Site(_SITE, _ORG, duties_csv.stem, yard.zone)
    report = parse_csv(content, CsvDuties(site, vehicles, _bays(content)))
    _refuse(duties_csv, report.faults)
    if not report.duties:
        raise Invalid(f"{duties_csv} holds no duty")
    by_id = {vehicle.id: vehicle for vehicle in vehicles.values()}
    return _scenario(duties_csv.stem, report.duties, by_id, yard, zone, seed)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Invalid(f"cannot read {path}", detail=str(error)) from error


def _refuse(path: Path, faults: tuple[Fault, ...]) -> None:
    if faults:
        first = {f"row {f.row}, {f.column}": f"{f.reason} {f.value}".strip() for f in faults[:20]}
        raise Invalid(f"{path} has {len(faults)} faults", fields=first)


def _bays(content: bytes) -> Mapping[str, Bay]:
    """Whatever bays the file names: a study assigns chargers itself."""
    table = read_table(content, known=COLUMNS, needed=NEEDED)
    names = {line.cells.get("bay", "") for line in table.lines}
    return {n.casefold(): Bay(stable_id("study bay", n), _SITE, None, n) for n in names if n}


def _scenario(
    name: str,
    found: tuple[Duty, ...],
    vehicles: Mapping[UUID, Vehicle],
    yard: Yard,
    zone: ZoneInfo,
    seed: int,
) -> Scenario:
    first = min(duty.arrival_at for duty in found) - _MARGIN
    start_at = first.replace(minute=0, second=0, microsecond=0)
    seconds = (max(duty.departure_at for duty in found) + _MARGIN - start_at).total_seconds()
    quarters = -(-round(seconds) // 900)
    steps = quarters * (900 // STEP_S)
    rng = seeded(seed, "study errors", name)
    visits = [_visit(duty, vehicles, start_at, index) for index, duty in enumerate(found)]
    if yard.errors:
        visits = [depots.erring(rng, start_at, visit) for visit in visits]
    visits = [visit for visit in visits if visit.arrival_at < visit.departure_at]
    root = Node(stable_id("study grid"), NodeKind.GRID, "Grid", None, _watts(yard.limit_w))
    outlets = tuple(
        Outlet(stable_id("study outlet", index), yard.charger_w, _LEAST_W)
        for index in range(yard.chargers or at_once(visits))
    )
    leaves = [_leaf(outlet, index, root) for index, outlet in enumerate(outlets)]
    case = Case(
        name=name,
        tree=trees.build([root, *leaves], zone),
        outlets=outlets,
        visits=tuple(visits),
        start_at=start_at,
        steps=steps,
        prices=synthetic.winter_prices(seeded(seed, "study prices", name), start_at, quarters),
        base_w=(yard.other_w,) * steps,
        base_forecast_w=(yard.other_w,) * quarters,
        source=f"{len(found)} duties",
    )
    names = {duty.id: vehicles[duty.vehicle_id].name for duty in found if duty.vehicle_id}
    return from_case(case, names, seed)


def _visit(duty: Duty, vehicles: Mapping[UUID, Vehicle], start_at: datetime, index: int) -> Visit:
    vehicle = None if duty.vehicle_id is None else vehicles.get(duty.vehicle_id)
    if vehicle is None or not vehicle.battery_wh or not vehicle.max_power_w:
        raise Invalid(f"duty {duty.external_id!r} needs a vehicle with battery_kwh, max_power_kw")
    battery = BatterySpec(
        capacity_wh=vehicle.battery_wh,
        max_power_w=vehicle.max_power_w,
        curve=vehicle.charge_curve,
        min_power_w=vehicle.min_power_w,
        efficiency=vehicle.efficiency,
    )
    soc_pct = duty.soc_arrival_pct
    soc_pct = _DEFAULT_ARRIVAL_PCT if soc_pct is None else soc_pct
    target_pct = duty.target_soc_pct
    if target_pct is None:
        target_pct = _DEFAULT_TARGET_PCT
        if duty.target_energy_wh is not None:
            target_pct = min(100.0, soc_pct + duty.target_energy_wh / battery.metered_wh(1.0))
    leaves_s = (duty.departure_at - start_at).total_seconds() // STEP_S * STEP_S
    return Visit(
        id=duty.id,
        label=duty.external_id,
        outlet=index,
        battery=battery,
        planned_arrival_at=duty.arrival_at,
        arrival_at=on_step(start_at, duty.arrival_at),
        departure_at=start_at + timedelta(seconds=leaves_s),
        planned_soc_pct=soc_pct,
        soc_pct=soc_pct,
        target_soc_pct=target_pct,
        priority=duty.priority,
    )


def _leaf(outlet: Outlet, index: int, root: Node) -> Node:
    key, name = stable_id("study leaf", index), f"C{index + 1}"
    return Node(key, NodeKind.EVSE, name, root.id, _watts(outlet.max_power_w), outlet.id)


def _watts(power_w: float) -> tuple[NodeLimit, ...]:
    return (NodeLimit(power_w=power_w),)

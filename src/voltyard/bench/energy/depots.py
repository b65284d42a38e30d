"""Depots of the simulator as cases: the demo depot, and those of a SpiceEV scenario."""

import random
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from voltyard.bench.energy.case import STEP_S, Case, Outlet, Visit, on_step
from voltyard.bench.energy.synthetic import base_load, winter_prices
from voltyard.clock import seeded
from voltyard.simulator.demo import demo_depot
from voltyard.simulator.depot import DepotSpec, StaySpec
from voltyard.simulator.spice import spice_ev

_BASE_SHARE = 0.04
_LATE_MIN, _ERROR_MIN, _SOC_ERROR_PCT = 4.0, 12.0, 4.0
_LEAST_KEPT = 0.5


def demo(seed: int) -> Case:
    """The depot of ``voltyard demo``, with its own errors and its own limits."""
    case = from_depot(demo_depot(seed), seed)
    return replace(case, name="demo", source=f"voltyard demo, seed {seed}")


def spice(path: Path, seed: int) -> list[Case]:
    """A week of each depot. The file is certain of everything, so errors are added.

    A vehicle's state on arrival is the file's, whatever it left with before. Raises ``Invalid``.
    """
    cases: list[Case] = []
    for depot in spice_ev(path):
        case = from_depot(depot, seed)
        rng = seeded(seed, "bench energy errors", depot.name)
        visits = tuple(erring(rng, case.start_at, visit) for visit in case.visits)
        cases.append(
            replace(case, name=f"spice {depot.name}", visits=visits, source=f"SpiceEV, {path.name}")
        )
    return cases


def from_depot(depot: DepotSpec, seed: int) -> Case:
    """On steps of five minutes: vehicles come a little later and leave a little earlier."""
    rng = seeded(seed, "bench energy prices", depot.name)
    start_at = depot.start_at.replace(minute=0, second=0, microsecond=0)
    steps = -(-round((depot.end_at - start_at).total_seconds()) // 900) * (900 // STEP_S)
    evses = [evse for station in depot.stations for evse in station.evses]
    number_of = {evse.id: number for number, evse in enumerate(evses)}
    visits = [_visit(depot, start_at, number_of[depot.evse_id(s)], s) for s in depot.stays]
    base_w, forecast_w = base_load(rng, _BASE_SHARE * depot.limit_w, steps)
    return Case(
        name=depot.name,
        tree=depot.tree,
        outlets=tuple(Outlet(e.id, e.max_power_w, e.min_power_w) for e in evses),
        visits=tuple(visit for visit in visits if visit.arrival_at < visit.departure_at),
        start_at=start_at,
        steps=steps,
        prices=winter_prices(rng, start_at, steps // 3),
        base_w=base_w,
        base_forecast_w=forecast_w,
    )


def _visit(depot: DepotSpec, start_at: datetime, outlet: int, stay: StaySpec) -> Visit:
    planned_pct = stay.arrival_soc_pct if stay.planned_soc_pct is None else stay.planned_soc_pct
    leaves_s = (stay.departure_at - start_at).total_seconds() // STEP_S * STEP_S
    return Visit(
        id=stay.id,
        label=stay.external_id,
        outlet=outlet,
        battery=depot.vehicle(stay.vehicle).battery,
        planned_arrival_at=stay.planned_arrival_at,
        arrival_at=on_step(start_at, stay.arrival_at),
        departure_at=start_at + timedelta(seconds=leaves_s),
        planned_soc_pct=planned_pct,
        soc_pct=stay.arrival_soc_pct,
        target_soc_pct=stay.target_soc_pct,
        priority=stay.priority,
    )


def erring(rng: random.Random, start_at: datetime, visit: Visit) -> Visit:
    """Late (never by more than half the stay, never early) and with another state of charge."""
    late = timedelta(minutes=max(0.0, rng.gauss(_LATE_MIN, _ERROR_MIN)))
    late = min(late, _LEAST_KEPT * (visit.departure_at - visit.planned_arrival_at))
    soc_pct = visit.planned_soc_pct + rng.gauss(0.0, _SOC_ERROR_PCT)
    return replace(
        visit,
        arrival_at=on_step(start_at, visit.planned_arrival_at + late),
        soc_pct=round(min(visit.target_soc_pct, max(0.0, soc_pct)), 1),
    )

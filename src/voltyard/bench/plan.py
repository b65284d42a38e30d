"""The planner beside an independent linear programme (HiGHS), on the same depots."""

import time
from collections.abc import Callable
from statistics import median

from voltyard.bench.figures import Figure
from voltyard.energy.model import ChargeCurve, PlanInput, Stay
from voltyard.energy.planner import plan
from voltyard.simulator.demo import demo_depot
from voltyard.simulator.depot import DepotSpec, stable_id
from voltyard.simulator.oracle import physically_ready

SIZES = (80, 300)


def measure(rounds: int) -> list[Figure]:
    """Seconds for one whole plan; the peer answers only who can be ready."""
    return [figure for vehicles in SIZES for figure in _depot(vehicles, rounds)]


def _depot(vehicles: int, rounds: int) -> list[Figure]:
    depot = demo_depot(1, vehicles)
    stays = tuple(_stays(depot))
    given = PlanInput(
        site_id=stable_id("bench"),
        now=depot.start_at,
        horizon_end=depot.end_at,
        tree=depot.tree,
        stays=stays,
    )

    def ours() -> object:
        return plan(given)

    def theirs() -> object:
        return physically_ready(stays, depot.tree, depot.start_at, depot.end_at, 900.0)

    ours()  # compiles, or loads what was compiled
    ours_s, theirs_s = _median_s(rounds, ours), _median_s(rounds, theirs)
    peer = "the HiGHS programme for readiness alone"
    name = f"one plan (ready, peak, cost, forecasts), {vehicles} vehicles"
    return [
        Figure(name, ours_s, "s", rounds, peer, ours_s / theirs_s),
        Figure(f"HiGHS: who can be ready, {vehicles} vehicles", theirs_s, "s", rounds),
    ]


def _median_s(rounds: int, work: Callable[[], object]) -> float:
    taken: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return median(taken)


def _stays(depot: DepotSpec) -> list[Stay]:
    found: list[Stay] = []
    for spec in depot.stays:
        battery = depot.vehicle(spec.vehicle).battery
        needed_pct = max(0.0, spec.target_soc_pct - spec.arrival_soc_pct)
        found.append(
            Stay(
                id=spec.id,
                arrival_at=spec.planned_arrival_at,
                departure_at=spec.planned_departure_at,
                energy_needed_wh=battery.metered_wh(needed_pct),
                max_power_w=min(150_000.0, battery.max_power_w),
                evse_id=depot.evse_id(spec),
                soc_pct=spec.arrival_soc_pct,
                target_soc_pct=spec.target_soc_pct,
                battery_wh=battery.capacity_wh,
                efficiency=battery.efficiency,
                curve=ChargeCurve(battery.curve),
                priority=spec.priority,
            )
        )
    return found

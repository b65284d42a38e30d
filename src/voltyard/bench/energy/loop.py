"""One strategy through one case, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from voltyard.bench.energy.baselines import Strategy
from voltyard.bench.energy.case import STEP_S, Case
from voltyard.bench.energy.world import Fleet, World


@dataclass(frozen=True, slots=True)
class Outcome:
    """Costs are of the charged energy and of the peak with other load. Times are in seconds.

    ``violations`` are minutes of a node over its limit, ``worst_over`` the worst share above it.
    """

    strategy: str
    ready: int
    stays: int
    energy_wh: float
    asked_wh: float
    peak_w: float
    energy_cost_eur: float
    demand_cost_eur: float
    violations: int
    worst_over: float
    changes_per_hour: float
    starts_per_stay: float
    plan_s: tuple[float, ...]
    allocate_s: tuple[float, ...]

    @property
    def cost_eur(self) -> float:
        return self.energy_cost_eur + self.demand_cost_eur


def run(
    case: Case, fleet: Fleet, strategy: Strategy, tick: Callable[[int, int], None] | None = None
) -> Outcome:
    """From the first step to the last; ``tick(done, steps)`` is told each step."""
    world = World(case, fleet)
    try:
        while world.step < case.steps:
            if len(world.rows) and world.minute % strategy.pace_min == 0:
                strategy.look(world)
            world.advance()
            if tick is not None:
                tick(world.step, case.steps)
    finally:
        strategy.close()
    return _outcome(world, strategy.name)


def _outcome(world: World, name: str) -> Outcome:
    case, measured = world.case, world.measured
    peak_w = float(world.site_quarters_w().max())
    prices = np.array(case.prices)
    stay_h = float((world.fleet.departure - world.fleet.arrival).sum()) * STEP_S / 3600.0
    return Outcome(
        strategy=name,
        ready=world.ready(),
        stays=len(case.visits),
        energy_wh=float(world.energy_wh.sum()),
        asked_wh=sum(visit.asked_wh for visit in case.visits),
        peak_w=peak_w,
        energy_cost_eur=float((measured.quarter_wh * prices).sum()) / 1e6,
        demand_cost_eur=peak_w / 1000.0 * case.demand_eur_per_kw,
        violations=measured.violations,
        worst_over=measured.worst_over,
        changes_per_hour=float(measured.changes.sum()) / stay_h,
        starts_per_stay=float(measured.starts.mean()),
        plan_s=tuple(measured.plan_s),
        allocate_s=tuple(measured.allocate_s),
    )

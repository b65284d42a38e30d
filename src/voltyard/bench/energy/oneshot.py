"""One plan of everything at once, beside HiGHS dual simplex on the same depot in the same run."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf, log
from statistics import median

import numpy as np

from voltyard.bench.energy import bound, synthetic
from voltyard.bench.energy.case import STEPS_A_QUARTER, Case, foreseen, with_limit
from voltyard.bench.energy.ours import Voltyard
from voltyard.bench.energy.stopwatch import timed
from voltyard.bench.energy.world import Fleet, World
from voltyard.energy import planner
from voltyard.energy.allocator import AllocationInput, Candidate, allocate
from voltyard.energy.circuit import Circuit
from voltyard.energy.model import Plan, PlanInput, PlanMode

TIGHT = 1.15
_EVENING_STEP = 120
_ROUNDS, _ROUNDS_OF_LARGE, _LARGE = 5, 1, 1000
_LOOKS = 5
_CALLS = 25


@dataclass(frozen=True, slots=True)
class OneShot:
    """Seconds of CPU. ``gap`` is our cost-mode bill over that of HiGHS, less one."""

    vehicles: int
    stays: int
    slots: int
    plan_s: float
    plan_cost_s: float
    highs_s: float
    highs_columns: int
    gap: float
    allocate_ms: float
    grants_ms: float

    @property
    def ratio(self) -> float:
        return self.plan_s / self.highs_s

    @property
    def ratio_cost(self) -> float:
        return self.plan_cost_s / self.highs_s


def measure(vehicles: int, seed: int) -> OneShot:
    """A depot behind 1.15 times its least peak, foreseen, 96 quarters."""
    free = _smooth(synthetic.depot(vehicles, seed))
    least_w = planner.plan(replace(foreseen(free), mode=PlanMode.PEAK)).peak_w
    case = with_limit(free, TIGHT * least_w)
    given = foreseen(case)
    rounds = _ROUNDS_OF_LARGE if vehicles >= _LARGE else _ROUNDS
    made, plan_s = _median(rounds, lambda: planner.plan(replace(given, mode=PlanMode.PEAK)))
    cheap, plan_cost_s = _median(1, lambda: planner.plan(replace(given, mode=PlanMode.COST)))
    best = bound.least_cost(case)
    allocate_ms, grants_ms = _grants(case)
    return OneShot(
        vehicles=vehicles,
        stays=len(case.visits),
        slots=made.stats.slots,
        plan_s=plan_s,
        plan_cost_s=plan_cost_s,
        highs_s=best.solve_s,
        highs_columns=best.columns,
        gap=_bill_eur(given, cheap) / best.cost_eur - 1.0,
        allocate_ms=allocate_ms,
        grants_ms=grants_ms,
    )


def growth(sizes: list[int], seconds: list[float]) -> float | None:
    """The exponent by which time grows with vehicles, from the smallest to the largest size."""
    if len(sizes) < 2 or sizes[0] == sizes[-1]:
        return None
    return log(seconds[-1] / seconds[0]) / log(sizes[-1] / sizes[0])


def _smooth(case: Case) -> Case:
    """Other load constant over each quarter, so that both models see the same."""
    means = np.array(case.base_w).reshape(-1, STEPS_A_QUARTER).mean(axis=1)
    return replace(case, base_w=tuple(np.repeat(means, STEPS_A_QUARTER).tolist()))


def _median(rounds: int, work: Callable[[], Plan]) -> tuple[Plan, float]:
    found = [timed(work) for _ in range(rounds)]
    return found[-1][0], median(seconds for _, seconds in found)


def _bill_eur(given: PlanInput, made: Plan) -> float:
    """Energy of the plan at its prices, and its peak."""
    total = made.peak_w / 1000.0 * given.demand_price_per_kw
    for (start_at, end_at), power_w in zip(
        pairwise(made.bounds), made.node_power_w[made.root_id], strict=True
    ):
        price = next(step.value for step in given.prices if step.end_at > start_at)
        total += power_w * (end_at - start_at).total_seconds() / 3600.0 * price / 1e6
    return total


def _grants(case: Case) -> tuple[float, float]:
    """Milliseconds of the allocator alone, and with all that leads to it, in the evening."""
    world = World(case, Fleet(case))
    world.step = _EVENING_STEP
    world.enter()
    ours = Voltyard(case, PlanMode.PEAK, plan_steps=case.steps + 1)
    for _ in range(_LOOKS + 1):
        ours.look(world)
    assert ours.plan is not None
    given = _allocation(case, world, ours.plan)
    alone = [timed(lambda: allocate(given))[1] for _ in range(_CALLS)]
    return 1000.0 * median(alone), 1000.0 * median(world.measured.allocate_s[1:])


def _allocation(case: Case, world: World, made: Plan) -> AllocationInput:
    now = world.now
    laxity_s = world.left_s - world.fleet.seconds_to_target(world.rows, world.soc_pct)
    candidates = tuple(
        Candidate(
            evse_id=case.outlets[case.visits[row].outlet].id,
            want_w=float(takes_w),
            plan_w=made.power_at(case.visits[row].id, now),
            stay_id=case.visits[row].id,
            laxity_s=float(left_s) if takes_w > 0.0 else inf,
            min_power_w=min(float(takes_w), float(world.fleet.least_w[row])),
            current_w=float(world.draw_w[row]),
        )
        for row, takes_w, left_s in zip(world.rows.tolist(), world.takes_w, laxity_s, strict=True)
    )
    return AllocationInput(
        tree=case.tree,
        circuit=Circuit(case.tree),
        at=now,
        candidates=candidates,
        validity_s=240.0,
        node_load_w={case.tree.root.id: world.base_w},
        budget_w=made.root_power_at(now),
    )

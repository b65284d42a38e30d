"""The smallest grid connection and the fewest chargers that still make every duty.

Bisection between an amount that fails and one that serves. Each answer is a run of the whole period
that served, not a plan alone. Readiness rises with the limit except for a vehicle now and then,
because a run acts on forecasts with errors: below an answer another amount may serve by luck.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil

from voltyard.bench.energy import bound as bounds
from voltyard.bench.energy.case import READY_SOC_PCT, Case, Visit, foreseen, with_limit
from voltyard.energy import planner
from voltyard.energy.model import PlanMode
from voltyard.study import chargers
from voltyard.study.model import Outcome, Sized
from voltyard.study.running import storage
from voltyard.study.scenario import NO_LIMIT_W, Scenario, limited, with_chargers

Runner = Callable[[Scenario, str], Outcome]
"""Runs a scenario under a name."""

_WIDER = (1.0, 1.02, 1.05, 1.1, 1.2, 1.4, 1.8, 2.5, 4.0, 8.0)


@dataclass(frozen=True, slots=True)
class Precision:
    """How close an answer is, as a share of it (limits) and at least in W; whole chargers.

    ``ladder``: shares of the smallest limit that are run, too, to show how readiness falls.
    """

    share: float = 0.01
    least_w: float = 1000.0
    chargers: int = 1
    ladder: tuple[float, ...] = ()


def least_limit_w(scenario: Scenario) -> float:
    """Below this no schedule could do it: everybody's energy, foreseen, as flat as physics allows.

    Without a battery it is the independent linear programme's; with one, the planner's own.
    """
    case = with_limit(scenario.case, NO_LIMIT_W)
    case = replace(case, visits=tuple(_tolerant(visit) for visit in case.visits))
    if scenario.battery is None:
        return bounds.least_peak_w(case)
    given = replace(foreseen(case), mode=PlanMode.PEAK, export_prices=())
    return planner.plan(replace(given, storages=(storage(scenario.battery, case),))).peak_w


def _tolerant(visit: Visit) -> Visit:
    """Just ready."""
    return replace(visit, target_soc_pct=max(visit.soc_pct, visit.target_soc_pct - READY_SOC_PCT))


def smallest_limit(scenario: Scenario, run: Runner, precision: Precision) -> Sized:
    """The least limit of the grid connection with which as many are ready as with none."""
    free = run(limited(scenario, NO_LIMIT_W), "no limit")
    bound_w = least_limit_w(scenario)
    search = _Search(lambda w: run(limited(scenario, w), f"{w / 1000.0:.0f} kW"), free.ready)
    failed, served = 0.0, max(free.peak_w, bound_w)
    for wider in _WIDER:
        limit_w = _round_up(bound_w * wider, precision.least_w)
        if search.serves(limit_w):
            served = limit_w
            break
        failed = limit_w
    if failed == 0.0:
        failed = served - precision.least_w  # the bound rounded up served: nothing fits below
    if not search.serves(served):
        served = search.upwards(served)
    while served - failed > max(precision.least_w, precision.share * served):
        middle = _round_up((failed + served) / 2.0, precision.least_w)
        if middle >= served:
            break
        failed, served = (failed, middle) if search.serves(middle) else (middle, served)
    for share in precision.ladder:
        search.serves(_round_up(share * served, precision.least_w))
    return search.sized(served, bound_w, served - failed)


def fewest_chargers(
    scenario: Scenario, shunting_s: float | None, run: Runner, precision: Precision
) -> Sized:
    """The fewest outlets with which as many are ready as with one for each stay there is at once.

    Where waiting for an outlet alone makes somebody late, nothing needs to be run.
    """
    most = max(len(scenario.case.outlets), chargers.at_once(scenario.case.visits))

    def attempt(count: float) -> Outcome:
        with_count = with_chargers(scenario, int(count), shunting_s)
        return run(with_count, f"{int(count)} chargers")

    free = attempt(most)
    search = _Search(attempt, free.ready)
    search.outcomes[float(most)] = free
    failed, served = 0, most
    while served - failed > precision.chargers:
        middle = (failed + served) // 2
        hopeless = hopeful(scenario, middle, shunting_s) < free.ready
        if not hopeless and search.serves(float(middle)):
            served = middle
        else:
            failed = middle
    return search.sized(float(served), None, float(served - failed))


def hopeful(scenario: Scenario, count: int, shunting_s: float | None) -> int:
    """How many stays are plugged in long enough, if each had all the power it takes."""
    return plugged_long_enough(with_chargers(scenario, count, shunting_s))


def plugged_long_enough(scenario: Scenario) -> int:
    """The same at the chargers that the scenario has, each stay where it is plugged in."""
    case = scenario.case
    return sum(_long_enough(case, _tolerant(visit)) for visit in case.visits)


def _long_enough(case: Case, visit: Visit) -> bool:
    power_w = case.outlets[visit.outlet].max_power_w
    takes_s = visit.battery.seconds_to_reach(visit.soc_pct, visit.target_soc_pct, power_w)
    return takes_s <= (visit.departure_at - visit.arrival_at).total_seconds()


def _round_up(power_w: float, step_w: float) -> float:
    return ceil(power_w / step_w - 1e-9) * step_w


class _Search:
    """Runs by amount; none is done twice."""

    def __init__(self, attempt: Callable[[float], Outcome], wanted: int) -> None:
        self._attempt, self._wanted = attempt, wanted
        self.outcomes: dict[float, Outcome] = {}

    def serves(self, amount: float) -> bool:
        if amount not in self.outcomes:
            self.outcomes[amount] = self._attempt(amount)
        return self.outcomes[amount].ready >= self._wanted

    def upwards(self, amount: float) -> float:
        """Doubling until it serves; without any limit it did."""
        while amount < NO_LIMIT_W and not self.serves(amount):
            amount *= 2.0
        return min(amount, NO_LIMIT_W)

    def sized(self, amount: float, bound: float | None, within: float) -> Sized:
        self.serves(amount)
        tried = sorted((key, outcome.ready) for key, outcome in self.outcomes.items())
        return Sized(amount, self._wanted, bound, within, self.outcomes[amount], tuple(tried))

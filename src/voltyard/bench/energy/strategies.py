"""Which strategies run on a case, and the cases that there are."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from voltyard.bench.energy import baselines, bound, depots, synthetic, workplace
from voltyard.bench.energy.acnportal import AcnPortal
from voltyard.bench.energy.baselines import Strategy
from voltyard.bench.energy.case import Case, foreseen, with_limit
from voltyard.bench.energy.ours import Voltyard
from voltyard.bench.energy.world import Fleet
from voltyard.energy import planner
from voltyard.energy.model import PlanMode
from voltyard.errors import Invalid

TIGHT: dict[int, tuple[float, ...]] = {
    80: (0.9, 1.05, 1.2, 1.5),
    300: (0.9, 1.05, 1.2, 1.5),
    1000: (1.2,),
    3000: (1.2,),
}
DEFAULT = ("demo", "80", "300", "workplace", "oneshot")
OTHERS = ("1000", "3000", "spice", "month")
_PLAN_STEPS = 3
_NAMES = {
    PlanMode.COST: "voltyard",
    PlanMode.PEAK: "voltyard, peak first",
    PlanMode.EARLY: "voltyard, early",
}
_WORKPLACE_W = 30e3
_MONTH_W = (10e3, 30e3, 50e3)
_LARGE = 300
_SLOWER_ABOVE_OUTLETS = 500
_SOLVED_BY_HIGHS = 300


@dataclass(frozen=True, slots=True)
class Job:
    """A case, and which strategies run on it beside the baselines."""

    case: Case
    modes: tuple[PlanMode, ...] = (PlanMode.COST, PlanMode.PEAK)
    peers: tuple[str, ...] = ()


def jobs(keys: Iterable[str], seed: int, spice: Path | None, acn: Path | None) -> Iterator[Job]:
    """In the order of ``keys``. Raises ``Invalid`` for one that needs a file and has none."""
    for key in keys:
        if key == "demo":
            yield Job(_with_least_peak(depots.demo(seed)))
        elif key == "workplace":
            case = workplace.generated(seed, _WORKPLACE_W)
            yield Job(case, (PlanMode.EARLY, PlanMode.PEAK), ("rr", "fcfs", "edf", "llf"))
        elif key == "spice":
            if spice is None:
                raise Invalid("the SpiceEV depots need --spice with the scenario's file")
            for case in depots.spice(spice, seed):
                yield Job(_with_least_peak(case))
        elif key == "month":
            if acn is None:
                raise Invalid("the public month needs --acn with the file of acnportal's events")
            for limit_w in _MONTH_W:
                case = workplace.from_acn(acn, limit_w)
                yield Job(case, (PlanMode.EARLY,), ("rr", "fcfs", "edf", "llf"))
        elif key.isdigit() and int(key) in TIGHT:
            yield from _synthetic(int(key), seed)


def _synthetic(vehicles: int, seed: int) -> Iterator[Job]:
    free = _with_least_peak(synthetic.depot(vehicles, seed))
    modes = (PlanMode.COST,) if vehicles >= _LARGE else (PlanMode.COST, PlanMode.PEAK)
    for tight in TIGHT[vehicles]:
        peers = ("edf", "llf") if (vehicles, tight) == (80, 1.2) else ()
        yield Job(with_limit(free, tight * free.least_peak_w, tight), modes, peers)


def _with_least_peak(case: Case) -> Case:
    """By HiGHS; for the large ones by our planner with everything foreseen, which is faster."""
    if len(case.visits) > 2 * _SOLVED_BY_HIGHS:
        least_w = planner.plan(replace(foreseen(case), mode=PlanMode.PEAK)).peak_w
    else:
        least_w = bound.least_peak_w(case)
    return replace(case, least_peak_w=least_w)


Made = Callable[[], Strategy]


def strategies(job: Job, fleet: Fleet, acnportal: Path | None) -> list[Made]:
    """Those of the job, ours last. ``acnportal`` is a Python that has it."""
    case = job.case
    made: list[Made] = [
        baselines.Uncontrolled,
        baselines.RoundRobin,
        lambda: baselines.Listed("FCFS", baselines.by_arrival),
        lambda: baselines.Listed("EDF", baselines.by_departure),
        lambda: baselines.Listed("LLF", baselines.by_laxity),
    ]
    if acnportal is not None:
        made += [_peer(case, fleet, acnportal, name) for name in job.peers]
    return [*made, *(_ours(case, mode) for mode in job.modes)]


def _peer(case: Case, fleet: Fleet, python: Path, name: str) -> Made:
    return lambda: AcnPortal(case, fleet, python, name)


def _ours(case: Case, mode: PlanMode) -> Made:
    pace_min = 5 if len(case.outlets) > _SLOWER_ABOVE_OUTLETS else 1
    return lambda: Voltyard(case, mode, _PLAN_STEPS, _NAMES[mode], pace_min)

"""A whole study, run after run: the base, what-ifs, the smallest site, the room to grow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import log2

from voltyard.energy.model import PlanMode
from voltyard.study import chargers, growth, running, sizing
from voltyard.study.model import Outcome, Room, Sized, Study, WhatIf
from voltyard.study.scenario import Scenario, apply
from voltyard.study.sizing import Precision

_PLAN_STEPS, _QUICK_PLAN_STEPS = 3, 12
_FINE = Precision(ladder=(0.7, 0.85, 0.95, 1.1))
_QUICK = Precision(share=0.05, least_w=5_000.0, chargers=2, ladder=(0.7, 0.9))
_LIMIT_RUNS, _QUICK_LIMIT_RUNS = 14, 9


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to find out beside the what-ifs. ``yearly``: vehicles expected more a year."""

    mode: PlanMode = PlanMode.COST
    quick: bool = False
    limits: bool = True
    chargers: bool = True
    room: bool = True
    shunting_s: float = 600.0
    yearly: float = 0.0


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a study stands. ``stage``: base, case, limit, chargers or room; ``share`` of all."""

    stage: str
    name: str
    runs: int
    share: float


Tell = Callable[[Moment, Outcome | None], None]
"""Told as a run goes on, and with its outcome when it is done."""


class Desk:
    """``tell`` is called often."""

    def __init__(self, wanted: Wanted, tell: Tell) -> None:
        self._wanted, self._tell = wanted, tell
        self._precision = _QUICK if wanted.quick else _FINE
        self._plan_steps = _QUICK_PLAN_STEPS if wanted.quick else _PLAN_STEPS
        self._stages: list[tuple[str, int]] = []
        self._stage, self._runs, self._runs_of_stage = 0, 0, 0

    def study(self, base: Scenario, wishes: Sequence[WhatIf]) -> Study:
        """Everything that was asked. Raises ``Invalid`` for a what-if that cannot be."""
        scenarios = [(wish, apply(base, wish)) for wish in wishes]
        self._expect(base, wishes)
        wanted, case = self._wanted, base.case
        done = self._run(base, "base")
        what_ifs = tuple(self._run(scenario, wish.name) for wish, scenario in scenarios)
        return Study(
            source=case.source or case.name,
            zone=str(case.tree.zone),
            start_at=case.start_at,
            end_at=case.end_at,
            mode=wanted.mode.value,
            base=done,
            what_ifs=what_ifs,
            limits=self._limits(base, wishes) if wanted.limits else {},
            chargers=self._chargers(base) if wanted.chargers else {},
            room=self._room(base, done) if wanted.room else None,
            currency=base.currency,
            yearly=wanted.yearly,
        )

    def _expect(self, base: Scenario, wishes: Sequence[WhatIf]) -> None:
        """The stages, each with the runs to expect: what progress is a share of."""
        wanted = self._wanted
        limit_runs = _QUICK_LIMIT_RUNS if wanted.quick else _LIMIT_RUNS
        batteries = any(wish.battery is not None for wish in wishes)
        self._stages = [("base", 1), *(("case", 1) for _ in wishes)]
        if wanted.limits:
            self._stages += [("limit", limit_runs)] * (2 if batteries else 1)
        if wanted.chargers:
            halvings = 1 + round(log2(max(2, chargers.at_once(base.case.visits))))
            self._stages += [("chargers", halvings)] * 2
        if wanted.room:
            self._stages.append(("room", 1 + round(log2(max(2, base.vehicles)))))

    def _next_stage(self) -> None:
        self._stage, self._runs_of_stage = self._stage + 1, 0

    def _limits(self, base: Scenario, wishes: Sequence[WhatIf]) -> dict[str, Sized]:
        """Of the base, and of the first what-if with a battery."""
        found = {"base": sizing.smallest_limit(base, self._attempt, self._precision)}
        self._next_stage()
        precision = replace(self._precision, ladder=())
        for wish in [wish for wish in wishes if wish.battery is not None][:1]:
            case = apply(base, wish)
            found[wish.name] = sizing.smallest_limit(case, self._attempt, precision)
            self._next_stage()
        return found

    def _chargers(self, base: Scenario) -> dict[str, Sized]:
        found: dict[str, Sized] = {}
        for name, shunting_s in (("staying", None), ("shunting", self._wanted.shunting_s)):
            found[name] = sizing.fewest_chargers(base, shunting_s, self._attempt, self._precision)
            self._next_stage()
        return found

    def _room(self, base: Scenario, done: Outcome) -> Room:
        found = growth.room(base, done, self._wanted.shunting_s, self._attempt)
        self._next_stage()
        return found

    def _run(self, scenario: Scenario, name: str) -> Outcome:
        found = self._attempt(scenario, name)
        self._next_stage()
        return found

    def _attempt(self, scenario: Scenario, name: str) -> Outcome:
        found = running.run(
            scenario,
            name,
            self._wanted.mode,
            self._plan_steps,
            lambda done, steps: self._tell(self._moment(name, done / steps), None),
        )
        self._runs += 1
        self._runs_of_stage += 1
        self._tell(self._moment(name, 0.0), found)
        return found

    def _moment(self, name: str, share: float) -> Moment:
        """A stage that takes more runs than expected stays just below its end."""
        stage, expected = self._stages[self._stage]
        before = sum(runs for _, runs in self._stages[: self._stage])
        within = min(self._runs_of_stage + share, 0.97 * expected)
        whole = sum(runs for _, runs in self._stages)
        return Moment(stage, name, self._runs, min(1.0, (before + within) / whole))


def usual(base: Scenario) -> list[str]:
    """When nothing is asked: what is asked most, in proportion to the site."""
    limit_kw = base.case.limit_w / 1000.0
    battery_kwh = _rounded(limit_kw / 3.0)
    return [
        f"limit={_rounded(0.75 * limit_kw)}",
        f"vehicles=+{max(1, base.vehicles // 10)}",
        f"battery={battery_kwh}/{_rounded(battery_kwh / 2.0)}",
        f"pv={_rounded(limit_kw / 6.0)}",
        "price=220 night=22-6:140",
    ]


def _rounded(value: float) -> int:
    return max(10, round(value / 50.0) * 50 if value >= 100.0 else round(value / 10.0) * 10)

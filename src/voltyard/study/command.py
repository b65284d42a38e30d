"""The command ``voltyard study``: a period, its what-ifs, the smallest site; JSON and a report."""

import argparse
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from voltyard.energy import planner
from voltyard.energy.model import PlanMode
from voltyard.errors import Invalid
from voltyard.study import report, running, sizing, sources
from voltyard.study.model import Outcome, Sized, Study, Tariff, WhatIf, parse
from voltyard.study.scenario import Scenario, apply, cut
from voltyard.study.sizing import Precision
from voltyard.study.sources import Yard

_PLAN_STEPS, _QUICK_PLAN_STEPS = 3, 12
_FINE = Precision(ladder=(0.7, 0.85, 0.95, 1.1))
_QUICK = Precision(share=0.05, least_w=5_000.0, chargers=2, ladder=(0.7, 0.9))
_SHUNTING_MIN = 10.0


def main(arguments: argparse.Namespace) -> int:
    """Print the study; write its report. Raises ``Invalid``."""
    base = _base(arguments)
    wishes = [parse(text) for text in arguments.what_if or _usual(base)]
    planner.warm_up()
    study = _Desk(arguments).study(base, wishes)
    found = report.as_json(study)
    print(json.dumps(found, indent=2) if arguments.as_json else report.table(study))
    if arguments.html is not None:
        text = report.html(study, arguments.locale)
        try:
            arguments.html.write_text(text, encoding="utf-8")
        except OSError as error:
            raise Invalid(f"cannot write {arguments.html}", detail=str(error)) from error
        print(f"report: {arguments.html}", file=sys.stderr)
    return 0


def _base(arguments: argparse.Namespace) -> Scenario:
    found = _source(arguments)
    if (arguments.from_at is None) != (arguments.until_at is None):
        raise Invalid("a period needs both --from and --until")
    if arguments.from_at is not None:
        from_at, until_at = (_instant(at, found) for at in (arguments.from_at, arguments.until_at))
        found = cut(found, from_at, until_at)
    if arguments.export is not None:
        found = replace(found, export_eur_mwh=arguments.export)
    csv = arguments.source.endswith(".csv")
    wish = WhatIf(
        "base",
        limit_w=_watts(arguments.limit_kw),
        chargers=len(found.case.outlets) if csv else arguments.chargers,
        charger_w=None if csv else _watts(arguments.charger_kw),
        tariff=None if arguments.price is None else Tariff(arguments.price),
        demand_eur_per_kw_year=arguments.demand,
    )
    return apply(found, wish)


def _source(arguments: argparse.Namespace) -> Scenario:
    source, other_w = arguments.source, arguments.other_kw * 1000.0
    if source == "demo":
        return sources.demo(arguments.buses, arguments.seed)
    if source.endswith(".json"):
        return sources.spice(Path(source), arguments.depot, other_w, arguments.seed)
    if not source.endswith(".csv"):
        raise Invalid("a study is of demo, a SpiceEV scenario (.json) or duties (.csv)")
    if arguments.vehicles is None or not arguments.limit_kw or not arguments.charger_kw:
        raise Invalid("duties need --vehicles, --limit-kw and --charger-kw")
    yard = Yard(
        limit_w=arguments.limit_kw * 1000.0,
        charger_w=arguments.charger_kw * 1000.0,
        chargers=arguments.chargers,
        zone=arguments.zone,
        other_w=other_w,
        errors=not arguments.as_it_was,
    )
    return sources.duties(Path(source), arguments.vehicles, yard, arguments.seed)


def _instant(at: datetime, found: Scenario) -> datetime:
    return (at if at.tzinfo else at.replace(tzinfo=found.case.tree.zone)).astimezone(UTC)


def _watts(power_kw: float | None) -> float | None:
    if power_kw is not None and power_kw <= 0:
        raise Invalid("a power must be more than 0 kW")
    return None if power_kw is None else 1000.0 * power_kw


def _usual(base: Scenario) -> list[str]:
    """When nothing is asked: what is asked most, in proportion to the site."""
    limit_kw = base.case.limit_w / 1000.0
    vehicles = len({base.vehicle_of[visit.id] for visit in base.case.visits})
    battery_kwh = _rounded(limit_kw / 3.0)
    return [
        f"limit={_rounded(0.75 * limit_kw)}",
        f"vehicles=+{max(1, vehicles // 10)}",
        f"battery={battery_kwh}/{_rounded(battery_kwh / 2.0)}",
        f"pv={_rounded(limit_kw / 6.0)}",
        "price=220 night=22-6:140",
    ]


def _rounded(value: float) -> int:
    return max(10, round(value / 50.0) * 50 if value >= 100.0 else round(value / 10.0) * 10)


class _Desk:
    """Runs one after the other, each told on standard error."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._mode = PlanMode(arguments.mode)
        self._precision = _QUICK if arguments.quick else _FINE
        self._plan_steps = _QUICK_PLAN_STEPS if arguments.quick else _PLAN_STEPS
        self._sizes = not arguments.no_size
        minutes = _SHUNTING_MIN if arguments.shunting_min is None else arguments.shunting_min
        self._shunting_s = 60.0 * max(0.0, minutes)

    def study(self, base: Scenario, wishes: list[WhatIf]) -> Study:
        """Everything that was asked."""
        case = base.case
        done = self._run(base, "base")
        return Study(
            source=case.source or case.name,
            zone=str(case.tree.zone),
            start_at=case.start_at,
            end_at=case.end_at,
            mode=self._mode.value,
            base=done,
            what_ifs=tuple(self._run(apply(base, wish), wish.name) for wish in wishes),
            limits=self._limits(base, wishes) if self._sizes else {},
            chargers=self._chargers(base) if self._sizes else {},
        )

    def _limits(self, base: Scenario, wishes: list[WhatIf]) -> dict[str, Sized]:
        """Of the base, and of the first what-if with a battery."""
        found = {"base": sizing.smallest_limit(base, self._run, self._precision)}
        precision = replace(self._precision, ladder=())
        for wish in [wish for wish in wishes if wish.battery is not None][:1]:
            found[wish.name] = sizing.smallest_limit(apply(base, wish), self._run, precision)
        return found

    def _chargers(self, base: Scenario) -> dict[str, Sized]:
        found: dict[str, Sized] = {}
        for name, shunting_s in (("staying", None), ("shunting", self._shunting_s)):
            found[name] = sizing.fewest_chargers(base, shunting_s, self._run, self._precision)
        return found

    def _run(self, scenario: Scenario, name: str) -> Outcome:
        told = _Told(name)
        outcome = running.run(scenario, name, self._mode, self._plan_steps, told)
        told.done(outcome)
        return outcome


class _Told:
    """Progress on standard error: a share on a terminal, one line when done."""

    def __init__(self, title: str) -> None:
        self._title, self._shown = title, -1

    def __call__(self, done: int, steps: int) -> None:
        share = 100 * done // steps
        if share > self._shown and sys.stderr.isatty():
            self._shown = share
            print(f"\r{self._title} {share} %", end="", file=sys.stderr, flush=True)

    def done(self, found: Outcome) -> None:
        ready = f"{found.ready} of {found.stays} ready, peak {found.peak_w / 1000.0:,.0f} kW"
        start = "\r" if sys.stderr.isatty() else ""
        print(f"{start}{self._title}: {ready}", file=sys.stderr, flush=True)

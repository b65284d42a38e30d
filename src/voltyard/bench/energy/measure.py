"""The command ``voltyard bench energy``: cases one after the other, each told as it is done."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from voltyard.bench.energy import acnportal, bound, loop, oneshot, report, strategies
from voltyard.bench.energy.oneshot import OneShot
from voltyard.bench.energy.strategies import DEFAULT, OTHERS, TIGHT, Job
from voltyard.bench.energy.world import Fleet
from voltyard.energy import planner
from voltyard.errors import Invalid, VoltyardError

NO_SPICE_EV = "spice_ev: the package registry has no such package; its depots are read by --spice"


def main(arguments: argparse.Namespace) -> int:
    """Run the chosen cases and print their table or JSON, after ^C what there is of it.

    Raises ``Invalid``.
    """
    keys = _keys(arguments)
    planner.warm_up()
    left_out = [NO_SPICE_EV]
    python = _acnportal(keys, arguments.data_dir, left_out)
    rows: list[dict[str, Any]] = []
    shots: list[OneShot] = []
    try:
        for job in strategies.jobs(keys, arguments.seed, arguments.spice, arguments.acn):
            _run(job, python, rows)
        if "oneshot" in keys:
            _shots(arguments.seed, arguments.sizes, shots)
    except KeyboardInterrupt:
        left_out.append("what was to come when it was interrupted")
    found = report.result(rows, shots, left_out)
    print(json.dumps(found, indent=2) if arguments.as_json else report.table(found))
    return 0


def _keys(arguments: argparse.Namespace) -> list[str]:
    named = arguments.cases.split(",") if arguments.cases else list(DEFAULT)
    if not arguments.cases:
        named += ["spice"] if arguments.spice else []
        named += ["month"] if arguments.acn else []
    unknown = set(named) - {*DEFAULT, *OTHERS}
    if unknown:
        known = ", ".join((*DEFAULT, *OTHERS))
        raise Invalid(f"no such case: {', '.join(sorted(unknown))}; there are {known}")
    return named


def _acnportal(keys: Sequence[str], folder: Path, left_out: list[str]) -> Path | None:
    """Its Python, where a case wants it; a peer that cannot be had is said to be left out."""
    if not {"80", "workplace", "month"}.intersection(keys):
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return acnportal.installed(folder)
    except VoltyardError as error:
        left_out.append(error.message)
        return None


def _run(job: Job, python: Path | None, rows: list[dict[str, Any]]) -> None:
    """Adds a row for each strategy as it is done."""
    case, fleet = job.case, Fleet(job.case)
    best = bound.least_cost(case, fleet)
    rows.append(report.bound_row(case, best))
    for make in strategies.strategies(job, fleet, python):
        strategy = make()
        told = _Told(f"{case.name}: {strategy.name}")
        found = loop.run(case, fleet, strategy, told)
        rows.append(report.row(case, found, best))
        told.done(found)


def _shots(seed: int, sizes: str | None, shots: list[OneShot]) -> None:
    chosen = [int(size) for size in sizes.split(",")] if sizes else list(TIGHT)
    for vehicles in sorted(chosen):
        shots.append(oneshot.measure(vehicles, seed))
        print(f"one plan, {vehicles} vehicles: {shots[-1].plan_s:.3f} s", file=sys.stderr)


class _Told:
    """Progress on standard error: a share on a terminal, one line when done."""

    def __init__(self, title: str) -> None:
        self._title, self._shown = title, -1

    def __call__(self, done: int, steps: int) -> None:
        share = 100 * done // steps
        if share > self._shown and sys.stderr.isatty():
            self._shown = share
            print(f"\r{self._title} {share} %", end="", file=sys.stderr, flush=True)

    def done(self, found: loop.Outcome) -> None:
        ready = f"{found.ready} of {found.stays} ready, {found.cost_eur:,.0f} EUR"
        start = "\r" if sys.stderr.isatty() else ""
        print(f"{start}{self._title}: {ready}", file=sys.stderr, flush=True)

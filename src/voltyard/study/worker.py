"""A study in a process of its own: a job on standard input, progress and the outcome as JSON lines.

It is as nice as can be, keeps nothing, and ends when its parent does.
"""

import os
import sys
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import msgspec

from voltyard.energy import planner
from voltyard.energy.model import PlanMode
from voltyard.errors import VoltyardError
from voltyard.study import desk, replay, sources
from voltyard.study.desk import Desk, Moment, Wanted
from voltyard.study.model import Outcome, WhatIf, parse
from voltyard.study.orders import Order, Source, Upload
from voltyard.study.past import Past
from voltyard.study.scenario import Scenario, apply, cut
from voltyard.study.sources import Yard

NICE = 15
_TOLD_EVERY = 0.002


class Job(msgspec.Struct):
    """One line of input."""

    order: Order
    past: Past | None = None
    files: dict[str, Upload] = msgspec.field(default_factory=dict)


def main() -> int:
    """0 when an answer was written, whatever it says."""
    os.nice(NICE)
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    out = sys.stdout.buffer
    try:
        found = answer(job, out)
    except VoltyardError as error:
        found = {"refused": error.message, "faults": dict(error.fields)}
    _write(out, found)
    return 0


def answer(job: Job, out: BinaryIO) -> Mapping[str, Any]:
    """The whole study. Raises ``Invalid``."""
    order = job.order
    base = base_of(job)
    wishes = [parse(text) for text in order.cases or desk.usual(base)]
    planner.warm_up()
    wanted = Wanted(
        mode=PlanMode(order.mode),
        quick=order.quick,
        limits=order.find_limit,
        chargers=order.find_chargers,
        room=order.find_room,
        shunting_s=60.0 * order.shunting_min,
        yearly=order.yearly,
    )
    return {"done": Desk(wanted, _Told(out)).study(base, wishes)}


def base_of(job: Job) -> Scenario:
    """The base: the source, the period, and what the order changes of it. Raises ``Invalid``."""
    order = job.order
    found = _source(job)
    period = (order.from_at, order.until_at)
    if order.source is not Source.SITE and period[0] is not None and period[1] is not None:
        found = cut(found, _aware(period[0], found), _aware(period[1], found))
    if order.source is Source.DUTIES:
        return found
    wish = WhatIf(
        "base",
        limit_w=None if order.limit_kw is None else 1000.0 * order.limit_kw,
        charger_w=None if order.charger_kw is None else 1000.0 * order.charger_kw,
        chargers=order.chargers,
    )
    return apply(found, wish)


def _source(job: Job) -> Scenario:
    order = job.order
    if order.source is Source.SITE:
        assert job.past is not None
        return replay.scenario(job.past, order.seed)
    if order.source is Source.DEMO:
        return sources.demo(order.buses, order.seed)
    with TemporaryDirectory() as folder:
        os.chdir(folder)  # faults then name the file as its owner does
        try:
            paths = {use: _laid(file) for use, file in sorted(job.files.items())}
            return _of_files(order, paths)
        finally:
            os.chdir("/")


def _of_files(order: Order, paths: Mapping[str, Path]) -> Scenario:
    if order.source is Source.SPICE:
        other_w = 1000.0 * order.other_kw
        return sources.spice(paths["scenario"], order.depot or None, other_w, order.seed)
    yard = Yard(
        limit_w=1000.0 * (order.limit_kw or 0.0),
        charger_w=1000.0 * (order.charger_kw or 0.0),
        chargers=order.chargers,
        zone=order.zone,
        other_w=1000.0 * order.other_kw,
        errors=not order.as_it_was,
    )
    found = sources.duties(paths["duties"], paths["vehicles"], yard, order.seed)
    return apply(found, WhatIf("base", chargers=len(found.case.outlets)))


def _laid(file: Upload) -> Path:
    """Under its own name, without any folder."""
    path = Path(Path(file.name.replace("\\", "/")).name or "file")
    while path.exists():
        path = path.with_name(f"_{path.name}")
    path.write_text(file.content, encoding="utf-8")
    return path


def _aware(at: datetime, found: Scenario) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=found.case.tree.zone)


class _Told:
    """At every five hundredth of the whole, and at the end of each run."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._told = -1.0

    def __call__(self, moment: Moment, found: Outcome | None) -> None:
        if found is not None or moment.share >= self._told + _TOLD_EVERY:
            self._told = moment.share
            _write(self._out, {"moment": moment})


def _write(out: BinaryIO, line: object) -> None:
    out.write(msgspec.json.encode(line) + b"\n")
    out.flush()


def _end_with_parent() -> None:
    """Its end of the pipe is closed when it ends, however that happens."""
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())

"""``voltyard bench ocpp``: one load against voltyard and its peers, in turn, in the same run."""

import argparse
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from voltyard.bench import durable, processes, report, subjects
from voltyard.bench.subjects import SUBJECTS, Server, Subject
from voltyard.errors import Invalid, VoltyardError
from voltyard.process import raise_file_limit

WARMING = 50
SPARE_FILES = 200


@dataclass(frozen=True, slots=True)
class Size:
    """How much of it (``voltyard bench --help``); ``settle_s`` goes before memory is looked at."""

    connections: int
    idle: int
    rounds: int
    seconds: float
    settle_s: float = 2.0


@dataclass(slots=True)
class Course:
    """One subject on its way through the run, and what was found out about it."""

    subject: Subject
    server: Server
    load: "Load"
    idle_bytes: float = 0.0
    storm: dict[str, Any] = field(default_factory=dict)
    full: list[dict[str, Any]] = field(default_factory=list)
    half: list[dict[str, Any]] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    lost: int | None = None

    def note(self, errors: dict[str, int]) -> None:
        for what, count in errors.items():
            self.errors[what] = self.errors.get(what, 0) + count


class Load:
    """The load generator's process."""

    def __init__(self, server: Server) -> None:
        command = [sys.executable, "-m", "voltyard.bench.load", str(server.port), str(server.pid)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def tell(self, what: str, **facts: Any) -> dict[str, Any]:
        """Give an order and wait until it is done."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": what, **facts}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise VoltyardError("the load generator ended; its error is above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def main(arguments: argparse.Namespace) -> int:
    """Measure, then print a table or JSON; progress goes to standard error."""
    size = Size(arguments.connections, arguments.idle, arguments.rounds, arguments.seconds)
    wanted = _wanted(arguments.only)
    if raise_file_limit() < max(size.idle, size.connections) + SPARE_FILES:
        raise Invalid(f"--idle {size.idle} needs more open files than this system grants")
    signal.signal(signal.SIGTERM, _terminated)
    courses = measure(wanted, size, arguments.data_dir)
    result = report.result(courses, size)
    print(json.dumps(result, indent=2) if arguments.as_json else report.table(result))
    return 0


def _terminated(number: int, frame: object) -> None:
    """Leave in order: no server of the bench outlives it."""
    sys.exit(128 + number)


def measure(wanted: Sequence[Subject], size: Size, folder: Path) -> list[Course]:
    """Every subject alone through the storm, then all in turn, round by round."""
    with ExitStack() as stack:
        courses = [_begin(subject, size, folder, stack) for subject in wanted]
        _rounds(courses, size)
        for course in courses:
            if course.subject.durable:
                _check(course, folder / course.subject.key)
    return courses


def _wanted(only: str | None) -> list[Subject]:
    keys = {subject.key for subject in SUBJECTS} if only is None else set(only.split(","))
    unknown = keys - {subject.key for subject in SUBJECTS}
    if unknown:
        known = ", ".join(subject.key for subject in SUBJECTS)
        raise Invalid(f"--only knows {known}", fields={"only": ", ".join(sorted(unknown))})
    wanted = [subject for subject in SUBJECTS if subject.key in keys]
    for subject in wanted:
        need = subjects.missing(subject)
        if need is not None:
            raise Invalid(f"{subject.title} is not installed: {need}")
    return wanted


def _begin(subject: Subject, size: Size, folder: Path, stack: ExitStack) -> Course:
    """Start it; memory of idle connections; the storm; then only those that send stay."""
    _say(f"{subject.title}: {size.idle} connections, a storm")
    if subject.durable:
        shutil.rmtree(folder / subject.key, ignore_errors=True)
        stations = max(size.idle, size.connections)
        durable.furnish(folder / subject.key, stations, size.connections)
        server = subjects.start(subject, folder / subject.key)
    else:
        server = subjects.start(subject, folder)
    stack.callback(server.stop)
    load = Load(server)
    stack.callback(load.stop)
    course = Course(subject, server, load)
    course.note(load.tell("connect", count=min(WARMING, size.idle))["errors"])
    before = _settled(course, size)
    course.note(load.tell("connect", count=size.idle)["errors"])
    grown = _settled(course, size).resident_bytes - before.resident_bytes
    course.idle_bytes = grown / max(1, size.idle - WARMING)
    course.storm = load.tell("storm")
    load.tell("keep", count=size.connections)
    course.note(load.tell("connect", count=size.connections)["errors"])
    course.note(load.tell("begin")["errors"])
    return course


def _settled(course: Course, size: Size) -> processes.Usage:
    """After a moment, in which what was begun is finished."""
    time.sleep(size.settle_s)
    return processes.usage(course.server.pid)


def _rounds(courses: Sequence[Course], size: Size) -> None:
    for number in range(size.rounds):
        _say(f"round {number + 1} of {size.rounds}: as fast as it goes")
        for course in courses:
            course.full.append(course.load.tell("full", seconds=size.seconds))
    for number in range(size.rounds):
        _say(f"round {number + 1} of {size.rounds}: at half load")
        for course in courses:
            rate = median(part["answered"] / part["seconds"] for part in course.full) / 2
            course.half.append(course.load.tell("paced", seconds=size.seconds, rate=rate))
    for course in courses:
        for part in (*course.full, *course.half):
            course.note(part["errors"])


def _check(course: Course, folder: Path) -> None:
    """Every reading that was acknowledged must be stored."""
    metered = course.load.tell("metered")["metered"]
    course.server.stop()
    course.lost = max(0, metered - durable.stored_readings(folder))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)

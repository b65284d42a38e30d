"""``voltyard bench control``: limits, commands and answers with a thousand chargers connected.

The real server over real sockets: how long a lowered limit takes to the last charger, how long
a command takes beside the bare network, and what a plan in progress does to answers.
"""

import argparse
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from voltyard.bench import control_report, depot
from voltyard.bench.depot import Depot
from voltyard.bench.ocpp import SPARE_FILES
from voltyard.bench.rest import Rest
from voltyard.bench.subjects import SUBJECTS, Server, command_of, environment
from voltyard.clock import SystemClock
from voltyard.errors import Invalid, VoltyardError
from voltyard.process import raise_file_limit

ORDERS = 300
CUT_SHARE = 0.4
"""Of what all may draw at the time, what a cut leaves them."""
CUT_S = 30.0
CALM_S = 20.0
READY_S = 180.0
LOOK_S = 0.25
REPLAN_S = 17.0
COMMAND_PAUSE_S = 0.03
FLOOR_BYTES = b"x" * 300


@dataclass(frozen=True, slots=True)
class Size:
    """How much of it (``voltyard bench --help``)."""

    chargers: int
    cuts: int
    commands: int
    replans: int
    rate: float


class Yard(Server):
    """``voltyard serve``; its port for HTTP, too."""

    http_port = 0

    def _port(self, log: Path) -> int:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            console = re.search(rb"console +http://[^:]+:(\d+)", line)
            chargers = re.search(rb"chargers +ws://[^:]+:(\d+)/", line)
            if console is not None:
                self.http_port = int(console.group(1))
            if chargers is not None:
                return int(chargers.group(1))
        tail = log.read_text(errors="replace")[-800:]
        raise VoltyardError(f"the server of the bench did not start; its log ends:\n{tail}")


class Program:
    """A process of the bench that takes orders line by line."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def order(self, what: str, **facts: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, **facts}) + "\n")
        self._process.stdin.flush()

    def line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise VoltyardError("a program of the bench ended; its error is above")
        return line

    def answer(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.line())
        return found

    def tell(self, what: str, **facts: Any) -> dict[str, Any]:
        """Give an order and wait until it is done."""
        self.order(what, **facts)
        return self.answer()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


@dataclass(slots=True)
class Stage:
    """Everything that runs."""

    depot: Depot
    rest: Rest
    fleet: Program
    floor: socket.socket


def main(arguments: argparse.Namespace) -> int:
    """Measure, then print a table or JSON; progress goes to standard error."""
    orders = arguments.orders or ORDERS
    size = Size(arguments.chargers, arguments.cuts, orders, arguments.replans, arguments.rate)
    enough_files(size)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with ExitStack() as stack:
        result = measure(furnished(size, arguments.data_dir / "control", stack), size)
    print(json.dumps(result, indent=2) if arguments.as_json else control_report.table(result))
    return 0


def enough_files(size: Size) -> None:
    """Raises Invalid where the system grants fewer than so many chargers need."""
    if raise_file_limit() < size.chargers + SPARE_FILES:
        raise Invalid(f"--chargers {size.chargers} needs more open files than this system grants")


def measure(stage: Stage, size: Size) -> dict[str, Any]:
    joined = under_load(stage, size)
    _say(f"{size.replans} plans asked for")
    answers = _answers(stage, size)
    latencies, floor = commands(stage, size)
    cuts = []
    for number in range(size.cuts):
        _say(f"limit lowered, {number + 1} of {size.cuts}")
        cuts.append(_cut(stage))
    faults = stage.fleet.tell("answers")["errors"]
    return control_report.result(size, joined, answers, latencies, floor, cuts, faults)


def furnished(size: Size, folder: Path, stack: ExitStack) -> Stage:
    """Server, chargers and bare sockets, with their files below ``folder``."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _say(f"a depot of {size.chargers} chargers")
    made = depot.furnish(folder, size.chargers)
    subject = SUBJECTS[0]
    yard = Yard(command_of(subject, folder), folder / "server.log", environment())
    stack.callback(yard.stop)
    rest = Rest(yard.http_port, made.key)
    stack.callback(rest.close)
    rest.post(f"/sites/{made.site_id}/duties/import", {"duties": _duties(made), "source": "bench"})
    fleet = Program("voltyard.bench.depot_load", str(yard.port))
    stack.callback(fleet.stop)
    relay = Program("voltyard.bench.floor")
    stack.callback(relay.stop)
    near, far = map(int, relay.line().split()[1:])
    fleet.tell("echo", port=far)
    floor = stack.enter_context(socket.create_connection(("127.0.0.1", near)))
    floor.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Stage(made, rest, fleet, floor)


def _duties(made: Depot) -> list[dict[str, Any]]:
    """Everybody has been there for an hour and leaves within three to nine hours."""
    now = SystemClock().now()
    found = []
    for number, vehicle in enumerate(made.vehicles):
        if vehicle is not None:
            leaves_at = now + timedelta(hours=3, minutes=(number * 37) % 360)
            found.append(_duty(number, vehicle, now - timedelta(hours=1), leaves_at))
    return found


def _duty(
    number: int, vehicle: object, arrival_at: datetime, leaves_at: datetime
) -> dict[str, Any]:
    return {
        "external_id": f"bench-{number}",
        "vehicle_id": str(vehicle),
        "arrival_at": arrival_at.isoformat(),
        "departure_at": leaves_at.isoformat(),
        "soc_arrival_pct": 43.0,
        "target_soc_pct": 65.0,
    }


def under_load(stage: Stage, size: Size) -> dict[str, Any]:
    """Everybody charges and readings flow; how that came about."""
    joined = _bring(stage, size)
    _say(f"{size.rate:g} readings a second")
    stage.fleet.tell("flow", rate=size.rate)
    _pause(CALM_S)
    return joined


def _bring(stage: Stage, size: Size) -> dict[str, Any]:
    """Everybody connected, accepted, charging and under a limit."""
    _say("chargers connect, each accepted once its fail-safe limit is confirmed")
    joined = stage.fleet.tell("connect", count=size.chargers)
    begun = stage.fleet.tell("begin")
    _say(f"connected in {joined['seconds']:.1f} s; sessions begun")
    until_s = time.perf_counter() + READY_S
    while stage.fleet.tell("state")["limited"] < size.chargers:
        if time.perf_counter() > until_s:
            break
        _pause(1.0)
    state = stage.fleet.tell("state")
    return {
        "connect_s": joined["seconds"],
        "accepted": joined["accepted"],
        "limited": state["limited"],
        "errors": {**joined["errors"], **begun["errors"]},
    }


def _answers(stage: Stage, size: Size) -> list[tuple[float, bool]]:
    """Seconds to the answer of each reading, and whether a plan was in progress meanwhile."""
    stage.fleet.tell("answers")
    plans: list[tuple[float, float]] = []
    for number in range(size.replans):
        _ask_for_plan(stage, number)
        plans += _watched(stage, REPLAN_S)
    told = stage.fleet.tell("answers")["answers"]
    found = []
    for due_s, took_s in told:
        planning = any(due_s < end_s and due_s + took_s > begin_s for begin_s, end_s in plans)
        found.append((took_s, planning))
    return found


def _ask_for_plan(stage: Stage, number: int) -> None:
    """A duty changes: the plan is made anew."""
    of = next(place for place, vehicle in enumerate(stage.depot.vehicles) if vehicle is not None)
    now = SystemClock().now()
    leaves_at = now + timedelta(hours=4, minutes=number)
    duty = _duty(of, stage.depot.vehicles[of], now - timedelta(hours=1), leaves_at)
    path = f"/sites/{stage.depot.site_id}/duties/import"
    stage.rest.post(path, {"duties": [duty], "source": "bench"})


def _watched(stage: Stage, seconds: float) -> list[tuple[float, float]]:
    """Plans of the next ``seconds``: from when to when each was in progress, as far as seen."""
    clock = SystemClock()
    path = f"/sites/{stage.depot.site_id}/forecasts?limit=1"
    found: list[tuple[float, float]] = []
    until_s = time.perf_counter() + seconds
    before = stage.rest.get(path)["items"]
    known = before[0]["made_at"] if before else ""
    while time.perf_counter() < until_s:
        _pause(LOOK_S)
        items = stage.rest.get(path)["items"]
        if items and items[0]["made_at"] != known:
            known = items[0]["made_at"]
            age_s = (clock.now() - datetime.fromisoformat(known)).total_seconds()
            now_s = time.perf_counter()
            found.append((now_s - age_s, now_s))
    return found


def commands(stage: Stage, size: Size) -> tuple[list[float], list[float]]:
    """Seconds from a command by REST to the charger's confirmation of it in the answer, and of
    the same hops over bare sockets."""
    _say(f"{size.commands} commands, each beside the bare network")
    confirmed, floor = [], []
    for number in range(size.commands):
        station = stage.depot.stations[(number * 7) % size.chargers]
        body = {"command": "set_availability", "evse_number": 1, "operative": True}
        began_s = time.perf_counter()
        answer = stage.rest.post(f"/stations/{station}/commands", body)
        confirmed.append(time.perf_counter() - began_s)
        if not answer["accepted"]:
            raise VoltyardError(f"a charger of the bench refused a command: {answer}")
        began_s = time.perf_counter()
        stage.floor.sendall(FLOOR_BYTES)
        left = len(FLOOR_BYTES)
        while left > 0:
            left -= len(stage.floor.recv(left))
        floor.append(time.perf_counter() - began_s)
        _pause(COMMAND_PAUSE_S)
    return confirmed, floor


def _cut(stage: Stage) -> dict[str, Any]:
    """A limit of the grid connection by REST, until the last charger that must has confirmed
    less, and until the server knows that all of them did."""
    before_w = stage.fleet.tell("state")["allowed_w"]
    limit_w = before_w * CUT_SHARE
    stage.fleet.order("watch", limit_w=limit_w, timeout_s=CUT_S)
    began_s = time.perf_counter()
    _limit(stage, limit_w, timedelta(minutes=30))
    told_s = time.perf_counter()
    seen = stage.fleet.answer()
    known_s = _known(stage, limit_w, began_s)
    _limit(stage, limit_w, timedelta(seconds=0))
    _pause(CALM_S)
    confirmed_s = None if seen["at_s"] is None else max(0.0, seen["at_s"] - began_s)
    return {
        "before_w": before_w,
        "limit_w": limit_w,
        "rest_s": told_s - began_s,
        "confirmed_s": confirmed_s,
        "known_s": known_s,
        "lowered": seen["lowered"],
    }


def _limit(stage: Stage, power_w: float, lasts: timedelta) -> None:
    until_at = SystemClock().now() + lasts
    path = f"/sites/{stage.depot.site_id}/nodes/{stage.depot.root_id}/emergency-limit"
    stage.rest.post(path, {"power_w": power_w, "until_at": until_at.isoformat()})


def _known(stage: Stage, limit_w: float, began_s: float) -> float | None:
    """When the server counts its chargers at no more than the limit."""
    while time.perf_counter() < began_s + CUT_S:
        nodes = stage.rest.get(f"/sites/{stage.depot.site_id}/live")["nodes"]
        root = next(node for node in nodes if node["parent_id"] is None)
        if root["granted_w"] + root["reserved_w"] <= limit_w + 1.0:
            return time.perf_counter() - began_s
        _pause(LOOK_S)
    return None


def _pause(seconds: float) -> None:
    with suppress(InterruptedError):
        time.sleep(seconds)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)

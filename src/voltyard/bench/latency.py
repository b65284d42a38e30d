"""``voltyard bench latency``: a command from the REST call to the charger's confirmation.

The depot of ``bench control`` with its readings going on; beside each command the same hops over
bare sockets.
"""

import argparse
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from voltyard.bench import control
from voltyard.bench.control import Size, Stage
from voltyard.bench.control_report import milliseconds, shown

ORDERS = 600

_ROWS = (
    ("command by REST to confirmation, p50 ms", "command_p50_ms"),
    ("… p99 ms", "command_p99_ms"),
    ("… the slowest, ms", "command_max_ms"),
    ("the same hops over bare sockets, p50 ms", "floor_p50_ms"),
    ("… p99 ms", "floor_p99_ms"),
    ("… the slowest, ms", "floor_max_ms"),
)


def main(arguments: argparse.Namespace) -> int:
    """Measure, then print a table or JSON; progress goes to standard error."""
    size = Size(
        arguments.chargers,
        cuts=0,
        commands=arguments.orders or ORDERS,
        replans=0,
        rate=arguments.rate,
    )
    control.enough_files(size)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with ExitStack() as stack:
        found = measure(control.furnished(size, arguments.data_dir / "latency", stack), size)
    print(json.dumps(found, indent=2) if arguments.as_json else table(found))
    return 0


def measure(stage: Stage, size: Size) -> dict[str, Any]:
    joined = control.under_load(stage, size)
    commands, floor = control.commands(stage, size)
    return result(size, joined, commands, floor, stage.fleet.tell("answers")["errors"])


def result(
    size: Size,
    joined: Mapping[str, Any],
    commands: Sequence[float],
    floor: Sequence[float],
    faults: Mapping[str, int],
) -> dict[str, Any]:
    """Stable keys; null where nothing was measured."""
    return {
        "chargers": size.chargers,
        "rate": size.rate,
        "orders": len(commands),
        "connect_s": joined["connect_s"],
        "accepted": joined["accepted"],
        "limited": joined["limited"],
        "command_p50_ms": milliseconds(commands, 0.50),
        "command_p99_ms": milliseconds(commands, 0.99),
        "command_max_ms": milliseconds(commands, 1.0),
        "floor_p50_ms": milliseconds(floor, 0.50),
        "floor_p99_ms": milliseconds(floor, 0.99),
        "floor_max_ms": milliseconds(floor, 1.0),
        "errors": {**joined["errors"], **faults},
    }


def table(found: Mapping[str, Any]) -> str:
    lines = [
        f"{found['chargers']} chargers, {found['rate']:g} readings a second,"
        f" {found['orders']} commands"
    ]
    lines += [f"{title:56} {shown(found[key]):>10}" for title, key in _ROWS]
    if found["errors"]:
        lines.append(f"errors: {found['errors']}")
    return "\n".join(lines)

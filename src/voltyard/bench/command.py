"""The command ``voltyard bench``: which measurements, how their figures are printed."""

import argparse
import asyncio
import json
from typing import Any

from voltyard.bench import control, latency, ocpp, plan, storage
from voltyard.bench.energy import measure as energy
from voltyard.bench.figures import Figure

ROUNDS = 5


def main(arguments: argparse.Namespace) -> int:
    """Run the chosen benches and print their table or JSON; ``all`` leaves out the long ones."""
    if arguments.what == "ocpp":
        return ocpp.main(arguments)
    if arguments.what == "control":
        return control.main(arguments)
    if arguments.what == "latency":
        return latency.main(arguments)
    if arguments.what == "energy":
        return energy.main(arguments)
    figures: list[Figure] = []
    if arguments.what in {"all", "plan"}:
        figures += plan.measure(ROUNDS)
    if arguments.what in {"all", "storage"}:
        figures += asyncio.run(storage.measure(ROUNDS))
    if arguments.as_json:
        print(json.dumps([_row(figure) for figure in figures], indent=2))
    else:
        _print(figures)
    return 0


def _row(figure: Figure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "median": figure.median,
        "unit": figure.unit,
        "rounds": figure.rounds,
        "peer": figure.peer,
        "ratio": figure.ratio,
    }


def _print(figures: list[Figure]) -> None:
    for figure in figures:
        ratio = "" if figure.ratio is None else f"  {figure.ratio:8.2f} × {figure.peer}"
        print(f"{figure.name:58} {figure.median:12.4g} {figure.unit:8}{ratio}")

"""``voltyard nights``: many seeded nights with faults, each judged against every promise."""

import argparse
import logging
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from voltyard.errors import Invalid
from voltyard.simulator import nights_random, promises, runner
from voltyard.simulator.demo import demo_depot
from voltyard.simulator.night import fault_plans

log = logging.getLogger(__name__)

FAULTS = ("light", "links", "reboots", "liar", "heavy")
LIMITS_W = (37_500.0, 25_000.0, 16_000.0)
"""The grid limit for each bus: ample, binding, and too little for all to be ready."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One night: how many were ready, and what was broken."""

    seed: int
    faults: str
    limit_w: float
    ready: int
    duties: int
    broken: tuple[str, ...]


def judge(seed: int, faults: str, vehicles: int, factory: str, keep: Path | None = None) -> Verdict:
    """Run the night of a seed. ``factory`` is ``module:function`` (a worker imports it)."""
    module, name = factory.split(":")
    make_host = getattr(import_module(module), name)
    chosen = FAULTS[seed % len(FAULTS)] if faults == "mixed" else faults
    limit_w = vehicles * LIMITS_W[seed // len(FAULTS) % len(LIMITS_W)]
    depots = [demo_depot(seed, vehicles, limit_w=limit_w)]
    crash = runner.crash_of(depots, seed)
    night = runner.simulate(depots, make_host, seed=seed, faults=chosen, crash=crash, keep=keep)
    ready = sum(stay.ready for stay in night.stays)
    broken = tuple(promises.broken(night))
    return Verdict(seed, chosen, limit_w, ready, len(night.stays), broken)


def seeds_of(text: str) -> range:
    """``3`` or ``0-199``; Invalid for anything else, and for a range that holds none."""
    first, dash, last = text.partition("-")
    numbers = first.isdigit() and (last.isdigit() or not dash)
    if not numbers or int(last or first) < int(first):
        raise Invalid(f"{text!r} is not a seed or a range such as 0-199")
    return range(int(first), int(last or first) + 1)


def main(arguments: argparse.Namespace, factory: str) -> int:
    """Print each seed as it ends; exit status 3 if any promise was broken (1 of random depots)."""
    seeds = seeds_of(arguments.seeds)
    if arguments.random_depots:
        return nights_random.main(arguments, seeds)
    if arguments.resume is not None:
        raise Invalid("--resume goes with --random-depots")
    if arguments.workers < 1:
        raise Invalid("--workers is 1 or more")
    if arguments.keep is not None and len(seeds) > 1:
        raise Invalid("--keep keeps the database of one night: name a single seed")
    depot = demo_depot(seeds[0], arguments.vehicles)
    if arguments.faults != "mixed":
        fault_plans([depot], arguments.faults, seeds[0])
    failed: list[Verdict] = []
    with ProcessPoolExecutor(arguments.workers) as pool:
        running = {
            pool.submit(
                judge, seed, arguments.faults, arguments.vehicles, factory, arguments.keep
            ): seed
            for seed in seeds
        }
        for count, done in enumerate(as_completed(running), start=1):
            verdict = _verdict(done, running[done])
            _print(verdict, count, len(seeds))
            if verdict.broken:
                failed.append(verdict)
    _close(failed, len(seeds), arguments)
    return 3 if failed else 0


def _verdict(done: "Future[Verdict]", seed: int) -> Verdict:
    """A night that could not be run to its end is a broken one, and the others go on."""
    error = done.exception()
    if error is None:
        return done.result()
    log.error("night %d ended", seed, exc_info=error)
    return Verdict(seed, "unknown", 0.0, 0, 0, (f"the night ended with {error!r}",))


def _print(verdict: Verdict, count: int, total: int) -> None:
    state = "BROKEN" if verdict.broken else "kept"
    print(
        f"[{count}/{total}] seed {verdict.seed} {verdict.faults},"
        f" {verdict.limit_w / 1000:.0f} kW: {state}, {verdict.ready} of {verdict.duties} ready",
        flush=True,
    )
    for line in verdict.broken:
        print(f"    {line}", flush=True)


def _close(failed: Sequence[Verdict], total: int, arguments: argparse.Namespace) -> None:
    print(f"{total - len(failed)} nights kept every promise, {len(failed)} did not")
    for verdict in failed:
        print(
            f"  again: voltyard nights --seeds {verdict.seed} --faults {arguments.faults}"
            f" --vehicles {arguments.vehicles} --workers 1",
            file=sys.stderr,
        )

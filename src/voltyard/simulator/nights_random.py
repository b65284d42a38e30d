"""``voltyard nights --random-depots``: promise 1 over depots drawn at random, night after night."""

import argparse
import gc
import logging
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from voltyard.clock import ScaledClock, seeded
from voltyard.errors import Invalid
from voltyard.simulator.loop import run_virtual
from voltyard.simulator.nights_charger import Charger, Mood, Outlet
from voltyard.simulator.nights_depot import START, random_depot
from voltyard.simulator.nights_policies import random_policies, random_prices
from voltyard.simulator.nights_world import World, build
from voltyard.sites.limits import limit_w

SETTLE_S = 90.0
EVENTS = 120
"""Two hours, with something happening every minute or so."""
SHOWN = 5
GARBAGE = 50_000
"""Objects between two collections: nights leave little that goes in circles."""


@dataclass(frozen=True, slots=True)
class RandomVerdict:
    """One night: how often nodes were looked at, how much flowed, and where it was too much."""

    seed: int
    shape: str
    samples: int
    energy_wh: float
    exceeded: tuple[str, ...]


def judge_depot(seed: int) -> RandomVerdict:
    """The night of a seed, in virtual time."""
    return run_virtual(lambda clock: _night(clock, seed), START)


async def _night(clock: ScaledClock, seed: int) -> RandomVerdict:
    depot = random_depot(seed)
    drawn = seeded(seed, "policies")
    policies = random_policies(drawn, depot.tree)
    world = build(depot, clock, policies, random_prices(drawn, START))
    await world.start()
    for charger in world.chargers:
        world.connect(charger)
    await world.wait(SETTLE_S)
    chance = seeded(seed, "events")
    calm = world.meter is not None
    for charger in world.chargers:
        charger.mood = _mood(chance, calm=calm)
    energy_wh, down_until = 0.0, None
    for _ in range(EVENTS):
        pause_s = chance.uniform(1.0, 120.0)
        flows_w = sum(o.power_w() for c in world.chargers for o in c.outlets)
        energy_wh += flows_w * pause_s / 3600.0
        await world.wait(pause_s)
        world.ledger.broken = world.ledger.broken and chance.random() < 0.5
        down_until = await _process(world, chance, down_until, calm=calm)
        _something(world, chance, calm=calm)
        if world.judge.exceeded:
            break
    exceeded = tuple(world.judge.exceeded[:SHOWN])
    await world.end()
    return RandomVerdict(seed, depot.shape, world.judge.samples, energy_wh, exceeded)


def _mood(chance: Random, *, calm: bool) -> Mood:
    worst = 0.0 if calm else chance.choice([0.0, 0.0, 0.05, 0.2])
    slowest_s = 2.0 if calm else chance.choice([0.5, 5.0, 25.0])
    return Mood((0.05, slowest_s), worst, worst / 2.0, worst, worst)


async def _process(
    world: World, chance: Random, down_until: datetime | None, *, calm: bool
) -> datetime | None:
    """The server dies now and then, and is back after a second or a quarter of an hour."""
    now = world.clock.now()
    if down_until is not None:
        if now < down_until:
            return down_until
        await world.start()
        return None
    if calm or chance.random() >= 0.04:
        return None
    await world.crash()
    world.ledger.broken = False
    return now + timedelta(seconds=chance.uniform(1.0, 900.0))


def _something(world: World, chance: Random, *, calm: bool) -> None:
    """What happens next: vehicles mostly, then links, chargers, people, the grid, the disk."""
    charger = chance.choice(world.chargers)
    outlet = chance.choice(charger.outlets)
    roll = chance.random()
    if roll < 0.45:
        _vehicle(world, charger, outlet, chance)
    elif roll < 0.55 and charger.link is not None and not charger.boots and not calm:
        world.lose(charger)
    elif roll < 0.60 and not calm:
        world.restart(charger, forgets=chance.random() < 0.5)
    elif roll < 0.80:
        _come_back(world, chance)
    elif world.controller is not None:
        _told(world, charger, outlet, chance, calm=calm)


def _vehicle(world: World, charger: Charger, outlet: Outlet, chance: Random) -> None:
    if charger.boots or not outlet.operative:
        return
    if outlet.transaction is None:
        world.plug_in(charger, outlet)
    elif chance.random() < 0.3:
        outlet.wants_w = chance.choice((0.0, outlet.evse.max_power_w / 3.0, 1e9))
        world.judge.check()
    else:
        world.unplug(charger, outlet)


def _come_back(world: World, chance: Random) -> None:
    if world.controller is None:
        return
    for charger in world.chargers:
        if charger.link is None and not charger.boots and chance.random() < 0.5:
            world.connect(charger)


def _told(world: World, charger: Charger, outlet: Outlet, chance: Random, *, calm: bool) -> None:
    roll = chance.random()
    if roll < 0.3:
        _signal(world, chance, calm=calm)
    elif roll < 0.5 and outlet.abilities.discharges:
        world.discharge(outlet, chance.uniform(5_000.0, 40_000.0), chance.uniform(120.0, 1800.0))
    elif roll < 0.7 and world.meter is not None:
        world.meter.silent = not world.meter.silent
    elif roll < 0.9 and world.meter is not None:
        world.meter.aim_w = chance.uniform(0.0, world.meter.most_w)
    elif roll < 0.8 and not calm and charger.link is not None and charger.mood.is_sound:
        if outlet.transaction is not None and not charger.boots:
            outlet.lies_since = world.clock.now()
    elif not calm:
        world.ledger.broken = True


def _signal(world: World, chance: Random, *, calm: bool) -> None:
    nodes = [n for n in world.judge.tree.nodes if n.limits and (n.parent_id or not calm)]
    if nodes:
        node = chance.choice(nodes)
        allowed_w = limit_w(node, world.clock.now(), world.depot.tree.zone)
        power_w = min(allowed_w, 200_000.0) * chance.uniform(0.3, 0.9)
        world.signal(node.id, power_w, chance.uniform(120.0, 1800.0))


def main(arguments: argparse.Namespace, seeds: range) -> int:
    """Each seed as it ends; exit status 1 if any node was ever over."""
    if arguments.workers < 1:
        raise Invalid("--workers is 1 or more")
    done = _done(arguments.resume, seeds)
    left = [seed for seed in seeds if seed not in done]
    if done:
        print(f"{len(done)} of {len(seeds)} nights are in {arguments.resume} already", flush=True)
    failed: list[RandomVerdict] = []
    samples, energy_wh = 0, 0.0
    with ProcessPoolExecutor(arguments.workers) as pool:
        running = [pool.submit(_work, seed) for seed in left]
        for count, each in enumerate(as_completed(running), start=len(done) + 1):
            verdict = each.result()
            samples, energy_wh = samples + verdict.samples, energy_wh + verdict.energy_wh
            _print(verdict, count, len(seeds))
            if verdict.exceeded:
                failed.append(verdict)
            elif arguments.resume is not None:
                _note(arguments.resume, verdict.seed)
    print(
        f"{len(left) - len(failed)} nights without a violation, {len(failed)} with one;"
        f" {samples} samples of nodes, {energy_wh / 1e6:.1f} MWh charged"
    )
    for verdict in failed:
        again = f"voltyard nights --random-depots --seeds {verdict.seed}"
        print(f"  again: {again}", file=sys.stderr)
    return 1 if failed else 0


def _work(seed: int) -> RandomVerdict:
    """In a process of its own; what chargers do wrong on purpose is not worth a log line."""
    logging.getLogger("voltyard").setLevel(logging.CRITICAL)
    gc.freeze()
    gc.set_threshold(GARBAGE)
    return judge_depot(seed)


def _print(verdict: RandomVerdict, count: int, total: int) -> None:
    state = "OVER" if verdict.exceeded else "kept"
    print(f"[{count}/{total}] seed {verdict.seed}: {state} ({verdict.shape})", flush=True)
    for line in verdict.exceeded:
        print(f"    {line}", flush=True)


def _done(path: Path | None, seeds: range) -> set[int]:
    """Seeds that a run before this one has found good."""
    if path is None or not path.exists():
        return set()
    words = path.read_text(encoding="ascii").split()
    return {int(word) for word in words if word.isdigit()}.intersection(seeds)


def _note(path: Path, seed: int) -> None:
    with path.open("a", encoding="ascii") as lines:
        lines.write(f"{seed}\n")

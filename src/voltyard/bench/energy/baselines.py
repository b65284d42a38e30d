"""What is commonly done: full power, equal shares, and lists served from the top.

All but the uncontrolled one obey every node's limit; none knows prices or who will come.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from voltyard.bench.energy.case import Floats
from voltyard.bench.energy.stopwatch import timed
from voltyard.bench.energy.world import Ints, World

PACE_MIN = 5
"""As in acnportal's simulator, whose lists these are."""
_LEAST_SHARE_W = 1.0
_TURN_STEPS = 3


class Strategy(Protocol):
    """Looks at the world every ``pace_min`` minutes of a step and commands all who are there."""

    name: str
    pace_min: int

    def look(self, world: World) -> None: ...

    def close(self) -> None: ...


class Listed:
    """Vehicles in an order; each takes what its nodes still have, nothing below its minimum."""

    def __init__(self, name: str, key: Callable[[World], Floats]) -> None:
        self.name, self.pace_min = name, PACE_MIN
        self._key = key

    def look(self, world: World) -> None:
        order = np.argsort(self._key(world), kind="stable")
        granted_w, seconds = timed(lambda: serve(world, order))
        world.measured.allocate_s.append(seconds)
        world.command(granted_w)

    def close(self) -> None:
        """Nothing is held."""


def serve(world: World, order: Ints) -> Floats:
    """Down the list: the least of what it takes and what is left on its path to the root."""
    free_w = world.free_w().tolist()
    takes_w, least_w = world.takes_w.tolist(), world.fleet.least_w[world.rows].tolist()
    paths = world.fleet.paths[world.rows].tolist()
    granted_w = np.zeros(len(world.rows))
    for place in order.tolist():
        path = paths[place]
        power_w = min(takes_w[place], min([free_w[node] for node in path]))
        if power_w <= 0.0 or power_w < least_w[place]:
            continue
        granted_w[place] = power_w
        for node in path:
            free_w[node] -= power_w
    return granted_w


def by_arrival(world: World) -> Floats:
    found: Floats = world.fleet.arrival[world.rows].astype(np.float64)
    return found


def by_departure(world: World) -> Floats:
    found: Floats = world.fleet.departure[world.rows].astype(np.float64)
    return found


def by_laxity(world: World) -> Floats:
    """Time left beyond what the rest takes at full power, through the charge curve."""
    return world.left_s - world.fleet.seconds_to_target(world.rows, world.soc_pct)


class Uncontrolled:
    """Everybody at full power from plug-in on, whatever the limits are."""

    name = "uncontrolled"
    pace_min = PACE_MIN

    def look(self, world: World) -> None:
        world.command(world.fleet.most_w[world.rows].copy())

    def close(self) -> None:
        """Nothing is held."""


class RoundRobin:
    """Equal shares on the tree; where a share is below the minimum, turns of a quarter hour."""

    name = "round robin"
    pace_min = PACE_MIN

    def __init__(self) -> None:
        self._turn = 0

    def look(self, world: World) -> None:
        granted_w, seconds = timed(lambda: self._share(world))
        world.measured.allocate_s.append(seconds)
        world.command(granted_w)

    def close(self) -> None:
        """Nothing is held."""

    def _share(self, world: World) -> Floats:
        count = len(world.rows)
        if world.step % _TURN_STEPS == 0:
            self._turn += 1
        paths, takes_w = world.fleet.paths[world.rows], world.takes_w
        least_w = np.maximum(world.fleet.least_w[world.rows], _LEAST_SHARE_W)
        free_w = world.free_w()
        granted_w = np.zeros(count)
        turn = (np.arange(count) + self._turn * max(1, count // 4)) % max(1, count)
        for place in np.argsort(turn, kind="stable").tolist():
            path = paths[place]
            if takes_w[place] >= least_w[place] and free_w[path].min() >= least_w[place]:
                granted_w[place] = least_w[place]
                free_w[path] -= least_w[place]
        return _fill(granted_w, takes_w, paths, free_w)


def _fill(granted_w: Floats, takes_w: Floats, paths: Ints, free_w: Floats) -> Floats:
    """Raise all that have a share alike, until for each its own or a node's end is reached."""
    active = (granted_w > 0.0) & (takes_w > granted_w)
    nodes = len(free_w)
    while active.any():
        here = paths[active]
        count = np.bincount(here.ravel(), minlength=nodes)
        used = count > 0
        more_w = min(
            float((free_w[used] / count[used]).min()),
            float((takes_w - granted_w)[active].min()),
        )
        granted_w[active] += max(0.0, more_w)
        free_w = free_w - count * max(0.0, more_w)
        blocked = (free_w <= 1e-6) & used
        active &= (takes_w - granted_w > 1e-6) & ~blocked[paths].any(axis=1)
    return granted_w

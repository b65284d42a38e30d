"""Sharing a slot's planned total among stays so that few chargers start and stop."""

from typing import NamedTuple

import numpy as np

from voltyard.energy.compiled import compiled
from voltyard.energy.flow import Bools, Ints, Network
from voltyard.energy.taper import Floats, Vehicles, able

STICKY_S = 7200.0
"""A charging vehicle keeps its turn until another is this much more urgent."""
_URGENT_S = 0.0
_LATE_S = 1e9


class Preferences(NamedTuple):
    """By stay: most power, least power that makes sense, charging now, short anyway, priority, and
    whether it must come before all others because its taper leaves no time to lose."""

    max_w: Floats
    min_w: Floats
    running: Bools
    late: Bools
    priority: Floats
    first: Bools


@compiled
def share(
    net: Network,
    cars: Vehicles,
    wishes: Preferences,
    present_s: Floats,
    need: Ints,
    sticky_s: float,
) -> None:
    """Fill the network slot by slot, least laxity first; ``need`` is reduced in place.

    Laxity is the time left beyond what the need takes at full power. A slot's total is bounded by
    the root's capacity, so the caller sets that to the planned profile. No vehicle is given more
    than its charge curve takes after what it was given before.
    """
    stays, slots = present_s.shape
    ahead = np.zeros(stays, dtype=np.int64)
    for stay in range(stays):
        ahead[stay] = net.stay_cap[stay].sum() - net.taken[stay].sum()
    running = wishes.running.copy()
    key = np.empty(stays)
    given_wh = np.zeros(stays)
    for slot in range(slots):
        for stay in range(stays):
            key[stay] = np.inf
            given_wh[stay] += net.taken[stay, slot]
            free = net.stay_cap[stay, slot] - net.taken[stay, slot]
            if need[stay] > 0 and free > 0:
                slack_wh = float(ahead[stay] - need[stay])
                key[stay] = slack_wh * 3600.0 / max(wishes.max_w[stay], 1.0) + wishes.priority[stay]
                if wishes.first[stay] or key[stay] < _URGENT_S:
                    key[stay] -= _LATE_S
                elif running[stay]:
                    key[stay] -= sticky_s
                if wishes.late[stay]:
                    key[stay] += 2.0 * _LATE_S
            ahead[stay] -= free
        for stay in np.argsort(key):
            if key[stay] == np.inf:
                break
            before = net.taken[stay, slot]
            amount = min(need[stay], net.stay_cap[stay, slot] - before)
            node = net.node_of_stay[stay]
            while node >= 0:
                amount = min(amount, net.cap[node, slot] - net.used[node, slot])
                node = net.parent[node]
            if amount > 0:
                able_wh = able(cars, stay, given_wh[stay] - before, present_s[stay, slot]) - before
                amount = min(amount, np.int64(able_wh))
            least = wishes.min_w[stay] * present_s[stay, slot] / 3600.0
            running[stay] = amount > 0 and (amount + before >= least or amount == need[stay])
            if running[stay]:
                net.taken[stay, slot] += amount
                need[stay] -= amount
                given_wh[stay] += amount
                node = net.node_of_stay[stay]
                while node >= 0:
                    net.used[node, slot] += amount
                    node = net.parent[node]

"""The allocator's engine: vehicles served one after the other as far as every node allows.

Compiled. It knows numbers only: candidates in the order given, nodes by ``Circuit``. Everything is
in few arrays, since handing over many costs more than what is done with them.
"""

from typing import NamedTuple

import numpy as np

from voltyard.energy.circuit import Bools, Floats, Ints
from voltyard.energy.compiled import compiled, inlined

URGENT, HELD, PLANNED, LATE, DONE, UNPLANNED = range(6)
"""Tiers, the first served first."""
FULL, LIMIT, MINIMUM, PLAN, DEAD_BAND = range(5)
"""Why a grant is not higher."""
SOUND, BELOW_LEAST, ABOVE_WANT, NODE_OVER = range(4)
"""What a recount finds."""

WANT_W, LAXITY_S, PRIORITY, LEAST_W, CURRENT_W, IS_LATE, WHOLE_AMPS, FIRM_W = range(8)
"""The first columns of ``Deal.crowd``, as in ``Candidate``."""
PLAN_W, WAITED_S, TOLD = 8, 9, 10
"""No plan is not a number, nor is an unknown time since it last started or stopped. So many columns
are told by the candidate."""
PER_AMP, VOLTAGE_V, GRANTED_W, COLUMNS = range(10, 14)
"""The others: ``PER_AMP`` is the number of phases."""
LEAF, PHASES, TIER, CALMED, MARKS = range(5)
"""Columns of ``Deal.marks``: ``PHASES`` has bit 0 for L1, and so on."""
FREE_W, FREE_A, BUDGET_W, FIGURES = 0, 1, 4, 5
"""Columns of ``Deal.room``, amps by phase; the budget is infinite where there is power to waste."""
ABOVE, AMPS_ABOVE = 0, 1
"""Columns of ``Deal.tree``: the parent; whether amps are limited at the node or above it."""


class Deal(NamedTuple):
    """Candidates by row, nodes by row, and what is left of the budget."""

    crowd: Floats
    marks: Ints
    tree: Ints
    room: Floats
    left_w: Floats


class Rules(NamedTuple):
    """As in ``AllocationInput``; a budget that is not a number is the sum of all plans."""

    budget_w: float
    opportunistic: bool
    dead_band_w: float
    sticky_s: float
    min_on_s: float
    rotate_s: float
    urgent_s: float
    critical_s: float
    protect_s: float


@compiled
def keep(tree: Ints, room: Floats, leaves: Ints, phases: Ints, loads: Floats) -> None:
    """Take what is reserved: power, phases and their voltage by row of ``loads``."""
    for which in range(leaves.shape[0]):
        power_w, per_amp, voltage_v = loads[which]
        take(tree, room, leaves[which], power_w, power_w / (per_amp * voltage_v), phases[which])


@compiled
def rank(deal: Deal, rules: Rules) -> tuple[Floats, Floats]:
    """Set each tier; two keys by candidate: among one tier, the lower one is served first."""
    count = deal.crowd.shape[0]
    first, second = np.empty(count), np.empty(count)
    for who in range(count):
        me = deal.crowd[who]
        charging = me[CURRENT_W] > 0.0
        left_s = me[LAXITY_S] - (rules.sticky_s if charging else 0.0)
        tier = deal.marks[who, TIER] = _tier(me, rules)
        if tier == UNPLANNED:
            first[who], second[who] = me[PRIORITY], _turn(me, rules)
        elif tier == DONE:
            first[who], second[who] = me[PRIORITY], 0.0 if charging else 1.0
        elif tier in (URGENT, LATE):
            first[who], second[who] = me[PRIORITY], left_s
        else:
            first[who], second[who] = left_s, me[PRIORITY]
    return first, second


@inlined
def _tier(me: Floats, rules: Rules) -> int:
    if np.isnan(me[PLAN_W]):
        return UNPLANNED
    if me[IS_LATE] > 0.0:
        return LATE
    if me[LAXITY_S] == np.inf:
        return DONE
    if me[LAXITY_S] < rules.urgent_s:
        return URGENT
    if me[CURRENT_W] > 0.0 and me[WAITED_S] < rules.min_on_s:
        return HELD
    return PLANNED


@inlined
def _turn(me: Floats, rules: Rules) -> float:
    """Rotation of vehicles without a plan: fresh turns last, then the longest wait is next."""
    if np.isnan(me[WAITED_S]):
        return 0.0
    if me[CURRENT_W] <= 0.0:
        return float(-me[WAITED_S])
    return -np.inf if me[WAITED_S] < rules.rotate_s else float(me[WAITED_S])


@compiled
def settle(
    deal: Deal, rules: Rules, order: Ints, was_over: Bools, slack_w: float, slack_a: float
) -> tuple[int, Ints]:
    """Serve, recount from nothing, and the reasons: what was found, why and where by candidate."""
    fresh = deal.room.copy()
    serve(deal, rules, order)
    found = recount(deal, fresh, was_over, slack_w, slack_a)
    return found, reasons(deal)


@compiled
def serve(deal: Deal, rules: Rules, order: Ints) -> None:
    """Set every grant and who is calmed; what is granted is taken from the room.

    The plan's shares first; where somebody is urgent, those with time to spare give way.
    """
    crowd, tier = deal.crowd, deal.marks[:, TIER]
    crowd[:, GRANTED_W] = 0.0
    deal.left_w[0] = rules.budget_w
    if np.isnan(rules.budget_w):
        deal.left_w[0] = 0.0
        for who in range(crowd.shape[0]):
            deal.left_w[0] += 0.0 if tier[who] == UNPLANNED else crowd[who, PLAN_W]
    _firmly(deal, order)
    _pressed(deal, rules, order)
    for who in order:
        if tier[who] == HELD:
            _raise(deal, who, _share(crowd[who], tier[who]), False)
    for who in order:
        if tier[who] == HELD or tier[who] == PLANNED:
            _raise(deal, who, _within_nodes(deal, who), True)
    for who in order:
        if tier[who] != UNPLANNED:
            _raise(deal, who, _share(crowd[who], tier[who]), True)
    _use_up(deal, order)
    budget_w = deal.left_w[0]
    for who in order:
        if tier[who] == UNPLANNED:
            _raise(deal, who, crowd[who, WANT_W], False)
    deal.left_w[0] = budget_w
    if rules.opportunistic:
        for who in order:
            if tier[who] != UNPLANNED:
                _raise(deal, who, crowd[who, WANT_W], False)
    _calm(deal, rules, order)


@compiled
def _firmly(deal: Deal, order: Ints) -> None:
    """What must run, the most important first; the plan's budgets are without it."""
    crowd = deal.crowd
    if not (crowd[:, FIRM_W] > 0.0).any():
        return
    budget_w = deal.left_w[0]
    for who in order[np.argsort(crowd[:, PRIORITY][order], kind="mergesort")]:
        if crowd[who, FIRM_W] <= 0.0:
            continue
        _raise(deal, who, crowd[who, FIRM_W], False)
        node = deal.marks[who, LEAF]
        while node >= 0:
            deal.room[node, BUDGET_W] += crowd[who, GRANTED_W]
            node = deal.tree[node, ABOVE]
    deal.left_w[0] = budget_w


@compiled
def _pressed(deal: Deal, rules: Rules, order: Ints) -> None:
    """Whoever has little time gets its share of the plan at once; the urgent all they take."""
    crowd, tier = deal.crowd, deal.marks[:, TIER]
    any_urgent = False
    for who in order:
        any_urgent = any_urgent or tier[who] == URGENT
    if not any_urgent:
        return
    for who in order:
        calm = tier[who] == UNPLANNED or tier[who] == LATE
        if not calm and crowd[who, LAXITY_S] < rules.protect_s:
            _raise(deal, who, _share(crowd[who], tier[who]), False)
    for who in order:
        if tier[who] == URGENT:
            bounded = crowd[who, LAXITY_S] >= rules.critical_s
            _raise(deal, who, crowd[who, WANT_W], bounded)


@compiled
def _use_up(deal: Deal, order: Ints) -> None:
    """Power others left of the planned total: running vehicles first, then paused ones."""
    crowd, tier = deal.crowd, deal.marks[:, TIER]
    running = crowd[:, GRANTED_W] > 0.0
    for turn in (True, False):
        for who in order:
            if tier[who] != UNPLANNED and running[who] == turn:
                _raise(deal, who, crowd[who, WANT_W], True)


@inlined
def _raise(deal: Deal, who: int, target_w: float, bounded: bool) -> None:
    """Raise a grant towards ``target_w``, as far as the nodes (and the budget) allow."""
    me = deal.crowd[who]
    held_w = me[GRANTED_W]
    more_w = min(target_w, me[WANT_W]) - held_w
    if bounded:
        more_w = min(more_w, deal.left_w[0])
    if more_w <= 0.0:
        return
    more_w = min(more_w, _room(deal, who))
    new_w = usable(me, held_w + more_w)
    if new_w > held_w:
        _set(deal, who, new_w)
        deal.left_w[0] -= new_w - held_w


@inlined
def _set(deal: Deal, who: int, power_w: float) -> None:
    me = deal.crowd[who]
    more_w = power_w - me[GRANTED_W]
    me[GRANTED_W] = power_w
    node = deal.marks[who, LEAF]
    current_a = more_w / (me[PER_AMP] * me[VOLTAGE_V])
    take(deal.tree, deal.room, node, more_w, current_a, deal.marks[who, PHASES])
    while node >= 0:
        deal.room[node, BUDGET_W] -= more_w
        node = deal.tree[node, ABOVE]


@inlined
def take(
    tree: Ints, room: Floats, node: int, power_w: float, current_a: float, phases: int
) -> None:
    """Count power, and current on each of ``phases``, at the node and all above it."""
    while node >= 0:
        room[node, FREE_W] -= power_w
        if tree[node, AMPS_ABOVE]:
            for phase in range(3):
                if phases >> phase & 1:
                    room[node, FREE_A + phase] -= current_a
        node = tree[node, ABOVE]


@inlined
def _room_at(deal: Deal, who: int, node: int) -> float:
    """Free power at one node; negative when it is over."""
    free_w = deal.room[node, FREE_W]
    if not deal.tree[node, AMPS_ABOVE]:
        return float(free_w)
    least_a, phases = np.inf, deal.marks[who, PHASES]
    for phase in range(3):
        if phases >> phase & 1:
            least_a = min(least_a, deal.room[node, FREE_A + phase])
    return float(min(free_w, least_a * deal.crowd[who, PER_AMP] * deal.crowd[who, VOLTAGE_V]))


@inlined
def _room(deal: Deal, who: int) -> float:
    """Power the EVSE could have on top, by the tightest node on its path; at least 0."""
    least_w, node = np.inf, deal.marks[who, LEAF]
    while node >= 0:
        least_w = min(least_w, _room_at(deal, who, node))
        node = deal.tree[node, ABOVE]
    return max(0.0, least_w)


@inlined
def _tightest(deal: Deal, who: int) -> int:
    """The node on the EVSE's path with the least room, the lowest one when equal."""
    node = found = deal.marks[who, LEAF]
    least_w = np.inf
    while node >= 0:
        here_w = _room_at(deal, who, node)
        if here_w < least_w:
            least_w, found = here_w, node
        node = deal.tree[node, ABOVE]
    return int(found)


@inlined
def _within_nodes(deal: Deal, who: int) -> float:
    """All it can take, as far as the plan leaves it at the nodes that it fills."""
    left_w, node = np.inf, deal.marks[who, LEAF]
    while node >= 0:
        left_w = min(left_w, deal.room[node, BUDGET_W])
        node = deal.tree[node, ABOVE]
    return float(min(deal.crowd[who, WANT_W], deal.crowd[who, GRANTED_W] + max(0.0, left_w)))


@inlined
def _share(me: Floats, tier: int) -> float:
    """Power from the plan alone: its own, rounded up to the least power when that is near."""
    plan_w, least_w = me[PLAN_W], me[LEAST_W]
    if me[FIRM_W] > 0.0:
        return float(me[FIRM_W] + plan_w)
    if tier == HELD:
        return float(max(plan_w, least_w))
    if plan_w >= least_w:
        return float(plan_w)
    near = plan_w > 0.0 and (me[CURRENT_W] > 0.0 or 2.0 * plan_w >= least_w)
    return float(least_w) if near else 0.0


@inlined
def usable(me: Floats, power_w: float) -> float:
    """The highest power up to ``power_w`` the EVSE can be set to: 0, or at least the least."""
    if me[WHOLE_AMPS] > 0.0:
        current_a = np.floor(power_w / (me[PER_AMP] * me[VOLTAGE_V]) + 1e-9)
        power_w = max(0.0, current_a) * me[PER_AMP] * me[VOLTAGE_V]
    return power_w if power_w > 0.0 and power_w >= me[LEAST_W] - 1e-6 else 0.0


@compiled
def _calm(deal: Deal, rules: Rules, order: Ints) -> None:
    """Leave out increases too small to matter; what that frees goes to those who gain enough."""
    calmed = deal.marks[:, CALMED]
    calmed[:] = 0
    freed_w = 0.0
    for who in order:
        me = deal.crowd[who]
        held_w, now_w = usable(me, me[CURRENT_W]), me[GRANTED_W]
        if held_w < me[FIRM_W]:
            continue
        if held_w > 0.0 and held_w < now_w and now_w < held_w + _band_w(me, rules):
            _set(deal, who, held_w)
            calmed[who] = 1
            freed_w += now_w - held_w
    deal.left_w[0] = max(0.0, deal.left_w[0]) + freed_w
    for who in order:
        me = deal.crowd[who]
        before_w = me[GRANTED_W]
        if before_w <= 0.0 or deal.left_w[0] < 1.0:
            continue
        _raise(deal, who, me[WANT_W], True)
        gained_w = me[GRANTED_W] - me[CURRENT_W]
        if gained_w > 0.0 and gained_w < _band_w(me, rules):
            deal.left_w[0] += me[GRANTED_W] - before_w
            _set(deal, who, before_w)
        elif me[GRANTED_W] > before_w:
            calmed[who] = 0


@inlined
def _band_w(me: Floats, rules: Rules) -> float:
    """Least increase worth a command: on AC one ampere is."""
    if me[WHOLE_AMPS] > 0.0:
        return float(min(rules.dead_band_w, me[PER_AMP] * me[VOLTAGE_V] - 1e-6))
    return rules.dead_band_w


@compiled
def reasons(deal: Deal) -> Ints:
    """By candidate why its grant is not higher, and the node that binds or -1: two rows."""
    count = deal.crowd.shape[0]
    found = np.empty((2, count), dtype=np.int64)
    why, where = found[0], found[1]
    why[:], where[:] = FULL, -1
    for who in range(count):
        me = deal.crowd[who]
        power_w = me[GRANTED_W]
        if deal.marks[who, CALMED]:
            why[who] = DEAD_BAND
        elif power_w < usable(me, me[WANT_W]) - 1.0:
            left_w = _room(deal, who)
            if usable(me, power_w + left_w) > power_w:
                why[who] = PLAN
                continue
            why[who] = LIMIT if power_w > 0.0 or left_w < 1.0 else MINIMUM
            where[who] = _tightest(deal, who)
    return found


@compiled
def recount(deal: Deal, fresh: Floats, was_over: Bools, slack_w: float, slack_a: float) -> int:
    """The promise, counted from nothing: ``fresh`` is the room before any grant."""
    for who in range(deal.crowd.shape[0]):
        me = deal.crowd[who]
        if me[GRANTED_W] != 0.0 and not me[GRANTED_W] >= me[LEAST_W] - 1e-6:
            return BELOW_LEAST
        if not me[GRANTED_W] <= me[WANT_W] + 1e-6:
            return ABOVE_WANT
        current_a = me[GRANTED_W] / (me[PER_AMP] * me[VOLTAGE_V])
        leaf, phases = deal.marks[who, LEAF], deal.marks[who, PHASES]
        take(deal.tree, fresh, leaf, me[GRANTED_W], current_a, phases)
    now_over = over(deal.tree, fresh, slack_w, slack_a)
    for node in range(now_over.shape[0]):
        if now_over[node] and not was_over[node]:
            return NODE_OVER
    return SOUND


@compiled
def over(tree: Ints, room: Floats, slack_w: float, slack_a: float) -> Bools:
    """Nodes over their limit, in total or on a phase."""
    found = np.zeros(room.shape[0], dtype=np.bool_)
    for node in range(room.shape[0]):
        found[node] = not room[node, FREE_W] >= -slack_w
        if tree[node, AMPS_ABOVE]:
            for phase in range(3):
                if not room[node, FREE_A + phase] >= -slack_a:
                    found[node] = True
    return found

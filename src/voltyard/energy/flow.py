"""Maximum flow from stays through the capacity tree, slot by slot: the planner's engine.

A unit of flow is one Wh that a stay takes in one slot and that passes every node from its own up
to the root. Pushing a stay's need may move other stays to other slots, never change their totals.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voltyard.energy.compiled import compiled, inlined

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

UNLIMITED_WH = 10**12


class Network(NamedTuple):
    """Arrays of one problem. Node 0 is the root; cell (n, t) is node n in slot t; all Wh.

    ``stay_cap`` and ``taken`` are stays by slots, ``cap`` and ``used`` nodes by slots; children
    and stays of node n are ``child[first_child[n]:first_child[n + 1]]`` and likewise.
    """

    parent: Ints
    first_child: Ints
    child: Ints
    first_stay: Ints
    stay: Ints
    node_of_stay: Ints
    first_slot: Ints
    end_slot: Ints
    stay_cap: Ints
    cap: Ints
    taken: Ints
    used: Ints
    is_open: Bools


class Scratch(NamedTuple):
    """Working memory of a search, one entry for each stay and cell. No stay in need gets to what
    is ``dead``, as long as none comes to be in need."""

    level: Ints
    queue: Ints
    arc: Ints
    dead: Bools


def network(parent: Ints, node_of_stay: Ints, stay_cap: Ints, cap: Ints) -> Network:
    """A problem without flow, every slot open. ``parent[0]`` is -1 and parents come first.

    Capacities are copied: a plan narrows them for a while.
    """
    nodes, slots = cap.shape
    present = stay_cap > 0
    any_slot = present.any(axis=1)
    first = np.where(any_slot, present.argmax(axis=1), 0)
    end = np.where(any_slot, slots - present[:, ::-1].argmax(axis=1), 0)
    child_first, child = _grouped(parent[1:], np.arange(1, nodes, dtype=np.int64), nodes)
    stay_first, stay = _grouped(node_of_stay, np.arange(len(node_of_stay), dtype=np.int64), nodes)
    return Network(
        parent=parent,
        first_child=child_first,
        child=child,
        first_stay=stay_first,
        stay=stay,
        node_of_stay=node_of_stay,
        first_slot=first.astype(np.int64),
        end_slot=end.astype(np.int64),
        stay_cap=np.array(stay_cap, order="C"),
        cap=np.array(cap, order="C"),
        taken=np.zeros_like(stay_cap),
        used=np.zeros_like(cap),
        is_open=np.ones(slots, dtype=np.bool_),
    )


def _grouped(owner: Ints, member: Ints, owners: int) -> tuple[Ints, Ints]:
    """Members sorted by owner, with the first position of each owner."""
    order = np.argsort(owner, kind="stable")
    first = np.zeros(owners + 1, dtype=np.int64)
    np.cumsum(np.bincount(owner, minlength=owners), out=first[1:])
    return first, member[order]


def scratch(net: Network) -> Scratch:
    size = net.taken.shape[0] + net.used.size
    return Scratch(
        level=np.empty(size, dtype=np.int64),
        queue=np.empty(size, dtype=np.int64),
        arc=np.empty(size, dtype=np.int64),
        dead=np.zeros(size, dtype=np.bool_),
    )


@compiled
def augment(net: Network, work: Scratch, need: Ints) -> int:
    """Push as much of ``need`` (by stay, reduced in place) as fits; the Wh pushed.

    Afterwards ``work.level`` is ≥ 0 exactly on the source side of a minimum cut.
    """
    total = 0
    work.dead[:] = False
    for stay in range(need.shape[0]):
        for slot in range(net.first_slot[stay], net.end_slot[stay]):
            if need[stay] <= 0:
                break
            if net.is_open[slot]:
                total += _direct(net, stay, slot, need)
    while _reach_back(net, work, 0, net.cap.shape[1], need):
        total += _block(net, work, need)
    reach(net, work, need)
    return total


@compiled
def _block(net: Network, work: Scratch, need: Ints) -> int:
    """Push from stays in need on level 0 until every shortest path is blocked; the Wh pushed."""
    total = 0
    work.arc[:] = 0
    for stay in range(need.shape[0]):
        while need[stay] > 0 and work.level[stay] == 0:
            pushed = _push(net, work, stay, need[stay])
            if pushed == 0:
                break
            need[stay] -= pushed
            total += pushed
    return total


@compiled
def reach(net: Network, work: Scratch, need: Ints) -> bool:
    """Breadth-first distance from stays in need; whether free capacity at the root was reached."""
    stays, slots = net.taken.shape
    level, queue = work.level, work.queue
    level[:] = -1
    tail = 0
    for stay in range(stays):
        if need[stay] > 0:
            level[stay] = 0
            queue[tail] = stay
            tail += 1
    head = 0
    reached = -1
    while head < tail:
        here = queue[head]
        head += 1
        if reached >= 0 and level[here] >= reached:
            break
        further = level[here] + 1
        if here < stays:
            base = stays + net.node_of_stay[here] * slots
            for slot in range(net.first_slot[here], net.end_slot[here]):
                if (
                    net.is_open[slot]
                    and level[base + slot] < 0
                    and net.taken[here, slot] < net.stay_cap[here, slot]
                ):
                    level[base + slot] = further
                    queue[tail] = base + slot
                    tail += 1
            continue
        node = (here - stays) // slots
        slot = (here - stays) - node * slots
        if net.used[node, slot] < net.cap[node, slot]:
            if node == 0:
                if reached < 0:
                    reached = level[here]
            else:
                above = stays + net.parent[node] * slots + slot
                if level[above] < 0:
                    level[above] = further
                    queue[tail] = above
                    tail += 1
        for position in range(net.first_child[node], net.first_child[node + 1]):
            below = net.child[position]
            if net.used[below, slot] > 0 and level[stays + below * slots + slot] < 0:
                level[stays + below * slots + slot] = further
                queue[tail] = stays + below * slots + slot
                tail += 1
        for position in range(net.first_stay[node], net.first_stay[node + 1]):
            other = net.stay[position]
            if net.taken[other, slot] > 0 and level[other] < 0:
                level[other] = further
                queue[tail] = other
                tail += 1
    return reached >= 0


@inlined
def _push(net: Network, work: Scratch, stay: int, most: int) -> int:
    """Push up to ``most`` Wh from ``stay`` along one shortest path; 0 when there is none left."""
    path = work.queue
    path[0] = stay
    depth = 0
    while True:
        step = _step(net, work, path[depth])
        if step == -2:
            return _apply(net, path, depth, most)
        if step >= 0:
            depth += 1
            path[depth] = step
            continue
        work.level[path[depth]] = -2
        if depth == 0:
            return 0
        depth -= 1
        work.arc[path[depth]] += 1


@inlined
def _step(net: Network, work: Scratch, here: int) -> int:
    """The next stay or cell one level on, -2 for out at the root, -1 for a dead end."""
    stays, slots = net.taken.shape
    level, arc = work.level, work.arc
    further = level[here] + 1
    if here < stays:
        base = stays + net.node_of_stay[here] * slots
        first = net.first_slot[here]
        while first + arc[here] < net.end_slot[here]:
            slot = first + arc[here]
            if (
                level[base + slot] == further
                and net.is_open[slot]
                and net.taken[here, slot] < net.stay_cap[here, slot]
            ):
                return int(base + slot)
            arc[here] += 1
        return -1
    node = (here - stays) // slots
    slot = (here - stays) - node * slots
    if arc[here] == 0:
        if net.used[node, slot] < net.cap[node, slot]:
            if node == 0:
                return -2
            above = stays + net.parent[node] * slots + slot
            if level[above] == further:
                return int(above)
        arc[here] = 1
    children = net.first_child[node + 1] - net.first_child[node]
    while arc[here] <= children:
        below = net.child[net.first_child[node] + arc[here] - 1]
        cell = stays + below * slots + slot
        if level[cell] == further and net.used[below, slot] > 0:
            return int(cell)
        arc[here] += 1
    members = net.first_stay[node + 1] - net.first_stay[node]
    while arc[here] - 1 - children < members:
        other = net.stay[net.first_stay[node] + arc[here] - 1 - children]
        if level[other] == further and net.taken[other, slot] > 0:
            return int(other)
        arc[here] += 1
    return -1


@inlined
def _apply(net: Network, path: Ints, depth: int, most: int) -> int:
    """Send what fits along ``path[0..depth]`` and out at the root."""
    amount = most
    for step in range(depth + 1):
        amount = min(amount, _room(net, path, step, depth))
    for step in range(depth + 1):
        _shift(net, path, step, depth, amount)
    return amount


@inlined
def _room(net: Network, path: Ints, step: int, depth: int) -> int:
    stays, slots = net.taken.shape
    here = path[step]
    if here < stays:
        slot = (path[step + 1] - stays) % slots
        return int(net.stay_cap[here, slot] - net.taken[here, slot])
    node = (here - stays) // slots
    slot = (here - stays) - node * slots
    if step == depth:
        return int(net.cap[node, slot] - net.used[node, slot])
    after = path[step + 1]
    if after < stays:
        return int(net.taken[after, slot])
    other = (after - stays) // slots
    if other == net.parent[node]:
        return int(net.cap[node, slot] - net.used[node, slot])
    return int(net.used[other, slot])


@inlined
def _shift(net: Network, path: Ints, step: int, depth: int, amount: int) -> None:
    stays, slots = net.taken.shape
    here = path[step]
    if here < stays:
        slot = (path[step + 1] - stays) % slots
        net.taken[here, slot] += amount
        return
    node = (here - stays) // slots
    slot = (here - stays) - node * slots
    if step == depth:
        net.used[node, slot] += amount
        return
    after = path[step + 1]
    if after < stays:
        net.taken[after, slot] -= amount
        return
    other = (after - stays) // slots
    if other == net.parent[node]:
        net.used[node, slot] += amount
    else:
        net.used[other, slot] -= amount


@compiled
def withdraw(net: Network, stay: int) -> None:
    """Take back everything ``stay`` was given; the others keep theirs."""
    for slot in range(net.first_slot[stay], net.end_slot[stay]):
        amount = net.taken[stay, slot]
        if amount > 0:
            net.taken[stay, slot] = 0
            node = net.node_of_stay[stay]
            while node >= 0:
                net.used[node, slot] -= amount
                node = net.parent[node]


@compiled
def open_slots(net: Network, work: Scratch, order: Ints, most: Ints, need: Ints) -> int:
    """Open closed slots one by one in ``order``, each as far as ``most`` says, until every need
    (reduced in place) is met; what is missing. A slot may come again, to be opened further."""
    stays = need.shape[0]
    full = net.cap[0].copy()
    missing = need.sum()
    work.dead[:] = False
    net.is_open[:] = False
    ahead = np.zeros(stays, dtype=np.int64)
    rate = np.ones(stays)
    for stay in range(stays):
        for slot in range(net.first_slot[stay], net.end_slot[stay]):
            ahead[stay] += net.stay_cap[stay, slot]
            rate[stay] = max(rate[stay], float(net.stay_cap[stay, slot]))
    turn = np.arange(stays)
    key = np.empty(stays)
    for position in range(order.shape[0]):
        slot = order[position]
        net.cap[0, slot] = min(full[slot], most[position])
        for stay in range(stays):
            key[stay] = (ahead[stay] - need[stay]) / rate[stay]
            if not net.is_open[slot]:
                ahead[stay] -= net.stay_cap[stay, slot]
        net.is_open[slot] = True
        _sort(turn, key)
        missing -= _straight(net, slot, need, turn)
        # Slots opened before take no more: only the new one leads out.
        while missing > 0 and net.used[0, slot] < net.cap[0, slot]:
            if not _reach_back(net, work, slot, slot + 1, need):
                break
            missing -= _block(net, work, need)
        if missing <= 0:
            break
    net.is_open[:] = True
    net.cap[0] = full
    return int(missing)


@inlined
def _sort(turn: Ints, key: Floats) -> None:
    """Lowest key first, by insertion: from slot to slot the order changes little."""
    for place in range(1, turn.shape[0]):
        who = turn[place]
        before = place - 1
        while before >= 0 and key[turn[before]] > key[who]:
            turn[before + 1] = turn[before]
            before -= 1
        turn[before + 1] = who


@inlined
def _straight(net: Network, slot: int, need: Ints, turn: Ints) -> int:
    """Give stays in need, in turn, what fits into one slot without moving anybody; the Wh pushed.

    Who has the least to spare in what is still closed is first, so that few are moved later.
    """
    total = 0
    for stay in turn:
        if net.used[0, slot] >= net.cap[0, slot]:
            break
        if need[stay] > 0:
            total += _direct(net, stay, slot, need)
    return total


@inlined
def _direct(net: Network, stay: int, slot: int, need: Ints) -> int:
    """Give one stay what fits into one slot beside what is there; the Wh pushed."""
    amount = min(need[stay], net.stay_cap[stay, slot] - net.taken[stay, slot])
    node = net.node_of_stay[stay]
    while node >= 0 and amount > 0:
        amount = min(amount, net.cap[node, slot] - net.used[node, slot])
        node = net.parent[node]
    if amount <= 0:
        return 0
    node = net.node_of_stay[stay]
    while node >= 0:
        net.used[node, slot] += amount
        node = net.parent[node]
    net.taken[stay, slot] += amount
    need[stay] -= amount
    return int(amount)


@compiled
def _reach_back(net: Network, work: Scratch, first: int, end: int, need: Ints) -> bool:
    """Breadth-first from free capacity at the root in slots [first, end), against the arcs, to
    the nearest stays in need, which get level 0; whether there is one.

    Against the arcs, so that what is on no shortest path out is not looked at when pushing. What
    leads here and has no stay in need among it never has one again: no later push can enter it,
    for whatever has an arc into it would lead here, too. It is dead from then on.
    """
    stays, slots = net.taken.shape
    level, queue, dead = work.level, work.queue, work.dead
    level[:] = -1
    head, tail, nearest = 0, 0, -1
    for slot in range(first, end):
        if net.is_open[slot] and net.used[0, slot] < net.cap[0, slot]:
            level[stays + slot] = 0
            queue[tail] = stays + slot
            tail += 1
    while head < tail:
        here = queue[head]
        head += 1
        if nearest >= 0 and level[here] >= nearest:
            break
        further = level[here] + 1
        if here < stays:
            base = stays + net.node_of_stay[here] * slots
            for other in range(net.first_slot[here], net.end_slot[here]):
                if net.taken[here, other] > 0 and _is_new(level, dead, base + other):
                    level[base + other] = further
                    queue[tail] = base + other
                    tail += 1
            continue
        node = (here - stays) // slots
        at = (here - stays) - node * slots
        if node > 0 and net.used[node, at] > 0:
            above = stays + net.parent[node] * slots + at
            if _is_new(level, dead, above):
                level[above] = further
                queue[tail] = above
                tail += 1
        for position in range(net.first_child[node], net.first_child[node + 1]):
            below = net.child[position]
            cell = stays + below * slots + at
            if net.used[below, at] < net.cap[below, at] and _is_new(level, dead, cell):
                level[cell] = further
                queue[tail] = cell
                tail += 1
        for position in range(net.first_stay[node], net.first_stay[node + 1]):
            stay = net.stay[position]
            if net.taken[stay, at] < net.stay_cap[stay, at] and _is_new(level, dead, stay):
                level[stay] = further
                queue[tail] = stay
                tail += 1
                if need[stay] > 0 and nearest < 0:
                    nearest = further
    for place in range(tail):
        vertex = queue[place]
        if nearest < 0:
            dead[vertex] = True
        level[vertex] = nearest - level[vertex] if level[vertex] <= nearest else -1
    return nearest >= 0


@inlined
def _is_new(level: Ints, dead: Bools, vertex: int) -> bool:
    return bool(level[vertex] < 0 and not dead[vertex])


@compiled
def carried(net: Network) -> Ints:
    """What each node below the root could carry while stays that load it may take something."""
    present = np.zeros(net.cap.shape, dtype=np.bool_)
    for stay in range(net.taken.shape[0]):
        node = net.node_of_stay[stay]
        while node > 0:
            for slot in range(net.first_slot[stay], net.end_slot[stay]):
                if net.stay_cap[stay, slot] > 0:
                    present[node, slot] = True
            node = net.parent[node]
    total = np.zeros(net.cap.shape[0], dtype=np.int64)
    for node in range(1, net.cap.shape[0]):
        for slot in range(net.cap.shape[1]):
            if present[node, slot]:
                total[node] += net.cap[node, slot]
    return total


def clear(net: Network) -> None:
    """Take all flow out again."""
    net.taken[:] = 0
    net.used[:] = 0

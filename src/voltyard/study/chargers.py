"""More, fewer and other chargers: the tree that goes with them, and who is plugged in where."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from uuid import UUID

from voltyard.bench.energy.case import Case, Outlet, Visit, on_step
from voltyard.simulator.depot import stable_id
from voltyard.sites import tree as trees
from voltyard.sites.model import ElectricalTree, Node, NodeKind, NodeLimit

SPARE = 1.3
"""Who has had so much of the time it takes alone counts as done when chargers are handed on."""


def at_once(visits: Sequence[Visit]) -> int:
    """The most stays there are at one time."""
    marks = [(v.arrival_at, 1) for v in visits] + [(v.departure_at, -1) for v in visits]
    here = most = 0
    for _, change in sorted(marks):
        here += change
        most = max(most, here)
    return most


def with_power(case: Case, power_w: float) -> Case:
    """Every outlet with that power; cabinets grow or shrink in proportion, never below it."""
    nodes = list(case.tree.nodes)
    old_w = {outlet.id: outlet.max_power_w for outlet in case.outlets}
    leaves = {case.tree.leaf_of_evse[key].id: key for key in old_w}
    ratio: dict[UUID, float] = {}
    for leaf_id, key in leaves.items():
        parent_id = next(node.parent_id for node in nodes if node.id == leaf_id)
        if parent_id is not None:
            ratio[parent_id] = power_w / old_w[key]
    for place, node in enumerate(nodes):
        if node.id in leaves:
            nodes[place] = replace(node, limits=(NodeLimit(power_w=power_w),))
        elif node.kind is NodeKind.CABINET and node.id in ratio and node.limits:
            least_w = min(limit.total_w for limit in node.limits) * ratio[node.id]
            nodes[place] = replace(node, limits=(NodeLimit(power_w=max(least_w, power_w)),))
    outlets = tuple(replace(outlet, max_power_w=power_w) for outlet in case.outlets)
    return replace(case, tree=trees.build(nodes, case.tree.zone), outlets=outlets)


def with_count(case: Case, count: int) -> Case:
    """The first ``count`` outlets, spread over the tree; or more, each in a cabinet of its own
    beside one that is there. Outlets keep their order; visits keep their outlet's number."""
    if count >= len(case.outlets):
        return _grown(case, count - len(case.outlets))
    kept = set(_spread(case.tree, case.outlets)[:count])
    outlets = tuple(outlet for outlet in case.outlets if outlet.id in kept)
    used = {case.tree.leaf_of_evse[outlet.id].id for outlet in outlets}
    keep: set[UUID] = set()
    for leaf_id in used:
        keep.update(node.id for node in case.tree.path_to_root(leaf_id))
    nodes = [node for node in case.tree.nodes if node.id in keep]
    return replace(case, tree=trees.build(nodes, case.tree.zone), outlets=outlets)


def _grown(case: Case, more: int) -> Case:
    nodes, outlets = list(case.tree.nodes), list(case.outlets)
    order = _spread(case.tree, case.outlets)
    by_id = {outlet.id: outlet for outlet in case.outlets}
    for number in range(more):
        like = by_id[order[number % len(order)]]
        leaf, above, *_ = case.tree.path_of_evse(like.id)
        label = f"more {len(outlets) + 1}"
        parent_id: UUID = above.id
        if above.kind is NodeKind.CABINET:
            cabinet = replace(above, id=stable_id("study", label), name=label)
            nodes.append(cabinet)
            parent_id = cabinet.id
        outlet = replace(like, id=stable_id("study outlet", label))
        leaf_id = stable_id("study leaf", label)
        nodes.append(replace(leaf, id=leaf_id, name=label, parent_id=parent_id, evse_id=outlet.id))
        outlets.append(outlet)
    return replace(case, tree=trees.build(nodes, case.tree.zone), outlets=tuple(outlets))


def _spread(tree: ElectricalTree, outlets: Sequence[Outlet]) -> list[UUID]:
    """Outlets in an order that takes one of every cabinet, feeder and so on before the next."""
    rank: dict[UUID, int] = {}
    seen: Counter[UUID | None] = Counter()
    for node in tree.nodes:
        rank[node.id] = seen[node.parent_id]
        seen[node.parent_id] += 1
    return sorted(
        (outlet.id for outlet in outlets),
        key=lambda key: [rank[node.id] for node in tree.path_of_evse(key)],
    )


@dataclass(slots=True)
class _Place:
    """Who stands at an outlet, one after the other, with the instant of plugging in."""

    taken: list[tuple[Visit, datetime]]


def assigned(case: Case, shunting_s: float | None) -> tuple[Case, tuple[str, ...]]:
    """Everybody at an outlet of the case, and the labels of who never found one.

    Who comes first is plugged in first; of those who wait, the one that leaves first. Without
    shunting an outlet is free again at the departure. With it, once its vehicle has had ``SPARE``
    of the time it takes at the outlet's fair share of its cabinet, and ``shunting_s`` to change.
    """
    places = [_Place([]) for _ in case.outlets]
    fair_w = _fair_w(case)
    number_of = {outlet.id: number for number, outlet in enumerate(case.outlets)}
    order = [number_of[key] for key in _spread(case.tree, case.outlets)]
    free = [(case.start_at, turn) for turn in range(len(places))]
    heapify(free)
    coming = sorted(case.visits, key=lambda v: (v.arrival_at, v.departure_at, v.id))
    waiting: list[Visit] = []
    left_out: list[str] = []
    while coming or waiting:
        now, turn = heappop(free)
        index = order[turn]
        if not waiting and coming:
            now = max(now, coming[0].arrival_at)
        while coming and coming[0].arrival_at <= now:
            waiting.append(coming.pop(0))
        left_out += [visit.label for visit in waiting if visit.departure_at <= now]
        waiting = [visit for visit in waiting if visit.departure_at > now]
        if waiting:
            visit = min(waiting, key=lambda v: (v.departure_at, v.id))
            waiting.remove(visit)
            now = max(now, visit.arrival_at)
            places[index].taken.append((visit, now))
            now = _free_again(case, visit, now, fair_w[index], shunting_s)
        heappush(free, (now, turn))
    visits = [
        visit
        for index, place in enumerate(places)
        for visit in _windows(case, index, place, shunting_s or 0.0)
    ]
    place_of = {visit.id: number for number, visit in enumerate(case.visits)}
    visits.sort(key=lambda visit: place_of[visit.id])
    return replace(case, visits=tuple(visits)), tuple(left_out)


def _free_again(
    case: Case, visit: Visit, now: datetime, power_w: float, shunting_s: float | None
) -> datetime:
    if shunting_s is None:
        return visit.departure_at
    takes_s = visit.battery.seconds_to_reach(visit.soc_pct, visit.target_soc_pct, power_w)
    left_s = (visit.departure_at - now).total_seconds()
    done_at = now + timedelta(seconds=min(takes_s * SPARE, left_s) + shunting_s)
    return on_step(case.start_at, min(done_at, visit.departure_at))


def _windows(case: Case, outlet: int, place: _Place, shunting_s: float) -> list[Visit]:
    """Plugged in from its turn on, until its departure or until the next one needs the outlet."""
    found: list[Visit] = []
    follows = [*(start_at for _, start_at in place.taken[1:]), case.end_at]
    for (visit, start_at), next_at in zip(place.taken, follows, strict=False):
        until_at = visit.departure_at
        if next_at < visit.departure_at:
            until_at = on_step(case.start_at, next_at - timedelta(seconds=shunting_s))
        planned_at = visit.planned_arrival_at
        if start_at > visit.arrival_at:
            planned_at = max(planned_at, start_at)
        found.append(
            replace(
                visit,
                outlet=outlet,
                planned_arrival_at=min(planned_at, until_at),
                arrival_at=start_at,
                departure_at=until_at,
            )
        )
    return found


def _fair_w(case: Case) -> list[float]:
    """By outlet: its own power, or its part of its cabinet's."""
    below: Counter[UUID] = Counter()
    for outlet in case.outlets:
        below.update(node.id for node in case.tree.path_of_evse(outlet.id))
    return [_share_w(case, outlet, below) for outlet in case.outlets]


def _share_w(case: Case, outlet: Outlet, below: Counter[UUID]) -> float:
    cabinets = [n for n in case.tree.path_of_evse(outlet.id) if n.kind is NodeKind.CABINET]
    return min([outlet.max_power_w, *(_least_w(node) / below[node.id] for node in cabinets)])


def _least_w(node: Node) -> float:
    return min((limit.total_w for limit in node.limits), default=float("inf"))

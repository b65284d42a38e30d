"""From what the site knows to the arrays of a flow problem: slots, capacities, needs."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from math import isfinite
from typing import NamedTuple

import numpy as np

from voltyard.energy import flow, taper
from voltyard.energy.flow import Bools, Ints
from voltyard.energy.model import PlanInput, Stay, Step, slot_bounds
from voltyard.energy.taper import Floats, Vehicles
from voltyard.errors import Invalid
from voltyard.sites.limits import lowest_limits_w
from voltyard.sites.model import ElectricalTree, Node


@dataclass(frozen=True, slots=True)
class Problem:
    """A plan's question as arrays. Rows are stays or kept nodes, columns are slots.

    ``gentle_cap`` is the stays' capacity when they must be done ``ready_before_s`` early.
    ``own_w`` is the limit of the stay's own EVSE. Nodes
    that cannot bind (one EVSE with one vehicle at a time) are folded into their vehicles.
    """

    bounds: tuple[datetime, ...]
    hours: Floats
    stays: tuple[Stay, ...]
    nodes: tuple[Node, ...]
    net: flow.Network
    work: flow.Scratch
    cars: Vehicles
    need: Ints
    ready: Ints
    asked_wh: Floats
    present_s: Floats
    full_cap: Ints
    gentle_cap: Ints
    own_w: Floats
    root_cap: Ints
    base_w: Floats


def compile_problem(given: PlanInput) -> Problem:
    """Raises ``Invalid`` when a stay names an EVSE or node that the tree does not have."""
    leaving = (stay.departure_at for stay in _in_need(given.stays))
    bounds = slot_bounds(given.now, given.horizon_end, given.slot_s, [*leaving, *_cuts(given)])
    # Served in order of departure, few vehicles have to be moved again.
    stays = tuple(sorted(_in_need(given.stays), key=lambda s: (s.departure_at, s.id.int)))
    limits_w, base_w = _limits(given, bounds)
    shape = _shape(given.tree, stays)
    hours = np.array([(b - a).total_seconds() / 3600.0 for a, b in pairwise(bounds)])
    cap = _energy(limits_w[shape.kept], hours)
    cars = taper.vehicles(stays)
    asked_wh = _asked(stays, bounds[-1])
    own_w = np.where(shape.folded.reshape(-1, 1), limits_w[shape.place], np.inf)
    own_w = _below_ceilings(stays, bounds, np.minimum(own_w, 1e12))
    present_s = _present(stays, bounds, 0)
    full_cap = _stay_cap(cars, present_s, asked_wh, own_w)
    gentle_cap = _gentle(stays, bounds, given.ready_before_s, cars, asked_wh, own_w, full_cap)
    need = np.minimum(np.ceil(asked_wh - 1e-6).astype(np.int64), full_cap.sum(axis=1))
    ready = _ready(stays, asked_wh, CARES[0])
    net = flow.network(shape.parent, shape.node_of_stay, full_cap, cap)
    return Problem(
        bounds=bounds,
        hours=hours,
        stays=stays,
        nodes=tuple(given.tree.nodes[number] for number in shape.kept.tolist()),
        net=net,
        work=flow.scratch(net),
        cars=cars,
        need=need,
        ready=ready,
        asked_wh=asked_wh,
        present_s=present_s,
        full_cap=full_cap,
        gentle_cap=gentle_cap,
        own_w=own_w,
        root_cap=net.cap[0].copy(),
        base_w=base_w,
    )


CUT_FOR_MAX = 40
"""For so many runs that must go, slots are cut where they begin and end."""


@dataclass(frozen=True, slots=True)
class Care:
    """How far a plan under overload stays away from what is just possible.

    Who has time enough is planned to be ready ``spare_s`` before departure, with
    ``tolerance_used`` of the readiness tolerance used up; the rest is for error.
    """

    spare_s: int
    tolerance_used: float


CARES = (Care(420, 0.85), Care(240, 0.85), Care(120, 0.85), Care(60, 0.9), Care(0, 0.9))
"""From careful to bold."""


def with_care(problem: Problem, care: Care) -> Problem:
    """The same question over the same network, with another idea of when a stay is ready."""
    return replace(problem, ready=_ready(problem.stays, problem.asked_wh, care))


def ready_cap(problem: Problem, care: Care) -> Ints:
    """The stays' capacity when just ready is enough, some minutes before they leave.

    Tapering then bites later. Who needs the last minutes, too, may use them.
    """
    ready_wh = problem.ready.astype(np.float64)
    most = _stay_cap(problem.cars, problem.present_s, ready_wh, problem.own_w)
    early_s = _present(problem.stays, problem.bounds, care.spare_s)
    early = _stay_cap(problem.cars, early_s, ready_wh, problem.own_w)
    affords = (early.sum(axis=1) >= problem.ready * 1.02).reshape(-1, 1)
    cap: Ints = np.minimum(most, np.where(affords, early, most))
    return cap


def brisk_cap(problem: Problem, early_s: int) -> Ints:
    """The stays' capacity when all they ask for must be there ``early_s`` before they leave, at
    least as much as with the usual time to spare."""
    early = _gentle(
        problem.stays,
        problem.bounds,
        early_s,
        problem.cars,
        problem.asked_wh,
        problem.own_w,
        problem.full_cap,
    )
    cap: Ints = np.maximum(early, problem.gentle_cap)
    return cap


def _ready(stays: Sequence[Stay], asked_wh: Floats, care: Care) -> Ints:
    tolerance_wh = np.array([stay.tolerance_wh for stay in stays])
    least_wh = np.ceil(asked_wh - tolerance_wh * care.tolerance_used)
    ready: Ints = np.maximum(0, least_wh).astype(np.int64)
    return ready


_OVERDUE_S = 1800.0


def step_values(
    value: float | Sequence[Step], bounds: Sequence[datetime], *, highest: bool
) -> Floats:
    """A constant or stepped series by slot: its highest value, or its mean over the slot.

    Where the series says nothing its latest earlier value holds, or else its first.
    """
    slots = len(bounds) - 1
    if isinstance(value, float | int):
        return np.full(slots, float(value))
    if not value:
        return np.zeros(slots)
    steps = sorted(value, key=lambda step: step.start_at)
    starts = np.array([step.start_at.timestamp() for step in steps])
    ends = np.array([step.end_at.timestamp() for step in steps])
    values = np.array([step.value for step in steps])
    borders = np.array([bound.timestamp() for bound in bounds])
    if (ends[1:] < ends[:-1]).any() or (ends <= starts).any():
        return _each(values, starts, ends, borders, range(slots), np.zeros(slots), highest=highest)
    first = ends.searchsorted(borders[:-1], "right")
    last = starts.searchsorted(borders[1:], "left")
    inside = first < last
    result = values[np.where(inside, first, 0)]
    several = last > first + 1
    if highest and several.any():
        places = np.column_stack((first, last))[several].ravel()
        padded = np.append(values, -np.inf)
        result[several] = np.maximum.reduceat(padded, places)[::2]
        several = np.zeros(slots, dtype=np.bool_)
    left = np.flatnonzero(several | ~inside).tolist()
    return _each(values, starts, ends, borders, left, result, highest=highest)


def _each(
    values: Floats,
    starts: Floats,
    ends: Floats,
    borders: Floats,
    slots: Iterable[int],
    result: Floats,
    *,
    highest: bool,
) -> Floats:
    """``result`` with these slots filled in one by one, whatever the order of the steps' ends."""
    for slot in slots:
        start_s, end_s = borders[slot], borders[slot + 1]
        covered_s = np.minimum(ends, end_s) - np.maximum(starts, start_s)
        inside = covered_s > 0.0
        if not inside.any():
            earlier = np.flatnonzero(ends <= start_s)
            result[slot] = values[earlier[-1] if len(earlier) else 0]
        elif highest:
            result[slot] = values[inside].max()
        else:
            result[slot] = np.average(values[inside], weights=covered_s[inside])
    return result


def _in_need(stays: Iterable[Stay]) -> Iterable[Stay]:
    return (stay for stay in stays if stay.energy_needed_wh > 0.0)


def _place(tree: ElectricalTree, stay: Stay) -> Node:
    if stay.evse_id is not None:
        leaf = tree.leaf_of_evse.get(stay.evse_id)
        if leaf is None:
            raise Invalid(f"no EVSE {stay.evse_id} in the site's tree", code="stay_place_unknown")
        return leaf
    if stay.node_id is None:
        return tree.root
    node = tree.by_id.get(stay.node_id)
    if node is None:
        raise Invalid(f"no node {stay.node_id} in the site's tree", code="stay_place_unknown")
    return node


def _limits(given: PlanInput, bounds: tuple[datetime, ...]) -> tuple[Floats, Floats]:
    """Power left for charging by node and slot; by slot other load of the whole site, below 0 what
    it feeds into the grid."""
    nodes, slots = given.tree.nodes, len(bounds) - 1
    row = {node.id.int: index for index, node in enumerate(nodes)}
    loads = np.zeros((len(nodes), slots))
    for node_id, value in given.other_load_w.items():
        load_w = step_values(value, bounds, highest=True)
        for node in given.tree.path_to_root(node_id):
            loads[row[node.id.int]] += load_w
    border_s = np.array([bound.timestamp() for bound in bounds])
    for run in given.must_run:
        first, last = run.start_at.timestamp(), run.end_at.timestamp()
        at = np.flatnonzero((border_s[:-1] < last) & (border_s[1:] > first))
        for node in given.tree.path_to_root(run.node_id) if len(at) else ():
            loads[row[node.id.int]][at[0] : at[-1] + 1] += run.power_w
    allowed = np.empty((len(nodes), slots))
    for index, node in enumerate(nodes):
        if all(limit.is_constant for limit in node.limits):
            allowed[index] = min((limit.total_w for limit in node.limits), default=np.inf)
        else:
            allowed[index] = lowest_limits_w(node, bounds, given.tree.zone)
    left_w: Floats = np.maximum(0.0, allowed - loads)
    return left_w, loads[0] - step_values(given.surplus_w, bounds, highest=False)


def _cuts(given: PlanInput) -> Iterable[datetime]:
    """Where what must run begins and ends. Of many, whole slots are kept free for each instead: a
    plan of a thousand pieces would come too late."""
    if len(given.must_run) > CUT_FOR_MAX:
        return ()
    return (at for run in given.must_run for at in (run.start_at, run.end_at))


def _energy(power_w: Floats, hours: Floats) -> Ints:
    energy = np.minimum(np.where(np.isfinite(power_w), power_w, 1e18) * hours, flow.UNLIMITED_WH)
    whole: Ints = np.floor(energy + 1e-6).astype(np.int64)
    return whole


class _Shape(NamedTuple):
    """Nodes of the tree that stay in the problem, root first; by stay its place in the tree,
    whether that is folded into it, and the lowest kept node above it."""

    kept: Ints
    parent: Ints
    place: Ints
    folded: Bools
    node_of_stay: Ints


def _shape(tree: ElectricalTree, stays: Sequence[Stay]) -> _Shape:
    nodes = tree.nodes
    number = {node.id.int: index for index, node in enumerate(nodes)}
    above = [-1 if n.parent_id is None else number[n.parent_id.int] for n in nodes]
    places = [number[_place(tree, stay).id.int] for stay in stays]
    at_leaf: dict[int, list[Stay]] = defaultdict(list)
    for stay, place in zip(stays, places, strict=True):
        if nodes[place].evse_id is not None and above[place] >= 0:
            at_leaf[place].append(stay)
    folded = {place for place, here in at_leaf.items() if not _overlapping(here)}
    needed, seen = {0}, {-1}
    for place in set(places):
        node = above[place] if place in folded else place
        needed.add(node)
        while node not in seen:
            seen.add(node)
            if nodes[node].limits:
                needed.add(node)
            node = above[node]
    kept = sorted(needed)
    index_of = [-1] * len(nodes)
    for index, node in enumerate(kept):
        index_of[node] = index
    for node, over in enumerate(above):
        # Parents come first, so that theirs is known.
        if index_of[node] < 0:
            index_of[node] = index_of[over]
    parent = [-1, *(index_of[above[node]] for node in kept[1:])]
    return _Shape(
        kept=np.array(kept, dtype=np.int64),
        parent=np.array(parent, dtype=np.int64),
        place=np.array(places, dtype=np.int64),
        folded=np.array([place in folded for place in places], dtype=np.bool_),
        node_of_stay=np.array([index_of[place] for place in places], dtype=np.int64),
    )


def _overlapping(stays: list[Stay]) -> bool:
    ordered = sorted(stays, key=lambda stay: stay.arrival_at)
    return any(later.arrival_at < earlier.departure_at for earlier, later in pairwise(ordered))


def _asked(stays: Sequence[Stay], horizon_end: datetime) -> Floats:
    """Energy to deliver within the horizon: what can still follow after it is left for later."""
    asked = np.zeros(len(stays))
    for index, stay in enumerate(stays):
        after_s = max(0.0, (stay.departure_at - horizon_end).total_seconds())
        asked[index] = max(0.0, stay.energy_needed_wh - stay.max_power_w * after_s / 3600.0)
    return asked


def _present(stays: Sequence[Stay], bounds: Sequence[datetime], early_s: int) -> Floats:
    """Seconds of each stay in each slot; it leaves ``early_s`` before its departure."""
    now = bounds[0]
    border_s = np.array([(bound - now).total_seconds() for bound in bounds])
    arrival_s = np.array([(stay.arrival_at - now).total_seconds() for stay in stays])
    departure_s = np.array([departure_s_of(stay, now, bounds) - early_s for stay in stays])
    first = np.maximum(arrival_s.reshape(-1, 1), border_s[:-1])
    last = np.minimum(departure_s.reshape(-1, 1), border_s[1:])
    present: Floats = np.maximum(0.0, last - first)
    return present


def departure_s_of(stay: Stay, now: datetime, bounds: Sequence[datetime]) -> float:
    """Seconds until the stay ends; an overdue vehicle that is still plugged may go on charging."""
    if stay.plugged and stay.departure_at <= now:
        return min(_OVERDUE_S, (bounds[-1] - now).total_seconds())
    return (stay.departure_at - now).total_seconds()


def _below_ceilings(stays: Sequence[Stay], bounds: Sequence[datetime], own_w: Floats) -> Floats:
    """With what policies leave to each stay, as a mean over the slot."""
    borders = np.array([bound.timestamp() for bound in bounds])
    for row, stay in enumerate(stays):
        if stay.ceiling:
            starts = np.array([step.start_at.timestamp() for step in stay.ceiling])
            ends = np.array([step.end_at.timestamp() for step in stay.ceiling])
            less_w = np.array([max(0.0, stay.max_power_w - step.value) for step in stay.ceiling])
            until = np.minimum.outer(ends, borders[1:])
            since = np.maximum.outer(starts, borders[:-1])
            share = np.maximum(0.0, until - since) / (borders[1:] - borders[:-1])
            most_w = np.maximum(0.0, stay.max_power_w - less_w @ share)
            own_w[row] = np.minimum(own_w[row], most_w)
    return own_w


def _stay_cap(cars: Vehicles, present_s: Floats, asked_wh: Floats, own_w: Floats) -> Ints:
    most_wh = taper.bounded_energy(cars, present_s, asked_wh)
    most_wh = np.minimum(most_wh, own_w * present_s / 3600.0, where=present_s > 0, out=most_wh)
    cap: Ints = np.floor(most_wh + 1e-6).astype(np.int64)
    return cap


def _gentle(
    stays: Sequence[Stay],
    bounds: Sequence[datetime],
    early_s: int,
    cars: Vehicles,
    asked_wh: Floats,
    own_w: Floats,
    full_cap: Ints,
) -> Ints:
    """Capacities that leave the last minutes free, for stays that can afford it."""
    if early_s <= 0 or not stays:
        return full_cap
    cap = _stay_cap(cars, _present(stays, bounds, early_s), asked_wh, own_w)
    affords = (cap.sum(axis=1) >= asked_wh * 1.02).reshape(-1, 1)
    gentle: Ints = np.minimum(full_cap, np.where(affords, cap, full_cap))
    return gentle


def seconds_after(bounds: Sequence[datetime], stays: Sequence[Stay]) -> Floats:
    """When each stay's presence in each slot begins, in seconds after now."""
    now = bounds[0]
    border_s = np.array([(bound - now).total_seconds() for bound in bounds[:-1]])
    arrival_s = np.array([(stay.arrival_at - now).total_seconds() for stay in stays])
    start_s: Floats = np.maximum(arrival_s.reshape(-1, 1), border_s)
    return start_s


def at_seconds(bounds: Sequence[datetime], seconds: float) -> datetime | None:
    return bounds[0] + timedelta(seconds=seconds) if isfinite(seconds) else None

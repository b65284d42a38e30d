"""Overload: which vehicles of a priority group can be made ready when not all can.

The number of ready vehicles is the first aim. Greedy by need gives a good answer; cuts of the flow
network (each says: these vehicles together need more than reaches them) drive a small integer
programme towards a proven one.
"""

from dataclasses import dataclass
from typing import NamedTuple

import highspy
import numpy as np
from numpy.typing import NDArray

from voltyard.energy import flow
from voltyard.energy.flow import Bools, Ints
from voltyard.energy.taper import Floats

MAX_ROUNDS = 30
MAX_MEMBERS = 400
MAX_SEARCH_NODES = 500


class Choice(NamedTuple):
    """Stays (a mask over all rows) that can be ready together, and whether more are impossible."""

    served: Bools
    proven: bool


class _Cut(NamedTuple):
    weight: Floats
    room: float


@dataclass(slots=True)
class _Bound:
    """Stays inside take no more together than what they have and ``room``, in Wh."""

    inside: Bools
    room: int


class _Bounds:
    """What attempts that failed have shown. Each is a minimum cut of the network, so it holds for
    as long as capacities do, whatever is given to whom."""

    def __init__(self, net: flow.Network, work: flow.Scratch) -> None:
        self._net, self._work = net, work
        self._known: list[_Bound] = []

    def chances(self, order: Ints, least: Ints) -> Ints:
        """Those of ``order`` who may still get ``least``, each by itself."""
        for bound in self._known:
            order = order[~(bound.inside[order] & (least[order] > bound.room))]
        return order

    def within(self, order: Ints, need: Ints) -> int:
        """How many of the first, together, nothing that is known forbids."""
        most = len(order)
        for bound in self._known:
            wanted = np.where(bound.inside[order], need[order], 0).cumsum()
            most = min(most, int(wanted.searchsorted(bound.room, "right")))
        return most

    def push(self, run: Ints, need: Ints) -> bool:
        """Give all of ``run`` their need, or nothing; then one more bound is known."""
        net, before = self._net, (self._net.taken.copy(), self._net.used.copy())
        left = self._augment(run, need)
        if not left.any():
            self._gave(run, need[run])
            return True
        inside = self._work.level[: len(need)] >= 0
        held = run[inside[run]]
        self._known.append(_Bound(inside, int((need[held] - left[held]).sum())))
        net.taken[:], net.used[:] = before
        return False

    def push_some(self, stay: int, need: Ints) -> int:
        """Give one as much of its need as fits."""
        run = np.array([stay], dtype=np.int64)
        left = self._augment(run, need)
        given = int(need[stay] - left[stay])
        self._gave(run, np.array([given], dtype=np.int64))
        if left[stay] > 0:
            self._known.append(_Bound(self._work.level[: len(need)] >= 0, 0))
        return given

    def _augment(self, run: Ints, need: Ints) -> Ints:
        left = np.zeros_like(need)
        left[run] = need[run]
        flow.augment(self._net, self._work, left)
        return left

    def _gave(self, run: Ints, amounts: Ints) -> None:
        for bound in self._known:
            bound.room -= int(amounts[bound.inside[run]].sum())


def whole_in_order(net: flow.Network, work: flow.Scratch, order: Ints, need: Ints) -> Bools:
    """Give each stay of ``order`` its whole need on top, or nothing; whether it got it, by stay.

    The same as one after the other, but as many as nothing known forbids are pushed at once.
    """
    served = np.zeros(len(need), dtype=np.bool_)
    bounds = _Bounds(net, work)
    while len(order := bounds.chances(order, need)):
        run = order[: bounds.within(order, need)]
        if bounds.push(run, need):
            served[run] = True
            order = order[len(run) :]
    return served


def some_in_order(net: flow.Network, work: flow.Scratch, order: Ints, need: Ints) -> None:
    """Give each stay of ``order`` as much of its need (reduced in place) as still fits."""
    anything = np.ones_like(need)
    bounds = _Bounds(net, work)
    order = order[need[order] > 0]
    while len(order := bounds.chances(order, anything)):
        together = bounds.within(order, need)
        if not together:
            need[order[0]] -= bounds.push_some(int(order[0]), need)
        elif bounds.push(order[:together], need):
            need[order[:together]] = 0
        else:
            continue
        order = order[max(1, together) :]


def choose(net: flow.Network, work: flow.Scratch, members: Ints, ready: Ints) -> Choice:
    """The most ``members`` that can get their ``ready`` energy beside what is already pushed.

    The network holds the other stays' flow, which keeps its amounts, and on return none of the
    members'.
    """
    possible = members[ready[members] <= net.stay_cap[members].sum(axis=1)]
    order = possible[np.argsort(ready[possible], kind="stable")]
    best = _greedy(net, work, order, ready, members)
    cuts: list[_Cut] = []
    for _ in range(MAX_ROUNDS if len(order) <= MAX_MEMBERS else 1):
        wanted = order if not cuts else _most_within(order, cuts)
        if wanted is None:
            break
        cut = _violated(net, work, wanted, ready, members)
        if cut is None:
            served = np.zeros(len(ready), dtype=np.bool_)
            served[wanted] = True
            return Choice(served, proven=True)
        cuts.append(cut)
        bound = _most_within(order, cuts)
        if bound is not None and len(bound) <= int(best.sum()):
            return Choice(best, proven=True)
        if bound is not None:
            best = _better(best, _greedy(net, work, _first(bound, order), ready, members))
    return Choice(best, proven=len(order) == int(best.sum()))


def keep(net: flow.Network, work: flow.Scratch, chosen: Ints, ready: Ints) -> Bools | None:
    """``chosen`` as a mask if they can be ready together still, else None; no flow is left."""
    need = np.zeros(len(ready), dtype=np.int64)
    need[chosen] = ready[chosen]
    flow.augment(net, work, need)
    _clear(net, chosen)
    if need.any():
        return None
    served = np.zeros(len(ready), dtype=np.bool_)
    served[chosen] = True
    return served


def _first(preferred: Ints, order: Ints) -> Ints:
    others = order[~np.isin(order, preferred)]
    return np.concatenate([order[np.isin(order, preferred)], others])


def _better(left: Bools, right: Bools) -> Bools:
    return right if right.sum() > left.sum() else left


def _greedy(
    net: flow.Network, work: flow.Scratch, order: Ints, ready: Ints, members: Ints
) -> Bools:
    served = whole_in_order(net, work, order, ready)
    _clear(net, members)
    return served


def _clear(net: flow.Network, members: Ints) -> None:
    for stay in members:
        flow.withdraw(net, int(stay))


def _violated(
    net: flow.Network, work: flow.Scratch, wanted: Ints, ready: Ints, members: Ints
) -> _Cut | None:
    """A cut that forbids serving all of ``wanted``, or None when they can all be served."""
    need = np.zeros(len(ready), dtype=np.int64)
    need[wanted] = ready[wanted]
    flow.augment(net, work, need)
    if not need.any():
        _clear(net, members)
        return None
    cut = _cut(net, work, ready, members)
    _clear(net, members)
    return cut


def _cut(net: flow.Network, work: flow.Scratch, ready: Ints, members: Ints) -> _Cut:
    """Σ weight[v] over served members ≤ room, read from the source side after a failed push."""
    stays = net.taken.shape[0]
    inside = work.level >= 0
    cells = inside[stays:].reshape(net.used.shape)
    parent_inside = np.zeros_like(cells)
    parent_inside[1:] = cells[net.parent[1:]]
    room = float(net.cap[cells & ~parent_inside].sum())
    outside_cap = np.where(cells[net.node_of_stay], 0, net.stay_cap).sum(axis=1)
    weight = np.zeros(stays)
    weight[members] = np.maximum(0, ready[members] - outside_cap[members])
    others = np.ones(stays, dtype=np.bool_)
    others[members] = False
    held = net.taken.sum(axis=1)[others] - outside_cap[others]
    room -= float(np.maximum(0, held).sum())
    return _Cut(weight, room)


def _most_within(order: Ints, cuts: list[_Cut]) -> Ints | None:
    """The largest set that no cut forbids; None when the search was cut short."""
    if len(cuts) == 1:
        return _smallest_first(order, cuts[0])
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("mip_max_nodes", MAX_SEARCH_NODES)
    solver.setOptionValue("mip_rel_gap", 0.0)
    columns = len(order)
    solver.addVars(columns, np.zeros(columns), np.ones(columns))
    positions = np.arange(columns, dtype=np.int32)
    solver.changeColsIntegrality(
        columns, positions, np.full(columns, highspy.HighsVarType.kInteger)
    )
    solver.changeColsCost(columns, positions, -np.ones(columns))
    for cut in cuts:
        weight: NDArray[np.float64] = cut.weight[order]
        used = np.flatnonzero(weight > 0).astype(np.int32)
        solver.addRow(-highspy.kHighsInf, cut.room, len(used), used, weight[used])
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    values = np.array(solver.getSolution().col_value)
    return order[values > 0.5]


def _smallest_first(order: Ints, cut: _Cut) -> Ints:
    by_weight = order[np.argsort(cut.weight[order], kind="stable")]
    fits = np.cumsum(cut.weight[by_weight]) <= cut.room + 1e-6
    return by_weight[fits]

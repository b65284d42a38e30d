"""What physics allows: how many vehicles any schedule could make ready, known in hindsight.

Independent of the planner: a linear programme over slots cut at every arrival, departure and limit
change, and where it finds that not all can be ready, an integer one, priority by priority. Every
simplification is in the vehicles' favour, so the answer is an upper bound.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from voltyard.energy.model import Stay, Step
from voltyard.simulator.oracle_bounds import most_energy_wh
from voltyard.simulator.oracle_programme import Answer, Programme
from voltyard.sites.limits import changes, lowest_limits_w
from voltyard.sites.model import ElectricalTree

Floats = NDArray[np.float64]

MAX_COLUMNS = 60_000
_MARGIN_WH = 1.0


@dataclass(frozen=True, slots=True)
class StayOutcome:
    """``possible`` alone: whether it could be ready if it had the site to itself."""

    stay_id: UUID
    priority: int
    ready: bool
    possible: bool
    shortfall_wh: float


@dataclass(frozen=True, slots=True)
class OracleResult:
    """``ready_max`` counts vehicles lexicographically: no less important one at the cost of more
    important ones. ``shortfall_wh_total`` is what the others lack to being ready, at least, when
    exactly those of ``stays`` are ready (another choice as large may leave less).

    ``proven`` is False when a search hit ``time_limit_s``; then ``ready_bound`` ≥ the true
    maximum ≥ ``ready_max``. ``slot_s`` is the coarsest slot that was used.
    """

    ready_max: int
    ready_bound: int
    ready_by_priority: Mapping[int, int]
    shortfall_wh_total: float
    stays: tuple[StayOutcome, ...]
    proven: bool
    gap: float
    time_limit_s: float
    slot_s: float


def physically_ready(
    stays: Sequence[Stay],
    tree: ElectricalTree,
    start: datetime,
    end: datetime,
    slot_s: float = 300.0,
    other_load_w: Mapping[UUID, float | Sequence[Step]] | None = None,
    *,
    time_limit_s: float = 60.0,
    plug_s: float = 0.0,
) -> OracleResult:
    """The most vehicles that can be within the SoC tolerance of their target at departure.

    ``stays`` are as they truly were (arrival, departure, energy needed at arrival); parts outside
    [start, end) do not count. A vehicle cannot charge in its first ``plug_s`` seconds.
    """
    counted = [stay for stay in stays if stay.departure_at > start and stay.arrival_at < end]
    while True:
        case = _case(counted, tree, start, end, slot_s, other_load_w or {}, plug_s)
        if len(case.column_stay) <= MAX_COLUMNS or slot_s >= 3600.0:
            break
        slot_s *= 2.0
    return _solved(case, time_limit_s, slot_s)


@dataclass(frozen=True, slots=True)
class _Case:
    """Columns are (stay, slot) pairs; rows are (node, slot) pairs that can bind."""

    stays: tuple[Stay, ...]
    ready_wh: Floats
    possible: NDArray[np.bool_]
    column_stay: NDArray[np.int32]
    column_most_wh: Floats
    rows: tuple[tuple[NDArray[np.int32], float], ...]


def _case(
    stays: Sequence[Stay],
    tree: ElectricalTree,
    start: datetime,
    end: datetime,
    slot_s: float,
    other_load_w: Mapping[UUID, float | Sequence[Step]],
    plug_s: float,
) -> _Case:
    bounds = _bounds(stays, tree, start, end, slot_s, other_load_w, plug_s)
    border_s = np.array([(at - start).total_seconds() for at in bounds])
    ready_wh = np.array([stay.ready_wh for stay in stays])
    free_w = _free(tree, bounds, other_load_w)
    most_wh = np.zeros((len(stays), len(bounds) - 1))
    for index, stay in enumerate(stays):
        first_s = (stay.arrival_at - start).total_seconds() + plug_s
        last_s = (stay.departure_at - start).total_seconds()
        starts = np.clip(border_s[:-1], first_s, max(first_s, last_s))
        ends = np.clip(border_s[1:], first_s, max(first_s, last_s))
        most_wh[index] = most_energy_wh(stay, last_s - starts, last_s - ends)
        own_w = free_w[_node(tree, stay)]
        most_wh[index] = np.minimum(most_wh[index], own_w * (ends - starts) / 3600.0)
    possible = most_wh.sum(axis=1) >= ready_wh - _MARGIN_WH
    pairs = np.argwhere(most_wh > 0.0)
    number = np.full(most_wh.shape, -1, dtype=np.int32)
    number[pairs[:, 0], pairs[:, 1]] = np.arange(len(pairs), dtype=np.int32)
    hours = np.diff(border_s) / 3600.0
    return _Case(
        stays=tuple(stays),
        ready_wh=ready_wh,
        possible=possible,
        column_stay=pairs[:, 0].astype(np.int32),
        column_most_wh=most_wh[pairs[:, 0], pairs[:, 1]],
        rows=tuple(_rows(tree, stays, most_wh, number, free_w, hours)),
    )


def _bounds(
    stays: Sequence[Stay],
    tree: ElectricalTree,
    start: datetime,
    end: datetime,
    slot_s: float,
    other_load_w: Mapping[UUID, float | Sequence[Step]],
    plug_s: float,
) -> list[datetime]:
    """Every instant at which something changes, and at least one each ``slot_s``."""
    instants = {start.astimezone(UTC), end.astimezone(UTC)}
    for stay in stays:
        instants |= {stay.arrival_at + timedelta(seconds=plug_s), stay.departure_at}
    for node in tree.nodes:
        timed = [limit for limit in node.limits if not limit.is_constant]
        if timed:
            instants.update(changes(timed, start, end, tree.zone))
    for load in other_load_w.values():
        if not isinstance(load, float | int):
            instants.update(at for step in load for at in (step.start_at, step.end_at))
    steps = int((end - start).total_seconds() // slot_s)
    instants.update(start + timedelta(seconds=slot_s * (i + 1)) for i in range(steps))
    return sorted({at.astimezone(UTC) for at in instants if start <= at <= end})


def _free(
    tree: ElectricalTree,
    bounds: Sequence[datetime],
    other_load_w: Mapping[UUID, float | Sequence[Step]],
) -> dict[UUID, Floats]:
    """Power left for charging by node and slot."""
    free = {node.id: np.array(lowest_limits_w(node, bounds, tree.zone)) for node in tree.nodes}
    for node_id, load in other_load_w.items():
        power_w = np.array([_load_at(load, at) for at in bounds[:-1]])
        for node in tree.path_to_root(node_id):
            free[node.id] = free[node.id] - power_w
    return {node_id: np.clip(power_w, 0.0, 1e12) for node_id, power_w in free.items()}


def _load_at(load: float | Sequence[Step], at: datetime) -> float:
    if isinstance(load, float | int):
        return float(load)
    return next((step.value for step in load if step.start_at <= at < step.end_at), 0.0)


def _node(tree: ElectricalTree, stay: Stay) -> UUID:
    if stay.evse_id is not None:
        return tree.leaf_of_evse[stay.evse_id].id
    return tree.root.id if stay.node_id is None else stay.node_id


def _rows(
    tree: ElectricalTree,
    stays: Sequence[Stay],
    most_wh: Floats,
    number: NDArray[np.int32],
    free_w: Mapping[UUID, Floats],
    hours: Floats,
) -> list[tuple[NDArray[np.int32], float]]:
    """Columns below a node in a slot and the energy it carries, where they could exceed it."""
    below: dict[UUID, list[int]] = {}
    for index, stay in enumerate(stays):
        for node in tree.path_to_root(_node(tree, stay)):
            below.setdefault(node.id, []).append(index)
    rows = []
    for node_id, members in below.items():
        room_wh = free_w[node_id] * hours
        wanted_wh = most_wh[members].sum(axis=0)
        for slot in np.flatnonzero(wanted_wh > room_wh + 1e-6):
            columns = number[members, slot]
            rows.append((columns[columns >= 0], float(room_wh[slot])))
    return rows


def _solved(case: _Case, time_limit_s: float, slot_s: float) -> OracleResult:
    everyone = np.flatnonzero(case.possible)
    relaxed = _programme(case, everyone, time_limit_s).least_shortfall()
    if relaxed.missing_wh <= _MARGIN_WH * max(1, len(everyone)):
        alone = _alone_shortfall(case)
        return _result(case, case.possible.copy(), alone, [], time_limit_s, slot_s)
    ready = np.zeros(len(case.stays), dtype=np.bool_)
    at_least: list[tuple[NDArray[np.int64], int]] = []
    answers: list[Answer] = []
    for priority in sorted({stay.priority for stay in case.stays}):
        group = np.array(
            [i for i in everyone if case.stays[i].priority == priority], dtype=np.int64
        )
        if len(group) == 0:
            continue
        upto = np.array([i for i in everyone if case.stays[i].priority <= priority])
        answer = _programme(case, upto, time_limit_s).most_ready(group, at_least)
        answers.append(answer)
        at_least.append((group, answer.count))
        ready[:] = False
        ready[answer.ready] = True
    missing = _alone_shortfall(case)
    final = _programme(case, everyone, time_limit_s).least_shortfall(np.flatnonzero(ready))
    missing[everyone] = np.where(ready[everyone], 0.0, final.short_wh)
    return _result(case, ready, missing, answers, time_limit_s, slot_s)


def _alone_shortfall(case: _Case) -> Floats:
    """What stays that are impossible even alone lack to being ready; 0 for the others."""
    most = np.bincount(
        case.column_stay, weights=case.column_most_wh, minlength=len(case.stays)
    ).astype(np.float64)
    missing: Floats = np.where(case.possible, 0.0, np.maximum(0.0, case.ready_wh - most))
    return missing


def _programme(case: _Case, members: NDArray[np.int64], time_limit_s: float) -> Programme:
    return Programme(
        members=members,
        ready_wh=case.ready_wh,
        column_stay=case.column_stay,
        column_most_wh=case.column_most_wh,
        rows=case.rows,
        time_limit_s=time_limit_s,
    )


def _result(
    case: _Case,
    ready: NDArray[np.bool_],
    missing_wh: Floats,
    answers: Sequence[Answer],
    time_limit_s: float,
    slot_s: float,
) -> OracleResult:
    by_priority: dict[int, int] = {}
    for stay, is_ready in zip(case.stays, ready, strict=True):
        by_priority[stay.priority] = by_priority.get(stay.priority, 0) + int(is_ready)
    slack = sum(answer.bound - answer.count for answer in answers)
    return OracleResult(
        ready_max=int(ready.sum()),
        ready_bound=int(ready.sum()) + slack,
        ready_by_priority=by_priority,
        shortfall_wh_total=float(missing_wh.sum()),
        stays=tuple(
            StayOutcome(stay.id, stay.priority, bool(r), bool(p), float(m))
            for stay, r, p, m in zip(case.stays, ready, case.possible, missing_wh, strict=True)
        ),
        proven=slack == 0,
        gap=slack / max(1, int(ready.sum())),
        time_limit_s=time_limit_s,
        slot_s=slot_s,
    )

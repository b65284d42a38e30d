"""A public session's share of what fleets leave: by turns, equal, first come; all of it or less."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from math import ceil, inf
from typing import ClassVar
from uuid import UUID

from voltyard.energy.allocator import Candidate
from voltyard.energy.policies.base import Candidates, Moment, Policy, capped

TURN_S = 900.0
"""Who began to charge goes on for so long before it may have to give way."""
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Order(StrEnum):
    TURNS = "turns"
    """Full power by turns."""
    EQUAL = "equal"
    """The same for all, as far as least powers allow."""
    FIRST_COME = "first_come"
    """Who plugged in first is served first."""


@dataclass(frozen=True, slots=True)
class VisitorsShare(Policy):
    """Visitors are those without a duty who are no vehicle of ours. Together they get at most
    ``share_pct`` of what the others leave at the grid connection."""

    key: ClassVar[str] = "visitors"
    order: Order = Order.TURNS
    share_pct: float = 100.0

    def ruled(self, candidates: Candidates, moment: Moment) -> Candidates:
        if self.order is Order.TURNS and self.share_pct >= 100.0:
            return candidates
        mine = [c for c in candidates.values() if _is_visitor(c, moment)]
        if not mine:
            return candidates
        visitors = {candidate.evse_id for candidate in mine}
        others = {key: c for key, c in candidates.items() if key not in visitors}
        free_w = {key: max(0.0, left_w) for key, left_w in moment.left(others).items()}
        root_id = moment.setting.tree.root.id
        free_w[root_id] = free_w.get(root_id, inf) * self.share_pct / 100.0
        room = _Room(moment, free_w)
        ordered = sorted(mine, key=lambda c: self._turn(c, moment))
        fill = _equal if self.order is Order.EQUAL else _in_order
        shares_w = fill(ordered, room)
        return {**others, **{c.evse_id: capped(c, shares_w[c.evse_id]) for c in ordered}}

    def _turn(self, candidate: Candidate, moment: Moment) -> tuple[int, float, UUID]:
        if self.order is Order.FIRST_COME:
            began = moment.present[candidate.evse_id].session.started_at
            return 0, (began - LONG_AGO).total_seconds(), candidate.evse_id
        since = candidate.since_at or LONG_AGO
        lasted_s = (moment.setting.now - since).total_seconds()
        if candidate.current_w > 0.0:
            fresh = lasted_s < TURN_S
            return (0 if fresh else 2), (0.0 if fresh else lasted_s), candidate.evse_id
        return 1, -lasted_s, candidate.evse_id


def _is_visitor(candidate: Candidate, moment: Moment) -> bool:
    present = moment.present[candidate.evse_id]
    planned = candidate.plan_w is not None
    at_once = candidate.evse_id in moment.setting.at_once
    return present.vehicle is None and present.duty is None and not planned and not at_once


class _Room:
    """Free power by node, and the nodes above an outlet."""

    def __init__(self, moment: Moment, free_w: Mapping[UUID, float]) -> None:
        self.free_w = free_w
        self._tree = moment.setting.tree

    def path(self, evse_id: UUID) -> list[UUID]:
        return [node.id for node in self._tree.path_of_evse(evse_id)]


def _in_order(ordered: Sequence[Candidate], room: _Room) -> dict[UUID, float]:
    """All that one can take, then the next; who would get less than its least gets nothing."""
    free_w, given = dict(room.free_w), dict[UUID, float]()
    for candidate in ordered:
        path = room.path(candidate.evse_id)
        most_w = min((free_w.get(node_id, inf) for node_id in path), default=inf)
        power_w = capped(candidate, most_w).want_w
        given[candidate.evse_id] = power_w
        for node_id in path:
            free_w[node_id] = free_w.get(node_id, inf) - power_w
    return given


def _equal(ordered: Sequence[Candidate], room: _Room) -> dict[UUID, float]:
    """Max-min fair on the tree. While somebody would get less than its least power, those whose
    turn is last wait."""
    asking = list(ordered)
    while True:
        given = _filled(asking, room)
        below = [c for c in asking if given[c.evse_id] < min(c.min_power_w, c.want_w) - 1e-6]
        if not below:
            return dict.fromkeys((c.evse_id for c in ordered), 0.0) | given
        gone = {c.evse_id for c in below[-ceil(len(below) / 4) :]}
        asking = [c for c in asking if c.evse_id not in gone]


def _filled(asking: Sequence[Candidate], room: _Room) -> dict[UUID, float]:
    """All rise together; who has all, or stands below a node that is full, stops."""
    free_w, given = dict(room.free_w), {c.evse_id: 0.0 for c in asking}
    paths = {c.evse_id: room.path(c.evse_id) for c in asking}
    active = {c.evse_id: c.want_w for c in asking}
    while active:
        crowd: dict[UUID, int] = {}
        for evse_id in active:
            for node_id in paths[evse_id]:
                crowd[node_id] = crowd.get(node_id, 0) + 1
        step_w = min(want_w - given[evse_id] for evse_id, want_w in active.items())
        for node_id, count in crowd.items():
            step_w = min(step_w, free_w.get(node_id, inf) / count)
        for evse_id in active:
            given[evse_id] += step_w
        full = set()
        for node_id, count in crowd.items():
            free_w[node_id] = free_w.get(node_id, inf) - step_w * count
            if free_w[node_id] <= 1e-3:
                full.add(node_id)
        active = {
            evse_id: want_w
            for evse_id, want_w in active.items()
            if want_w - given[evse_id] > 1e-3 and full.isdisjoint(paths[evse_id])
        }
    return given

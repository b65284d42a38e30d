"""The rules of the allocator on lists and dictionaries, slow and plain: what its engine is held
against."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from math import inf
from uuid import UUID

from voltyard.energy.allocator import (
    MAX_AHEAD,
    AllocationInput,
    Candidate,
    Grant,
    Reason,
    ReasonKind,
    Reservation,
)
from voltyard.energy.headroom import BALANCED, SLACK_W, Wiring
from voltyard.sites.limits import limits_during
from voltyard.sites.model import ElectricalTree, NodeLimit
from voltyard.units import NOMINAL_VOLTAGE_V


@dataclass(frozen=True, slots=True)
class Listed:
    grants: Mapping[UUID, Grant]
    overloaded: tuple[UUID, ...]
    free_w: Mapping[UUID, float]


@dataclass(slots=True)
class Headroom:
    """Free watts and amps by node; negative where fixed load alone is over the limit."""

    tree: ElectricalTree
    free_w: dict[UUID, float]
    free_a: dict[UUID, list[float]]
    paths: dict[UUID, tuple[UUID, ...]] = field(default_factory=dict)

    @classmethod
    def during(
        cls,
        tree: ElectricalTree,
        at: datetime,
        validity_s: float,
        load_w: Mapping[UUID, float],
        reservations: Iterable[Reservation] = (),
    ) -> "Headroom":
        """Lowest limits over [at, at + validity_s], less load and reservations."""
        end_at = at + timedelta(seconds=validity_s)
        limits = {n.id: limits_during(n, at, end_at, tree.zone) for n in tree.nodes}
        return cls._from_limits(tree, limits, load_w, reservations)

    @classmethod
    def _from_limits(
        cls,
        tree: ElectricalTree,
        limits: Mapping[UUID, tuple[NodeLimit, ...]],
        load_w: Mapping[UUID, float],
        reservations: Iterable[Reservation],
    ) -> "Headroom":
        free_w, free_a = {}, {}
        for node_id, found in limits.items():
            free_w[node_id] = min((limit.total_w for limit in found), default=inf)
            amps = (limit.current_a for limit in found if limit.current_a is not None)
            free_a[node_id] = [min(amps, default=inf)] * 3
        made = cls(tree, free_w, free_a)
        for node_id, power_w in load_w.items():
            path = tuple(node.id for node in tree.path_to_root(node_id))
            made._take(path, power_w, BALANCED)
        for reservation in reservations:
            made.take(reservation.evse_id, reservation.power_w, reservation.wiring)
        return made

    def path(self, evse_id: UUID) -> tuple[UUID, ...]:
        """Node ids from the EVSE's leaf to the root. KeyError when the tree lacks the EVSE."""
        found = self.paths.get(evse_id)
        if found is None:
            found = tuple(node.id for node in self.tree.path_of_evse(evse_id))
            self.paths[evse_id] = found
        return found

    def room_at(self, node_id: UUID, wiring: Wiring) -> float:
        """Free power at one node for one wiring; negative when it is over."""
        amps = self.free_a[node_id]
        least_a = min(amps[phase - 1] for phase in wiring.phases)
        return min(self.free_w[node_id], wiring.watts(least_a))

    def room(self, evse_id: UUID, wiring: Wiring) -> float:
        """Power the EVSE could have on top, by the tightest node on its path; at least 0."""
        return max(0.0, min(self.room_at(node_id, wiring) for node_id in self.path(evse_id)))

    def tightest(self, evse_id: UUID, wiring: Wiring) -> UUID:
        """The node on the EVSE's path with the least room, the lowest one when equal."""
        return min(self.path(evse_id), key=lambda node_id: self.room_at(node_id, wiring))

    def take(self, evse_id: UUID, power_w: float, wiring: Wiring) -> None:
        """Count ``power_w`` (negative gives back) at every node from the EVSE up."""
        self._take(self.path(evse_id), power_w, wiring)

    def _take(self, path: tuple[UUID, ...], power_w: float, wiring: Wiring) -> None:
        current_a = wiring.amps(power_w)
        for node_id in path:
            self.free_w[node_id] -= power_w
            amps = self.free_a[node_id]
            for phase in wiring.phases:
                amps[phase - 1] -= current_a

    def exceeded(self) -> tuple[UUID, ...]:
        """Nodes over their limit, in total or on a phase."""
        slack_a = SLACK_W / NOMINAL_VOLTAGE_V
        return tuple(
            node_id
            for node_id, free_w in self.free_w.items()
            if free_w < -SLACK_W or min(self.free_a[node_id]) < -slack_a
        )


class _Tier(IntEnum):
    URGENT = 0
    HELD = 1
    PLANNED = 2
    LATE = 3
    DONE = 4
    UNPLANNED = 5


def by_list(given: AllocationInput) -> Listed:
    """What ``allocate`` must find, too."""
    room = _headroom(given)
    overloaded = room.exceeded()
    reserved = {reservation.evse_id for reservation in given.reservations}
    candidates = [c for c in given.candidates if c.evse_id not in reserved]
    assert len({c.evse_id for c in candidates}) == len(candidates), "one candidate an EVSE"
    sharing = _Sharing(given, room, candidates)
    sharing.serve()
    _calm(given, sharing)
    _verify(given, sharing, overloaded)
    grants = {c.evse_id: sharing.grant(c) for c in sharing.order}
    for candidate in given.candidates:
        if candidate.evse_id in reserved:
            reason = Reason(ReasonKind.RESERVED)
            grants[candidate.evse_id] = Grant(candidate.evse_id, 0.0, None, reason)
    return Listed(
        grants=grants,
        overloaded=overloaded,
        free_w=dict(room.free_w),
    )


def _headroom(given: AllocationInput) -> Headroom:
    return Headroom.during(
        given.tree, given.at, given.validity_s, given.node_load_w, given.reservations
    )


class _Sharing:
    """One round of giving: what is granted so far and what is left of limits and budget."""

    def __init__(
        self, given: AllocationInput, room: Headroom, candidates: Sequence[Candidate]
    ) -> None:
        self.given = given
        self.room = room
        self.tier = {c.evse_id: _tier(given, c) for c in candidates}
        self.order = sorted(candidates, key=self._key)
        self.granted_w = {c.evse_id: 0.0 for c in candidates}
        self.calmed: set[UUID] = set()
        planned = sum(c.plan_w or 0.0 for c in candidates)
        self.budget_w = planned if given.budget_w is None else given.budget_w
        self.node_budget_w = dict(given.node_budget_w)

    def serve(self) -> None:
        """The plan's shares first; where somebody is urgent, those with time to spare give way."""
        self._firmly()
        planned = [c for c in self.order if self.tier[c.evse_id] is not _Tier.UNPLANNED]
        urgent = [c for c in planned if self.tier[c.evse_id] is _Tier.URGENT]
        spares = self.given.protect_s if urgent else -inf
        pressed = [c for c in planned if c.laxity_s < spares and not c.late]
        for candidate in pressed:
            self._raise(candidate, _share_of_plan(self.tier, candidate), bounded=False)
        for candidate in urgent:
            critical = candidate.laxity_s < self.given.critical_s
            self._raise(candidate, candidate.want_w, bounded=not critical)
        for candidate in planned:
            if self.tier[candidate.evse_id] is _Tier.HELD:
                self._raise(candidate, _share_of_plan(self.tier, candidate), bounded=False)
        for candidate in planned:
            if self.tier[candidate.evse_id] in (_Tier.HELD, _Tier.PLANNED):
                self._raise(candidate, self._within_nodes(candidate), bounded=True)
        for candidate in planned:
            self._raise(candidate, _share_of_plan(self.tier, candidate), bounded=True)
        self._use_up(planned)
        for candidate in self.order:
            if self.tier[candidate.evse_id] is _Tier.UNPLANNED:
                self._raise(candidate, candidate.want_w, bounded=False, counted=False)
        if self.given.opportunistic:
            for candidate in planned:
                self._raise(candidate, candidate.want_w, bounded=False)

    def _firmly(self) -> None:
        """What must run, the most important first; the plan's budgets are without it."""
        firm = [c for c in self.order if c.firm_w > 0.0]
        for candidate in sorted(firm, key=lambda c: c.priority):
            self._raise(candidate, candidate.firm_w, bounded=False, counted=False)
            for node_id in self.room.path(candidate.evse_id):
                if node_id in self.node_budget_w:
                    self.node_budget_w[node_id] += self.granted_w[candidate.evse_id]

    def _within_nodes(self, candidate: Candidate) -> float:
        """All it can take, as far as the plan leaves it at the nodes that it fills."""
        path = self.room.path(candidate.evse_id)
        left_w = min((self.node_budget_w.get(node_id, inf) for node_id in path), default=inf)
        return min(candidate.want_w, self.granted_w[candidate.evse_id] + max(0.0, left_w))

    def _use_up(self, planned: Sequence[Candidate]) -> None:
        """Power others left of the planned total: running vehicles first, then paused ones."""
        running = [c for c in planned if self.granted_w[c.evse_id] > 0.0]
        paused = [c for c in planned if self.granted_w[c.evse_id] == 0.0]
        for candidate in (*running, *paused):
            self._raise(candidate, candidate.want_w, bounded=True)

    def _raise(
        self, candidate: Candidate, target_w: float, *, bounded: bool, counted: bool = True
    ) -> None:
        """Raise a grant towards ``target_w``, as far as the nodes (and the budget) allow."""
        held_w = self.granted_w[candidate.evse_id]
        more_w = min(target_w, candidate.want_w) - held_w
        more_w = min(more_w, self.room.room(candidate.evse_id, candidate.wiring))
        if bounded:
            more_w = min(more_w, self.budget_w)
        new_w = _usable(candidate, held_w + more_w)
        if new_w > held_w:
            self.set(candidate, new_w)
            if counted:
                self.budget_w -= new_w - held_w

    def top_up(self, candidate: Candidate) -> None:
        """As much more as budget and nodes allow."""
        self._raise(candidate, candidate.want_w, bounded=True)

    def set(self, candidate: Candidate, power_w: float) -> None:
        held_w = self.granted_w[candidate.evse_id]
        self.room.take(candidate.evse_id, power_w - held_w, candidate.wiring)
        self.granted_w[candidate.evse_id] = power_w
        for node_id in self.room.path(candidate.evse_id):
            if node_id in self.node_budget_w:
                self.node_budget_w[node_id] -= power_w - held_w

    def grant(self, candidate: Candidate) -> Grant:
        power_w = self.granted_w[candidate.evse_id]
        current_a = candidate.wiring.whole_amps(power_w)[0] if candidate.whole_amps else None
        return Grant(candidate.evse_id, power_w, current_a, self._reason(candidate))

    def _reason(self, candidate: Candidate) -> Reason:
        power_w = self.granted_w[candidate.evse_id]
        if candidate.evse_id in self.calmed:
            return Reason(ReasonKind.DEAD_BAND)
        if power_w >= _usable(candidate, candidate.want_w) - 1.0:
            return Reason(ReasonKind.FULL)
        left_w = self.room.room(candidate.evse_id, candidate.wiring)
        node_id = self.room.tightest(candidate.evse_id, candidate.wiring)
        if _usable(candidate, power_w + left_w) > power_w:
            return Reason(ReasonKind.PLAN)
        kind = ReasonKind.LIMIT if power_w > 0.0 or left_w < 1.0 else ReasonKind.MINIMUM
        return Reason(kind, node_id, self._ahead(candidate, node_id))

    def _ahead(self, candidate: Candidate, node_id: UUID) -> tuple[UUID, ...]:
        found: list[UUID] = []
        for other in self.order:
            if other.evse_id == candidate.evse_id or len(found) == MAX_AHEAD:
                break
            if self.granted_w[other.evse_id] > 0.0 and node_id in self.room.path(other.evse_id):
                found.append(other.evse_id)
        return tuple(found)

    def _key(self, candidate: Candidate) -> tuple[int, float, float, int]:
        tier = self.tier[candidate.evse_id]
        charging = candidate.current_w > 0.0
        sticky_s = self.given.sticky_s if charging else 0.0
        priority = float(candidate.priority)
        tie = candidate.evse_id.int
        if tier is _Tier.UNPLANNED:
            return tier, priority, self._turn(candidate), tie
        if tier is _Tier.DONE:
            return tier, priority, 0.0 if charging else 1.0, tie
        if tier in (_Tier.URGENT, _Tier.LATE):
            return tier, priority, candidate.laxity_s - sticky_s, tie
        return tier, candidate.laxity_s - sticky_s, priority, tie

    def _turn(self, candidate: Candidate) -> float:
        """Rotation of vehicles without a plan: fresh turns last, then the longest wait is next."""
        if candidate.since_at is None:
            return 0.0
        elapsed_s = (self.given.at - candidate.since_at).total_seconds()
        if candidate.current_w <= 0.0:
            return -elapsed_s
        return -inf if elapsed_s < self.given.rotate_s else elapsed_s


def _tier(given: AllocationInput, candidate: Candidate) -> _Tier:
    if candidate.plan_w is None:
        return _Tier.UNPLANNED
    if candidate.late:
        return _Tier.LATE
    if candidate.laxity_s == inf:
        return _Tier.DONE
    if candidate.laxity_s < given.urgent_s:
        return _Tier.URGENT
    if candidate.current_w > 0.0 and candidate.since_at is not None:
        on_s = (given.at - candidate.since_at).total_seconds()
        if on_s < given.min_on_s:
            return _Tier.HELD
    return _Tier.PLANNED


def _share_of_plan(tier: Mapping[UUID, _Tier], candidate: Candidate) -> float:
    """Power from the plan alone: its own, rounded up to the least power when that is near."""
    if candidate.firm_w > 0.0:
        return candidate.firm_w + (candidate.plan_w or 0.0)
    plan_w = candidate.plan_w or 0.0
    if tier[candidate.evse_id] is _Tier.HELD:
        return max(plan_w, candidate.min_power_w)
    if plan_w >= candidate.min_power_w:
        return plan_w
    near = plan_w > 0.0 and (candidate.current_w > 0.0 or 2.0 * plan_w >= candidate.min_power_w)
    return candidate.min_power_w if near else 0.0


def _usable(candidate: Candidate, power_w: float) -> float:
    """The highest power up to ``power_w`` the EVSE can be set to: 0, or at least the least."""
    if candidate.whole_amps:
        power_w = candidate.wiring.whole_amps(power_w)[1]
    return power_w if power_w > 0.0 and power_w >= candidate.min_power_w - 1e-6 else 0.0


def _calm(given: AllocationInput, sharing: _Sharing) -> None:
    """Leave out increases too small to matter; what that frees goes to those who gain enough."""
    freed_w = 0.0
    for candidate in sharing.order:
        held_w = _usable(candidate, candidate.current_w)
        granted_w = sharing.granted_w[candidate.evse_id]
        if held_w < candidate.firm_w:
            continue
        if 0.0 < held_w < granted_w < held_w + _band_w(given, candidate):
            sharing.set(candidate, held_w)
            sharing.calmed.add(candidate.evse_id)
            freed_w += granted_w - held_w
    sharing.budget_w = max(0.0, sharing.budget_w) + freed_w
    for candidate in sharing.order:
        before_w = sharing.granted_w[candidate.evse_id]
        if before_w > 0.0 and sharing.budget_w >= 1.0:
            sharing.top_up(candidate)
            gained_w = sharing.granted_w[candidate.evse_id] - candidate.current_w
            if 0.0 < gained_w < _band_w(given, candidate):
                sharing.budget_w += sharing.granted_w[candidate.evse_id] - before_w
                sharing.set(candidate, before_w)
            elif sharing.granted_w[candidate.evse_id] > before_w:
                sharing.calmed.discard(candidate.evse_id)


def _band_w(given: AllocationInput, candidate: Candidate) -> float:
    """Least increase worth a command: on AC one ampere is."""
    if candidate.whole_amps:
        return min(given.dead_band_w, candidate.wiring.watts(1) - 1e-6)
    return given.dead_band_w


def _verify(given: AllocationInput, sharing: _Sharing, overloaded: Iterable[UUID]) -> None:
    """The promise itself, recounted from nothing: only what others draw may exceed a node."""
    again = _headroom(given)
    for candidate in sharing.order:
        granted_w = sharing.granted_w[candidate.evse_id]
        assert granted_w == 0.0 or granted_w >= candidate.min_power_w - 1e-6, "0 or the least"
        assert granted_w <= candidate.want_w + 1e-6, "no more than the vehicle takes"
        again.take(candidate.evse_id, granted_w, candidate.wiring)
    over = set(overloaded)
    assert over.issuperset(again.exceeded()), "a grant never exceeds a node"

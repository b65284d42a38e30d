"""Who may draw how much from now on: the plan's total, shared so that no node is ever exceeded.

Pure. A grant holds for the stated validity: limits that fall within it count at their lowest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import repeat
from math import inf, nan
from operator import is_
from struct import Struct
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from voltyard.energy import shares
from voltyard.energy.circuit import Circuit, Floats, Ints
from voltyard.energy.headroom import BALANCED, SLACK_A, SLACK_W, Reservation, Wiring
from voltyard.sites.model import ElectricalTree, Node, NodeKind, NodeLimit

__all__ = [
    "Allocation",
    "AllocationInput",
    "Candidate",
    "Grant",
    "Reason",
    "ReasonKind",
    "Reservation",
    "Wiring",
    "allocate",
    "warm_up",
]

MAX_AHEAD = 5
_TOLD = Struct(f"{shares.TOLD}d")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A connected vehicle. ``want_w`` is what it can take now, ``plan_w`` its plan for this slot.

    The plan says how much all draw together and who matters when; among those who still wait for
    energy the order of laxity decides, so that few charge at full power rather than many a little.

    ``plan_w`` None means no plan knows it: it gets what the planned ones leave. ``laxity_s`` is
    the time left beyond what its *allotted* energy takes at full power (infinite when it has
    that already); ``late`` says the plan gave it up. ``current_w`` is its present grant,
    ``since_at`` when it last went from paused to charging or back. ``whole_amps`` is for AC.
    """

    evse_id: UUID
    want_w: float
    plan_w: float | None = None
    stay_id: UUID | None = None
    laxity_s: float = inf
    priority: int = 5
    min_power_w: float = 0.0
    current_w: float = 0.0
    since_at: datetime | None = None
    wiring: Wiring = BALANCED
    whole_amps: bool = False
    late: bool = False
    firm_w: float = 0.0
    """Of ``want_w``, what goes before everybody's charging: preconditioning runs on it."""
    told: bytes = field(init=False, compare=False, repr=False)
    """The engine's first columns, packed once: a thousand candidates are shared among often."""

    def __post_init__(self) -> None:
        plan_w, since_at = self.plan_w, self.since_at
        told = _TOLD.pack(
            self.want_w,
            self.laxity_s,
            self.priority,
            self.min_power_w,
            self.current_w,
            self.late,
            self.whole_amps,
            self.firm_w,
            nan if plan_w is None else plan_w,
            nan if since_at is None else since_at.timestamp(),
        )
        object.__setattr__(self, "told", told)


@dataclass(frozen=True, slots=True)
class AllocationInput:
    """The site now. ``node_load_w`` is load that is not ours, margin included, by node.

    ``reservations`` count at every node above their EVSE and are never given away.
    ``budget_w`` is the plan's total for planned vehicles (default: the sum of their plans) and
    ``node_budget_w`` its total at nodes below the root that have no power to waste; with
    ``opportunistic`` the limits alone bound them. An increase under ``dead_band_w`` waits; a
    charging vehicle keeps its turn for ``sticky_s`` of laxity and at least ``min_on_s``. Below
    ``urgent_s`` of laxity a vehicle gets more than its plan, from those above ``protect_s``, and
    below ``critical_s`` more than the budget.
    """

    tree: ElectricalTree
    at: datetime
    candidates: tuple[Candidate, ...]
    validity_s: float = 0.0
    node_load_w: Mapping[UUID, float] = field(default_factory=dict)
    reservations: tuple[Reservation, ...] = ()
    budget_w: float | None = None
    node_budget_w: Mapping[UUID, float] = field(default_factory=dict)
    opportunistic: bool = False
    dead_band_w: float = 2000.0
    sticky_s: float = 7200.0
    min_on_s: float = 300.0
    rotate_s: float = 900.0
    urgent_s: float = 360.0
    critical_s: float = 60.0
    protect_s: float = 3600.0
    circuit: Circuit | None = None


class ReasonKind(StrEnum):
    FULL = "full"
    """It gets all it can take."""
    LIMIT = "limit"
    """A node's limit binds."""
    MINIMUM = "minimum"
    """What a node has left is less than the vehicle's least power."""
    PLAN = "plan"
    """The plan charges it at another time, or spreads its charge."""
    DEAD_BAND = "dead_band"
    """The increase would be too small to be worth a command."""
    RESERVED = "reserved"
    """The EVSE cannot be heard; its envelope is kept free instead."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a grant is not higher: the node that binds and who was served before it there."""

    kind: ReasonKind
    node_id: UUID | None = None
    ahead: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Grant:
    """0 or at least the vehicle's least power. ``current_a`` (whole amps a phase) for AC only."""

    evse_id: UUID
    power_w: float
    current_a: int | None
    reason: Reason


@dataclass(frozen=True, slots=True)
class Allocation:
    """Grants by EVSE, those served first first. ``overloaded`` nodes are over by load and
    reservations alone. ``free_w`` is what grants leave, by node."""

    grants: "Grants"
    valid_until: datetime
    overloaded: tuple[UUID, ...]
    free_w: Mapping[UUID, float]
    urgent_s: float
    """Below which time to spare a vehicle was urgent."""

    def power_w(self, evse_id: UUID) -> float:
        return self.grants.power_w(evse_id)

    def reasons(self) -> Iterator[tuple[UUID, ReasonKind, UUID | None]]:
        """Of every grant, without who is ahead."""
        return self.grants.reasons()


def allocate(given: AllocationInput) -> Allocation:
    """Grants that no node's limit, in watts or in amps of a phase, can be exceeded by.

    KeyError when an EVSE is not in the tree.
    """
    circuit = given.circuit or Circuit(given.tree)
    leaf_of = circuit.leaf_of
    leaves = [leaf_of[candidate.evse_id.int] for candidate in given.candidates]
    assert len(set(leaves)) == len(leaves), "one candidate an EVSE"
    reserved = {leaf_of[reservation.evse_id.int] for reservation in given.reservations}
    asking, aside = given.candidates, list[Candidate]()
    if not reserved.isdisjoint(leaves):
        pairs = list(zip(leaves, given.candidates, strict=True))
        asking = tuple(candidate for leaf, candidate in pairs if leaf not in reserved)
        aside = [candidate for leaf, candidate in pairs if leaf in reserved]
        leaves = [leaf for leaf in leaves if leaf not in reserved]
    deal, rules = _deal(given, circuit, asking, leaves), _rules(given)
    was_over = shares.over(deal.tree, deal.room, SLACK_W, SLACK_A)
    first, second = shares.rank(deal, rules)
    tier, leaf = deal.marks[:, shares.TIER], deal.marks[:, shares.LEAF]
    order = np.lexsort((circuit.rank[leaf], second, first, tier))
    found, why = shares.settle(deal, rules, order, was_over, SLACK_W, SLACK_A)
    _verify(found)
    return Allocation(
        grants=Grants(circuit, asking, aside, leaves, order.tolist(), deal, why),
        valid_until=given.at + timedelta(seconds=given.validity_s),
        overloaded=tuple(circuit.ids[node] for node in np.flatnonzero(was_over)),
        free_w=_ByNode(circuit, deal.room[:, shares.FREE_W]),
        urgent_s=given.urgent_s,
    )


def _verify(found: int) -> None:
    """The promise itself, recounted from nothing: only what others draw may exceed a node."""
    assert found != shares.BELOW_LEAST, "0 or the least"
    assert found != shares.ABOVE_WANT, "no more than the vehicle takes"
    assert found == shares.SOUND, "a grant never exceeds a node"


def _rules(given: AllocationInput) -> shares.Rules:
    return shares.Rules(
        budget_w=nan if given.budget_w is None else float(given.budget_w),
        opportunistic=given.opportunistic,
        dead_band_w=float(given.dead_band_w),
        sticky_s=float(given.sticky_s),
        min_on_s=float(given.min_on_s),
        rotate_s=float(given.rotate_s),
        urgent_s=float(given.urgent_s),
        critical_s=float(given.critical_s),
        protect_s=float(given.protect_s),
    )


def _deal(
    given: AllocationInput, circuit: Circuit, asking: Sequence[Candidate], leaves: Sequence[int]
) -> shares.Deal:
    at, count = given.at, len(asking)
    crowd = np.empty((count, shares.COLUMNS))
    told = np.frombuffer(b"".join([candidate.told for candidate in asking]), dtype=np.float64)
    crowd[:, : shares.TOLD] = told.reshape(count, shares.TOLD)
    waited_s = at.timestamp() - crowd[:, shares.WAITED_S]
    # As exact as instants are: what lasted five minutes lasted not less.
    crowd[:, shares.WAITED_S] = np.round(waited_s, 6)
    marks = np.zeros((count, shares.MARKS), dtype=np.int64)
    marks[:, shares.LEAF] = leaves
    wired = _wired([candidate.wiring for candidate in asking])
    marks[:, shares.PHASES], crowd[:, shares.PER_AMP : shares.GRANTED_W] = wired
    room = _room(given, circuit)
    return shares.Deal(crowd, marks, circuit.upward, room, np.zeros(1))


def _room(given: AllocationInput, circuit: Circuit) -> Floats:
    """Limits less load and reservations, and the plan's totals."""
    room = np.empty((len(circuit.ids), shares.FIGURES))
    free_w, free_a = circuit.during(given.at, given.validity_s)
    room[:, shares.FREE_W], room[:, shares.FREE_A : shares.BUDGET_W] = free_w, free_a
    room[:, shares.BUDGET_W] = inf
    for node_id, load_w in given.node_load_w.items():
        path = list(circuit.upwards(circuit.number[node_id]))
        room[path, shares.FREE_W] -= load_w
        room[path, shares.FREE_A : shares.BUDGET_W] -= BALANCED.amps(load_w)
    for node_id, planned_w in given.node_budget_w.items():
        if node_id in circuit.number:
            room[circuit.number[node_id], shares.BUDGET_W] = planned_w
    kept = given.reservations
    if not kept:
        return room
    leaves = np.array([circuit.leaf_of[r.evse_id.int] for r in kept], dtype=np.int64)
    phases, wired = _wired([reservation.wiring for reservation in kept])
    power_w = np.array([reservation.power_w for reservation in kept], dtype=np.float64)
    shares.keep(circuit.upward, room, leaves, phases, np.column_stack((power_w, wired)))
    return room


def _wired(wirings: Sequence[Wiring]) -> tuple[Ints, Floats]:
    """Bits of the phases; how many and their voltage. Most wirings are the same few objects."""
    if wirings and all(map(is_, wirings, repeat(wirings[0]))):
        kinds, of = [wirings[0]], np.zeros(len(wirings), dtype=np.int64)
    else:
        keys = list(map(id, wirings))
        known = dict(zip(keys, wirings, strict=True))
        place = {key: number for number, key in enumerate(known)}
        kinds = list(known.values())
        of = np.fromiter(map(place.__getitem__, keys), np.int64, len(keys))
    bits = [sum(1 << phase - 1 for phase in wiring.phases) for wiring in kinds]
    rows = [(len(wiring.phases), wiring.voltage_v) for wiring in kinds]
    table = np.array(rows, dtype=np.float64).reshape(len(rows), 2)
    return np.array(bits, dtype=np.int64)[of], table[of]


class _ByNode(Mapping[UUID, float]):
    def __init__(self, circuit: Circuit, values: Floats) -> None:
        self._circuit, self._values = circuit, values

    def __getitem__(self, node_id: UUID) -> float:
        return float(self._values[self._circuit.number[node_id]])

    def __iter__(self) -> Iterator[UUID]:
        return iter(self._circuit.ids)

    def __len__(self) -> int:
        return len(self._circuit.ids)


_KINDS = {
    shares.FULL: ReasonKind.FULL,
    shares.LIMIT: ReasonKind.LIMIT,
    shares.MINIMUM: ReasonKind.MINIMUM,
    shares.PLAN: ReasonKind.PLAN,
    shares.DEAD_BAND: ReasonKind.DEAD_BAND,
}


class Grants(Mapping[UUID, Grant]):
    """Grants by EVSE in the order they were served; each is put in words when it is asked for."""

    def __init__(
        self,
        circuit: Circuit,
        asking: Sequence[Candidate],
        aside: Sequence[Candidate],
        leaves: Sequence[int],
        order: Sequence[int],
        deal: shares.Deal,
        why: Ints,
    ) -> None:
        self._circuit = circuit
        self._asking = asking
        self._aside = dict.fromkeys(candidate.evse_id for candidate in aside)
        self._order = order
        self._place = dict(zip(leaves, range(len(leaves)), strict=True))
        self._granted_w: list[float] = deal.crowd[:, shares.GRANTED_W].tolist()
        self._why: list[int] = why[0].tolist()
        self._where: list[int] = why[1].tolist()

    def __iter__(self) -> Iterator[UUID]:
        for place in self._order:
            yield self._asking[place].evse_id
        yield from self._aside

    def __len__(self) -> int:
        return len(self._order) + len(self._aside)

    def __getitem__(self, evse_id: UUID) -> Grant:
        if evse_id in self._aside:
            return Grant(evse_id, 0.0, None, Reason(ReasonKind.RESERVED))
        place = self._place[self._circuit.leaf[evse_id]]
        candidate, power_w = self._asking[place], self._granted_w[place]
        current_a = candidate.wiring.whole_amps(power_w)[0] if candidate.whole_amps else None
        return Grant(evse_id, power_w, current_a, self._reason(place))

    def power_w(self, evse_id: UUID) -> float:
        """0 for one that asked for nothing."""
        place = self._place.get(self._circuit.leaf.get(evse_id, -1))
        return 0.0 if place is None else self._granted_w[place]

    def reasons(self) -> Iterator[tuple[UUID, ReasonKind, UUID | None]]:
        for candidate, why, where in zip(self._asking, self._why, self._where, strict=True):
            node_id = None if where < 0 else self._circuit.ids[where]
            yield candidate.evse_id, _KINDS[why], node_id
        for evse_id in self._aside:
            yield evse_id, ReasonKind.RESERVED, None

    def _reason(self, place: int) -> Reason:
        kind, where = _KINDS[self._why[place]], self._where[place]
        if where < 0:
            return Reason(kind)
        return Reason(kind, self._circuit.ids[where], self._ahead(place, where))

    def _ahead(self, place: int, node: int) -> tuple[UUID, ...]:
        """Who was served before it at the node."""
        found: list[UUID] = []
        for other in self._order:
            if other == place or len(found) == MAX_AHEAD:
                break
            evse_id = self._asking[other].evse_id
            if self._granted_w[other] > 0.0 and node in self._circuit.way(evse_id).nodes:
                found.append(evse_id)
        return tuple(found)


def warm_up() -> None:
    """Compile the engine now rather than at the first pass."""
    root = Node(UUID(int=1), NodeKind.GRID, "grid", None, (NodeLimit(power_w=10_000.0),))
    leaf = Node(UUID(int=2), NodeKind.EVSE, "E", root.id, (), evse_id=UUID(int=3))
    tree = ElectricalTree(
        (root, leaf), ZoneInfo("UTC"), {root.id: root, leaf.id: leaf}, {UUID(int=3): leaf}
    )
    at = datetime(2026, 1, 1, tzinfo=UTC)
    allocate(AllocationInput(tree, at, (Candidate(UUID(int=3), want_w=1000.0, plan_w=1000.0),)))

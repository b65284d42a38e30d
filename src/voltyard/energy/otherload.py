"""Load that is no charger's, from site meters: what they measure less what chargers draw. Pure.

A meter and the chargers below it are not read at the same instant. So what chargers draw is known
as a range, and a change that they may explain is taken to be theirs: what is counted for other
load and for chargers together is never less than what the meter measured last.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil, inf
from uuid import UUID

from voltyard.sites.model import ElectricalTree, Node, NodeLimit
from voltyard.units import NOMINAL_VOLTAGE_V

FALLS_AFTER_S = 90.0
"""Other load counts at its highest of so long: by then every charger has reported anew."""
RAMP_S = 45.0
"""A limit that changed less than this before a reading may still move what is drawn."""
FRESH_S = 150.0
"""An older reading of a charger says nothing about now."""
STEP_W = 100.0
WORST_STEP_W = 1_000.0
PHASES = 3


@dataclass(frozen=True, slots=True)
class Metered:
    """A site meter as of now, from whoever reads it. ``known`` is false in silence: then the
    larger of ``fallback_w`` and what was seen last counts. ``all``: chargers below are in it."""

    meter_id: UUID
    node_id: UUID
    all: bool
    margin_w: float
    known: bool
    fallback_w: float
    worst_w: float
    at: datetime | None = None
    power_w: float = 0.0
    phases_w: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Draw:
    """What one charger may be drawing, in W, and on which phases (1 to 3)."""

    evse_id: UUID
    least_w: float
    most_w: float
    phases: tuple[int, ...] = (1, 2, 3)


def draw_of(
    evse_id: UUID,
    *,
    idle: bool,
    measured_w: float | None,
    measured_at: datetime | None,
    changed_at: datetime | None,
    ceiling_w: float,
    held_back: bool,
    now: datetime,
    phases: tuple[int, ...] = (1, 2, 3),
) -> Draw:
    """``idle``: it is connected and says that nothing runs. ``ceiling_w``: the most it may draw.

    ``held_back``: by its limit, when it was read. Only then does a higher limit explain that more
    is drawn: other load must not hide behind a vehicle that leaves its limit unused.
    """
    if idle:
        return Draw(evse_id, 0.0, 0.0, phases)
    if measured_w is None or measured_at is None:
        return Draw(evse_id, 0.0, ceiling_w, phases)
    if (now - measured_at).total_seconds() > FRESH_S:
        return Draw(evse_id, 0.0, max(ceiling_w, measured_w), phases)
    moving = changed_at is not None and (measured_at - changed_at).total_seconds() < RAMP_S
    least_w = min(measured_w, ceiling_w)
    return Draw(evse_id, least_w, ceiling_w if moving and held_back else least_w, phases)


@dataclass(slots=True)
class _Channel:
    """One number of a meter, total or of a phase, less the chargers' part of it."""

    last_w: float | None = None
    seen: deque[tuple[datetime, float]] = field(default_factory=deque)

    def take(self, at: datetime, power_w: float, least_w: float, most_w: float) -> None:
        low_w, high_w = power_w - most_w, power_w - least_w
        guess_w = high_w if self.last_w is None else min(high_w, max(low_w, self.last_w))
        self.last_w = guess_w
        while self.seen and self.seen[-1][1] <= guess_w:
            self.seen.pop()
        self.seen.append((at, guess_w))
        while (at - self.seen[0][0]).total_seconds() > FALLS_AFTER_S:
            self.seen.popleft()

    def counted_w(self) -> float:
        return self.seen[0][1] if self.seen else 0.0


@dataclass(slots=True)
class _Seen:
    """A meter's load so far."""

    at: datetime | None = None
    total: _Channel = field(default_factory=_Channel)
    phases: tuple[_Channel, ...] = ()


class OtherLoad:
    """Other load at every metered node of one site. ``take`` on each look, then ask."""

    def __init__(self) -> None:
        self._seen: dict[UUID, _Seen] = {}
        self._metered: Sequence[Metered] = ()
        self._worst_w: dict[UUID, float] = {}
        self._worst_at: datetime | None = None

    def take(self, metered: Sequence[Metered], draws: Iterable[Draw], tree: ElectricalTree) -> None:
        """Readings that are new, with what chargers may be drawing now."""
        self._metered = [m for m in metered if m.node_id in tree.by_id]
        fresh = [m for m in self._metered if m.known and m.at is not None and self._is_new(m)]
        if fresh:
            below = _below(draws, tree)
            for each in fresh:
                self._read(each, below.get(each.node_id, []) if each.all else [])
        gone = self._seen.keys() - {m.meter_id for m in self._metered}
        for meter_id in gone:
            del self._seen[meter_id]

    def _is_new(self, metered: Metered) -> bool:
        seen = self._seen.get(metered.meter_id)
        return seen is None or seen.at != metered.at

    def _read(self, metered: Metered, draws: Sequence[Draw]) -> None:
        seen = self._seen.setdefault(metered.meter_id, _Seen())
        assert metered.at is not None
        seen.at = metered.at
        least_w, most_w = sum(d.least_w for d in draws), sum(d.most_w for d in draws)
        seen.total.take(metered.at, metered.power_w, least_w, most_w)
        if metered.phases_w is None:
            seen.phases = ()
            return
        if not seen.phases:
            seen.phases = tuple(_Channel() for _ in range(PHASES))
        for phase, channel in enumerate(seen.phases, start=1):
            mine = [d for d in draws if phase in d.phases]
            channel.take(
                metered.at,
                metered.phases_w[phase - 1],
                sum(d.least_w / len(d.phases) for d in mine),
                sum(d.most_w / len(d.phases) for d in mine),
            )

    def seen_w(self) -> dict[UUID, float]:
        """By meter, what it shows beside chargers, without margin, below 0 what is fed in; silent
        ones are left out."""
        return {
            m.meter_id: self._seen[m.meter_id].total.last_w or 0.0
            for m in self._metered
            if m.known and m.meter_id in self._seen
        }

    def net_w(self, tree: ElectricalTree) -> float:
        """Of the whole site, without margin; below 0 what it feeds in, where a meter at its grid
        connection counts all that passes there."""
        seen = self.seen_w()
        for each in self._metered:
            if each.node_id == tree.root.id and each.all and each.meter_id in seen:
                return seen[each.meter_id]
        return sum(self.at_nodes(tree, margin=False).values())

    def at_nodes(self, tree: ElectricalTree, *, margin: bool = True) -> dict[UUID, float]:
        """What counts at each metered node beside what counts at nodes below it, in W."""
        counted = {
            m.meter_id: self._counted_w(m, tree) - (0.0 if margin else m.margin_w)
            for m in self._metered
        }
        return own_loads(tree, self._metered, counted)

    def _counted_w(self, metered: Metered, tree: ElectricalTree) -> float:
        seen = self._seen.get(metered.meter_id)
        shown_w = 0.0
        if seen is not None:
            shown_w = seen.total.counted_w()
            if seen.phases and _in_amps(tree, metered.node_id):
                # Headroom spreads load evenly: so many watts load each phase as the fullest is.
                shown_w = max(shown_w, PHASES * max(c.counted_w() for c in seen.phases))
        elif metered.at is not None:
            # Read before this process began: what of it was chargers' is not known any more.
            shown_w = metered.power_w
        if not metered.known or seen is None:
            shown_w = max(shown_w, metered.fallback_w)
        return ceil((max(0.0, shown_w) + metered.margin_w) / STEP_W) * STEP_W

    def worst_at_nodes(self, tree: ElectricalTree, now: datetime) -> tuple[dict[UUID, float], bool]:
        """The most to expect, for limits that hold without us; and whether it is another now.

        It rises at once with what counts, and is looked at anew once a day.
        """
        counted = {m.meter_id: self._counted_w(m, tree) for m in self._metered}
        stale = self._worst_at is None or now >= self._worst_at + timedelta(days=1)
        known = self._worst_w.keys() == counted.keys()
        if not stale and known and all(counted[k] <= self._worst_w[k] for k in counted):
            return own_loads(tree, self._metered, self._worst_w), False
        before, self._worst_at = self._worst_w, now
        self._worst_w = {
            m.meter_id: ceil(max(counted[m.meter_id], m.worst_w + m.margin_w) / WORST_STEP_W)
            * WORST_STEP_W
            for m in self._metered
        }
        return own_loads(tree, self._metered, self._worst_w), self._worst_w != before


def own_loads(
    tree: ElectricalTree, metered: Sequence[Metered], counted: Mapping[UUID, float]
) -> dict[UUID, float]:
    """By node, what a meter shows beyond the meters below it (or of other load beside it)."""
    depth = {m.node_id: len(list(tree.path_to_root(m.node_id))) for m in metered}
    own: dict[UUID, float] = {}
    for each in sorted(metered, key=lambda m: (-depth[m.node_id], m.all, m.meter_id)):
        load_w = counted[each.meter_id]
        if each.all:
            above = {node_id: [n.id for n in tree.path_to_root(node_id)] for node_id in own}
            load_w -= sum(w for node_id, w in own.items() if each.node_id in above[node_id])
        own[each.node_id] = own.get(each.node_id, 0.0) + max(0.0, load_w)
    return own


def loaded(tree: ElectricalTree, load_w: Mapping[UUID, float]) -> ElectricalTree:
    """The tree with limits that leave room for other load: what they allow chargers to draw.

    A limit becomes negative where other load alone is over it.
    """
    total: dict[UUID, float] = {}
    for node_id, power_w in load_w.items():
        if power_w > 0.0:
            for node in tree.path_to_root(node_id):
                total[node.id] = total.get(node.id, 0.0) + power_w
    if not total:
        return tree
    nodes = tuple(_less(node, total.get(node.id, 0.0)) for node in tree.nodes)
    return ElectricalTree(
        nodes=nodes,
        zone=tree.zone,
        by_id={node.id: node for node in nodes},
        leaf_of_evse={node.evse_id: node for node in nodes if node.evse_id is not None},
    )


def _less(node: Node, load_w: float) -> Node:
    if load_w <= 0.0 or not node.limits:
        return node
    return replace(node, limits=tuple(_limit_less(limit, load_w) for limit in node.limits))


def _limit_less(limit: NodeLimit, load_w: float) -> NodeLimit:
    changed = limit
    if limit.power_w is not None:
        changed = replace(changed, power_w=limit.power_w - load_w)
    if limit.current_a is not None:
        current_a = load_w / (limit.phases * min(limit.voltage_v, NOMINAL_VOLTAGE_V))
        changed = replace(changed, current_a=limit.current_a - current_a)
    return changed


def total_at_nodes(tree: ElectricalTree, load_w: Mapping[UUID, float]) -> dict[UUID, float]:
    """Other load through every node above a metered one, itself included."""
    total: dict[UUID, float] = {}
    for node_id, power_w in load_w.items():
        for node in tree.path_to_root(node_id):
            total[node.id] = total.get(node.id, 0.0) + power_w
    return total


def _in_amps(tree: ElectricalTree, node_id: UUID) -> bool:
    path = tree.path_to_root(node_id)
    return any(limit.current_a is not None for node in path for limit in node.limits)


def _below(draws: Iterable[Draw], tree: ElectricalTree) -> dict[UUID, list[Draw]]:
    found: dict[UUID, list[Draw]] = {}
    for draw in draws:
        if draw.evse_id in tree.leaf_of_evse:
            for node in tree.path_of_evse(draw.evse_id):
                found.setdefault(node.id, []).append(draw)
    return found


def highest_rise_w(before: Mapping[UUID, float], after: Mapping[UUID, float]) -> float:
    """How much more counts at some node than when it was last looked at."""
    return max((load_w - before.get(key, 0.0) for key, load_w in after.items()), default=-inf)

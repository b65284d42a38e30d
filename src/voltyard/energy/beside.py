"""What counts beside a site's chargers now, kept up to date for its controller."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from voltyard.energy.board import Board
from voltyard.energy.otherload import (
    Draw,
    OtherLoad,
    draw_of,
    highest_rise_w,
    loaded,
    total_at_nodes,
)
from voltyard.energy.outlet import Outlet
from voltyard.energy.ports import EnergyInputs
from voltyard.sites.model import ElectricalTree

HELD_BACK = 0.9
"""A vehicle that draws this share of its limit is taken to be held back by it."""
FALL_W = 2_000.0
"""Room that becomes free is worth a look from here on; less waits for the next one."""


class Beside:
    """Other load of one site. ``look`` before each decision; trees with what it leaves."""

    def __init__(self, site_id: UUID, inputs: EnergyInputs | None) -> None:
        self._site_id = site_id
        self._inputs = inputs
        self._load = OtherLoad()
        self._counted_w: dict[UUID, float] = {}
        self._worst_w: dict[UUID, float] = {}
        self._used_w: dict[UUID, float] = {}
        self._held_back: dict[UUID, tuple[datetime, bool]] = {}
        self._trees: dict[bool, tuple[ElectricalTree, dict[UUID, float], ElectricalTree]] = {}

    def look(self, board: Board, tree: ElectricalTree, now: datetime) -> float:
        """Take in what meters say; by how much more than was last decided on counts (in W).

        Negative: so much less at most, 0 as long as that is not worth a decision.
        """
        if self._inputs is None:
            return 0.0
        metered = self._inputs.metered(self._site_id)
        site_w = sum(outlet.obedience.fresh_w(now) or 0.0 for outlet in board)
        if not metered and not self._counted_w:
            self._inputs.saw(self._site_id, {}, site_w)
            return 0.0
        self._load.take(metered, [self._draw(board, o, now) for o in board], tree)
        self._counted_w = self._load.at_nodes(tree)
        site_w += self._load.net_w(tree)
        self._inputs.saw(self._site_id, self._load.seen_w(), site_w)
        keys = self._counted_w.keys() | self._used_w.keys()
        before = {key: self._used_w.get(key, 0.0) for key in keys}
        rise_w = highest_rise_w(before, {key: self._counted_w.get(key, 0.0) for key in keys})
        return rise_w if rise_w > 0.0 or rise_w <= -FALL_W else 0.0

    def worst_changed(self, tree: ElectricalTree, now: datetime) -> bool:
        """Whether limits that hold without us must be found anew."""
        self._worst_w, changed = self._load.worst_at_nodes(tree, now)
        return changed

    def decide(self) -> None:
        """From here on, what counts now is what was decided on."""
        self._used_w = self._counted_w

    def seen_w(self) -> Mapping[UUID, float]:
        """By meter, without margin."""
        return self._load.seen_w()

    def through_w(self, tree: ElectricalTree) -> dict[UUID, float]:
        """By node, other load through it as seen, without margin."""
        return total_at_nodes(tree, self._load.at_nodes(tree, margin=False))

    def room(self, tree: ElectricalTree) -> ElectricalTree:
        """The tree with limits that leave room for other load now."""
        return self._left(tree, self._counted_w, worst=False)

    def worst_room(self, tree: ElectricalTree) -> ElectricalTree:
        """The tree with limits that leave room for the most other load to expect."""
        return self._left(tree, self._worst_w, worst=True)

    def _draw(self, board: Board, outlet: Outlet, now: datetime) -> Draw:
        told, counted_w = outlet.obedience, outlet.counted_w(now)
        return draw_of(
            outlet.evse.id,
            idle=counted_w <= 0.0 or (outlet.connected and outlet.session is None),
            measured_w=told.measured_w,
            measured_at=told.measured_at,
            changed_at=outlet.changed_at,
            ceiling_w=counted_w,
            held_back=self._was_held_back(outlet, counted_w),
            now=now,
            phases=board.wirings[outlet.evse.id].phases,
        )

    def _was_held_back(self, outlet: Outlet, ceiling_w: float) -> bool:
        """By the limit that counted when its last reading was first seen."""
        told, key = outlet.obedience, outlet.evse.id
        if told.measured_w is None or told.measured_at is None:
            return True
        known = self._held_back.get(key)
        if known is None or known[0] != told.measured_at:
            held_back = told.measured_w >= HELD_BACK * ceiling_w
            known = self._held_back[key] = (told.measured_at, held_back)
        return known[1]

    def _left(
        self, tree: ElectricalTree, load_w: dict[UUID, float], *, worst: bool
    ) -> ElectricalTree:
        known = self._trees.get(worst)
        if known is None or known[0] is not tree or known[1] != load_w:
            known = self._trees[worst] = (tree, dict(load_w), loaded(tree, load_w))
        return known[2]

"""The power of a site now, node by node: measured, granted, reserved, planned, allowed. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from uuid import UUID

from voltyard.energy.board import Board
from voltyard.energy.model import Plan
from voltyard.energy.ports import SiteSetup
from voltyard.energy.watch import Step
from voltyard.sites.limits import limit_w


@dataclass(frozen=True, slots=True)
class NodePower:
    """``granted_w`` is confirmed for charging vehicles; ``reserved_w`` is what is kept free beyond
    it for chargers that are idle, unheard or unconfirmed. ``limit_w`` None: unlimited."""

    node_id: UUID
    name: str
    kind: str
    parent_id: UUID | None
    measured_w: float | None
    granted_w: float
    reserved_w: float
    plan_w: float | None
    limit_w: float | None
    other_w: float | None = None
    """Load beside chargers as seen (in silence, as assumed); None where no meter says."""


@dataclass(frozen=True, slots=True)
class EvsePower:
    evse_id: UUID
    connected: bool
    session_id: UUID | None
    measured_w: float | None
    granted_w: float
    counted_w: float
    fallback_w: float
    fallback_state: str
    fenced: bool
    reason: str
    reason_node_id: UUID | None


@dataclass(frozen=True, slots=True)
class SiteView:
    site_id: UUID
    at: datetime
    nodes: tuple[NodePower, ...]
    evses: Mapping[UUID, EvsePower]

    @property
    def root(self) -> NodePower:
        return self.nodes[0]


def site_view(
    board: Board,
    setup: SiteSetup,
    plan: Plan | None,
    now: datetime,
    reasons: Mapping[UUID, tuple[str, UUID | None]] | None = None,
    other_w: Mapping[UUID, float] | None = None,
) -> SiteView:
    """Sums over the tree. Without any reading below a node its measured power is None."""
    evses = {
        outlet.evse.id: EvsePower(
            evse_id=outlet.evse.id,
            connected=outlet.connected,
            session_id=None if outlet.session is None else outlet.session.session_id,
            measured_w=_measured(board, outlet.evse.id, now),
            granted_w=outlet.granted_w if outlet.session is not None else 0.0,
            counted_w=outlet.counted_w(now),
            fallback_w=outlet.held.fallback_w,
            fallback_state=outlet.held.fallback_state.value,
            fenced=outlet.obedience.step >= Step.FENCED,
            reason=(reasons or {}).get(outlet.evse.id, ("", None))[0],
            reason_node_id=(reasons or {}).get(outlet.evse.id, ("", None))[1],
        )
        for outlet in board
    }
    below: dict[UUID, list[EvsePower]] = {node.id: [] for node in setup.tree.nodes}
    for evse_id, power in evses.items():
        if evse_id in setup.tree.leaf_of_evse:
            for node in setup.tree.path_of_evse(evse_id):
                below[node.id].append(power)
    nodes: list[NodePower] = []
    for node in setup.tree.nodes:
        powers = below[node.id]
        readings = [p.measured_w for p in powers if p.measured_w is not None]
        granted_w = sum(min(p.granted_w, p.counted_w) for p in powers)
        allowed_w = limit_w(node, now, setup.tree.zone)
        nodes.append(
            NodePower(
                node_id=node.id,
                name=node.name,
                kind=node.kind.value,
                parent_id=node.parent_id,
                measured_w=sum(readings) if readings else None,
                granted_w=granted_w,
                reserved_w=sum(p.counted_w for p in powers) - granted_w,
                plan_w=None if plan is None else plan.node_power_at(node.id, now),
                limit_w=allowed_w if isfinite(allowed_w) else None,
                other_w=(other_w or {}).get(node.id),
            )
        )
    return SiteView(setup.site.id, now, tuple(nodes), evses)


def _measured(board: Board, evse_id: UUID, now: datetime) -> float | None:
    outlet = board.outlets[evse_id]
    if outlet.session is None and outlet.connected:
        return 0.0
    return outlet.obedience.fresh_w(now)

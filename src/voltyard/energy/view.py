"""The power of a site now, node by node: measured, granted, reserved, planned, allowed. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from uuid import UUID

from voltyard.energy.board import Board
from voltyard.energy.model import Plan
from voltyard.energy.ports import SiteSetup
from voltyard.energy.watch import Step


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


_UNTOLD: tuple[str, UUID | None] = ("", None)


def site_view(
    board: Board,
    setup: SiteSetup,
    plan: Plan | None,
    now: datetime,
    reasons: Mapping[UUID, tuple[str, UUID | None]] | None = None,
    other_w: Mapping[UUID, float] | None = None,
) -> SiteView:
    """Sums over the tree. Without any reading below a node its measured power is None."""
    told = reasons or {}
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
            reason=told.get(outlet.evse.id, _UNTOLD)[0],
            reason_node_id=told.get(outlet.evse.id, _UNTOLD)[1],
        )
        for outlet in board
    }
    return SiteView(
        setup.site.id, now, tuple(_nodes(board, setup, plan, now, evses, other_w or {})), evses
    )


def _nodes(
    board: Board,
    setup: SiteSetup,
    plan: Plan | None,
    now: datetime,
    evses: Mapping[UUID, EvsePower],
    other_w: Mapping[UUID, float],
) -> Iterator[NodePower]:
    circuit = board.circuits.of(setup.tree)
    granted_w, counted_w = [0.0] * len(circuit.ids), [0.0] * len(circuit.ids)
    measured_w: list[float | None] = [None] * len(circuit.ids)
    for evse_id, power in evses.items():
        if evse_id not in circuit.leaf:
            continue
        own_w = min(power.granted_w, power.counted_w)
        for number in circuit.way(evse_id).nodes:
            granted_w[number] += own_w
            counted_w[number] += power.counted_w
            if power.measured_w is not None:
                measured_w[number] = (measured_w[number] or 0.0) + power.measured_w
    slot = None if plan is None else plan.slot_at(now)
    limits_w = circuit.during(now, 0.0)[0].tolist()
    for number, node in enumerate(setup.tree.nodes):
        planned = None if plan is None else plan.node_power_w.get(node.id)
        plan_w = 0.0 if planned is None or slot is None else planned[slot]
        yield NodePower(
            node_id=node.id,
            name=node.name,
            kind=node.kind.value,
            parent_id=node.parent_id,
            measured_w=measured_w[number],
            granted_w=granted_w[number],
            reserved_w=counted_w[number] - granted_w[number],
            plan_w=None if plan is None else plan_w,
            limit_w=limits_w[number] if isfinite(limits_w[number]) else None,
            other_w=other_w.get(node.id),
        )


def _measured(board: Board, evse_id: UUID, now: datetime) -> float | None:
    outlet = board.outlets[evse_id]
    if outlet.session is None and outlet.connected:
        return 0.0
    return outlet.obedience.fresh_w(now)

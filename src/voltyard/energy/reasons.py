"""Why a present vehicle is granted what it is: the allocation's reason, and the plan's. Pure."""

from collections.abc import Iterator
from datetime import datetime
from math import inf
from uuid import UUID

from voltyard.energy import remedies
from voltyard.energy.allocator import Candidate, ReasonKind
from voltyard.energy.confirm import WATT
from voltyard.energy.explanation import Fact, Line, Why
from voltyard.energy.inputs import Present
from voltyard.energy.needs import own_priority
from voltyard.energy.outlet import Outlet
from voltyard.energy.scene import PLANNED_W, Scene


def granted(scene: Scene, outlet: Outlet, present: Present, standing: Candidate) -> Iterator[Line]:
    """The allocation's own reason first, then what the plan adds to it."""
    grant = scene.grant(outlet.evse.id)
    if grant is None and outlet.ruled_out:
        yield Line(Why.POLICY)
        return
    if grant is None:
        yield Line(Why.NO_PLAN if scene.allocation is None else Why.RESERVED)
        return
    reason = grant.reason
    if reason.kind is ReasonKind.FULL:
        yield Line(Why.ALL_IT_TAKES, {"takes_w": present.takes_w()})
        return
    if reason.kind in (ReasonKind.LIMIT, ReasonKind.MINIMUM) and reason.node_id is not None:
        yield from _at_node(scene, outlet, present, reason.kind, reason.node_id)
    elif reason.kind is ReasonKind.DEAD_BAND:
        yield Line(Why.DEAD_BAND, {"grant_w": grant.power_w, "takes_w": present.takes_w()})
    elif reason.kind is ReasonKind.RESERVED:
        yield Line(Why.RESERVED)
    yield from _as_planned(scene, present, standing, reason.kind)


def _at_node(
    scene: Scene, outlet: Outlet, present: Present, kind: ReasonKind, node_id: UUID
) -> Iterator[Line]:
    use, allocation = scene.node(node_id), scene.allocation
    free_w = max(0.0, use.free_w or 0.0)
    facts: dict[str, Fact] = {
        "node": use.name,
        "limit_w": use.limit_w or 0.0,
        "carries_w": use.carries_w or 0.0,
        "free_w": free_w,
    }
    least_w = max(present.min_power_w, WATT)
    if allocation is not None and node_id in allocation.overloaded:
        yield Line(Why.OVERLOADED, facts)
    elif kind is ReasonKind.MINIMUM:
        yield Line(Why.MINIMUM, {**facts, "least_w": least_w})
    elif use.limit_w is None or free_w > least_w:
        yield Line(Why.PHASE, {"node": use.name})
    else:
        yield Line(Why.LIMIT, facts)
    until_at = _busy_until(scene, node_id, least_w) if present.stay is not None else None
    if until_at is not None:
        yield Line(Why.BUSY_UNTIL, {"node": use.name, "until_at": until_at})


def _busy_until(scene: Scene, node_id: UUID, least_w: float) -> datetime | None:
    """The end of the planned hours from now in which a node has no room for it."""
    if scene.plan is None or scene.plan.slot_at(scene.now) is None:
        return None
    left_w = remedies.Room(scene, scene.plan).left_w(node_id)
    start = scene.plan.slot_at(scene.now) or 0
    end = start
    while end < len(left_w) and left_w[end] < max(least_w, 1000.0):
        end += 1
    return scene.plan.bounds[end] if end > start else None


def _as_planned(
    scene: Scene, present: Present, standing: Candidate, kind: ReasonKind
) -> Iterator[Line]:
    stay, plan = present.stay, scene.plan
    if stay is None:
        code = Why.NO_DUTY if present.duty is None else Why.NEED_UNKNOWN
        yield Line(code, {"priority": own_priority(present.priority)})
        return
    if plan is None or standing.plan_w is None:
        yield Line(Why.NO_PLAN)
        return
    if standing.laxity_s == inf:
        withheld_wh = plan.withheld_wh.get(stay.id, 0.0)
        short = withheld_wh > stay.tolerance_wh
        yield Line(Why.ALLOTTED_SHORT if short else Why.ALLOTTED, {"withheld_wh": withheld_wh})
    if standing.late or stay.id in plan.given_up:
        yield Line(Why.GIVEN_UP, {"priority": own_priority(stay.priority)})
    if kind is not ReasonKind.PLAN:
        return
    begins_at = scene.begins_at(stay)
    if standing.plan_w > PLANNED_W:
        yield Line(Why.PLAN_SPREAD, {"plan_w": standing.plan_w})
    elif begins_at is not None:
        yield Line(Why.PLAN_LATER, {"begins_at": begins_at})
    elif standing.laxity_s < inf:
        yield Line(Why.PLAN_NOTHING, {"departs_at": stay.departure_at})

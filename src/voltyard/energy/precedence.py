"""Who is served before a vehicle, and why: in the order in which grants are made. Pure."""

from collections.abc import Iterable
from math import inf, isfinite
from uuid import UUID

from voltyard.energy.allocator import Candidate
from voltyard.energy.explanation import Ahead, AheadBy
from voltyard.energy.inputs import Present
from voltyard.energy.model import Stay
from voltyard.energy.needs import own_priority
from voltyard.energy.outlet import Outlet
from voltyard.energy.scene import Scene

SHOWN = 8


def ahead_of(
    scene: Scene, outlet: Outlet | None, present: Present | None, stay: Stay | None
) -> tuple[Ahead, ...]:
    """Those ahead at this moment, by its grant; then those ahead over its stay, by its forecast."""
    found: list[Ahead] = []
    if outlet is not None and present is not None:
        grant = scene.grant(outlet.evse.id)
        mine = scene.standing(outlet, present)
        for evse_id in () if grant is None else grant.reason.ahead:
            other = _now(scene, mine, evse_id)
            if other is not None:
                found.append(other)
    forecast = scene.forecast(stay)
    if stay is not None and forecast is not None:
        found += _by_plan(scene, stay, forecast.ahead, {entry.evse_id for entry in found})
    return tuple(found[:SHOWN])


def ahead_by(mine: Candidate, other: Candidate, urgent_s: float) -> AheadBy:
    """The first of the allocator's rules that puts the other before this one."""
    if mine.plan_w is None:
        if other.plan_w is not None:
            return AheadBy.PLANNED
        return AheadBy.PRIORITY if other.priority < mine.priority else AheadBy.TURN
    if mine.late and not other.late:
        return AheadBy.REACHABLE
    if mine.laxity_s == inf and other.laxity_s < inf:
        return AheadBy.NEEDS
    pressed = other.laxity_s < urgent_s
    if pressed and mine.laxity_s >= urgent_s:
        return AheadBy.URGENT
    if (pressed or mine.late) and other.priority < mine.priority:
        return AheadBy.PRIORITY
    if other.laxity_s < mine.laxity_s:
        return AheadBy.LESS_TIME
    if other.current_w > 0.0 >= mine.current_w or other.laxity_s > mine.laxity_s:
        return AheadBy.RUNNING
    return AheadBy.PRIORITY if other.priority < mine.priority else AheadBy.TURN


def _now(scene: Scene, mine: Candidate, evse_id: UUID) -> Ahead | None:
    present, outlet = scene.found.present.get(evse_id), scene.board.outlets.get(evse_id)
    grant = scene.grant(evse_id)
    if present is None or outlet is None or grant is None or scene.allocation is None:
        return None
    other = scene.standing(outlet, present)
    return Ahead(
        name=present_name(present, outlet),
        by=ahead_by(mine, other, scene.allocation.urgent_s),
        power_w=grant.power_w,
        priority=own_priority(present.priority),
        spare_s=other.laxity_s if isfinite(other.laxity_s) else None,
        departs_at=None if present.stay is None else present.stay.departure_at,
        vehicle_id=None if present.vehicle is None else present.vehicle.id,
        evse_id=evse_id,
        now=True,
    )


def _by_plan(
    scene: Scene, stay: Stay, stay_ids: Iterable[UUID], known: set[UUID | None]
) -> list[Ahead]:
    """Stays that are served before it at the nodes that keep its energy away."""
    places = {
        present.stay.id: (evse_id, present)
        for evse_id, present in scene.found.present.items()
        if present.stay is not None
    }
    found = []
    for stay_id in stay_ids:
        other = scene.found.stays.get(stay_id)
        evse_id = places[stay_id][0] if stay_id in places else None
        if other is None or (evse_id is not None and evse_id in known):
            continue
        found.append(
            Ahead(
                name=other.label,
                by=AheadBy.PRIORITY if other.priority < stay.priority else AheadBy.REACHABLE,
                power_w=0.0 if evse_id is None else scene.board.outlets[evse_id].granted_w,
                priority=own_priority(other.priority),
                spare_s=None,
                departs_at=other.departure_at,
                vehicle_id=other.vehicle_id,
                evse_id=evse_id,
                now=False,
            )
        )
    return found


def present_name(present: Present, outlet: Outlet) -> str:
    if present.vehicle is not None:
        return present.vehicle.name
    return "" if present.stay is None or not present.stay.label else present.stay.label

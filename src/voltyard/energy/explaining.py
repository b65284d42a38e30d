"""Why a vehicle charges as it does: from what the controller knows to an explanation. Pure.

The reasons are read from the very things that decide: the outlet's state, the last allocation's
reason, the plan and its forecast. Nothing is decided here, and no sentence is made.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf
from uuid import UUID

from voltyard.chargers.model import PLUGGED, EvseStatus, PowerMode
from voltyard.energy import remedies
from voltyard.energy.allocator import Candidate, Grant
from voltyard.energy.confirm import WATT
from voltyard.energy.explanation import Doubt, Explanation, Fact, Line, Remedy, State, Who, Why
from voltyard.energy.inputs import Present
from voltyard.energy.model import Forecast, Stay, WaitsFor
from voltyard.energy.needs import own_priority
from voltyard.energy.outlet import Outlet
from voltyard.energy.precedence import ahead_of, present_name
from voltyard.energy.reasons import granted
from voltyard.energy.scene import Refused, Scene, Subject
from voltyard.energy.watch import Step

DRAWING_W = 500.0
"""Less is what a vehicle's electronics take."""
SETTLING_S = 120.0
FULL_SHARE = 0.85
"""A vehicle that draws this share of what it may draws what it may."""
OLD_PLAN_S = 1200.0


@dataclass(frozen=True, slots=True)
class _Found:
    state: State
    reasons: tuple[Line, ...] = ()
    remedies: tuple[Line, ...] = ()


def explain(scene: Scene, subject: Subject) -> Explanation:
    """Always an explanation, whatever is or is not known of the subject."""
    present = scene.present_of(subject)
    if present is not None:
        return _of_present(scene, subject, present)
    stay = scene.expected(subject)
    if stay is not None or subject.vehicle is not None or subject.duty is not None:
        return _of_expected(scene, subject, stay)
    return _of_outlet(scene, subject)


# at an outlet, with a session


def _of_present(scene: Scene, subject: Subject, present: Present) -> Explanation:
    outlet = scene.board.outlets[present.evse.id]
    stay, grant = present.stay, scene.grant(present.evse.id)
    standing = scene.standing(outlet, present)
    found = _state(scene, outlet, present, standing)
    made = _with_plan(scene, _blank(scene, _who(outlet, present, subject), found), stay)
    doubts = list(_doubts(scene, outlet, present))
    return replace(
        made,
        power_w=outlet.obedience.fresh_w(scene.now),
        takes_w=present.takes_w(),
        grant_w=None if grant is None else grant.power_w,
        confirmed_w=outlet.granted_w,
        priority=own_priority(present.priority),
        spare_s=standing.laxity_s if -inf < standing.laxity_s < inf else None,
        soc_pct=present.soc_pct,
        confidence=remedies.confidence(scene, stay, scene.forecast(stay), doubts),
        nodes=scene.nodes(outlet.evse.id, _binding(outlet, grant)),
        ahead=ahead_of(scene, outlet, present, stay),
    )


def _state(scene: Scene, outlet: Outlet, present: Present, standing: Candidate) -> _Found:
    """First what is broken, then what flows, then why nothing does."""
    broken = _broken(scene, outlet)
    if broken is not None:
        return broken
    power_w = outlet.obedience.fresh_w(scene.now) or 0.0
    if outlet.steer.mode is not PowerMode.LIMIT:
        facts = {"power_w": max(0.0, -outlet.steer.setpoint_w)}
        return _Found(State.DISCHARGING, (Line(Why.ORDERED_BACK, facts),))
    needs_nothing = present.stay is not None and present.stay.energy_needed_wh <= 0.0
    if power_w > DRAWING_W:
        first = [Line(Why.NEEDS_NOTHING)] if needs_nothing else []
        lines = first or [*_drawing(scene, outlet, present, standing, power_w)]
        return _Found(State.CHARGING, (*_preconditioned(present), *lines))
    if needs_nothing:
        return _Found(State.READY, (*_preconditioned(present), Line(Why.NEEDS_NOTHING)))
    if outlet.evse.id not in scene.setup.tree.leaf_of_evse:
        return _Found(State.NOT_TAKING, (Line(Why.NOT_IN_TREE),), (Line(Remedy.CHECK_VEHICLE),))
    if outlet.obedience.step >= Step.FENCED:
        return _Found(State.WAITING, (_fenced(scene, outlet),))
    if outlet.granted_w > WATT:
        return _idle(scene, outlet)
    return _paused(scene, outlet, present, standing)


def _preconditioned(present: Present) -> Iterator[Line]:
    if present.firm_w > 0.0:
        yield Line(Why.PRECONDITIONING, {"kept_w": present.firm_w})


def _broken(scene: Scene, outlet: Outlet) -> _Found | None:
    evse, station = outlet.evse, outlet.station.name or outlet.station.identity
    if not outlet.connected:
        facts: dict[str, Fact] = {"station": station, "kept_w": outlet.counted_w(scene.now)}
        reach = Line(Remedy.REACH_CHARGER, {"station": station})
        return _Found(State.OFFLINE, (Line(Why.OFFLINE, facts),), (reach,))
    if evse.status is EvseStatus.FAULTED:
        line = Line(Why.ERROR, {"outlet": evse.name, "error": evse.error_code or "–"})
        return _Found(State.FAULTED, (line,), (Line(Remedy.REPAIR, {"station": station}),))
    if outlet.off_since is not None:
        code = Why.TAKES_NO_LIMIT if outlet.takes_no_limit else Why.IGNORED_LIMIT
        return _Found(State.SWITCHED_OFF, (Line(code, {"outlet": evse.name}),))
    if evse.status is EvseStatus.UNAVAILABLE:
        return _Found(State.SWITCHED_OFF, (Line(Why.UNAVAILABLE, {"outlet": evse.name}),))
    return None


def _drawing(
    scene: Scene, outlet: Outlet, present: Present, standing: Candidate, power_w: float
) -> Iterator[Line]:
    """Why it does not charge faster."""
    if outlet.obedience.step >= Step.FENCED:
        yield _fenced(scene, outlet)
        return
    granted_w, takes_w = outlet.granted_w, present.takes_w()
    if outlet.evse.id not in scene.setup.tree.leaf_of_evse:
        yield Line(Why.NOT_IN_TREE)
        return
    rated_w = present.max_power_w
    if takes_w < FULL_SHARE * rated_w and power_w >= FULL_SHARE * takes_w:
        facts = {"soc_pct": present.soc_pct or 0.0, "takes_w": takes_w, "rated_w": rated_w}
        yield Line(Why.TAPER, facts)
    elif power_w < FULL_SHARE * min(granted_w, takes_w):
        yield Line(Why.VEHICLE_LESS, {"power_w": power_w, "granted_w": granted_w})
    else:
        yield from granted(scene, outlet, present, standing)
        return
    for line in granted(scene, outlet, present, standing):
        if line.code is not Why.ALL_IT_TAKES:
            yield line


def _idle(scene: Scene, outlet: Outlet) -> _Found:
    """It may draw power and does not."""
    facts: dict[str, Fact] = {"granted_w": outlet.granted_w}
    session = outlet.session
    said = "" if session is None else (session.charging_state or "").lower()
    if outlet.evse.status is EvseStatus.SUSPENDED_EV or said in ("suspendedev", "suspended_ev"):
        check = Line(Remedy.CHECK_VEHICLE)
        return _Found(State.NOT_TAKING, (Line(Why.VEHICLE_PAUSED, facts),), (check,))
    since = outlet.charging_since
    if since is not None and (scene.now - since).total_seconds() < SETTLING_S:
        return _Found(State.STARTING, (Line(Why.NOT_BEGUN, {**facts, "since_at": since}),))
    lines = (Line(Why.NOT_BEGUN, {**facts, "since_at": since or scene.now}),)
    return _Found(State.NOT_TAKING, lines, (Line(Remedy.CHECK_VEHICLE),))


def _paused(scene: Scene, outlet: Outlet, present: Present, standing: Candidate) -> _Found:
    grant = scene.grant(outlet.evse.id)
    if outlet.live_failure is not None:
        return _Found(
            State.WAITING, (Line(Why.LIMIT_REFUSED, {"tries": outlet.live_failure.count}),)
        )
    if grant is not None and grant.power_w > WATT:
        code = Why.CUTS_FIRST if outlet.in_flight is None else Why.UNCONFIRMED
        return _Found(State.STARTING, (Line(code, {"grant_w": grant.power_w}),))
    return _Found(State.WAITING, tuple(granted(scene, outlet, present, standing)))


def _fenced(scene: Scene, outlet: Outlet) -> Line:
    facts = {
        "power_w": outlet.obedience.measured_w or 0.0,
        "granted_w": outlet.granted_w,
        "counted_w": outlet.counted_w(scene.now),
    }
    return Line(Why.FENCED, facts)


def _binding(outlet: Outlet, grant: Grant | None) -> UUID | None:
    return None if grant is None else grant.reason.node_id


# the plan, and whether it makes it


def _with_plan(scene: Scene, made: Explanation, stay: Stay | None) -> Explanation:
    """Times, charge and energy by the plan; of a miss, its reasons and what would fix it."""
    if stay is None:
        return made
    forecast, plan = scene.forecast(stay), scene.plan
    made = replace(
        made,
        arrives_at=stay.arrival_at,
        departs_at=stay.departure_at,
        priority=own_priority(stay.priority),
        target_soc_pct=stay.target_soc_pct,
        energy_needed_wh=stay.energy_needed_wh,
        begins_at=scene.begins_at(stay),
        slots=scene.slots(stay),
        plan_w=None if plan is None else plan.power_at(stay.id, scene.now),
        plan_made_at=None if plan is None else plan.made_at,
    )
    if forecast is None:
        return made
    return replace(
        made,
        ready_at=forecast.ready_at,
        soc_departure_pct=forecast.soc_at_departure_pct,
        shortfall_wh=forecast.shortfall_wh if forecast.will_miss else 0.0,
        will_miss=forecast.will_miss,
        reasons=(*made.reasons, *_miss(scene, stay, forecast)),
        remedies=(*made.remedies, *remedies.of_miss(scene, stay, forecast)),
    )


def _miss(scene: Scene, stay: Stay, forecast: Forecast) -> Iterator[Line]:
    if not forecast.will_miss:
        return
    if forecast.waits_for is WaitsFor.LIMIT and forecast.binding:
        hours: dict[UUID, list[datetime]] = {}
        for entry in forecast.binding:
            known = hours.setdefault(entry.node_id, [entry.start_at, entry.end_at])
            known[1] = entry.end_at
        for node_id, (start_at, end_at) in list(hours.items())[:3]:
            facts: dict[str, Fact] = {
                "node": scene.setup.tree.by_id[node_id].name,
                "from_at": start_at,
                "until_at": end_at,
                "shortfall_wh": forecast.shortfall_wh,
            }
            yield Line(Why.MISS_LIMIT, facts)
        return
    short = {"shortfall_wh": forecast.shortfall_wh, "power_w": stay.max_power_w}
    yield Line(Why.MISS_TIME, short)


def _doubts(scene: Scene, outlet: Outlet | None, present: Present | None) -> Iterator[Doubt]:
    if outlet is not None and not outlet.connected:
        yield Doubt.UNHEARD
    if present is None:
        yield Doubt.NOT_PLUGGED
    elif present.session.soc_pct is None and not present.soc_told:
        yield Doubt.SOC_ASSUMED
    if scene.plan is not None and (scene.now - scene.plan.made_at).total_seconds() > OLD_PLAN_S:
        yield Doubt.PLAN_OLD


# not at an outlet, or without a session


def _of_expected(scene: Scene, subject: Subject, stay: Stay | None) -> Explanation:
    """A vehicle without a session."""
    vehicle, duty = subject.vehicle, subject.duty
    if duty is None and stay is not None:
        duty = scene.found.duty_of_stay.get(stay.id)
    name = vehicle.name if vehicle is not None else ""
    if not name:
        name = (duty.vehicle_class or duty.external_id) if duty is not None else ""
    bay = None if duty is None or duty.bay_id is None else _bay_outlet(scene, duty.bay_id)
    who = Who(
        name,
        vehicle_id=None if vehicle is None else vehicle.id,
        duty_id=None if duty is None else duty.id,
        evse_id=None if bay is None else bay.evse.id,
        station_id=None if bay is None else bay.station.id,
        outlet="" if bay is None else bay.evse.name,
    )
    found = _missing(scene, subject, stay, bay)
    made = _with_plan(scene, _blank(scene, who, found), stay)
    doubts = list(_doubts(scene, None, None))
    return replace(
        made,
        soc_pct=None if stay is None else stay.soc_pct,
        arrives_at=duty.arrival_at if duty is not None else made.arrives_at,
        departs_at=duty.departure_at if duty is not None else made.departs_at,
        confidence=remedies.confidence(scene, stay, scene.forecast(stay), doubts),
        nodes=() if stay is None or stay.evse_id is None else scene.nodes(stay.evse_id, None),
        ahead=ahead_of(scene, None, None, stay),
    )


def _missing(scene: Scene, subject: Subject, stay: Stay | None, bay: Outlet | None) -> _Found:
    duty = subject.duty
    if duty is None and stay is not None:
        duty = scene.found.duty_of_stay.get(stay.id)
    arrives_at = duty.arrival_at if duty is not None else None
    plugged = bay is not None and bay.session is None and bay.evse.status in PLUGGED
    reasons: list[Line] = []
    if subject.refused is not None:
        reasons.append(_refused(subject.refused))
    if plugged and bay is not None:
        reasons.append(Line(Why.BAY_PLUGGED, {"outlet": bay.evse.name}))
    if subject.refused is not None:
        allow = Line(Remedy.ALLOW_TOKEN, {"token": subject.refused.token})
        return _Found(State.NOT_AUTHORISED, tuple(reasons), (allow,))
    if plugged:
        return _Found(State.NO_SESSION, tuple(reasons), (Line(Remedy.START_SESSION),))
    if arrives_at is None:
        return _Found(State.ABSENT, (Line(Why.NOBODY_HERE),))
    if arrives_at > scene.now:
        return _Found(State.EXPECTED, (Line(Why.NOT_HERE_YET, {"arrives_at": arrives_at}),))
    overdue = Line(Why.NOT_PLUGGED, {"arrives_at": arrives_at})
    place: dict[str, Fact] = {} if bay is None else {"outlet": bay.evse.name}
    plug = Line(Remedy.PLUG_IN, place)
    return _Found(State.OVERDUE, (overdue,), (plug,))


def _refused(told: Refused) -> Line:
    facts: dict[str, Fact] = {"token": told.token, "reason": told.reason, "refused_at": told.at}
    return Line(Why.REFUSED, facts)


def _bay_outlet(scene: Scene, bay_id: UUID) -> Outlet | None:
    return next((outlet for outlet in scene.board if outlet.evse.bay_id == bay_id), None)


def _of_outlet(scene: Scene, subject: Subject) -> Explanation:
    """An outlet without a session; without even that, nothing is known."""
    outlet = None if subject.evse_id is None else scene.board.outlets.get(subject.evse_id)
    if outlet is None:
        return _blank(scene, Who(""), _Found(State.ABSENT, (Line(Why.NOBODY_HERE),)))
    found = _broken(scene, outlet)
    if found is None and outlet.evse.status in PLUGGED:
        state, reason = State.NO_SESSION, Line(Why.NOT_STARTED, {"outlet": outlet.evse.name})
        start = Line(Remedy.START_SESSION)
        if subject.refused is not None:
            state, reason = State.NOT_AUTHORISED, _refused(subject.refused)
            start = Line(Remedy.ALLOW_TOKEN, {"token": subject.refused.token})
        found = _Found(state, (reason,), (start,))
    if found is None:
        found = _Found(State.FREE, (Line(Why.NOBODY_HERE),))
    made = _blank(scene, _who(outlet, None, subject), found)
    return replace(made, nodes=scene.nodes(outlet.evse.id, None))


def _who(outlet: Outlet, present: Present | None, subject: Subject) -> Who:
    name = "" if present is None else present_name(present, outlet)
    return Who(
        name=name,
        vehicle_id=None if present is None or present.vehicle is None else present.vehicle.id,
        duty_id=None if present is None or present.duty is None else present.duty.id,
        session_id=None if present is None else present.session.session_id,
        evse_id=outlet.evse.id,
        station_id=outlet.station.id,
        outlet=outlet.evse.name,
    )


def _blank(scene: Scene, who: Who, found: _Found) -> Explanation:
    return Explanation(
        scene.setup.site.id, scene.now, who, found.state, found.reasons, found.remedies
    )

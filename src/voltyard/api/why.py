"""Why a vehicle charges as it does: codes and figures; the words are the reader's."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Router, get
from litestar.params import FromPath

from voltyard.api.caller import Deps, Who
from voltyard.api.wire import Out, out
from voltyard.energy.enquiring import Question
from voltyard.energy.explanation import Explanation


class LineOut(Out):
    """One statement. Facts end in their unit: ``_w``, ``_wh``, ``_pct``, ``_at``; names do not."""

    code: str
    facts: dict[str, Any]


class SubjectOut(Out):
    name: str
    vehicle_id: UUID | None
    duty_id: UUID | None
    session_id: UUID | None
    evse_id: UUID | None
    station_id: UUID | None
    outlet: str


class NodeUseOut(Out):
    """``carries_w`` counts what chargers may draw and other load; ``free_w`` is what is left."""

    node_id: UUID
    name: str
    kind: str
    limit_w: float | None
    carries_w: float | None
    free_w: float | None
    other_w: float | None
    binds: bool


class AheadOut(Out):
    """Somebody served before it, at this moment (``now``) or over its stay, by the plan."""

    name: str
    by: str
    power_w: float
    priority: int
    spare_s: float | None
    departs_at: datetime | None
    vehicle_id: UUID | None
    evse_id: UUID | None
    now: bool


class ConfidenceOut(Out):
    """``high``: ready 45 min early or more, and a quarter more energy could be had; ``low``: less
    than 15 min, or 45 min and 5 %, or a charger that is not heard. ``none``: it will miss."""

    level: str
    spare_s: float | None
    spare_wh: float | None
    needed_wh: float | None
    doubts: list[str]


class PlannedSlotOut(Out):
    start_at: datetime
    end_at: datetime
    power_w: float


class ExplanationOut(Out):
    """``grant_w`` by the last allocation, ``confirmed_w`` by the charger; reasons and remedies in
    order of weight."""

    site_id: UUID | None
    at: datetime
    who: SubjectOut
    state: str
    reasons: list[LineOut]
    remedies: list[LineOut]
    power_w: float | None
    takes_w: float | None
    grant_w: float | None
    confirmed_w: float | None
    plan_w: float | None
    priority: int | None
    spare_s: float | None
    soc_pct: float | None
    target_soc_pct: float | None
    soc_departure_pct: float | None
    energy_needed_wh: float | None
    shortfall_wh: float
    will_miss: bool
    arrives_at: datetime | None
    begins_at: datetime | None
    ready_at: datetime | None
    departs_at: datetime | None
    plan_made_at: datetime | None
    confidence: ConfidenceOut
    nodes: list[NodeUseOut]
    ahead: list[AheadOut]
    slots: list[PlannedSlotOut]


@get("/vehicles/{vehicle_id:uuid}/explanation", summary="Why a vehicle charges as it does")
async def of_vehicle(deps: Deps, who: Who, vehicle_id: FromPath[UUID]) -> ExplanationOut:
    """Where it is plugged in; else of its next duty."""
    return _shown(await deps.why.explain(who, Question(vehicle_id=vehicle_id)))


@get("/duties/{duty_id:uuid}/explanation", summary="Whether a duty will be ready, and why not")
async def of_duty(deps: Deps, who: Who, duty_id: FromPath[UUID]) -> ExplanationOut:
    return _shown(await deps.why.explain(who, Question(duty_id=duty_id)))


@get("/sessions/{session_id:uuid}/explanation", summary="Why a running session charges so")
async def of_session(deps: Deps, who: Who, session_id: FromPath[UUID]) -> ExplanationOut:
    """404 for one that is over."""
    return _shown(await deps.why.explain(who, Question(session_id=session_id)))


@get("/evses/{evse_id:uuid}/explanation", summary="What an outlet does, and why")
async def of_evse(deps: Deps, who: Who, evse_id: FromPath[UUID]) -> ExplanationOut:
    return _shown(await deps.why.explain(who, Question(evse_id=evse_id)))


def _shown(made: Explanation) -> ExplanationOut:
    sure = made.confidence
    return out(
        ExplanationOut,
        made,
        who=out(SubjectOut, made.who),
        state=made.state.value,
        reasons=[LineOut(code=line.code.value, facts=dict(line.facts)) for line in made.reasons],
        remedies=[LineOut(code=line.code.value, facts=dict(line.facts)) for line in made.remedies],
        confidence=out(
            ConfidenceOut, sure, level=sure.level.value, doubts=[one.value for one in sure.doubts]
        ),
        nodes=[out(NodeUseOut, node) for node in made.nodes],
        ahead=[out(AheadOut, one, by=one.by.value) for one in made.ahead],
        slots=[out(PlannedSlotOut, slot) for slot in made.slots],
    )


ROUTER = Router(
    path="/", tags=["Energy"], route_handlers=[of_vehicle, of_duty, of_session, of_evse]
)

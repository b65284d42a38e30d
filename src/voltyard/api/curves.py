"""Charge curves that were learnt from sessions, by vehicle type."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Router, delete, get
from litestar.params import QueryParameter

from voltyard.api.caller import Deps, Who
from voltyard.api.wire import Out
from voltyard.energy.learnt import SESSIONS_NEEDED, Learnt
from voltyard.errors import NotFound
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission

VehicleClass = Annotated[str, QueryParameter(description="The vehicles' class.")]


class LearntCurveOut(Out):
    """``points`` are (state of charge in %, power in W), as measured; empty while too few sessions
    saw a step of charge. Plans use them with 5 % on top."""

    vehicle_class: str
    points: list[tuple[float, float]]
    sessions: Annotated[int, msgspec.Meta(description="It was learnt from so many.")]
    sessions_needed: int
    updated_at: datetime


class LearntCurvesOut(Out):
    curves: list[LearntCurveOut]


@get("/learnt-curves", summary="Charge curves learnt from sessions, by vehicle class")
async def learnt_curves(deps: Deps, who: Who) -> LearntCurvesOut:
    require(who, Permission.VIEW)
    learning = deps.energy.curves
    found = {} if learning is None else await learning.learnt(who.org_id)
    return LearntCurvesOut(curves=[_out(found[name]) for name in sorted(found)])


@delete("/learnt-curves", summary="Forget what was learnt of a vehicle class", status_code=204)
async def forget_learnt_curve(deps: Deps, who: Who, vehicle_class: VehicleClass) -> None:
    require(who, Permission.FLEET_WRITE)
    learning = deps.energy.curves
    if learning is None or not await learning.forget(who.org_id, vehicle_class):
        raise NotFound("Nothing was learnt of this class.")


def _out(learnt: Learnt) -> LearntCurveOut:
    return LearntCurveOut(
        vehicle_class=learnt.vehicle_class,
        points=[(soc, round(power_w)) for soc, power_w in learnt.points()],
        sessions=learnt.sessions,
        sessions_needed=SESSIONS_NEEDED,
        updated_at=learnt.updated_at,
    )


ROUTER = Router(
    path="/",
    tags=["Fleet"],
    route_handlers=[learnt_curves, forget_learnt_curve],
)

"""The power of a site: live, planned, forecast and past; emergency limits."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Router, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from voltyard.api.caller import Deps, Who, remote_of
from voltyard.api.deps import AnyRequest, ApiDeps
from voltyard.api.wire import In, Limit, Offset, Out, Page, out, sliced
from voltyard.chargers.model import EvseStatus
from voltyard.errors import NotFound
from voltyard.tenancy.model import Principal


class NodePowerOut(Out):
    """``granted_w`` is confirmed for charging vehicles; ``reserved_w`` is kept free beyond it."""

    node_id: UUID
    name: str
    kind: str
    parent_id: UUID | None
    measured_w: float | None
    granted_w: float
    reserved_w: float
    plan_w: float | None
    limit_w: float | None
    other_w: float | None
    """Load beside chargers, by site meters."""


class EvseLiveOut(Out):
    """An EVSE as last heard."""

    evse_id: UUID
    station_id: UUID
    number: int
    name: str
    bay_id: UUID | None
    node_id: UUID | None
    online: bool
    status: EvseStatus
    plugged: bool
    session_id: UUID | None
    vehicle_id: UUID | None
    duty_id: UUID | None
    power_w: float | None
    energy_wh: float | None
    soc_pct: float | None
    reading_at: datetime | None
    error_code: str | None
    granted_w: float | None
    reason: str
    """Why it gets what it gets, in a word."""


class LiveOut(Out):
    """``controlled`` is false while no controller of the site runs in this process."""

    site_id: UUID
    at: datetime
    controlled: bool
    nodes: list[NodePowerOut]
    evses: list[EvseLiveOut]


class PlanOut(Out):
    """Slot i lasts from ``bounds[i]`` to ``bounds[i + 1]``; powers are means in W."""

    made_at: datetime
    bounds: list[datetime]
    peak_w: float
    stays: dict[str, list[float]]
    """By duty (or session without a duty)."""
    nodes: dict[str, list[float]]


class ForecastOut(Out):
    """What will be true at a duty's departure if the plan is followed."""

    duty_id: UUID
    made_at: datetime
    ready_at: datetime | None
    soc_departure_pct: float | None
    shortfall_wh: float
    will_miss: bool
    first_missed_at: datetime | None
    reason: dict[str, Any]
    """Of a miss: what it waits for, where and when, behind whom, and what would help."""


class PowerOut(Out):
    at: datetime
    measured_w: float | None
    mean_w: float | None
    granted_w: float | None
    reserved_w: float | None
    plan_w: float | None
    limit_w: float | None
    other_w: float | None


class SeriesOut(Out):
    """Per bucket the highest power and the lowest limit; ``mean_w`` is the mean measured."""

    node_id: UUID
    bucket_s: int
    samples: list[PowerOut]


class EmergencyIn(In):
    power_w: Annotated[float, msgspec.Meta(ge=0, le=1e9)]
    until_at: Annotated[datetime, msgspec.Meta(tz=True)]


@get("/sites/{site_id:uuid}/live", summary="The power of a site now")
async def live(deps: Deps, who: Who, site_id: FromPath[UUID]) -> LiveOut:
    await deps.sites.site(who, site_id)
    try:
        view = deps.energy.live(site_id)
    except NotFound:
        view = None
    evses = []
    for evse in deps.live.site(site_id):
        power = view.evses.get(evse.evse_id) if view else None
        granted_w = power.granted_w if power else None
        reason = power.reason if power else ""
        evses.append(out(EvseLiveOut, evse, granted_w=granted_w, reason=reason))
    return LiveOut(
        site_id=site_id,
        at=deps.clock.now(),
        controlled=view is not None,
        nodes=[out(NodePowerOut, node) for node in view.nodes] if view else [],
        evses=evses,
    )


@get("/sites/{site_id:uuid}/plan", summary="The latest plan")
async def plan(deps: Deps, who: Who, site_id: FromPath[UUID]) -> PlanOut:
    """``no_plan`` (404) while none was made."""
    await deps.sites.site(who, site_id)
    found = await deps.energy.plan(who.org_id, site_id)
    if found is None:
        raise NotFound("There is no plan yet.", code="no_plan")
    payload = found["payload"]
    return PlanOut(
        made_at=found["made_at"],
        bounds=[datetime.fromisoformat(at) for at in payload["bounds"]],
        peak_w=payload["peak_w"],
        stays=payload["stays"],
        nodes=payload["nodes"],
    )


@get("/sites/{site_id:uuid}/forecasts", summary="Forecasts of a site's duties")
async def forecasts(
    deps: Deps,
    who: Who,
    site_id: FromPath[UUID],
    limit: Limit = 1000,
    offset: Offset = 0,
    will_miss: Annotated[
        bool | None, QueryParameter(description="Only those that will miss.")
    ] = None,
) -> Page[ForecastOut]:
    await deps.sites.site(who, site_id)
    found = [
        out(ForecastOut, row, reason=dict(row.reason))
        for row in await deps.energy.forecasts(who.org_id, site_id)
        if will_miss is None or row.will_miss == will_miss
    ]
    return sliced(ForecastOut, found, limit=limit, offset=offset)


@get("/sites/{site_id:uuid}/power", summary="Power of a node over time")
async def power(
    deps: Deps,
    who: Who,
    site_id: FromPath[UUID],
    node_id: Annotated[UUID | None, QueryParameter(description="Left out: the whole site.")] = None,
    since: Annotated[datetime | None, QueryParameter(description="Default: 24 hours ago.")] = None,
    until: FromQuery[datetime | None] = None,
    bucket_s: Annotated[int | None, QueryParameter(ge=10, le=86_400)] = None,
) -> SeriesOut:
    node = await _node(deps, who, site_id, node_id)
    until = until or deps.clock.now()
    since = since or until - timedelta(hours=24)
    if bucket_s is None or (until - since).total_seconds() / bucket_s > 10_000:
        bucket_s = max(60, int((until - since).total_seconds() // 1500 // 60 + 1) * 60)
    rows = await deps.energy.series(who.org_id, node, since, until, bucket_s=bucket_s)
    samples = [
        PowerOut(at=row["bucket"], **{name: row[name] for name in PowerOut.__struct_fields__[1:]})
        for row in rows
    ]
    return SeriesOut(node_id=node, bucket_s=bucket_s, samples=samples)


@post(
    "/sites/{site_id:uuid}/nodes/{node_id:uuid}/emergency-limit",
    summary="Hold a node down for a while",
    status_code=204,
)
async def emergency_limit(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    site_id: FromPath[UUID],
    node_id: FromPath[UUID],
    data: JSONBody[EmergencyIn],
) -> None:
    """Obeyed within seconds and kept over a restart. An ``until_at`` that is past lifts it."""
    await _node(deps, who, site_id, node_id)
    await deps.energy.emergency_limit(
        who, site_id, node_id, data.power_w, data.until_at, remote=remote_of(request)
    )


async def _node(deps: ApiDeps, who: Principal, site_id: UUID, node_id: UUID | None) -> UUID:
    """The node, or the root; NotFound unless it is of this site and this caller's."""
    nodes = await deps.sites.nodes(who, site_id)
    for node in nodes:
        if node.id == node_id or (node_id is None and node.parent_id is None):
            return node.id
    raise NotFound("There is no such node.")


ROUTER = Router(
    path="/",
    tags=["Energy"],
    route_handlers=[live, plan, forecasts, power, emergency_limit],
)

"""Monitors of chargers' variables and the events they raise (OCPP 2.0.1 and 2.1)."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from voltyard.api.caller import Deps, Who
from voltyard.api.commanding import CommandOut
from voltyard.api.wire import In, Limit, Offset, Out, Page, out, sliced
from voltyard.chargers.commands import CommandResult, MonitorBase, MonitorKind, WatchVariable
from voltyard.monitoring.model import StoredEvent
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission

Severity = Annotated[int, msgspec.Meta(ge=0, le=9, description="0 is danger, 9 debugging.")]


class MonitorOut(Out):
    """``origin``: who set it, in the standard's words, where the charger says."""

    monitor_id: int
    variable: str
    kind: str
    value: float
    severity: int
    only_in_transaction: bool
    origin: str
    told_at: datetime


class MonitorIn(In):
    """``value`` in the variable's unit; seconds for the periodic kinds."""

    variable: Annotated[
        str, msgspec.Meta(min_length=3, max_length=200, examples=["EVSE@1.Temperature"])
    ]
    kind: MonitorKind
    value: float
    severity: Severity
    only_in_transaction: bool = False
    monitor_id: Annotated[int, msgspec.Meta(ge=0, le=2_147_483_647)] | None = None


class ForgetIn(In):
    monitor_ids: Annotated[list[int], msgspec.Meta(min_length=1, max_length=100)]


class BaseIn(In):
    """``factory_default`` and ``hard_wired_only`` remove the monitors that were set."""

    base: MonitorBase


class LevelIn(In):
    """Only events of this severity or a graver one are told from now on."""

    severity: Severity


class EventOut(Out):
    """``severity`` null: the charger did not say, and its monitor is not known."""

    id: UUID
    station_id: UUID
    at: datetime
    received_at: datetime
    variable: str
    value: str
    trigger: str
    severity: int | None
    cleared: bool
    monitor_id: int | None
    origin: str
    tech_code: str
    tech_info: str
    transaction_ref: str | None


@get("/stations/{station_id:uuid}/monitors", summary="Monitors of a charger, as last told")
async def monitors(
    deps: Deps, who: Who, station_id: FromPath[UUID], limit: Limit = 200, offset: Offset = 0
) -> Page[MonitorOut]:
    require(who, Permission.VIEW)
    found = [
        out(MonitorOut, stored.monitor, told_at=stored.told_at)
        for stored in await deps.monitoring.monitors(who.org_id, station_id)
    ]
    return sliced(MonitorOut, found, limit=limit, offset=offset)


@post("/stations/{station_id:uuid}/monitors", summary="Have a variable watched", status_code=200)
async def watch(
    deps: Deps, who: Who, station_id: FromPath[UUID], data: JSONBody[MonitorIn]
) -> CommandOut:
    watched = WatchVariable(**msgspec.structs.asdict(data))
    return _answer(await deps.monitoring.watch(who, station_id, watched))


@post("/stations/{station_id:uuid}/monitors/forget", summary="Remove monitors", status_code=200)
async def forget(
    deps: Deps, who: Who, station_id: FromPath[UUID], data: JSONBody[ForgetIn]
) -> CommandOut:
    return _answer(await deps.monitoring.forget(who, station_id, tuple(data.monitor_ids)))


@post(
    "/stations/{station_id:uuid}/monitors/read",
    summary="Have all monitors told",
    status_code=200,
)
async def read(deps: Deps, who: Who, station_id: FromPath[UUID]) -> CommandOut:
    """They come in reports soon after the answer."""
    return _answer(await deps.monitoring.read(who, station_id))


@put("/stations/{station_id:uuid}/monitors/base", summary="Choose the base set of monitors")
async def set_base(
    deps: Deps, who: Who, station_id: FromPath[UUID], data: JSONBody[BaseIn]
) -> CommandOut:
    return _answer(await deps.monitoring.set_base(who, station_id, data.base))


@put("/stations/{station_id:uuid}/monitors/level", summary="Choose which events are told")
async def set_level(
    deps: Deps, who: Who, station_id: FromPath[UUID], data: JSONBody[LevelIn]
) -> CommandOut:
    return _answer(await deps.monitoring.set_level(who, station_id, data.severity))


@get("/stations/{station_id:uuid}/events", summary="Events of a charger, newest first")
async def station_events(
    deps: Deps,
    who: Who,
    station_id: FromPath[UUID],
    limit: Limit = 100,
    offset: Offset = 0,
    severity_max: Annotated[int | None, QueryParameter(ge=0, le=9)] = None,
    since: FromQuery[datetime | None] = None,
) -> Page[EventOut]:
    require(who, Permission.VIEW)
    asked = min(limit, 999)
    found = await deps.monitoring.events(
        who.org_id,
        station_id,
        severity_max=severity_max,
        since=since,
        limit=asked + 1,
        offset=offset,
    )
    items = [_event(stored) for stored in found[:asked]]
    return Page(items=items, limit=asked, offset=offset, more=len(found) > asked)


@get("/events", summary="Events of all chargers, newest first")
async def events(
    deps: Deps,
    who: Who,
    limit: Limit = 100,
    offset: Offset = 0,
    severity_max: Annotated[int | None, QueryParameter(ge=0, le=9)] = None,
    since: FromQuery[datetime | None] = None,
) -> Page[EventOut]:
    require(who, Permission.VIEW)
    asked = min(limit, 999)
    found = await deps.monitoring.events(
        who.org_id, severity_max=severity_max, since=since, limit=asked + 1, offset=offset
    )
    items = [_event(stored) for stored in found[:asked]]
    return Page(items=items, limit=asked, offset=offset, more=len(found) > asked)


def _answer(result: CommandResult) -> CommandOut:
    return out(CommandOut, result, detail=msgspec.to_builtins(dict(result.detail)))


def _event(stored: StoredEvent) -> EventOut:
    return out(
        EventOut,
        stored.event,
        id=stored.id,
        station_id=stored.station_id,
        received_at=stored.received_at,
    )


ROUTER = Router(
    path="/",
    tags=["Monitoring"],
    route_handlers=[monitors, watch, forget, read, set_base, set_level, station_events, events],
)

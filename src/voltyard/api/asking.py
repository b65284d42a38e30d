"""Any OCPP message to a charger, and one command for many chargers."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from voltyard.api.caller import Deps, Who
from voltyard.api.commanding import CommandIn, CommandOut, RemoteStart, RemoteStop, as_command
from voltyard.api.deps import ApiDeps
from voltyard.api.wire import In, Limit, Name, Offset, Out, Page, out, sliced
from voltyard.bulk.model import BulkState, BulkView, ResultState
from voltyard.bulk.service import titled
from voltyard.chargers.commands import Ask
from voltyard.chargers.model import Station, StationFilter, StationState
from voltyard.errors import Invalid, VoltyardError
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal

Timeout = Annotated[float, QueryParameter(ge=1, le=120)]
Action = Annotated[
    str, msgspec.Meta(min_length=1, max_length=60, examples=["GetTransactionStatus"])
]


class OcppIn(In):
    """A message of the charger's own OCPP version.

    ``payload`` is checked against the version's definition of ``action``; its JSON Schema is at
    ``/api/v1/ocpp/{version}/{action}``.
    """

    action: Action
    payload: dict[str, Any] = msgspec.field(default_factory=dict)


class MessageOut(Out):
    """A message that chargers of a version can be sent; ``permission`` is what it takes."""

    action: str
    block: str
    permission: Permission


class MessageSchemaOut(Out):
    """``example`` is the least that is allowed. ``payload`` is a JSON Schema."""

    action: str
    version: str
    permission: Permission
    payload: dict[str, Any]
    example: dict[str, Any]


class StationChoice(In):
    """Which approved chargers; left out is any. ``text``: in identity, name, vendor or model."""

    site_id: UUID | None = None
    connected: bool | None = None
    text: Annotated[str, msgspec.Meta(max_length=200)] = ""


class BulkIn(In):
    """Name the chargers, or give a filter; give a command, or an OCPP message.

    An OCPP message is checked for each charger in its own version.
    """

    station_ids: Annotated[list[UUID], msgspec.Meta(max_length=20_000)] = msgspec.field(
        default_factory=list
    )
    filter: StationChoice | None = None
    command: CommandIn | None = None
    ocpp: OcppIn | None = None
    title: Name | None = None
    timeout_s: Annotated[float, msgspec.Meta(ge=1, le=120)] = 30.0


class BulkOut(Out):
    """``counts``: how many of its chargers are in which state."""

    id: UUID
    title: str
    state: BulkState
    request: dict[str, Any]
    requested_by: str
    requested_at: datetime
    ended_at: datetime | None
    total: int
    answered: int
    counts: dict[ResultState, int]


class BulkResultOut(Out):
    """One charger's answer; ``word`` is its own, or the code of what went wrong."""

    station_id: UUID
    identity: str
    state: ResultState
    word: str
    message: str
    detail: dict[str, Any]
    answered_at: datetime | None
    latency_ms: float | None


@get("/ocpp/{version:str}", summary="Messages that chargers of a version can be sent")
async def messages(
    deps: Deps, who: Who, version: FromPath[str], limit: Limit = 200, offset: Offset = 0
) -> Page[MessageOut]:
    """``version`` is 1.6, 2.0.1 or 2.1."""
    require(who, Permission.VIEW)
    kinds = deps.chargers.spoken().messages(version)
    return sliced(MessageOut, kinds, limit=limit, offset=offset)


@get("/ocpp/{version:str}/{action:str}", summary="A message's payload as JSON Schema")
async def message(
    deps: Deps, who: Who, version: FromPath[str], action: FromPath[str]
) -> MessageSchemaOut:
    require(who, Permission.VIEW)
    speech = deps.chargers.spoken()
    payload = dict(speech.schema(version, action))
    kind = next(kind for kind in speech.messages(version) if kind.action == action)
    example = dict(speech.example(version, action))
    return MessageSchemaOut(
        action=action,
        version=version,
        permission=kind.permission,
        payload=payload,
        example=example,
    )


@post("/stations/{station_id:uuid}/ocpp", summary="Send any OCPP message", status_code=200)
async def ask(
    deps: Deps,
    who: Who,
    station_id: FromPath[UUID],
    data: JSONBody[OcppIn],
    timeout_s: Timeout = 30.0,
) -> CommandOut:
    """Waits for the charger's answer: ``detail.answer`` is its payload.

    Every wrong field is told. ``limits_kept`` (409): the charger hangs on the electrical tree, and
    the message could lift a limit that keeps its site below its own: set a cap of the station
    (``set_station_limit``) or a limit of its node instead. Errors of the charger as at
    ``/commands``.
    """
    result = await deps.chargers.ask(
        who, station_id, data.action, data.payload, timeout_s=timeout_s
    )
    return out(CommandOut, result, detail=msgspec.to_builtins(dict(result.detail)))


@post("/commands/bulk", summary="Command many chargers", status_code=202)
async def start(deps: Deps, who: Who, data: JSONBody[BulkIn]) -> BulkOut:
    """Begins at once and goes on by itself, 32 chargers at a time; follow it by its id."""
    if (data.command is None) == (data.ocpp is None):
        raise Invalid("Give a command or an OCPP message.", fields={"command": "or ocpp"})
    chosen = deps.bulk.chosen(who, data.station_ids, _filter(data.filter))
    if data.ocpp is not None:
        view = await _start_ocpp(deps, who, chosen, data, data.ocpp)
    else:
        assert data.command is not None
        view = await _start_command(deps, who, chosen, data, data.command)
    return _bulk(view)


async def _start_command(
    deps: ApiDeps, who: Principal, chosen: list[Station], data: BulkIn, command: CommandIn
) -> BulkView:
    sessions_only = isinstance(command, RemoteStart | RemoteStop)
    require(who, Permission.SESSIONS_CONTROL if sessions_only else Permission.CHARGERS_COMMAND)
    if sessions_only:
        raise Invalid("Sessions are started one by one.", fields={"command": "not in bulk"})
    title = data.title or titled(as_command(deps, command))
    return await deps.bulk.start(
        who, chosen, title, lambda station: as_command(deps, command), timeout_s=data.timeout_s
    )


async def _start_ocpp(
    deps: ApiDeps, who: Principal, chosen: list[Station], data: BulkIn, said: OcppIn
) -> BulkView:
    """Refused only if no charger could be told; a charger that cannot fails by itself."""
    first: VoltyardError | None = None
    for station in chosen:
        try:
            deps.chargers.check_asking(who, station.id, said.action, said.payload)
            break
        except VoltyardError as error:
            first = first or error
    else:
        assert first is not None
        raise first
    return await deps.bulk.start(
        who,
        chosen,
        data.title or said.action,
        lambda station: Ask(said.action, said.payload),
        timeout_s=data.timeout_s,
    )


@get("/commands/bulk", summary="Commands in bulk, newest first")
async def runs(deps: Deps, who: Who, limit: Limit = 50, offset: Offset = 0) -> Page[BulkOut]:
    require(who, Permission.VIEW)
    asked = min(limit, 200)
    found = await deps.bulk.newest(who.org_id, limit=asked + 1, offset=offset)
    items = [_bulk(view) for view in found[:asked]]
    return Page(items=items, limit=asked, offset=offset, more=len(found) > asked)


@get("/commands/bulk/{bulk_id:uuid}", summary="One command in bulk")
async def run(deps: Deps, who: Who, bulk_id: FromPath[UUID]) -> BulkOut:
    require(who, Permission.VIEW)
    return _bulk(await deps.bulk.one(who.org_id, bulk_id))


@get("/commands/bulk/{bulk_id:uuid}/results", summary="What each charger answered")
async def results(
    deps: Deps,
    who: Who,
    bulk_id: FromPath[UUID],
    limit: Limit = 100,
    offset: Offset = 0,
    only_state: Annotated[ResultState | None, QueryParameter(name="state")] = None,
) -> Page[BulkResultOut]:
    """Those that went wrong first."""
    require(who, Permission.VIEW)
    asked = min(limit, 999)
    found = await deps.bulk.results(who.org_id, bulk_id, only_state, limit=asked + 1, offset=offset)
    items = []
    for result in found[:asked]:
        station = deps.chargers.station(result.station_id)
        identity = "" if station is None else station.identity
        items.append(out(BulkResultOut, result, identity=identity, detail=dict(result.detail)))
    return Page(items=items, limit=asked, offset=offset, more=len(found) > asked)


@post("/commands/bulk/{bulk_id:uuid}/cancel", summary="Ask no further charger", status_code=200)
async def cancel(deps: Deps, who: Who, bulk_id: FromPath[UUID]) -> BulkOut:
    require(who, Permission.CHARGERS_COMMAND)
    return _bulk(await deps.bulk.cancel(who, bulk_id))


def _filter(given: StationChoice | None) -> StationFilter | None:
    if given is None:
        return None
    return StationFilter(given.site_id, StationState.APPROVED, given.connected, given.text)


def _bulk(view: BulkView) -> BulkOut:
    bulk = view.bulk
    return out(
        BulkOut,
        bulk,
        request=dict(bulk.request),
        counts=dict(view.counts),
        answered=view.answered,
    )


ROUTER = Router(
    path="/",
    tags=["Stations"],
    route_handlers=[messages, message, ask, start, runs, run, results, cancel],
)

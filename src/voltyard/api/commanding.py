"""Commands to chargers: each typed, answered with what the charger said."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from voltyard.api.caller import Deps, Who
from voltyard.api.deps import ApiDeps
from voltyard.api.wire import In, Limit, Out, Page, out
from voltyard.chargers import commands as c
from voltyard.chargers.model import CommandRecord
from voltyard.sessions.model import IdToken, TokenKind
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission

STATION_LIMIT_ID = 900_000
STATION_LIMIT_LEVEL = 5
EvseNumber = Annotated[int, msgspec.Meta(ge=1, le=1000)]
EvseOrAll = Annotated[int, msgspec.Meta(ge=0, le=1000, description="0 is the whole station.")]


class RemoteStart(In, tag="remote_start", tag_field="command"):
    """Start charging with a token; it need not be known."""

    token: Annotated[str, msgspec.Meta(min_length=1, max_length=36)]
    evse_number: EvseNumber | None = None
    token_kind: TokenKind = TokenKind.CENTRAL
    limit_w: Annotated[float, msgspec.Meta(ge=0, lt=1e9)] | None = None
    """From the first moment on. Where the control of a site keeps limits, its first grant takes
    the place within seconds, and more than the fail-safe is refused (``limits_kept``)."""


class RemoteStop(In, tag="remote_stop", tag_field="command"):
    transaction_ref: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class SetStationLimit(In, tag="set_station_limit", tag_field="command"):
    """Cap the whole station for a while, below whatever the control of the site grants.

    It cannot raise power: the charger takes the lowest of all limits. To hold a part of the site
    down, set a limit on its node instead.
    """

    power_w: Annotated[float, msgspec.Meta(ge=0, le=10_000_000)]
    valid_s: Annotated[int, msgspec.Meta(ge=60, le=86_400)] = 900


class ClearStationLimit(In, tag="clear_station_limit", tag_field="command"):
    """Remove the cap of ``set_station_limit``."""


class ReadSchedule(In, tag="read_schedule", tag_field="command"):
    evse_number: EvseOrAll
    duration_s: Annotated[int, msgspec.Meta(ge=60, le=172_800)] = 3600
    unit: Annotated[str, msgspec.Meta(pattern="^[WA]$")] | None = None


class Trigger(In, tag="trigger", tag_field="command"):
    message: Annotated[
        str,
        msgspec.Meta(pattern="^(boot|heartbeat|status|meter|transaction|diagnostics|firmware)$"),
    ]
    evse_number: EvseNumber | None = None


class Reset(In, tag="reset", tag_field="command"):
    """``hard`` interrupts charging; a soft reset waits for transactions to be stopped."""

    hard: bool = False
    evse_number: EvseNumber | None = None


class Unlock(In, tag="unlock", tag_field="command"):
    evse_number: EvseNumber
    connector_number: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1


class SetAvailability(In, tag="set_availability", tag_field="command"):
    evse_number: EvseOrAll
    operative: bool


class ReadConfiguration(In, tag="read_configuration", tag_field="command"):
    """Keys (1.6) or ``Component.Variable`` names (2.0.1); none reads everything."""

    keys: Annotated[list[str], msgspec.Meta(max_length=200)] = msgspec.field(default_factory=list)


class WriteConfiguration(In, tag="write_configuration", tag_field="command"):
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    value: Annotated[str, msgspec.Meta(max_length=2500)]


class SendData(In, tag="send_data", tag_field="command"):
    vendor_id: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    message_id: Annotated[str, msgspec.Meta(max_length=50)] | None = None
    data: str | None = None


CommandIn = (
    RemoteStart
    | RemoteStop
    | SetStationLimit
    | ClearStationLimit
    | ReadSchedule
    | Trigger
    | Reset
    | Unlock
    | SetAvailability
    | ReadConfiguration
    | WriteConfiguration
    | SendData
)


class CommandOut(Out):
    """``word`` is the charger's own status word, ``detail`` what else it said."""

    status: c.CommandStatus
    word: str
    accepted: bool
    latency_ms: float
    detail: dict[str, Any]


class CommandRecordOut(Out):
    """A command as it was asked for and answered."""

    id: UUID
    action: str
    request: dict[str, Any]
    requested_by: str
    requested_at: datetime
    status: str
    answered_at: datetime | None
    word: str | None
    response: dict[str, Any] | None
    latency_ms: float | None


@post("/stations/{station_id:uuid}/commands", summary="Command a charger", status_code=200)
async def command(
    deps: Deps,
    who: Who,
    station_id: FromPath[UUID],
    data: JSONBody[CommandIn],
    timeout_s: Annotated[float, QueryParameter(ge=1, le=120)] = 30.0,
) -> CommandOut:
    """Waits for the charger's answer; a refusal by its own word is an answer, not an error.

    ``charger_offline`` (409): it is not connected. ``charger_timeout`` (504): what it did is not
    known. ``charger_refused`` (409): it answered with a CALLERROR.
    """
    sessions_only = isinstance(data, RemoteStart | RemoteStop)
    allowed = Permission.SESSIONS_CONTROL if sessions_only else Permission.CHARGERS_COMMAND
    require(who, allowed)
    deps.chargers.station_view(who.org_id, station_id)
    asked = as_command(deps, data)
    await deps.chargers.permit(who, station_id, asked, timeout_s=timeout_s)
    if isinstance(asked, c.RemoteStart):
        deps.sessions.expect_remote(station_id, asked.token)
    result = await deps.chargers.command(station_id, asked, who.name, timeout_s=timeout_s)
    detail = msgspec.to_builtins(dict(result.detail))
    return out(CommandOut, result, detail=detail)


def as_command(deps: ApiDeps, data: CommandIn) -> c.Command:
    """In words of no OCPP version."""
    now = deps.clock.now()
    match data:
        case RemoteStart():
            token = IdToken(data.token, data.token_kind)
            number = int(now.timestamp()) % 2_000_000_000
            return c.RemoteStart(data.evse_number, token, number, limit_w=data.limit_w)
        case RemoteStop():
            return c.RemoteStop(data.transaction_ref)
        case SetStationLimit():
            return c.SetLimit(
                c.LimitPurpose.STATION_MAX,
                0,
                STATION_LIMIT_ID,
                STATION_LIMIT_LEVEL,
                limit_w=data.power_w,
                valid_s=data.valid_s,
                start_at=now,
            )
        case ClearStationLimit():
            return c.ClearLimits(profile_id=STATION_LIMIT_ID)
        case _:
            return _plain(data)


def _plain(data: CommandIn) -> c.Command:
    match data:
        case ReadSchedule():
            return c.ReadCompositeSchedule(data.evse_number, data.duration_s, data.unit)
        case Trigger():
            return c.Trigger(data.message, data.evse_number)
        case Reset():
            return c.Reset(data.hard, data.evse_number)
        case Unlock():
            return c.Unlock(data.evse_number, data.connector_number)
        case SetAvailability():
            return c.SetAvailability(data.evse_number, data.operative)
        case ReadConfiguration():
            return c.ReadConfiguration(tuple(data.keys))
        case WriteConfiguration():
            return c.WriteConfiguration(data.key, data.value)
        case SendData():
            return c.SendData(data.vendor_id, data.message_id, data.data)
        case _:
            raise AssertionError(type(data).__name__)


@get("/stations/{station_id:uuid}/commands", summary="Commands given, newest first")
async def commands(
    deps: Deps,
    who: Who,
    station_id: FromPath[UUID],
    limit: Limit = 50,
    before: Annotated[datetime | None, QueryParameter(description="Asked for before then.")] = None,
) -> Page[CommandRecordOut]:
    require(who, Permission.VIEW)
    asked = min(limit, 999)
    found = await deps.chargers.commands(who.org_id, station_id, limit=asked + 1, before=before)
    items = [_record(record) for record in found[:asked]]
    return Page(items=items, limit=asked, offset=0, more=len(found) > asked)


def _record(record: CommandRecord) -> CommandRecordOut:
    response = None if record.response is None else dict(record.response)
    return out(CommandRecordOut, record, request=dict(record.request), response=response)


ROUTER = Router(path="/", tags=["Stations"], route_handlers=[command, commands])

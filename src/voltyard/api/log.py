"""The OCPP message log: searched over all chargers, one frame as fields, a stretch as a file."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from litestar import Router, get
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream

from voltyard.api.caller import Deps, Who
from voltyard.api.deps import ApiDeps
from voltyard.api.wire import Limit, Offset, Out, Page, Text, out
from voltyard.chargers.model import Frame, FrameFilter
from voltyard.chargers.stretch import line
from voltyard.errors import Invalid
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal

STRETCH_MAX = 100_000
CHUNK = 500
WINDOW = timedelta(days=1)
"""Without a charger and without ``since`` no older frames are looked for."""
CSV_HEADER = (
    "at",
    "direction",
    "kind",
    "action",
    "message_id",
    "error_code",
    "latency_ms",
    "flags",
    "payload",
)
Direction = Annotated[str | None, QueryParameter(pattern="^(in|out)$", description="in or out")]


class LogFrameOut(Out):
    """One OCPP frame of any charger; ``direction`` is seen from voltyard."""

    at: datetime
    station_id: UUID
    identity: str
    direction: str
    kind: str
    message_id: str
    action: str
    payload: str
    error_code: str | None
    latency_ms: float | None
    flags: list[str]


class FieldOut(Out):
    """``depth`` indents; ``note`` explains, such as an instant as it was written."""

    depth: int
    name: str
    text: str
    note: str


class ReadableOut(Out):
    """A frame for people: instants on the clock of the charger's site, numbers with units."""

    at: datetime
    local: str
    direction: str
    kind: str
    message_id: str
    action: str
    error_code: str | None
    flags: list[str]
    fields: list[FieldOut]


@get("/frames", summary="The OCPP message log of all chargers, newest first")
async def frames(
    deps: Deps,
    who: Who,
    limit: Limit = 100,
    offset: Offset = 0,
    station_id: FromQuery[UUID | None] = None,
    direction: Direction = None,
    action: FromQuery[str | None] = None,
    kind: FromQuery[str | None] = None,
    errors_only: FromQuery[bool] = False,
    text: Text = "",
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
) -> Page[LogFrameOut]:
    """Of all chargers the last day is searched unless ``since`` says otherwise."""
    require(who, Permission.VIEW)
    if station_id is None and since is None:
        since = (until or deps.clock.now()) - WINDOW
    wanted = FrameFilter(direction, action, kind, errors_only, text, since, until)
    asked = min(limit, 999)
    found = await deps.chargers.frames(
        who.org_id, station_id, wanted, limit=asked + 1, offset=offset
    )
    items = [_frame(deps, frame) for frame in found[:asked]]
    return Page(items=items, limit=asked, offset=offset, more=len(found) > asked)


@get("/stations/{station_id:uuid}/frames/readable", summary="Messages as fields for people")
async def readable(
    deps: Deps,
    who: Who,
    station_id: FromPath[UUID],
    limit: Limit = 20,
    offset: Offset = 0,
    action: FromQuery[str | None] = None,
    message_id: Annotated[str | None, QueryParameter(max_length=100)] = None,
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
) -> Page[ReadableOut]:
    """Newest first; ``message_id`` finds a call and its answer."""
    require(who, Permission.VIEW)
    wanted = FrameFilter(action=action, text=message_id or "", from_at=since, until_at=until)
    asked = min(limit, 200)
    found = await deps.chargers.frames(
        who.org_id, station_id, wanted, limit=asked + 1, offset=offset
    )
    zone = await _zone(deps, who, station_id)
    items = [_readable(deps, frame, zone) for frame in found[:asked]]
    return Page(items=items, limit=asked, offset=offset, more=len(found) > asked)


@get(
    "/stations/{station_id:uuid}/frames/stretch.jsonl",
    summary="A stretch of the log as JSON lines, oldest first",
    media_type="application/jsonl",
)
async def stretch(
    deps: Deps,
    who: Who,
    station_id: FromPath[UUID],
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
) -> Stream:
    """At most 100,000 frames; a test can replay it."""
    require(who, Permission.VIEW)
    _check_times(since, until)
    station = deps.chargers.station_view(who.org_id, station_id).station
    version = deps.chargers.version(station_id)

    async def lines() -> AsyncIterator[bytes]:
        async for part in _stretch(deps, who, station_id, since, until):
            yield b"".join(line(frame, station.identity, version) for frame in part)

    return Stream(
        lines(), media_type="application/jsonl", headers=_named(station.identity, "jsonl")
    )


@get(
    "/stations/{station_id:uuid}/frames/stretch.csv",
    summary="A stretch of the log as CSV, oldest first",
    media_type="text/csv",
)
async def stretch_csv(
    deps: Deps,
    who: Who,
    station_id: FromPath[UUID],
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
) -> Stream:
    """At most 100,000 frames."""
    require(who, Permission.VIEW)
    _check_times(since, until)
    station = deps.chargers.station_view(who.org_id, station_id).station

    async def lines() -> AsyncIterator[bytes]:
        yield _csv([CSV_HEADER])
        async for part in _stretch(deps, who, station_id, since, until):
            yield _csv([_cells(frame) for frame in part])

    return Stream(lines(), media_type="text/csv", headers=_named(station.identity, "csv"))


async def _stretch(
    deps: ApiDeps,
    who: Principal,
    station_id: UUID,
    since: datetime | None,
    until: datetime | None,
) -> AsyncIterator[Sequence[Frame]]:
    wanted = FrameFilter(from_at=since, until_at=until or deps.clock.now())
    for offset in range(0, STRETCH_MAX, CHUNK):
        part = await deps.chargers.frames(
            who.org_id, station_id, wanted, limit=CHUNK, offset=offset, oldest_first=True
        )
        if part:
            yield part
        if len(part) < CHUNK:
            return


def _check_times(since: datetime | None, until: datetime | None) -> None:
    if since is not None and until is not None and until <= since:
        raise Invalid("It ends before it begins.", fields={"until": "not after since"})


async def _zone(deps: ApiDeps, who: Principal, station_id: UUID) -> ZoneInfo:
    """Of the charger's site; of the organisation where it has none."""
    station = deps.chargers.station_view(who.org_id, station_id).station
    if station.site_id is None:
        return ZoneInfo((await deps.tenancy.organisation(who.org_id)).timezone)
    return ZoneInfo((await deps.sites.get(station.site_id)).timezone)


def _frame(deps: ApiDeps, frame: Frame) -> LogFrameOut:
    station = deps.chargers.station(frame.station_id)
    identity = "" if station is None else station.identity
    return out(LogFrameOut, frame, identity=identity, flags=list(frame.flags))


def _readable(deps: ApiDeps, frame: Frame, zone: ZoneInfo) -> ReadableOut:
    version = deps.chargers.version(frame.station_id)
    fields = deps.chargers.spoken().read(version, frame.action, frame.kind, frame.payload, zone)
    return out(
        ReadableOut,
        frame,
        local=frame.at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z"),
        flags=list(frame.flags),
        fields=[out(FieldOut, field) for field in fields],
    )


def _cells(frame: Frame) -> tuple[str, ...]:
    latency = "" if frame.latency_ms is None else f"{frame.latency_ms:.1f}"
    return (
        frame.at.isoformat(),
        frame.direction,
        frame.kind,
        frame.action,
        frame.message_id,
        frame.error_code or "",
        latency,
        " ".join(frame.flags),
        frame.payload,
    )


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    """RFC 4180; what a spreadsheet would take for a formula is text."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows([[_cell(text) for text in row] for row in rows])
    return buffer.getvalue().encode()


def _cell(text: str) -> str:
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def _named(identity: str, kind: str) -> dict[str, str]:
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in identity)
    return {"content-disposition": f'attachment; filename="log-{safe}.{kind}"'}


ROUTER = Router(
    path="/", tags=["Stations"], route_handlers=[frames, readable, stretch, stretch_csv]
)

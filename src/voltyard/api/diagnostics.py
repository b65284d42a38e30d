"""Logs of chargers: asked for, listed, fetched."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, delete, get, post
from litestar.params import FromPath, JSONBody
from litestar.response import Stream

from voltyard.api.caller import Deps, Who, remote_of
from voltyard.api.deps import AnyRequest
from voltyard.api.wire import In, Limit, Offset, Out, Page, out
from voltyard.chargers.commands import LogKind
from voltyard.diagnostics.commands import NewLogRequest
from voltyard.diagnostics.model import LogFailure, LogState
from voltyard.diagnostics.service import LogView
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission


class LogIn(In):
    """``address``: where the charger shall bring it instead (an FTP server of yours, say); no file
    comes back from there. ``as_password``: the key of our address travels as its password."""

    kind: LogKind = LogKind.DIAGNOSTICS
    since: datetime | None = None
    until: datetime | None = None
    address: Annotated[str, msgspec.Meta(max_length=400)] = ""
    as_password: bool = False


class LogFileOut(Out):
    id: UUID
    name: str
    size_bytes: int
    sha256: str
    received_at: datetime


class LogOut(Out):
    """A request for a log and what came of it; ``told`` is the charger's last word."""

    id: UUID
    station_id: UUID
    kind: LogKind
    state: LogState
    asked_by: str
    asked_at: datetime
    changed_at: datetime
    since: datetime | None
    until: datetime | None
    announced: str
    told: str
    failure: LogFailure | None
    detail: str
    files: list[LogFileOut]


@post("/stations/{station_id:uuid}/logs", summary="Ask a charger for a log", status_code=202)
async def ask(
    request: AnyRequest, deps: Deps, who: Who, station_id: FromPath[UUID], data: JSONBody[LogIn]
) -> LogOut:
    """Answered at once; read it again to see how far it is. ``charger_offline`` (409)."""
    new = NewLogRequest(**msgspec.structs.asdict(data))
    made = await deps.diagnostics.ask(who, station_id, new, remote=remote_of(request))
    return _log(LogView(made, ()))


@get("/stations/{station_id:uuid}/logs", summary="Logs asked of a charger, newest first")
async def logs(
    deps: Deps, who: Who, station_id: FromPath[UUID], limit: Limit = 50, offset: Offset = 0
) -> Page[LogOut]:
    require(who, Permission.VIEW)
    deps.chargers.station_view(who.org_id, station_id)
    found, total = await deps.diagnostics.requests(
        who.org_id, station_id, limit=limit, offset=offset
    )
    items = [_log(view) for view in found]
    more = offset + len(items) < total
    return Page(items=items, limit=limit, offset=offset, total=total, more=more)


@get("/logs/{log_id:uuid}", summary="One request for a log")
async def log(deps: Deps, who: Who, log_id: FromPath[UUID]) -> LogOut:
    require(who, Permission.VIEW)
    return _log(await deps.diagnostics.request(who.org_id, log_id))


@get(
    "/logs/files/{file_id:uuid}",
    summary="The file itself",
    media_type="application/octet-stream",
)
async def log_file(request: AnyRequest, deps: Deps, who: Who, file_id: FromPath[UUID]) -> Stream:
    """Needs ``chargers:command``: logs tell of people."""
    found, content = await deps.diagnostics.opened(who, file_id, remote=remote_of(request))
    headers = {
        "content-disposition": f'attachment; filename="{found.name}"',
        "content-length": str(found.size_bytes),
        "x-content-type-options": "nosniff",
    }
    return Stream(content, media_type="application/octet-stream", headers=headers)


@delete("/logs/files/{file_id:uuid}", summary="Delete a file")
async def delete_file(request: AnyRequest, deps: Deps, who: Who, file_id: FromPath[UUID]) -> None:
    await deps.diagnostics.delete_file(who, file_id, remote=remote_of(request))


def _log(view: LogView) -> LogOut:
    return out(LogOut, view.request, files=[out(LogFileOut, file) for file in view.files])


ROUTER = Router(path="/", tags=["Logs"], route_handlers=[ask, logs, log, log_file, delete_file])

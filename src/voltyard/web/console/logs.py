"""One charger's firmware and logs: what runs on it, what was asked of it, what it brought."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from voltyard.chargers.commands import LogKind
from voltyard.diagnostics.commands import NewLogRequest
from voltyard.diagnostics.model import LogFile, LogRequest
from voltyard.diagnostics.service import DiagnosticsService
from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.tenancy.model import Permission
from voltyard.web.assets import SECURE_HEADERS
from voltyard.web.console import upkeep_words as words
from voltyard.web.console.common import posted
from voltyard.web.forms import Fields
from voltyard.web.ui import Ui

SHOWN = 25


@dataclass(frozen=True, slots=True)
class LogRow:
    request: LogRequest
    files: tuple[LogFile, ...]
    detail: str
    shape: str


def diagnostics_of(ui: Ui) -> DiagnosticsService:
    """Raises NotFound where no diagnostics room is behind the console."""
    if ui.deps.diagnostics is None:
        raise NotFound("There is nothing at this address.")
    return ui.deps.diagnostics


@get("/chargers/{station_id:uuid}/files")
async def files_page(ui: NamedDependency[Ui], station_id: FromPath[UUID]) -> Response[str]:
    """The block ``log_list`` is asked for again every few seconds while one is under way."""
    return await _page(ui, station_id, {}, {}, "")


async def _page(
    ui: Ui, station_id: UUID, values: dict[str, str], faults: dict[str, str], error: str
) -> Response[str]:
    rooms = diagnostics_of(ui)
    station = await ui.data.station(ui.who, station_id)
    views, _ = await rooms.requests(ui.who.org_id, station_id, limit=SHOWN)
    rows = [LogRow(v.request, v.files, _detail(ui, v.request), _shape(v.request)) for v in views]
    firmware = ui.deps.firmware
    updates = []
    if firmware is not None:
        updates = await firmware.updates_of_station(ui.who.org_id, station_id)
    return ui.page(
        "charger_files.html",
        status=422 if error else 200,
        station=station,
        row=station.row,
        rows=rows,
        moving=any(row.request.open for row in rows),
        updates=updates,
        upkeep=words,
        values=values,
        faults=faults,
        error=error,
    )


def _shape(request: LogRequest) -> str:
    return words.LOG_SHAPES.get(request.state, "charging")


def _detail(ui: Ui, request: LogRequest) -> str:
    if request.failure is None:
        return ""
    told = ui.gettext(words.LOG_FAILURE_WORDS[request.failure])
    return f"{told} ({request.detail})" if request.detail else told


@post("/chargers/{station_id:uuid}/files")
async def ask_for_log(ui: NamedDependency[Ui], station_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.CHARGERS_COMMAND)
    form = await posted(ui)
    try:
        new = _wish(form)
        form.check()
        await diagnostics_of(ui).ask(ui.who, station_id, new, remote=_remote(ui))
    except (Invalid, Conflict) as error:
        values = dict(form.values)
        return await _page(ui, station_id, values, dict(error.fields), error.message)
    return ui.go(f"/chargers/{station_id}/files")


def _wish(form: Fields) -> NewLogRequest:
    return NewLogRequest(
        kind=form.one_of("kind", LogKind) or LogKind.DIAGNOSTICS,
        since=form.moment("since"),
        until=form.moment("until"),
        address=form.text("address", longest=400),
        as_password=form.flag("as_password"),
    )


@get("/log-files/{file_id:uuid}")
async def log_file(ui: NamedDependency[Ui], file_id: FromPath[UUID]) -> Stream:
    found, content = await diagnostics_of(ui).opened(ui.who, file_id, remote=_remote(ui))
    headers = {
        **SECURE_HEADERS,
        "content-disposition": f'attachment; filename="{found.name}"',
        "content-length": str(found.size_bytes),
        "cache-control": "no-store",
    }
    return Stream(content, media_type="application/octet-stream", headers=headers)


@post("/log-files/{file_id:uuid}/delete")
async def delete_file(ui: NamedDependency[Ui], file_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.CHARGERS_COMMAND)
    form = await posted(ui)
    station_id = form.id("station")
    await diagnostics_of(ui).delete_file(ui.who, file_id, remote=_remote(ui))
    return ui.go(f"/chargers/{station_id}/files" if station_id else "/chargers", done="deleted")


def _remote(ui: Ui) -> str:
    return ui.request.client.host if ui.request.client else ""


ROUTES = [files_page, ask_for_log, log_file, delete_file]

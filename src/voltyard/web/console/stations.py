"""Chargers: the list, one charger with its values and commands, its OCPP log, approval."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from voltyard.chargers.model import FrameFilter, StationFilter, StationState
from voltyard.chargers.stretch import line
from voltyard.errors import Invalid, NotFound
from voltyard.tenancy.model import Permission
from voltyard.web.console import needs_words
from voltyard.web.console.commands import BY_NAME, COMMANDS, CommandSpec, InputKind
from voltyard.web.console.common import paging, posted, query, search_text
from voltyard.web.console.reservations import shown_at
from voltyard.web.console.technician import rooms_of
from voltyard.web.console.views import FrameRow, Paging, StationRow
from voltyard.web.export import Cell, csv_stream
from voltyard.web.forms import Fields
from voltyard.web.ui import Ui

LOG_PAGE = 60
STRETCH_MAX = 100_000
STRETCH_PART = 500


@get("/chargers")
async def stations_page(ui: NamedDependency[Ui]) -> Response[str]:
    page = await ui.data.stations(ui.who, _filter(ui), paging(ui))
    return ui.page("stations.html", page=page, states=tuple(StationState))


@get("/chargers.csv")
async def stations_export(ui: NamedDependency[Ui]) -> Stream:
    wanted = _filter(ui)
    header = [
        "identity",
        "name",
        "site",
        "state",
        "connected",
        "vendor",
        "model",
        "firmware",
        "ocpp",
        "last_seen_at",
        "power_w",
        "outlets",
    ]
    return csv_stream(
        "chargers.csv", header, lambda part: ui.data.stations(ui.who, wanted, part), _station_cells
    )


@get("/chargers/{station_id:uuid}")
async def station_page(ui: NamedDependency[Ui], station_id: FromPath[UUID]) -> Response[str]:
    station = await ui.data.station(ui.who, station_id)
    commands = await ui.data.commands(ui.who, station_id)
    log = await ui.data.frames(ui.who, station_id, FrameFilter(), Paging(1, LOG_PAGE))
    return ui.page(
        "station.html",
        needs_words=needs_words,
        station=station,
        row=station.row,
        commands=commands,
        specs=[spec for spec in COMMANDS if ui.who.may(spec.permission)],
        log=log,
        faults={},
        chosen="",
        values={},
        **await shown_at(ui, station_id),
    )


@get("/chargers/{station_id:uuid}/commands")
async def station_commands(ui: NamedDependency[Ui], station_id: FromPath[UUID]) -> Response[str]:
    """The list of given commands, asked for again when the live stream says it changed."""
    return await _command_list(ui, station_id)


async def _command_list(ui: Ui, station_id: UUID) -> Response[str]:
    commands = await ui.data.commands(ui.who, station_id)
    return ui.page("station_commands.html", commands=commands, refused=None, reasons=())


@post("/chargers/{station_id:uuid}/commands/{name:str}")
async def give_command(
    ui: NamedDependency[Ui], station_id: FromPath[UUID], name: FromPath[str]
) -> Response[Any]:
    spec = BY_NAME.get(name)
    if spec is None:
        raise NotFound("There is no such command.")
    ui.require(spec.permission)
    form = await posted(ui)
    try:
        params = read_params(spec, form)
        await ui.data.run_command(ui.who, station_id, name, params)
    except Invalid as error:
        return await _refused_command(ui, station_id, spec, form, error)
    if ui.wanted_block():
        return await _command_list(ui, station_id)
    return ui.go(f"/chargers/{station_id}", done="command")


async def _refused_command(
    ui: Ui, station_id: UUID, spec: CommandSpec, form: Fields, error: Invalid
) -> Response[str]:
    commands = await ui.data.commands(ui.who, station_id)
    reasons = [f"{field}: {reason}" for field, reason in error.fields.items()] or [error.message]
    return ui.page(
        "station_commands.html", status=422, commands=commands, refused=spec, reasons=reasons
    )


@post("/chargers/{station_id:uuid}/decide")
async def decide(ui: NamedDependency[Ui], station_id: FromPath[UUID]) -> Response[Any]:
    """Approve or reject a station that asked to join."""
    ui.require(Permission.CHARGERS_WRITE)
    form = await posted(ui)
    wanted = form.text("decision")
    state = StationState.APPROVED if wanted == "approve" else StationState.REJECTED
    site_id = form.id("site") or (ui.site.id if ui.site else None)
    await ui.data.decide_station(ui.who, station_id, state, site_id)
    return ui.go(f"/chargers/{station_id}", done=state.value)


@get("/chargers/{station_id:uuid}/log")
async def log_page(ui: NamedDependency[Ui], station_id: FromPath[UUID]) -> Response[str]:
    """The OCPP log: searched by the server; the newest page follows live."""
    station = await ui.data.station(ui.who, station_id)
    wanted = _frame_filter(ui)
    page = await ui.data.frames(ui.who, station_id, wanted, paging(ui, 100))
    return ui.page(
        "log.html",
        station=station,
        row=station.row,
        page=page,
        live=wanted == FrameFilter() and page.paging.number == 1,
    )


@get("/chargers/{station_id:uuid}/log.csv")
async def log_export(ui: NamedDependency[Ui], station_id: FromPath[UUID]) -> Stream:
    station = await ui.data.station(ui.who, station_id)
    wanted = _frame_filter(ui)
    header = [
        "at",
        "direction",
        "kind",
        "action",
        "message_id",
        "error_code",
        "latency_ms",
        "flags",
        "summary",
    ]
    return csv_stream(
        f"log-{station.row.identity}.csv",
        header,
        lambda part: ui.data.frames(ui.who, station_id, wanted, part),
        _frame_cells,
    )


@get("/chargers/{station_id:uuid}/log/{frame_id:str}")
async def frame_page(
    ui: NamedDependency[Ui], station_id: FromPath[UUID], frame_id: FromPath[str]
) -> Response[str]:
    """One frame as readable fields; into the log's side panel, or a page of its own."""
    station = await ui.data.station(ui.who, station_id)
    frame = await ui.data.frame(ui.who, station_id, frame_id)
    return ui.page(
        "frame.html",
        row=station.row,
        frame=frame,
        fields=_fields(ui, station_id, frame.row, frame.payload),
        answer_fields=_fields(ui, station_id, frame.answer, frame.answer_payload),
    )


def _fields(
    ui: Ui, station_id: UUID, row: FrameRow | None, payload: str
) -> list[tuple[int, str, str, str]]:
    """With units and local instants where the rooms are there to read it."""
    rooms = ui.deps.technician
    if rooms is None or row is None:
        return [(*line, "") for line in readable(payload)]
    version = rooms.chargers.version(station_id)
    read = rooms.chargers.spoken().read(version, row.action, row.kind, payload, ui.zone)
    return [(field.depth, field.name, field.text, field.note) for field in read]


@get("/chargers/{station_id:uuid}/stretch.jsonl")
async def stretch_export(ui: NamedDependency[Ui], station_id: FromPath[UUID]) -> Stream:
    """A stretch of the log, oldest first, that a test can replay."""
    rooms = rooms_of(ui)
    station = rooms.chargers.station_view(ui.who.org_id, station_id).station
    version, wanted = rooms.chargers.version(station_id), _frame_filter(ui)

    async def lines() -> AsyncIterator[bytes]:
        for offset in range(0, STRETCH_MAX, STRETCH_PART):
            part = await rooms.chargers.frames(
                ui.who.org_id,
                station_id,
                wanted,
                limit=STRETCH_PART,
                offset=offset,
                oldest_first=True,
            )
            yield b"".join(line(frame, station.identity, version) for frame in part)
            if len(part) < STRETCH_PART:
                return

    name = "".join(c if c.isalnum() or c in "-_." else "_" for c in station.identity)
    headers = {"content-disposition": f'attachment; filename="log-{name}.jsonl"'}
    return Stream(lines(), media_type="application/jsonl", headers=headers)


def readable(payload: str) -> list[tuple[int, str, str]]:
    """A frame's JSON as (depth, name, value) lines; the text itself when it is not JSON."""
    if not payload:
        return []
    try:
        decoded = msgspec.json.decode(payload.encode())
    except msgspec.DecodeError:
        return [(0, "", payload)]
    lines: list[tuple[int, str, str]] = []
    _walk(decoded, "", 0, lines)
    return lines


def _walk(value: Any, name: str, depth: int, lines: list[tuple[int, str, str]]) -> None:
    if isinstance(value, dict):
        if name:
            lines.append((depth, name, ""))
        for key, inner in value.items():
            _walk(inner, str(key), depth + bool(name), lines)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _walk(inner, f"{name} {index + 1}".strip(), depth, lines)
    else:
        lines.append((depth, name, _scalar(value)))


def _scalar(value: Any) -> str:
    if value is None:
        return "–"
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_params(spec: CommandSpec, form: Fields) -> dict[str, str]:
    """The command's parameters as checked texts. Invalid names every wrong field."""
    params: dict[str, str] = {}
    for wanted in spec.inputs:
        value = form.text(wanted.name, required=wanted.required, longest=500)
        if wanted.kind is InputKind.NUMBER:
            number = form.number(
                wanted.name, low=wanted.low, high=wanted.high, required=wanted.required
            )
            value = "" if number is None else f"{number:g}"
        elif wanted.kind is InputKind.CHOICE and value not in dict(wanted.choices):
            form.fault(wanted.name, "Choose one of the list.")
        if value:
            params[wanted.name] = value
    form.check()
    return params


def _filter(ui: Ui) -> StationFilter:
    fields = query(ui)
    link = fields.text("link")
    return StationFilter(
        site_id=fields.id("site"),
        text=search_text(ui),
        state=fields.one_of("state", StationState),
        connected=None if link not in {"online", "offline"} else link == "online",
    )


def _frame_filter(ui: Ui) -> FrameFilter:
    fields = query(ui)
    direction = fields.text("direction")
    return FrameFilter(
        text=search_text(ui),
        action=fields.text("action")[:60] or None,
        direction=direction if direction in {"in", "out"} else None,
        errors_only=fields.flag("errors"),
        from_at=fields.moment("since"),
        until_at=fields.moment("until"),
    )


def _station_cells(row: StationRow) -> tuple[Cell, ...]:
    return (
        row.identity,
        row.name,
        row.site,
        row.state.value,
        row.connected,
        row.vendor,
        row.model,
        row.firmware,
        row.ocpp_version,
        row.last_seen_at,
        row.power_w,
        " ".join(state.value for state in row.evse_states),
    )


def _frame_cells(row: FrameRow) -> tuple[Cell, ...]:
    return (
        row.at,
        row.direction,
        row.kind,
        row.action,
        row.message_id,
        row.error_code,
        row.latency_ms,
        " ".join(row.flags),
        row.summary,
    )


ROUTES = [
    stations_page,
    stations_export,
    station_page,
    station_commands,
    give_command,
    decide,
    log_page,
    log_export,
    frame_page,
    stretch_export,
]

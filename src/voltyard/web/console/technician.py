"""A technician's pages of one charger: its configuration, its monitors, any OCPP message."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from voltyard.chargers.commands import (
    MonitorKind,
    ReadConfiguration,
    WatchVariable,
    WriteConfiguration,
)
from voltyard.chargers.model import ConfigEntry
from voltyard.chargers.speech import VERSIONS
from voltyard.errors import Invalid, NotFound, VoltyardError
from voltyard.tenancy.model import Permission
from voltyard.web.console import technician_words as words
from voltyard.web.console.common import posted, query, search_text
from voltyard.web.console.rooms import TechnicianRooms
from voltyard.web.forms import Fields
from voltyard.web.ui import Ui

SHOWN = 500
EVENTS_SHOWN = 100
PAYLOAD_LONGEST = 50_000


def rooms_of(ui: Ui) -> TechnicianRooms:
    """Raises NotFound where these rooms are not behind the console."""
    if ui.deps.technician is None:
        raise NotFound("There is nothing at this address.")
    return ui.deps.technician


@get("/chargers/{station_id:uuid}/configuration")
async def configuration_page(ui: NamedDependency[Ui], station_id: FromPath[UUID]) -> Response[str]:
    """Keys or variables as last read; those that templates want otherwise first."""
    return await _configuration(ui, station_id, "")


async def _configuration(ui: Ui, station_id: UUID, error: str, status: int = 200) -> Response[str]:
    rooms = rooms_of(ui)
    station = await ui.data.station(ui.who, station_id)
    entries = await rooms.chargers.config(ui.who.org_id, station_id)
    text = search_text(ui).casefold()
    found = [entry for entry in entries if text in _searched(entry)]
    known = rooms.chargers.station(station_id)
    waits = {e.row.key for e in entries if known is not None and e.waits_for_boot(known)}
    return ui.page(
        "configuration.html",
        status=status,
        row=station.row,
        entries=found[:SHOWN],
        more=max(0, len(found) - SHOWN),
        total=len(entries),
        read_at=max((entry.read_at for entry in entries), default=None),
        waits=waits,
        drift=await rooms.configuration.drift_of(ui.who.org_id, station_id),
        governed=rooms.configuration.governed(station_id),
        technician=words,
        error=error,
    )


def _searched(entry: ConfigEntry) -> str:
    return f"{entry.row.key} {entry.row.value or ''}".casefold()


@post("/chargers/{station_id:uuid}/configuration")
async def set_setting(ui: NamedDependency[Ui], station_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.CHARGERS_WRITE)
    form = await posted(ui)
    rooms_of(ui).chargers.station_view(ui.who.org_id, station_id)
    attribute = form.text("attribute")
    try:
        key = form.text("key", required=True)
        form.check()
        command = WriteConfiguration(
            key,
            form.text("value", longest=2_500),
            None if attribute in ("", "Actual") else attribute,
        )
        result = await rooms_of(ui).chargers.order(ui.who, station_id, command)
    except VoltyardError as error:
        return await _configuration(ui, station_id, _told(error), 422)
    if not result.accepted and result.status.value != "reboot_required":
        said = ui.gettext("The charger answered: %(word)s") % {"word": result.word or result.status}
        return await _configuration(ui, station_id, said, 422)
    return ui.go(f"/chargers/{station_id}/configuration", done="saved")


@post("/chargers/{station_id:uuid}/configuration/read")
async def read_settings(ui: NamedDependency[Ui], station_id: FromPath[UUID]) -> Response[Any]:
    """2.0.1 tells it in reports soon after."""
    ui.require(Permission.CHARGERS_COMMAND)
    rooms_of(ui).chargers.station_view(ui.who.org_id, station_id)
    try:
        await rooms_of(ui).chargers.command(station_id, ReadConfiguration(), ui.who.name)
    except VoltyardError as error:
        return await _configuration(ui, station_id, _told(error), 422)
    return ui.go(f"/chargers/{station_id}/configuration", done="command")


@post("/chargers/{station_id:uuid}/configuration/compare")
async def compare(ui: NamedDependency[Ui], station_id: FromPath[UUID]) -> Response[Any]:
    """With the templates of its make; what differs is set, also what was refused before."""
    ui.require(Permission.CHARGERS_WRITE)
    try:
        await rooms_of(ui).configuration.look(ui.who, station_id)
    except VoltyardError as error:
        return await _configuration(ui, station_id, _told(error), 422)
    return ui.go(f"/chargers/{station_id}/configuration", done="command")


@get("/chargers/{station_id:uuid}/monitoring")
async def monitoring_page(ui: NamedDependency[Ui], station_id: FromPath[UUID]) -> Response[str]:
    return await _monitoring(ui, station_id, {}, {}, "")


async def _monitoring(
    ui: Ui,
    station_id: UUID,
    values: Mapping[str, str],
    faults: Mapping[str, str],
    error: str,
    status: int = 200,
) -> Response[str]:
    rooms = rooms_of(ui)
    station = await ui.data.station(ui.who, station_id)
    return ui.page(
        "monitoring.html",
        status=status,
        row=station.row,
        monitors=await rooms.monitoring.monitors(ui.who.org_id, station_id),
        events=await rooms.monitoring.events(ui.who.org_id, station_id, limit=EVENTS_SHOWN),
        kinds=tuple(MonitorKind),
        technician=words,
        values=values,
        faults=faults,
        error=error,
    )


@post("/chargers/{station_id:uuid}/monitoring")
async def watch(ui: NamedDependency[Ui], station_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.CHARGERS_WRITE)
    form = await posted(ui)
    try:
        watched = _watched(form)
        result = await rooms_of(ui).monitoring.watch(ui.who, station_id, watched)
    except VoltyardError as error:
        return await _monitoring(ui, station_id, form.values, dict(error.fields), _told(error), 422)
    if not result.accepted:
        said = ui.gettext("The charger answered: %(word)s") % {"word": result.word}
        return await _monitoring(ui, station_id, form.values, {}, said, 422)
    return ui.go(f"/chargers/{station_id}/monitoring", done="saved")


def _watched(form: Fields) -> WatchVariable:
    variable = form.text("variable", required=True)
    kind = form.one_of("kind", MonitorKind) or MonitorKind.UPPER_THRESHOLD
    value = form.number("value", low=-1e9, high=1e9, required=True)
    severity = form.whole("severity", low=0, high=9, default=5)
    form.check()
    assert value is not None
    return WatchVariable(variable, kind, value, severity, form.flag("only_in_transaction"))


@post("/chargers/{station_id:uuid}/monitoring/read")
async def read_monitors(ui: NamedDependency[Ui], station_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.CHARGERS_WRITE)
    try:
        await rooms_of(ui).monitoring.read(ui.who, station_id)
    except VoltyardError as error:
        return await _monitoring(ui, station_id, {}, {}, _told(error), 422)
    return ui.go(f"/chargers/{station_id}/monitoring", done="command")


@post("/chargers/{station_id:uuid}/monitoring/{monitor_id:int}/forget")
async def forget(
    ui: NamedDependency[Ui], station_id: FromPath[UUID], monitor_id: FromPath[int]
) -> Response[Any]:
    ui.require(Permission.CHARGERS_WRITE)
    try:
        await rooms_of(ui).monitoring.forget(ui.who, station_id, (monitor_id,))
    except VoltyardError as error:
        return await _monitoring(ui, station_id, {}, {}, _told(error), 422)
    return ui.go(f"/chargers/{station_id}/monitoring", done="deleted")


@get("/chargers/{station_id:uuid}/message")
async def message_page(ui: NamedDependency[Ui], station_id: FromPath[UUID]) -> Response[str]:
    """Any message of the charger's OCPP version; the form begins with the least it needs."""
    action = query(ui).text("action")
    return await _message(ui, station_id, action, "", None, {}, "")


async def _message(
    ui: Ui,
    station_id: UUID,
    action: str,
    payload: str,
    answer: str | None,
    faults: Mapping[str, str],
    error: str,
    status: int = 200,
) -> Response[str]:
    ui.require(Permission.CHARGERS_COMMAND)
    chargers = rooms_of(ui).chargers
    station = await ui.data.station(ui.who, station_id)
    version = chargers.version(station_id)
    speech = chargers.spoken()
    kinds = speech.messages(version) if version in VERSIONS else ()
    mine = [kind for kind in kinds if ui.who.may(kind.permission)]
    if action not in {kind.action for kind in mine}:
        action = mine[0].action if mine else ""
    if action and not payload:
        payload = _pretty(speech.example(version, action))
    return ui.page(
        "message.html",
        status=status,
        row=station.row,
        version=version,
        kinds=mine,
        action=action,
        payload=payload,
        answer=answer,
        faults=faults,
        error=error,
    )


@post("/chargers/{station_id:uuid}/message")
async def send_message(ui: NamedDependency[Ui], station_id: FromPath[UUID]) -> Response[Any]:
    """The answer is shown below what was sent."""
    ui.require(Permission.CHARGERS_COMMAND)
    form = await posted(ui)
    action = form.text("action", longest=60)
    text = form.values.get("payload", "")[:PAYLOAD_LONGEST]
    try:
        payload = read_payload(text)
        result = await rooms_of(ui).chargers.ask(ui.who, station_id, action, payload)
    except VoltyardError as error:
        fields = dict(error.fields)
        return await _message(ui, station_id, action, text, None, fields, _told(error), 422)
    answer = _pretty(result.detail.get("answer", {}))
    return await _message(ui, station_id, action, text, answer, {}, "")


def read_payload(text: str) -> dict[str, Any]:
    """A JSON object as somebody typed it. Raises Invalid."""
    try:
        payload = msgspec.json.decode(text.strip().encode() or b"{}")
    except msgspec.DecodeError as error:
        raise Invalid("This is no JSON.", fields={"payload": str(error)}) from None
    if not isinstance(payload, dict):
        raise Invalid("This is no JSON.", fields={"payload": "an object in braces is needed"})
    return payload


def _pretty(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _told(error: VoltyardError) -> str:
    return f"{error.message} {error.detail}".strip() if error.detail else error.message


ROUTES = [
    configuration_page,
    set_setting,
    read_settings,
    compare,
    monitoring_page,
    watch,
    read_monitors,
    forget,
    message_page,
    send_message,
]

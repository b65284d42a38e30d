"""Vehicles that speak VDV 261: who may, what they told, and how their numbers are read."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from voltyard.errors import Invalid, NotFound, VoltyardError
from voltyard.preconditioning.vdv261.model import (
    HVAC_WORDS,
    Coding,
    Credential,
    DriveOff,
)
from voltyard.tenancy.model import Permission
from voltyard.web.console import preconditioning_words as words
from voltyard.web.console.common import posted
from voltyard.web.console.preconditioning import remote_of, room_of
from voltyard.web.console.views import Choice, Paging
from voltyard.web.console.views.preconditioning import AccessRow
from voltyard.web.forms import Fields
from voltyard.web.ui import Ui

VEHICLES_MAX = 2_000
NUMBER_MAX = 2**32 - 1
NUMBERS = (
    "driveoff_absent",
    "wanted_yes",
    "wanted_no",
    "wanted_absent",
    "ambient_offset_c",
    "ambient_absent",
    "target_soc_absent",
    "target_distance_absent",
)


@get("/vdv261")
async def overview(ui: NamedDependency[Ui]) -> Response[str]:
    desk = room_of(ui).vdv261
    found = await ui.data.vehicles(ui.who, "", Paging(1, VEHICLES_MAX))
    names = {row.id: row.name for row in found.rows}
    rows = [_row(ui, one, names.get(one.vehicle_id, "–")) for one in desk.credentials(ui.who)]
    admitted = {row.vehicle_id for row in rows}
    others = [Choice(str(row.id), row.name) for row in found.rows if row.id not in admitted]
    return ui.page("vdv261.html", rows=rows, others=others, said=words)


def _row(ui: Ui, known: Credential, name: str) -> AccessRow:
    room = room_of(ui)
    heard = room.vdv261.heard(ui.who, known.vehicle_id)
    report = room.told_by(known.vehicle_id)
    session = None if report is None else room.session_of(report)
    return AccessRow(
        vehicle_id=known.vehicle_id,
        vehicle=name,
        vin=known.vin,
        enabled=known.enabled,
        has_password=known.password_hash is not None,
        version=heard.version if heard is not None and heard.fields else None,
        heard_at=heard.at if heard is not None and heard.fields else None,
        fault=heard.fault if heard is not None else "",
        fault_at=heard.fault_at if heard is not None else None,
        charging_at="" if session is None else str(session.id),
    )


@post("/vdv261")
async def choose(ui: NamedDependency[Ui]) -> Response[Any]:
    """The vehicle that is to be let in."""
    ui.require(Permission.FLEET_WRITE)
    form = await posted(ui)
    vehicle_id = form.id("vehicle_id")
    return ui.go("/vdv261" if vehicle_id is None else f"/vehicles/{vehicle_id}/vdv261")


@get("/vehicles/{vehicle_id:uuid}/vdv261")
async def vehicle_page(ui: NamedDependency[Ui], vehicle_id: FromPath[UUID]) -> Response[str]:
    return await _vehicle(ui, vehicle_id)


async def _vehicle(
    ui: Ui,
    vehicle_id: UUID,
    *,
    error: VoltyardError | None = None,
    values: Mapping[str, str] | None = None,
    password: str = "",
) -> Response[str]:
    vehicle = await ui.data.vehicle(ui.who, vehicle_id)
    try:
        known = room_of(ui).vdv261.credential(ui.who, vehicle_id)
    except NotFound:
        known = None
    given = {"vin": known.vin if known else vehicle.vin, "enabled": "on"}
    if known is not None:
        given["enabled"] = "on" if known.enabled else ""
        given["without_password"] = "" if known.password_hash is not None else "on"
    return ui.page(
        "vehicle_vdv261.html",
        status=422 if error else 200,
        vehicle=vehicle,
        known=known,
        row=None if known is None else _row(ui, known, vehicle.name),
        heard=room_of(ui).vdv261.heard(ui.who, vehicle_id),
        values=values or given,
        faults=error.fields if error else {},
        error=error.message if error else "",
        password=password,
        said=words,
    )


@post("/vehicles/{vehicle_id:uuid}/vdv261")
async def admit(ui: NamedDependency[Ui], vehicle_id: FromPath[UUID]) -> Response[Any]:
    """The password that voltyard made is shown once."""
    ui.require(Permission.FLEET_WRITE)
    form = await posted(ui)
    try:
        _, password = await room_of(ui).vdv261.admit(
            ui.who,
            vehicle_id,
            vin=form.text("vin", longest=17),
            password=form.text("password", longest=150),
            enabled=form.flag("enabled"),
            without_password=form.flag("without_password"),
            renew=form.flag("renew"),
            remote=remote_of(ui),
        )
    except VoltyardError as error:
        return await _vehicle(ui, vehicle_id, error=error, values=form.values)
    if password:
        return await _vehicle(ui, vehicle_id, password=password)
    return ui.go(f"/vehicles/{vehicle_id}/vdv261", done="saved")


@post("/vehicles/{vehicle_id:uuid}/vdv261/delete")
async def dismiss(ui: NamedDependency[Ui], vehicle_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.FLEET_WRITE)
    await posted(ui)
    await room_of(ui).vdv261.remove(ui.who, vehicle_id, remote=remote_of(ui))
    return ui.go("/vdv261", done="deleted")


@get("/vdv261/coding")
async def coding_page(ui: NamedDependency[Ui]) -> Response[str]:
    coding = room_of(ui).vdv261.coding_seen(ui.who)
    return _coding(ui, _values(coding), None)


@post("/vdv261/coding")
async def change_coding(ui: NamedDependency[Ui]) -> Response[Any]:
    ui.require(Permission.FLEET_WRITE)
    form = await posted(ui)
    try:
        content = _read(ui, form, room_of(ui).vdv261.coding_seen(ui.who))
        await room_of(ui).vdv261.save_coding(ui.who, content, remote=remote_of(ui))
    except Invalid as error:
        return _coding(ui, form.values, error)
    return ui.go("/vdv261/coding", done="saved")


def _coding(ui: Ui, values: Mapping[str, str], error: Invalid | None) -> Response[str]:
    return ui.page(
        "vdv261_coding.html",
        status=422 if error else 200,
        values=values,
        faults=error.fields if error else {},
        error=error.message if error else "",
        said=words,
        hvac=HVAC_WORDS,
        drive_offs=tuple(DriveOff),
    )


def _values(coding: Coding) -> dict[str, str]:
    values = {name: str(getattr(coding, name)) for name in NUMBERS}
    values |= {f"hvac_{word}": str(number) for word, number in coding.hvac.items()}
    values |= {f"agent_{version}": coding.user_agents.get(version, "") for version in ("1", "2")}
    return values | {
        "driveoff": coding.driveoff.value,
        "ahead_min": "" if coding.wanted_ahead_s is None else f"{coding.wanted_ahead_s / 60:g}",
        "time_unit_s": f"{coding.time_unit_s:g}",
        "energy_unit_wh": f"{coding.energy_unit_wh:g}",
        "charging": _table_text(coding.charging),
        "condition": _table_text(coding.condition),
        "battery_holds_charge": "on" if coding.battery_holds_charge else "",
        "states_required": "on" if coding.states_required else "",
    }


def _table_text(table: Mapping[str, str]) -> str:
    return ", ".join(f"{number} {word}" for number, word in table.items())


def _read(ui: Ui, form: Fields, before: Coding) -> dict[str, Any]:
    """What the page does not show stays as it was."""
    content: dict[str, Any] = msgspec.to_builtins(before)
    for name in NUMBERS:
        low = -1000 if name == "ambient_offset_c" else 0
        content[name] = form.whole(name, low=low, high=NUMBER_MAX, default=content[name])
    content["hvac"] = {
        word: form.whole(f"hvac_{word}", low=0, high=255, default=before.hvac[word])
        for word in HVAC_WORDS
    }
    content["driveoff"] = (form.one_of("driveoff", DriveOff) or before.driveoff).value
    for name in ("time_unit_s", "energy_unit_wh"):
        content[name] = form.number(name, low=0.001, high=1e6, required=True)
    content["wanted_ahead_s"] = form.number("ahead_min", low=0, high=1440, scale=60)
    for name in ("charging", "condition"):
        content[name] = _table(ui, form, name)
    for name in ("battery_holds_charge", "states_required"):
        content[name] = form.flag(name)
    agents = {version: form.text(f"agent_{version}") for version in ("1", "2")}
    content["user_agents"] = {version: text for version, text in agents.items() if text}
    form.check()
    return content


def _table(ui: Ui, form: Fields, name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in form.text(name, longest=500).split(","))):
        number, _, word = pair.partition(" ")
        if not number.isdecimal() or not word.strip():
            form.fault(name, ui.gettext("Write pairs like: 0 ready, 1 charging"))
        found[number] = word.strip()
    return found


ROUTES = [
    overview,
    choose,
    vehicle_page,
    admit,
    dismiss,
    coding_page,
    change_coding,
]

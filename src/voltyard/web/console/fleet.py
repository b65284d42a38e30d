"""Vehicles and the tokens that tell which vehicle plugged in."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from voltyard.errors import Invalid
from voltyard.fleets.commands import TokenDraft, VehicleDraft
from voltyard.sessions.model import TokenKind
from voltyard.tenancy.model import Permission
from voltyard.web.console.common import paging, posted, search_text
from voltyard.web.console.views import (
    Choice,
    Paging,
    TokenRow,
    VehicleRow,
)
from voltyard.web.export import Cell, csv_stream
from voltyard.web.forms import Fields
from voltyard.web.ui import Ui

TOKEN_KINDS = tuple(kind for kind in TokenKind if kind is not TokenKind.NONE)


@get("/vehicles")
async def vehicles_page(ui: NamedDependency[Ui]) -> Response[str]:
    page = await ui.data.vehicles(ui.who, search_text(ui), paging(ui))
    return ui.page("vehicles.html", page=page)


@get("/vehicles.csv")
async def vehicles_export(ui: NamedDependency[Ui]) -> Stream:
    text = search_text(ui)
    header = [
        "name",
        "class",
        "battery_wh",
        "max_power_w",
        "min_power_w",
        "plate",
        "vin",
        "active",
        "tokens",
    ]
    return csv_stream(
        "vehicles.csv", header, lambda part: ui.data.vehicles(ui.who, text, part), _vehicle_cells
    )


@get("/vehicles/new")
async def new_vehicle(ui: NamedDependency[Ui]) -> Response[str]:
    ui.require(Permission.FLEET_WRITE)
    return ui.page("vehicle.html", vehicle=None, values={"active": "on"}, faults={}, error="")


@get("/vehicles/{vehicle_id:uuid}")
async def vehicle_page(ui: NamedDependency[Ui], vehicle_id: FromPath[UUID]) -> Response[str]:
    vehicle = await ui.data.vehicle(ui.who, vehicle_id)
    values = vehicle_values(vehicle)
    return ui.page("vehicle.html", vehicle=vehicle, values=values, faults={}, error="")


@post("/vehicles/new")
async def create_vehicle(ui: NamedDependency[Ui]) -> Response[Any]:
    return await _save_vehicle(ui, None)


@post("/vehicles/{vehicle_id:uuid}")
async def change_vehicle(ui: NamedDependency[Ui], vehicle_id: FromPath[UUID]) -> Response[Any]:
    return await _save_vehicle(ui, await ui.data.vehicle(ui.who, vehicle_id))


async def _save_vehicle(ui: Ui, vehicle: VehicleRow | None) -> Response[Any]:
    ui.require(Permission.FLEET_WRITE)
    form = await posted(ui)
    vehicle_id = None if vehicle is None else vehicle.id
    try:
        await ui.data.save_vehicle(ui.who, vehicle_id, _read_vehicle(ui, form))
    except Invalid as error:
        return ui.page(
            "vehicle.html",
            status=422,
            vehicle=vehicle,
            values=form.values,
            faults=error.fields,
            error=error.message,
        )
    return ui.go("/vehicles", done="saved")


def _read_vehicle(ui: Ui, form: Fields) -> VehicleDraft:
    curve = read_curve(form.text("charge_curve", longest=2_000))
    if curve is None:
        form.fault("charge_curve", ui.gettext("Write pairs like: 0 150, 80 150, 100 20"))
    read = VehicleDraft(
        name=form.text("name", required=True, longest=80),
        vehicle_class=form.text("vehicle_class", longest=80),
        battery_wh=form.number("battery_kwh", low=1, high=5_000, scale=1000),
        max_power_w=form.number("max_power_kw", low=0.1, high=5_000, scale=1000),
        min_power_w=form.number("min_power_kw", low=0, high=1_000, scale=1000) or 0.0,
        licence_plate=form.text("licence_plate", longest=20) or None,
        vin=form.text("vin", longest=17) or None,
        active=form.flag("active"),
        charge_curve=curve or (),
    )
    form.check()
    return read


def read_curve(text: str) -> tuple[tuple[float, float], ...] | None:
    """``"0 150, 80 150, 100 20"`` (percent, kW) as (SoC in %, W); None when it makes no sense."""
    points: list[tuple[float, float]] = []
    for pair in filter(None, (part.strip() for part in text.split(","))):
        try:
            soc_pct, power_kw = (float(word) for word in pair.split())
        except ValueError:
            return None
        rising = not points or soc_pct > points[-1][0]
        if not (0 <= soc_pct <= 100 and 0 <= power_kw <= 5_000 and rising):
            return None
        points.append((soc_pct, power_kw * 1000))
    return tuple(points)


def vehicle_values(vehicle: VehicleRow) -> dict[str, str]:
    def text(value: float | None) -> str:
        return "" if value is None else f"{value / 1000:g}"

    return {
        "name": vehicle.name,
        "vehicle_class": vehicle.vehicle_class,
        "battery_kwh": text(vehicle.battery_wh),
        "max_power_kw": text(vehicle.max_power_w),
        "min_power_kw": text(vehicle.min_power_w),
        "licence_plate": vehicle.licence_plate,
        "vin": vehicle.vin,
        "active": "on" if vehicle.active else "",
        "charge_curve": ", ".join(f"{s:g} {p / 1000:g}" for s, p in vehicle.charge_curve),
    }


@get("/tokens")
async def tokens_page(ui: NamedDependency[Ui]) -> Response[str]:
    page = await ui.data.tokens(ui.who, search_text(ui), paging(ui))
    return ui.page("tokens.html", page=page)


@get("/tokens.csv")
async def tokens_export(ui: NamedDependency[Ui]) -> Stream:
    text = search_text(ui)
    header = ["kind", "value", "vehicle", "label", "blocked", "last_used_at"]
    return csv_stream(
        "tokens.csv", header, lambda part: ui.data.tokens(ui.who, text, part), _token_cells
    )


@get("/tokens/new")
async def new_token(ui: NamedDependency[Ui]) -> Response[str]:
    ui.require(Permission.FLEET_WRITE)
    values = {"vehicle_id": ui.request.query_params.get("vehicle", ""), "kind": "rfid"}
    return await _token_form(ui, None, values)


@get("/tokens/{token_id:uuid}")
async def token_page(ui: NamedDependency[Ui], token_id: FromPath[UUID]) -> Response[str]:
    token = await ui.data.token(ui.who, token_id)
    values = {
        "kind": token.kind,
        "value": token.value,
        "vehicle_id": str(token.vehicle_id or ""),
        "label": token.label,
        "blocked": "on" if token.blocked else "",
        "group_id": token.group_id,
        "concurrent": "on" if token.concurrent else "",
    }
    return await _token_form(ui, token, values)


@post("/tokens/new")
async def create_token(ui: NamedDependency[Ui]) -> Response[Any]:
    return await _save_token(ui, None)


@post("/tokens/{token_id:uuid}")
async def change_token(ui: NamedDependency[Ui], token_id: FromPath[UUID]) -> Response[Any]:
    return await _save_token(ui, await ui.data.token(ui.who, token_id))


async def _save_token(ui: Ui, token: TokenRow | None) -> Response[Any]:
    ui.require(Permission.FLEET_WRITE)
    form = await posted(ui)
    try:
        kind = form.one_of("kind", TokenKind) or TokenKind.RFID
        read = TokenDraft(
            kind=kind.value,
            value=form.text("value", required=True, longest=255),
            vehicle_id=form.id("vehicle_id"),
            label=form.text("label", longest=80),
            blocked=form.flag("blocked"),
            group_id=form.text("group_id", longest=36),
            concurrent=form.flag("concurrent"),
        )
        form.check()
        await ui.data.save_token(ui.who, None if token is None else token.id, read)
    except Invalid as error:
        return await _token_form(ui, token, form.values, error)
    return ui.go("/tokens", done="saved")


async def _token_form(
    ui: Ui, token: TokenRow | None, values: Mapping[str, str], error: Invalid | None = None
) -> Response[str]:
    vehicles = await ui.data.vehicles(ui.who, "", Paging(1, 2_000))
    return ui.page(
        "token.html",
        status=422 if error else 200,
        token=token,
        values=values,
        faults=error.fields if error else {},
        error=error.message if error else "",
        kinds=TOKEN_KINDS,
        vehicles=tuple(Choice(str(row.id), row.name) for row in vehicles.rows),
    )


def _vehicle_cells(row: VehicleRow) -> tuple[Cell, ...]:
    return (
        row.name,
        row.vehicle_class,
        row.battery_wh,
        row.max_power_w,
        row.min_power_w,
        row.licence_plate,
        row.vin,
        row.active,
        " ".join(row.tokens),
    )


def _token_cells(row: TokenRow) -> tuple[Cell, ...]:
    return (row.kind, row.value, row.vehicle, row.label, row.blocked, row.last_used_at)


ROUTES = [
    vehicles_page,
    vehicles_export,
    new_vehicle,
    create_vehicle,
    vehicle_page,
    change_vehicle,
    tokens_page,
    tokens_export,
    new_token,
    create_token,
    token_page,
    change_token,
]

"""Vehicles: the list, and one vehicle's form."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from voltyard.errors import Conflict, Invalid
from voltyard.fleets.commands import VehicleDraft
from voltyard.tenancy.model import Permission
from voltyard.web.console.common import paging, posted, search_text
from voltyard.web.console.telematics import standing_of
from voltyard.web.console.views import VehicleRow
from voltyard.web.export import Cell, csv_stream
from voltyard.web.forms import Fields
from voltyard.web.ui import Ui


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
    known = await standing_of(ui, vehicle_id)
    return ui.page("vehicle.html", vehicle=vehicle, values=values, faults={}, error="", **known)


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
    except (Invalid, Conflict) as error:
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


ROUTES = [
    vehicles_page,
    vehicles_export,
    new_vehicle,
    create_vehicle,
    vehicle_page,
    change_vehicle,
]

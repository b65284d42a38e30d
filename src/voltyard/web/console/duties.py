"""Duties: the list, the form, and imports with their dry run."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from voltyard.errors import Conflict, Invalid
from voltyard.tenancy.model import Permission
from voltyard.web.console.common import paging, posted, query, search_text
from voltyard.web.console.views import (
    Choice,
    DutyFilter,
    DutyForm,
    DutyRow,
    Outlook,
    Paging,
)
from voltyard.web.export import Cell, csv_stream
from voltyard.web.forms import Fields
from voltyard.web.ui import Ui

IMPORT_BYTES_MAX = 20_000_000
COLUMNS = (
    ("duty", "B-1042", False),
    ("vehicle", "BUS-017", False),
    ("vehicle_class", "solo-12m", False),
    ("arrival", "2026-01-14T19:40", True),
    ("departure", "2026-01-15T04:55", True),
    ("soc_arrival_pct", "38", False),
    ("target_soc_pct", "95", False),
    ("target_energy_kwh", "180", False),
    ("priority", "3", False),
    ("note", "", False),
)


@get("/duties")
async def duties_page(ui: NamedDependency[Ui]) -> Response[str]:
    page = await ui.data.duties(ui.who, _filter(ui), paging(ui))
    return ui.page("duties.html", page=page, outlooks=tuple(Outlook)[1:])


@get("/duties.csv")
async def duties_export(ui: NamedDependency[Ui]) -> Stream:
    wanted = _filter(ui)
    header = [
        "duty",
        "vehicle",
        "vehicle_class",
        "arrival",
        "departure",
        "soc_arrival_pct",
        "target_soc_pct",
        "target_energy_kwh",
        "priority",
        "state",
        "outlook",
        "ready_at",
        "shortfall_wh",
        "source",
        "note",
    ]
    return csv_stream(
        "duties.csv", header, lambda part: ui.data.duties(ui.who, wanted, part), _cells
    )


@get("/duties/new")
async def new_duty(ui: NamedDependency[Ui]) -> Response[str]:
    ui.require(Permission.DUTIES_WRITE)
    return await _form_page(ui, None, {"priority": "5", "target_soc_pct": "95"}, {})


@get("/duties/{duty_id:uuid}")
async def duty_page(ui: NamedDependency[Ui], duty_id: FromPath[UUID]) -> Response[str]:
    duty = await ui.data.duty(ui.who, duty_id)
    ui.at_site(duty.site_id)
    return await _form_page(ui, duty, _values(ui, duty), {})


@post("/duties/new")
async def create_duty(ui: NamedDependency[Ui]) -> Response[Any]:
    return await _save(ui, None)


@post("/duties/{duty_id:uuid}")
async def change_duty(ui: NamedDependency[Ui], duty_id: FromPath[UUID]) -> Response[Any]:
    duty = await ui.data.duty(ui.who, duty_id)
    ui.at_site(duty.site_id)
    return await _save(ui, duty)


@post("/duties/{duty_id:uuid}/delete")
async def delete_duty(ui: NamedDependency[Ui], duty_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.DUTIES_WRITE)
    await ui.data.delete_duty(ui.who, duty_id)
    return ui.go("/duties", done="deleted")


@get("/duties/import")
async def import_page(ui: NamedDependency[Ui]) -> Response[str]:
    ui.require(Permission.DUTIES_WRITE)
    return ui.page("import.html", columns=COLUMNS, error="")


@post("/duties/import", request_max_body_size=IMPORT_BYTES_MAX + 100_000)
async def start_import(ui: NamedDependency[Ui]) -> Response[Any]:
    """Take the file and begin its dry run."""
    ui.require(Permission.DUTIES_WRITE)
    form = await ui.request.form()
    upload = form.get("file")
    if not isinstance(upload, UploadFile) or not upload.filename or ui.site is None:
        error = ui.gettext("Choose a file first.")
        return ui.page("import.html", status=422, columns=COLUMNS, error=error)
    content = await upload.read()
    try:
        import_id = await ui.data.start_import(ui.who, ui.site.id, upload.filename, content)
    except Invalid as fault:
        error = ui.gettext(fault.message)
        return ui.page("import.html", status=422, columns=COLUMNS, error=error)
    return ui.go(f"/duties/import/{import_id}")


@get("/duties/import/{import_id:uuid}")
async def import_state(ui: NamedDependency[Ui], import_id: FromPath[UUID]) -> Response[str]:
    ui.require(Permission.DUTIES_WRITE)
    state = await ui.data.import_state(ui.who, import_id)
    return ui.page("import_state.html", state=state)


@post("/duties/import/{import_id:uuid}/confirm")
async def confirm_import(ui: NamedDependency[Ui], import_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.DUTIES_WRITE)
    await ui.data.confirm_import(ui.who, import_id)
    return ui.go(f"/duties/import/{import_id}")


async def _save(ui: Ui, duty: DutyRow | None) -> Response[Any]:
    ui.require(Permission.DUTIES_WRITE)
    form = await posted(ui)
    site_id = duty.site_id if duty else ui.site.id if ui.site else None
    try:
        if site_id is None:
            raise Invalid(ui.gettext("There is no site yet."))
        duty_id = None if duty is None else duty.id
        await ui.data.save_duty(ui.who, site_id, duty_id, _read(ui, form))
    except (Invalid, Conflict) as error:
        return await _form_page(ui, duty, form.values, error.fields, error.message)
    return ui.go("/duties", done="saved")


def _read(ui: Ui, form: Fields) -> DutyForm:
    arrives_at = form.moment("arrives_at", required=True)
    departs_at = form.moment("departs_at", required=True)
    if arrives_at and departs_at and departs_at <= arrives_at:
        form.fault("departs_at", ui.gettext("Departure must be after arrival."))
    read = DutyForm(
        arrives_at=arrives_at or ui.data.now(),
        departs_at=departs_at or ui.data.now(),
        external_id=form.text("external_id", longest=80),
        vehicle_id=form.id("vehicle_id"),
        vehicle_class=form.text("vehicle_class", longest=80) or None,
        soc_arrival_pct=form.number("soc_arrival_pct", low=0, high=100),
        target_soc_pct=form.number("target_soc_pct", low=0, high=100),
        target_energy_wh=form.number("target_energy_kwh", low=0, high=5_000, scale=1000),
        priority=form.whole("priority", low=1, high=9, default=5),
        note=form.text("note", longest=500),
    )
    if read.vehicle_id is None and read.vehicle_class is None:
        form.fault("vehicle_id", ui.gettext("Choose a vehicle or name a class."))
    if read.target_soc_pct is None and read.target_energy_wh is None:
        form.fault("target_soc_pct", ui.gettext("Say a target charge or an energy."))
    form.check()
    return read


async def _form_page(
    ui: Ui,
    duty: DutyRow | None,
    values: Mapping[str, str],
    faults: Any,
    error: str = "",
) -> Response[str]:
    vehicles = await ui.data.vehicles(ui.who, "", Paging(1, 2_000))
    choices = tuple(Choice(str(row.id), row.name) for row in vehicles.rows)
    return ui.page(
        "duty.html",
        status=422 if error else 200,
        duty=duty,
        values=values,
        faults=faults,
        error=error,
        vehicles=choices,
    )


def _values(ui: Ui, duty: DutyRow) -> dict[str, str]:
    def text(value: float | None, scale: float = 1.0) -> str:
        return "" if value is None else f"{value / scale:g}"

    return {
        "external_id": duty.external_id,
        "vehicle_id": str(duty.vehicle_id or ""),
        "vehicle_class": duty.vehicle_class or "",
        "arrives_at": ui.formats.field(duty.arrives_at),
        "departs_at": ui.formats.field(duty.departs_at),
        "soc_arrival_pct": text(duty.soc_arrival_pct),
        "target_soc_pct": text(duty.target_soc_pct),
        "target_energy_kwh": text(duty.target_energy_wh, 1000),
        "priority": str(duty.priority),
        "note": duty.note,
    }


def _filter(ui: Ui) -> DutyFilter:
    fields = query(ui)
    return DutyFilter(
        site_id=ui.site.id if ui.site else None,
        since=fields.moment("since"),
        until=fields.moment("until"),
        text=search_text(ui),
        outlook=fields.one_of("outlook", Outlook),
        operator_id=fields.id("operator"),
    )


def _cells(row: DutyRow) -> tuple[Cell, ...]:
    energy_wh = row.target_energy_wh
    return (
        row.external_id,
        row.vehicle,
        row.vehicle_class,
        row.arrives_at,
        row.departs_at,
        row.soc_arrival_pct,
        row.target_soc_pct,
        None if energy_wh is None else energy_wh / 1000,
        row.priority,
        row.state,
        row.outlook.value,
        row.ready_at,
        row.shortfall_wh,
        row.source,
        row.note,
    )


ROUTES = [
    duties_page,
    duties_export,
    new_duty,
    create_duty,
    import_page,
    start_import,
    import_state,
    confirm_import,
    duty_page,
    change_duty,
    delete_duty,
]

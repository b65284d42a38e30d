"""Many chargers at once: commands in bulk, makes, configuration templates."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from voltyard.bulk.model import BulkState
from voltyard.bulk.service import titled
from voltyard.chargers import commands as c
from voltyard.chargers.model import LimitHolder, Quirks, Station, StationFilter, StationState
from voltyard.configuration.model import Pattern, Template, Wanted
from voltyard.errors import Invalid, VoltyardError
from voltyard.tenancy.model import Permission
from voltyard.web.console import technician_words as words
from voltyard.web.console.common import posted
from voltyard.web.console.technician import read_payload, rooms_of
from voltyard.web.forms import Fields
from voltyard.web.i18n import N_
from voltyard.web.ui import Ui

SHOWN = 50
RESULTS_SHOWN = 500
KEYS_LONGEST = 20_000
OCPP = "ocpp"
COMMANDS: Mapping[str, tuple[str, Callable[[], c.Command]]] = {
    "read_configuration": (N_("Read configuration"), lambda: c.ReadConfiguration()),
    "trigger_boot": (N_("Ask for a boot notification"), lambda: c.Trigger("boot")),
    "trigger_status": (N_("Ask for the status"), lambda: c.Trigger("status")),
    "reset_soft": (N_("Restart when idle"), lambda: c.Reset()),
    "reset_hard": (N_("Restart at once"), lambda: c.Reset(hard=True)),
    "out_of_service": (N_("Out of service"), lambda: c.SetAvailability(0, operative=False)),
    "in_service": (N_("Back in service"), lambda: c.SetAvailability(0, operative=True)),
}


@get("/bulk")
async def bulk_page(ui: NamedDependency[Ui]) -> Response[str]:
    return await _bulk(ui, {}, {}, "")


async def _bulk(
    ui: Ui, values: Mapping[str, str], faults: Mapping[str, str], error: str, status: int = 200
) -> Response[str]:
    runs = await rooms_of(ui).bulk.newest(ui.who.org_id, limit=SHOWN)
    return ui.page(
        "bulk.html",
        status=status,
        runs=runs,
        commands=[(name, title) for name, (title, _) in COMMANDS.items()],
        technician=words,
        values=values,
        faults=faults,
        error=error,
    )


@post("/bulk")
async def start_bulk(ui: NamedDependency[Ui]) -> Response[Any]:
    ui.require(Permission.CHARGERS_COMMAND)
    form, bulk = await posted(ui), rooms_of(ui).bulk
    wanted = StationFilter(
        form.id("site"), StationState.APPROVED, form.flag("connected") or None, form.text("text")
    )
    try:
        form.check()
        chosen = bulk.chosen(ui.who, (), wanted)
        make = _command(ui, form, chosen)
        view = await bulk.start(ui.who, chosen, titled(make(chosen[0])), make)
    except VoltyardError as error:
        return await _bulk(ui, form.values, dict(error.fields), error.message, 422)
    return ui.go(f"/bulk/{view.bulk.id}")


def _command(ui: Ui, form: Fields, chosen: list[Station]) -> Callable[[Station], c.Command]:
    name = form.text("command")
    if name in COMMANDS:
        build = COMMANDS[name][1]
        return lambda station: build()
    if name != OCPP:
        raise Invalid("Choose one of the list.", fields={"command": "Choose one of the list."})
    action = form.text("action", longest=60)
    payload = read_payload(form.values.get("payload", ""))
    rooms_of(ui).chargers.check_asking(ui.who, chosen[0].id, action, payload)
    return lambda station: c.Ask(action, payload)


@get("/bulk/{bulk_id:uuid}")
async def bulk_run(ui: NamedDependency[Ui], bulk_id: FromPath[UUID]) -> Response[str]:
    """The block ``bulk_results`` is asked for again while the run is under way."""
    rooms = rooms_of(ui)
    view = await rooms.bulk.one(ui.who.org_id, bulk_id)
    results = await rooms.bulk.results(ui.who.org_id, bulk_id, limit=RESULTS_SHOWN)
    stations = {result.station_id: rooms.chargers.station(result.station_id) for result in results}
    return ui.page(
        "bulk_run.html",
        view=view,
        results=results,
        stations=stations,
        running=view.bulk.state is BulkState.RUNNING,
        technician=words,
    )


@post("/bulk/{bulk_id:uuid}/cancel")
async def cancel_bulk(ui: NamedDependency[Ui], bulk_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.CHARGERS_COMMAND)
    await rooms_of(ui).bulk.cancel(ui.who, bulk_id)
    return ui.go(f"/bulk/{bulk_id}")


@get("/makes")
async def makes_page(ui: NamedDependency[Ui]) -> Response[str]:
    return await _makes(ui, {}, {}, "")


async def _makes(
    ui: Ui, values: Mapping[str, str], faults: Mapping[str, str], error: str, status: int = 200
) -> Response[str]:
    rooms = rooms_of(ui).configuration
    return ui.page(
        "makes.html",
        status=status,
        makes=rooms.makes(ui.who.org_id),
        templates=rooms.templates(ui.who.org_id),
        drift=await rooms.drift(ui.who.org_id, limit=SHOWN),
        stations=rooms_of(ui).chargers,
        technician=words,
        values=values,
        faults=faults,
        error=error,
    )


@post("/makes")
async def save_make(ui: NamedDependency[Ui]) -> Response[Any]:
    ui.require(Permission.CHARGERS_WRITE)
    form = await posted(ui)
    try:
        pattern, quirks = _pattern(form), _quirks(form)
        form.check()
        await rooms_of(ui).configuration.save_make(
            ui.who, None, pattern, quirks, form.text("note", longest=500)
        )
    except VoltyardError as error:
        return await _makes(ui, form.values, dict(error.fields), error.message, 422)
    return ui.go("/makes", done="saved")


def _pattern(form: Fields) -> Pattern:
    return Pattern(form.text("vendor", required=True, longest=100), form.text("model") or "*")


def _quirks(form: Fields) -> Quirks:
    unit = form.text("unit")
    level_max = form.number("stack_level_max", low=0, high=100)
    periods = form.number("periods_max", low=1, high=10_000)
    return Quirks(
        unit=unit if unit in ("W", "A") else None,
        phases=form.whole("phases", low=1, high=3, default=3),
        send_phases=form.flag("send_phases"),
        stack_level=form.whole("stack_level", low=0, high=100, default=1),
        stack_level_max=None if level_max is None else int(level_max),
        min_current_a=form.number("min_current_a", low=0, high=100) or 6.0,
        tx_profile=not form.flag("no_tx_profile"),
        integer_amps=not form.flag("tenths"),
        holder=form.one_of("holder", LimitHolder) or LimitHolder.TRANSACTIONS,
        periods_max=None if periods is None else int(periods),
    )


@post("/makes/{make_id:uuid}/delete")
async def delete_make(ui: NamedDependency[Ui], make_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.CHARGERS_WRITE)
    await rooms_of(ui).configuration.delete_make(ui.who, make_id)
    return ui.go("/makes", done="deleted")


@post("/templates")
async def save_template(ui: NamedDependency[Ui]) -> Response[Any]:
    """One key a line: ``Key = value``."""
    ui.require(Permission.CHARGERS_WRITE)
    form = await posted(ui)
    try:
        draft = Template(
            ui.who.org_id,
            ui.who.org_id,
            form.text("name", required=True, longest=100),
            _pattern(form),
            _wanted(form),
            form.text("version"),
            repairs=form.flag("repairs"),
        )
        form.check()
        await rooms_of(ui).configuration.save_template(ui.who, None, draft)
    except VoltyardError as error:
        return await _makes(ui, form.values, dict(error.fields), error.message, 422)
    return ui.go("/makes", done="saved")


def _wanted(form: Fields) -> tuple[Wanted, ...]:
    found = []
    for line in form.values.get("wanted", "")[:KEYS_LONGEST].splitlines():
        key, equals, value = line.partition("=")
        if equals:
            found.append(Wanted(key.strip(), value.strip()))
        elif line.strip():
            form.fault("wanted", "One key a line: Key = value")
    return tuple(found)


@post("/templates/{template_id:uuid}/delete")
async def delete_template(ui: NamedDependency[Ui], template_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.CHARGERS_WRITE)
    await rooms_of(ui).configuration.delete_template(ui.who, template_id)
    return ui.go("/makes", done="deleted")


ROUTES = [
    bulk_page,
    start_bulk,
    bulk_run,
    cancel_bulk,
    makes_page,
    save_make,
    delete_make,
    save_template,
    delete_template,
]

"""Preconditioning: what runs before departures, the rules, and asking for one departure."""

from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from voltyard.errors import Conflict, Invalid, NotFound, VoltyardError
from voltyard.preconditioning.commands import Request, RuleDraft
from voltyard.preconditioning.model import OPEN, Kind, Rule, Run, RunState
from voltyard.preconditioning.service import PreconditioningService
from voltyard.tenancy.model import Permission
from voltyard.web.console import preconditioning_words as words
from voltyard.web.console.common import paging, posted, query
from voltyard.web.console.views import Choice, Page, Paging
from voltyard.web.console.views.preconditioning import RuleRow, RunRow
from voltyard.web.export import Cell, csv_stream
from voltyard.web.forms import Fields
from voltyard.web.ui import Ui

VEHICLES_MAX = 2_000
SHOWN_ON_BOARD = 6
BEFORE, AT = "before", "at"


def room_of(ui: Ui) -> PreconditioningService:
    """Raises NotFound where this room is not behind the console."""
    if ui.deps.preconditioning is None:
        raise NotFound("There is nothing at this address.")
    return ui.deps.preconditioning


def remote_of(ui: Ui) -> str:
    return ui.request.client.host if ui.request.client else ""


@get("/preconditioning")
async def runs_page(ui: NamedDependency[Ui]) -> Response[str]:
    page = await _found(ui, paging(ui))
    moving = any(row.state in OPEN for row in page.rows)
    return ui.page(
        "preconditioning.html",
        page=page,
        said=words,
        states=tuple(RunState),
        every_s=15 if moving else 60,
    )


@get("/preconditioning.csv")
async def runs_export(ui: NamedDependency[Ui]) -> Stream:
    header = [
        "vehicle",
        "kind",
        "from",
        "until",
        "power_w",
        "state",
        "energy_wh",
        "short_s",
        "source",
        "reported_by_vehicle",
        "reason",
    ]
    return csv_stream("preconditioning.csv", header, lambda part: _found(ui, part), _cells)


async def _found(ui: Ui, part: Paging) -> Page[RunRow]:
    fields = query(ui)
    state = fields.one_of("state", RunState)
    found, total = await room_of(ui).runs(
        ui.who,
        site_id=ui.site.id if ui.site else None,
        vehicle_id=fields.id("vehicle"),
        states=() if state is None else (state,),
        limit=part.size,
        offset=part.offset,
    )
    return Page(await rows_of(ui, found), total, part)


async def rows_of(ui: Ui, runs: Sequence[Run]) -> tuple[RunRow, ...]:
    names = await _names(ui) if runs else {}
    return tuple(_row(run, names) for run in runs)


async def _names(ui: Ui) -> Mapping[UUID, str]:
    found = await ui.data.vehicles(ui.who, "", Paging(1, VEHICLES_MAX))
    return {row.id: row.name for row in found.rows}


def _row(run: Run, names: Mapping[UUID, str]) -> RunRow:
    return RunRow(
        id=run.id,
        vehicle=names.get(run.vehicle_id, "") if run.vehicle_id else "",
        vehicle_id=run.vehicle_id,
        duty_id=run.duty_id,
        kind=run.kind,
        source=run.source,
        start_at=run.start_at,
        end_at=run.end_at,
        power_w=run.power_w,
        state=run.state,
        energy_wh=run.energy_wh,
        short_s=run.short_s,
        word=run.word,
        reported=run.reported,
    )


def _cells(row: RunRow) -> tuple[Cell, ...]:
    return (
        row.vehicle,
        row.kind.value,
        row.start_at,
        row.end_at,
        row.power_w,
        row.state.value,
        round(row.energy_wh),
        round(row.short_s),
        row.source.value,
        row.reported,
        row.word,
    )


async def shown_on_board(ui: Ui, site_id: UUID) -> dict[str, Any]:
    """What runs now and what is next, for the board's lists."""
    if ui.deps.preconditioning is None:
        return {"preconditioning": None}
    found = [run for run in room_of(ui).of_site(ui.who, site_id) if run.state in OPEN]
    found = [run for run in found if run.end_at > ui.data.now()]
    rows = await rows_of(ui, found[:SHOWN_ON_BOARD])
    return {"preconditioning": rows, "preconditioning_total": len(found), "said": words}


async def shown_at_duty(ui: Ui, duty_id: UUID) -> dict[str, Any]:
    """What runs before one departure, and the form to ask for it."""
    if ui.deps.preconditioning is None:
        return {"preconditioning": None}
    rows = await rows_of(ui, room_of(ui).of_duty(ui.who, duty_id))
    return {"preconditioning": rows, "said": words, "kinds": tuple(Kind)}


# One departure


@post("/duties/{duty_id:uuid}/preconditioning")
async def ask(ui: NamedDependency[Ui], duty_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.DUTIES_WRITE)
    duty = await ui.data.duty(ui.who, duty_id)
    ui.at_site(duty.site_id)
    form = await posted(ui)
    try:
        kind = form.one_of("kind", Kind) or Kind.HEATING
        start_at = form.moment("start_at")
        power_w = form.number("power_kw", low=0.1, high=200, scale=1000)
        form.check()
        asked = Request(kind, duty_id=duty_id, start_at=start_at, power_w=power_w)
        await room_of(ui).ask(ui.who, asked, remote=remote_of(ui))
    except VoltyardError as error:
        return ui.page(
            "duty_preconditioning.html",
            status=422,
            duty=duty,
            values=form.values,
            faults={**error.fields},
            error=error.message,
            **await shown_at_duty(ui, duty_id),
        )
    await room_of(ui).tick()
    return ui.go(f"/duties/{duty_id}/preconditioning", done="saved")


@get("/duties/{duty_id:uuid}/preconditioning")
async def duty_page(ui: NamedDependency[Ui], duty_id: FromPath[UUID]) -> Response[str]:
    duty = await ui.data.duty(ui.who, duty_id)
    ui.at_site(duty.site_id)
    return ui.page(
        "duty_preconditioning.html",
        duty=duty,
        values={"kind": Kind.HEATING.value},
        faults={},
        error="",
        **await shown_at_duty(ui, duty_id),
    )


@post("/duties/{duty_id:uuid}/preconditioning/withdraw")
async def take_back(ui: NamedDependency[Ui], duty_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.DUTIES_WRITE)
    await posted(ui)
    await room_of(ui).take_back(ui.who, duty_id, remote=remote_of(ui))
    await room_of(ui).tick()
    return ui.go(f"/duties/{duty_id}/preconditioning", done="saved")


# Rules


@get("/preconditioning/rules")
async def rules_page(ui: NamedDependency[Ui]) -> Response[str]:
    names = await _names(ui)
    sites = {site.id: site.name for site in ui.sites}
    found = await room_of(ui).rules(ui.who)
    rows = tuple(_rule_row(ui, rule, names, sites) for rule in found)
    return ui.page("preconditioning_rules.html", rules=rows, said=words)


def _rule_row(ui: Ui, rule: Rule, names: Mapping[UUID, str], sites: Mapping[UUID, str]) -> RuleRow:
    return RuleRow(
        id=rule.id,
        name=rule.name,
        kind=rule.kind,
        power_w=rule.power_w,
        whom=_whom(ui, rule, names, sites),
        when=_when(ui, rule),
        days=", ".join(ui.gettext(words.DAYS[day]) for day in rule.weekdays),
        enabled=rule.enabled,
    )


def _whom(ui: Ui, rule: Rule, names: Mapping[UUID, str], sites: Mapping[UUID, str]) -> str:
    if rule.vehicle_id is not None:
        return names.get(rule.vehicle_id, "–")
    if rule.vehicle_class:
        return ui.gettext("Class %(name)s") % {"name": rule.vehicle_class}
    if rule.duty_key:
        return ui.gettext("Duties %(name)s") % {"name": rule.duty_key}
    place = sites.get(rule.site_id, "") if rule.site_id else ""
    return place or ui.gettext("All vehicles")


def _when(ui: Ui, rule: Rule) -> str:
    def moment(before_s: int | None, at: time | None) -> str:
        if at is not None:
            return f"{at:%H:%M}"
        if not before_s:
            return ui.gettext("departure")
        return ui.gettext("%(minutes)s min before") % {"minutes": before_s // 60}

    start = moment(rule.start_before_s, rule.start_time)
    return f"{start} – {moment(rule.end_before_s, rule.end_time)}"


@get("/preconditioning/rules/new")
async def new_rule(ui: NamedDependency[Ui]) -> Response[str]:
    ui.require(Permission.DUTIES_WRITE)
    values = {
        "kind": Kind.HEATING.value,
        "start": BEFORE,
        "start_min": "30",
        "end": BEFORE,
        "end_min": "0",
        "enabled": "on",
    }
    return await _rule_form(ui, None, values, {}, "")


@get("/preconditioning/rules/{rule_id:uuid}")
async def rule_page(ui: NamedDependency[Ui], rule_id: FromPath[UUID]) -> Response[str]:
    rule = await room_of(ui).rule(ui.who, rule_id)
    return await _rule_form(ui, rule, _rule_values(rule), {}, "")


@post("/preconditioning/rules/new")
async def add_rule(ui: NamedDependency[Ui]) -> Response[Any]:
    return await _save(ui, None)


@post("/preconditioning/rules/{rule_id:uuid}")
async def change_rule(ui: NamedDependency[Ui], rule_id: FromPath[UUID]) -> Response[Any]:
    return await _save(ui, await room_of(ui).rule(ui.who, rule_id))


@post("/preconditioning/rules/{rule_id:uuid}/delete")
async def delete_rule(ui: NamedDependency[Ui], rule_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.DUTIES_WRITE)
    await posted(ui)
    await room_of(ui).delete_rule(ui.who, rule_id, remote=remote_of(ui))
    return ui.go("/preconditioning/rules", done="deleted")


async def _save(ui: Ui, rule: Rule | None) -> Response[Any]:
    ui.require(Permission.DUTIES_WRITE)
    form = await posted(ui)
    try:
        draft = _read(ui, form)
        rule_id = None if rule is None else rule.id
        await room_of(ui).save_rule(ui.who, draft, rule_id, remote=remote_of(ui))
    except (Invalid, Conflict) as error:
        faults = {_FIELDS.get(name, name): why for name, why in error.fields.items()}
        return await _rule_form(ui, rule, form.values, faults, error.message)
    return ui.go("/preconditioning/rules", done="saved")


_FIELDS: Mapping[str, str] = {
    "power_w": "power_kw",
    "start_before_s": "start_min",
    "end_before_s": "end_min",
}


def _read(ui: Ui, form: Fields) -> RuleDraft:
    power_w = form.number("power_kw", low=0.1, high=200, required=True, scale=1000)
    times = {name: _time(ui, form, name) for name in ("start", "end")}
    minutes = {
        name: form.whole(f"{name}_min", low=0, high=360, default=30 if name == "start" else 0)
        for name in ("start", "end")
        if times[name] is None
    }
    days = {name: _day(ui, form, name) for name in ("from_day", "until_day")}
    draft = RuleDraft(
        name=form.text("name", required=True),
        kind=form.one_of("kind", Kind) or Kind.HEATING,
        power_w=power_w or 0.0,
        site_id=form.id("site_id"),
        vehicle_id=form.id("vehicle_id"),
        vehicle_class=form.text("vehicle_class"),
        duty_key=form.text("duty_key"),
        start_before_s=minutes["start"] * 60 if "start" in minutes else None,
        start_time=times["start"],
        end_before_s=minutes["end"] * 60 if "end" in minutes else None,
        end_time=times["end"],
        weekdays=tuple(day for day in range(7) if form.flag(f"day{day}")),
        from_day=days["from_day"],
        until_day=days["until_day"],
        enabled=form.flag("enabled"),
    )
    form.check()
    return draft


def _time(ui: Ui, form: Fields, name: str) -> time | None:
    """Of the site's clock, where that was chosen."""
    if form.text(name) != AT:
        return None
    try:
        return time.fromisoformat(form.text(f"{name}_time", required=True))
    except ValueError:
        form.fault(f"{name}_time", ui.gettext("This is not a time of day."))
        return time()


def _day(ui: Ui, form: Fields, name: str) -> date | None:
    text = form.text(name)
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        form.fault(name, ui.gettext("This is not a day."))
        return None


def _rule_values(rule: Rule) -> dict[str, str]:
    def minutes(before_s: int | None) -> str:
        return "" if before_s is None else str(before_s // 60)

    def clock(at: time | None) -> str:
        return "" if at is None else f"{at:%H:%M}"

    values = {
        "name": rule.name,
        "kind": rule.kind.value,
        "power_kw": f"{rule.power_w / 1000:g}",
        "site_id": str(rule.site_id or ""),
        "vehicle_id": str(rule.vehicle_id or ""),
        "vehicle_class": rule.vehicle_class,
        "duty_key": rule.duty_key,
        "start": BEFORE if rule.start_time is None else AT,
        "start_min": minutes(rule.start_before_s),
        "start_time": clock(rule.start_time),
        "end": BEFORE if rule.end_time is None else AT,
        "end_min": minutes(rule.end_before_s),
        "end_time": clock(rule.end_time),
        "from_day": rule.from_day.isoformat() if rule.from_day else "",
        "until_day": rule.until_day.isoformat() if rule.until_day else "",
        "enabled": "on" if rule.enabled else "",
    }
    return values | {f"day{day}": "on" for day in rule.weekdays}


async def _rule_form(
    ui: Ui,
    rule: Rule | None,
    values: Mapping[str, str],
    faults: Mapping[str, str],
    error: str,
) -> Response[str]:
    names = await _names(ui)
    ordered = sorted(names.items(), key=lambda one: one[1])
    return ui.page(
        "preconditioning_rule.html",
        status=422 if error else 200,
        rule=rule,
        values=values,
        faults=faults,
        error=error,
        said=words,
        kinds=tuple(Kind),
        vehicles=[Choice(str(vehicle_id), name) for vehicle_id, name in ordered],
    )


ROUTES = [
    runs_page,
    runs_export,
    ask,
    duty_page,
    take_back,
    rules_page,
    new_rule,
    add_rule,
    rule_page,
    change_rule,
    delete_rule,
]

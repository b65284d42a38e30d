"""Tariffs: the list and whom they are for, one tariff, how costs are told, a session's cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from voltyard.billing.commands import BillingSettings, NewAssignment
from voltyard.billing.model import Kind, Line, SessionCost, Target, Tariff
from voltyard.billing.payment import PaymentState
from voltyard.billing.service import BillingService
from voltyard.billing.wording import condition, money, number, text_of
from voltyard.chargers.model import StationFilter
from voltyard.errors import Conflict, Invalid, NotFound, VoltyardError
from voltyard.tenancy.model import Permission
from voltyard.web.console import tariff_form
from voltyard.web.console.common import posted
from voltyard.web.console.tokens import remote_of
from voltyard.web.console.views import Choice, Page, Paging, SessionRow
from voltyard.web.export import Cell
from voltyard.web.forms import Fields
from voltyard.web.i18n import N_
from voltyard.web.ui import Ui

CHOICES_MAX = 1_000
TARGET_WORDS: Mapping[Target, str] = {
    Target.TOKEN: N_("Token"),
    Target.GROUP: N_("Group of tokens"),
    Target.EVSE: N_("Outlet"),
    Target.STATION: N_("Charger"),
    Target.SITE: N_("Site"),
    Target.ORGANISATION: N_("Everybody"),
}
LINE_WORDS: Mapping[str, str] = {
    Kind.FIXED: N_("Per session"),
    Kind.ENERGY: N_("Energy"),
    Kind.CHARGING_TIME: N_("Time charging"),
    Kind.IDLE_TIME: N_("Time not charging"),
    "minimum": N_("Up to the least"),
    "maximum": N_("Down to the most"),
}
UNITS: Mapping[str, str] = {
    Kind.ENERGY: "kWh",
    Kind.CHARGING_TIME: "min",
    Kind.IDLE_TIME: "min",
}
PAYMENT_WORDS: Mapping[PaymentState, str] = {
    PaymentState.ASKED: N_("Being paid"),
    PaymentState.AUTHORISED: N_("Authorised"),
    PaymentState.CHARGING: N_("While it charges"),
    PaymentState.DUE: N_("To be settled"),
    PaymentState.SETTLED: N_("Settled"),
    PaymentState.CANCELED: N_("Canceled, nothing taken"),
    PaymentState.REJECTED: N_("Refused by the provider"),
    PaymentState.FAILED: N_("Failed"),
}
REASON_WORDS: Mapping[str, str] = {
    "start": N_("It has begun"),
    "end": N_("At its end"),
    "running": N_("While it runs"),
    "late_values": N_("Values came late"),
    "tariff_changed": N_("The tariff was changed"),
    "reopened": N_("It went on after its end"),
}


@dataclass(frozen=True, slots=True)
class Priced:
    """A session with what it costs, for the export."""

    row: SessionRow
    cells: tuple[Cell, ...]


def billing_of(ui: Ui) -> BillingService:
    if ui.deps.billing is None:
        raise NotFound("Nothing is priced here.")
    return ui.deps.billing


@get("/tariffs")
async def tariffs_page(ui: NamedDependency[Ui]) -> Response[str]:
    return await _list(ui, {}, {}, "")


async def _list(
    ui: Ui, values: Mapping[str, str], faults: Mapping[str, str], error: str
) -> Response[str]:
    billing = billing_of(ui)
    tariffs = billing.tariffs(ui.who)
    names = {tariff.id: tariff.name for tariff in billing.tariffs(ui.who, retired=True)}
    stations = await _stations(ui)
    places = {choice.value: choice.label for choice in (*_sites(ui), *stations)}
    return ui.page(
        "tariffs.html",
        status=422 if error or faults else 200,
        tariffs=[(tariff, text_of(tariff, ui.locale)) for tariff in tariffs],
        assignments=[
            (row, names.get(row.tariff_id, "–"), places.get(row.ref, row.ref))
            for row in billing.assignments(ui.who)
        ],
        target_words=TARGET_WORDS,
        choices=tuple(Choice(str(tariff.id), tariff.name) for tariff in tariffs),
        site_choices=_sites(ui),
        station_choices=stations,
        values=values,
        faults=faults,
        error=error,
    )


def _sites(ui: Ui) -> tuple[Choice, ...]:
    return tuple(Choice(str(site.id), site.name) for site in ui.sites)


async def _stations(ui: Ui) -> tuple[Choice, ...]:
    page = await ui.data.stations(ui.who, StationFilter(), Paging(1, CHOICES_MAX))
    return tuple(Choice(str(row.id), row.name or row.identity) for row in page.rows)


@post("/tariffs/assign")
async def assign(ui: NamedDependency[Ui]) -> Response[Any]:
    ui.require(Permission.TARIFFS_WRITE)
    form = await posted(ui)
    target = form.one_of("target", Target) or Target.ORGANISATION
    tariff_id = form.id("tariff_id")
    named = {Target.SITE: "site", Target.STATION: "station"}.get(target, "ref")
    try:
        form.check()
        if tariff_id is None:
            raise Invalid("Which tariff?", fields={"tariff_id": N_("Choose one of the list.")})
        new = NewAssignment(tariff_id, target, form.text(named, longest=255))
        await billing_of(ui).assign(ui.who, new, remote=remote_of(ui))
    except (Invalid, Conflict, NotFound) as error:
        return await _list(ui, form.values, error.fields, error.message)
    return ui.go("/tariffs", done="saved")


@post("/tariffs/assignments/{assignment_id:uuid}/delete")
async def unassign(ui: NamedDependency[Ui], assignment_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.TARIFFS_WRITE)
    await billing_of(ui).unassign(ui.who, assignment_id, remote=remote_of(ui))
    return ui.go("/tariffs", done="deleted")


@get("/tariffs/new")
async def new_tariff(ui: NamedDependency[Ui]) -> Response[str]:
    ui.require(Permission.TARIFFS_WRITE)
    values = {"currency": "EUR", "tax_mode": "gross", "tax_pct": "19", "free": "on"}
    return await _form(ui, None, values)


@post("/tariffs/new")
async def create(ui: NamedDependency[Ui]) -> Response[Any]:
    return await _save(ui, None)


@get("/tariffs/{tariff_id:uuid}")
async def tariff_page(ui: NamedDependency[Ui], tariff_id: FromPath[UUID]) -> Response[str]:
    tariff = billing_of(ui).tariff(ui.who, tariff_id)
    return await _form(ui, tariff, tariff_form.values_of(tariff.name, tariff.terms))


@post("/tariffs/{tariff_id:uuid}")
async def change(ui: NamedDependency[Ui], tariff_id: FromPath[UUID]) -> Response[Any]:
    return await _save(ui, billing_of(ui).tariff(ui.who, tariff_id))


@post("/tariffs/{tariff_id:uuid}/retire")
async def retire(ui: NamedDependency[Ui], tariff_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.TARIFFS_WRITE)
    try:
        await billing_of(ui).retire(ui.who, tariff_id, remote=remote_of(ui))
    except Conflict as error:
        return await _list(ui, {}, {}, error.message)
    return ui.go("/tariffs", done="saved")


async def _save(ui: Ui, tariff: Tariff | None) -> Response[Any]:
    ui.require(Permission.TARIFFS_WRITE)
    form = await posted(ui)
    name, terms = form.text("name", required=True, longest=100), tariff_form.read(form)
    try:
        form.check()
        if tariff is None:
            await billing_of(ui).create(ui.who, name, terms, remote=remote_of(ui))
        else:
            await billing_of(ui).update(ui.who, tariff.id, name, terms, remote=remote_of(ui))
    except (Invalid, Conflict) as error:
        return await _form(ui, tariff, form.values, error)
    return ui.go("/tariffs", done="saved")


async def _form(
    ui: Ui,
    tariff: Tariff | None,
    values: Mapping[str, str] | None,
    error: VoltyardError | None = None,
) -> Response[str]:
    versions = [] if tariff is None else await billing_of(ui).versions(ui.who, tariff.id)
    return ui.page(
        "tariff.html",
        status=422 if error else 200,
        tariff=tariff,
        shown=None if tariff is None else text_of(tariff, ui.locale),
        values=values,
        rows=[
            (kind, tariff_form.KIND_WORDS[kind], range(count))
            for kind, count in tariff_form.ROWS.items()
        ],
        day_words=tariff_form.DAY_WORDS,
        versions=versions,
        faults={} if error is None else error.fields,
        error="" if error is None else error.message,
    )


@get("/tariffs/settings")
async def settings_page(ui: NamedDependency[Ui]) -> Response[str]:
    found = billing_of(ui).settings(ui.who)
    values = {name: _shown(getattr(found, name)) for name in BillingSettings.__slots__}
    return _settings(ui, values, None)


@post("/tariffs/settings")
async def change_settings(ui: NamedDependency[Ui]) -> Response[Any]:
    ui.require(Permission.TARIFFS_WRITE)
    form = await posted(ui)
    new = _read_settings(form)
    try:
        form.check()
        await billing_of(ui).change_settings(ui.who, new, remote=remote_of(ui))
    except Invalid as error:
        return _settings(ui, form.values, error)
    return ui.go("/tariffs", done="saved")


def _read_settings(form: Fields) -> BillingSettings:
    return BillingSettings(
        running_cost_s=form.whole("running_cost_s", low=0, high=3600, default=0),
        language=form.text("language") or "en",
        show_tariff=form.flag("show_tariff"),
        direct_payment=form.flag("direct_payment"),
        fallback_tariff=form.text("fallback_tariff", longest=512),
        fallback_cost=form.text("fallback_cost", longest=512),
        receipt_url=form.text("receipt_url"),
        pay_url=form.text("pay_url"),
    )


def _settings(ui: Ui, values: Mapping[str, str], error: Invalid | None) -> Response[str]:
    return ui.page(
        "tariff_settings.html",
        status=422 if error else 200,
        values=values,
        faults={} if error is None else error.fields,
        error="" if error is None else error.message,
    )


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else ""
    return str(value)


# Costs of sessions


@get("/sessions/{session_id:uuid}/cost")
async def session_cost(ui: NamedDependency[Ui], session_id: FromPath[UUID]) -> Response[str]:
    """The block of the session's page, and a page of its own."""
    session = await ui.data.session(ui.who, session_id)
    billing = billing_of(ui)
    cost = await billing.cost(ui.who, session_id)
    payments, _ = await billing.payments.payments(ui.who, session_id=session_id, limit=1)
    return ui.page(
        "session_cost.html",
        row=session.row,
        cost=cost,
        lines=[] if cost is None else [_line(ui, cost, line) for line in cost.cost.lines],
        payment=payments[0] if payments else None,
        sums=lambda amount: "" if cost is None else money(amount, cost.cost.currency, ui.locale),
        reasons=REASON_WORDS,
        payment_words=PAYMENT_WORDS,
    )


def _line(ui: Ui, cost: SessionCost, line: Line) -> tuple[str, str, str, str, str]:
    """What, when, how much of it, its price, what that comes to."""
    unit = UNITS.get(line.what, "")
    quantity = f"{number(round(line.quantity, 3), ui.locale)} {unit}" if unit else ""
    price = money(line.price, cost.cost.currency, ui.locale) if unit else ""
    when = " ".join(condition(line.when, ui.locale))
    amount = money(round(line.amount, 2), cost.cost.currency, ui.locale)
    return ui.gettext(LINE_WORDS.get(line.what, line.what)), when, quantity, price, amount


async def costs_of(ui: Ui, page: Page[SessionRow]) -> Mapping[UUID, str] | None:
    """What sessions of a page cost, as text; None where nothing is priced."""
    billing = ui.deps.billing
    if billing is None or not billing.tariffs(ui.who, retired=True):
        return None
    found = await billing.totals(ui.who, [row.id for row in page.rows])
    return {key: money(gross, currency, ui.locale) for key, (gross, currency, _) in found.items()}


async def priced(ui: Ui, page: Page[SessionRow]) -> Page[Priced]:
    """A page of the export, each row with its cost, currency and whether that is final."""
    found: Mapping[UUID, tuple[Decimal, str, str]] = {}
    if ui.deps.billing is not None:
        found = await ui.deps.billing.totals(ui.who, [row.id for row in page.rows])
    rows = tuple(Priced(row, _cells(found.get(row.id))) for row in page.rows)
    return Page(rows, page.total, page.paging)


def _cells(found: tuple[Decimal, str, str] | None) -> tuple[Cell, ...]:
    if found is None:
        return (None, None, None)
    gross, currency, state = found
    return (str(gross), currency, state)


ROUTES = [
    tariffs_page,
    assign,
    unassign,
    new_tariff,
    create,
    settings_page,
    change_settings,
    tariff_page,
    change,
    retire,
    session_cost,
]

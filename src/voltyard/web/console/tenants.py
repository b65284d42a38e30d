"""Fleet operators of a depot operator, work in them, and who may charge where and when."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from voltyard.access.commands import RuleDraft
from voltyard.access.model import AccessRule, Whom
from voltyard.access.service import AccessService
from voltyard.errors import Conflict, Invalid, NotFound, VoltyardError
from voltyard.sites.model import Area
from voltyard.tenancy.model import AdmittedSite, Permission, Role
from voltyard.tenancy.operators import Operator, OperatorService
from voltyard.tenancy.service import NewUser
from voltyard.web.auth import SESSION_COOKIE
from voltyard.web.console import tenants_words as said
from voltyard.web.console.common import posted
from voltyard.web.console.tokens import access_of, remote_of
from voltyard.web.forms import Fields
from voltyard.web.ui import Ui


def operators_of(ui: Ui) -> OperatorService:
    """Raises NotFound where this room is not behind the console, and in a fleet operator."""
    if ui.deps.operators is None or ui.who.parent_id is not None:
        raise NotFound("There is nothing at this address.")
    return ui.deps.operators


def rules_of(ui: Ui) -> AccessService:
    """As ``operators_of``."""
    if ui.deps.rules is None or ui.who.parent_id is not None:
        raise NotFound("There is nothing at this address.")
    return ui.deps.rules


# Operators


@dataclass(frozen=True, slots=True)
class OperatorRow:
    id: UUID
    name: str
    active: bool
    places: tuple[str, ...]
    vehicles: int


@dataclass(frozen=True, slots=True)
class SitePlaces:
    """A site and its areas, to choose from."""

    id: UUID
    name: str
    areas: Sequence[Area]


@get("/operators")
async def operators_page(ui: NamedDependency[Ui]) -> Response[str]:
    ui.require(Permission.PEOPLE_WRITE)
    found = await operators_of(ui).operators(ui.who)
    names = _names(await _places(ui))
    vehicles = await access_of(ui).fleets.all(ui.who.org_id)
    counts = Counter(vehicle.org_id for vehicle in vehicles)
    return ui.page("operators.html", rows=[_row(each, names, counts) for each in found])


@get("/operators/new")
async def new_operator(ui: NamedDependency[Ui]) -> Response[str]:
    every = {str(site.id) for site in ui.sites}
    return await _operator_form(ui, None, {"best_priority": "1"}, every, None)


@post("/operators/new")
async def create_operator(ui: NamedDependency[Ui]) -> Response[Any]:
    ui.require(Permission.PEOPLE_WRITE)
    operators = operators_of(ui)
    form, chosen = await posted(ui), await _chosen(ui, "site", "area")
    try:
        name = form.text("name", required=True)
        admin = NewUser(
            form.text("email", required=True),
            form.text("admin_name", required=True),
            Role.ADMIN,
            form.values.get("password", ""),
            ui.locale,
        )
        form.check()
        places = _admitted(await _places(ui), chosen)
        made = await operators.create(
            ui.who,
            name,
            admin,
            timezone=str(ui.zone),
            locale=ui.locale,
            places=places,
            best_priority=form.whole("best_priority", low=1, high=9, default=1),
            remote=remote_of(ui),
        )
    except (Invalid, Conflict) as error:
        return await _operator_form(ui, None, form.values, chosen, error)
    return ui.go(f"/operators/{made.organisation.id}", done="saved")


@get("/operators/{operator_id:uuid}")
async def operator_page(ui: NamedDependency[Ui], operator_id: FromPath[UUID]) -> Response[str]:
    operator = await operators_of(ui).operator(ui.who, operator_id)
    known = operator.organisation
    values = {
        "name": known.name,
        "active": "on" if known.active else "",
        "best_priority": str(known.best_priority),
    }
    chosen = {str(place.site_id) for place in operator.places}
    chosen |= {str(area) for place in operator.places for area in place.area_ids}
    return await _operator_form(ui, operator, values, chosen, None)


@post("/operators/{operator_id:uuid}")
async def change_operator(ui: NamedDependency[Ui], operator_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.PEOPLE_WRITE)
    operators = operators_of(ui)
    operator = await operators.operator(ui.who, operator_id)
    form, chosen = await posted(ui), await _chosen(ui, "site", "area")
    try:
        name = form.text("name", required=True)
        form.check()
        await operators.update(
            ui.who,
            operator_id,
            name=name,
            active=form.flag("active"),
            places=_admitted(await _places(ui), chosen),
            best_priority=form.whole("best_priority", low=1, high=9, default=1),
            remote=remote_of(ui),
        )
    except (Invalid, Conflict) as error:
        return await _operator_form(ui, operator, form.values, chosen, error)
    return ui.go(f"/operators/{operator_id}", done="saved")


@post("/operators/{operator_id:uuid}/enter")
async def enter_operator(ui: NamedDependency[Ui], operator_id: FromPath[UUID]) -> Response[Any]:
    """From now on every page of this log-in is the operator's."""
    ui.require(Permission.PEOPLE_WRITE)
    token = ui.request.cookies.get(SESSION_COOKIE, "")
    await operators_of(ui).enter(ui.who, operator_id, token)
    return ui.go("/people")


@post("/operators/leave")
async def leave_operator(ui: NamedDependency[Ui]) -> Response[Any]:
    if ui.deps.operators is not None:
        await ui.deps.operators.leave(ui.request.cookies.get(SESSION_COOKIE, ""))
    return ui.go("/operators" if ui.may("people:write") else "/")


async def _operator_form(
    ui: Ui,
    operator: Operator | None,
    values: Mapping[str, str],
    chosen: set[str],
    error: VoltyardError | None,
) -> Response[str]:
    ui.require(Permission.PEOPLE_WRITE)
    operators_of(ui)
    return ui.page(
        "operator.html",
        status=422 if error else 200,
        operator=operator.organisation if operator else None,
        values=values,
        chosen=chosen,
        places=await _places(ui),
        faults=error.fields if error else {},
        error=error.message if error else "",
    )


async def _places(ui: Ui) -> list[SitePlaces]:
    sites = access_of(ui).sites
    return [SitePlaces(site.id, site.name, await sites.areas(ui.who, site.id)) for site in ui.sites]


def _admitted(places: Sequence[SitePlaces], chosen: set[str]) -> list[AdmittedSite]:
    """A site whose area is chosen is chosen."""
    found = []
    for place in places:
        areas = tuple(area.id for area in place.areas if str(area.id) in chosen)
        if areas or str(place.id) in chosen:
            found.append(AdmittedSite(place.id, areas))
    return found


def _names(places: Sequence[SitePlaces]) -> dict[UUID, str]:
    found = {place.id: place.name for place in places}
    return found | {area.id: area.name for place in places for area in place.areas}


def _row(each: Operator, names: Mapping[UUID, str], vehicles: Mapping[UUID, int]) -> OperatorRow:
    known = each.organisation
    places = []
    for place in each.places:
        areas = ", ".join(names.get(area, "") for area in place.area_ids)
        site = names.get(place.site_id, "")
        places.append(f"{site}: {areas}" if areas else site)
    return OperatorRow(known.id, known.name, known.active, tuple(places), vehicles.get(known.id, 0))


async def _chosen(ui: Ui, *names: str) -> set[str]:
    form = await ui.request.form()
    return {str(value) for name in names for value in form.getall(name, [])}


# Access rules


@dataclass(frozen=True, slots=True)
class RuleRow:
    rule: AccessRule
    where: str
    names: tuple[str, ...]
    days: str
    hours: str


@get("/sites/{site_id:uuid}/access")
async def rules_page(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[str]:
    rules = rules_of(ui)
    ui.at_site(site_id)
    where = dict(await _rule_places(ui, site_id))
    rows = [_rule_row(ui, rule, where) for rule in await rules.rules(ui.who, site_id)]
    return ui.page("access_rules.html", rows=rows, said=said)


@get("/sites/{site_id:uuid}/access/new")
async def new_rule(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[str]:
    ui.require(Permission.SITES_WRITE)
    ui.at_site(site_id)
    values = {"position": "10", "active": "on", "whom": Whom.GUESTS.value, "keep_free": "0"}
    return await _rule_form(ui, site_id, None, values, set(), set(), None)


@post("/sites/{site_id:uuid}/access/new")
async def create_rule(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[Any]:
    ui.at_site(site_id)
    return await _save_rule(ui, site_id, None)


@get("/access/{rule_id:uuid}")
async def rule_page(ui: NamedDependency[Ui], rule_id: FromPath[UUID]) -> Response[str]:
    rule = await rules_of(ui).rule(ui.who, rule_id)
    ui.at_site(rule.site_id)
    days = {str(day) for day in rule.weekdays}
    chosen = {str(operator) for operator in rule.operator_ids}
    return await _rule_form(ui, rule.site_id, rule, _rule_values(rule), chosen, days, None)


@post("/access/{rule_id:uuid}")
async def change_rule(ui: NamedDependency[Ui], rule_id: FromPath[UUID]) -> Response[Any]:
    rule = await rules_of(ui).rule(ui.who, rule_id)
    ui.at_site(rule.site_id)
    return await _save_rule(ui, rule.site_id, rule)


@post("/access/{rule_id:uuid}/delete")
async def delete_rule(ui: NamedDependency[Ui], rule_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.SITES_WRITE)
    rule = await rules_of(ui).rule(ui.who, rule_id)
    await rules_of(ui).delete(ui.who, rule_id, remote=remote_of(ui))
    return ui.go(f"/sites/{rule.site_id}/access", done="deleted")


async def _save_rule(ui: Ui, site_id: UUID, rule: AccessRule | None) -> Response[Any]:
    ui.require(Permission.SITES_WRITE)
    form, chosen, days = await posted(ui), await _chosen(ui, "operator"), await _chosen(ui, "day")
    try:
        draft = _draft(form, chosen, days, {value for value, _ in await _rule_places(ui, site_id)})
        rule_id = None if rule is None else rule.id
        await rules_of(ui).save(ui.who, site_id, draft, rule_id, remote=remote_of(ui))
    except Invalid as error:
        return await _rule_form(ui, site_id, rule, form.values, chosen, days, error)
    return ui.go(f"/sites/{site_id}/access", done="saved")


def _draft(form: Fields, chosen: set[str], days: set[str], places: set[str]) -> RuleDraft:
    kind, _, part = form.text("place").partition(":")
    if form.text("place") not in {"", *places}:
        form.fault("place", "is unknown")
    begins, ends = _minute(form, "from"), _minute(form, "until")
    draft = RuleDraft(
        name=form.text("name", required=True),
        whom=form.one_of("whom", Whom) or Whom.GUESTS,
        allow=form.flag("allow"),
        area_id=UUID(part) if kind == "area" and not form.faults else None,
        evse_id=UUID(part) if kind == "evse" and not form.faults else None,
        position=form.whole("position", low=0, high=100_000, default=10),
        active=form.flag("active"),
        operator_ids=tuple(UUID(each) for each in sorted(chosen) if _is_id(each)),
        names=tuple(form.text("names", longest=100_000).split(",")),
        weekdays=tuple(int(day) for day in sorted(days) if day in set("0123456")),
        from_minute=begins,
        until_minute=ends,
        keep_free=form.whole("keep_free", low=0, high=1_000, default=0),
    )
    form.check()
    return draft


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _minute(form: Fields, name: str) -> int | None:
    text = form.text(name)
    hour, _, minute = text.partition(":")
    if not text:
        return None
    if not (hour.isdigit() and minute.isdigit() and int(hour) < 24 and int(minute) < 60):
        form.fault(name, "a time of day")
        return None
    return int(hour) * 60 + int(minute)


def _clock(minute: int | None) -> str:
    return "" if minute is None else f"{minute // 60 % 24:02d}:{minute % 60:02d}"


def _rule_values(rule: AccessRule) -> dict[str, str]:
    place = f"area:{rule.area_id}" if rule.area_id else ""
    if rule.evse_id:
        place = f"evse:{rule.evse_id}"
    return {
        "name": rule.name,
        "whom": rule.whom.value,
        "place": place,
        "position": str(rule.position),
        "names": ", ".join(rule.names),
        "from": _clock(rule.from_minute),
        "until": _clock(rule.until_minute),
        "allow": "on" if rule.allow else "",
        "keep_free": str(rule.keep_free),
        "active": "on" if rule.active else "",
    }


async def _rule_places(ui: Ui, site_id: UUID) -> list[tuple[str, str]]:
    """Areas and outlets of a site, to choose from."""
    rooms = access_of(ui)
    found = [(f"area:{area.id}", area.name) for area in await rooms.sites.areas(ui.who, site_id)]
    for view in rooms.chargers.list_stations(ui.who.org_id):
        station = view.station
        if station.site_id == site_id:
            outlets = rooms.chargers.outlets(station.id)
            found += [
                (f"evse:{evse.id}", f"{station.identity} · {evse.name or evse.number}")
                for evse in outlets
            ]
    return found


def _rule_row(ui: Ui, rule: AccessRule, where: Mapping[str, str]) -> RuleRow:
    place = f"area:{rule.area_id}" if rule.area_id else f"evse:{rule.evse_id}"
    operators = tuple(ui.operators[each] for each in rule.operator_ids if each in ui.operators)
    hours = "" if rule.from_minute is None else f"{_clock(rule.from_minute)}–"
    return RuleRow(
        rule,
        where.get(place, ""),
        rule.names or operators,
        ", ".join(ui.gettext(said.DAY_WORDS[day]) for day in rule.weekdays),
        hours and hours + _clock(rule.until_minute),
    )


async def _rule_form(
    ui: Ui,
    site_id: UUID,
    rule: AccessRule | None,
    values: Mapping[str, str],
    chosen: set[str],
    days: set[str],
    error: VoltyardError | None,
) -> Response[str]:
    rules_of(ui)
    return ui.page(
        "access_rule.html",
        status=422 if error else 200,
        rule=rule,
        values=values,
        chosen=chosen,
        chosen_days=days,
        places=await _rule_places(ui, site_id),
        said=said,
        faults=error.fields if error else {},
        error=error.message if error else "",
    )


ROUTES = [
    operators_page,
    new_operator,
    create_operator,
    leave_operator,
    operator_page,
    change_operator,
    enter_operator,
    rules_page,
    new_rule,
    create_rule,
    rule_page,
    change_rule,
    delete_rule,
]

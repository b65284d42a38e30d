"""Telematics: connections, what they brought last, vehicles as they name them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from voltyard.errors import NotFound, VoltyardError
from voltyard.telematics.commands import ConnectionDraft
from voltyard.telematics.model import POLLED, POSTS, Access, Connection, Departures, Kind
from voltyard.telematics.parts import Telematics
from voltyard.telematics.rule import Origin, Verdict
from voltyard.telematics.standing import Standing
from voltyard.tenancy.model import Permission
from voltyard.web.console import telematics_words as words
from voltyard.web.console.common import posted
from voltyard.web.console.tokens import remote_of
from voltyard.web.console.views import Choice, Paging
from voltyard.web.forms import Fields
from voltyard.web.i18n import ago, translations
from voltyard.web.ui import Ui

NOBODY = UUID(int=0)
EVERY_S = 10
LAST = 30
VEHICLES_MAX = 2_000
LINES_MAX = 30


def room_of(ui: Ui) -> Telematics:
    """Raises NotFound where telematics is not behind the console."""
    if ui.deps.telematics is None:
        raise NotFound("There is nothing at this address.")
    return ui.deps.telematics


@get("/telematics")
async def connections_page(ui: NamedDependency[Ui]) -> Response[str]:
    views = room_of(ui).service.views(ui.who)
    return ui.page("telematics.html", views=views, said=words, every_s=EVERY_S)


@get("/telematics/new")
async def new_connection(ui: NamedDependency[Ui]) -> Response[str]:
    ui.require(Permission.FLEET_WRITE)
    kind = _kind(ui.request.query_params.get("kind", ""))
    if kind is None:
        return ui.page("telematics_kinds.html", said=words)
    plain = Connection(NOBODY, NOBODY, "", kind)
    return _form(ui, kind, None, values_of(plain), {}, "")


def _kind(text: str) -> Kind | None:
    return next((kind for kind in Kind if kind.value == text), None)


@post("/telematics/new")
async def add_connection(ui: NamedDependency[Ui]) -> Response[Any]:
    ui.require(Permission.FLEET_WRITE)
    form = await posted(ui)
    kind = form.one_of("kind", Kind) or Kind.WEBHOOK
    try:
        view, secret = await room_of(ui).service.save(
            ui.who, _draft(form, kind), remote=remote_of(ui)
        )
    except VoltyardError as error:
        return _form(ui, kind, None, form.values, error.fields, error.message)
    if secret:
        return await _page(ui, view.connection.id, secret=secret, status=201)
    return ui.go(f"/telematics/{view.connection.id}", done="saved")


@get("/telematics/{connection_id:uuid}")
async def connection_page(ui: NamedDependency[Ui], connection_id: FromPath[UUID]) -> Response[str]:
    return await _page(ui, connection_id)


@get("/telematics/{connection_id:uuid}/settings")
async def settings_page(ui: NamedDependency[Ui], connection_id: FromPath[UUID]) -> Response[str]:
    known = room_of(ui).service.view(ui.who, connection_id).connection
    return _form(ui, known.kind, known, values_of(known), {}, "")


@post("/telematics/{connection_id:uuid}/settings")
async def change_connection(
    ui: NamedDependency[Ui], connection_id: FromPath[UUID]
) -> Response[Any]:
    ui.require(Permission.FLEET_WRITE)
    known = room_of(ui).service.view(ui.who, connection_id).connection
    form = await posted(ui)
    try:
        draft = _draft(form, known.kind)
        await room_of(ui).service.save(ui.who, draft, connection_id, remote=remote_of(ui))
    except VoltyardError as error:
        return _form(ui, known.kind, known, form.values, error.fields, error.message)
    return ui.go(f"/telematics/{connection_id}", done="saved")


@post("/telematics/{connection_id:uuid}/test")
async def try_connection(ui: NamedDependency[Ui], connection_id: FromPath[UUID]) -> Response[str]:
    """Asked now; what came of it is on the page."""
    ui.require(Permission.FLEET_WRITE)
    await posted(ui)
    room = room_of(ui)
    view = room.service.view(ui.who, connection_id)
    if view.connection.kind is Kind.MQTT:
        why = await room.listener.try_out(ui.who, connection_id)
        good = ui.gettext("The broker let us in and took the subscription.")
    else:
        tried = await room.poller.ask(ui.who, connection_id)
        why = tried.why
        good = ui.gettext(
            "It answered: %(n)s observations of %(v)s vehicles, %(u)s of unknown ones."
        )
        good %= {"n": tried.observations, "v": tried.vehicles, "u": tried.unknown}
    return await _page(ui, connection_id, tried=(not why, why or good))


@post("/telematics/{connection_id:uuid}/secret")
async def renew_secret(ui: NamedDependency[Ui], connection_id: FromPath[UUID]) -> Response[str]:
    ui.require(Permission.FLEET_WRITE)
    await posted(ui)
    secret = await room_of(ui).service.rotate(ui.who, connection_id, remote=remote_of(ui))
    return await _page(ui, connection_id, secret=secret)


@post("/telematics/{connection_id:uuid}/vehicles")
async def choose_vehicle(ui: NamedDependency[Ui], connection_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.FLEET_WRITE)
    form = await posted(ui)
    chosen = {form.text("external_id", required=True): form.id("vehicle_id")}
    form.check()
    await room_of(ui).service.choose(ui.who, connection_id, chosen, remote=remote_of(ui))
    return ui.go(f"/telematics/{connection_id}", done="saved")


@post("/telematics/{connection_id:uuid}/delete")
async def delete_connection(
    ui: NamedDependency[Ui], connection_id: FromPath[UUID]
) -> Response[Any]:
    ui.require(Permission.FLEET_WRITE)
    await posted(ui)
    await room_of(ui).service.delete(ui.who, connection_id, remote=remote_of(ui))
    return ui.go("/telematics", done="deleted")


async def _page(
    ui: Ui,
    connection_id: UUID,
    *,
    secret: str = "",
    tried: tuple[bool, str] | None = None,
    status: int = 200,
) -> Response[str]:
    room = room_of(ui).service
    view = room.view(ui.who, connection_id)
    found = await ui.data.vehicles(ui.who, "", Paging(1, VEHICLES_MAX))
    names = {row.id: row.name for row in found.rows}
    known = view.connection
    return ui.page(
        "telematics_connection.html",
        status=status,
        view=view,
        assets=room.assets(ui.who, connection_id),
        seen=await room.last_of(ui.who, connection_id, LAST),
        names=names,
        vehicles=[Choice(str(row.id), row.name) for row in found.rows],
        secret=secret,
        tried=tried,
        address=f"/telematics/in/{known.key}" if known.kind in POSTS else "",
        can_try=known.kind in POLLED or known.kind is Kind.MQTT,
        said=words,
        every_s=EVERY_S,
    )


def sentence(ui: Ui, standing: Standing) -> str:
    """What counts for the vehicle's charge, and whether its charger is silent."""
    used = standing.used
    if used is None:
        return ""
    now, text = ui.deps.data.now(), translations(ui.locale)
    facts = {
        "soc": ui.formats.pct(used.soc_pct),
        "source": standing.name(used.source),
        "ago": ago(now, used.at, text),
    }
    said = ui.gettext(words.USED[used.origin]) % facts
    silent = any(
        claim.origin is Origin.CHARGER and claim.verdict is Verdict.SILENT
        for claim in standing.claims
    )
    return f"{said}; {ui.gettext(words.CHARGER_SILENT)}" if silent else said


async def standing_of(ui: Ui, vehicle_id: UUID) -> Mapping[str, Any]:
    """What the page of a vehicle shows of it; nothing where telematics is not there."""
    if ui.deps.telematics is None:
        return {}
    found = await ui.deps.telematics.standing.of_vehicle(ui.who, vehicle_id)
    return {"standing": found, "standing_said": sentence(ui, found), "telematics_said": words}


def values_of(known: Connection) -> dict[str, str]:
    """A connection's settings as the form shows them; secrets are never among them."""
    access = {name: value for name, value in asdict(known.access).items() if isinstance(value, str)}
    lines = [f"{name} = {path}" for name, path in sorted(known.access.fields.items())]
    return {
        **access,
        "kind": known.kind.value,
        "name": known.name,
        "port": str(known.access.port),
        "tls": "on" if known.access.tls else "",
        "soc_from_fuel": "on" if known.access.soc_from_fuel else "",
        "fields": "\n".join(lines),
        "enabled": "on" if known.enabled else "",
        "poll_s": f"{known.poll_s:g}",
        "silent_min": f"{known.silent_s / 60.0:g}",
        "keep_position": "on" if known.keep_position else "",
        "departures": known.departures.value,
        "site_id": str(known.site_id or ""),
        "target_soc_pct": f"{known.target_soc_pct:g}",
    }


def _draft(form: Fields, kind: Kind) -> ConnectionDraft:
    port = form.number("port", low=1, high=65_535)
    poll_s = form.number("poll_s", low=1, high=86_400)
    silent_s = form.number("silent_min", low=0, high=43_200, scale=60)
    target = form.number("target_soc_pct", low=1, high=100)
    access = Access(
        **{
            name: form.text(name, longest=300)
            for name in ("url", "server", "database", "user", "host", "topic")
        },
        port=8883 if port is None else int(port),
        tls=form.flag("tls"),
        fields=_fields(form),
        soc_from_fuel=form.flag("soc_from_fuel"),
    )
    draft = ConnectionDraft(
        name=form.text("name", required=True, longest=100),
        kind=kind,
        access=access,
        enabled=form.flag("enabled"),
        poll_s=60.0 if poll_s is None else poll_s,
        silent_s=0.0 if silent_s is None else silent_s,
        keep_position=form.flag("keep_position"),
        departures=form.one_of("departures", Departures) or Departures.SHOWN,
        site_id=form.id("site_id"),
        target_soc_pct=100.0 if target is None else target,
        password=form.text("password", longest=1_000) or None,
        signing=form.text("signing", longest=1_000) or None,
    )
    form.check()
    return draft


def _fields(form: Fields) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in form.text("fields", longest=2_000).splitlines()[:LINES_MAX]:
        name, _, path = line.partition("=")
        if name.strip():
            found[name.strip()] = path.strip()
    return found


def _form(
    ui: Ui,
    kind: Kind,
    known: Connection | None,
    values: Mapping[str, str],
    faults: Mapping[str, str],
    error: str,
) -> Response[str]:
    faults = {**faults, "silent_min": faults["silent_s"]} if "silent_s" in faults else faults
    return ui.page(
        "telematics_settings.html",
        status=422 if error else 200,
        kind=kind,
        known=known,
        values=values,
        faults=faults,
        error=error,
        site_choices=[(str(site.id), site.name) for site in ui.sites],
        said=words,
    )


ROUTES = [
    connections_page,
    new_connection,
    add_connection,
    connection_page,
    settings_page,
    change_connection,
    try_connection,
    renew_secret,
    choose_vehicle,
    delete_connection,
]

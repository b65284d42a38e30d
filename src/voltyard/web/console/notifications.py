"""Who is told of alerts: targets, routes, and a trial of each."""

from collections.abc import Mapping
from datetime import time
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from voltyard.alerts.model import Severity
from voltyard.errors import NotFound, VoltyardError
from voltyard.notifications.commands import RouteDraft, TargetDraft
from voltyard.notifications.model import Channel, Digest, Quiet, Route, Target
from voltyard.notifications.subscriptions import KINDS
from voltyard.tenancy.access import system_principal
from voltyard.tenancy.model import Permission, User
from voltyard.web.console import notification_words as note_words
from voltyard.web.console.alert_words import TITLES
from voltyard.web.console.common import posted, query
from voltyard.web.console.rooms import TellingRooms
from voltyard.web.console.tokens import remote_of
from voltyard.web.forms import Fields
from voltyard.web.i18n import LOCALES
from voltyard.web.ui import Ui


def telling_of(ui: Ui) -> TellingRooms:
    """Raises NotFound where these rooms are not behind the console."""
    if ui.deps.telling is None:
        raise NotFound("There is nothing at this address.")
    return ui.deps.telling


async def people_of(ui: Ui) -> dict[UUID, User]:
    """Active people of the organisation, by name: whoever sets up routes may name them."""
    found = await telling_of(ui).people.users(system_principal(ui.who.org_id))
    return {user.id: user for user in sorted(found, key=lambda u: u.name) if user.active}


@get("/notifications")
async def overview(ui: NamedDependency[Ui]) -> Response[str]:
    ui.require(Permission.ALERTS_WRITE)
    room = telling_of(ui).notifications
    tried = query(ui).id("tried")
    return ui.page(
        "notifications.html",
        trial=None if tried is None else await room.notification(ui.who, tried),
        targets=room.targets(ui.who),
        routes=room.routes(ui.who),
        missing=[channel for channel in Channel if channel not in room.channels],
        people=await people_of(ui),
        titles=TITLES,
        notes=note_words,
    )


# targets


@get("/notifications/targets/new")
async def new_target(ui: NamedDependency[Ui]) -> Response[str]:
    ui.require(Permission.NOTIFICATIONS_WRITE)
    chosen = ui.request.query_params.get("channel", Channel.EMAIL.value)
    channel = chosen if chosen in set(Channel) else Channel.EMAIL.value
    return await _target_form(ui, None, {"channel": channel, "enabled": "on"}, {}, "")


@get("/notifications/targets/{target_id:uuid}")
async def target_page(ui: NamedDependency[Ui], target_id: FromPath[UUID]) -> Response[str]:
    ui.require(Permission.ALERTS_WRITE)
    target = telling_of(ui).notifications.target(ui.who, target_id)
    return await _target_form(ui, target, _target_values(target), {}, "")


@post("/notifications/targets/new")
async def add_target(ui: NamedDependency[Ui]) -> Response[Any]:
    ui.require(Permission.NOTIFICATIONS_WRITE)
    return await _save_target(ui, None)


@post("/notifications/targets/{target_id:uuid}")
async def change_target(ui: NamedDependency[Ui], target_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.NOTIFICATIONS_WRITE)
    return await _save_target(ui, telling_of(ui).notifications.target(ui.who, target_id))


async def _save_target(ui: Ui, known: Target | None) -> Response[Any]:
    form = await posted(ui)
    room = telling_of(ui).notifications
    try:
        draft = _target_draft(ui, form, known)
        saved, secret = await room.save_target(
            ui.who, draft, None if known is None else known.id, remote=remote_of(ui)
        )
    except VoltyardError as error:
        return await _target_form(ui, known, form.values, error.fields, error.message)
    if secret:
        return ui.page("notification_secret.html", target=saved, secret=secret)
    return ui.go("/notifications", done="saved")


@post("/notifications/targets/{target_id:uuid}/delete")
async def delete_target(ui: NamedDependency[Ui], target_id: FromPath[UUID]) -> Response[Any]:
    await telling_of(ui).notifications.delete_target(ui.who, target_id, remote=remote_of(ui))
    return ui.go("/notifications", done="deleted")


@post("/notifications/targets/{target_id:uuid}/secret")
async def rotate(ui: NamedDependency[Ui], target_id: FromPath[UUID]) -> Response[str]:
    room = telling_of(ui).notifications
    target = room.target(ui.who, target_id)
    secret = await room.rotate(ui.who, target_id, remote=remote_of(ui))
    return ui.page("notification_secret.html", target=target, secret=secret)


@post("/notifications/targets/{target_id:uuid}/test")
async def try_target(ui: NamedDependency[Ui], target_id: FromPath[UUID]) -> Response[Any]:
    note = await telling_of(ui).notifications.test(ui.who, target_id, remote=remote_of(ui))
    return ui.go("/notifications", tried=note.id)


def _target_draft(ui: Ui, form: Fields, known: Target | None) -> TargetDraft:
    channel = form.one_of("channel", Channel) if known is None else known.channel
    daily = clock(ui, form, "digest_at")
    every = form.whole("digest_every", low=0, high=1440, default=0)
    draft = TargetDraft(
        name=form.text("name", required=True, longest=100),
        channel=channel or Channel.EMAIL,
        address=form.text("address", required=known is None, longest=1_000),
        user_id=form.id("user_id"),
        locale=form.text("locale") or "en",
        enabled=form.flag("enabled"),
        events=_chosen(form, "event_") if channel is Channel.WEBHOOK else frozenset(),
        quiet=Quiet(
            clock(ui, form, "quiet_from"),
            clock(ui, form, "quiet_until"),
            form.one_of("quiet_least", Severity) or Severity.CRITICAL,
        ),
        digest=Digest(every, daily, form.one_of("digest_most", Severity) or Severity.INFO),
    )
    form.check()
    return draft


def clock(ui: Ui, form: Fields, name: str) -> time | None:
    """A time of day; a fault where it is none."""
    text = form.text(name)
    if not text:
        return None
    try:
        return time.fromisoformat(text)
    except ValueError:
        form.fault(name, ui.gettext("This is no time of day."))
        return None


def _chosen(form: Fields, prefix: str) -> frozenset[str]:
    """The ticked boxes whose names begin so."""
    return frozenset(name.removeprefix(prefix) for name in form.values if name.startswith(prefix))


def _ids(form: Fields, prefix: str) -> frozenset[UUID]:
    found: set[UUID] = set()
    for text in _chosen(form, prefix):
        try:
            found.add(UUID(text))
        except ValueError:
            form.fault(prefix.strip("_"), "unknown")
    return frozenset(found)


def _at(value: time | None) -> str:
    return "" if value is None else f"{value:%H:%M}"


def _target_values(target: Target) -> dict[str, str]:
    quiet, digest = target.quiet, target.digest
    return {
        "name": target.name,
        "channel": target.channel.value,
        "address": target.address,
        "user_id": str(target.user_id or ""),
        "locale": target.locale,
        "enabled": "on" if target.enabled else "",
        "quiet_from": _at(quiet.from_time),
        "quiet_until": _at(quiet.until_time),
        "quiet_least": quiet.least.value,
        "digest_every": str(digest.every_min or ""),
        "digest_at": _at(digest.at),
        "digest_most": digest.most.value,
        **{f"event_{kind}": "on" for kind in target.events},
    }


async def _target_form(
    ui: Ui, target: Target | None, values: Mapping[str, str], faults: Mapping[str, str], error: str
) -> Response[str]:
    channel = Channel(values.get("channel") or Channel.EMAIL)
    renamed = {"quiet": "quiet_from", "digest": "digest_every", "events": "event_*"}
    return ui.page(
        "notification_target.html",
        status=422 if error else 200,
        target=target,
        channel=channel,
        ready=channel in telling_of(ui).notifications.channels,
        values=values,
        faults={renamed.get(name, name): why for name, why in faults.items()},
        error=error,
        people=[(str(user.id), user.name) for user in (await people_of(ui)).values()],
        languages=list(LOCALES.items()),
        severities=tuple(Severity),
        kinds=("*", *KINDS),
        notes=note_words,
    )


# routes


@get("/notifications/routes/new")
async def new_route(ui: NamedDependency[Ui]) -> Response[str]:
    ui.require(Permission.NOTIFICATIONS_WRITE)
    return await _route_form(
        ui, None, {"enabled": "on", "tell_end": "on", "least": "warning"}, {}, ""
    )


@get("/notifications/routes/{route_id:uuid}")
async def route_page(ui: NamedDependency[Ui], route_id: FromPath[UUID]) -> Response[str]:
    ui.require(Permission.ALERTS_WRITE)
    route = telling_of(ui).notifications.route(ui.who, route_id)
    return await _route_form(ui, route, _route_values(route), {}, "")


@post("/notifications/routes/new")
async def add_route(ui: NamedDependency[Ui]) -> Response[Any]:
    ui.require(Permission.NOTIFICATIONS_WRITE)
    return await _save_route(ui, None)


@post("/notifications/routes/{route_id:uuid}")
async def change_route(ui: NamedDependency[Ui], route_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.NOTIFICATIONS_WRITE)
    return await _save_route(ui, telling_of(ui).notifications.route(ui.who, route_id))


@post("/notifications/routes/{route_id:uuid}/delete")
async def delete_route(ui: NamedDependency[Ui], route_id: FromPath[UUID]) -> Response[Any]:
    await telling_of(ui).notifications.delete_route(ui.who, route_id, remote=remote_of(ui))
    return ui.go("/notifications", done="deleted")


async def _save_route(ui: Ui, known: Route | None) -> Response[Any]:
    form = await posted(ui)
    try:
        draft = _route_draft(ui, form)
        await telling_of(ui).notifications.save_route(
            ui.who, draft, None if known is None else known.id, remote=remote_of(ui)
        )
    except VoltyardError as error:
        return await _route_form(ui, known, form.values, error.fields, error.message)
    return ui.go("/notifications", done="saved")


def _route_draft(ui: Ui, form: Fields) -> RouteDraft:
    draft = RouteDraft(
        name=form.text("name", required=True, longest=100),
        enabled=form.flag("enabled"),
        site_ids=_ids(form, "site_"),
        kinds=_chosen(form, "kind_"),
        least=form.one_of("least", Severity) or Severity.INFO,
        weekdays=frozenset(day for day in range(7) if form.flag(f"day_{day}")),
        from_time=clock(ui, form, "from_time"),
        until_time=clock(ui, form, "until_time"),
        delay_min=form.whole("delay_min", low=0, high=1440, default=0),
        tell_end=form.flag("tell_end"),
        target_ids=_ids(form, "target_"),
        user_ids=_ids(form, "user_"),
    )
    form.check()
    return draft


def _route_values(route: Route) -> dict[str, str]:
    ticked = (
        [f"site_{each}" for each in route.site_ids]
        + [f"kind_{each}" for each in route.kinds]
        + [f"day_{each}" for each in route.weekdays]
        + [f"target_{each}" for each in route.target_ids]
        + [f"user_{each}" for each in route.user_ids]
    )
    return {
        "name": route.name,
        "enabled": "on" if route.enabled else "",
        "least": route.least.value,
        "from_time": _at(route.from_time),
        "until_time": _at(route.until_time),
        "delay_min": str(route.delay_min or ""),
        "tell_end": "on" if route.tell_end else "",
        **dict.fromkeys(ticked, "on"),
    }


async def _route_form(
    ui: Ui, route: Route | None, values: Mapping[str, str], faults: Mapping[str, str], error: str
) -> Response[str]:
    room = telling_of(ui).notifications
    say, targets = ui.gettext, room.targets(ui.who)
    return ui.page(
        "notification_route.html",
        status=422 if error else 200,
        route=route,
        values=values,
        faults=faults,
        error=error,
        targets=targets,
        reachable={target.user_id for target in targets},
        people=list((await people_of(ui)).values()),
        kinds=sorted(((kind, say(TITLES[kind])) for kind in room.kinds), key=lambda pair: pair[1]),
        notes=note_words,
    )


ROUTES = [
    overview,
    new_target,
    add_target,
    target_page,
    change_target,
    delete_target,
    rotate,
    try_target,
    new_route,
    add_route,
    route_page,
    change_route,
    delete_route,
]

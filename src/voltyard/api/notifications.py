"""Notifications: targets and routes, webhooks and their events, the log, departure reminders."""

from datetime import datetime, time
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from voltyard.alerts.model import Severity
from voltyard.alerts.reminders import DEFAULT_STEPS, Condition, DepartureRule, Step
from voltyard.api.caller import Deps, Who, remote_of
from voltyard.api.deps import AnyRequest
from voltyard.api.wire import In, Limit, Name, Offset, Out, Page, Text, out, page
from voltyard.notifications.commands import RouteDraft, TargetDraft
from voltyard.notifications.model import Channel, Digest, NotificationFilter, Quiet, State, Target
from voltyard.notifications.subscriptions import KINDS


class QuietBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Hours of the site's clock in which only ``least`` and worse is told at once."""

    from_time: time | None = None
    until_time: time | None = None
    least: Severity = Severity.CRITICAL


class DigestBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is at most ``most`` severe is bundled: ``every_min`` minutes, or daily ``at``."""

    every_min: Annotated[int, msgspec.Meta(ge=0, le=1440)] = 0
    at: time | None = None
    most: Severity = Severity.INFO


class TargetIn(In):
    """``events``: what a webhook subscribes to, ``*`` for all. Empty ``address``: as it is."""

    name: Name
    channel: Channel
    address: Annotated[str, msgspec.Meta(max_length=1000)] = ""
    user_id: UUID | None = None
    locale: str = "en"
    enabled: bool = True
    events: tuple[str, ...] = ()
    quiet: QuietBody | None = None
    digest: DigestBody | None = None


class TargetOut(Out):
    """``address`` of a chat shows no more than its service and host."""

    id: UUID
    name: str
    channel: Channel
    address: str
    user_id: UUID | None
    locale: str
    enabled: bool
    events: list[str]
    quiet: QuietBody
    digest: DigestBody
    secret: str | None = None
    """Of a webhook, when it was just made: told once."""


class SecretOut(Out):
    """For a day, both the new and the old secret sign."""

    secret: str


class RouteIn(In):
    """An empty list is any. ``weekdays``: 0 is Monday. ``delay_min``: if nobody saw it by then."""

    name: Name
    enabled: bool = True
    site_ids: tuple[UUID, ...] = ()
    kinds: tuple[str, ...] = ()
    least: Severity = Severity.INFO
    weekdays: tuple[Annotated[int, msgspec.Meta(ge=0, le=6)], ...] = ()
    from_time: time | None = None
    until_time: time | None = None
    delay_min: Annotated[int, msgspec.Meta(ge=0, le=1440)] = 0
    tell_end: bool = True
    target_ids: tuple[UUID, ...] = ()
    user_ids: tuple[UUID, ...] = ()


class RouteOut(Out):
    id: UUID
    name: str
    enabled: bool
    site_ids: list[UUID]
    kinds: list[str]
    least: Severity
    weekdays: list[int]
    from_time: time | None
    until_time: time | None
    delay_min: int
    tell_end: bool
    target_ids: list[UUID]
    user_ids: list[UUID]


class NotificationOut(Out):
    """``id`` is the ``webhook-id``, and the beginning of the Message-ID."""

    id: UUID
    target_id: UUID | None
    target: str
    channel: Channel
    route: str
    site_id: UUID | None
    alert_id: UUID | None
    kind: str
    severity: Severity
    topic: str
    subject: str
    body: str
    state: State
    created_at: datetime
    due_at: datetime
    attempts: int
    sent_at: datetime | None
    answer: str
    bundle_id: UUID | None


class StepBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Minutes after the departure; negative is before it."""

    offset_min: Annotated[int, msgspec.Meta(ge=-1440, le=1440)]
    severity: Severity


class RemindersIn(In):
    """``conditions``: what is told of. Without ``steps``: 15 minutes before, at, 10 after."""

    enabled: bool = True
    steps: tuple[StepBody, ...] | None = None
    conditions: tuple[Condition, ...] = tuple(Condition)


class RemindersOut(Out):
    """``site_id`` null: of every site that has none of its own."""

    site_id: UUID | None
    enabled: bool
    steps: list[StepBody]
    conditions: list[Condition]


@get("/notification-targets", summary="Where people and systems are reached")
async def targets(deps: Deps, who: Who) -> list[TargetOut]:
    return [_target(target) for target in deps.notifications.targets(who)]


@post("/notification-targets", summary="Add a target")
async def add_target(
    deps: Deps, who: Who, request: AnyRequest, data: JSONBody[TargetIn]
) -> TargetOut:
    """A webhook's ``secret`` (``whsec_…``, Standard Webhooks) is told in this answer only."""
    made, secret = await deps.notifications.save_target(
        who, _target_draft(data), remote=remote_of(request)
    )
    return _target(made, secret or None)


@get("/notification-targets/{target_id:uuid}", summary="One target")
async def target(deps: Deps, who: Who, target_id: FromPath[UUID]) -> TargetOut:
    return _target(deps.notifications.target(who, target_id))


@put("/notification-targets/{target_id:uuid}", summary="Change a target")
async def change_target(
    deps: Deps, who: Who, request: AnyRequest, target_id: FromPath[UUID], data: JSONBody[TargetIn]
) -> TargetOut:
    made, _ = await deps.notifications.save_target(
        who, _target_draft(data), target_id, remote=remote_of(request)
    )
    return _target(made)


@delete("/notification-targets/{target_id:uuid}", summary="Remove a target", status_code=204)
async def remove_target(
    deps: Deps, who: Who, request: AnyRequest, target_id: FromPath[UUID]
) -> None:
    """What waits for it is not sent."""
    await deps.notifications.delete_target(who, target_id, remote=remote_of(request))


@post("/notification-targets/{target_id:uuid}/test", summary="Send a trial", status_code=200)
async def try_target(
    deps: Deps, who: Who, request: AnyRequest, target_id: FromPath[UUID]
) -> NotificationOut:
    """Sent at once: ``state`` and ``answer`` tell whether it arrived."""
    note = await deps.notifications.test(who, target_id, remote=remote_of(request))
    return out(NotificationOut, note)


@post(
    "/notification-targets/{target_id:uuid}/secret",
    summary="A new secret of a webhook",
    status_code=200,
)
async def rotate_secret(
    deps: Deps, who: Who, request: AnyRequest, target_id: FromPath[UUID]
) -> SecretOut:
    secret = await deps.notifications.rotate(who, target_id, remote=remote_of(request))
    return SecretOut(secret=secret)


@get("/notification-routes", summary="Which alerts go where")
async def routes(deps: Deps, who: Who) -> list[RouteOut]:
    return [_route(route) for route in deps.notifications.routes(who)]


@post("/notification-routes", summary="Add a route")
async def add_route(deps: Deps, who: Who, request: AnyRequest, data: JSONBody[RouteIn]) -> RouteOut:
    """A target that several routes name is told once, by the one that tells it soonest."""
    return _route(
        await deps.notifications.save_route(who, _route_draft(data), remote=remote_of(request))
    )


@get("/notification-routes/{route_id:uuid}", summary="One route")
async def route(deps: Deps, who: Who, route_id: FromPath[UUID]) -> RouteOut:
    return _route(deps.notifications.route(who, route_id))


@put("/notification-routes/{route_id:uuid}", summary="Change a route")
async def change_route(
    deps: Deps, who: Who, request: AnyRequest, route_id: FromPath[UUID], data: JSONBody[RouteIn]
) -> RouteOut:
    made = await deps.notifications.save_route(
        who, _route_draft(data), route_id, remote=remote_of(request)
    )
    return _route(made)


@delete("/notification-routes/{route_id:uuid}", summary="Remove a route", status_code=204)
async def remove_route(deps: Deps, who: Who, request: AnyRequest, route_id: FromPath[UUID]) -> None:
    await deps.notifications.delete_route(who, route_id, remote=remote_of(request))


@get("/notifications", summary="What was told, newest first")
async def notifications(
    deps: Deps,
    who: Who,
    limit: Limit = 100,
    offset: Offset = 0,
    q: Text = "",
    channel: FromQuery[Channel | None] = None,
    outcome: Annotated[State | None, QueryParameter(name="state")] = None,
    target_id: FromQuery[UUID | None] = None,
    alert_id: FromQuery[UUID | None] = None,
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
) -> Page[NotificationOut]:
    wanted = NotificationFilter(
        channel, outcome, target_id, alert_id, text=q, since=since, until=until
    )
    found, total = await deps.notifications.find(who, wanted, limit=limit, offset=offset)
    return page(NotificationOut, found, total, limit=limit, offset=offset)


@get("/notifications/{notification_id:uuid}", summary="One notification")
async def notification(deps: Deps, who: Who, notification_id: FromPath[UUID]) -> NotificationOut:
    return out(NotificationOut, await deps.notifications.notification(who, notification_id))


@post(
    "/notifications/{notification_id:uuid}/send-again",
    summary="Try a failed one again",
    status_code=200,
)
async def send_again(
    deps: Deps, who: Who, request: AnyRequest, notification_id: FromPath[UUID]
) -> NotificationOut:
    """Under its old id (409 ``not_failed`` for any other)."""
    note = await deps.notifications.send_again(who, notification_id, remote=remote_of(request))
    return out(NotificationOut, note)


@get("/webhook-events", summary="Kinds of events that webhooks may subscribe to")
async def webhook_events(deps: Deps, who: Who) -> list[str]:
    deps.notifications.targets(who)
    return list(KINDS)


@get("/departure-reminders", summary="When departures are reminded of")
async def reminders(deps: Deps, who: Who) -> list[RemindersOut]:
    """The organisation's own first, then those of sites that differ."""
    return [_reminders(rule) for rule in deps.departures.rules(who)]


@put("/departure-reminders", summary="Change the organisation's reminders")
async def change_reminders(
    deps: Deps, who: Who, request: AnyRequest, data: JSONBody[RemindersIn]
) -> RemindersOut:
    rule = _rule(who.org_id, None, data)
    return _reminders(await deps.departures.save(who, rule, remote=remote_of(request)))


@put("/sites/{site_id:uuid}/departure-reminders", summary="Give a site reminders of its own")
async def change_site_reminders(
    deps: Deps, who: Who, request: AnyRequest, site_id: FromPath[UUID], data: JSONBody[RemindersIn]
) -> RemindersOut:
    rule = _rule(who.org_id, site_id, data)
    return _reminders(await deps.departures.save(who, rule, remote=remote_of(request)))


@delete(
    "/sites/{site_id:uuid}/departure-reminders",
    summary="The site follows the organisation again",
    status_code=204,
)
async def remove_site_reminders(
    deps: Deps, who: Who, request: AnyRequest, site_id: FromPath[UUID]
) -> None:
    await deps.departures.forget(who, site_id, remote=remote_of(request))


def _target_draft(data: TargetIn) -> TargetDraft:
    return TargetDraft(
        name=data.name,
        channel=data.channel,
        address=data.address,
        user_id=data.user_id,
        locale=data.locale,
        enabled=data.enabled,
        events=frozenset(data.events),
        quiet=Quiet(**msgspec.structs.asdict(data.quiet)) if data.quiet else Quiet(),
        digest=Digest(**msgspec.structs.asdict(data.digest)) if data.digest else Digest(),
    )


def _target(target: Target, secret: str | None = None) -> TargetOut:
    quiet, digest = target.quiet, target.digest
    return out(
        TargetOut,
        target,
        address=target.shown,
        events=sorted(target.events),
        quiet=QuietBody(from_time=quiet.from_time, until_time=quiet.until_time, least=quiet.least),
        digest=DigestBody(every_min=digest.every_min, at=digest.at, most=digest.most),
        secret=secret,
    )


_SETS = ("site_ids", "kinds", "weekdays", "target_ids", "user_ids")


def _route_draft(data: RouteIn) -> RouteDraft:
    values = msgspec.structs.asdict(data)
    return RouteDraft(**(values | {name: frozenset(values[name]) for name in _SETS}))


def _route(route: object) -> RouteOut:
    return out(RouteOut, route, **{name: sorted(getattr(route, name)) for name in _SETS})


def _rule(org_id: UUID, site_id: UUID | None, data: RemindersIn) -> DepartureRule:
    steps: tuple[Step, ...] = DEFAULT_STEPS
    if data.steps is not None:
        steps = tuple(Step(step.offset_min, step.severity) for step in data.steps)
    return DepartureRule(org_id, site_id, data.enabled, steps, frozenset(data.conditions))


def _reminders(rule: DepartureRule) -> RemindersOut:
    return RemindersOut(
        site_id=rule.site_id,
        enabled=rule.enabled,
        steps=[StepBody(offset_min=s.offset_min, severity=s.severity) for s in rule.steps],
        conditions=sorted(rule.conditions),
    )


ROUTER = Router(
    path="/",
    tags=["Notifications"],
    route_handlers=[
        targets, add_target, target, change_target, remove_target, try_target, rotate_secret,
        routes, add_route, route, change_route, remove_route,
        notifications, notification, send_again, webhook_events,
        reminders, change_reminders, change_site_reminders, remove_site_reminders,
    ],
)  # fmt: skip

"""What was told, to whom and with what answer; and when departures are reminded of."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from voltyard.alerts.model import Severity
from voltyard.alerts.reminders import STEPS_MAX, Condition, DepartureRule, Step
from voltyard.errors import VoltyardError
from voltyard.notifications.model import Channel, Notification, NotificationFilter, State
from voltyard.tenancy.model import Permission
from voltyard.web.console import notification_words as note_words
from voltyard.web.console.common import paging, posted, query, search_text
from voltyard.web.console.notifications import telling_of
from voltyard.web.console.tokens import remote_of
from voltyard.web.console.views import Page, Paging
from voltyard.web.export import Cell, csv_stream
from voltyard.web.forms import Fields
from voltyard.web.ui import Ui, local_path

EMPTY_STEPS = 1
HEADER = (
    "created_at", "topic", "kind", "severity", "subject", "target", "channel", "route", "state",
    "attempts", "due_at", "sent_at", "answer", "id",
)  # fmt: skip


@get("/notifications/log")
async def log_page(ui: NamedDependency[Ui]) -> Response[str]:
    page = await _found(ui, _filter(ui), paging(ui))
    targets = telling_of(ui).notifications.targets(ui.who)
    return ui.page(
        "notification_log.html",
        page=page,
        targets=[(str(target.id), target.name) for target in targets],
        notes=note_words,
    )


@get("/notifications/log.csv")
async def log_export(ui: NamedDependency[Ui]) -> Stream:
    wanted = _filter(ui)
    ui.require(Permission.ALERTS_WRITE)
    return csv_stream("notifications.csv", HEADER, lambda part: _found(ui, wanted, part), _cells)


@post("/notifications/log/{note_id:uuid}/again")
async def send_again(ui: NamedDependency[Ui], note_id: FromPath[UUID]) -> Response[Any]:
    form = await posted(ui)
    await telling_of(ui).notifications.send_again(ui.who, note_id, remote=remote_of(ui))
    return ui.go(local_path(form.text("back"), "/notifications/log"))


async def _found(ui: Ui, wanted: NotificationFilter, part: Paging) -> Page[Notification]:
    found, total = await telling_of(ui).notifications.find(
        ui.who, wanted, limit=part.size, offset=part.offset
    )
    return Page(tuple(found), total, part)


def _filter(ui: Ui) -> NotificationFilter:
    fields = query(ui)
    topic = fields.text("topic")
    return NotificationFilter(
        channel=fields.one_of("channel", Channel),
        state=fields.one_of("state", State),
        target_id=fields.id("target"),
        alert_id=fields.id("alert"),
        topic=topic if topic in note_words.TOPICS else "",
        text=search_text(ui),
        since=fields.moment("since"),
        until=fields.moment("until"),
    )


def _cells(note: Notification) -> tuple[Cell, ...]:
    return (
        note.created_at,
        note.topic,
        note.kind,
        note.severity.value,
        note.subject,
        note.target,
        note.channel.value,
        note.route,
        note.state.value,
        note.attempts,
        note.due_at,
        note.sent_at,
        note.answer,
        str(note.id),
    )


# reminders of departures


@get("/notifications/reminders")
async def reminders_page(ui: NamedDependency[Ui]) -> Response[str]:
    own, *of_sites = telling_of(ui).departures.rules(ui.who)
    chosen = query(ui).id("site")
    rule = next((each for each in of_sites if each.site_id == chosen), own)
    return _reminders(ui, chosen, _values(rule), {}, "")


@post("/notifications/reminders")
async def save_reminders(ui: NamedDependency[Ui]) -> Response[Any]:
    ui.require(Permission.NOTIFICATIONS_WRITE)
    form = await posted(ui)
    site_id = form.id("site")
    desk = telling_of(ui).departures
    try:
        await desk.save(ui.who, _rule(ui, form, site_id), remote=remote_of(ui))
    except VoltyardError as error:
        return _reminders(ui, site_id, form.values, error.fields, error.message)
    return ui.go("/notifications/reminders", site=site_id, done="saved")


@post("/notifications/reminders/forget")
async def forget_reminders(ui: NamedDependency[Ui]) -> Response[Any]:
    form = await posted(ui)
    site_id = form.id("site")
    if site_id is not None:
        await telling_of(ui).departures.forget(ui.who, site_id, remote=remote_of(ui))
    return ui.go("/notifications/reminders", site=site_id, done="deleted")


def _rule(ui: Ui, form: Fields, site_id: UUID | None) -> DepartureRule:
    steps: list[Step] = []
    for row in range(STEPS_MAX):
        if not form.text(f"offset_{row}"):
            continue
        offset_min = form.whole(f"offset_{row}", low=0, high=1440, default=0)
        before = form.text(f"side_{row}") == "before"
        severity = form.one_of(f"severity_{row}", Severity) or Severity.WARNING
        steps.append(Step(-offset_min if before else offset_min, severity))
    conditions = frozenset(each for each in Condition if form.flag(f"if_{each.value}"))
    form.check()
    ordered = tuple(sorted(steps, key=lambda step: step.offset_min))
    return DepartureRule(ui.who.org_id, site_id, form.flag("enabled"), ordered, conditions)


def _values(rule: DepartureRule) -> dict[str, str]:
    values = {"enabled": "on" if rule.enabled else ""}
    for row, step in enumerate(rule.steps):
        values |= {
            f"offset_{row}": str(abs(step.offset_min)),
            f"side_{row}": "before" if step.offset_min < 0 else "after",
            f"severity_{row}": step.severity.value,
        }
    return values | {f"if_{each.value}": "on" for each in rule.conditions}


def _reminders(
    ui: Ui, site_id: UUID | None, values: Mapping[str, str], faults: Mapping[str, str], error: str
) -> Response[str]:
    rules = telling_of(ui).departures.rules(ui.who)
    used = [row for row in range(STEPS_MAX) if values.get(f"offset_{row}")]
    plain = {f"severity_{row}": Severity.WARNING.value for row in range(STEPS_MAX)}
    return ui.page(
        "notification_reminders.html",
        status=422 if error else 200,
        chosen=site_id,
        own_rules={rule.site_id for rule in rules if rule.site_id is not None},
        values=plain | dict(values),
        faults=faults,
        error=error,
        rows=range(min(STEPS_MAX, max(used, default=0) + 1 + EMPTY_STEPS)),
        severities=tuple(Severity),
        notes=note_words,
    )


ROUTES = [log_page, log_export, send_again, reminders_page, save_reminders, forget_reminders]

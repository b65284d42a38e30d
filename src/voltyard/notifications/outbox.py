"""From news of alerts to messages, in the transaction of the news."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from voltyard.alerts.model import Alert, Severity, Topic
from voltyard.alerts.ports import News
from voltyard.clock import Clock
from voltyard.notifications import store
from voltyard.notifications.desk import Desk
from voltyard.notifications.model import Channel, Digest, Notification, State, Target
from voltyard.notifications.routing import next_bundle, recipients, tells_end, when
from voltyard.notifications.wording import Wording
from voltyard.storage.engine import Tx
from voltyard.units import iso_z

log = logging.getLogger(__name__)

LOUD = frozenset({Topic.OPENED, Topic.RAISED, Topic.AGAIN})
STORM, STORM_S = 20, 600.0
"""What goes beyond so many messages to one person in that time is bundled."""
AFTER_STORM = Digest(every_min=10)
_OVER = {
    Topic.RESOLVED: "over before it was told",
    Topic.ACKNOWLEDGED: "acknowledged before it was told",
    Topic.SNOOZED: "put to sleep before it was told",
}


@dataclass(frozen=True, slots=True)
class _Planned:
    """A message to be: whom, by which route, and not before when."""

    target: Target
    route: str
    at: datetime


class AlertOutbox:
    """Implements ``alerts.ports.Outbox``. ``wake`` is called when something may be due."""

    def __init__(
        self, desk: Desk, wording: Wording, clock: Clock, wake: Callable[[], None]
    ) -> None:
        self._desk = desk
        self._wording = wording
        self._clock = clock
        self._wake = wake

    def wake(self) -> None:
        self._wake()

    async def stage(self, tx: Tx, news: Sequence[News]) -> None:
        """A message's id follows from its target and the news: told twice, it is kept once."""
        for each in news:
            await self._events(tx, each)
            await self._told(tx, each)

    async def _events(self, tx: Tx, news: News) -> None:
        """Webhooks that subscribe to events of alerts, whatever the routes say."""
        alert, kind = news.alert, f"alert.{news.topic.value}"
        heard = self._desk.subscribers(alert.org_id, kind)
        at = alert.updated_at or alert.opened_at
        name = f"{alert.id} event {kind} {alert.stage} {at.isoformat()}"
        await store.insert(
            tx,
            [
                event_note(target, name, kind, at, alert_data(alert), self._clock.now(), alert)
                for target in heard
            ],
        )

    async def _told(self, tx: Tx, news: News) -> None:
        alert, now = news.alert, self._clock.now()
        book = self._desk.book(alert.org_id)
        if not book.targets:
            return
        if news.topic in _OVER:
            await store.drop_pending(tx, alert.id, _OVER[news.topic], now)
        if news.topic in LOUD and not news.silent:
            found = recipients(book, alert, now, self._desk.setting(*_place(alert)).zone)
            planned = [
                _Planned(t.target, t.route.name, now + timedelta(minutes=t.route.delay_min))
                for t in found
            ]
        elif news.topic is Topic.RESOLVED:
            known = await store.told(tx, alert.id)
            planned = [
                _Planned(target, "", now)
                for target in book.targets.values()
                if target.enabled and target.id in known and tells_end(book, alert, target.id)
            ]
        else:
            return
        about = alert.object_id if alert.object_kind == "notification_target" else ""
        planned = [each for each in planned if str(each.target.id) != about]
        await self._replace(tx, news, planned, now)

    async def _replace(
        self, tx: Tx, news: News, planned: Sequence[_Planned], now: datetime
    ) -> None:
        """What a target has still to be told of the alert is told by the newer message."""
        if not planned:
            return
        alert = news.alert
        ids = [each.target.id for each in planned]
        earlier = await store.drop_pending(tx, alert.id, "replaced by a newer one", now, ids)
        zone = self._desk.setting(*_place(alert)).zone
        lately = await store.lately(tx, ids, now - timedelta(seconds=STORM_S))
        notes: list[Notification] = []
        for each in planned:
            at = max(min(each.at, earlier.get(each.target.id, each.at)), now)
            state, due_at = when(each.target, alert.severity, at, zone)
            if state is State.WAITING and lately.get(each.target.id, 0) >= STORM:
                state, due_at = State.HELD, max(due_at, next_bundle(AFTER_STORM, now, zone))
            notes.append(self._note(each, news, state, due_at, now))
        await store.insert(tx, notes)

    def _note(
        self, planned: _Planned, news: News, state: State, due_at: datetime, now: datetime
    ) -> Notification:
        alert, target, topic = news.alert, planned.target, news.topic.value
        where = self._desk.setting(*_place(alert))
        try:  # an alert without words is told all the same
            subject, body = self._wording.alert(target, alert, topic, planned.route, where)
        except (KeyError, ValueError, TypeError):
            log.exception("there are no words for %s %s", alert.kind, dict(alert.params))
            subject, body = alert.kind, ""
        note_id = uuid5(target.id, _name(news))
        return Notification(
            id=note_id,
            org_id=alert.org_id,
            target_id=target.id,
            target=target.name,
            channel=target.channel,
            kind=alert.kind,
            severity=alert.severity,
            topic=topic,
            subject=subject,
            body=body,
            payload=_payload(target, topic, subject, body, now, alert),
            state=state,
            created_at=now,
            due_at=due_at,
            route=planned.route,
            site_id=alert.site_id,
            alert_id=alert.id,
        )


def _name(news: News) -> str:
    alert = news.alert
    if news.topic is Topic.RAISED:
        return f"{alert.id} raised {alert.stage} {alert.severity.value}"
    if news.topic is Topic.AGAIN:
        return f"{alert.id} again {(alert.updated_at or alert.opened_at).isoformat()}"
    return f"{alert.id} {news.topic.value}"


def _place(alert: Alert) -> tuple[UUID, UUID | None]:
    return alert.org_id, alert.site_id


def _payload(
    target: Target, topic: str, subject: str, body: str, now: datetime, alert: Alert
) -> dict[str, Any] | None:
    if target.channel is not Channel.WEBHOOK:
        return None
    data = {"topic": topic, "subject": subject, "body": body, "alert": alert_data(alert)}
    return {"type": "notification", "timestamp": iso_z(now), "data": data}


def alert_data(alert: Alert) -> dict[str, Any]:
    """An alert as webhooks carry it."""
    moments = ("opened_at", "updated_at", "acknowledged_at", "resolved_at", "snoozed_until")
    ids = {"id": alert.id, "org_id": alert.org_id, "site_id": alert.site_id}
    return {
        **{name: None if value is None else str(value) for name, value in ids.items()},
        "kind": alert.kind,
        "severity": alert.severity.value,
        "stage": alert.stage,
        "key": alert.key,
        "object_kind": alert.object_kind,
        "object_id": alert.object_id,
        "params": dict(alert.params),
        "acknowledged_by": alert.acknowledged_by,
        **{name: None if (at := getattr(alert, name)) is None else iso_z(at) for name in moments},
    }


def event_note(
    target: Target,
    name: str,
    kind: str,
    at: datetime,
    data: dict[str, Any],
    now: datetime,
    alert: Alert | None = None,
) -> Notification:
    """An event for a webhook: never quiet, never bundled."""
    return Notification(
        id=uuid5(target.id, name),
        org_id=target.org_id,
        target_id=target.id,
        target=target.name,
        channel=target.channel,
        kind=kind,
        severity=Severity.INFO if alert is None else alert.severity,
        topic="event",
        subject=kind,
        body="",
        payload={"type": kind, "timestamp": iso_z(at), "data": data},
        state=State.WAITING,
        created_at=now,
        due_at=now,
        site_id=None if alert is None else alert.site_id,
        alert_id=None if alert is None else alert.id,
    )

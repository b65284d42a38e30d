"""From news of alerts to messages, in the transaction of the news."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

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
    """A message to be: of what, to whom, by which route, and not before when."""

    news: News
    target: Target
    route: str
    at: datetime

    @property
    def pair(self) -> tuple[UUID, UUID]:
        return self.news.alert.id, self.target.id


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
        """A message's id follows from its target and the news: told twice, it is kept once.

        A few statements, however much is new: a whole site may go offline at once.
        """
        notes = [note for each in news for note in self._events(each)]
        mine = [each for each in news if self._desk.book(each.alert.org_id).targets]
        if mine:
            await self._drop_over(tx, mine)
            planned = self._louder(mine) + await self._ended(tx, mine)
            notes += await self._timed(tx, [each for each in planned if not _of_itself(each)])
        if notes:
            await store.insert(tx, notes)

    def _events(self, news: News) -> list[Notification]:
        """Webhooks that subscribe to events of alerts, whatever the routes say."""
        alert, kind = news.alert, f"alert.{news.topic.value}"
        at, now = alert.updated_at or alert.opened_at, self._clock.now()
        name = f"{alert.id} event {kind} {alert.stage} {at.isoformat()}"
        return [
            event_note(target, name, kind, at, alert_data(alert), now, alert)
            for target in self._desk.subscribers(alert.org_id, kind)
        ]

    async def _drop_over(self, tx: Tx, news: Sequence[News]) -> None:
        """What is not due yet need not be told of what is over, seen or asleep."""
        for topic, why in _OVER.items():
            ids = [each.alert.id for each in news if each.topic is topic]
            if ids:
                await store.drop_pending(tx, ids, why, self._clock.now())

    def _louder(self, news: Sequence[News]) -> list[_Planned]:
        now, found = self._clock.now(), list[_Planned]()
        for each in news:
            if each.topic in LOUD and not each.silent:
                book = self._desk.book(each.alert.org_id)
                for told in recipients(book, each.alert, now, self._zone(each.alert)):
                    at = now + timedelta(minutes=told.route.delay_min)
                    found.append(_Planned(each, told.target, told.route.name, at))
        return found

    async def _ended(self, tx: Tx, news: Sequence[News]) -> list[_Planned]:
        """Whoever was told that it began is told that it ended."""
        over = {each.alert.id: each for each in news if each.topic is Topic.RESOLVED}
        if not over:
            return []
        now, found = self._clock.now(), list[_Planned]()
        for alert_id, target_id in await store.told(tx, list(over)):
            each = over[alert_id]
            book = self._desk.book(each.alert.org_id)
            target = book.targets.get(target_id)
            if target and target.enabled and tells_end(book, each.alert, target_id):
                found.append(_Planned(each, target, "", now))
        return found

    async def _timed(self, tx: Tx, planned: Sequence[_Planned]) -> list[Notification]:
        """What a target has still to be told of an alert is told by the newer message."""
        if not planned:
            return []
        now = self._clock.now()
        again = [each.pair for each in planned if each.news.topic is not Topic.OPENED]
        earlier = await store.replace_pending(tx, again, now) if again else {}
        ids = sorted({each.target.id for each in planned})
        lately = await store.lately(tx, ids, now - timedelta(seconds=STORM_S))
        notes: list[Notification] = []
        for each in planned:
            alert, target, zone = each.news.alert, each.target, self._zone(each.news.alert)
            at = max(min(each.at, earlier.get(each.pair, each.at)), now)
            state, due_at = when(target, alert.severity, at, zone)
            if state is State.WAITING and target.channel is not Channel.WEBHOOK:
                lately[target.id] = lately.get(target.id, 0) + 1
                if lately[target.id] > STORM:
                    state, due_at = State.HELD, max(due_at, next_bundle(AFTER_STORM, now, zone))
            notes.append(self._note(each, each.news, state, due_at, now))
        return notes

    def _zone(self, alert: Alert) -> ZoneInfo:
        return self._desk.setting(*_place(alert)).zone

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


def _of_itself(planned: _Planned) -> bool:
    """A target is not told that it does not work."""
    alert = planned.news.alert
    return alert.object_kind == "notification_target" and alert.object_id == str(planned.target.id)


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

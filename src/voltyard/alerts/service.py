"""Alerts: opened once per cause, updated, acknowledged by a person, resolved by themselves."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from voltyard.alerts import store
from voltyard.alerts.events import AlertChanged, AlertOpened, AlertResolved
from voltyard.alerts.model import Alert, Cause, Severity, Topic
from voltyard.alerts.ports import News, Outbox
from voltyard.alerts.store import AlertFilter
from voltyard.bus import Bus
from voltyard.chargers.events import StationApproved, StationChanged, StationSeen
from voltyard.chargers.model import StationState
from voltyard.clock import Clock
from voltyard.errors import Conflict, Forbidden, Invalid, NotFound
from voltyard.storage.engine import Database, Tx
from voltyard.tenancy import audit, scope
from voltyard.tenancy.model import Permission, Principal

__all__ = ["AlertFilter", "AlertService", "Cause"]

MAX_PAGE = 500
SNOOZE_MIN_S = 60.0
SNOOZE_MAX_S = 7 * 86_400.0
Told = list[News]


class AlertService:
    """Keeps open alerts in memory; the database's unique index is the last word on "once"."""

    def __init__(self, database: Database, bus: Bus, clock: Clock) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._open: dict[tuple[UUID, str], Alert] = {}
        self._turns: dict[UUID, asyncio.Lock] = {}
        self.outbox: Outbox | None = None

    async def load(self) -> None:
        """Read what is open; once, at start."""
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            found = await store.open_alerts(tx)
        self._open = {(alert.org_id, alert.key): alert for alert in found}

    def listen(self) -> None:
        """Alerts that follow from single events; the rest is told by the controllers of sites."""
        self._bus.subscribe(StationSeen, self._on_seen, name="alerts.station_seen")
        self._bus.subscribe(StationApproved, self._on_decided, name="alerts.station_approved")
        self._bus.subscribe(StationChanged, self._on_decided, name="alerts.station_changed")

    async def _on_seen(self, event: StationSeen) -> None:
        cause = Cause(
            "unknown_station",
            Severity.WARNING,
            f"unknown_station:{event.station_id}",
            "station",
            str(event.station_id),
            {"station": event.identity},
        )
        await self.raise_(event.org_id, None, cause)

    async def _on_decided(self, event: StationApproved | StationChanged) -> None:
        pending = isinstance(event, StationChanged) and event.state == StationState.PENDING
        if not pending:
            await self.resolve(event.org_id, f"unknown_station:{event.station_id}")

    def places(self, kind: str) -> set[tuple[UUID, UUID]]:
        """Organisation and site of every open alert of a kind that is a site's."""
        return {
            (alert.org_id, alert.site_id)
            for alert in self._open.values()
            if alert.kind == kind and alert.site_id is not None
        }

    def keys(self, kind: str) -> list[tuple[UUID, str]]:
        """Organisation and key of every open alert of a kind."""
        return [place for place, alert in self._open.items() if alert.kind == kind]

    def open_alert(self, org_id: UUID, key: str) -> Alert | None:
        return self._open.get((org_id, key))

    def open_now(self, org_id: UUID, site_id: UUID | None = None) -> list[Alert]:
        """Open alerts, the most severe first, then the oldest."""
        ranks = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}
        found = [
            alert
            for (owner, _), alert in self._open.items()
            if owner == org_id and (site_id is None or alert.site_id == site_id)
        ]
        return sorted(found, key=lambda a: (ranks[a.severity], a.opened_at, a.id))

    async def sync(
        self, org_id: UUID, site_id: UUID, kinds: Iterable[str], causes: Sequence[Cause]
    ) -> None:
        """Make the open alerts of ``kinds`` at a site exactly those of ``causes``."""
        watched = frozenset(kinds)
        wanted = {cause.key: cause for cause in causes}
        gone = [
            alert
            for (owner, key), alert in self._open.items()
            if owner == org_id
            and alert.site_id == site_id
            and alert.kind in watched
            and key not in wanted
        ]
        await self._apply(org_id, site_id, list(wanted.values()), gone)

    async def raise_(self, org_id: UUID, site_id: UUID | None, cause: Cause) -> None:
        """Open it, or bring the facts of the open one up to date."""
        await self._apply(org_id, site_id, [cause], [])

    async def resolve(self, org_id: UUID, key: str) -> None:
        """The cause is gone; nothing happens when no alert was open."""
        alert = self._open.get((org_id, key))
        if alert is not None:
            await self._apply(org_id, alert.site_id, [], [alert])

    async def _apply(
        self, org_id: UUID, site_id: UUID | None, causes: Sequence[Cause], gone: Sequence[Alert]
    ) -> None:
        async with self._turn(org_id):
            now = self._clock.now()
            opened: list[Alert] = []
            changed: list[News] = []
            for cause in causes:
                known = self._open.get((org_id, cause.key))
                if known is None:
                    opened.append(self._new(org_id, site_id, cause))
                elif (news := _news(known, cause, now)) is not None:
                    changed.append(news)
            still = [now_ for alert in gone if (now_ := self._open.get((org_id, alert.key)))]
            ended = [replace(alert, resolved_at=now, updated_at=now) for alert in still]
            if not (opened or changed or ended):
                return
            async with scope.transaction(self._database, scope.of(org_id)) as tx:
                opened = [alert for alert in opened if await store.insert(tx, alert)]
                await store.update(tx, [*(news.alert for news in changed), *ended])
                told = [News(alert, Topic.OPENED) for alert in opened]
                told += [*changed, *(News(alert, Topic.RESOLVED) for alert in ended)]
                await self._stage(tx, told)
            self._keep(told)
        await self._tell(told)

    def _turn(self, org_id: UUID) -> asyncio.Lock:
        """Held from reading an organisation's alerts until what follows from them is committed: an
        acknowledgement and a change of its cause must not undo each other. Not while it is told:
        whoever hears of an alert may raise another."""
        return self._turns.setdefault(org_id, asyncio.Lock())

    async def _stage(self, tx: Tx, told: Sequence[News]) -> None:
        if self.outbox is not None and told:
            await self.outbox.stage(tx, told)

    def _keep(self, told: Sequence[News]) -> None:
        for news in told:
            alert = news.alert
            if alert.resolved_at is None:
                self._open[(alert.org_id, alert.key)] = alert
            else:
                self._open.pop((alert.org_id, alert.key), None)

    async def _tell(self, told: Sequence[News]) -> None:
        if self.outbox is not None and told:
            self.outbox.wake()
        await self._publish(
            [news.alert for news in told if news.topic is Topic.OPENED],
            [n.alert for n in told if n.topic not in (Topic.OPENED, Topic.RESOLVED)],
            [news.alert for news in told if news.topic is Topic.RESOLVED],
        )

    def _new(self, org_id: UUID, site_id: UUID | None, cause: Cause) -> Alert:
        now = self._clock.now()
        return Alert(
            id=uuid5(org_id, f"{cause.key} {now.isoformat()}"),
            org_id=org_id,
            site_id=site_id,
            kind=cause.kind,
            severity=cause.severity,
            key=cause.key,
            opened_at=now,
            params=cause.params,
            object_kind=cause.object_kind,
            object_id=cause.object_id,
            updated_at=now,
            stage=cause.stage,
            ends_at=cause.ends_at,
        )

    async def _publish(
        self, opened: Sequence[Alert], changed: Sequence[Alert], resolved: Sequence[Alert]
    ) -> None:
        now = self._clock.now()
        for a in opened:
            await self._bus.publish(
                AlertOpened(
                    a.org_id,
                    a.site_id,
                    a.id,
                    a.kind,
                    a.severity.value,
                    a.key,
                    now,
                    a.object_kind,
                    a.object_id,
                    a.params,
                )
            )
        for a in changed:
            await self._bus.publish(AlertChanged(a.org_id, a.site_id, a.id, a.kind, now))
        for a in resolved:
            await self._bus.publish(AlertResolved(a.org_id, a.site_id, a.id, a.kind, a.key, now))

    async def list(
        self, org_id: UUID, wanted: AlertFilter | None = None, limit: int = 100
    ) -> Sequence[Alert]:
        """Newest first; the filter of the next page names the last row of this one."""
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            return await store.find(tx, wanted or AlertFilter(), max(1, min(limit, MAX_PAGE)))

    async def page(
        self, org_id: UUID, wanted: AlertFilter, *, limit: int, offset: int = 0
    ) -> tuple[Sequence[Alert], int]:
        """Open ones first, then the newest; and how many there are in all."""
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            return await store.page(tx, wanted, limit, offset)

    async def get(self, org_id: UUID, alert_id: UUID) -> Alert:
        """Raises NotFound."""
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            return await _alert(tx, alert_id)

    async def acknowledge(self, who: Principal, alert_id: UUID, *, remote: str = "") -> Alert:
        """A person has seen it; it stays open until its cause ends. Again changes nothing.

        Nobody is told of it any more, unless it becomes more severe.
        """
        _require(who)
        async with self._changing(who.org_id) as (tx, told):
            now, alert = self._clock.now(), await _alert(tx, alert_id)
            if alert.acknowledged_at is not None:
                return alert
            alert = replace(alert, acknowledged_at=now, acknowledged_by=who.name, updated_at=now)
            told.append(News(alert, Topic.ACKNOWLEDGED, silent=True))
            await audit.write(
                tx, who, "alert.acknowledge", "alert", alert_id, at=now, remote=remote
            )
        return alert

    async def snooze(
        self, who: Principal, alert_id: UUID, until_at: datetime, *, remote: str = ""
    ) -> Alert:
        """Tell nobody of it until then; then, if it is open still, tell it again.

        Raises Invalid for a time that is past or more than a week ahead, Conflict when it is
        resolved.
        """
        _require(who)
        now = self._clock.now()
        least, most = (now + timedelta(seconds=s) for s in (SNOOZE_MIN_S, SNOOZE_MAX_S))
        async with self._changing(who.org_id) as (tx, told):
            alert = await _alert(tx, alert_id)
            if until_at.tzinfo is None or not least <= until_at <= most:
                raise Invalid(
                    "An alert sleeps for a minute to a week.",
                    fields={"until_at": "a minute to a week from now"},
                )
            if alert.resolved_at is not None:
                raise Conflict("The alert is resolved.", code="alert_resolved")
            alert = replace(alert, snoozed_until=until_at, snoozed_by=who.name, updated_at=now)
            told.append(News(alert, Topic.SNOOZED, silent=True))
            detail = {"until_at": until_at.isoformat()}
            await audit.write(
                tx, who, "alert.snooze", "alert", alert_id, detail, at=now, remote=remote
            )
        return alert

    async def tick(self) -> None:
        """What is old news is resolved; what slept and is open still is told again."""
        now = self._clock.now()
        due = [
            alert
            for alert in self._open.values()
            if (alert.ends_at is not None and alert.ends_at <= now)
            or (alert.snoozed_until is not None and alert.snoozed_until <= now)
        ]
        for alert in sorted(due, key=lambda alert: alert.id):
            if alert.ends_at is not None and alert.ends_at <= now:
                await self._apply(alert.org_id, alert.site_id, [], [alert])
            else:
                await self._awake(alert.org_id, alert.key)

    async def _awake(self, org_id: UUID, key: str) -> None:
        async with self._changing(org_id) as (_, told):
            now, alert = self._clock.now(), self._open.get((org_id, key))
            if alert is not None and alert.snoozed_until and alert.snoozed_until <= now:
                awake = replace(alert, snoozed_until=None, snoozed_by=None, updated_at=now)
                told.append(News(awake, Topic.AGAIN, silent=awake.acknowledged_at is not None))

    @asynccontextmanager
    async def _changing(self, org_id: UUID) -> AsyncIterator[tuple[Tx, Told]]:
        """One change of alerts that are there: what is appended is stored and told."""
        told = Told()
        async with self._turn(org_id):
            async with scope.transaction(self._database, scope.of(org_id)) as tx:
                yield tx, told
                if told:
                    await store.update(tx, [news.alert for news in told])
                    await self._stage(tx, told)
            self._keep(told)
        if told:
            await self._tell(told)


def _news(known: Alert, cause: Cause, now: datetime) -> News | None:
    """What a cause told again changes about its open alert.

    A higher severity ends an acknowledgement and a snooze: somebody took note of less.
    """
    same = known.params == cause.params and known.ends_at == cause.ends_at
    if same and known.severity is cause.severity and known.stage >= cause.stage:
        return None
    alert = replace(
        known,
        params=cause.params,
        severity=cause.severity,
        stage=max(known.stage, cause.stage),
        ends_at=cause.ends_at,
        updated_at=now,
    )
    worse = cause.severity.rank > known.severity.rank
    if worse:
        alert = replace(
            alert,
            acknowledged_at=None,
            acknowledged_by=None,
            snoozed_until=None,
            snoozed_by=None,
        )
    if worse or cause.stage > known.stage:
        quiet = alert.acknowledged_at is not None or alert.sleeps(now)
        return News(alert, Topic.RAISED, silent=quiet)
    return News(alert, Topic.CHANGED, silent=True)


def _require(who: Principal) -> None:
    if not who.may(Permission.ALERTS_WRITE):
        raise Forbidden("You may not acknowledge alerts.")


async def _alert(tx: Tx, alert_id: UUID) -> Alert:
    alert = await store.get(tx, alert_id)
    if alert is None:
        raise NotFound("There is no such alert.")
    return alert

"""Alerts: opened once per cause, updated, acknowledged by a person, resolved by themselves."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid5

from voltyard.alerts import store
from voltyard.alerts.events import AlertChanged, AlertOpened, AlertResolved
from voltyard.alerts.model import Alert, Severity
from voltyard.alerts.store import AlertFilter
from voltyard.bus import Bus
from voltyard.chargers.events import StationApproved, StationChanged, StationSeen
from voltyard.chargers.model import StationState
from voltyard.clock import Clock
from voltyard.errors import Forbidden, NotFound
from voltyard.storage.engine import Database, Tx
from voltyard.tenancy import audit, scope
from voltyard.tenancy.model import Permission, Principal

__all__ = ["AlertFilter", "AlertService"]

MAX_PAGE = 500


@dataclass(frozen=True, slots=True)
class Cause:
    """Something a person must know. ``key`` names it; facts in ``params`` may change."""

    kind: str
    severity: Severity
    key: str
    object_kind: str = ""
    object_id: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)


class AlertService:
    """Keeps open alerts in memory; the database's unique index is the last word on "once"."""

    def __init__(self, database: Database, bus: Bus, clock: Clock) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._open: dict[tuple[UUID, str], Alert] = {}

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
        now = self._clock.now()
        opened: list[Alert] = []
        changed: list[Alert] = []
        for cause in causes:
            known = self._open.get((org_id, cause.key))
            if known is None:
                opened.append(self._new(org_id, site_id, cause))
            elif known.params != cause.params or known.severity is not cause.severity:
                changed.append(
                    replace(known, params=cause.params, severity=cause.severity, updated_at=now)
                )
        resolved = [replace(alert, resolved_at=now, updated_at=now) for alert in gone]
        if not (opened or changed or resolved):
            return
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            opened = [alert for alert in opened if await store.insert(tx, alert)]
            await store.update(tx, [*changed, *resolved])
        for alert in (*opened, *changed):
            self._open[(org_id, alert.key)] = alert
        for alert in resolved:
            self._open.pop((org_id, alert.key), None)
        await self._publish(opened, changed, resolved)

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

    async def get(self, org_id: UUID, alert_id: UUID) -> Alert:
        """Raises NotFound."""
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            return await _alert(tx, alert_id)

    async def acknowledge(self, who: Principal, alert_id: UUID, *, remote: str = "") -> Alert:
        """A person has seen it; it stays open until its cause ends. Again changes nothing."""
        if not who.may(Permission.ALERTS_WRITE):
            raise Forbidden("You may not acknowledge alerts.")
        now = self._clock.now()
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            alert = await _alert(tx, alert_id)
            if alert.acknowledged_at is not None:
                return alert
            alert = replace(alert, acknowledged_at=now, acknowledged_by=who.name, updated_at=now)
            await store.update(tx, [alert])
            await audit.write(
                tx, who, "alert.acknowledge", "alert", alert_id, at=now, remote=remote
            )
        if (alert.org_id, alert.key) in self._open and alert.resolved_at is None:
            self._open[(alert.org_id, alert.key)] = alert
        await self._publish([], [alert], [])
        return alert


async def _alert(tx: Tx, alert_id: UUID) -> Alert:
    alert = await store.get(tx, alert_id)
    if alert is None:
        raise NotFound("There is no such alert.")
    return alert

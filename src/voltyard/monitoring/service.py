"""Monitors of chargers' variables: set, read, their events kept, grave ones told as alerts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from voltyard.alerts.model import Severity
from voltyard.alerts.service import AlertService, Cause
from voltyard.bus import Bus
from voltyard.chargers.commands import (
    Command,
    CommandResult,
    ForgetMonitors,
    MonitorBase,
    ReadMonitors,
    SetMonitorBase,
    SetMonitorLevel,
    WatchVariable,
)
from voltyard.chargers.events import MonitorsTold, VariableEventsTold
from voltyard.chargers.model import Monitor, VariableEvent
from voltyard.chargers.service import ChargerService
from voltyard.clock import Clock
from voltyard.monitoring import store
from voltyard.monitoring.model import Judgement, StoredEvent, StoredMonitor, judged
from voltyard.storage.engine import Database
from voltyard.tenancy import audit, scope
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal

KEEP_EVENTS = timedelta(days=90)
PAGE_MAX = 1_000
MONITORS_MAX = 5_000
ALERT = "station_event"
_SEVERITY: Mapping[Judgement, Severity] = {
    Judgement.CRITICAL: Severity.CRITICAL,
    Judgement.WARNING: Severity.WARNING,
}


@dataclass(frozen=True, slots=True)
class _Report:
    report_id: int
    asked_at: datetime


class MonitoringService:
    def __init__(
        self,
        database: Database,
        bus: Bus,
        clock: Clock,
        chargers: ChargerService,
        alerts: AlertService,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._chargers = chargers
        self._alerts = alerts
        self._reports: dict[UUID, _Report] = {}
        self._asked = 0

    def listen(self) -> None:
        self._bus.subscribe(VariableEventsTold, self._on_events, name="monitoring.events")
        self._bus.subscribe(MonitorsTold, self._on_monitors, name="monitoring.monitors")

    # what chargers tell

    async def _on_events(self, told: VariableEventsTold) -> None:
        async with scope.transaction(self._database, scope.of(told.org_id)) as tx:
            held = await store.monitors(tx, told.station_id)
            severities = {one.monitor.monitor_id: one.monitor.severity for one in held}
            events = [_graded(event, severities) for event in told.events]
            for event in events:
                key = f"{event.event_id}|{event.at.isoformat()}|{event.variable}|{event.cleared}"
                stored = StoredEvent(
                    uuid5(told.station_id, key), told.station_id, told.site_id, told.at, event
                )
                await store.save_event(tx, told.org_id, stored)
        for event in events:
            await self._judge(told, event)

    async def _judge(self, told: VariableEventsTold, event: VariableEvent) -> None:
        key = f"{ALERT}:{told.station_id}:{event.variable}"
        judgement = judged(event, event.severity)
        if judgement is Judgement.OVER:
            await self._alerts.resolve(told.org_id, key)
        severity = _SEVERITY.get(judgement)
        if severity is None:
            return
        station = self._chargers.station(told.station_id)
        params = {
            "station": "" if station is None else station.name or station.identity,
            "variable": event.variable,
            "value": event.value[:200],
            "info": (event.tech_info or event.tech_code)[:200],
            "at": event.at.isoformat(),
        }
        cause = Cause(ALERT, severity, key, "station", str(told.station_id), params)
        await self._alerts.raise_(told.org_id, told.site_id, cause)

    async def _on_monitors(self, told: MonitorsTold) -> None:
        asked = self._reports.get(told.station_id)
        async with scope.transaction(self._database, scope.of(told.org_id)) as tx:
            monitors = told.monitors[:MONITORS_MAX]
            await store.save_monitors(tx, told.org_id, told.station_id, monitors, told.at)
            if told.complete and asked is not None and asked.report_id == told.report_id:
                await store.drop_monitors_before(tx, told.station_id, asked.asked_at)
        if told.complete and asked is not None and asked.report_id == told.report_id:
            self._reports.pop(told.station_id, None)

    async def drop_old(self) -> None:
        """Events beyond ``KEEP_EVENTS``."""
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            await store.drop_events_before(tx, self._clock.now() - KEEP_EVENTS)

    # what people ask

    async def watch(
        self, who: Principal, station_id: UUID, watched: WatchVariable
    ) -> CommandResult:
        """Have a variable watched; kept with the id the charger gave it."""
        result = await self._ask(who, station_id, watched)
        number = result.detail.get("monitor_id", watched.monitor_id)
        if result.accepted and number is not None:
            monitor = Monitor(
                number,
                watched.variable,
                watched.kind.value,
                watched.value,
                watched.severity,
                watched.only_in_transaction,
                "CustomMonitor",
            )
            async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
                now = self._clock.now()
                await store.save_monitors(tx, who.org_id, station_id, [monitor], now)
        return result

    async def forget(
        self, who: Principal, station_id: UUID, monitor_ids: tuple[int, ...]
    ) -> CommandResult:
        """What the charger would not let go of stays listed."""
        result = await self._ask(who, station_id, ForgetMonitors(monitor_ids))
        words: Mapping[str, str] = result.detail.get("monitors", {})
        gone = [number for number in monitor_ids if words.get(str(number)) in _GONE]
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            await store.drop_monitors(tx, station_id, gone)
        return result

    async def read(self, who: Principal, station_id: UUID) -> CommandResult:
        """Have all monitors told; they come in reports, and what is in none of them is gone."""
        now = self._clock.now()
        self._asked += 1
        number = (int(now.timestamp()) + self._asked) % 2_000_000_000
        self._reports[station_id] = _Report(number, now)
        return await self._ask(who, station_id, ReadMonitors(number))

    async def set_base(self, who: Principal, station_id: UUID, base: MonitorBase) -> CommandResult:
        """Then they are read again: the base may have removed what was set."""
        result = await self._ask(who, station_id, SetMonitorBase(base))
        if result.accepted:
            await self.read(who, station_id)
        return result

    async def set_level(self, who: Principal, station_id: UUID, severity: int) -> CommandResult:
        return await self._ask(who, station_id, SetMonitorLevel(severity))

    async def monitors(self, org_id: UUID, station_id: UUID) -> list[StoredMonitor]:
        """As last told, the gravest first."""
        self._chargers.station_view(org_id, station_id)
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            return await store.monitors(tx, station_id)

    async def events(
        self,
        org_id: UUID,
        station_id: UUID | None = None,
        *,
        severity_max: int | None = None,
        since: datetime | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> list[StoredEvent]:
        """Newest first; of all chargers without ``station_id``."""
        if station_id is not None:
            self._chargers.station_view(org_id, station_id)
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            return await store.events(
                tx,
                station_id=station_id,
                severity_max=severity_max,
                since=since,
                limit=min(limit, PAGE_MAX),
                offset=offset,
            )

    async def _ask(self, who: Principal, station_id: UUID, command: Command) -> CommandResult:
        require(who, Permission.CHARGERS_WRITE)
        self._chargers.station_view(who.org_id, station_id)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            now = self._clock.now()
            detail = {"command": type(command).__name__}
            await audit.write(tx, who, "monitoring.ask", "station", station_id, detail, at=now)
        return await self._chargers.command(station_id, command, who.name)


_GONE = frozenset({"Accepted", "NotFound"})


def _graded(event: VariableEvent, severities: Mapping[int, int]) -> VariableEvent:
    """With its monitor's severity, where the charger did not say (2.0.1)."""
    if event.severity is not None or event.monitor_id is None:
        return event
    return replace(event, severity=severities.get(event.monitor_id))

"""Alerts on the real database: once per cause, acknowledged, resolved by themselves."""

import pytest
from energy_yard import START, Depot, HandClock

from voltyard.alerts.events import AlertChanged, AlertOpened, AlertResolved
from voltyard.alerts.model import Severity
from voltyard.alerts.service import AlertService, Cause
from voltyard.alerts.store import AlertFilter
from voltyard.bus import Bus
from voltyard.chargers.events import StationChanged, StationSeen
from voltyard.errors import Forbidden, NotFound
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy import scope
from voltyard.tenancy.model import Permission

LATE = Cause("duty_at_risk", Severity.CRITICAL, "duty_at_risk:1", "duty", "1", {"shortfall_wh": 5})
OFFLINE = Cause("charger_offline", Severity.WARNING, "charger_offline:1", "station", "1")


class Room:
    def __init__(self, database: PostgresDatabase, clock: HandClock, depot: Depot) -> None:
        self.bus = Bus()
        self.heard: list[object] = []
        for event in (AlertOpened, AlertChanged, AlertResolved):
            self.bus.subscribe(event, self._hear, name=f"test.{event.__name__}")
        self.alerts = AlertService(database, self.bus, clock)
        self.depot = depot

    async def _hear(self, event: object) -> None:
        self.heard.append(type(event).__name__)

    async def sync(self, *causes: Cause) -> None:
        kinds = ("duty_at_risk", "charger_offline")
        await self.alerts.sync(self.depot.org_id, self.depot.site_id, kinds, causes)


@pytest.fixture
def room(database: PostgresDatabase, clock: HandClock, depot: Depot) -> Room:
    return Room(database, clock, depot)


async def test_a_cause_is_one_alert_however_often_it_is_told(room: Room) -> None:
    await room.sync(LATE, OFFLINE)
    await room.sync(LATE, OFFLINE)
    assert room.heard == ["AlertOpened", "AlertOpened"]
    assert [a.kind for a in room.alerts.open_now(room.depot.org_id)] == [
        "duty_at_risk",
        "charger_offline",
    ]


async def test_new_facts_change_the_open_alert(room: Room, clock: HandClock) -> None:
    await room.sync(LATE)
    clock.forward(60)
    worse = Cause(LATE.kind, LATE.severity, LATE.key, "duty", "1", {"shortfall_wh": 9})
    await room.sync(worse)
    (alert,) = await room.alerts.list(room.depot.org_id)
    assert alert.params == {"shortfall_wh": 9}
    assert alert.updated_at == clock.now()
    assert room.heard == ["AlertOpened", "AlertChanged"]


async def test_it_resolves_by_itself_and_may_open_again(room: Room, clock: HandClock) -> None:
    await room.sync(LATE)
    clock.forward(60)
    await room.sync()
    assert room.alerts.open_now(room.depot.org_id) == []
    clock.forward(60)
    await room.sync(LATE)
    found = await room.alerts.list(room.depot.org_id)
    assert [alert.resolved_at is None for alert in found] == [True, False]


async def test_alerts_of_other_kinds_are_left_alone(room: Room) -> None:
    other = Cause("unknown_station", Severity.INFO, "unknown_station:7")
    await room.alerts.raise_(room.depot.org_id, room.depot.site_id, other)
    await room.sync()
    assert len(room.alerts.open_now(room.depot.org_id)) == 1
    await room.alerts.resolve(room.depot.org_id, other.key)
    await room.alerts.resolve(room.depot.org_id, other.key)
    assert room.heard == ["AlertOpened", "AlertResolved"]


async def test_open_alerts_survive_a_restart(
    room: Room, database: PostgresDatabase, clock: HandClock, depot: Depot
) -> None:
    await room.sync(LATE)
    again = Room(database, clock, depot)
    await again.alerts.load()
    await again.sync(LATE)
    assert again.heard == []
    await again.sync()
    assert again.heard == ["AlertResolved"]


async def test_a_second_process_does_not_open_it_twice(
    room: Room, database: PostgresDatabase, clock: HandClock, depot: Depot
) -> None:
    await room.sync(LATE)
    clock.forward(1)
    other = Room(database, clock, depot)
    await other.sync(LATE)
    assert other.heard == []
    assert len(await room.alerts.list(depot.org_id)) == 1


async def test_acknowledging_is_audited_and_does_not_close(
    room: Room, database: PostgresDatabase
) -> None:
    await room.sync(LATE)
    (alert,) = room.alerts.open_now(room.depot.org_id)
    who = room.depot.principal(Permission.ALERTS_WRITE)
    seen = await room.alerts.acknowledge(who, alert.id)
    assert seen.acknowledged_by == "Ada"
    assert (await room.alerts.acknowledge(who, alert.id)).acknowledged_at == seen.acknowledged_at
    assert room.alerts.open_now(room.depot.org_id)[0].acknowledged_by == "Ada"
    async with scope.transaction(database, scope.of(room.depot.org_id)) as tx:
        rows = await tx.all("SELECT action, object_id FROM audit_log")
    assert [(row["action"], row["object_id"]) for row in rows] == [
        ("alert.acknowledge", str(alert.id))
    ]


async def test_who_may_not_and_who_is_a_stranger(room: Room, database: PostgresDatabase) -> None:
    await room.sync(LATE)
    (alert,) = room.alerts.open_now(room.depot.org_id)
    with pytest.raises(Forbidden):
        await room.alerts.acknowledge(room.depot.principal(), alert.id)
    stranger = await Depot().insert(database)
    with pytest.raises(NotFound):
        await room.alerts.acknowledge(stranger.principal(Permission.ALERTS_WRITE), alert.id)
    assert await room.alerts.list(stranger.org_id) == []


async def test_filters_and_pages(room: Room, clock: HandClock) -> None:
    for number in range(5):
        clock.forward(1)
        cause = Cause("limit_near", Severity.INFO, f"limit_near:{number}", "node", str(number))
        await room.alerts.raise_(room.depot.org_id, room.depot.site_id, cause)
    await room.sync(LATE)
    first = await room.alerts.list(room.depot.org_id, AlertFilter(kinds=("limit_near",)), 3)
    last = first[-1]
    rest = await room.alerts.list(
        room.depot.org_id,
        AlertFilter(kinds=("limit_near",), opened_before_at=last.opened_at, before_id=last.id),
        3,
    )
    assert [alert.object_id for alert in (*first, *rest)] == ["4", "3", "2", "1", "0"]
    critical = AlertFilter(severity=Severity.CRITICAL, open=True, acknowledged=False)
    assert [a.kind for a in await room.alerts.list(room.depot.org_id, critical)] == ["duty_at_risk"]
    assert await room.alerts.list(room.depot.org_id, AlertFilter(open=False)) == []


async def test_an_unknown_station_is_told_until_somebody_decides(room: Room) -> None:
    room.alerts.listen()
    org_id, station_id = room.depot.org_id, room.depot.station_id
    await room.bus.publish(StationSeen(org_id, station_id, "CP9", START))
    await room.bus.publish(StationSeen(org_id, station_id, "CP9", START))
    (alert,) = room.alerts.open_now(org_id)
    assert (alert.kind, alert.params) == ("unknown_station", {"station": "CP9"})
    await room.bus.publish(StationChanged(org_id, None, station_id, "rejected", START))
    assert room.alerts.open_now(org_id) == []

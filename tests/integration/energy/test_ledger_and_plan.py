"""Ceilings, plans, forecasts, limits by hand and power samples on the real database."""

from dataclasses import replace
from datetime import timedelta

import pytest
from energy_yard import START, Depot, HandClock

from voltyard.bus import Bus
from voltyard.chargers.model import Evse
from voltyard.energy import store
from voltyard.energy.confirm import FallbackState, Held, Live
from voltyard.energy.events import PlanMade
from voltyard.energy.ledger import StoredLedger
from voltyard.energy.model import Plan
from voltyard.energy.planning import Planning, PlanningParts
from voltyard.energy.ports import SiteSetup
from voltyard.energy.records import ForecastRow, GrantRow, PowerSample
from voltyard.fleets.service import FleetService
from voltyard.sites.service import SiteService
from voltyard.storage.engine import PostgresDatabase
from voltyard.storage.groupcommit import GroupCommit
from voltyard.tenancy import scope
from voltyard.timetable.model import Duty, DutyState


async def test_a_ceiling_comes_back(
    database: PostgresDatabase, commits: GroupCommit, depot: Depot
) -> None:
    ledger = StoredLedger(database, commits)
    until = START + timedelta(minutes=16)
    held = Held(5_000.0, (Live(90_000.0, until),), FallbackState.VERIFIED)
    row = GrantRow(depot.evse_id, held, 90_000.0, START)
    await ledger.save(depot.org_id, depot.site_id, [row])
    assert list(await ledger.grants(depot.site_id)) == [row]
    idle = replace(row, held=Held(5_000.0, (), FallbackState.SENT), granted_w=0.0)
    await ledger.save(depot.org_id, depot.site_id, [idle])
    assert list(await ledger.grants(depot.site_id)) == [idle]


async def test_a_pause_is_stored_at_the_failsafe_it_counts_at(
    database: PostgresDatabase, commits: GroupCommit, depot: Depot
) -> None:
    ledger = StoredLedger(database, commits)
    paused = Held(5_000.0, (Live(0.0, START + timedelta(minutes=16)),))
    await ledger.save(depot.org_id, depot.site_id, [GrantRow(depot.evse_id, paused, 0.0, START)])
    (found,) = await ledger.grants(depot.site_id)
    assert found.held.ceiling_w == paused.ceiling_w


async def test_a_limit_by_hand_comes_back(
    database: PostgresDatabase, commits: GroupCommit, depot: Depot
) -> None:
    until = START + timedelta(hours=1)
    async with scope.transaction(database, scope.of(depot.org_id)) as tx:
        for power_w in (90_000.0, 50_000.0):
            await store.save_override(
                tx, depot.org_id, depot.site_id, depot.root_id, power_w, until, "Ada"
            )
    (found,) = await StoredLedger(database, commits).overrides(depot.site_id)
    assert (found.power_w, found.until_at, found.set_by) == (50_000.0, until, "Ada")


async def test_a_series_is_read_in_buckets(
    database: PostgresDatabase, commits: GroupCommit, depot: Depot
) -> None:
    samples = [
        PowerSample(START + timedelta(minutes=i), depot.root_id, 1000.0 * i, 2000.0, 0.0, None, 9e4)
        for i in range(30)
    ]
    await commits.submit([store.sample_write(depot.org_id, depot.site_id, s) for s in samples])
    async with scope.transaction(database, scope.of(depot.org_id)) as tx:
        rows = await store.samples(tx, depot.root_id, START, START + timedelta(hours=1), 900)
        assert [row["measured_w"] for row in rows] == [14_000.0, 29_000.0]
        over = await store.samples_over_limit(tx, depot.site_id, START, START + timedelta(hours=1))
    assert over == []
    stranger = await Depot().insert(database)
    async with scope.transaction(database, scope.of(stranger.org_id)) as tx:
        assert await store.samples(tx, depot.root_id, START, START + timedelta(hours=1), 60) == []


class Duties:
    def __init__(self) -> None:
        self.found: list[Duty] = []

    async def duties(self, *_: object) -> list[Duty]:
        return self.found


async def _inline(work):  # type: ignore[no-untyped-def]
    return work()


class PlanRoom:
    def __init__(
        self, database: PostgresDatabase, commits: GroupCommit, clock: HandClock, depot: Depot
    ) -> None:
        self.bus, self.duties, self.made = Bus(), Duties(), list[PlanMade]()
        self.bus.subscribe(PlanMade, self._hear, name="test.plan")
        self.fleets = FleetService(database, self.bus, clock)
        self.sites = SiteService(database, self.bus, clock)
        parts = PlanningParts(database, commits, self.bus, clock, self.duties, self.fleets, _inline)
        self.planning = Planning(depot.site_id, parts)

    async def _hear(self, event: PlanMade) -> None:
        self.made.append(event)


async def _setup(room: PlanRoom, depot: Depot) -> SiteSetup:
    site = await room.sites.get(depot.site_id)
    evse = Evse(depot.evse_id, depot.org_id, depot.site_id, depot.station_id, 1, "1")
    return SiteSetup(site, await room.sites.tree(depot.site_id), (), (evse,))


@pytest.mark.parametrize(("departure_h", "late"), [(9.0, False), (1.0, True)])
async def test_a_plan_is_stored_with_the_forecast_of_every_duty(
    database: PostgresDatabase,
    commits: GroupCommit,
    clock: HandClock,
    depot: Depot,
    departure_h: float,
    late: bool,
) -> None:
    duty_id = await depot.duty(database)
    room = PlanRoom(database, commits, clock, depot)
    room.duties.found = [
        Duty(
            duty_id,
            depot.org_id,
            depot.site_id,
            "duty 1",
            START - timedelta(hours=1),
            START + timedelta(hours=departure_h),
            depot.vehicle_id,
            soc_arrival_pct=30.0,
            target_soc_pct=90.0,
            state=DutyState.PLANNED,
        )
    ]
    setup = await _setup(room, depot)
    await room.planning.start(setup)
    room.planning.begin(clock.now())
    await room.planning.make(clock.now(), setup, ())
    assert isinstance(room.planning.plan, Plan)
    row = room.planning.forecasts[duty_id]
    assert row.will_miss is late
    assert (row.first_missed_at == START) is late
    async with scope.transaction(database, scope.of(depot.org_id)) as tx:
        (stored,) = await store.forecasts(tx, depot.site_id)
        plan = await store.plan(tx, depot.site_id)
    assert stored == row
    assert plan is not None
    assert str(duty_id) in plan["payload"]["stays"]
    assert [event.will_miss for event in room.made] == [int(late)]


async def test_when_a_duty_was_first_late_survives_a_restart(
    database: PostgresDatabase, commits: GroupCommit, clock: HandClock, depot: Depot
) -> None:
    duty_id = await depot.duty(database)
    first = START - timedelta(hours=3)
    row = ForecastRow(duty_id, START, None, 50.0, 10_000.0, True, first, {})
    await commits.submit([store.forecast_write(depot.org_id, depot.site_id, row)])
    room = PlanRoom(database, commits, clock, depot)
    await room.planning.start(await _setup(room, depot))
    assert room.planning.forecasts[duty_id].first_missed_at == first

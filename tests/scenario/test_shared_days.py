"""A depot that two operators, the depot's own buses and public guests share, day and night."""

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest

from tests.conftest import Databases, fresh_database
from tests.scenario.judging import kept
from tests.scenario.shared_views import View, views
from voltyard.app import build_host
from voltyard.clock import Clock
from voltyard.simulator import promises
from voltyard.simulator.depot import DepotSpec
from voltyard.simulator.loop import run_virtual
from voltyard.simulator.night import NightResult, run_night
from voltyard.simulator.physics import possible
from voltyard.simulator.shared import BETA, BETA_BEST, EVENING, MONDAY, shared_depot
from voltyard.simulator.sharing import refused, sessions_of
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy import scope

WEDNESDAY = MONDAY + timedelta(days=2)


def days(databases: Databases, depot: DepotSpec, seed: int) -> tuple[NightResult, list[View]]:
    """What came of them, and what each operator sees when they are over."""
    with fresh_database(databases) as url:

        async def main(clock: Clock) -> NightResult:
            return await run_night([depot], lambda same: build_host(url, same), clock, seed=seed)

        done = run_virtual(main, depot.start_at - timedelta(minutes=5))
        depot_id, site_id = asyncio.run(place(url))
        seen = asyncio.run(views(url, depot_id, site_id, depot.end_at + timedelta(hours=1)))
    return done, seen


async def place(url: str) -> tuple[UUID, UUID]:
    database = PostgresDatabase(url, pool_size=1)
    async with scope.transaction(database, scope.SYSTEM) as tx:
        row = await tx.one("SELECT org_id, id FROM sites")
    await database.close()
    assert row is not None
    return row["org_id"], row["id"]


def judge(done: NightResult, depot: DepotSpec) -> None:
    kept(done)
    assert sum(len(checked.exceedances) for checked in done.truths.values()) == 0
    by_priority = Counter({depot.priority_of(stay): 0 for stay in depot.duties})
    for stay in done.duties:
        by_priority[depot.priority_of(stay.stay)] += stay.ready
    assert dict(by_priority) == dict(possible(depot, done.stays).ready_by_priority)
    assert not promises.late_without_warning(done)
    for stay in done.stays:
        expected = 0 if refused(depot, stay.stay) else 1
        begun = sessions_of(done, depot, stay)
        if stay.stay.is_duty or expected == 0:
            assert len(begun) == expected, stay


def told_apart(seen: list[View]) -> None:
    assert len(seen) == 2
    for view in seen:
        assert view.leaks == []
        assert view.missing == []
        assert view.open_doors == []
        assert view.asked > 100


def test_an_evening_too_short_for_all_serves_everybody_in_order_and_shows_each_its_own(
    databases: Databases,
) -> None:
    depot = shared_depot(1, 2, 1, first=WEDNESDAY, rhythm=EVENING)
    done, seen = days(databases, depot, 1)
    judge(done, depot)
    told_apart(seen)
    guests = [stay for stay in done.stays if depot.is_guest(stay.vehicle)]
    assert any(stay.energy_wh > 5_000.0 for stay in guests), "guests get what is left"
    assert {refused(depot, stay.stay) for stay in done.stays} >= {
        "Alpha is bound to Lane 1",
        "Beta is bound to Lane 2",
        "Lane 1 is kept for Alpha",
        "guests may not charge at that time",
    }
    late = [stay for stay in done.duties if not stay.ready]
    assert late, "the limit binds"
    assert {depot.priority_of(stay.stay) for stay in late} == {BETA_BEST}
    assert all(stay.stay.priority == 1 for stay in late), "whatever Beta asks for"


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_a_week_that_two_operators_and_guests_share(databases: Databases) -> None:
    depot = shared_depot(1, 4, 7)
    done, seen = days(databases, depot, 1)
    judge(done, depot)
    told_apart(seen)
    assert {each.name for each in depot.operators} > {BETA}
    served = [s for s in done.stays if depot.is_guest(s.vehicle) and s.energy_wh > 0.0]
    assert len(served) >= 30
    assert {stay.stay.arrival_at.weekday() for stay in served} == {0, 1, 2, 3, 4, 5}

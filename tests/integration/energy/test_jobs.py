"""Leases, jobs and retried events on the real database."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from energy_yard import Depot, HandClock

from voltyard.bus import Bus
from voltyard.chargers.events import StationBooted
from voltyard.eventlog import EventRetries
from voltyard.jobs import MAX_ATTEMPTS, Jobs, Leases
from voltyard.storage.engine import PostgresDatabase


async def test_one_holder_at_a_time(database: PostgresDatabase, clock: HandClock) -> None:
    mine, theirs = Leases(database, clock, "a"), Leases(database, clock, "b")
    assert await mine.take("site", 30) is not None
    assert await theirs.take("site", 30) is None
    clock.forward(20)
    assert await mine.take("site", 30) is not None
    clock.forward(20)
    assert await theirs.take("site", 30) is None
    clock.forward(10)
    assert await theirs.take("site", 30) is not None
    assert await mine.take("site", 30) is None


async def test_a_lease_is_given_up_or_taken_over_by_its_own_name(
    database: PostgresDatabase, clock: HandClock
) -> None:
    mine = Leases(database, clock, "a")
    await mine.take("site", 30)
    assert await Leases(database, clock, "a").take("site", 30) is not None
    await mine.give_up("site")
    assert await Leases(database, clock, "b").take("site", 30) is not None


async def test_a_lease_from_a_clock_that_was_set_back_does_not_bind(
    database: PostgresDatabase, clock: HandClock
) -> None:
    await Leases(database, clock, "a").take("site", 30)
    clock.forward(-86_400)
    assert await Leases(database, clock, "b").take("site", 30) is not None


async def test_holding_asks_the_database_only_at_half_time(
    database: PostgresDatabase, clock: HandClock
) -> None:
    mine = Leases(database, clock, "a")
    first = await mine.hold("site", 30)
    clock.forward(10)
    assert await mine.hold("site", 30) == first
    clock.forward(10)
    later = await mine.hold("site", 30)
    assert later is not None
    assert first is not None
    assert later > first


class Worker:
    def __init__(self) -> None:
        self.done: list[Any] = []
        self.fail = 0

    async def __call__(self, payload: Mapping[str, Any]) -> None:
        if self.fail > 0:
            self.fail -= 1
            raise ValueError("not today")
        self.done.append(payload["n"])


async def test_jobs_run_once_when_due(database: PostgresDatabase, clock: HandClock) -> None:
    jobs, worker = Jobs(database, clock, "a"), Worker()
    jobs.handle("count", worker)
    await jobs.add("count", {"n": 1}, unique_key="one")
    await jobs.add("count", {"n": 2}, unique_key="one")
    await jobs.add("other", {"n": 3})
    assert await jobs.run_due() == 1
    assert await jobs.run_due() == 0
    assert worker.done == [1]
    await jobs.add("count", {"n": 4}, unique_key="one")
    await jobs.run_due()
    assert worker.done == [1, 4]
    assert await jobs.forget_done(clock.now()) == 0
    clock.forward(1)
    assert await jobs.forget_done(clock.now()) == 2


async def test_a_job_that_fails_is_tried_later(
    database: PostgresDatabase, clock: HandClock
) -> None:
    jobs, worker = Jobs(database, clock, "a"), Worker()
    jobs.handle("count", worker)
    worker.fail = 1
    await jobs.add("count", {"n": 1})
    await jobs.run_due()
    assert await jobs.run_due() == 0
    clock.forward(10)
    assert await jobs.run_due() == 1
    assert worker.done == [1]


async def test_a_job_is_given_up_after_many_attempts(
    database: PostgresDatabase, clock: HandClock
) -> None:
    jobs, worker = Jobs(database, clock, "a"), Worker()
    jobs.handle("count", worker)
    worker.fail = 100
    await jobs.add("count", {"n": 1})
    for _ in range(MAX_ATTEMPTS + 3):
        await jobs.run_due()
        clock.forward(4000)
    assert worker.fail == 100 - MAX_ATTEMPTS


async def test_a_job_of_a_dead_worker_is_run_by_another(
    database: PostgresDatabase, clock: HandClock
) -> None:
    dead, alive, worker = Jobs(database, clock, "a"), Jobs(database, clock, "b"), Worker()
    for jobs in (dead, alive):
        jobs.handle("count", worker)
    await dead.add("count", {"n": 1})
    await dead._lease(1)
    assert await alive.run_due() == 0
    clock.forward(301)
    assert await alive.run_due() == 1


class Listener:
    def __init__(self) -> None:
        self.fail = True
        self.heard: list[UUID] = []

    async def __call__(self, event: StationBooted) -> None:
        if self.fail:
            raise RuntimeError("no")
        self.heard.append(event.station_id)


async def test_a_failed_delivery_is_repeated_until_it_works(
    database: PostgresDatabase, clock: HandClock, depot: Depot
) -> None:
    retries = EventRetries(database, clock)
    bus, listener, other = Bus(retries), Listener(), Listener()
    other.fail = False
    bus.subscribe(StationBooted, listener, name="listener")
    bus.subscribe(StationBooted, other, name="other")
    station_id = uuid4()
    event = StationBooted(depot.org_id, None, station_id, "PowerUp", clock.now())
    await bus.publish(event)
    assert len(await retries.waiting()) == 1
    clock.forward(10)
    assert await retries.redeliver(bus) == 0
    listener.fail = False
    assert await retries.redeliver(bus) == 0, "it waits longer after each failure"
    clock.forward(60)
    assert await retries.redeliver(bus) == 1
    assert listener.heard == [station_id]
    assert other.heard == [station_id], "who succeeded hears it once"
    assert await retries.waiting() == []


async def test_what_is_kept_after_an_idle_look_is_still_found(
    database: PostgresDatabase, clock: HandClock, depot: Depot
) -> None:
    retries = EventRetries(database, clock)
    bus, listener = Bus(retries), Listener()
    bus.subscribe(StationBooted, listener, name="listener")
    assert await retries.redeliver(bus) == 0
    await bus.publish(StationBooted(depot.org_id, None, uuid4(), None, clock.now()))
    listener.fail = False
    clock.forward(10)
    assert await retries.redeliver(bus) == 1

"""Whose study is next, and what becomes of one that does not end."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from voltyard.clock import ScaledClock
from voltyard.storage.engine import PostgresDatabase
from voltyard.study.orders import Material, Order, Source, State, Stored
from voltyard.study.processes import Answer, Tell
from voltyard.study.service import StudyService
from voltyard.tenancy.access import system_principal
from voltyard.tenancy.model import Principal

DEMO = Order(Source.DEMO, buses=8)


class Clock(ScaledClock):
    """Each look at it is a minute later; a time limit is over when it is said to be."""

    def __init__(self) -> None:
        super().__init__(datetime(2026, 1, 15, tzinfo=UTC))
        self._looks = 0
        self.limits: list[asyncio.Timeout] = []

    def now(self) -> datetime:
        self._looks += 1
        return datetime(2026, 1, 15, tzinfo=UTC) + timedelta(minutes=self._looks)

    def timeout(self, seconds: float) -> asyncio.Timeout:
        made = asyncio.timeout(None)
        self.limits.append(made)
        return made


@dataclass
class Worker:
    """Works until it is let."""

    begun: list[int] = field(default_factory=list)
    let: dict[int, asyncio.Event] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    broken: bool = False

    async def work(self, order: Order, material: Material, tell: Tell) -> Answer:
        self.begun.append(order.seed)
        self.news.set()
        if self.broken:
            raise ValueError("a line that is too long")
        await self.let.setdefault(order.seed, asyncio.Event()).wait()
        return Answer(None, "nothing")


@dataclass
class Queue:
    clock: Clock
    worker: Worker
    studies: StudyService

    async def ask(self, who: Principal, seed: int) -> Stored:
        return await self.studies.create(who, "", Order(Source.DEMO, buses=8, seed=seed))

    async def begun(self, count: int) -> list[int]:
        while len(self.worker.begun) < count:
            self.worker.news.clear()
            await self.worker.news.wait()
        return self.worker.begun

    async def let(self, seed: int) -> None:
        self.worker.let.setdefault(seed, asyncio.Event()).set()


@pytest.fixture
def queue(database: PostgresDatabase) -> Queue:
    clock, worker, nobody = Clock(), Worker(), Any
    return Queue(clock, worker, StudyService(database, clock, nobody, worker, clock))  # type: ignore[arg-type]


async def test_organisations_take_turns(queue: Queue) -> None:
    one, other, third = (system_principal(uuid4()) for _ in range(3))
    for seed in (1, 2, 3):
        await queue.ask(one, seed)
    for seed in (11, 12):
        await queue.ask(other, seed)
    await queue.ask(third, 21)
    assert await queue.begun(2) == [1, 11], "nobody waits for all that another has asked for"
    await queue.let(1)
    assert await queue.begun(3) == [1, 11, 21], "whoever had no turn yet comes first"
    await queue.let(11)
    assert await queue.begun(4) == [1, 11, 21, 2]
    for seed in (2, 3, 12, 21):
        await queue.let(seed)
    await queue.studies.idle()
    assert sorted(queue.worker.begun) == [1, 2, 3, 11, 12, 21]


async def test_a_study_that_takes_too_long_is_ended_and_the_next_begins(queue: Queue) -> None:
    who = system_principal(uuid4())
    endless, following = await queue.ask(who, 1), await queue.ask(who, 2)
    await queue.begun(1)
    queue.clock.limits[0].reschedule(asyncio.get_running_loop().time())
    assert await queue.begun(2) == [1, 2]
    assert (await queue.studies.one(who, endless.id)).state is State.TOO_LONG
    await queue.studies.cancel(who, following.id)
    await queue.studies.idle()
    await queue.let(1)
    await queue.studies.again(who, endless.id)
    await queue.studies.idle()
    assert (await queue.studies.one(who, endless.id)).state is State.REFUSED


async def test_what_breaks_unforeseen_does_not_run_for_ever(queue: Queue) -> None:
    who = system_principal(uuid4())
    queue.worker.broken = True
    study = await queue.ask(who, 1)
    await queue.studies.idle()
    assert (await queue.studies.one(who, study.id)).state is State.INTERRUPTED
    assert queue.worker.begun == [1, 1, 1]

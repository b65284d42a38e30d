"""A depot and its group commit on the real database."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from energy_yard import Depot, HandClock

from voltyard.storage.engine import PostgresDatabase
from voltyard.storage.groupcommit import GroupCommit


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def depot(database: PostgresDatabase) -> Depot:
    return await Depot().insert(database)


@pytest.fixture
async def commits(database: PostgresDatabase, clock: HandClock) -> AsyncIterator[GroupCommit]:
    made = GroupCommit(database, clock, window_s=0)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running

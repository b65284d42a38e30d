"""A charger service on the real database, with a clock moved by hand."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from charger_yard import EVENTS, HandClock, Yard, make_organisation

from voltyard.bus import Bus
from voltyard.storage.engine import PostgresDatabase
from voltyard.storage.groupcommit import GroupCommit


@pytest.fixture
async def yard(database: PostgresDatabase) -> AsyncIterator[Yard]:
    clock = HandClock()
    commits = GroupCommit(database, clock, window_s=0)
    yard = Yard(database, clock, Bus(), commits, uuid4(), uuid4())
    await make_organisation(yard)

    async def record(event: Any) -> None:
        yard.events.append(event)

    for kind in EVENTS:
        yard.bus.subscribe(kind, record, name="test")
    running = asyncio.create_task(commits.run())
    yield yard
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running

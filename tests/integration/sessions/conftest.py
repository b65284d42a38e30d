"""A session service on the real database, with a clock moved by hand."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from session_yard import HandClock, Yard, make_organisation

from voltyard.storage.engine import PostgresDatabase
from voltyard.storage.groupcommit import GroupCommit


@pytest.fixture
async def yard(database: PostgresDatabase) -> AsyncIterator[Yard]:
    clock = HandClock()
    commits = GroupCommit(database, clock, window_s=0)
    org_id, site_id = uuid4(), uuid4()
    await make_organisation(database, org_id, site_id)
    running = asyncio.create_task(commits.run())
    yard = Yard(database, clock, org_id, site_id, commits)
    await yard.restart()
    yield yard
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running

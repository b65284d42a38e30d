"""The console over the real services and the real database, with a small depot entered."""

from collections.abc import AsyncIterator

import httpx
import pytest
from console_world import PASSWORD, SEED, SOME_TIME, World, log_in, report_a_charge

from voltyard.app import build_core, first_organisation, rooms
from voltyard.clock import ScaledClock
from voltyard.config import Settings
from voltyard.serving.http import make_http
from voltyard.simulator import furnish
from voltyard.simulator.demo import demo_depot
from voltyard.storage.engine import PostgresDatabase


@pytest.fixture
async def world(database: PostgresDatabase) -> AsyncIterator[World]:
    depot = demo_depot(SEED, 8)
    core = build_core(
        Settings(), database, ScaledClock(depot.start_at + SOME_TIME), holder="test", inline=True
    )
    who = await first_organisation(core, PASSWORD)
    site_id = await furnish.furnish(rooms(core), who, depot)
    await core.chargers.load()
    await core.sessions.load()
    await core.alerts.load()
    core.spawn(core.commits.run(), "commits")
    await report_a_charge(core, who.org_id)
    app = make_http(core, b"a secret of the tests only", Settings())
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        world = World(core, client, who, site_id, depot)
        await log_in(world)
        yield world
    core.crash()

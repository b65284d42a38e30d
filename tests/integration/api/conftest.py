"""The API over the real services and the real database."""

from collections.abc import AsyncIterator

import pytest
from api_world import AT, Parts, Tenant, World, client_of, deps_of
from litestar import Litestar

from voltyard.api import problems
from voltyard.api.app import make_api
from voltyard.app import build_core
from voltyard.clock import ScaledClock
from voltyard.config import Settings
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy.passwords import PasswordBook, in_place
from voltyard.tenancy.service import TenancyService


@pytest.fixture
async def world(database: PostgresDatabase) -> AsyncIterator[World]:
    clock = ScaledClock(AT)
    core = build_core(Settings(), database, clock, holder="test", inline=True)
    people = TenancyService(database, clock, PasswordBook(in_place, time_cost=1, memory_kib=64))
    await core.chargers.load()
    await core.sessions.load()
    await core.alerts.load()
    core.spawn(core.commits.run(), "commits")
    parts = Parts()
    app = Litestar(
        make_api(deps_of(core, people, parts)),
        openapi_config=None,
        exception_handlers=problems.HANDLERS,
    )
    async with client_of(app) as client:
        yield World(core, client, parts, people)
    core.crash()


@pytest.fixture
async def tenant(world: World) -> Tenant:
    return await world.tenant("Depot")

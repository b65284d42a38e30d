"""The API over the real services and the real database."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from api_world import AT, Parts, Tenant, World, client_of, deps_of
from litestar import Litestar

from voltyard.api import problems
from voltyard.api.app import make_api
from voltyard.api.deps import ApiDeps
from voltyard.app import build_core
from voltyard.clock import ScaledClock
from voltyard.config import Settings
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy.passwords import PasswordBook, in_place
from voltyard.tenancy.service import TenancyService


@dataclass
class Standing:
    """The application, made once for all tests, and what it works with in this one."""

    deps: ApiDeps | None = None
    app: Litestar = field(init=False)

    def __post_init__(self) -> None:
        self.app = Litestar(
            make_api(self.current), openapi_config=None, exception_handlers=problems.HANDLERS
        )

    def current(self) -> ApiDeps:
        assert self.deps is not None
        return self.deps


@pytest.fixture(scope="session")
def standing() -> Standing:
    return Standing()


@pytest.fixture
async def world(database: PostgresDatabase, standing: Standing) -> AsyncIterator[World]:
    clock = ScaledClock(AT)
    core = build_core(Settings(), database, clock, holder="test", inline=True)
    people = TenancyService(database, clock, PasswordBook(in_place, time_cost=1, memory_kib=64))
    await core.chargers.load()
    await core.sessions.load()
    await core.alerts.load()
    core.spawn(core.commits.run(), "commits")
    parts = Parts()
    standing.deps = deps_of(core, people, parts)
    async with client_of(standing.app) as client:
        yield World(core, client, parts, people)
    core.crash()


@pytest.fixture
async def tenant(world: World) -> Tenant:
    return await world.tenant("Depot")

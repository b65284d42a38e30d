"""A database of an earlier version comes to this one with what it held."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from sqlalchemy import text

from voltyard.storage.embedded import EmbeddedPostgres
from voltyard.storage.engine import make_engine
from voltyard.storage.migrate import migrate

FIRST = "0001"


@pytest.fixture
async def empty_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """A database with nothing in it, as its owner."""
    name = f"m_{uuid4().hex[:8]}"
    engine = make_engine(postgres.url(), pool_size=1)
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text(f"CREATE DATABASE {name}"))
        yield postgres.url(database=name)
        await connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    await engine.dispose()


async def test_what_the_first_version_held_is_still_there(empty_url: str) -> None:
    org = uuid4()
    assert await migrate(empty_url, to=FIRST) == FIRST
    await _run(
        empty_url,
        "INSERT INTO organisations (id, name, slug, created_at) VALUES (:org, 'x', 'x', now())",
        "INSERT INTO event_log (org_id, at, kind, payload) VALUES (:org, now(), 'old', '{}')",
        params={"org": org},
    )
    assert await migrate(empty_url) > FIRST
    engine = make_engine(empty_url, pool_size=1)
    async with engine.connect() as connection:
        kept = dict((await connection.execute(text("SELECT * FROM event_log"))).mappings().one())
    await engine.dispose()
    assert (kept["org_id"], kept["kind"], kept["told"]) == (org, "old", True)


async def _run(url: str, *statements: str, params: dict[str, object]) -> None:
    engine = make_engine(url, pool_size=1)
    async with engine.begin() as connection:
        await connection.execute(text("SELECT set_config('voltyard.system', 'on', true)"))
        for statement in statements:
            await connection.execute(text(statement), params)
    await engine.dispose()

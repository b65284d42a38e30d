"""Fixtures: the real PostgreSQL, one server for the run and a database of its own per test."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import date
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from voltyard.storage import partitions
from voltyard.storage.embedded import APP_ROLE, EmbeddedPostgres
from voltyard.storage.engine import PostgresDatabase, make_engine
from voltyard.storage.migrate import migrate

TEMPLATE = "voltyard_template"


async def _admin(url: str, *statements: str) -> None:
    engine = make_engine(url, pool_size=1)
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL cluster for this test process, gone afterwards; a migrated template in it."""
    home = Path(tempfile.mkdtemp(prefix="voltyard-test-"))
    server = EmbeddedPostgres(home / "pg", durable=False)
    server.start()

    async def prepare() -> None:
        await _admin(server.url(), f"CREATE DATABASE {TEMPLATE}")
        await migrate(server.url(database=TEMPLATE), app_password=server.password(APP_ROLE))

    asyncio.run(prepare())
    yield server
    server.stop()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
async def database_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """A fresh migrated database: its URL for the application role."""
    name = f"t_{os.getpid()}_{uuid4().hex[:8]}"
    await _admin(postgres.url(), f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield postgres.url(APP_ROLE, name)
    await _admin(postgres.url(), f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[PostgresDatabase]:
    """The same as an open ``Database``; partitions of the default test day are there."""
    opened = PostgresDatabase(database_url, pool_size=4)
    await partitions.make_ahead(opened, date(2026, 1, 15))
    yield opened
    await opened.close()

"""Fixtures: the real PostgreSQL, one server for the run and a database of its own per test."""

import asyncio
import os
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from voltyard.storage import partitions
from voltyard.storage.embedded import APP_ROLE, EmbeddedPostgres
from voltyard.storage.engine import PostgresDatabase
from voltyard.storage.migrate import migrate
from voltyard.tenancy.passwords import PasswordBook

TEMPLATE = "voltyard_template"
DAY = date(2026, 1, 15)
MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 2 << 30
LEFT = "voltyard-test-"


LONG_FIRST = (
    "scenario/test_faulty_nights.py",
    "e2e/",
    "scenario/",
    "integration/firmware/",
    "integration/test_",
    "integration/energy/",
    "integration/pki/",
    "integration/web/",
    "unit/energy/",
    "unit/energy_control/",
    "unit/simulator/",
    "integration/",
    "protocol/",
)
"""Modules go to the workers whole and in this order: none is left alone with a long one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order within a module stays."""

    def rank(item: pytest.Item) -> int:
        path = item.nodeid.removeprefix("tests/")
        return next((n for n, start in enumerate(LONG_FIRST) if path.startswith(start)), 99)

    items.sort(key=rank)


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> None:
    """Argon2 as it is used takes 64 MiB and a tenth of a second, for each log-in of each test.

    ``tests/unit/tenancy`` sees to it that people's passwords are not kept as cheaply.
    """
    PasswordBook.__init__.__kwdefaults__.update(time_cost=1, memory_kib=64)


class Databases:
    """One server for this process; databases are copies of a migrated template.

    In memory where there is room: making and dropping files is most of the work on a disk.
    Its one connection lives in a thread of its own, so that anyone may ask, loop or no loop.
    """

    def __init__(self, home: Path, *, in_memory: bool) -> None:
        self.server = EmbeddedPostgres(home / "pg", durable=False)
        self._strategy = "FILE_COPY" if in_memory else "WAL_LOG"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        self.server.start()
        self._thread.start()
        self._await(self._prepare())

    def stop(self) -> None:
        self._await(self._connection.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self.server.stop()

    def make(self) -> str:
        """The new database's name."""
        name = f"t_{os.getpid()}_{uuid4().hex[:8]}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY {self._strategy}")
        return name

    def drop(self, name: str) -> None:
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def url(self, name: str) -> str:
        """For the application role."""
        return self.server.url(APP_ROLE, name)

    def _run(self, statement: str) -> None:
        self._await(self._connection.execute(statement))

    def _await(self, work: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _prepare(self) -> None:
        self._connection = await asyncpg.connect(self.server.url())
        await self._connection.execute(f"CREATE DATABASE {TEMPLATE}")
        password = self.server.password(APP_ROLE)
        await migrate(self.server.url(database=TEMPLATE), app_password=password)
        template = PostgresDatabase(self.url(TEMPLATE), pool_size=1)
        await partitions.make_ahead(template, DAY)
        await template.close()


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """A PostgreSQL cluster for this test process, gone afterwards; a migrated template in it."""
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED
    for left in MEMORY.glob(f"{LEFT}*") if in_memory else ():
        if not Path("/proc", left.name.split("-")[2]).exists():  # of a run that was killed
            shutil.rmtree(left, ignore_errors=True)
    home = Path(tempfile.mkdtemp(prefix=f"{LEFT}{os.getpid()}-", dir=MEMORY if in_memory else None))
    made = Databases(home, in_memory=in_memory)
    made.start()
    yield made
    made.stop()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(databases: Databases) -> EmbeddedPostgres:
    return databases.server


@contextmanager
def fresh_database(databases: Databases) -> Iterator[str]:
    """A fresh migrated database: its URL for the application role."""
    name = databases.make()
    try:
        yield databases.url(name)
    finally:
        databases.drop(name)


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """The same for a test."""
    with fresh_database(databases) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[PostgresDatabase]:
    """The same as an open ``Database``; partitions of the default test day are there."""
    opened = PostgresDatabase(database_url, pool_size=4)
    yield opened
    await opened.close()

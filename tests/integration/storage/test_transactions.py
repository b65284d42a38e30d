"""What becomes of a connection whose transaction ended badly."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from voltyard.storage.engine import PostgresDatabase, Tx
from voltyard.tenancy import scope

LEASE = "INSERT INTO leases (name, holder, expires_at) VALUES (:name, 'me', '2026-01-15 00:00+00')"


async def _leases(database: PostgresDatabase) -> list[str]:
    async with scope.transaction(database, scope.SYSTEM) as tx:
        rows = await tx.all("SELECT name FROM leases ORDER BY name")
    return [row["name"] for row in rows]


async def _in_transaction(tx: Tx) -> bool:
    row = await tx.one("SELECT pg_current_xact_id_if_assigned() IS NOT NULL AS wrote")
    return row is not None and row["wrote"]


@pytest.fixture
async def narrow(database_url: str) -> AsyncIterator[PostgresDatabase]:
    """One connection: whoever comes next gets the one that was left."""
    database = PostgresDatabase(database_url, pool_size=1)
    yield database
    await database.close()


async def test_an_error_of_ours_undoes_all(narrow: PostgresDatabase) -> None:
    async def work() -> None:
        async with scope.transaction(narrow, scope.SYSTEM) as tx:
            await tx.execute(LEASE, {"name": "a"})
            raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        await work()
    assert await _leases(narrow) == []


async def test_an_error_of_the_database_undoes_all_and_the_next_goes_on(
    narrow: PostgresDatabase,
) -> None:
    async def work() -> None:
        async with scope.transaction(narrow, scope.SYSTEM) as tx:
            await tx.execute(LEASE, {"name": "a"})
            await tx.execute(LEASE, {"name": "a"})

    with pytest.raises(DBAPIError):
        await work()
    async with scope.transaction(narrow, scope.SYSTEM) as tx:
        assert not await _in_transaction(tx)
        await tx.execute(LEASE, {"name": "b"})
    assert await _leases(narrow) == ["b"]


async def test_a_scope_ends_with_its_transaction(narrow: PostgresDatabase) -> None:
    async with scope.transaction(narrow, scope.SYSTEM) as tx:
        await tx.execute(LEASE, {"name": "a"})
    async with scope.transaction(narrow, scope.of(uuid4())) as tx:
        row = await tx.one("SELECT current_setting('voltyard.system') AS system")
    assert row is not None
    assert row["system"] == "off"


@pytest.mark.parametrize("statement", ["SELECT 1", "SELECT pg_sleep(60)"])
async def test_whoever_is_cancelled_leaves_nothing_open(
    narrow: PostgresDatabase, statement: str
) -> None:
    begun = asyncio.Event()

    async def work() -> None:
        async with scope.transaction(narrow, scope.SYSTEM) as tx:
            await tx.execute(LEASE, {"name": "a"})
            begun.set()
            while True:
                await tx.execute(statement)

    task = asyncio.get_running_loop().create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await _leases(narrow) == []


async def test_a_connection_that_the_server_closed_is_replaced(
    narrow: PostgresDatabase, database: PostgresDatabase
) -> None:
    async with scope.transaction(narrow, scope.SYSTEM) as tx:
        row = await tx.one("SELECT pg_backend_pid() AS pid")
    assert row is not None
    async with scope.transaction(database, scope.SYSTEM) as tx:
        await tx.one("SELECT pg_terminate_backend(:pid, 5000)", {"pid": row["pid"]})
    try:
        assert await _leases(narrow) == []
    except DBAPIError:  # told before the loop had heard of it
        assert await _leases(narrow) == []


async def test_a_connection_that_dies_in_a_transaction_is_not_used_again(
    narrow: PostgresDatabase, database: PostgresDatabase
) -> None:
    async def work() -> None:
        async with scope.transaction(narrow, scope.SYSTEM) as tx:
            await tx.execute(LEASE, {"name": "a"})
            row = await tx.one("SELECT pg_backend_pid() AS pid")
            assert row is not None
            async with scope.transaction(database, scope.SYSTEM) as other:
                await other.one("SELECT pg_terminate_backend(:pid, 5000)", {"pid": row["pid"]})
            await tx.execute(LEASE, {"name": "b"})

    with pytest.raises(DBAPIError):
        await work()
    assert await _leases(narrow) == []

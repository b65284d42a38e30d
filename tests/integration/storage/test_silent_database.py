"""A database whose machine vanished: it says nothing more, and no connection ever ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy import scope

LEASE = "INSERT INTO leases (name, holder, expires_at) VALUES ($1, 'me', '2026-01-15 00:00+00')"
SOCKET = ".s.PGSQL.5432"


class Between:
    """Carries bytes to the server and back until it is told to swallow them."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self.silent = False
        self.tasks: list[asyncio.Task[None]] = []

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(str(self._server))
        for source, sink in ((reader, back), (there, writer)):
            self.tasks.append(asyncio.create_task(self._carry(source, sink)))

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                if not self.silent:
                    sink.write(data)
        sink.close()


@asynccontextmanager
async def between(url: str, folder: Path) -> AsyncIterator[tuple[str, Between]]:
    parts = urlsplit(url)
    (host,) = parse_qs(parts.query)["host"]
    link = Between(Path(host) / SOCKET)
    server = await asyncio.start_unix_server(link.accept, folder / SOCKET)
    yield parts._replace(query=f"host={quote(str(folder), safe='')}").geturl(), link
    server.close()
    for task in link.tasks:
        task.cancel()


async def test_the_writer_does_not_wait_for_it_for_ever(database_url: str, tmp_path: Path) -> None:
    async with between(database_url, tmp_path) as (url, link):
        database = PostgresDatabase(url, write_timeout_s=0.2)
        await database.write([(LEASE, ["a"])])
        link.silent = True
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(20):
                await database.write([(LEASE, ["b"])])
        link.silent = False
        await database.write([(LEASE, ["c"])])
        await database.close()


async def test_a_transaction_does_not_wait_for_it_for_ever(
    database_url: str, tmp_path: Path
) -> None:
    async with between(database_url, tmp_path) as (url, link):
        database = PostgresDatabase(url, pool_size=1, write_timeout_s=0.2)
        async with scope.transaction(database, scope.SYSTEM) as tx:
            assert await tx.all("SELECT name FROM leases") == []
        link.silent = True
        async with asyncio.timeout(20):
            with pytest.raises(TimeoutError):
                async with scope.transaction(database, scope.SYSTEM):
                    raise AssertionError("it never began")
        link.silent = False
        async with scope.transaction(database, scope.SYSTEM) as tx:
            assert await tx.all("SELECT name FROM leases") == []
        await database.close()

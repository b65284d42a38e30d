"""Acknowledged rows per second: group commit beside one commit a row."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from uuid import UUID

from voltyard.bench.figures import Figure
from voltyard.clock import SystemClock
from voltyard.ids import new_id
from voltyard.storage import partitions
from voltyard.storage.embedded import APP_ROLE, EmbeddedPostgres
from voltyard.storage.engine import PostgresDatabase
from voltyard.storage.groupcommit import GroupCommit, Write
from voltyard.storage.migrate import migrate
from voltyard.tenancy import scope


async def measure(rounds: int) -> list[Figure]:
    """On an embedded server of its own, durable as in earnest."""
    with tempfile.TemporaryDirectory(prefix="voltyard-bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "pg")
        await asyncio.to_thread(_start, server)
        try:
            await migrate(server.url(), app_password=server.password(APP_ROLE))
            return await _rounds(server, rounds)
        finally:
            server.stop()


def _start(server: EmbeddedPostgres) -> None:
    server.start(die_with_parent=False)


async def _rounds(server: EmbeddedPostgres, rounds: int) -> list[Figure]:
    database = PostgresDatabase(server.url(APP_ROLE), pool_size=4)
    now = datetime.now(UTC)
    await partitions.make_ahead(database, now.date())
    commits = GroupCommit(database, SystemClock())
    writer = asyncio.create_task(commits.run())
    org, station = new_id(), new_id()
    grouped: list[float] = []
    single: list[float] = []
    for _ in range(rounds):
        grouped.append(await _rate(5000, lambda: commits.submit([_value(org, station, now)])))
        single.append(await _rate(300, lambda: _alone(database, org, station, now)))
    await commits.close()
    writer.cancel()
    await database.close()
    fast, slow = median(grouped), median(single)
    return [
        Figure("meter values acknowledged after group commit", fast, "rows/s", rounds,
               "one commit a row", fast / slow),
        Figure("meter values acknowledged, one commit a row", slow, "rows/s", rounds),
    ]  # fmt: skip


async def _rate(count: int, submit: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    await asyncio.gather(*(submit() for _ in range(count)))
    return count / (time.perf_counter() - began)


async def _alone(database: PostgresDatabase, org: UUID, station: UUID, at: datetime) -> None:
    async with scope.transaction(database, scope.of(org)) as tx:
        await tx.execute(
            "INSERT INTO meter_values (at, org_id, station_id, energy_wh)"
            " VALUES (:at, :org, :station, 1)",
            {"at": at, "org": org, "station": station},
        )


def _value(org: UUID, station: UUID, at: datetime) -> Write:
    return Write("meter_values", {"at": at, "org_id": org, "station_id": station, "energy_wh": 1.0})

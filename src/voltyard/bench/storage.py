"""``voltyard bench``: ratios against a named peer or a physical floor, measured in the same run."""

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

from voltyard import bench_plan
from voltyard.bench_figures import Figure
from voltyard.clock import SystemClock
from voltyard.ids import new_id
from voltyard.storage import partitions
from voltyard.storage.embedded import APP_ROLE, EmbeddedPostgres
from voltyard.storage.engine import PostgresDatabase
from voltyard.storage.groupcommit import GroupCommit, Write
from voltyard.storage.migrate import migrate
from voltyard.tenancy import scope

ROUNDS = 5


def main(what: str, *, as_json: bool) -> int:
    """Run the chosen benches and print their table or JSON."""
    figures: list[Figure] = []
    if what in {"all", "plan"}:
        figures += bench_plan.measure(ROUNDS)
    if what in {"all", "storage"}:
        figures += asyncio.run(_storage())
    if as_json:
        print(json.dumps([_row(figure) for figure in figures], indent=2))
    else:
        _print(figures)
    return 0


def _row(figure: Figure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "median": figure.median,
        "unit": figure.unit,
        "rounds": figure.rounds,
        "peer": figure.peer,
        "ratio": figure.ratio,
    }


def _print(figures: list[Figure]) -> None:
    for figure in figures:
        ratio = "" if figure.ratio is None else f"  {figure.ratio:8.2f} × {figure.peer}"
        print(f"{figure.name:58} {figure.median:12.4g} {figure.unit:8}{ratio}")


async def _storage() -> list[Figure]:
    """Acknowledged rows per second: group commit beside one commit a row."""
    with tempfile.TemporaryDirectory(prefix="voltyard-bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "pg")
        await asyncio.to_thread(_start, server)
        try:
            await migrate(server.url(), app_password=server.password(APP_ROLE))
            return await _storage_rounds(server)
        finally:
            server.stop()


def _start(server: EmbeddedPostgres) -> None:
    server.start(die_with_parent=False)


async def _storage_rounds(server: EmbeddedPostgres) -> list[Figure]:
    database = PostgresDatabase(server.url(APP_ROLE), pool_size=4)
    now = datetime.now(UTC)
    await partitions.make_ahead(database, now.date())
    commits = GroupCommit(database, SystemClock())
    writer = asyncio.create_task(commits.run())
    org, station = new_id(), new_id()
    grouped: list[float] = []
    single: list[float] = []
    for _ in range(ROUNDS):
        grouped.append(await _rate(5000, lambda: commits.submit([_value(org, station, now)])))
        single.append(await _rate(300, lambda: _alone(database, org, station, now)))
    await commits.close()
    writer.cancel()
    await database.close()
    fast, slow = median(grouped), median(single)
    return [
        Figure("meter values acknowledged after group commit", fast, "rows/s", ROUNDS,
               "one commit a row", fast / slow),
        Figure("meter values acknowledged, one commit a row", slow, "rows/s", ROUNDS),
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

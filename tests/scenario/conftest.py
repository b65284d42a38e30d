"""Whole nights in virtual time, each on a database of its own."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from tests.conftest import TEMPLATE
from voltyard.app import build_host
from voltyard.clock import Clock
from voltyard.simulator.depot import DepotSpec
from voltyard.simulator.loop import run_virtual
from voltyard.simulator.night import Crash, NightResult, run_night
from voltyard.storage.embedded import APP_ROLE, EmbeddedPostgres
from voltyard.storage.engine import make_engine

RunNight = Callable[..., NightResult]


@pytest.fixture
def night(postgres: EmbeddedPostgres) -> RunNight:
    """``night(depots, seed=…, faults=…, crash=…)``: run it from the first frame to the last."""

    def run(
        depots: Sequence[DepotSpec], *, seed: int, faults: str = "none", crash: Crash | None = None
    ) -> NightResult:
        with _database(postgres) as url:

            async def main(clock: Clock) -> NightResult:
                return await run_night(
                    depots,
                    lambda same: build_host(url, same),
                    clock,
                    seed=seed,
                    faults=faults,
                    crash=crash,
                )

            return run_virtual(main, min(d.start_at for d in depots) - timedelta(minutes=5))

    return run


@contextmanager
def _database(postgres: EmbeddedPostgres) -> Iterator[str]:
    name = f"night_{uuid4().hex[:12]}"
    _administer(postgres.url(), f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    try:
        yield postgres.url(APP_ROLE, name)
    finally:
        _administer(postgres.url(), f"DROP DATABASE {name} WITH (FORCE)")


def _administer(url: str, statement: str) -> None:
    async def run() -> None:
        engine = make_engine(url, pool_size=1)
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(text(statement))
        await engine.dispose()

    asyncio.run(run())

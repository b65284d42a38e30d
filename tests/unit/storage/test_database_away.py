"""The group commit by itself: a database that cannot be reached, and what it keeps in memory."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from voltyard.clock import Clock, SystemClock
from voltyard.simulator.loop import run_virtual
from voltyard.storage.groupcommit import GroupCommit, Write
from voltyard.storage.writes import TABLE_ORDER

START = datetime(2026, 1, 15, 18, 0, tzinfo=UTC)
CONNECT_S = 60.0
TYPES = {"meter_values": {"at": "timestamptz", "energy_wh": "float8", "context": "text"}}


class Gone:
    """Packets to it vanish: each attempt to connect takes its whole timeout."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.attempts = 0

    async def write(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> None:
        self.attempts += 1
        await self._clock.sleep(CONNECT_S)
        raise TimeoutError("no answer")


def test_a_database_that_is_gone_keeps_nobody_waiting_for_the_others() -> None:
    async def main(clock: Clock) -> float:
        database = Gone(clock)
        commits = GroupCommit(database, clock)  # type: ignore[arg-type]
        commits._types.update(TYPES)
        running = asyncio.get_running_loop().create_task(commits.run())
        began_s = clock.monotonic_s()
        said = await asyncio.gather(
            *(commits.submit([Write("meter_values", {"at": START})]) for _ in range(500)),
            return_exceptions=True,
        )
        running.cancel()
        assert all(isinstance(each, TimeoutError) for each in said)
        assert commits.stats.failed == 500
        return clock.monotonic_s() - began_s

    assert run_virtual(main, START) < 3 * CONNECT_S


class Willing:
    """Takes everything."""

    async def write(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> None:
        return None


async def test_whatever_comes_together_fills_no_memory() -> None:
    """What was said of each mix of tables is kept, of very many mixes not for ever."""
    commits = GroupCommit(Willing(), SystemClock())  # type: ignore[arg-type]
    tables = TABLE_ORDER[:11]
    commits._types.update({table: {"id": "uuid", "at": "timestamptz"} for table in tables})
    for mix in range(1, 2 ** len(tables)):
        for place, table in enumerate(tables):
            if mix >> place & 1:
                commits.offer([Write(table, {"at": START})])
        await commits.flush()
    assert commits.stats.batches == 2 ** len(tables) - 1
    assert len(commits._statements) <= 1024

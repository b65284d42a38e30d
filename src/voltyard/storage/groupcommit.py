"""Group commit: many messages, one transaction; each message is answered after its commit.

A message hands in its row writes and waits. Everything handed in during one window is merged
into one array statement per table and committed together. If that fails, each message is tried
alone, so that one bad row harms one message.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from asyncpg import (
    InsufficientResourcesError,
    InterfaceError,
    OperatorInterventionError,
    PostgresConnectionError,
    PostgresError,
)
from sqlalchemy.exc import SQLAlchemyError

from voltyard.clock import Clock, let_go
from voltyard.errors import TooMany
from voltyard.storage.engine import Database
from voltyard.storage.writes import Group, Write, arrays, merge, statement, together

__all__ = ["REFUSALS", "GroupCommit", "GroupCommitStats", "Write"]

log = logging.getLogger(__name__)

STATEMENTS_MAX = 1024
"""Which tables come together in one window is a matter of chance; beyond these it begins anew."""

REFUSALS = (
    SQLAlchemyError,
    PostgresError,
    InterfaceError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    RecursionError,
)
"""What ``submit`` raises where the database does not take the rows, or they cannot be sent: of no
table or column that there is, too large, too deep. None of it may end the writer."""


_AWAY = (
    OSError,
    InterfaceError,
    PostgresConnectionError,
    OperatorInterventionError,
    InsufficientResourcesError,
)

Told = Callable[[BaseException | None], None]
"""Called right after the commit with None, or with what the database said against it."""


@dataclass(slots=True)
class _Item:
    writes: Sequence[Write]
    done: asyncio.Future[None] | None
    told: Told | None = None


@dataclass(slots=True)
class GroupCommitStats:
    batches: int = 0
    items: int = 0
    rows: int = 0
    retried_alone: int = 0
    failed: int = 0
    dropped: int = 0


class GroupCommit:
    """Collects writes for ``window_s`` of the clock, then commits them together.

    ``submit`` waits for the commit; when ``capacity`` items wait, it waits for room first.
    ``offer`` does not wait and drops (counted) when half of the capacity is taken.
    """

    def __init__(
        self, database: Database, clock: Clock, *, window_s: float = 0.005, capacity: int = 20_000
    ) -> None:
        self._database = database
        self._clock = clock
        self._window_s = window_s
        self._capacity = capacity
        self._pending: list[_Item] = []
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._closing = False
        self._types: dict[str, dict[str, str]] = {}
        self._statements: dict[tuple[Group, ...], str] = {}
        self.stats = GroupCommitStats()

    @property
    def full(self) -> bool:
        return len(self._pending) >= self._capacity

    async def submit(self, writes: Sequence[Write], told: Told | None = None) -> None:
        """Return once committed. Raises what the database said if it refuses these rows."""
        if not writes:
            return
        while self.full and not self._closing:
            self._room.clear()
            await self._room.wait()
        await self.hand_in(writes, told)

    def hand_in(self, writes: Sequence[Write], told: Told | None = None) -> asyncio.Future[None]:
        """``submit`` where there is room (not ``full``): a future, done once committed.

        ``told`` is called before whoever waits for the future goes on, and even if it is
        cancelled meanwhile: what was handed in is written.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        item = _Item(writes, done, told)
        if self._closing:
            _resolve(loop, item, TooMany("the database writer is shutting down"))
            return done
        self._pending.append(item)
        self._wake.set()
        return done

    def offer(self, writes: Sequence[Write]) -> bool:
        """Write without being waited for (message log, samples); False if dropped."""
        if self._closing or len(self._pending) >= self._capacity // 2:
            self.stats.dropped += len(writes)
            return False
        self._pending.append(_Item(writes, None))
        self._wake.set()
        return True

    async def run(self) -> None:
        """Until cancelled or closed; a batch that is under way is finished."""
        while not (self._closing and not self._pending):
            await self._wake.wait()
            self._wake.clear()
            if not self._closing:
                await self._clock.sleep(self._window_s)
            await self.flush()

    async def flush(self) -> None:
        """Commit what is pending now."""
        batch, self._pending = self._pending, []
        self._room.set()
        if not batch:
            return
        self.stats.batches += 1
        self.stats.items += len(batch)
        try:
            await self._commit(batch)
        except REFUSALS as error:
            log.warning("batch of %d refused, trying each alone: %s", len(batch), error)
            await self._commit_each(batch)
            return
        loop = asyncio.get_running_loop()
        loop.call_soon(_conclude, loop, deque(batch))
        await let_go()

    async def close(self) -> None:
        self._closing = True
        self._wake.set()
        self._room.set()
        await self.flush()

    async def _commit_each(self, batch: Sequence[_Item]) -> None:
        """One after the other, until the database turns out not to be there at all."""
        loop = asyncio.get_running_loop()
        gone: BaseException | None = None
        for item in batch:
            refused = gone or await self._alone(item)
            if refused is not None:
                self.stats.failed += 1
            if gone is None and refused is not None and _away(refused):
                gone = refused
                log.error("the database is away; what waited for it is refused")
            _resolve(loop, item, refused)

    async def _alone(self, item: _Item) -> BaseException | None:
        """What the database has against it."""
        self.stats.retried_alone += 1
        try:
            await self._commit([item])
        except REFUSALS as error:
            log.error("write refused: %s: %s", item.writes[0].table, error)
            return error
        return None

    async def _commit(self, batch: Sequence[_Item]) -> None:
        groups = merge(chain.from_iterable([item.writes for item in batch]))
        self.stats.rows += sum(map(len, groups.values()))
        await self._learn(group.table for group in groups)
        together_now = [groups] if together(tuple(groups)) else [{g: r} for g, r in groups.items()]
        await self._database.write(
            [(self._sql(tuple(part)), arrays(part, self._types)) for part in together_now]
        )

    def _sql(self, groups: tuple[Group, ...]) -> str:
        known = self._statements.get(groups)
        if known is None:
            if len(self._statements) >= STATEMENTS_MAX:
                self._statements.clear()
            known = self._statements[groups] = statement(groups, self._types)
        return known

    async def _learn(self, tables: Iterable[str]) -> None:
        """The column types of tables not written before."""
        for table in tables:
            if table in self._types:
                continue
            async with self._database.begin(org_id=None, system=True) as tx:
                rows = await tx.all(
                    "SELECT column_name, udt_name FROM information_schema.columns"
                    " WHERE table_schema = 'public' AND table_name = :table"
                    " ORDER BY ordinal_position",
                    {"table": table},
                )
            self._types[table] = {row["column_name"]: row["udt_name"] for row in rows}


def _away(error: BaseException) -> bool:
    """Whether no other row would fare better: no connection, a server that stops or is full."""
    if isinstance(error, ValueError):  # the driver's word for values that it cannot send
        return False
    return isinstance(error, _AWAY)


def _conclude(loop: asyncio.AbstractEventLoop, committed: deque[_Item]) -> None:
    """Of a whole batch, called by the loop: what one cannot be told keeps no other waiting."""
    try:
        while committed:
            item = committed.popleft()
            if item.done is not None and not item.done.done():
                item.done.set_result(None)
            if item.told is not None:
                item.told(None)
    finally:
        if committed:
            loop.call_soon(_conclude, loop, committed)


def _resolve(loop: asyncio.AbstractEventLoop, item: _Item, error: BaseException | None) -> None:
    """``told`` is called by the loop, so that its failure is its own."""
    if item.told is not None:
        loop.call_soon(item.told, error)
    done = item.done
    if done is None or done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)

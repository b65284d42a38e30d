"""A database that seems instantaneous: for virtual time, where only the clock may make one wait.

The real driver runs on an event loop of its own, inside the caller's: each call stops the caller's
loop until it is done, so that nothing else happens meanwhile and every run repeats exactly.
No transaction may stay open across a wait for anything but the database.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

from voltyard.storage.engine import Database, Params, PostgresDatabase, Row, Statement, Tx

T = TypeVar("T")


class _BlockingTx:
    def __init__(self, inner: Tx, owner: "BlockingDatabase") -> None:
        self._inner = inner
        self._owner = owner

    async def execute(self, statement: Statement, params: Params | None = None) -> int:
        return self._owner.call(self._inner.execute(statement, params))

    async def execute_many(self, statement: Statement, rows: Sequence[Params]) -> None:
        self._owner.call(self._inner.execute_many(statement, rows))

    async def all(self, statement: Statement, params: Params | None = None) -> list[Row]:
        return self._owner.call(self._inner.all(statement, params))

    async def one(self, statement: Statement, params: Params | None = None) -> Row | None:
        return self._owner.call(self._inner.one(statement, params))


class BlockingDatabase:
    """``Database`` over PostgreSQL for a virtual-time event loop."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._inner: Database = PostgresDatabase(url, pool_size=4)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` to its end on the driver's loop while the caller's loop stands still."""
        outer = asyncio.events._get_running_loop()
        task = None if outer is None else asyncio.current_task(outer)
        if outer is not None and task is not None:
            asyncio.tasks._leave_task(outer, task)
        asyncio.events._set_running_loop(None)
        try:
            return self._loop.run_until_complete(work)
        finally:
            asyncio.events._set_running_loop(outer)
            if outer is not None and task is not None:
                asyncio.tasks._enter_task(outer, task)

    @asynccontextmanager
    async def begin(
        self, *, org_id: UUID | None, system: bool = False, places: bool = False
    ) -> AsyncIterator[Tx]:
        manager = self._inner.begin(org_id=org_id, system=system, places=places)
        inner = self.call(_enter(manager))
        try:
            yield _BlockingTx(inner, self)
        except BaseException as error:
            self.call(_leave(manager, error))
            raise
        self.call(_leave(manager, None))

    async def write(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> None:
        self.call(self._inner.write(statements))

    async def close(self) -> None:
        self.call(self._inner.close())
        self._loop.close()


async def _enter(manager: Any) -> Tx:
    entered: Tx = await manager.__aenter__()
    return entered


async def _leave(manager: Any, error: BaseException | None) -> None:
    if error is None:
        await manager.__aexit__(None, None, None)
        return
    try:
        await manager.__aexit__(type(error), error, error.__traceback__)
    except BaseException as raised:
        if raised is not error:
            raise

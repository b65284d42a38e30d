"""The one way to the database: transactions whose tenant the database itself enforces."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Protocol
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
from sqlalchemy import Executable, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from voltyard.clock import let_go
from voltyard.errors import VoltyardError
from voltyard.storage.embedded import APP_ROLE

log = logging.getLogger(__name__)

WRITE_TIMEOUT_S = 60.0
CLOSE_TIMEOUT_S = 5.0

Params = Mapping[str, Any]
Row = Mapping[str, Any]
Statement = str | Executable


class Tx(Protocol):
    """An open transaction. Statements are SQL text with ``:names`` or SQLAlchemy Core."""

    async def execute(self, statement: Statement, params: Params | None = None) -> int:
        """Run it; the number of rows touched."""

    async def execute_many(self, statement: Statement, rows: Sequence[Params]) -> None: ...

    async def all(self, statement: Statement, params: Params | None = None) -> list[Row]: ...

    async def one(self, statement: Statement, params: Params | None = None) -> Row | None:
        """The first row, or None."""


class Database(Protocol):
    """Where transactions come from. Only ``tenancy.scope`` opens them for tenant data."""

    def begin(
        self, *, org_id: UUID | None, system: bool = False, places: bool = False
    ) -> AbstractAsyncContextManager[Tx]:
        """A transaction that sees one organisation's rows, or all of them if ``system``.

        ``places``: the sites of others that it is admitted to, as well.
        """

    async def write(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> None:
        """``$1``-style statements in one transaction, as voltyard's own: the hot path's writes."""

    async def close(self) -> None: ...


class DatabaseError(VoltyardError):
    """The database is missing, too old or badly set up."""

    code = "database"


class _Tx:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def execute(self, statement: Statement, params: Params | None = None) -> int:
        done = await self._connection.execute(_sql(statement), dict(params or {}))
        return max(0, done.rowcount) if hasattr(done, "rowcount") else 0

    async def execute_many(self, statement: Statement, rows: Sequence[Params]) -> None:
        if rows:
            await self._connection.execute(_sql(statement), [dict(row) for row in rows])

    async def all(self, statement: Statement, params: Params | None = None) -> list[Row]:
        done = await self._connection.execute(_sql(statement), dict(params or {}))
        return [dict(row) for row in done.mappings()]

    async def one(self, statement: Statement, params: Params | None = None) -> Row | None:
        done = await self._connection.execute(_sql(statement), dict(params or {}))
        row = done.mappings().first()
        return None if row is None else dict(row)


class PostgresDatabase:
    """PostgreSQL by SQLAlchemy Core and asyncpg; every connection acts as the application role."""

    def __init__(
        self, url: str, *, pool_size: int = 10, write_timeout_s: float = WRITE_TIMEOUT_S
    ) -> None:
        self._engine = make_engine(url, pool_size=pool_size, role=APP_ROLE, autocommit=True)
        self._url = url
        self._write_timeout_s = write_timeout_s
        self._writer: asyncpg.Connection | None = None
        self._writing = asyncio.Lock()

    @asynccontextmanager
    async def begin(
        self, *, org_id: UUID | None, system: bool = False, places: bool = False
    ) -> AsyncIterator[Tx]:
        if asyncio.current_task() is None:  # a message handled without one so far
            await let_go()
        async with self._engine.connect() as connection:
            driver = await _open(connection)
            try:
                await self._soon(driver, _begin(org_id, system=system, places=places))
                yield _Tx(connection)
                await self._soon(driver, "COMMIT")
            except BaseException:
                await _undo(connection, driver)
                raise

    async def _soon(self, driver: asyncpg.Connection, sql: str) -> None:
        """What never takes long; the connection to a machine that vanished is not used again."""
        try:
            async with asyncio.timeout(self._write_timeout_s):
                await _plain(driver, sql)
        except TimeoutError:
            driver.terminate()
            raise

    async def write(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> None:
        """By a connection of its own, whose scope is set once: one statement is one round trip.

        A machine that vanished says nothing and ends nothing: after ``write_timeout_s`` the
        connection is given up. Whether these rows were written is not known then.
        """
        async with self._writing:
            try:
                async with asyncio.timeout(self._write_timeout_s):
                    await self._write(statements)
            except TimeoutError:
                if self._writer is not None:
                    self._writer.terminate()
                    self._writer = None
                raise

    async def _write(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> None:
        if self._writer is None or self._writer.is_closed():
            self._writer = await _connect(self._url, APP_ROLE)
            await self._writer.execute("SELECT set_config('voltyard.system', 'on', false)")
        if len(statements) == 1:
            await self._writer.execute(statements[0][0], *statements[0][1])
            return
        async with self._writer.transaction():
            for sql, arguments in statements:
                await self._writer.execute(sql, *arguments)

    async def check(self) -> None:
        """Refuse a role that could walk around the tenant wall."""
        async with self._engine.connect() as connection:
            row = (
                await connection.execute(
                    text(
                        "SELECT rolname, rolsuper, rolbypassrls,"
                        " current_setting('server_version_num')::int AS version"
                        " FROM pg_roles WHERE rolname = current_user"
                    )
                )
            ).one()
        if row.rolsuper or row.rolbypassrls:
            raise DatabaseError(
                f"the role {row.rolname} bypasses row-level security; voltyard refuses to run as it"
            )
        if row.version < 150000:
            raise DatabaseError("PostgreSQL 15 or newer is needed")

    async def close(self) -> None:
        if self._writer is not None:
            with suppress(TimeoutError):
                await self._writer.close(timeout=CLOSE_TIMEOUT_S)
            self._writer = None
        await self._engine.dispose()


def _begin(org_id: UUID | None, *, system: bool, places: bool) -> str:
    """A transaction and its scope in one round trip; nothing in it but a UUID and two words."""
    org = "" if org_id is None else str(UUID(int=org_id.int))
    words = f"{'true' if system else 'false'}, {'true' if places else 'false'}"
    return f"BEGIN; SELECT voltyard_scope('{org}', {words})"


async def _open(connection: AsyncConnection) -> asyncpg.Connection:
    """The driver's own; one that the server has closed since (a restart) is replaced."""
    while True:
        raw = await connection.get_raw_connection()
        driver: asyncpg.Connection = raw.driver_connection
        if not driver.is_closed():
            return driver
        await connection.invalidate()


async def _plain(driver: asyncpg.Connection, sql: str) -> None:
    """Raises what a statement by SQLAlchemy would raise."""
    try:
        await driver.execute(sql)
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise OperationalError(sql, None, error) from error


async def _undo(connection: AsyncConnection, driver: asyncpg.Connection) -> None:
    """Roll back; a connection that cannot be brought back to order is not used again."""
    in_order = False
    try:
        if not driver.is_closed() and driver.is_in_transaction():
            await driver.execute("ROLLBACK")
        in_order = not driver.is_closed()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        log.warning("a transaction could not be rolled back: %r", error)
    finally:
        if not in_order and not connection.invalidated:
            await connection.invalidate()


def make_engine(
    url: str, *, pool_size: int = 10, role: str | None = None, autocommit: bool = False
) -> AsyncEngine:
    """An engine from a ``postgresql://`` URL (Unix socket by ``?host=`` included).

    ``autocommit``: the caller begins and ends transactions itself.
    """
    if urlsplit(url).scheme not in {"postgresql", "postgres", "postgresql+asyncpg"}:
        raise DatabaseError("the database URL must begin with postgresql://")

    async def connect() -> Any:
        return await _connect(url, role)

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=pool_size,
        max_overflow=0,
        isolation_level="AUTOCOMMIT" if autocommit else "READ COMMITTED",
        pool_pre_ping=False,
        json_serializer=_no_json,
        hide_parameters=True,  # an error is logged: no password's hash, no card in it
    )


async def _connect(url: str, role: str | None) -> asyncpg.Connection:
    settings = {"application_name": "voltyard", "timezone": "UTC", "lock_timeout": "15s"}
    if role is not None:
        settings["role"] = role
    connection: asyncpg.Connection = await asyncpg.connect(
        dsn=url.replace("postgresql+asyncpg", "postgresql"), server_settings=settings
    )
    return connection


def _no_json(_: Any) -> str:
    raise TypeError("encode JSON with msgspec before it reaches the database")


_TEXT_CACHE: dict[str, Executable] = {}


def _sql(statement: Statement) -> Executable:
    if not isinstance(statement, str):
        return statement
    cached = _TEXT_CACHE.get(statement)
    if cached is None:
        cached = _TEXT_CACHE[statement] = text(statement)
    return cached

"""Group commit: many messages, one transaction; each message is answered after its commit.

A message hands in its row writes and waits. Everything handed in during one window is merged
into one array statement per table and committed together. If that fails, each message is tried
alone, so that one bad row harms one message.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from asyncpg import PostgresError
from sqlalchemy.exc import SQLAlchemyError

from voltyard.clock import Clock
from voltyard.errors import TooMany
from voltyard.storage.engine import Database, Tx

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Write:
    """One row: insert it, or on the same ``key`` columns update the other columns given.

    With ``update`` the row must exist and only the columns given change (an insert would need
    every mandatory column). JSON columns take plain objects (they are encoded here). Writes of
    one batch are applied in ``TABLE_ORDER``; two upserts of one key merge, the later column wins.
    """

    table: str
    row: Mapping[str, Any]
    key: tuple[str, ...] = ()
    update: bool = False


TABLE_ORDER = (
    "stations",
    "evses",
    "connectors",
    "station_config",
    "charger_commands",
    "sessions",
    "duties",
    "grants",
    "plans",
    "forecasts",
    "alerts",
    "meter_values",
    "power_samples",
    "ocpp_frames",
    "event_log",
)


@dataclass(slots=True)
class _Item:
    writes: Sequence[Write]
    done: asyncio.Future[None] | None


@dataclass(slots=True)
class GroupCommitStats:
    batches: int = 0
    items: int = 0
    rows: int = 0
    retried_alone: int = 0
    failed: int = 0
    dropped: int = 0


@dataclass(slots=True)
class _Columns:
    types: dict[str, dict[str, str]] = field(default_factory=dict)


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
        self._columns = _Columns()
        self.stats = GroupCommitStats()

    async def submit(self, writes: Sequence[Write]) -> None:
        """Return once committed. Raises what the database said if it refuses these rows."""
        if not writes:
            return
        while len(self._pending) >= self._capacity and not self._closing:
            self._room.clear()
            await self._room.wait()
        if self._closing:
            raise TooMany("the database writer is shutting down")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append(_Item(writes, done))
        self._wake.set()
        await done

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
        except (SQLAlchemyError, PostgresError, OSError, ValueError, TypeError) as error:
            log.warning("batch of %d refused, trying each alone: %s", len(batch), error)
            await self._commit_each(batch)
            return
        for item in batch:
            _resolve(item, None)

    async def close(self) -> None:
        self._closing = True
        self._wake.set()
        self._room.set()
        await self.flush()

    async def _commit_each(self, batch: Sequence[_Item]) -> None:
        for item in batch:
            self.stats.retried_alone += 1
            try:
                await self._commit([item])
            except (SQLAlchemyError, PostgresError, OSError, ValueError, TypeError) as error:
                self.stats.failed += 1
                log.error("write refused: %s: %s", item.writes[0].table, error)
                _resolve(item, error)
            else:
                _resolve(item, None)

    async def _commit(self, batch: Sequence[_Item]) -> None:
        groups = merge(write for item in batch for write in item.writes)
        async with self._database.begin(org_id=None, system=True) as tx:
            for group, rows in groups.items():
                types = await self._types(tx, group.table)
                self.stats.rows += len(rows)
                await tx.raw(statement(group, types), *_arrays(group.columns, rows, types))

    async def _types(self, tx: Tx, table: str) -> dict[str, str]:
        known = self._columns.types.get(table)
        if known is None:
            rows = await tx.all(
                "SELECT column_name, udt_name FROM information_schema.columns"
                " WHERE table_schema = 'public' AND table_name = :table",
                {"table": table},
            )
            known = {row["column_name"]: row["udt_name"] for row in rows}
            self._columns.types[table] = known
        return known


class Group(NamedTuple):
    """Rows that one statement can write."""

    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    update: bool


def merge(writes: Iterable[Write]) -> dict[Group, list[Mapping[str, Any]]]:
    """Group writes by table, columns and key, in table order, one row per key.

    Of one key, a full write and later updates become one full write.
    """
    rows: dict[tuple[str, tuple[str, ...]], dict[Any, tuple[dict[str, Any], bool]]] = {}
    for count, write in enumerate(writes):
        by_key = rows.setdefault((write.table, write.key), {})
        identity = tuple(write.row[name] for name in write.key) if write.key else count
        row, update = by_key.get(identity, ({}, write.update))
        by_key[identity] = ({**row, **write.row}, update and write.update)
    groups: dict[Group, list[Mapping[str, Any]]] = {}
    for table, key in sorted(rows, key=lambda group: TABLE_ORDER.index(group[0])):
        for row, update in rows[(table, key)].values():
            groups.setdefault(Group(table, tuple(sorted(row)), key, update), []).append(row)
    return groups


def statement(group: Group, types: Mapping[str, str]) -> str:
    """``INSERT … SELECT FROM unnest`` (COPY is not allowed under row-level security)."""
    table, columns, key, update = group
    names = ", ".join(columns)
    sources = ", ".join(
        f"${place}::{'text' if _wrapped(types[name]) else types[name]}[]"
        for place, name in enumerate(columns, start=1)
    )
    values = {
        name: f"u.{name}::{_cast(types[name])}" if _wrapped(types[name]) else f"u.{name}"
        for name in columns
    }
    source = f"unnest({sources}) AS u({names})"
    others = [name for name in columns if name not in key]
    if update:
        changes = ", ".join(f"{name} = {values[name]}" for name in others)
        same = " AND ".join(f"t.{name} = u.{name}" for name in key)
        return f"UPDATE {table} AS t SET {changes} FROM {source} WHERE {same}"
    sql = f"INSERT INTO {table} ({names}) SELECT {', '.join(values.values())} FROM {source}"
    if not key:
        return sql
    if not others:
        return f"{sql} ON CONFLICT ({', '.join(key)}) DO NOTHING"
    changes = ", ".join(f"{name} = excluded.{name}" for name in others)
    return f"{sql} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"


def _wrapped(type_name: str) -> bool:
    """Types that cannot be elements of an array parameter travel as text."""
    return type_name == "jsonb" or type_name.startswith("_")


def _cast(type_name: str) -> str:
    return f"{type_name[1:]}[]" if type_name.startswith("_") else type_name


def _arrays(
    columns: Sequence[str], rows: Sequence[Mapping[str, Any]], types: Mapping[str, str]
) -> list[list[Any]]:
    return [[_value(row[name], types[name]) for row in rows] for name in columns]


def _value(value: Any, type_name: str) -> Any:
    if value is None:
        return None
    if type_name == "jsonb":
        return msgspec.json.encode(value).decode()
    if type_name.startswith("_"):
        return "{" + ",".join(_array_element(str(part)) for part in value) + "}"
    if type_name == "uuid" and not isinstance(value, UUID):
        return UUID(str(value))
    return value


def _array_element(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _resolve(item: _Item, error: BaseException | None) -> None:
    if item.done is None or item.done.done():
        return
    with contextlib.suppress(asyncio.InvalidStateError):
        if error is None:
            item.done.set_result(None)
        else:
            item.done.set_exception(error)

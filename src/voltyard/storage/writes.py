"""Rows to write, merged into few statements: arrays per table, one round trip for all tables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import msgspec


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


def together(groups: Sequence[Group]) -> bool:
    """Whether one statement may carry all of them: no row can be touched by two of them.

    ``merge`` keeps rows of one table and key apart; it cannot know for two keys of one table.
    """
    keys: dict[str, tuple[str, ...]] = {}
    return all(keys.setdefault(group.table, group.key) == group.key for group in groups)


def statement(groups: Sequence[Group], types: Mapping[str, Mapping[str, str]]) -> str:
    """SQL that writes all groups, in their order; parameters as ``arrays`` gives them."""
    parts: list[str] = []
    first = 1
    for group in groups:
        parts.append(_one(group, types[group.table], first))
        first += len(group.columns)
    if len(parts) == 1:
        return parts[0]
    named = ", ".join(f"w{place} AS ({part})" for place, part in enumerate(parts))
    return f"WITH {named} SELECT 1"


def _one(group: Group, types: Mapping[str, str], first: int) -> str:
    """``INSERT … SELECT FROM unnest`` (COPY is not allowed under row-level security)."""
    table, columns, key, update = group
    names = ", ".join(columns)
    sources = ", ".join(
        f"${place}::{'text' if _wrapped(types[name]) else types[name]}[]"
        for place, name in enumerate(columns, start=first)
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


def arrays(
    groups: Mapping[Group, Sequence[Mapping[str, Any]]], types: Mapping[str, Mapping[str, str]]
) -> list[list[Any]]:
    """One array per column of every group, in the order of ``statement``'s parameters."""
    return [
        [_value(row[name], types[group.table][name]) for row in rows]
        for group, rows in groups.items()
        for name in group.columns
    ]


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

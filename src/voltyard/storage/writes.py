"""Rows to write, merged into few statements: arrays per table, one round trip for all tables."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

_encode = msgspec.json.Encoder().encode


class Write(NamedTuple):
    """One row: insert it, or on the same ``key`` columns update the other columns given.

    With ``update`` the row must exist and only the columns given change (an insert would need
    every mandatory column). JSON columns take plain objects (they are encoded here). Writes of
    one batch are applied in ``TABLE_ORDER``; two upserts of one key merge, the later column wins.
    """

    table: str
    row: Mapping[str, Any]
    key: tuple[str, ...] = ()
    update: bool = False
    shape: "Group | None" = None
    values: tuple[Any, ...] = ()


TABLE_ORDER = (
    "stations",
    "evses",
    "connectors",
    "station_config",
    "charger_commands",
    "local_lists",
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
    "refusals",
    "booking_decisions",
)


class Group(NamedTuple):
    """Rows that one statement can write."""

    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...] = ()
    update: bool = False

    def insert(self, values: tuple[Any, ...]) -> Write:
        """A row of a table that grows with every message: its values in the order of ``columns``.

        Best all columns of the table in their order: then nothing more is done to it here.
        """
        return Write(self.table, _NO_ROW, (), False, self, values)


_NO_ROW: Mapping[str, Any] = MappingProxyType({})
_Row = Mapping[str, Any] | tuple[Any, ...]


def merge(writes: Iterable[Write]) -> dict[Group, list[_Row]]:
    """Group writes by table, columns and key, in table order, one row per key.

    Of one key, a full write and later updates become one full write.
    """
    rows: dict[tuple[str, tuple[str, ...]], dict[Any, tuple[Mapping[str, Any], bool]]] = {}
    plain: dict[tuple[str, tuple[str, ...]], list[Mapping[str, Any]]] = {}
    shaped: dict[int, tuple[Group, list[tuple[Any, ...]]]] = {}
    for table, row, key, update, made, values in writes:
        if made is not None:
            if id(made) in shaped:
                shaped[id(made)][1].append(values)
            else:
                shaped[id(made)] = (made, [values])
            continue
        if not key:
            shape = (table, tuple(row))
            if shape in plain:
                plain[shape].append(row)
            else:
                plain[shape] = [row]
            continue
        by_key = rows.setdefault((table, key), {})
        identity = tuple([row[name] for name in key])
        known = by_key.get(identity)
        if known is None:
            by_key[identity] = (row, update)
        else:
            by_key[identity] = ({**known[0], **row}, known[1] and update)
    groups: dict[Group, list[_Row]] = {}
    for group, of_shape in shaped.values():
        groups.setdefault(group, []).extend(of_shape)
    for (table, columns), found in plain.items():
        groups.setdefault(_group(table, columns, (), False), []).extend(found)
    for (table, key), merged in rows.items():
        for row, update in merged.values():
            groups.setdefault(_group(table, tuple(row), key, update), []).append(row)
    ordered = sorted(groups, key=lambda group: TABLE_ORDER.index(group.table))
    return {group: groups[group] for group in ordered}


@lru_cache(maxsize=1024)
def _group(table: str, columns: tuple[str, ...], key: tuple[str, ...], update: bool) -> Group:
    return Group(table, tuple(sorted(columns)), key, update)


def together(groups: Sequence[Group]) -> bool:
    """Whether one statement may carry all of them: no row can be touched by two of them.

    ``merge`` keeps rows of one table and key apart; it cannot know for two keys of one table.
    """
    keys: dict[str, tuple[str, ...]] = {}
    return all(keys.setdefault(group.table, group.key) == group.key for group in groups)


def statement(groups: Sequence[Group], types: Mapping[str, Mapping[str, str]]) -> str:
    """SQL that writes all groups, in their order; parameters as ``arrays`` gives them.

    ``types``: of each table its columns in their order, and the type of each.
    """
    parts: list[str] = []
    first = 1
    for group in groups:
        parts.append(_one(group, types[group.table], first))
        first += 1 if _whole(group, types[group.table]) else len(group.columns)
    if len(parts) == 1:
        return parts[0]
    named = ", ".join(f"w{place} AS ({part})" for place, part in enumerate(parts))
    return f"WITH {named} SELECT 1"


def _one(group: Group, types: Mapping[str, str], first: int) -> str:
    """``INSERT … SELECT FROM unnest`` (COPY is not allowed under row-level security)."""
    table, columns, key, update = group
    names = ", ".join(columns)
    if _whole(group, types):
        shown = ", ".join(f"u.{name}" for name in columns)
        rows = f"unnest(${first}::{table}[])"
        return f"INSERT INTO {table} ({names}) SELECT {shown} FROM {rows} AS u"
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


def _whole(group: Group, types: Mapping[str, str]) -> bool:
    """Rows that name all columns of their table travel as rows of its type.

    The driver looks at every element of an array: a third of the client's time for readings.
    """
    return not group.key and len(group.columns) == len(types) and "jsonb" not in types.values()


def _wrapped(type_name: str) -> bool:
    """Types that cannot be elements of an array parameter travel as text."""
    return type_name == "jsonb" or type_name.startswith("_")


def _cast(type_name: str) -> str:
    return f"{type_name[1:]}[]" if type_name.startswith("_") else type_name


def arrays(
    groups: Mapping[Group, Sequence[_Row]], types: Mapping[str, Mapping[str, str]]
) -> list[list[Any]]:
    """One array per column of every group, or one of rows, as ``statement`` takes them."""
    found: list[list[Any]] = []
    for group, rows in groups.items():
        kinds = types[group.table]
        if _whole(group, kinds):
            found.append(_rows(group.columns, tuple(kinds), rows))
            continue
        for place, name in enumerate(group.columns):
            column = [row[place] if isinstance(row, tuple) else row[name] for row in rows]
            found.append(_column(column, kinds[name]))
    return found


def _rows(given: tuple[str, ...], wanted: tuple[str, ...], rows: Sequence[_Row]) -> list[Any]:
    """Each row as a tuple in the order of its table."""
    if not isinstance(rows[0], tuple):
        return list(map(itemgetter(*wanted), rows))
    if given == wanted:
        return list(rows)
    return list(map(itemgetter(*map(given.index, wanted)), rows))


def _column(values: list[Any], type_name: str) -> list[Any]:
    """Nearly every type goes to the driver as it is."""
    if type_name == "jsonb":
        return [None if value is None else _encode(value).decode() for value in values]
    if type_name.startswith("_"):
        return [None if value is None else _array_text(value) for value in values]
    return values


def _array_text(values: Sequence[Any]) -> str:
    return "{" + ",".join([_array_element(str(part)) for part in values]) + "}" if values else "{}"


def _array_element(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

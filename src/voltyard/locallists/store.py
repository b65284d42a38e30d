"""All SQL of local lists."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any
from uuid import UUID

import msgspec

from voltyard.locallists.model import ListState, LocalList
from voltyard.storage.engine import Row, Tx

COLUMNS = tuple(field.name for field in fields(LocalList))
_SHOWN = ", ".join(COLUMNS)


async def save(tx: Tx, row: LocalList) -> None:
    values = ", ".join(
        "CAST(:entries AS jsonb)" if name == "entries" else f":{name}" for name in COLUMNS
    )
    sets = ", ".join(
        f"{name} = excluded.{name}" for name in COLUMNS if name not in ("station_id", "org_id")
    )
    await tx.execute(
        f"INSERT INTO local_lists ({_SHOWN}) VALUES ({values})"
        f" ON CONFLICT (station_id) DO UPDATE SET {sets}",
        _params(row),
    )


async def mark(tx: Tx, org_id: UUID, station_ids: Sequence[UUID]) -> None:
    """The caches of these stations have to be cleared."""
    await tx.execute(
        "INSERT INTO local_lists (station_id, org_id, state, version, clear_cache)"
        " SELECT id, :org, 'unknown', 0, true FROM unnest(CAST(:ids AS uuid[])) AS u(id)"
        " ON CONFLICT (station_id) DO UPDATE SET clear_cache = true",
        {"org": org_id, "ids": list(station_ids)},
    )


async def all_lists(tx: Tx) -> list[LocalList]:
    return [_list(row) for row in await tx.all(f"SELECT {_SHOWN} FROM local_lists")]


async def of_station(tx: Tx, station_id: UUID) -> LocalList | None:
    row = await tx.one(
        f"SELECT {_SHOWN} FROM local_lists WHERE station_id = :id", {"id": station_id}
    )
    return None if row is None else _list(row)


def _params(each: LocalList) -> dict[str, Any]:
    found = {name: getattr(each, name) for name in COLUMNS}
    entries = msgspec.json.encode(dict(each.entries)).decode()
    return found | {"state": each.state.value, "entries": entries}


def _list(row: Row) -> LocalList:
    found = LocalList(**{name: row[name] for name in COLUMNS})
    return replace(found, state=ListState(row["state"]))

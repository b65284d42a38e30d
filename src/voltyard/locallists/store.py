"""All SQL of local lists."""

from dataclasses import fields, replace
from uuid import UUID

from voltyard.locallists.model import ListState, LocalList
from voltyard.storage.engine import Row, Tx
from voltyard.storage.groupcommit import Write

COLUMNS = tuple(field.name for field in fields(LocalList))
_SHOWN = ", ".join(COLUMNS)


def write(row: LocalList) -> Write:
    """The whole row, for a group commit."""
    found = {name: getattr(row, name) for name in COLUMNS}
    found |= {"state": row.state.value, "entries": dict(row.entries)}
    return Write("local_lists", found, ("station_id",))


async def all_lists(tx: Tx) -> list[LocalList]:
    return [_list(row) for row in await tx.all(f"SELECT {_SHOWN} FROM local_lists")]


async def of_station(tx: Tx, station_id: UUID) -> LocalList | None:
    row = await tx.one(
        f"SELECT {_SHOWN} FROM local_lists WHERE station_id = :id", {"id": station_id}
    )
    return None if row is None else _list(row)


def _list(row: Row) -> LocalList:
    found = LocalList(**{name: row[name] for name in COLUMNS})
    return replace(found, state=ListState(row["state"]))

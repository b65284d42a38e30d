"""All SQL of reservations."""

from dataclasses import fields, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from voltyard.reservations.model import Reservation, ReservationState
from voltyard.storage.engine import Row, Tx

COLUMNS = tuple(field.name for field in fields(Reservation))
OVERLAP = "reservations_overlap"


async def next_number(tx: Tx) -> int:
    """A number no other request to any charger has had."""
    row = await tx.one("SELECT nextval('charger_requests')::int AS number")
    assert row is not None
    return int(row["number"])


async def insert(tx: Tx, reservation: Reservation) -> None:
    values = ", ".join(f":{name}" for name in COLUMNS)
    await tx.execute(
        f"INSERT INTO reservations ({', '.join(COLUMNS)}) VALUES ({values})", _params(reservation)
    )


async def save(tx: Tx, reservation: Reservation) -> None:
    changing = ("state", "word", "cancel_due", "session_id", "changed_at")
    sets = ", ".join(f"{name} = :{name}" for name in changing)
    params = _params(reservation)
    await tx.execute(
        f"UPDATE reservations SET {sets} WHERE id = :id",
        {name: params[name] for name in (*changing, "id")},
    )


async def unfinished(tx: Tx) -> list[Reservation]:
    """Those that still hold something, or that a charger still has to be told of."""
    rows = await tx.all(
        "SELECT * FROM reservations WHERE state IN ('planned', 'asked', 'active') OR cancel_due"
        " ORDER BY from_at, id"
    )
    return [_reservation(row) for row in rows]


async def one(tx: Tx, reservation_id: UUID) -> Reservation | None:
    row = await tx.one("SELECT * FROM reservations WHERE id = :id", {"id": reservation_id})
    return None if row is None else _reservation(row)


async def find(
    tx: Tx,
    *,
    station_id: UUID | None,
    site_id: UUID | None,
    open_at: datetime | None,
    text: str = "",
    over_at: datetime | None = None,
    limit: int,
    offset: int,
) -> tuple[list[Reservation], int]:
    """Latest end first, and how many there are; only those open at ``open_at``, or over by
    ``over_at``; ``text`` is in the token."""
    where = (
        "(CAST(:station AS uuid) IS NULL OR station_id = :station)"
        " AND (CAST(:site AS uuid) IS NULL OR site_id = :site)"
        " AND (CAST(:open_at AS timestamptz) IS NULL"
        " OR (state IN ('planned', 'asked', 'active') AND until_at > :open_at))"
        " AND (CAST(:over_at AS timestamptz) IS NULL"
        " OR state NOT IN ('planned', 'asked', 'active') OR until_at <= :over_at)"
        " AND (CAST(:text AS text) = '' OR strpos(lower(token), :text) > 0)"
    )
    params = {
        "station": station_id,
        "site": site_id,
        "open_at": open_at,
        "over_at": over_at,
        "text": text.lower(),
    }
    rows = await tx.all(
        f"SELECT * FROM reservations WHERE {where} ORDER BY until_at DESC, id"
        " LIMIT :limit OFFSET :offset",
        {**params, "limit": limit, "offset": offset},
    )
    total = await tx.one(f"SELECT count(*) AS n FROM reservations WHERE {where}", params)
    return [_reservation(row) for row in rows], int(total["n"]) if total else 0


def _params(reservation: Reservation) -> dict[str, Any]:
    found = {name: getattr(reservation, name) for name in COLUMNS}
    return found | {"state": reservation.state.value}


def _reservation(row: Row) -> Reservation:
    found = Reservation(**{name: row[name] for name in COLUMNS})
    return replace(found, state=ReservationState(row["state"]))

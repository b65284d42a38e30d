"""All SQL of bookings, their series, rules and decisions."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from voltyard.bookings.model import (
    Action,
    Booking,
    BookingFilter,
    Decision,
    Mode,
    Origin,
    Series,
    SiteRules,
)
from voltyard.storage.engine import Row, Tx

OVERLAP = "bookings_overlap"
BOOKING = tuple(field.name for field in fields(Booking))
SERIES = tuple(field.name for field in fields(Series))
RULES = tuple(field.name for field in fields(SiteRules))
DECISION = tuple(field.name for field in fields(Decision))


async def insert(tx: Tx, booking: Booking) -> None:
    """The database refuses one that overlaps another of its place."""
    await tx.execute(_insert("bookings", BOOKING), booking_row(booking))


async def insert_if_free(tx: Tx, booking: Booking) -> bool:
    """Whether the place was free for it; nothing is stored where it was not."""
    sql = _insert("bookings", BOOKING) + " ON CONFLICT DO NOTHING"
    return await tx.execute(sql, booking_row(booking)) == 1


async def save(tx: Tx, booking: Booking) -> None:
    await tx.execute(_update("bookings", BOOKING, "id"), booking_row(booking))


async def one(tx: Tx, booking_id: UUID) -> Booking | None:
    row = await tx.one("SELECT * FROM bookings WHERE id = :id FOR UPDATE", {"id": booking_id})
    return None if row is None else _booking(row)


async def lately(tx: Tx, since: datetime, site_id: UUID | None = None) -> list[Booking]:
    """All that are not cancelled and end after ``since``."""
    rows = await tx.all(
        "SELECT * FROM bookings WHERE cancelled_at IS NULL AND kept_until >= :since"
        " AND (CAST(:site AS uuid) IS NULL OR site_id = :site) ORDER BY from_at, id",
        {"since": since, "site": site_id},
    )
    return [_booking(row) for row in rows]


async def find(
    tx: Tx, wanted: BookingFilter, *, limit: int, offset: int
) -> tuple[list[Booking], int]:
    """Latest beginning first, and how many there are."""
    where = (
        "(CAST(:site_id AS uuid) IS NULL OR site_id = :site_id)"
        " AND (CAST(:place_id AS uuid) IS NULL OR place_id = :place_id)"
        " AND (CAST(:vehicle_id AS uuid) IS NULL OR vehicle_id = :vehicle_id)"
        " AND (CAST(:from_at AS timestamptz) IS NULL OR kept_until > :from_at)"
        " AND (CAST(:until_at AS timestamptz) IS NULL OR kept_from < :until_at)"
        " AND (CAST(:open_at AS timestamptz) IS NULL"
        " OR (cancelled_at IS NULL AND until_at > :open_at))"
        " AND (CAST(:origin AS text) IS NULL OR origin = :origin)"
    )
    params = {field.name: getattr(wanted, field.name) for field in fields(wanted)}
    params["origin"] = None if wanted.origin is None else wanted.origin.value
    rows = await tx.all(
        f"SELECT * FROM bookings WHERE {where} ORDER BY from_at DESC, id"
        " LIMIT :limit OFFSET :offset",
        {**params, "limit": limit, "offset": offset},
    )
    total = await tx.one(f"SELECT count(*) AS n FROM bookings WHERE {where}", params)
    return [_booking(row) for row in rows], int(total["n"]) if total else 0


async def insert_series(tx: Tx, series: Series) -> None:
    await tx.execute(_insert("booking_series", SERIES), _series_row(series))


async def save_series(tx: Tx, series: Series) -> None:
    await tx.execute(_update("booking_series", SERIES, "id"), _series_row(series))


async def series(tx: Tx, *, site_id: UUID | None = None, running: bool = False) -> list[Series]:
    rows = await tx.all(
        "SELECT * FROM booking_series WHERE (CAST(:site AS uuid) IS NULL OR site_id = :site)"
        " AND (NOT :running OR ended_at IS NULL) ORDER BY created_at, id",
        {"site": site_id, "running": running},
    )
    return [_series(row) for row in rows]


async def one_series(tx: Tx, series_id: UUID) -> Series | None:
    row = await tx.one("SELECT * FROM booking_series WHERE id = :id", {"id": series_id})
    return None if row is None else _series(row)


async def known_days(tx: Tx, series_id: UUID) -> set[Any]:
    """The days of a series that have a booking already, cancelled ones among them."""
    rows = await tx.all("SELECT series_on FROM bookings WHERE series_id = :id", {"id": series_id})
    return {row["series_on"] for row in rows}


async def put_rules(tx: Tx, rules: SiteRules) -> None:
    sets = ", ".join(f"{name} = EXCLUDED.{name}" for name in RULES if name != "site_id")
    sql = _insert("booking_rules", RULES) + f" ON CONFLICT (site_id) DO UPDATE SET {sets}"
    await tx.execute(sql, _plain(rules, RULES))


async def all_rules(tx: Tx) -> list[SiteRules]:
    rows = await tx.all("SELECT * FROM booking_rules")
    found = [SiteRules(**{name: row[name] for name in RULES}) for row in rows]
    return [replace(rules, mode=Mode(rules.mode)) for rules in found]


def decision_row(decision: Decision) -> dict[str, Any]:
    return _plain(decision, DECISION)


async def insert_decision(tx: Tx, decision: Decision) -> None:
    await tx.execute(_insert("booking_decisions", DECISION), decision_row(decision))


async def decisions(
    tx: Tx,
    *,
    session_id: UUID | None,
    site_id: UUID | None,
    booking_id: UUID | None,
    limit: int,
    offset: int,
) -> tuple[list[Decision], int]:
    """Newest first, and how many there are."""
    where = (
        "(CAST(:session AS uuid) IS NULL OR session_id = :session)"
        " AND (CAST(:site AS uuid) IS NULL OR site_id = :site)"
        " AND (CAST(:booking AS uuid) IS NULL OR booking_id = :booking)"
    )
    params = {"session": session_id, "site": site_id, "booking": booking_id}
    rows = await tx.all(
        f"SELECT * FROM booking_decisions WHERE {where} ORDER BY at DESC, id"
        " LIMIT :limit OFFSET :offset",
        {**params, "limit": limit, "offset": offset},
    )
    total = await tx.one(f"SELECT count(*) AS n FROM booking_decisions WHERE {where}", params)
    return [_decision(row) for row in rows], int(total["n"]) if total else 0


async def allowed_sessions(tx: Tx, since: datetime) -> list[UUID]:
    """Sessions that a person has let go on."""
    rows = await tx.all(
        "SELECT session_id FROM booking_decisions WHERE action = :action AND at >= :since"
        " AND session_id IS NOT NULL",
        {"action": Action.ALLOWED_BY_PERSON.value, "since": since},
    )
    return [row["session_id"] for row in rows]


async def drop_decisions_before(tx: Tx, before: datetime) -> None:
    await tx.execute("DELETE FROM booking_decisions WHERE at < :before", {"before": before})


def booking_row(booking: Booking) -> dict[str, Any]:
    return _plain(booking, BOOKING)


def _series_row(series: Series) -> dict[str, Any]:
    return _plain(series, SERIES) | {"weekdays": list(series.weekdays)}


def _plain(thing: object, names: Sequence[str]) -> dict[str, Any]:
    found = {name: getattr(thing, name) for name in names}
    return {n: v.value if isinstance(v, Mode | Origin | Action) else v for n, v in found.items()}


def _insert(table: str, names: Sequence[str]) -> str:
    values = ", ".join(f":{name}" for name in names)
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})"


def _update(table: str, names: Sequence[str], key: str) -> str:
    sets = ", ".join(f"{name} = :{name}" for name in names if name != key)
    return f"UPDATE {table} SET {sets} WHERE {key} = :{key}"


def _of(row: Row, names: Sequence[str]) -> Mapping[str, Any]:
    return {name: row[name] for name in names}


def _booking(row: Row) -> Booking:
    found = Booking(**_of(row, BOOKING))
    return replace(found, origin=Origin(row["origin"]))


def _series(row: Row) -> Series:
    return Series(**{**_of(row, SERIES), "weekdays": tuple(row["weekdays"])})


def _decision(row: Row) -> Decision:
    return replace(Decision(**_of(row, DECISION)), action=Action(row["action"]))

"""All SQL of site meters, their readings by the minute, and the other load seen behind them."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from voltyard.sitemeters.model import (
    Connection,
    Covers,
    Fallback,
    LoadSlot,
    MeterProtocol,
    Minute,
    Point,
    SiteMeter,
)
from voltyard.storage.engine import Row, Tx

_PLAIN = ("enabled", "margin_w", "hold_s", "reserve_w", "days", "most_w", "name")
_COLUMNS = (
    "id", "org_id", "site_id", "node_id", "name", "protocol", "covers", "connection", "points",
    "enabled", "margin_w", "hold_s", "fallback", "reserve_w", "days", "most_w",
)  # fmt: skip


async def meters(tx: Tx, site_id: UUID | None = None) -> list[SiteMeter]:
    rows = await tx.all(
        "SELECT * FROM site_meters WHERE CAST(:site_id AS uuid) IS NULL OR site_id = :site_id"
        " ORDER BY site_id, name, id",
        {"site_id": site_id},
    )
    return [_meter(row) for row in rows]


async def meter(tx: Tx, meter_id: UUID, *, lock: bool = False) -> SiteMeter | None:
    end = " FOR UPDATE" if lock else ""
    row = await tx.one("SELECT * FROM site_meters WHERE id = :id" + end, {"id": meter_id})
    return None if row is None else _meter(row)


def _meter(row: Row) -> SiteMeter:
    return SiteMeter(
        id=row["id"],
        org_id=row["org_id"],
        site_id=row["site_id"],
        node_id=row["node_id"],
        protocol=MeterProtocol(row["protocol"]),
        covers=Covers(row["covers"]),
        connection=msgspec.convert(row["connection"], Connection),
        points=tuple(msgspec.convert(point, Point) for point in row["points"]),
        fallback=Fallback(row["fallback"]),
        **{name: row[name] for name in _PLAIN},
    )


def _params(meter: SiteMeter) -> dict[str, Any]:
    values = {name: getattr(meter, name) for name in _COLUMNS}
    return values | {
        "protocol": meter.protocol.value,
        "covers": meter.covers.value,
        "fallback": meter.fallback.value,
        "connection": msgspec.json.encode(meter.connection).decode(),
        "points": msgspec.json.encode(meter.points).decode(),
    }


async def put_meter(tx: Tx, meter: SiteMeter) -> None:
    places = [
        f"CAST(:{name} AS jsonb)" if name in ("connection", "points") else f":{name}"
        for name in _COLUMNS
    ]
    changes = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[3:])
    await tx.execute(
        f"INSERT INTO site_meters ({', '.join(_COLUMNS)}) VALUES ({', '.join(places)})"
        f" ON CONFLICT (id) DO UPDATE SET {changes}",
        _params(meter),
    )


async def put_secret(tx: Tx, meter_id: UUID, secret: bytes | None) -> None:
    await tx.execute(
        "UPDATE site_meters SET secret = :secret WHERE id = :id",
        {"id": meter_id, "secret": secret},
    )


async def secret(tx: Tx, meter_id: UUID) -> bytes | None:
    row = await tx.one("SELECT secret FROM site_meters WHERE id = :id", {"id": meter_id})
    return None if row is None else row["secret"]


async def delete_meter(tx: Tx, meter_id: UUID) -> None:
    await tx.execute("DELETE FROM site_meters WHERE id = :id", {"id": meter_id})


async def node_exists(tx: Tx, site_id: UUID, node_id: UUID) -> bool:
    """A look into the table of sites: a foreign key could not see the tenant."""
    row = await tx.one(
        "SELECT id FROM nodes WHERE id = :id AND site_id = :site_id AND evse_id IS NULL",
        {"id": node_id, "site_id": site_id},
    )
    return row is not None


async def site_exists(tx: Tx, site_id: UUID) -> bool:
    return await tx.one("SELECT id FROM sites WHERE id = :id", {"id": site_id}) is not None


async def put_minutes(tx: Tx, org_id: UUID, found: Sequence[Minute]) -> None:
    """A minute told again replaces what was kept of it. Meters that went meanwhile are left out."""
    await tx.execute_many(
        "INSERT INTO site_readings (meter_id, at, org_id, readings, last_at, last_w, mean_w,"
        " lowest_w, highest_w, phases_w, energy_wh) SELECT :meter_id, :at, :org_id, :readings,"
        " :last_at, :last_w, :mean_w, :lowest_w, :highest_w,"
        " CAST(:phases_w AS double precision[]), :energy_wh"
        " WHERE EXISTS (SELECT 1 FROM site_meters WHERE id = :meter_id)"
        " ON CONFLICT (meter_id, at) DO UPDATE SET readings = excluded.readings,"
        " last_at = excluded.last_at, last_w = excluded.last_w, mean_w = excluded.mean_w,"
        " lowest_w = excluded.lowest_w, highest_w = excluded.highest_w,"
        " phases_w = excluded.phases_w, energy_wh = excluded.energy_wh",
        [
            asdict(minute)
            | {
                "org_id": org_id,
                "phases_w": None if minute.phases_w is None else list(minute.phases_w),
            }
            for minute in found
        ],
    )


async def put_slots(tx: Tx, org_id: UUID, found: Sequence[LoadSlot]) -> None:
    await tx.execute_many(
        "INSERT INTO other_loads (meter_id, at, org_id, mean_w, highest_w, seconds)"
        " SELECT :meter_id, :at, :org_id, :mean_w, :highest_w, :seconds"
        " WHERE EXISTS (SELECT 1 FROM site_meters WHERE id = :meter_id)"
        " ON CONFLICT (meter_id, at) DO UPDATE SET mean_w = excluded.mean_w,"
        " highest_w = excluded.highest_w, seconds = excluded.seconds",
        [asdict(slot) | {"org_id": org_id} for slot in found],
    )


async def slots(tx: Tx, meter_id: UUID, from_at: datetime, until_at: datetime) -> list[LoadSlot]:
    rows = await tx.all(
        "SELECT meter_id, at, mean_w, highest_w, seconds FROM other_loads"
        " WHERE meter_id = :meter_id AND at >= :from_at AND at < :until_at ORDER BY at",
        {"meter_id": meter_id, "from_at": from_at, "until_at": until_at},
    )
    return [LoadSlot(**row) for row in rows]


async def last_minutes(tx: Tx, since: datetime) -> list[Minute]:
    """The newest minute of every meter, where it is not older than ``since``."""
    rows = await tx.all(
        "SELECT DISTINCT ON (meter_id) meter_id, at, readings, last_at, last_w, mean_w, lowest_w,"
        " highest_w, phases_w, energy_wh FROM site_readings WHERE at >= :since"
        " ORDER BY meter_id, at DESC",
        {"since": since},
    )
    return [_minute(row) for row in rows]


async def minutes(
    tx: Tx, meter_id: UUID, from_at: datetime, until_at: datetime, bucket_s: int
) -> list[Row]:
    """Per bucket the mean, the lowest and the highest power, oldest first."""
    return await tx.all(
        "SELECT date_bin(make_interval(secs => :bucket_s), at, 'epoch'::timestamptz) AS bucket,"
        " sum(mean_w * readings) / sum(readings) AS mean_w, min(lowest_w) AS lowest_w,"
        " max(highest_w) AS highest_w, CAST(sum(readings) AS int) AS readings FROM site_readings"
        " WHERE meter_id = :meter_id AND at >= :from_at AND at < :until_at"
        " GROUP BY bucket ORDER BY bucket",
        {"meter_id": meter_id, "from_at": from_at, "until_at": until_at, "bucket_s": bucket_s},
    )


async def drop_before(tx: Tx, at: datetime) -> None:
    await tx.execute("DELETE FROM site_readings WHERE at < :at", {"at": at})
    await tx.execute("DELETE FROM other_loads WHERE at < :at", {"at": at})


def _minute(row: Row) -> Minute:
    phases = row["phases_w"]
    return Minute(**{**row, "phases_w": None if phases is None else tuple(phases)})

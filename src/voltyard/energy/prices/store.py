"""All SQL of what sites pay: tariffs, prices as sources told them, peaks of billing periods."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from voltyard.energy.prices.model import Peak, Point, PriceKind, Tariff
from voltyard.storage.engine import Row, Tx


async def tariffs(tx: Tx) -> list[tuple[UUID, UUID, Tariff]]:
    """Site, organisation and tariff."""
    rows = await tx.all("SELECT site_id, org_id, content FROM tariffs ORDER BY site_id")
    return [(r["site_id"], r["org_id"], msgspec.convert(r["content"], Tariff)) for r in rows]


async def tariff(tx: Tx, site_id: UUID) -> Tariff | None:
    row = await tx.one("SELECT content FROM tariffs WHERE site_id = :id", {"id": site_id})
    return None if row is None else msgspec.convert(row["content"], Tariff)


async def put_tariff(tx: Tx, org_id: UUID, site_id: UUID, tariff: Tariff, at: datetime) -> None:
    await tx.execute(
        "INSERT INTO tariffs (site_id, org_id, content, changed_at) VALUES (:site_id, :org_id,"
        " CAST(:content AS jsonb), :at) ON CONFLICT (site_id) DO UPDATE SET"
        " content = excluded.content, changed_at = excluded.changed_at",
        {
            "site_id": site_id,
            "org_id": org_id,
            "content": msgspec.json.encode(tariff).decode(),
            "at": at,
        },
    )


async def put_points(
    tx: Tx,
    org_id: UUID,
    site_id: UUID,
    kind: PriceKind,
    points: Sequence[Point],
    source: str,
    at: datetime,
) -> None:
    """What is told again replaces what was told. The site must exist."""
    await tx.execute_many(
        "INSERT INTO market_prices (site_id, kind, at, org_id, seconds, value, source, fetched_at)"
        " VALUES (:site_id, :kind, :at, :org_id, :seconds, :value, :source, :fetched_at)"
        " ON CONFLICT (site_id, kind, at) DO UPDATE SET seconds = excluded.seconds,"
        " value = excluded.value, source = excluded.source, fetched_at = excluded.fetched_at",
        [
            {
                "site_id": site_id,
                "kind": kind.value,
                "at": point.start_at,
                "org_id": org_id,
                "seconds": point.seconds,
                "value": point.value,
                "source": source,
                "fetched_at": at,
            }
            for point in points
        ],
    )


async def points(
    tx: Tx, site_id: UUID, kind: PriceKind, from_at: datetime, until_at: datetime
) -> list[Point]:
    rows = await tx.all(
        "SELECT at, seconds, value FROM market_prices WHERE site_id = :site_id AND kind = :kind"
        " AND at >= :from_at AND at < :until_at ORDER BY at",
        {"site_id": site_id, "kind": kind.value, "from_at": from_at, "until_at": until_at},
    )
    return [Point(row["at"], row["seconds"], row["value"]) for row in rows]


async def site(tx: Tx, site_id: UUID) -> Row | None:
    """A look into the table of sites: whether this scope sees it."""
    return await tx.one("SELECT id, currency FROM sites WHERE id = :id", {"id": site_id})


async def peaks(tx: Tx, site_id: UUID | None = None) -> list[tuple[UUID, Peak]]:
    rows = await tx.all(
        "SELECT site_id, begins_at, peak_w, peak_at, metered FROM site_peaks"
        " WHERE CAST(:site_id AS uuid) IS NULL OR site_id = :site_id ORDER BY begins_at",
        {"site_id": site_id},
    )
    return [
        (row["site_id"], Peak(row["begins_at"], row["peak_w"], row["peak_at"], row["metered"]))
        for row in rows
    ]


async def put_peak(tx: Tx, org_id: UUID, site_id: UUID, peak: Peak) -> None:
    """The higher one is kept."""
    await tx.execute(
        "INSERT INTO site_peaks (site_id, begins_at, org_id, peak_w, peak_at, metered)"
        " VALUES (:site_id, :begins_at, :org_id, :peak_w, :peak_at, :metered)"
        " ON CONFLICT (site_id, begins_at) DO UPDATE SET peak_w = excluded.peak_w,"
        " peak_at = excluded.peak_at, metered = excluded.metered"
        " WHERE site_peaks.peak_w < excluded.peak_w",
        {
            "site_id": site_id,
            "begins_at": peak.begins_at,
            "org_id": org_id,
            "peak_w": peak.peak_w,
            "peak_at": peak.peak_at,
            "metered": peak.metered,
        },
    )


async def drop_before(tx: Tx, at: datetime) -> None:
    await tx.execute("DELETE FROM market_prices WHERE at < :at", {"at": at})

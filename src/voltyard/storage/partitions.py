"""Time partitions of the tables that grow: made ahead, dropped by retention."""

import logging
from collections.abc import Mapping
from datetime import date, timedelta

from sqlalchemy.exc import IntegrityError

from voltyard.storage.engine import Database

log = logging.getLogger(__name__)

PARTITIONED = ("ocpp_frames", "meter_values", "power_samples")
DAYS_AHEAD = 7


async def make_ahead(database: Database, today: date, days: int = DAYS_AHEAD) -> None:
    """A partition a day (UTC) from yesterday to ``days`` ahead.

    Each in a transaction of its own: making one locks its table, and whoever writes to several
    tables at once must never wait for one of them while holding another that is wanted here. A
    day of which there are rows already (the clock was wrong before) stays with the odd ones.
    """
    for table in PARTITIONED:
        for day in await _missing(database, table, today, days):
            try:
                await _make(database, table, day)
            except IntegrityError:
                log.warning("%s: rows of %s were there before their partition", table, day)


async def _make(database: Database, table: str, day: date) -> None:
    async with database.begin(org_id=None, system=True) as tx:
        await tx.execute(
            "SELECT voltyard_make_partition(:table, :day)", {"table": table, "day": day}
        )


async def _missing(database: Database, table: str, today: date, days: int) -> list[date]:
    wanted = [today + timedelta(days=offset) for offset in range(-1, days + 1)]
    async with database.begin(org_id=None, system=True) as tx:
        rows = await tx.all(
            "SELECT relname FROM pg_class WHERE relname = ANY(:names)",
            {"names": [f"{table}_{day:%Y%m%d}" for day in wanted]},
        )
    known = {row["relname"] for row in rows}
    return [day for day in wanted if f"{table}_{day:%Y%m%d}" not in known]


async def drop_old(database: Database, today: date, keep_days: Mapping[str, int]) -> int:
    """Drop partitions older than ``keep_days`` of their table; how many went."""
    dropped = 0
    async with database.begin(org_id=None, system=True) as tx:
        for table, days in keep_days.items():
            row = await tx.one(
                "SELECT voltyard_drop_partitions(:table, :day) AS dropped",
                {"table": table, "day": today - timedelta(days=days)},
            )
            dropped += int(row["dropped"]) if row else 0
    return dropped

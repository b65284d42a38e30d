"""All SQL of monitors and the events they raise."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from voltyard.chargers.model import Monitor, VariableEvent
from voltyard.monitoring.model import StoredEvent, StoredMonitor
from voltyard.storage.engine import Row, Tx

_MONITOR = ("monitor_id", "variable", "kind", "value", "severity", "only_in_transaction", "origin")
_EVENT = tuple(VariableEvent.__dataclass_fields__)


async def save_event(tx: Tx, org_id: UUID, stored: StoredEvent) -> None:
    """Told twice, it is kept once."""
    values = {name: _clean(getattr(stored.event, name)) for name in _EVENT}
    names = ("id", "org_id", "station_id", "site_id", "received_at", *_EVENT)
    await tx.execute(
        f"INSERT INTO station_events ({', '.join(names)})"
        f" VALUES ({', '.join(f':{name}' for name in names)}) ON CONFLICT (id) DO NOTHING",
        {
            **values,
            "id": stored.id,
            "org_id": org_id,
            "station_id": stored.station_id,
            "site_id": stored.site_id,
            "received_at": stored.received_at,
        },
    )


async def events(
    tx: Tx,
    *,
    station_id: UUID | None,
    severity_max: int | None,
    since: datetime | None,
    limit: int,
    offset: int,
) -> list[StoredEvent]:
    """Newest first."""
    rows = await tx.all(
        "SELECT * FROM station_events"
        " WHERE (CAST(:station_id AS uuid) IS NULL OR station_id = :station_id)"
        " AND (CAST(:severity_max AS int) IS NULL OR severity <= :severity_max)"
        " AND received_at >= coalesce(CAST(:since AS timestamptz), '-infinity')"
        " ORDER BY received_at DESC, id LIMIT :limit OFFSET :offset",
        {
            "station_id": station_id,
            "severity_max": severity_max,
            "since": since,
            "limit": limit,
            "offset": offset,
        },
    )
    return [_event(row) for row in rows]


async def drop_events_before(tx: Tx, at: datetime) -> None:
    await tx.execute("DELETE FROM station_events WHERE received_at < :at", {"at": at})


async def save_monitors(
    tx: Tx, org_id: UUID, station_id: UUID, monitors: Sequence[Monitor], at: datetime
) -> None:
    for monitor in monitors:
        values = {name: _clean(getattr(monitor, name)) for name in _MONITOR}
        names = ("station_id", "org_id", "told_at", *_MONITOR)
        changes = ", ".join(f"{name} = :{name}" for name in (*_MONITOR[1:], "told_at"))
        await tx.execute(
            f"INSERT INTO station_monitors ({', '.join(names)})"
            f" VALUES ({', '.join(f':{name}' for name in names)})"
            f" ON CONFLICT (station_id, monitor_id) DO UPDATE SET {changes}",
            {**values, "station_id": station_id, "org_id": org_id, "told_at": at},
        )


async def drop_monitors_before(tx: Tx, station_id: UUID, at: datetime) -> None:
    await tx.execute(
        "DELETE FROM station_monitors WHERE station_id = :id AND told_at < :at",
        {"id": station_id, "at": at},
    )


async def drop_monitors(tx: Tx, station_id: UUID, ids: Sequence[int]) -> None:
    await tx.execute(
        "DELETE FROM station_monitors WHERE station_id = :id"
        " AND monitor_id = ANY(CAST(:ids AS bigint[]))",
        {"id": station_id, "ids": list(ids)},
    )


async def monitors(tx: Tx, station_id: UUID) -> list[StoredMonitor]:
    rows = await tx.all(
        "SELECT * FROM station_monitors WHERE station_id = :id ORDER BY severity, monitor_id",
        {"id": station_id},
    )
    return [
        StoredMonitor(row["station_id"], row["told_at"], Monitor(*(row[name] for name in _MONITOR)))
        for row in rows
    ]


def _event(row: Row) -> StoredEvent:
    told = VariableEvent(**{name: row[name] for name in _EVENT})
    return StoredEvent(row["id"], row["station_id"], row["site_id"], row["received_at"], told)


def _clean(value: object) -> object:
    """PostgreSQL's text holds no NUL and no lone surrogate."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    return value

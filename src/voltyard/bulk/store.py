"""All SQL of commands in bulk."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from voltyard.bulk.model import Bulk, BulkResult, BulkState, BulkView, ResultState
from voltyard.storage.engine import Row, Tx

_BULK = "id, org_id, title, request, requested_by, requested_at, state, total, ended_at"
_RESULT = "bulk_id, station_id, state, word, message, detail, answered_at, latency_ms"


async def insert(tx: Tx, bulk: Bulk, stations: Sequence[UUID]) -> None:
    await tx.execute(
        "INSERT INTO bulk_commands (id, org_id, title, request, requested_by, requested_at, state,"
        " total) VALUES (:id, :org_id, :title, CAST(:request AS jsonb), :requested_by,"
        " :requested_at, :state, :total)",
        {
            "id": bulk.id,
            "org_id": bulk.org_id,
            "title": bulk.title,
            "request": _json(bulk.request),
            "requested_by": bulk.requested_by,
            "requested_at": bulk.requested_at,
            "state": bulk.state.value,
            "total": bulk.total,
        },
    )
    await tx.execute(
        "INSERT INTO bulk_results (bulk_id, org_id, station_id, state)"
        " SELECT :id, :org_id, station, 'waiting' FROM unnest(CAST(:stations AS uuid[])) station",
        {"id": bulk.id, "org_id": bulk.org_id, "stations": list(stations)},
    )


async def save_result(tx: Tx, result: BulkResult) -> None:
    await tx.execute(
        "UPDATE bulk_results SET state = :state, word = :word, message = :message,"
        " detail = CAST(:detail AS jsonb), answered_at = :answered_at, latency_ms = :latency_ms"
        " WHERE bulk_id = :bulk_id AND station_id = :station_id",
        {
            "bulk_id": result.bulk_id,
            "station_id": result.station_id,
            "state": result.state.value,
            "word": result.word,
            "message": result.message,
            "detail": _json(result.detail),
            "answered_at": result.answered_at,
            "latency_ms": result.latency_ms,
        },
    )


async def end(tx: Tx, bulk: Bulk) -> None:
    """What still waits is skipped."""
    params = {"id": bulk.id, "state": bulk.state.value, "ended_at": bulk.ended_at}
    await tx.execute(
        "UPDATE bulk_commands SET state = :state, ended_at = :ended_at WHERE id = :id", params
    )
    await tx.execute(
        "UPDATE bulk_results SET state = 'skipped' WHERE bulk_id = :id AND state = 'waiting'",
        {"id": bulk.id},
    )


async def unfinished(tx: Tx) -> list[Bulk]:
    rows = await tx.all(f"SELECT {_BULK} FROM bulk_commands WHERE state = 'running'")
    return [_bulk(row) for row in rows]


async def one(tx: Tx, bulk_id: UUID) -> BulkView | None:
    row = await tx.one(f"SELECT {_BULK} FROM bulk_commands WHERE id = :id", {"id": bulk_id})
    if row is None:
        return None
    counts = await tx.all(
        "SELECT state, count(*) AS n FROM bulk_results WHERE bulk_id = :id GROUP BY state",
        {"id": bulk_id},
    )
    return BulkView(_bulk(row), {ResultState(count["state"]): count["n"] for count in counts})


async def newest(tx: Tx, *, limit: int, offset: int) -> list[BulkView]:
    rows = await tx.all(
        f"SELECT {_BULK}, (SELECT coalesce(jsonb_object_agg(state, n), '{{}}') FROM"
        " (SELECT state, count(*) AS n FROM bulk_results WHERE bulk_id = b.id GROUP BY state) c)"
        " AS counts FROM bulk_commands b ORDER BY requested_at DESC, id"
        " LIMIT :limit OFFSET :offset",
        {"limit": limit, "offset": offset},
    )
    return [
        BulkView(_bulk(row), {ResultState(name): n for name, n in row["counts"].items()})
        for row in rows
    ]


async def results(
    tx: Tx, bulk_id: UUID, state: ResultState | None, *, limit: int, offset: int
) -> list[BulkResult]:
    """By station; those that went wrong first."""
    rows = await tx.all(
        f"SELECT {_RESULT} FROM bulk_results WHERE bulk_id = :id"
        " AND (CAST(:state AS text) IS NULL OR state = :state)"
        " ORDER BY state IN ('accepted', 'waiting'), station_id LIMIT :limit OFFSET :offset",
        {
            "id": bulk_id,
            "state": None if state is None else state.value,
            "limit": limit,
            "offset": offset,
        },
    )
    return [BulkResult(**{**row, "state": ResultState(row["state"])}) for row in rows]


def _bulk(row: Row) -> Bulk:
    values = {name: row[name] for name in _BULK.split(", ")}
    return Bulk(**{**values, "state": BulkState(row["state"])})


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()

"""All SQL of requests for logs and of the files that came."""

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from voltyard.chargers.commands import LogKind
from voltyard.diagnostics.model import LogFailure, LogFile, LogRequest, LogState
from voltyard.storage.engine import Row, Tx

_REQUEST = tuple(field.name for field in fields(LogRequest))
_FILE = tuple(field.name for field in fields(LogFile))
_CLOSED = "('done', 'failed', 'cancelled')"


async def next_request_id(tx: Tx) -> int:
    """A number no other request to any charger has had."""
    row = await tx.one("SELECT nextval('charger_requests')::int AS id")
    assert row is not None
    return int(row["id"])


async def insert(tx: Tx, request: LogRequest) -> None:
    values = ", ".join(f":{name}" for name in _REQUEST)
    await tx.execute(
        f"INSERT INTO log_requests ({', '.join(_REQUEST)}) VALUES ({values})", _params(request)
    )


async def save(tx: Tx, request: LogRequest) -> None:
    columns = ("state", "changed_at", "due_at", "announced", "told", "failure", "detail", "files")
    changes = ", ".join(f"{name} = :{name}" for name in columns)
    params = {name: value for name, value in _params(request).items() if name in {*columns, "id"}}
    await tx.execute(f"UPDATE log_requests SET {changes} WHERE id = :id", params)


async def request(tx: Tx, request_id: UUID, *, lock: bool = False) -> LogRequest | None:
    row = await tx.one(
        "SELECT * FROM log_requests WHERE id = :id" + (" FOR UPDATE" if lock else ""),
        {"id": request_id},
    )
    return None if row is None else _request(row)


async def by_link(tx: Tx, link: str) -> LogRequest | None:
    row = await tx.one("SELECT * FROM log_requests WHERE link = :link", {"link": link})
    return None if row is None else _request(row)


async def latest(tx: Tx, station_id: UUID, number: int | None) -> LogRequest | None:
    """The request of that number; without one the newest of the charger, the open ones first."""
    row = await tx.one(
        "SELECT * FROM log_requests WHERE station_id = :id"
        " AND (CAST(:number AS int) IS NULL OR request_id = :number)"
        f" ORDER BY (state IN {_CLOSED}), asked_at DESC LIMIT 1",
        {"id": station_id, "number": number},
    )
    return None if row is None else _request(row)


async def of_station(
    tx: Tx, station_id: UUID | None, *, limit: int = 50, offset: int = 0
) -> tuple[list[LogRequest], int]:
    """Newest first, and how many there are."""
    where = "CAST(:id AS uuid) IS NULL OR station_id = :id"
    rows = await tx.all(
        f"SELECT * FROM log_requests WHERE {where} ORDER BY asked_at DESC, id"
        " LIMIT :limit OFFSET :offset",
        {"id": station_id, "limit": limit, "offset": offset},
    )
    count = await tx.one(
        f"SELECT count(*) AS n FROM log_requests WHERE {where}", {"id": station_id}
    )
    return [_request(row) for row in rows], int(count["n"]) if count else 0


async def overdue(tx: Tx, now: datetime) -> list[LogRequest]:
    rows = await tx.all(
        f"SELECT * FROM log_requests WHERE due_at <= :now AND state NOT IN {_CLOSED}"
        " ORDER BY due_at LIMIT 500",
        {"now": now},
    )
    return [_request(row) for row in rows]


async def open_of(tx: Tx, station_id: UUID) -> list[LogRequest]:
    rows = await tx.all(
        f"SELECT * FROM log_requests WHERE station_id = :id AND state NOT IN {_CLOSED} FOR UPDATE",
        {"id": station_id},
    )
    return [_request(row) for row in rows]


async def insert_file(tx: Tx, file: LogFile) -> None:
    values = ", ".join(f":{name}" for name in _FILE)
    await tx.execute(
        f"INSERT INTO log_files ({', '.join(_FILE)}) VALUES ({values})",
        {name: getattr(file, name) for name in _FILE},
    )


async def name_files(tx: Tx, request_id: UUID, former: str, name: str) -> None:
    await tx.execute(
        "UPDATE log_files SET name = :name WHERE log_request_id = :id AND name = :former",
        {"id": request_id, "former": former, "name": name},
    )


async def files(tx: Tx, request_ids: Sequence[UUID]) -> list[LogFile]:
    rows = await tx.all(
        "SELECT * FROM log_files WHERE log_request_id = ANY(:ids) ORDER BY received_at, id",
        {"ids": list(request_ids)},
    )
    return [_file(row) for row in rows]


async def file(tx: Tx, file_id: UUID) -> LogFile | None:
    row = await tx.one("SELECT * FROM log_files WHERE id = :id", {"id": file_id})
    return None if row is None else _file(row)


async def files_before(tx: Tx, at: datetime) -> list[LogFile]:
    rows = await tx.all(
        "SELECT * FROM log_files WHERE received_at < :at ORDER BY received_at LIMIT 1000",
        {"at": at},
    )
    return [_file(row) for row in rows]


async def delete_files(tx: Tx, file_ids: Sequence[UUID]) -> None:
    await tx.execute("DELETE FROM log_files WHERE id = ANY(:ids)", {"ids": list(file_ids)})


async def is_named(tx: Tx, sha256: str) -> bool:
    """Whether any log of anybody is this content."""
    row = await tx.one("SELECT 1 FROM log_files WHERE sha256 = :sha256", {"sha256": sha256})
    return row is not None


def _params(request: LogRequest) -> dict[str, Any]:
    found = {name: getattr(request, name) for name in _REQUEST}
    failure = None if request.failure is None else request.failure.value
    coded = {"kind": request.kind.value, "state": request.state.value, "failure": failure}
    return found | coded


def _request(row: Row) -> LogRequest:
    found = LogRequest(**{name: row[name] for name in _REQUEST})
    failure = None if row["failure"] is None else LogFailure(row["failure"])
    return replace(found, kind=LogKind(row["kind"]), state=LogState(row["state"]), failure=failure)


def _file(row: Row) -> LogFile:
    return LogFile(**{name: row[name] for name in _FILE})

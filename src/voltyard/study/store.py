"""All SQL of studies."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from voltyard.storage.engine import Row, Tx
from voltyard.study.orders import Order, Progress, State, Stored, StudyFilter
from voltyard.study.past import Remark

_COLUMNS = (
    "id, org_id, site_id, title, state, wanted, remarks, progress, message, faults, asked_by,"
    " asked_at, started_at, ended_at, attempts, material -> 'facts' AS facts"
)


async def insert(tx: Tx, study: Stored, material: Mapping[str, Any]) -> None:
    await tx.execute(
        "INSERT INTO studies (id, org_id, site_id, title, state, wanted, material, remarks,"
        " asked_by, asked_at) VALUES (:id, :org_id, :site_id, :title, :state,"
        " CAST(:wanted AS jsonb), CAST(:material AS jsonb), CAST(:remarks AS jsonb), :asked_by,"
        " :asked_at)",
        {
            "id": study.id,
            "org_id": study.org_id,
            "site_id": study.site_id,
            "title": study.title,
            "state": study.state.value,
            "wanted": _json(study.order),
            "material": _json(material),
            "remarks": _json(study.remarks),
            "asked_by": study.asked_by,
            "asked_at": study.asked_at,
        },
    )


async def one(tx: Tx, study_id: UUID) -> Stored | None:
    row = await tx.one(f"SELECT {_COLUMNS} FROM studies WHERE id = :id", {"id": study_id})
    return None if row is None else _stored(row)


async def found(tx: Tx, study_id: UUID) -> Any | None:
    """What was found, as JSON."""
    row = await tx.one("SELECT found FROM studies WHERE id = :id", {"id": study_id})
    return None if row is None else row["found"]


async def material(tx: Tx, study_id: UUID) -> Any:
    row = await tx.one("SELECT material FROM studies WHERE id = :id", {"id": study_id})
    return None if row is None else row["material"]


async def page(tx: Tx, wanted: StudyFilter, *, limit: int, offset: int) -> tuple[list[Stored], int]:
    """Newest first, and how many there are in all."""
    where = (
        "(CAST(:text AS text) = '' OR position(lower(:text) in lower(title)) > 0)"
        " AND (CAST(:state AS text) IS NULL OR state = :state)"
        " AND (CAST(:site_id AS uuid) IS NULL OR site_id = :site_id)"
    )
    params = {
        "text": wanted.text,
        "state": None if wanted.state is None else wanted.state.value,
        "site_id": wanted.site_id,
    }
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM studies WHERE {where} ORDER BY asked_at DESC, id"
        " LIMIT :limit OFFSET :offset",
        {**params, "limit": limit, "offset": offset},
    )
    count = await tx.one(f"SELECT count(*) AS n FROM studies WHERE {where}", params)
    return [_stored(row) for row in rows], 0 if count is None else int(count["n"])


async def counts(tx: Tx) -> tuple[int, int]:
    """How many there are of the organisation in scope, and how many of them are open."""
    row = await tx.one(
        "SELECT count(*) AS kept, count(*) FILTER (WHERE state IN ('waiting', 'running')) AS open"
        " FROM studies"
    )
    return (0, 0) if row is None else (int(row["kept"]), int(row["open"]))


async def take(tx: Tx, at: datetime) -> Stored | None:
    """The next that waits, now running: of an organisation that has none running, and of these of
    the one whose last study began longest ago."""
    row = await tx.one(
        "UPDATE studies SET state = 'running', started_at = :at, attempts = attempts + 1,"
        " progress = '{}' WHERE id = (SELECT s.id FROM studies s WHERE s.state = 'waiting'"
        " AND NOT EXISTS (SELECT 1 FROM studies r WHERE r.org_id = s.org_id"
        " AND r.state = 'running') ORDER BY (SELECT max(l.started_at) FROM studies l"
        " WHERE l.org_id = s.org_id) NULLS FIRST, s.attempts, s.asked_at, s.id LIMIT 1"
        f" FOR UPDATE SKIP LOCKED) RETURNING {_COLUMNS}",
        {"at": at},
    )
    return None if row is None else _stored(row)


async def left_running(
    tx: Tx, attempts_max: int, at: datetime, besides: Sequence[UUID] = ()
) -> None:
    """What nobody is at waits again, or was interrupted for good. ``besides``: what we are at."""
    left = "state = 'running' AND NOT id = ANY(CAST(:besides AS uuid[]))"
    params = {"besides": list(besides)}
    await tx.execute(
        f"UPDATE studies SET state = 'interrupted', ended_at = :at WHERE {left}"
        " AND attempts >= :attempts_max",
        {**params, "at": at, "attempts_max": attempts_max},
    )
    await tx.execute(f"UPDATE studies SET state = 'waiting' WHERE {left}", params)


async def tell(tx: Tx, study_id: UUID, progress: Progress) -> bool:
    """Whether it still runs."""
    done = await tx.execute(
        "UPDATE studies SET progress = CAST(:progress AS jsonb)"
        " WHERE id = :id AND state = 'running'",
        {"id": study_id, "progress": _json(progress)},
    )
    return done == 1


async def end(
    tx: Tx,
    study_id: UUID,
    state: State,
    at: datetime,
    *,
    found: str | None = None,
    message: str = "",
    faults: Mapping[str, str] | None = None,
) -> bool:
    """False when it had ended (or was cancelled) before. ``found`` is JSON text."""
    done = await tx.execute(
        "UPDATE studies SET state = :state, ended_at = :at, found = CAST(:found AS jsonb),"
        " message = :message, faults = CAST(:faults AS jsonb)"
        " WHERE id = :id AND state IN ('waiting', 'running')",
        {
            "id": study_id,
            "state": state.value,
            "at": at,
            "found": found,
            "message": message,
            "faults": _json(faults or {}),
        },
    )
    return done == 1


async def wait_again(tx: Tx, study_id: UUID) -> bool:
    """An ended one is run anew, with all its attempts."""
    done = await tx.execute(
        "UPDATE studies SET state = 'waiting', attempts = 0, started_at = NULL, ended_at = NULL,"
        " found = NULL, message = '', faults = '{}', progress = '{}'"
        " WHERE id = :id AND state NOT IN ('waiting', 'running')",
        {"id": study_id},
    )
    return done == 1


async def delete(tx: Tx, study_id: UUID) -> bool:
    """False while it is open."""
    done = await tx.execute(
        "DELETE FROM studies WHERE id = :id AND state NOT IN ('waiting', 'running')",
        {"id": study_id},
    )
    return done == 1


def _stored(row: Row) -> Stored:
    return Stored(
        id=row["id"],
        org_id=row["org_id"],
        site_id=row["site_id"],
        title=row["title"],
        state=State(row["state"]),
        order=msgspec.convert(row["wanted"], Order),
        asked_by=row["asked_by"],
        asked_at=row["asked_at"],
        remarks=msgspec.convert(row["remarks"], tuple[Remark, ...]),
        facts=row["facts"] or {},
        progress=msgspec.convert(row["progress"], Progress),
        message=row["message"],
        faults=row["faults"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        attempts=row["attempts"],
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()

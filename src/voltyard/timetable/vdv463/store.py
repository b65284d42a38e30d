"""All SQL of presystems, what they ask for, and their last messages."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from voltyard.storage.engine import Row, Tx
from voltyard.timetable.vdv463.model import (
    ChargingRequest,
    Kept,
    Kind,
    Message,
    Presystem,
    State,
)

KEPT_MESSAGES = 300
"""Of each presystem, the newest."""
_OWN = ("id", "org_id", "path", "name", "kind")


@dataclass(frozen=True, slots=True)
class Stored:
    """A presystem with what proves it."""

    presystem: Presystem
    password_hash: str | None
    last_seen_at: datetime | None


async def presystems(tx: Tx) -> list[Stored]:
    rows = await tx.all("SELECT * FROM presystems ORDER BY org_id, name, id")
    return [Stored(_presystem(row), row["password_hash"], row["last_seen_at"]) for row in rows]


def _presystem(row: Row) -> Presystem:
    own = {name: row[name] for name in _OWN}
    return msgspec.convert(
        {**row["settings"], **own, "kind": Kind(row["kind"])}, Presystem, strict=False
    )


async def put_presystem(tx: Tx, presystem: Presystem, at: datetime) -> None:
    settings = {name: value for name, value in asdict(presystem).items() if name not in _OWN}
    await tx.execute(
        "INSERT INTO presystems (id, org_id, path, name, kind, settings, created_at)"
        " VALUES (:id, :org_id, :path, :name, :kind, CAST(:settings AS jsonb), :at)"
        " ON CONFLICT (id) DO UPDATE SET path = excluded.path, name = excluded.name,"
        " kind = excluded.kind, settings = excluded.settings",
        {
            **{name: getattr(presystem, name) for name in _OWN},
            "kind": presystem.kind.value,
            "settings": msgspec.json.encode(settings).decode(),
            "at": at,
        },
    )


async def put_password(tx: Tx, presystem_id: UUID, password_hash: str, at: datetime) -> None:
    await tx.execute(
        "UPDATE presystems SET password_hash = :hash, password_at = :at WHERE id = :id",
        {"id": presystem_id, "hash": password_hash, "at": at},
    )


async def seen(tx: Tx, presystem_id: UUID, at: datetime) -> None:
    await tx.execute(
        "UPDATE presystems SET last_seen_at = :at WHERE id = :id", {"id": presystem_id, "at": at}
    )


async def delete_presystem(tx: Tx, presystem_id: UUID) -> None:
    await tx.execute("DELETE FROM presystems WHERE id = :id", {"id": presystem_id})


async def requests(tx: Tx) -> list[Kept]:
    rows = await tx.all("SELECT * FROM presystem_requests ORDER BY presystem, request_id")
    return [_kept(row) for row in rows]


def _kept(row: Row) -> Kept:
    values = dict(row)
    del values["org_id"]
    values["sent"] = msgspec.convert(row["sent"], ChargingRequest)
    values["request"] = (
        None if row["request"] is None else msgspec.convert(row["request"], ChargingRequest)
    )
    values["state"] = State(row["state"])
    return Kept(**values)


async def put_requests(tx: Tx, org_id: UUID, rows: Sequence[Kept]) -> None:
    await tx.execute_many(
        "INSERT INTO presystem_requests (presystem, presystem_id, request_id, org_id, sent,"
        " request, state, reason, received_at, duty_id, site_id, vehicle_id, bay_id, arrival_at,"
        " departure_at) VALUES (:presystem, :presystem_id, :request_id, :org_id,"
        " CAST(:sent AS jsonb), CAST(:request AS jsonb), :state, :reason, :received_at, :duty_id,"
        " :site_id, :vehicle_id, :bay_id, :arrival_at, :departure_at)"
        " ON CONFLICT (presystem, presystem_id, request_id) DO UPDATE SET sent = excluded.sent,"
        " request = excluded.request, state = excluded.state, reason = excluded.reason,"
        " received_at = excluded.received_at, duty_id = excluded.duty_id,"
        " site_id = excluded.site_id, vehicle_id = excluded.vehicle_id,"
        " bay_id = excluded.bay_id, arrival_at = excluded.arrival_at,"
        " departure_at = excluded.departure_at",
        [{**_plain(row), "org_id": org_id} for row in rows],
    )


def _plain(row: Kept) -> dict[str, Any]:
    return {
        "presystem": row.presystem,
        "presystem_id": row.presystem_id,
        "request_id": row.request_id,
        "sent": msgspec.json.encode(row.sent).decode(),
        "request": None if row.request is None else msgspec.json.encode(row.request).decode(),
        "state": row.state.value,
        "reason": row.reason,
        "received_at": row.received_at,
        "duty_id": row.duty_id,
        "site_id": row.site_id,
        "vehicle_id": row.vehicle_id,
        "bay_id": row.bay_id,
        "arrival_at": row.arrival_at,
        "departure_at": row.departure_at,
    }


async def delete_requests(tx: Tx, rows: Sequence[Kept]) -> None:
    await tx.execute_many(
        "DELETE FROM presystem_requests WHERE presystem = :presystem"
        " AND presystem_id = :presystem_id AND request_id = :request_id",
        [
            {
                "presystem": row.presystem,
                "presystem_id": row.presystem_id,
                "request_id": row.request_id,
            }
            for row in rows
        ],
    )


async def add_messages(
    tx: Tx, org_id: UUID, presystem_id: UUID, messages: Sequence[Message]
) -> None:
    """Those of a presystem that went meanwhile are left out; the oldest beyond the bound go."""
    await tx.execute_many(
        "INSERT INTO presystem_messages (presystem, org_id, at, direction, kind, action,"
        " message_id, payload, faults, notes, size_bytes) SELECT :presystem, :org_id, :at,"
        " :direction, :kind, :action, :message_id, :payload, CAST(:faults AS jsonb),"
        " CAST(:notes AS jsonb), :size_bytes"
        " WHERE EXISTS (SELECT 1 FROM presystems WHERE id = :presystem)",
        [
            {
                **asdict(message),
                "presystem": presystem_id,
                "org_id": org_id,
                "faults": msgspec.json.encode(message.faults).decode(),
                "notes": msgspec.json.encode(message.notes).decode(),
            }
            for message in messages
        ],
    )
    await tx.execute(
        "DELETE FROM presystem_messages WHERE presystem = :presystem AND id <= ("
        "SELECT id FROM presystem_messages WHERE presystem = :presystem"
        " ORDER BY id DESC OFFSET :kept LIMIT 1)",
        {"presystem": presystem_id, "kept": KEPT_MESSAGES},
    )


async def messages(
    tx: Tx, presystem_id: UUID, direction: str, *, limit: int, faulty: bool
) -> list[Message]:
    """Newest first. ``direction`` empty: both; ``faulty``: only those with faults."""
    rows = await tx.all(
        "SELECT at, direction, kind, action, message_id, payload, faults, notes, size_bytes"
        " FROM presystem_messages WHERE presystem = :presystem"
        " AND (:direction = '' OR direction = :direction)"
        " AND (NOT :faulty OR faults <> '[]'::jsonb) ORDER BY id DESC LIMIT :limit",
        {
            "presystem": presystem_id,
            "direction": direction,
            "limit": limit,
            "faulty": faulty,
        },
    )
    return [
        Message(**{**row, "faults": tuple(row["faults"]), "notes": tuple(row["notes"])})
        for row in rows
    ]

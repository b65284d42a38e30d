"""All SQL of telematics: connections, vehicles as others name them, observations."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from voltyard.storage.engine import Row, Tx
from voltyard.telematics.model import (
    SIGNALS,
    Access,
    Asset,
    Charging,
    Connection,
    Departures,
    Flag,
    Kind,
    Observation,
    Status,
)

_CONNECTION = (
    "id", "org_id", "name", "kind", "access", "enabled", "poll_s", "silent_s", "keep_position",
    "departures", "site_id", "target_soc_pct", "key",
)  # fmt: skip
_STATUS = tuple(field.name for field in fields(Status))
_OBSERVATION = (
    "vehicle_id", "org_id", "source", "observed_at", "received_at", "connection_id", *SIGNALS,
    "flags",
)  # fmt: skip


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


# connections


async def connections(tx: Tx) -> list[tuple[Connection, Status, bytes | None]]:
    rows = await tx.all("SELECT * FROM telematics_connections ORDER BY name, id")
    return [(_connection(row), _status(row), row["secret"]) for row in rows]


def _connection(row: Row) -> Connection:
    named = {name: row[name] for name in _CONNECTION}
    return Connection(
        **named
        | {
            "kind": Kind(row["kind"]),
            "access": msgspec.convert(row["access"], Access),
            "departures": Departures(row["departures"]),
        }
    )


def _status(row: Row) -> Status:
    return Status(**{name: row[name] for name in _STATUS})


async def put_connection(tx: Tx, made: Connection, since: datetime) -> None:
    """Its status begins anew when it is new or changed; what was taken in stays counted."""
    values = {name: getattr(made, name) for name in _CONNECTION} | {
        "kind": made.kind.value,
        "departures": made.departures.value,
        "access": _json(made.access),
        "since": since,
    }
    places = ", ".join(
        f"CAST(:{name} AS jsonb)" if name == "access" else f":{name}" for name in values
    )
    changes = ", ".join(f"{name} = excluded.{name}" for name in (*_CONNECTION[2:-1], "since"))
    await tx.execute(
        f"INSERT INTO telematics_connections ({', '.join(values)}) VALUES ({places})"
        f" ON CONFLICT (id) DO UPDATE SET {changes}, next_at = NULL, failures = 0, fault = ''",
        values,
    )


async def put_secret(tx: Tx, connection_id: UUID, secret: bytes | None) -> None:
    await tx.execute(
        "UPDATE telematics_connections SET secret = :secret WHERE id = :id",
        {"id": connection_id, "secret": secret},
    )


async def put_status(tx: Tx, connection_id: UUID, status: Status) -> None:
    values = {name: getattr(status, name) for name in _STATUS} | {"cursor": _json(status.cursor)}
    sets = ", ".join(
        f"{name} = CAST(:{name} AS jsonb)" if name == "cursor" else f"{name} = :{name}"
        for name in values
    )
    await tx.execute(
        f"UPDATE telematics_connections SET {sets} WHERE id = :id", {**values, "id": connection_id}
    )


async def delete_connection(tx: Tx, connection_id: UUID) -> None:
    await tx.execute("DELETE FROM telematics_connections WHERE id = :id", {"id": connection_id})


# vehicles as others name them


async def assets(tx: Tx, connection_id: UUID | None = None) -> list[Asset]:
    rows = await tx.all(
        "SELECT connection_id, external_id, label, vin, vehicle_id, chosen, seen_at"
        " FROM telematics_assets"
        " WHERE CAST(:id AS uuid) IS NULL OR connection_id = :id ORDER BY label, external_id",
        {"id": connection_id},
    )
    return [Asset(**row) for row in rows]


async def put_assets(tx: Tx, org_id: UUID, found: Sequence[Asset]) -> None:
    """Whom a person chose stays."""
    await tx.execute_many(
        "INSERT INTO telematics_assets (connection_id, external_id, org_id, label, vin,"
        " vehicle_id, chosen, seen_at) SELECT :connection_id, :external_id, :org_id, :label, :vin,"
        " :vehicle_id, :chosen, :seen_at"
        " WHERE EXISTS (SELECT 1 FROM telematics_connections WHERE id = :connection_id)"
        " ON CONFLICT (connection_id, external_id) DO UPDATE SET label = excluded.label,"
        " vin = excluded.vin, vehicle_id = excluded.vehicle_id, chosen = excluded.chosen,"
        " seen_at = excluded.seen_at",
        [
            {field.name: getattr(asset, field.name) for field in fields(Asset)} | {"org_id": org_id}
            for asset in found
        ],
    )


# observations


async def put_observation(tx: Tx, seen: Observation) -> bool:
    """Whether anything of it is new. What was told before of that moment stays; what was left
    open then is filled in."""
    values = {name: getattr(seen, name) for name in _OBSERVATION} | {
        "charging": None if seen.charging is None else seen.charging.value,
        "flags": [flag.value for flag in seen.flags],
    }
    names = ", ".join(_OBSERVATION)
    places = ", ".join(
        "CAST(:flags AS text[])" if name == "flags" else f":{name}" for name in _OBSERVATION
    )
    filled = ", ".join(f"{name} = coalesce(o.{name}, excluded.{name})" for name in SIGNALS)
    news = " OR ".join(f"(o.{name} IS NULL AND excluded.{name} IS NOT NULL)" for name in SIGNALS)
    row = await tx.one(
        f"INSERT INTO telematics_observations AS o ({names}) VALUES ({places})"
        f" ON CONFLICT (vehicle_id, source, observed_at) DO UPDATE SET {filled},"
        " flags = ARRAY(SELECT DISTINCT unnest(o.flags || excluded.flags) ORDER BY 1)"
        f" WHERE {news} RETURNING vehicle_id",
        values,
    )
    return row is not None


async def recent(tx: Tx, since: datetime) -> list[Observation]:
    """Those of all vehicles since then, the oldest first; once, at start."""
    rows = await tx.all(
        f"SELECT {', '.join(_OBSERVATION)} FROM telematics_observations"
        " WHERE observed_at >= :since ORDER BY observed_at, source",
        {"since": since},
    )
    return [_observation(row) for row in rows]


async def observations(
    tx: Tx, vehicle_id: UUID, before: datetime | None, limit: int
) -> list[Observation]:
    """The newest first."""
    rows = await tx.all(
        f"SELECT {', '.join(_OBSERVATION)} FROM telematics_observations"
        " WHERE vehicle_id = :vehicle_id AND (CAST(:before AS timestamptz) IS NULL"
        " OR observed_at < :before) ORDER BY observed_at DESC, source LIMIT :limit",
        {"vehicle_id": vehicle_id, "before": before, "limit": limit},
    )
    return [_observation(row) for row in rows]


async def of_connection(tx: Tx, connection_id: UUID, limit: int) -> list[Observation]:
    """The last that came."""
    rows = await tx.all(
        f"SELECT {', '.join(_OBSERVATION)} FROM telematics_observations"
        " WHERE connection_id = :id ORDER BY received_at DESC, observed_at DESC LIMIT :limit",
        {"id": connection_id, "limit": limit},
    )
    return [_observation(row) for row in rows]


def _observation(row: Mapping[str, Any]) -> Observation:
    charging = row["charging"]
    return Observation(
        **{
            **row,
            "charging": None if charging is None else Charging(charging),
            "flags": tuple(Flag(word) for word in row["flags"]),
        }
    )


async def drop_before(tx: Tx, at: datetime) -> None:
    await tx.execute(
        "DELETE FROM telematics_observations WHERE observed_at < :at AND received_at < :at",
        {"at": at},
    )

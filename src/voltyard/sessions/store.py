"""All SQL of sessions and their meter values."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import msgspec

from voltyard.sessions.model import (
    AuthorisationStatus,
    MeterReading,
    MeterSample,
    Repair,
    Session,
    SessionFilter,
    SessionState,
    VehicleNeeds,
)
from voltyard.sessions.refusals import Refusal, RefusalFilter
from voltyard.sessions.register import Point, Source
from voltyard.storage.engine import Row, Tx
from voltyard.storage.groupcommit import Write
from voltyard.storage.writes import Group

_COLUMNS = (
    "id, org_id, site_id, station_id, evse_id, connector_number, transaction_ref, state,"
    " start_key, start_message, started_at, ended_at, id_token, id_token_kind, vehicle_id, duty_id,"
    " meter_start_wh, meter_last_wh, energy_wh, soc_start_pct, soc_last_pct, power_w, last_seq_no,"
    " last_reading_at, charging_state, stop_reason, authorisation, flags, repairs, needs,"
    " energy_exported_wh, export_last_wh, fleet_org_id, authorisation_reason"
)
_NAMES = tuple(_COLUMNS.replace(" ", "").split(","))
_whole = attrgetter(*_NAMES)


async def open_sessions(tx: Tx, among: Sequence[UUID] | None = None) -> list[Session]:
    """All of them, or those of ``among``."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM sessions WHERE ended_at IS NULL"
        " AND (CAST(:ids AS uuid[]) IS NULL OR id = ANY(:ids))",
        {"ids": None if among is None else list(among)},
    )
    return [_session(row) for row in rows]


async def session_before(tx: Tx, session: Session) -> Session | None:
    """The one that ended at the same outlet and started last before it."""
    row = await tx.one(
        f"SELECT {_COLUMNS} FROM sessions WHERE station_id = :station AND evse_id = :evse"
        " AND ended_at IS NOT NULL AND started_at < :at ORDER BY started_at DESC LIMIT 1",
        {"station": session.station_id, "evse": session.evse_id, "at": session.started_at},
    )
    return None if row is None else _session(row)


async def newest_of_evses(tx: Tx, since: datetime) -> list[Session]:
    """The last ended session of each EVSE: what its register and late messages hang on."""
    rows = await tx.all(
        f"SELECT DISTINCT ON (evse_id) {_COLUMNS} FROM sessions"
        " WHERE ended_at IS NOT NULL AND evse_id IS NOT NULL AND started_at >= :since"
        " ORDER BY evse_id, started_at DESC",
        {"since": since},
    )
    return [_session(row) for row in rows]


async def find(
    tx: Tx,
    station_id: UUID,
    *,
    ref: str | None = None,
    start_key: str | None = None,
    start_message: str | None = None,
) -> Session | None:
    """By the charger's reference or by what was kept of its start, its content before all."""
    row = await tx.one(
        f"SELECT {_COLUMNS} FROM sessions WHERE station_id = :station_id AND"
        " (transaction_ref = :ref OR start_key = :start_key OR start_message = :start_message)"
        " ORDER BY coalesce(start_key = :start_key, false) DESC, started_at DESC LIMIT 1",
        {
            "station_id": station_id,
            "ref": ref,
            "start_key": start_key,
            "start_message": start_message,
        },
    )
    return None if row is None else _session(row)


async def points(tx: Tx, session_ids: Sequence[UUID]) -> dict[UUID, list[Point]]:
    """The register readings of sessions, as they were reported."""
    found: dict[UUID, list[Point]] = {session_id: [] for session_id in session_ids}
    rows = await tx.all(
        "SELECT session_id, at, energy_wh, power_w, context FROM meter_values"
        " WHERE session_id = ANY(:ids) AND energy_wh IS NOT NULL ORDER BY session_id, at",
        {"ids": list(session_ids)},
    )
    for row in rows:
        source = _SOURCES.get(row["context"], Source.SAMPLE)
        point = Point(row["at"].timestamp(), source, row["energy_wh"], row["power_w"])
        found[row["session_id"]].append(point)
    return found


_SOURCES = {"begin": Source.BEGIN, "end": Source.END}


async def newest_of_tokens(tx: Tx, org_id: UUID, tokens: Sequence[str]) -> list[Session]:
    """The newest session of each token, in capitals."""
    rows = await tx.all(
        f"SELECT s.* FROM unnest(CAST(:tokens AS text[])) AS t(token) CROSS JOIN LATERAL"
        f" (SELECT {_COLUMNS} FROM sessions WHERE org_id = :org AND upper(id_token) = t.token"
        " ORDER BY started_at DESC LIMIT 1) AS s",
        {"tokens": list(tokens), "org": org_id},
    )
    return [_session(row) for row in rows]


async def refusals(
    tx: Tx, wanted: RefusalFilter, tokens: Sequence[str], *, limit: int, offset: int
) -> tuple[list[Refusal], int]:
    """Newest first, and how many match; ``tokens``: only these, in capitals."""
    parts = {
        "token ILIKE :text": ("text", _like(wanted.text)),
        "upper(token) = ANY(:tokens)": ("tokens", list(tokens) or None),
        "site_id = :site_id": ("site_id", wanted.site_id),
        "status = :status": ("status", wanted.status and wanted.status.value),
        "at >= :from_at": ("from_at", wanted.from_at),
        "at < :until_at": ("until_at", wanted.until_at),
    }
    used = {sql: pair for sql, pair in parts.items() if pair[1] is not None}
    where, params = " AND ".join(["true", *used]), dict(used.values())
    rows = await tx.all(
        "SELECT at, site_id, station_id, evse_id, token, token_kind, status, reason, known"
        f" FROM refusals WHERE {where} ORDER BY at DESC LIMIT :limit OFFSET :offset",
        {**params, "limit": limit, "offset": offset},
    )
    total = await tx.one(f"SELECT count(*) AS n FROM refusals WHERE {where}", params)
    found = [Refusal(**{**row, "status": AuthorisationStatus(row["status"])}) for row in rows]
    return found, int(total["n"]) if total else 0


async def drop_refusals_before(tx: Tx, at: datetime) -> None:
    await tx.execute("DELETE FROM refusals WHERE at < :at", {"at": at})


async def transaction_ids(tx: Tx, count: int) -> list[int]:
    rows = await tx.all(
        "SELECT nextval('transaction_ids') AS id FROM generate_series(1, :count)",
        {"count": count},
    )
    return [row["id"] for row in rows]


async def one(tx: Tx, session_id: UUID) -> Session | None:
    row = await tx.one(f"SELECT {_COLUMNS} FROM sessions WHERE id = :id", {"id": session_id})
    return None if row is None else _session(row)


async def page(tx: Tx, wanted: SessionFilter, *, limit: int, offset: int) -> list[Session]:
    """Newest start first."""
    where, params = _conditions(wanted)
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM sessions WHERE {where}"
        " ORDER BY started_at DESC, id LIMIT :limit OFFSET :offset",
        {**params, "limit": limit, "offset": offset},
    )
    return [_session(row) for row in rows]


async def count(tx: Tx, wanted: SessionFilter) -> int:
    where, params = _conditions(wanted)
    row = await tx.one(f"SELECT count(*) AS n FROM sessions WHERE {where}", params)
    assert row is not None
    return int(row["n"])


async def batch(
    tx: Tx, wanted: SessionFilter, *, after: Session | None, size: int
) -> list[Session]:
    """Oldest start first, a batch at a time by key (no growing offset)."""
    where, params = _conditions(wanted)
    if after is not None:
        where += " AND (started_at, id) > (:last_at, :last_id)"
        params |= {"last_at": after.started_at, "last_id": after.id}
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM sessions WHERE {where} ORDER BY started_at, id LIMIT :size",
        {**params, "size": size},
    )
    return [_session(row) for row in rows]


async def curve(tx: Tx, session_id: UUID, *, limit: int) -> list[MeterSample]:
    """By time; of more than ``limit`` readings evenly as many, with the first and the last."""
    rows = await tx.all(
        "SELECT at, power_w, energy_wh, soc_pct, offered_w, context FROM ("
        "SELECT *, count(*) OVER () AS total,"
        " row_number() OVER (ORDER BY at, energy_wh) - 1 AS place"
        " FROM meter_values WHERE session_id = :id) AS numbered"
        " WHERE place % ceil(total / CAST(:limit AS float))::int = 0"
        " OR place = total - 1 ORDER BY at, energy_wh",
        {"id": session_id, "limit": limit},
    )
    return [MeterSample(**row) for row in rows]


async def registers(
    tx: Tx, session_ids: Sequence[UUID], since: datetime, bucket_s: float
) -> dict[UUID, list[tuple[datetime, float]]]:
    """The last register reading (Wh) of each session in each stretch of ``bucket_s``, by time."""
    rows = await tx.all(
        "SELECT session_id, max(at) AS at, max(energy_wh) AS energy_wh FROM meter_values"
        " WHERE session_id = ANY(:ids) AND at >= :since AND energy_wh IS NOT NULL"
        " GROUP BY session_id, floor(extract(epoch FROM at) / :bucket_s) ORDER BY 1, 2",
        {"ids": list(session_ids), "since": since, "bucket_s": bucket_s},
    )
    found: dict[UUID, list[tuple[datetime, float]]] = {}
    for row in rows:
        found.setdefault(row["session_id"], []).append((row["at"], row["energy_wh"]))
    return found


def full_write(session: Session) -> Write:
    """The whole row: right whatever of it was written before."""
    row = dict(zip(_NAMES, _whole(session), strict=True))
    row["state"] = session.state.value
    return Write("sessions", row, ("id",))


PROGRESS = (
    "energy_wh",
    "meter_start_wh",
    "meter_last_wh",
    "soc_start_pct",
    "soc_last_pct",
    "power_w",
    "last_reading_at",
    "started_at",
    "last_seq_no",
    "charging_state",
)
_progress = attrgetter(*PROGRESS)


def progress_write(session: Session) -> Write:
    """What a message with readings changes; few meters tell what flows back."""
    row = dict(zip(PROGRESS, _progress(session), strict=True))
    if session.export_last_wh is not None:
        row["energy_exported_wh"] = session.energy_exported_wh
        row["export_last_wh"] = session.export_last_wh
    row["id"] = session.id
    return Write("sessions", row, ("id",), update=True)


READING = Group(
    "meter_values",
    (
        "at",
        "org_id",
        "station_id",
        "evse_id",
        "session_id",
        "power_w",
        "energy_wh",
        "soc_pct",
        "current_l1_a",
        "current_l2_a",
        "current_l3_a",
        "voltage_v",
        "offered_w",
        "context",
    ),
)


def reading_write(
    org_id: UUID,
    station_id: UUID,
    evse_id: UUID | None,
    session_id: UUID | None,
    reading: MeterReading,
) -> Write:
    current = reading.current_a or (None, None, None)
    return READING.insert(
        (
            reading.at,
            org_id,
            station_id,
            evse_id,
            session_id,
            reading.power_w,
            reading.energy_wh,
            reading.soc_pct,
            *current,
            reading.voltage_v,
            reading.offered_w,
            reading.context,
        )
    )


def _conditions(wanted: SessionFilter) -> tuple[str, dict[str, Any]]:
    state = None if wanted.state is None else wanted.state.value
    parts = {
        "site_id = :site_id": ("site_id", wanted.site_id),
        "station_id = :station_id": ("station_id", wanted.station_id),
        "evse_id = :evse_id": ("evse_id", wanted.evse_id),
        "vehicle_id = :vehicle_id": ("vehicle_id", wanted.vehicle_id),
        "duty_id = :duty_id": ("duty_id", wanted.duty_id),
        "state = :state": ("state", state),
        "fleet_org_id = :fleet": ("fleet", wanted.fleet_org_id),
        "(flags <> '{}') = :flagged": ("flagged", wanted.flagged),
        "started_at >= :from_at": ("from_at", wanted.from_at),
        "started_at < :until_at": ("until_at", wanted.until_at),
        "(id_token ILIKE :text OR transaction_ref ILIKE :text)": ("text", _like(wanted.text)),
    }
    used = {sql: pair for sql, pair in parts.items() if pair[1] is not None}
    return " AND ".join(["true", *used]), dict(used.values())


def _like(text: str) -> str | None:
    if not text:
        return None
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _session(row: Row) -> Session:
    values: dict[str, Any] = dict(row)
    values["state"] = SessionState(row["state"])
    values["flags"] = tuple(row["flags"])
    values["repairs"] = tuple(_repair(entry) for entry in row["repairs"])
    if row["needs"] is not None:
        values["needs"] = msgspec.convert(row["needs"], VehicleNeeds)
    return Session(**values)


def _repair(entry: Mapping[str, Any]) -> Repair:
    at = datetime.fromisoformat(entry["at"])
    return Repair(entry["what"], at, entry.get("was"), entry.get("now"))

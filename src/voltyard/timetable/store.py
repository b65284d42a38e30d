"""All SQL of duties."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from voltyard.storage.engine import Row, Tx
from voltyard.timetable.model import Duty, DutyState

_COLUMNS = (
    "id, org_id, site_id, external_id, source, vehicle_id, vehicle_class, arrival_at,"
    " departure_at, soc_arrival_pct, target_soc_pct, target_energy_wh, priority, bay_id, state,"
    " note, soc_departure_pct, departed_at, ready, shortfall_wh"
)
_OPEN = "state IN ('planned', 'present')"


@dataclass(frozen=True, slots=True)
class DutyFilter:
    """Which duties; None means any. The window is met by stays that overlap it."""

    site_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    vehicle_id: UUID | None = None
    states: tuple[DutyState, ...] = ()
    text: str = ""
    org_id: UUID | None = None
    limit: int = 100
    offset: int = 0


async def upsert(tx: Tx, duties: Sequence[Duty], at: datetime) -> None:
    """Insert, or change the duty of the same id; what happened to it (state, end) is kept."""
    await tx.execute_many(
        "INSERT INTO duties (id, org_id, site_id, external_id, source, vehicle_id, vehicle_class,"
        " arrival_at, departure_at, soc_arrival_pct, target_soc_pct, target_energy_wh, priority,"
        " bay_id, state, note, updated_at) VALUES (:id, :org_id, :site_id, :external_id, :source,"
        " :vehicle_id, :vehicle_class, :arrival_at, :departure_at, :soc_arrival_pct,"
        " :target_soc_pct, :target_energy_wh, :priority, :bay_id, :state, :note, :updated_at)"
        " ON CONFLICT (id) DO UPDATE SET external_id = excluded.external_id,"
        " vehicle_id = excluded.vehicle_id, vehicle_class = excluded.vehicle_class,"
        " arrival_at = excluded.arrival_at, departure_at = excluded.departure_at,"
        " soc_arrival_pct = excluded.soc_arrival_pct, target_soc_pct = excluded.target_soc_pct,"
        " target_energy_wh = excluded.target_energy_wh, priority = excluded.priority,"
        " bay_id = excluded.bay_id, state = excluded.state, note = excluded.note,"
        " updated_at = excluded.updated_at",
        [{**_values(duty), "updated_at": at} for duty in duties],
    )


async def by_id(tx: Tx, duty_id: UUID) -> Duty | None:
    row = await tx.one(f"SELECT {_COLUMNS} FROM duties WHERE id = :id", {"id": duty_id})
    return None if row is None else _duty(row)


async def by_ids(tx: Tx, duty_ids: Sequence[UUID]) -> list[Duty]:
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM duties WHERE id = ANY(:ids) ORDER BY departure_at, id",
        {"ids": list(duty_ids)},
    )
    return [_duty(row) for row in rows]


async def by_external_ids(
    tx: Tx, org_id: UUID, site_id: UUID, source: str, external_ids: Sequence[str]
) -> dict[str, Duty]:
    """Of one organisation: several may call their duties the same at one site."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM duties WHERE site_id = :site AND source = :source"
        " AND external_id = ANY(:ids) AND org_id = :org",
        {"org": org_id, "site": site_id, "source": source, "ids": list(external_ids)},
    )
    return {row["external_id"]: _duty(row) for row in rows}


async def find(tx: Tx, wanted: DutyFilter) -> tuple[list[Duty], int]:
    """A page by departure, and how many there are in all."""
    where, params = _where(wanted)
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM duties WHERE {where}"
        " ORDER BY departure_at, external_id LIMIT :limit OFFSET :offset",
        {**params, "limit": wanted.limit, "offset": wanted.offset},
    )
    count = await tx.one(f"SELECT count(*) AS n FROM duties WHERE {where}", params)
    return [_duty(row) for row in rows], int(count["n"]) if count else 0


async def open_between(tx: Tx, site_id: UUID, from_at: datetime, until_at: datetime) -> list[Duty]:
    """Open duties that arrive before ``until_at`` and depart after ``from_at``.

    An operator's have no better priority than the depot operator grants it.
    """
    counted = _COLUMNS.replace(
        "priority,",
        "greatest(priority, (SELECT o.best_priority FROM organisations o"
        " WHERE o.id = duties.org_id)) AS priority,",
    )
    rows = await tx.all(
        f"SELECT {counted} FROM duties WHERE site_id = :site AND {_OPEN}"
        " AND arrival_at < :until AND departure_at > :from_at ORDER BY departure_at, id",
        {"site": site_id, "until": until_at, "from_at": from_at},
    )
    return [_duty(row) for row in rows]


async def candidates(
    tx: Tx, site_id: UUID, vehicle_id: UUID, vehicle_class: str, at: datetime, early: datetime
) -> list[Duty]:
    """Open duties that a vehicle plugged in at ``at`` may be serving, its own first."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM duties WHERE site_id = :site AND {_OPEN}"
        " AND departure_at > :at AND arrival_at < :early AND (vehicle_id = :vehicle OR"
        " (vehicle_id IS NULL AND vehicle_class = :class AND state = 'planned'))"
        " ORDER BY (vehicle_id IS NULL), departure_at, id",
        {
            "site": site_id,
            "at": at,
            "early": early,
            "vehicle": vehicle_id,
            "class": vehicle_class,
        },
    )
    return [_duty(row) for row in rows]


async def overdue(tx: Tx, at: datetime, long_ago: datetime) -> list[Duty]:
    """Open duties whose departure is past; of vehicles still plugged in, past ``long_ago``."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM duties WHERE {_OPEN} AND departure_at <= :at"
        " AND (departure_at <= :long_ago OR NOT EXISTS (SELECT 1 FROM sessions"
        " WHERE sessions.duty_id = duties.id AND sessions.state = 'active'))"
        " ORDER BY departure_at, id LIMIT 1000",
        {"at": at, "long_ago": long_ago},
    )
    return [_duty(row) for row in rows]


async def served(tx: Tx, session_id: UUID) -> tuple[Duty | None, datetime | None]:
    """The duty of a session, whatever its state, and when the session ended."""
    row = await tx.one(
        "SELECT duty_id, ended_at FROM sessions WHERE id = :session", {"session": session_id}
    )
    if row is None or row["duty_id"] is None:
        return None, None if row is None else row["ended_at"]
    return await by_id(tx, row["duty_id"]), row["ended_at"]


async def claim(tx: Tx, duty_id: UUID, vehicle_id: UUID, at: datetime) -> bool:
    """The vehicle is here for it; False when another vehicle took it meanwhile."""
    done = await tx.execute(
        "UPDATE duties SET state = 'present', vehicle_id = :vehicle, updated_at = :at"
        f" WHERE id = :id AND {_OPEN}"
        " AND (vehicle_id = :vehicle OR (vehicle_id IS NULL AND state = 'planned'))",
        {"id": duty_id, "vehicle": vehicle_id, "at": at},
    )
    return done == 1


async def left_alone(tx: Tx, session_id: UUID) -> Duty | None:
    """The open duty of a session, unless another session still serves it."""
    row = await tx.one(
        f"SELECT {_COLUMNS} FROM duties WHERE {_OPEN}"
        " AND id = (SELECT duty_id FROM sessions WHERE id = :session)"
        " AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.duty_id = duties.id"
        " AND s.state = 'active' AND s.id <> :session) FOR UPDATE",
        {"session": session_id},
    )
    return None if row is None else _duty(row)


async def release(tx: Tx, duty_id: UUID, at: datetime) -> None:
    await tx.execute(
        "UPDATE duties SET state = 'planned', updated_at = :at WHERE id = :id"
        " AND state = 'present'",
        {"id": duty_id, "at": at},
    )


async def close(
    tx: Tx,
    duty_id: UUID,
    *,
    at: datetime,
    soc_pct: float | None,
    ready: bool | None,
    shortfall_wh: float | None,
) -> bool:
    """Close it; False when it was closed already."""
    done = await tx.execute(
        "UPDATE duties SET state = 'departed', departed_at = :at, soc_departure_pct = :soc,"
        " ready = :ready, shortfall_wh = :short, updated_at = :at WHERE id = :id"
        f" AND {_OPEN}",
        {"id": duty_id, "at": at, "soc": soc_pct, "ready": ready, "short": shortfall_wh},
    )
    return done == 1


async def delete(tx: Tx, duty_ids: Sequence[UUID]) -> int:
    return await tx.execute("DELETE FROM duties WHERE id = ANY(:ids)", {"ids": list(duty_ids)})


async def absent(
    tx: Tx,
    org_id: UUID,
    site_id: UUID,
    source: str,
    kept: Sequence[str],
    from_at: datetime,
    until_at: datetime,
) -> list[UUID]:
    """Planned duties of a source within a window that its newest list no longer names."""
    rows = await tx.all(
        "SELECT id FROM duties WHERE org_id = :org AND site_id = :site AND source = :source"
        " AND state = 'planned'"
        " AND departure_at BETWEEN :from_at AND :until AND NOT external_id = ANY(:kept)",
        {
            "org": org_id,
            "site": site_id,
            "source": source,
            "kept": list(kept),
            "from_at": from_at,
            "until": until_at,
        },
    )
    return [row["id"] for row in rows]


async def of_vehicles(
    tx: Tx, vehicle_ids: Sequence[UUID], from_at: datetime, until_at: datetime
) -> list[Duty]:
    """Open duties of these vehicles that meet the window, at any site."""
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM duties WHERE vehicle_id = ANY(:ids) AND {_OPEN}"
        " AND arrival_at < :until AND departure_at > :from_at",
        {"ids": list(vehicle_ids), "until": until_at, "from_at": from_at},
    )
    return [_duty(row) for row in rows]


async def departing(tx: Tx, from_at: datetime, until_at: datetime) -> list[tuple[Duty, Row]]:
    """Every duty of a departure within the window, with what its sessions tell and whose its site
    is."""
    rows = await tx.all(
        f"SELECT {_COLUMNS}, s.*, (SELECT sites.org_id FROM sites WHERE sites.id = site_id)"
        " AS depot_id FROM duties LEFT JOIN LATERAL (SELECT"
        " coalesce(sum(energy_wh), 0) AS energy_wh, count(*) AS sessions,"
        " (array_agg(soc_last_pct ORDER BY last_reading_at DESC NULLS LAST)"
        "   FILTER (WHERE soc_last_pct IS NOT NULL))[1] AS soc_pct,"
        " count(*) FILTER (WHERE sessions.state = 'active') AS active,"
        " max(power_w) FILTER (WHERE sessions.state = 'active') AS flows_w"
        " FROM sessions WHERE sessions.duty_id = duties.id) s ON true"
        " WHERE departure_at >= :from_at AND departure_at < :until_at AND state <> 'cancelled'"
        " ORDER BY departure_at, id LIMIT 5000",
        {"from_at": from_at, "until_at": until_at},
    )
    beside = ("energy_wh", "sessions", "soc_pct", "active", "flows_w", "depot_id")
    return [
        (_duty({k: v for k, v in row.items() if k not in beside}), {k: row[k] for k in beside})
        for row in rows
    ]


async def session_energy(tx: Tx, duty_id: UUID) -> Row | None:
    """What the sessions of a duty delivered, and the last state of charge they told."""
    return await tx.one(
        "SELECT coalesce(sum(energy_wh), 0) AS energy_wh,"
        " (array_agg(soc_last_pct ORDER BY last_reading_at DESC NULLS LAST)"
        "   FILTER (WHERE soc_last_pct IS NOT NULL))[1] AS soc_pct,"
        " count(*) AS sessions FROM sessions WHERE duty_id = :duty",
        {"duty": duty_id},
    )


def _where(wanted: DutyFilter) -> tuple[str, dict[str, Any]]:
    parts, params = ["true"], dict[str, Any]()
    if wanted.site_id is not None:
        parts.append("site_id = :site")
        params["site"] = wanted.site_id
    if wanted.since is not None:
        parts.append("departure_at > :since")
        params["since"] = wanted.since
    if wanted.until is not None:
        parts.append("arrival_at < :until")
        params["until"] = wanted.until
    if wanted.vehicle_id is not None:
        parts.append("vehicle_id = :vehicle")
        params["vehicle"] = wanted.vehicle_id
    if wanted.org_id is not None:
        parts.append("org_id = :org")
        params["org"] = wanted.org_id
    if wanted.states:
        parts.append("state = ANY(:states)")
        params["states"] = [state.value for state in wanted.states]
    if wanted.text:
        parts.append(
            "(external_id ILIKE :text OR note ILIKE :text OR vehicle_class ILIKE :text OR"
            " vehicle_id IN (SELECT id FROM vehicles WHERE name ILIKE :text))"
        )
        escaped = wanted.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        params["text"] = f"%{escaped}%"
    return " AND ".join(parts), params


def _values(duty: Duty) -> dict[str, Any]:
    return {
        "id": duty.id,
        "org_id": duty.org_id,
        "site_id": duty.site_id,
        "external_id": duty.external_id,
        "source": duty.source,
        "vehicle_id": duty.vehicle_id,
        "vehicle_class": duty.vehicle_class,
        "arrival_at": duty.arrival_at,
        "departure_at": duty.departure_at,
        "soc_arrival_pct": duty.soc_arrival_pct,
        "target_soc_pct": duty.target_soc_pct,
        "target_energy_wh": duty.target_energy_wh,
        "priority": duty.priority,
        "bay_id": duty.bay_id,
        "state": duty.state.value,
        "note": duty.note,
    }


def _duty(row: Row) -> Duty:
    values = dict(row)
    values["state"] = DutyState(values["state"])
    return Duty(**values)

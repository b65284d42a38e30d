"""All SQL of grants, plans, forecasts, power samples and learnt charge curves."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from voltyard.energy.confirm import FallbackState, Held, Live
from voltyard.energy.discharging import Order
from voltyard.energy.learnt import Learnt
from voltyard.energy.overrides import Override
from voltyard.energy.records import ForecastRow, GrantRow, PowerSample
from voltyard.storage.engine import Row, Tx
from voltyard.storage.groupcommit import Write


async def grants(tx: Tx, site_id: UUID) -> list[GrantRow]:
    rows = await tx.all(
        "SELECT * FROM grants WHERE site_id = :site_id ORDER BY evse_id", {"site_id": site_id}
    )
    return [_grant(row) for row in rows]


def _grant(row: Row) -> GrantRow:
    """The stored ceiling counts until ``valid_until``; without one until it is replaced."""
    lives: tuple[Live, ...] = ()
    if row["ceiling_w"] > row["failsafe_w"] or row["valid_until"] is not None:
        lives = (Live(row["ceiling_w"], row["valid_until"]),)
    state = FallbackState(row["failsafe_state"])
    return GrantRow(
        evse_id=row["evse_id"],
        held=Held(row["failsafe_w"], lives, state),
        granted_w=row["granted_w"],
        updated_at=row["updated_at"],
    )


def grant_write(org_id: UUID, site_id: UUID, grant: GrantRow) -> Write:
    held = grant.held
    return Write(
        "grants",
        {
            "evse_id": grant.evse_id,
            "org_id": org_id,
            "site_id": site_id,
            "ceiling_w": held.ceiling_w,
            "granted_w": grant.granted_w,
            "valid_until": held.live_until,
            "failsafe_w": held.fallback_w,
            "failsafe_state": held.fallback_state.value,
            "updated_at": grant.updated_at,
        },
        key=("evse_id",),
    )


def plan_write(org_id: UUID, site_id: UUID, made_at: datetime, payload: Any) -> Write:
    row = {"site_id": site_id, "org_id": org_id, "made_at": made_at, "payload": payload}
    return Write("plans", row, key=("site_id",))


async def plan(tx: Tx, site_id: UUID) -> Row | None:
    return await tx.one(
        "SELECT made_at, payload FROM plans WHERE site_id = :site_id", {"site_id": site_id}
    )


def forecast_write(org_id: UUID, site_id: UUID, row: ForecastRow) -> Write:
    values = {
        "duty_id": row.duty_id,
        "org_id": org_id,
        "site_id": site_id,
        "made_at": row.made_at,
        "ready_at": row.ready_at,
        "soc_departure_pct": row.soc_departure_pct,
        "shortfall_wh": row.shortfall_wh,
        "will_miss": row.will_miss,
        "first_missed_at": row.first_missed_at,
        "reason": row.reason,
    }
    return Write("forecasts", values, key=("duty_id",))


async def forecasts(tx: Tx, site_id: UUID) -> list[ForecastRow]:
    rows = await tx.all(
        "SELECT duty_id, made_at, ready_at, soc_departure_pct, shortfall_wh, will_miss,"
        " first_missed_at, reason FROM forecasts WHERE site_id = :site_id ORDER BY duty_id",
        {"site_id": site_id},
    )
    return [ForecastRow(**row) for row in rows]


def sample_write(org_id: UUID, site_id: UUID, sample: PowerSample) -> Write:
    values = {
        "at": sample.at,
        "org_id": org_id,
        "site_id": site_id,
        "node_id": sample.node_id,
        "measured_w": sample.measured_w,
        "granted_w": sample.granted_w,
        "reserved_w": sample.reserved_w,
        "plan_w": sample.plan_w,
        "limit_w": sample.limit_w,
        "other_w": sample.other_w,
    }
    return Write("power_samples", values)


async def samples(
    tx: Tx, node_id: UUID, from_at: datetime, until_at: datetime, bucket_s: int
) -> list[Row]:
    """Per bucket the highest values (the lowest limit), oldest first; the mean is measured too."""
    return await tx.all(
        "SELECT date_bin(make_interval(secs => :bucket_s), at, 'epoch'::timestamptz) AS bucket,"
        " max(measured_w) AS measured_w, avg(measured_w) AS mean_w, max(granted_w) AS granted_w,"
        " max(reserved_w) AS reserved_w, max(plan_w) AS plan_w, min(limit_w) AS limit_w,"
        " max(other_w) AS other_w"
        " FROM power_samples WHERE node_id = :node_id AND at >= :from_at AND at < :until_at"
        " GROUP BY bucket ORDER BY bucket",
        {"node_id": node_id, "from_at": from_at, "until_at": until_at, "bucket_s": bucket_s},
    )


async def samples_over_limit(
    tx: Tx, site_id: UUID, from_at: datetime, until_at: datetime
) -> Sequence[Row]:
    """Samples whose measured power was over the node's limit, oldest first, at most 1,000."""
    return await tx.all(
        "SELECT at, node_id, measured_w, other_w, limit_w FROM power_samples"
        " WHERE site_id = :site_id AND at >= :from_at AND at < :until_at"
        " AND measured_w + coalesce(other_w, 0) > limit_w + 1"
        " ORDER BY at, node_id LIMIT 1000",
        {"site_id": site_id, "from_at": from_at, "until_at": until_at},
    )


async def discharges(tx: Tx, site_id: UUID) -> list[Row]:
    return await tx.all(
        "SELECT session_id, mode, power_w, until_at, soc_floor_pct, set_by FROM discharge_orders"
        " WHERE site_id = :site_id ORDER BY session_id",
        {"site_id": site_id},
    )


async def save_discharge(
    tx: Tx, org_id: UUID, site_id: UUID, order: Order, set_at: datetime
) -> None:
    """Orders that are over go with the next that is given."""
    await tx.execute("DELETE FROM discharge_orders WHERE until_at <= :at", {"at": set_at})
    await tx.execute(
        "INSERT INTO discharge_orders (session_id, org_id, site_id, mode, power_w, until_at,"
        " soc_floor_pct, set_by, set_at) VALUES (:session_id, :org_id, :site_id, :mode, :power_w,"
        " :until_at, :soc_floor_pct, :set_by, :set_at)"
        " ON CONFLICT (session_id) DO UPDATE SET mode = excluded.mode, power_w = excluded.power_w,"
        " until_at = excluded.until_at, soc_floor_pct = excluded.soc_floor_pct,"
        " set_by = excluded.set_by, set_at = excluded.set_at",
        {
            "session_id": order.session_id,
            "org_id": org_id,
            "site_id": site_id,
            "mode": order.mode.value,
            "power_w": order.power_w,
            "until_at": order.until_at,
            "soc_floor_pct": order.soc_floor_pct,
            "set_by": order.set_by,
            "set_at": set_at,
        },
    )


async def drop_discharge(tx: Tx, session_id: UUID) -> None:
    await tx.execute(
        "DELETE FROM discharge_orders WHERE session_id = :session_id", {"session_id": session_id}
    )


async def overrides(tx: Tx, site_id: UUID) -> list[Row]:
    return await tx.all(
        "SELECT node_id, power_w, until_at, set_by FROM limit_overrides"
        " WHERE site_id = :site_id ORDER BY node_id",
        {"site_id": site_id},
    )


async def override(tx: Tx, node_id: UUID) -> Override | None:
    """As last set, ended or not; nobody else sets one there until the transaction ends."""
    await tx.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('hold ' || CAST(:id AS text), 0))",
        {"id": str(node_id)},
    )
    row = await tx.one(
        "SELECT node_id, power_w, until_at, set_by FROM limit_overrides WHERE node_id = :id",
        {"id": node_id},
    )
    return None if row is None else Override(**row)


async def save_override(
    tx: Tx,
    org_id: UUID,
    site_id: UUID,
    node_id: UUID,
    power_w: float,
    until_at: datetime,
    set_by: str,
) -> None:
    await tx.execute(
        "INSERT INTO limit_overrides (node_id, org_id, site_id, power_w, until_at, set_by)"
        " VALUES (:node_id, :org_id, :site_id, :power_w, :until_at, :set_by)"
        " ON CONFLICT (node_id) DO UPDATE SET power_w = excluded.power_w,"
        " until_at = excluded.until_at, set_by = excluded.set_by",
        {
            "node_id": node_id,
            "org_id": org_id,
            "site_id": site_id,
            "power_w": power_w,
            "until_at": until_at,
            "set_by": set_by,
        },
    )


async def granted(
    tx: Tx, node_id: UUID, from_at: datetime, until_at: datetime
) -> list[tuple[datetime, float]]:
    """What was granted at a node by time, at most 20,000 samples."""
    rows = await tx.all(
        "SELECT at, granted_w FROM power_samples WHERE node_id = :node_id AND at >= :from_at"
        " AND at <= :until_at AND granted_w IS NOT NULL ORDER BY at LIMIT 20000",
        {"node_id": node_id, "from_at": from_at, "until_at": until_at},
    )
    return [(row["at"], row["granted_w"]) for row in rows]


async def learnt_curves(
    tx: Tx, classes: Sequence[str] | None, *, lock: bool = False
) -> list[Learnt]:
    """Of these vehicle types, or of all; by name."""
    tail = " FOR UPDATE" if lock else ""
    rows = await tx.all(
        "SELECT vehicle_class, powers_w, session_ids, sessions, updated_at FROM learnt_curves"
        " WHERE CAST(:classes AS text[]) IS NULL OR vehicle_class = ANY(:classes)"
        f" ORDER BY vehicle_class{tail}",
        {"classes": None if classes is None else list(classes)},
    )
    return [
        Learnt(
            vehicle_class=row["vehicle_class"],
            powers_w={int(step): tuple(values) for step, values in row["powers_w"].items()},
            session_ids=tuple(row["session_ids"]),
            sessions=row["sessions"],
            updated_at=row["updated_at"],
        )
        for row in rows
    ]


async def save_learnt_curve(tx: Tx, org_id: UUID, curve: Learnt) -> None:
    powers_w = {str(step): values for step, values in curve.powers_w.items()}
    await tx.execute(
        "INSERT INTO learnt_curves (org_id, vehicle_class, powers_w, session_ids, sessions,"
        " updated_at) VALUES (:org_id, :vehicle_class, CAST(:powers_w AS jsonb), :session_ids,"
        " :sessions, :updated_at) ON CONFLICT (org_id, vehicle_class) DO UPDATE SET"
        " powers_w = excluded.powers_w, session_ids = excluded.session_ids,"
        " sessions = excluded.sessions, updated_at = excluded.updated_at",
        {
            "org_id": org_id,
            "vehicle_class": curve.vehicle_class,
            "powers_w": msgspec.json.encode(powers_w).decode(),
            "session_ids": list(curve.session_ids),
            "sessions": curve.sessions,
            "updated_at": curve.updated_at,
        },
    )


async def drop_learnt_curve(tx: Tx, vehicle_class: str) -> bool:
    row = await tx.one(
        "DELETE FROM learnt_curves WHERE vehicle_class = :name RETURNING vehicle_class",
        {"name": vehicle_class},
    )
    return row is not None

"""All SQL of alerts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import msgspec

from voltyard.alerts.model import Alert, Severity
from voltyard.alerts.reminders import Condition, DepartureRule, Step
from voltyard.storage.engine import Row, Tx

_COLUMNS = (
    "id, org_id, site_id, kind, severity, key, params, object_kind, object_id,"
    " opened_at, updated_at, acknowledged_at, acknowledged_by, resolved_at, stage, snoozed_until,"
    " snoozed_by, ends_at"
)


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """None filters nothing. ``open`` True: only unresolved ones. ``before``: for the next page."""

    site_id: UUID | None = None
    kinds: tuple[str, ...] = ()
    severity: Severity | None = None
    open: bool | None = None
    acknowledged: bool | None = None
    object_kind: str | None = None
    object_id: str | None = None
    opened_before_at: datetime | None = None
    before_id: UUID | None = None


async def open_alerts(tx: Tx) -> list[Alert]:
    rows = await tx.all(f"SELECT {_COLUMNS} FROM alerts WHERE resolved_at IS NULL ORDER BY id")
    return [_alert(row) for row in rows]


async def get(tx: Tx, alert_id: UUID) -> Alert | None:
    row = await tx.one(f"SELECT {_COLUMNS} FROM alerts WHERE id = :id", {"id": alert_id})
    return None if row is None else _alert(row)


async def find(tx: Tx, wanted: AlertFilter, limit: int) -> list[Alert]:
    """Newest first; a page ends with the row whose ``opened_at`` and id begin the next."""
    where, params = _where(wanted)
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM alerts WHERE {where}"
        " ORDER BY opened_at DESC, id DESC LIMIT :limit",
        {**params, "limit": limit},
    )
    return [_alert(row) for row in rows]


async def page(tx: Tx, wanted: AlertFilter, limit: int, offset: int) -> tuple[list[Alert], int]:
    """Open ones first, then the newest; and how many there are in all."""
    where, params = _where(wanted)
    rows = await tx.all(
        f"SELECT {_COLUMNS} FROM alerts WHERE {where}"
        " ORDER BY resolved_at IS NOT NULL, opened_at DESC, id DESC LIMIT :limit OFFSET :offset",
        {**params, "limit": limit, "offset": offset},
    )
    count = await tx.one(f"SELECT count(*) AS n FROM alerts WHERE {where}", params)
    return [_alert(row) for row in rows], 0 if count is None else int(count["n"])


def _where(wanted: AlertFilter) -> tuple[str, dict[str, Any]]:
    parts, params = ["true"], dict[str, Any]()
    for name in ("site_id", "object_kind", "object_id"):
        value = getattr(wanted, name)
        if value is not None:
            parts.append(f"{name} = :{name}")
            params[name] = value
    if wanted.severity is not None:
        parts.append("severity = :severity")
        params["severity"] = wanted.severity.value
    if wanted.kinds:
        parts.append("kind = ANY(CAST(:kinds AS text[]))")
        params["kinds"] = list(wanted.kinds)
    for name, column in (("open", "resolved_at"), ("acknowledged", "acknowledged_at")):
        value = getattr(wanted, name)
        if value is not None:
            is_null = value if name == "open" else not value
            parts.append(f"{column} IS {'' if is_null else 'NOT '}NULL")
    if wanted.opened_before_at is not None:
        parts.append("(opened_at, id) < (:before_at, :before_id)")
        params["before_at"] = wanted.opened_before_at
        params["before_id"] = wanted.before_id or UUID(int=0)
    return " AND ".join(parts), params


async def insert(tx: Tx, alert: Alert) -> bool:
    """False when one with this key is open already."""
    touched = await tx.execute(
        f"INSERT INTO alerts ({_COLUMNS}) VALUES (:id, :org_id, :site_id, :kind, :severity, :key,"
        " CAST(:params AS jsonb), :object_kind, :object_id, :opened_at, :updated_at, NULL, NULL,"
        " NULL, :stage, NULL, NULL, :ends_at) ON CONFLICT DO NOTHING",
        _params(alert),
    )
    return touched > 0


async def update(tx: Tx, alerts: Sequence[Alert]) -> None:
    await tx.execute_many(
        "UPDATE alerts SET severity = :severity, params = CAST(:params AS jsonb),"
        " updated_at = :updated_at, acknowledged_at = :acknowledged_at,"
        " acknowledged_by = :acknowledged_by, resolved_at = :resolved_at, stage = :stage,"
        " snoozed_until = :snoozed_until, snoozed_by = :snoozed_by, ends_at = :ends_at"
        " WHERE id = :id",
        [_params(alert) for alert in alerts],
    )


def _params(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.id,
        "org_id": alert.org_id,
        "site_id": alert.site_id,
        "kind": alert.kind,
        "severity": alert.severity.value,
        "key": alert.key,
        "params": msgspec.json.encode(alert.params).decode(),
        "object_kind": alert.object_kind,
        "object_id": alert.object_id,
        "opened_at": alert.opened_at,
        "updated_at": alert.updated_at or alert.opened_at,
        "acknowledged_at": alert.acknowledged_at,
        "acknowledged_by": alert.acknowledged_by,
        "resolved_at": alert.resolved_at,
        "stage": alert.stage,
        "snoozed_until": alert.snoozed_until,
        "snoozed_by": alert.snoozed_by,
        "ends_at": alert.ends_at,
    }


def _alert(row: Row) -> Alert:
    return Alert(**{**row, "severity": Severity(row["severity"])})


async def departure_rules(tx: Tx) -> list[DepartureRule]:
    rows = await tx.all(
        "SELECT org_id, site_id, enabled, steps, conditions FROM departure_rules ORDER BY id"
    )
    return [
        DepartureRule(
            row["org_id"],
            row["site_id"],
            row["enabled"],
            tuple(Step(step["offset_min"], Severity(step["severity"])) for step in row["steps"]),
            frozenset(Condition(name) for name in row["conditions"]),
        )
        for row in rows
    ]


async def put_departure_rule(tx: Tx, rule: DepartureRule, at: datetime) -> None:
    await tx.execute(
        "INSERT INTO departure_rules (id, org_id, site_id, enabled, steps, conditions, changed_at)"
        " VALUES (:id, :org_id, :site_id, :enabled, CAST(:steps AS jsonb), :conditions, :at)"
        " ON CONFLICT (org_id, site_id) DO UPDATE SET enabled = excluded.enabled,"
        " steps = excluded.steps, conditions = excluded.conditions,"
        " changed_at = excluded.changed_at",
        {
            "id": uuid5(rule.org_id, f"departure rule {rule.site_id}"),
            "org_id": rule.org_id,
            "site_id": rule.site_id,
            "enabled": rule.enabled,
            "steps": msgspec.json.encode(rule.steps).decode(),
            "conditions": sorted(rule.conditions),
            "at": at,
        },
    )


async def delete_departure_rule(tx: Tx, site_id: UUID) -> None:
    await tx.execute("DELETE FROM departure_rules WHERE site_id = :site_id", {"site_id": site_id})


async def site_exists(tx: Tx, org_id: UUID, site_id: UUID) -> bool:
    """A look into the table of sites: a foreign key could not see the tenant."""
    row = await tx.one(
        "SELECT id FROM sites WHERE id = :id AND org_id = :org_id",
        {"id": site_id, "org_id": org_id},
    )
    return row is not None

"""All SQL of preconditioning and of vehicles that speak VDV 261."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from voltyard.preconditioning.model import Kind, Rule, Run, RunState, Source, Wish
from voltyard.preconditioning.vdv261.model import Credential, Heard
from voltyard.storage.engine import Row, Tx

_RULE = tuple(field.name for field in fields(Rule))
_WISH = tuple(field.name for field in fields(Wish))
_RUN = tuple(field.name for field in fields(Run))


async def rules(tx: Tx) -> list[Rule]:
    """All that the scope may see, by name."""
    found = await tx.all("SELECT * FROM preconditioning_rules ORDER BY name, id")
    return [_rule(row) for row in found]


async def rule(tx: Tx, rule_id: UUID) -> Rule | None:
    row = await tx.one("SELECT * FROM preconditioning_rules WHERE id = :id", {"id": rule_id})
    return None if row is None else _rule(row)


async def save_rule(tx: Tx, changed: Rule, at: datetime) -> None:
    params = {name: getattr(changed, name) for name in _RULE}
    params |= {"kind": changed.kind.value, "weekdays": list(changed.weekdays), "changed_at": at}
    await tx.execute(_upsert("preconditioning_rules", (*_RULE, "changed_at")), params)


async def delete_rule(tx: Tx, rule_id: UUID) -> bool:
    gone = "DELETE FROM preconditioning_rules WHERE id = :id"
    return await tx.execute(gone, {"id": rule_id}) > 0


async def wishes(tx: Tx, since: datetime) -> list[Wish]:
    """Those whose departure (or end) has not passed."""
    found = await tx.all(
        "SELECT w.* FROM preconditioning_wishes w LEFT JOIN duties d ON d.id = w.duty_id"
        " WHERE coalesce(d.departure_at, w.end_at, w.asked_at + interval '2 days') > :since"
        " ORDER BY w.asked_at, w.id",
        {"since": since},
    )
    return [_wish(row) for row in found]


async def save_wish(tx: Tx, made: Wish) -> None:
    params = {name: getattr(made, name) for name in _WISH}
    params |= {"kind": made.kind.value, "source": made.source.value}
    await tx.execute(_upsert("preconditioning_wishes", _WISH), params)


async def delete_wishes(tx: Tx, ids: Sequence[UUID]) -> None:
    for wish_id in ids:
        await tx.execute("DELETE FROM preconditioning_wishes WHERE id = :id", {"id": wish_id})


async def open_runs(tx: Tx, since: datetime) -> list[Run]:
    """Those that are not over, and those that ended after ``since``."""
    found = await tx.all(
        "SELECT * FROM preconditioning_runs WHERE state IN ('planned', 'running')"
        " OR end_at > :since ORDER BY start_at, id",
        {"since": since},
    )
    return [_run(row) for row in found]


async def runs(
    tx: Tx, *, site_id: UUID | None, vehicle_id: UUID | None, states: Sequence[RunState],
    limit: int, offset: int,
) -> tuple[list[Run], int]:  # fmt: skip
    """Those that are not over by their beginning, then the latest; and how many there are."""
    where = (
        "(CAST(:site AS uuid) IS NULL OR site_id = :site)"
        " AND (CAST(:vehicle AS uuid) IS NULL OR vehicle_id = :vehicle)"
        " AND (CAST(:every AS boolean) OR state = ANY(:states))"
    )
    params = {
        "site": site_id,
        "vehicle": vehicle_id,
        "states": [state.value for state in states],
        "every": not states,
    }
    found = await tx.all(
        f"SELECT * FROM preconditioning_runs WHERE {where}"
        " ORDER BY state NOT IN ('planned', 'running'),"
        " CASE WHEN state IN ('planned', 'running') THEN start_at END, start_at DESC, id"
        " LIMIT :limit OFFSET :offset",
        {**params, "limit": limit, "offset": offset},
    )
    total = await tx.one(f"SELECT count(*) AS n FROM preconditioning_runs WHERE {where}", params)
    return [_run(row) for row in found], int(total["n"]) if total else 0


async def run(tx: Tx, run_id: UUID) -> Run | None:
    row = await tx.one("SELECT * FROM preconditioning_runs WHERE id = :id", {"id": run_id})
    return None if row is None else _run(row)


async def save_runs(tx: Tx, changed: Sequence[Run], at: datetime) -> None:
    """A run of a duty that is gone in the meantime is not kept."""
    guarded = (
        " WHERE CAST(:duty_id AS uuid) IS NULL OR EXISTS"
        " (SELECT 1 FROM duties WHERE id = CAST(:duty_id AS uuid))"
    )
    kinds = {
        "id": "uuid", "org_id": "uuid", "site_id": "uuid", "kind": "text", "source": "text",
        "start_at": "timestamptz", "end_at": "timestamptz", "power_w": "double precision",
        "duty_id": "uuid", "vehicle_id": "uuid", "rule_id": "uuid", "state": "text",
        "energy_wh": "double precision", "short_s": "double precision", "word": "text",
        "reported": "boolean", "changed_at": "timestamptz",
    }  # fmt: skip
    values = ", ".join(f"CAST(:{name} AS {kinds[name]})" for name in _RUN)
    sql = (
        f"INSERT INTO preconditioning_runs ({', '.join(_RUN)}) SELECT {values}{guarded}"
        f" ON CONFLICT (id) DO UPDATE SET {_sets(_RUN)}"
    )
    for one in changed:
        params = {name: getattr(one, name) for name in _RUN}
        words = {"kind": one.kind.value, "source": one.source.value, "state": one.state.value}
        await tx.execute(sql, params | words | {"changed_at": at})


async def delete_runs(tx: Tx, ids: Sequence[UUID]) -> None:
    for run_id in ids:
        await tx.execute("DELETE FROM preconditioning_runs WHERE id = :id", {"id": run_id})


async def drop_old_runs(tx: Tx, before: datetime) -> int:
    return await tx.execute(
        "DELETE FROM preconditioning_runs WHERE end_at < :before", {"before": before}
    )


async def credentials(tx: Tx) -> list[Credential]:
    found = await tx.all("SELECT * FROM vdv261_vehicles ORDER BY vin")
    names = tuple(field.name for field in fields(Credential))
    return [Credential(**{name: row[name] for name in names}) for row in found]


async def save_credential(tx: Tx, changed: Credential) -> None:
    names = tuple(field.name for field in fields(Credential))
    params = {name: getattr(changed, name) for name in names}
    await tx.execute(_upsert("vdv261_vehicles", names, key="vehicle_id"), params)


async def delete_credential(tx: Tx, vehicle_id: UUID) -> bool:
    params = {"id": vehicle_id}
    await tx.execute("DELETE FROM vdv261_reports WHERE vehicle_id = :id", params)
    return await tx.execute("DELETE FROM vdv261_vehicles WHERE vehicle_id = :id", params) > 0


async def heard(tx: Tx) -> list[Heard]:
    found = await tx.all("SELECT * FROM vdv261_reports ORDER BY vehicle_id")
    return [
        Heard(
            vehicle_id=row["vehicle_id"], org_id=row["org_id"], version=row["version"],
            seq=row["seq"], at=row["at"], fields=dict(row["fields"]), answer=dict(row["answer"]),
            fault=row["fault"], fault_at=row["fault_at"],
        )
        for row in found
    ]  # fmt: skip


async def save_heard(tx: Tx, made: Heard) -> None:
    """Of a vehicle whose access is gone in the meantime nothing is kept."""
    names = ("vehicle_id", "org_id", "version", "seq", "at", "fault", "fault_at")
    params: dict[str, Any] = {name: getattr(made, name) for name in names}
    params |= {
        name: msgspec.json.encode(getattr(made, name)).decode() for name in ("fields", "answer")
    }
    await tx.execute(
        "INSERT INTO vdv261_reports"
        " (vehicle_id, org_id, version, seq, at, fields, answer, fault, fault_at)"
        " SELECT vehicle_id, org_id, :version, :seq, CAST(:at AS timestamptz),"
        " CAST(:fields AS jsonb), CAST(:answer AS jsonb), :fault, CAST(:fault_at AS timestamptz)"
        " FROM vdv261_vehicles WHERE vehicle_id = :vehicle_id AND org_id = :org_id"
        " ON CONFLICT (vehicle_id) DO UPDATE SET version = excluded.version, seq = excluded.seq,"
        " at = excluded.at, fields = excluded.fields, answer = excluded.answer,"
        " fault = excluded.fault, fault_at = excluded.fault_at",
        params,
    )


async def settings(tx: Tx) -> dict[UUID, dict[str, Any]]:
    found = await tx.all("SELECT org_id, content FROM vdv261_settings")
    return {row["org_id"]: dict(row["content"]) for row in found}


async def save_settings(tx: Tx, org_id: UUID, content: dict[str, Any], at: datetime) -> None:
    await tx.execute(
        "INSERT INTO vdv261_settings (org_id, content, changed_at)"
        " VALUES (:org, CAST(:content AS jsonb), :at) ON CONFLICT (org_id)"
        " DO UPDATE SET content = excluded.content, changed_at = excluded.changed_at",
        {"org": org_id, "content": msgspec.json.encode(content).decode(), "at": at},
    )


def _sets(names: Sequence[str], key: str = "id") -> str:
    return ", ".join(f"{name} = excluded.{name}" for name in names if name not in (key, "org_id"))


def _upsert(table: str, names: Sequence[str], key: str = "id") -> str:
    values = ", ".join(f":{name}" for name in names)
    return (
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})"
        f" ON CONFLICT ({key}) DO UPDATE SET {_sets(names, key)}"
    )


def _rule(row: Row) -> Rule:
    known = {name: row[name] for name in _RULE}
    return Rule(**{**known, "kind": Kind(row["kind"]), "weekdays": tuple(row["weekdays"])})


def _wish(row: Row) -> Wish:
    known = {name: row[name] for name in _WISH}
    return Wish(**{**known, "kind": Kind(row["kind"]), "source": Source(row["source"])})


def _run(row: Row) -> Run:
    known = {name: row[name] for name in _RUN}
    words = {
        "kind": Kind(row["kind"]),
        "source": Source(row["source"]),
        "state": RunState(row["state"]),
    }
    return Run(**{**known, **words})

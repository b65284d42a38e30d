"""All SQL of makes, configuration templates and drift."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from voltyard.chargers.model import Quirks
from voltyard.configuration.model import Drift, DriftState, Make, Pattern, Template, Wanted
from voltyard.storage.engine import Row, Tx


async def makes(tx: Tx) -> list[Make]:
    rows = await tx.all("SELECT * FROM makes ORDER BY vendor, model, org_id")
    return [_make(row) for row in rows]


async def save_make(tx: Tx, make: Make) -> bool:
    """False if another has this vendor and model."""
    done = await tx.execute(
        "INSERT INTO makes (id, org_id, vendor, model, quirks, note, changed_at, changed_by)"
        " VALUES (:id, :org_id, :vendor, :model, CAST(:quirks AS jsonb), :note, :changed_at,"
        " :changed_by) ON CONFLICT (id) DO UPDATE SET vendor = :vendor, model = :model,"
        " quirks = CAST(:quirks AS jsonb), note = :note, changed_at = :changed_at,"
        " changed_by = :changed_by WHERE makes.org_id = :org_id",
        {
            "id": make.id,
            "org_id": make.org_id,
            "vendor": make.pattern.vendor,
            "model": make.pattern.model,
            "quirks": _json(make.quirks),
            "note": make.note,
            "changed_at": make.changed_at,
            "changed_by": make.changed_by,
        },
    )
    return done == 1


async def delete_make(tx: Tx, make_id: UUID) -> bool:
    return await tx.execute("DELETE FROM makes WHERE id = :id", {"id": make_id}) == 1


async def templates(tx: Tx) -> list[Template]:
    rows = await tx.all("SELECT * FROM config_templates ORDER BY name, org_id")
    return [_template(row) for row in rows]


async def save_template(tx: Tx, template: Template) -> None:
    await tx.execute(
        "INSERT INTO config_templates (id, org_id, name, vendor, model, version, wanted, repairs,"
        " active, changed_at, changed_by) VALUES (:id, :org_id, :name, :vendor, :model, :version,"
        " CAST(:wanted AS jsonb), :repairs, :active, :changed_at, :changed_by)"
        " ON CONFLICT (id) DO UPDATE SET name = :name, vendor = :vendor, model = :model,"
        " version = :version, wanted = CAST(:wanted AS jsonb), repairs = :repairs,"
        " active = :active, changed_at = :changed_at, changed_by = :changed_by",
        {
            "id": template.id,
            "org_id": template.org_id,
            "name": template.name,
            "vendor": template.pattern.vendor,
            "model": template.pattern.model,
            "version": template.version,
            "wanted": _json(template.wanted),
            "repairs": template.repairs,
            "active": template.active,
            "changed_at": template.changed_at,
            "changed_by": template.changed_by,
        },
    )


async def delete_template(tx: Tx, template_id: UUID) -> bool:
    return await tx.execute("DELETE FROM config_templates WHERE id = :id", {"id": template_id}) == 1


async def drift_of(tx: Tx, station_id: UUID) -> list[Drift]:
    rows = await tx.all(
        "SELECT * FROM config_drift WHERE station_id = :id ORDER BY key", {"id": station_id}
    )
    return [_drift(row) for row in rows]


async def drift(tx: Tx, *, open_only: bool, limit: int, offset: int) -> list[Drift]:
    rows = await tx.all(
        "SELECT * FROM config_drift WHERE NOT :open_only OR state <> 'repaired'"
        " ORDER BY changed_at DESC, station_id, key LIMIT :limit OFFSET :offset",
        {"open_only": open_only, "limit": limit, "offset": offset},
    )
    return [_drift(row) for row in rows]


async def save_drift(tx: Tx, rows: Sequence[Drift]) -> None:
    for row in rows:
        await tx.execute(
            "INSERT INTO config_drift (station_id, org_id, key, wanted, found, state, template,"
            " firmware, tries, word, since, changed_at) VALUES (:station_id, :org_id, :key,"
            " :wanted, :found, :state, :template, :firmware, :tries, :word, :since, :changed_at)"
            " ON CONFLICT (station_id, key) DO UPDATE SET wanted = :wanted, found = :found,"
            " state = :state, template = :template, firmware = :firmware, tries = :tries,"
            " word = :word, since = :since, changed_at = :changed_at",
            _params(row),
        )


async def drop_drift(tx: Tx, station_id: UUID, keys: Sequence[str]) -> None:
    await tx.execute(
        "DELETE FROM config_drift WHERE station_id = :id AND key = ANY(CAST(:keys AS text[]))",
        {"id": station_id, "keys": list(keys)},
    )


async def drop_repaired(tx: Tx, before: datetime) -> None:
    await tx.execute(
        "DELETE FROM config_drift WHERE state = 'repaired' AND changed_at < :before",
        {"before": before},
    )


def _params(row: Drift) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in Drift.__dataclass_fields__}
    return {**values, "state": row.state.value}


def _make(row: Row) -> Make:
    return Make(
        Pattern(row["vendor"], row["model"]),
        msgspec.convert(row["quirks"], Quirks),
        row["note"],
        row["id"],
        row["org_id"],
        row["changed_at"],
        row["changed_by"],
    )


def _template(row: Row) -> Template:
    return Template(
        row["id"],
        row["org_id"],
        row["name"],
        Pattern(row["vendor"], row["model"]),
        tuple(Wanted(item["key"], item["value"]) for item in row["wanted"]),
        row["version"],
        row["repairs"],
        row["active"],
        row["changed_at"],
        row["changed_by"],
    )


def _drift(row: Row) -> Drift:
    return Drift(**{**row, "state": DriftState(row["state"])})


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()

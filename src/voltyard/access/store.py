"""SQL of access rules."""

from typing import Any
from uuid import UUID

from voltyard.access.model import AccessRule, Whom
from voltyard.storage.engine import Row, Tx

_PLAIN = (
    "id", "org_id", "site_id", "area_id", "evse_id", "position", "name", "active", "allow",
    "from_minute", "until_minute", "keep_free",
)  # fmt: skip
_LISTS = ("operator_ids", "names", "weekdays")
_ALL = (*_PLAIN, *_LISTS, "who")


async def rules(tx: Tx, site_id: UUID | None = None) -> list[AccessRule]:
    """Of a site, or of all that may be seen."""
    where = "" if site_id is None else " WHERE site_id = :site"
    rows = await tx.all(
        f"SELECT {', '.join(_ALL)} FROM access_rules{where} ORDER BY position, name, id",
        {} if site_id is None else {"site": site_id},
    )
    return [_rule(row) for row in rows]


async def rule(tx: Tx, rule_id: UUID) -> AccessRule | None:
    row = await tx.one(
        f"SELECT {', '.join(_ALL)} FROM access_rules WHERE id = :id", {"id": rule_id}
    )
    return None if row is None else _rule(row)


async def put(tx: Tx, rule: AccessRule) -> None:
    """Insert it, or change the one of its id."""
    values = ", ".join(f":{name}" for name in _ALL)
    changes = ", ".join(f"{name} = excluded.{name}" for name in _ALL if name not in _FIXED)
    await tx.execute(
        f"INSERT INTO access_rules ({', '.join(_ALL)}) VALUES ({values})"
        f" ON CONFLICT (id) DO UPDATE SET {changes}",
        _params(rule),
    )


_FIXED = frozenset({"id", "org_id", "site_id"})


async def delete(tx: Tx, rule_id: UUID) -> None:
    await tx.execute("DELETE FROM access_rules WHERE id = :id", {"id": rule_id})


async def fits_site(tx: Tx, rule: AccessRule) -> bool:
    """Whether its area or outlet is one of its site."""
    if rule.area_id is not None:
        table, part_id = "areas", rule.area_id
    elif rule.evse_id is not None:
        table, part_id = "evses", rule.evse_id
    else:
        return True
    row = await tx.one(
        f"SELECT 1 AS ok FROM {table} WHERE id = :id AND site_id = :site",
        {"id": part_id, "site": rule.site_id},
    )
    return row is not None


def _params(rule: AccessRule) -> dict[str, Any]:
    found: dict[str, Any] = {name: getattr(rule, name) for name in _PLAIN}
    found |= {name: list(getattr(rule, name)) for name in _LISTS}
    return found | {"who": rule.whom.value}


def _rule(row: Row) -> AccessRule:
    values: dict[str, Any] = {name: row[name] for name in _PLAIN}
    values |= {name: tuple(row[name]) for name in _LISTS}
    return AccessRule(**values, whom=Whom(row["who"]))

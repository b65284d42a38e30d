"""SQL of sites, areas, bays and nodes of the electrical tree."""

from collections.abc import Sequence
from datetime import date, time
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from voltyard.sites.model import Area, Bay, Node, NodeKind, NodeLimit, Site
from voltyard.storage.engine import Row, Tx

_SITE = (
    "id, org_id, name, timezone, country, currency, unknown_token, unknown_vehicle_power_w,"
    " unknown_vehicle_priority, plan_for"
)


Part = TypeVar("Part", Area, Bay)
_PARTS: dict[type, tuple[str, tuple[str, ...]]] = {
    Area: ("areas", ("id", "site_id", "name", "position")),
    Bay: ("bays", ("id", "site_id", "area_id", "name", "position", "lane")),
}


def _site(row: Row) -> Site:
    return Site(**{name.strip(): row[name.strip()] for name in _SITE.split(",")})


async def sites(tx: Tx) -> list[Site]:
    return [_site(row) for row in await tx.all(f"SELECT {_SITE} FROM sites ORDER BY name, id")]


async def site(tx: Tx, site_id: UUID, *, lock: bool = False) -> Site | None:
    tail = " FOR UPDATE" if lock else ""
    row = await tx.one(f"SELECT {_SITE} FROM sites WHERE id = :id{tail}", {"id": site_id})
    return None if row is None else _site(row)


async def insert_site(tx: Tx, site: Site) -> None:
    names = [name.strip() for name in _SITE.split(",")]
    await tx.execute(
        f"INSERT INTO sites ({_SITE}) VALUES ({', '.join(':' + name for name in names)})",
        {name: getattr(site, name) for name in names},
    )


async def update_site(tx: Tx, site: Site) -> None:
    names = [name.strip() for name in _SITE.split(",")]
    changes = ", ".join(f"{name} = :{name}" for name in names if name not in ("id", "org_id"))
    await tx.execute(
        f"UPDATE sites SET {changes} WHERE id = :id AND org_id = :org_id",
        {name: getattr(site, name) for name in names},
    )


async def delete_site(tx: Tx, site_id: UUID) -> None:
    await tx.execute("DELETE FROM sites WHERE id = :id", {"id": site_id})


async def parts(tx: Tx, kind: type[Part], site_id: UUID) -> list[Part]:
    """The areas or the bays of a site, in their order."""
    table, columns = _PARTS[kind]
    rows = await tx.all(
        f"SELECT {', '.join(columns)} FROM {table} WHERE site_id = :site_id"
        " ORDER BY position, name",
        {"site_id": site_id},
    )
    return [kind(**row) for row in rows]


async def part(tx: Tx, kind: type[Part], site_id: UUID, part_id: UUID) -> Part | None:
    """The area or bay, if it is of this site."""
    table, columns = _PARTS[kind]
    row = await tx.one(
        f"SELECT {', '.join(columns)} FROM {table} WHERE id = :id AND site_id = :site_id",
        {"id": part_id, "site_id": site_id},
    )
    return None if row is None else kind(**row)


async def put_part(tx: Tx, org_id: UUID, part: Area | Bay) -> None:
    """Write it anew, or change what may change: not its site."""
    table, columns = _PARTS[type(part)]
    changes = ", ".join(f"{c} = excluded.{c}" for c in columns if c not in ("id", "site_id"))
    await tx.execute(
        f"INSERT INTO {table} (org_id, {', '.join(columns)})"
        f" VALUES (:org_id, {', '.join(':' + column for column in columns)})"
        f" ON CONFLICT (id) DO UPDATE SET {changes}",
        {"org_id": org_id} | {column: getattr(part, column) for column in columns},
    )


async def delete_part(tx: Tx, part: Area | Bay) -> None:
    await tx.execute(f"DELETE FROM {_PARTS[type(part)][0]} WHERE id = :id", {"id": part.id})


async def nodes(tx: Tx, site_id: UUID) -> list[Node]:
    rows = await tx.all(
        "SELECT id, kind, name, parent_id, limits, evse_id FROM nodes WHERE site_id = :site_id"
        " ORDER BY position, name, id",
        {"site_id": site_id},
    )
    return [_node(row) for row in rows]


def _node(row: Row) -> Node:
    limits = msgspec.convert(row["limits"], tuple[NodeLimit, ...])
    return Node(
        row["id"], NodeKind(row["kind"]), row["name"], row["parent_id"], limits, row["evse_id"]
    )


async def replace_nodes(
    tx: Tx, org_id: UUID, site_id: UUID, before: Sequence[Node], after: Sequence[Node]
) -> None:
    """Bring the rows from ``before`` to ``after`` (parents first); rows that stay are updated."""
    root, old_root = after[0].id, next((n.id for n in before if n.parent_id is None), None)
    # Free the unique columns first: EVSEs may move from node to node.
    await tx.execute("UPDATE nodes SET evse_id = NULL WHERE site_id = :id", {"id": site_id})
    known = {node.id for node in before}
    if old_root is not None and old_root != root:
        await tx.execute("DELETE FROM nodes WHERE site_id = :id", {"id": site_id})
        known = set()
    rows = [_node_params(org_id, site_id, node, index) for index, node in enumerate(after)]
    await tx.execute_many(_INSERT_NODE, [row for row in rows if row["id"] not in known])
    await tx.execute_many(_UPDATE_NODE, [row for row in rows if row["id"] in known])
    gone = known - {node.id for node in after}
    await tx.execute("DELETE FROM nodes WHERE id = ANY(:ids)", {"ids": list(gone)})


async def clear_nodes(tx: Tx, site_id: UUID) -> None:
    await tx.execute("DELETE FROM nodes WHERE site_id = :id", {"id": site_id})


_INSERT_NODE = (
    "INSERT INTO nodes (id, org_id, site_id, parent_id, kind, name, evse_id, position, limits)"
    " VALUES (:id, :org_id, :site_id, :parent_id, :kind, :name, :evse_id, :position,"
    " CAST(:limits AS jsonb))"
)
_UPDATE_NODE = (
    "UPDATE nodes SET parent_id = :parent_id, kind = :kind, name = :name, evse_id = :evse_id,"
    " position = :position, limits = CAST(:limits AS jsonb)"
    " WHERE id = :id AND org_id = :org_id AND site_id = :site_id"
)


def _node_params(org_id: UUID, site_id: UUID, node: Node, position: int) -> dict[str, Any]:
    return {
        "id": node.id,
        "org_id": org_id,
        "site_id": site_id,
        "parent_id": node.parent_id,
        "kind": node.kind.value,
        "name": node.name,
        "evse_id": node.evse_id,
        "position": position,
        "limits": encode_limits(node.limits),
    }


def encode_limits(limits: Sequence[NodeLimit]) -> str:
    return msgspec.json.encode([plain_limit(limit) for limit in limits]).decode()


def plain_limit(limit: NodeLimit) -> dict[str, Any]:
    """Only what differs from the default, so that rows stay short and readable."""
    plain = NodeLimit()
    found: dict[str, Any] = {}
    for name in NodeLimit.__dataclass_fields__:
        value = getattr(limit, name)
        if value == getattr(plain, name):
            continue
        if isinstance(value, (date, time)):
            value = value.isoformat()
        found[name] = sorted(value) if isinstance(value, frozenset) else value
    return found


async def known_evses(tx: Tx, site_id: UUID, evse_ids: Sequence[UUID]) -> set[UUID]:
    """Those of ``evse_ids`` that this scope sees and that stand at the site (or at none yet).

    A look into the chargers' table: a foreign key could not see the tenant.
    """
    rows = await tx.all(
        "SELECT id FROM evses WHERE id = ANY(:ids) AND (site_id IS NULL OR site_id = :site_id)",
        {"ids": list(evse_ids), "site_id": site_id},
    )
    return {row["id"] for row in rows}

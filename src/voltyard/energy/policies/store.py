"""All SQL of sites' policies: one document a site."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from voltyard.storage.engine import Tx


async def find(tx: Tx, site_id: UUID) -> Mapping[str, Any]:
    """Empty where none were ever set."""
    row = await tx.one("SELECT content FROM site_policies WHERE site_id = :id", {"id": site_id})
    return {} if row is None else dict(row["content"])


async def put(
    tx: Tx, org_id: UUID, site_id: UUID, content: Mapping[str, Any], at: datetime
) -> None:
    """The site must exist."""
    await tx.execute(
        "INSERT INTO site_policies (site_id, org_id, content, changed_at)"
        " VALUES (:site_id, :org_id, CAST(:content AS jsonb), :at)"
        " ON CONFLICT (site_id) DO UPDATE SET"
        " content = excluded.content, changed_at = excluded.changed_at",
        {
            "site_id": site_id,
            "org_id": org_id,
            "content": msgspec.json.encode(content).decode(),
            "at": at,
        },
    )

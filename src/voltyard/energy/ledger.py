"""What must outlive the controller: ceilings, and limits set by hand."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from voltyard.chargers.model import PowerMode
from voltyard.energy import store
from voltyard.energy.discharging import Order
from voltyard.energy.overrides import Override
from voltyard.energy.records import GrantRow
from voltyard.storage.engine import Database
from voltyard.storage.groupcommit import GroupCommit
from voltyard.tenancy import scope


class Ledger(Protocol):
    """Where a controller keeps its ceilings; ``save`` returns once they are durable."""

    async def grants(self, site_id: UUID) -> Sequence[GrantRow]: ...

    async def overrides(self, site_id: UUID) -> Sequence[Override]: ...

    async def discharges(self, site_id: UUID) -> Sequence[Order]: ...

    async def save(self, org_id: UUID, site_id: UUID, rows: Sequence[GrantRow]) -> None: ...


class StoredLedger:
    """The ledger in PostgreSQL; writes go with everybody else's in one commit."""

    def __init__(self, database: Database, commits: GroupCommit) -> None:
        self._database = database
        self._commits = commits

    async def grants(self, site_id: UUID) -> Sequence[GrantRow]:
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            return await store.grants(tx, site_id)

    async def overrides(self, site_id: UUID) -> Sequence[Override]:
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            return [Override(**row) for row in await store.overrides(tx, site_id)]

    async def discharges(self, site_id: UUID) -> Sequence[Order]:
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            rows = await store.discharges(tx, site_id)
        return [Order(**{**row, "mode": PowerMode(row["mode"])}) for row in rows]

    async def save(self, org_id: UUID, site_id: UUID, rows: Sequence[GrantRow]) -> None:
        await self._commits.submit([store.grant_write(org_id, site_id, row) for row in rows])

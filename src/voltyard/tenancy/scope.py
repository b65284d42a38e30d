"""The one door to tenant data: every transaction belongs to a scope, and the database checks it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from voltyard.storage.engine import Database, Tx


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose rows may be seen: one organisation's, or (``system``) all, for voltyard's own work.

    A depot operator reads its fleet operators' vehicles, tokens and duties as well, a fleet
    operator the sessions of its vehicles; with ``places`` also the sites it is admitted to.
    """

    org_id: UUID | None
    system: bool = False
    places: bool = False

    def __post_init__(self) -> None:
        if self.org_id is None and not self.system:
            raise ValueError("a scope names an organisation or is the system's")


SYSTEM = Scope(None, system=True)


def of(org_id: UUID) -> Scope:
    return Scope(org_id)


def at_places(org_id: UUID) -> Scope:
    """As ``of``, and the sites with areas and bays that the organisation is admitted to."""
    return Scope(org_id, places=True)


@asynccontextmanager
async def transaction(database: Database, scope: Scope) -> AsyncIterator[Tx]:
    """A transaction that sees the scope's rows; committed at the end, rolled back on error."""
    async with database.begin(org_id=scope.org_id, system=scope.system, places=scope.places) as tx:
        yield tx

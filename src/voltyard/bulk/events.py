"""What happened to commands in bulk."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class BulkChanged:
    org_id: UUID
    bulk_id: UUID
    state: str
    answered: int
    at: datetime

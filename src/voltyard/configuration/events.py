"""What happened to the configuration of chargers."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class DriftChanged:
    """A look at a charger's configuration found or settled something."""

    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    open: int
    at: datetime

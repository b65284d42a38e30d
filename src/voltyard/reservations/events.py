"""What happened to reservations. Published after its commit."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class ReservationChanged:
    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    evse_id: UUID | None
    reservation_id: UUID
    state: str
    at: datetime

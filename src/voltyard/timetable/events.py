"""What happened to the timetable."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class DutiesChanged:
    """Some duties of a site were created, changed or removed; or ``claimed`` by a vehicle that is
    there, which opens nothing to others."""

    org_id: UUID
    site_id: UUID
    duty_ids: tuple[UUID, ...]
    at: datetime
    claimed: bool = False


@dataclass(frozen=True, slots=True)
class DutyDeparted:
    org_id: UUID
    site_id: UUID
    duty_id: UUID
    vehicle_id: UUID | None
    ready: bool
    shortfall_wh: float
    at: datetime

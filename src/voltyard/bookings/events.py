"""What happened to bookings. Published after its commit."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class BookingChanged:
    """Made, changed, lifted or cancelled."""

    org_id: UUID
    site_id: UUID
    booking_id: UUID
    place_id: UUID
    state: str
    at: datetime


@dataclass(frozen=True, slots=True)
class BookingEnforced:
    """A vehicle was refused or a session ended, or by soft rules would have been."""

    org_id: UUID
    site_id: UUID
    station_id: UUID
    evse_id: UUID | None
    session_id: UUID | None
    booking_id: UUID | None
    action: str
    done: bool
    at: datetime

"""What happened to sessions. Each is published after its commit."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from voltyard.records import quick


@dataclass(frozen=True, slots=True)
class SessionStarted:
    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    evse_id: UUID | None
    session_id: UUID
    vehicle_id: UUID | None
    at: datetime


@dataclass(frozen=True, slots=True)
class SessionUpdated:
    """State of charging or the vehicle behind it changed (not sent for each meter value)."""

    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    evse_id: UUID | None
    session_id: UUID
    vehicle_id: UUID | None
    charging_state: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class SessionEnded:
    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    evse_id: UUID | None
    session_id: UUID
    vehicle_id: UUID | None
    energy_wh: float
    stop_reason: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class SessionQuarantined:
    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    session_id: UUID
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class UnknownTokenUsed:
    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    evse_id: UUID | None
    token: str
    accepted: bool
    at: datetime


@quick
@dataclass(frozen=True, slots=True)
class MeterReported:
    """In-process only, never in the event log: a reading arrived and is committed."""

    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    evse_id: UUID | None
    session_id: UUID | None
    power_w: float | None
    energy_wh: float | None
    soc_pct: float | None
    at: datetime

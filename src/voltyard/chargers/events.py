"""What happened to chargers. Each is published after its commit."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from voltyard.chargers.model import Monitor, VariableEvent


@dataclass(frozen=True, slots=True)
class StationConnected:
    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    version: str
    at: datetime


@dataclass(frozen=True, slots=True)
class StationDisconnected:
    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class StationBooted:
    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    reason: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class StationSeen:
    """An unknown station knocked and is held for approval."""

    org_id: UUID
    station_id: UUID
    identity: str
    at: datetime


@dataclass(frozen=True, slots=True)
class StationApproved:
    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class EvseStatusChanged:
    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    evse_id: UUID
    status: str
    error_code: str | None
    info: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class EvsesChanged:
    """EVSEs of a station were created, bound or edited."""

    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    evse_ids: tuple[UUID, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class StationChanged:
    """A station's state (approved, rejected, retired), site or name was changed by somebody."""

    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    state: str
    at: datetime


@dataclass(frozen=True, slots=True)
class FirmwareReported:
    """A charger tells how far its firmware update is, in the union of the versions' words."""

    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    told: str
    request_id: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class ReservationReported:
    """A charger tells that a reservation ended: ``expired``, ``removed`` or ``no_transaction``."""

    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    number: int
    told: str
    at: datetime


@dataclass(frozen=True, slots=True)
class LogReported:
    """A charger tells how far the upload of its log is, in the union of the versions' words."""

    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    told: str
    request_id: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class VariableEventsTold:
    """A charger tells that variables crossed a bound, changed, or are due."""

    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    events: tuple[VariableEvent, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class MonitorsTold:
    """A part of a report of a charger's monitors; ``complete``: its last."""

    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    report_id: int
    monitors: tuple[Monitor, ...]
    complete: bool
    at: datetime

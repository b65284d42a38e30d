"""What happened to preconditioning. Published after its commit."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class PreconditioningChanged:
    """What is to run at a site, or when, is another than before: a plan must follow."""

    org_id: UUID
    site_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class PreconditioningMoved:
    """One run began, was done, or was missed."""

    org_id: UUID
    site_id: UUID
    run_id: UUID
    duty_id: UUID | None
    vehicle_id: UUID | None
    kind: str
    state: str
    short_s: float
    at: datetime


@dataclass(frozen=True, slots=True)
class VehicleReported:
    """A vehicle told something new of itself by VDV 261; its charge alone is no news."""

    org_id: UUID
    vehicle_id: UUID
    vin: str
    site_id: UUID | None
    session_id: UUID | None
    at: datetime

"""What happened to the energy of a site."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class PlanMade:
    """A new plan and its forecasts are committed."""

    org_id: UUID
    site_id: UUID
    at: datetime
    stays: int
    will_miss: int
    peak_w: float


@dataclass(frozen=True, slots=True)
class GrantsChanged:
    """In-process only: the controller changed what EVSEs may draw."""

    org_id: UUID
    site_id: UUID
    evse_ids: tuple[UUID, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class LimitOverridden:
    """Somebody, or the grid operator, lowers a node's limit for a while; lifted by a past end."""

    org_id: UUID
    site_id: UUID
    node_id: UUID
    node: str
    power_w: float
    until_at: datetime
    set_by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class LimitExceeded:
    """Measured power at a node is over its limit."""

    org_id: UUID
    site_id: UUID
    node_id: UUID
    measured_w: float
    limit_w: float
    at: datetime

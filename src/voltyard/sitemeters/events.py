"""What happened to site meters."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class SiteMeterRead:
    """A reading came in: not stored by itself, only in its minute."""

    org_id: UUID
    site_id: UUID
    meter_id: UUID
    at: datetime
    power_w: float


@dataclass(frozen=True, slots=True)
class SiteMetersChanged:
    """Meters of a site came, went or are set up otherwise."""

    org_id: UUID
    site_id: UUID
    at: datetime

"""What happened to requests for logs. Published after its commit."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class LogChanged:
    """Asked for, under way, done or failed (``failure``)."""

    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    log_request_id: UUID
    state: str
    failure: str | None
    at: datetime

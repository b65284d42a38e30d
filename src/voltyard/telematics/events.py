"""What happened in telematics."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from voltyard.telematics.model import Charging


@dataclass(frozen=True, slots=True)
class VehicleObserved:
    """Something new and credible was told of a vehicle; ``at`` is when it was true."""

    org_id: UUID
    vehicle_id: UUID
    source: str
    at: datetime
    soc_pct: float | None = None
    odometer_km: float | None = None
    range_km: float | None = None
    plugged: bool | None = None
    charging: Charging | None = None
    departure_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ConnectionChanged:
    """A connection was set up, changed or removed."""

    org_id: UUID
    connection_id: UUID
    at: datetime
    deleted: bool = False

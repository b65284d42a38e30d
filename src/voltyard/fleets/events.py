"""What happened to fleets. Each is published after its commit."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class VehiclesChanged:
    """Vehicles were created, changed or removed."""

    org_id: UUID
    vehicle_ids: tuple[UUID, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class TokensChanged:
    """Tokens were created, changed or removed."""

    org_id: UUID
    at: datetime

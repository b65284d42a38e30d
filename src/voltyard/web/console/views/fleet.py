"""Vehicles and tokens, as listed and filled in. A token's state is that of the moment shown."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from voltyard.fleets.model import TokenState


@dataclass(frozen=True, slots=True)
class VehicleRow:
    id: UUID
    name: str
    vehicle_class: str = ""
    battery_wh: float | None = None
    max_power_w: float | None = None
    min_power_w: float = 0.0
    licence_plate: str = ""
    vin: str = ""
    active: bool = True
    tokens: tuple[str, ...] = ()
    charge_curve: tuple[tuple[float, float], ...] = ()
    operator_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class TokenRow:
    id: UUID
    kind: str
    value: str
    vehicle_id: UUID | None = None
    vehicle: str | None = None
    label: str = ""
    blocked: bool = False
    last_used_at: datetime | None = None
    group_id: str = ""
    concurrent: bool = False
    state: TokenState = TokenState.VALID
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    site_ids: tuple[UUID, ...] = ()
    area_ids: tuple[UUID, ...] = ()
    last_station_id: UUID | None = None
    last_station: str = ""
    operator_id: UUID | None = None

    @property
    def places(self) -> int:
        """Of how many sites and areas it is; 0 means everywhere."""
        return len(self.site_ids) + len(self.area_ids)

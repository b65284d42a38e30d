"""Vehicles, their tokens and what they can take."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

CurvePoint = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Vehicle:
    """``charge_curve`` is (SoC in %, power in W) points, rising SoC; empty means flat."""

    id: UUID
    org_id: UUID
    name: str
    vehicle_class: str = ""
    battery_wh: float | None = None
    max_power_w: float | None = None
    min_power_w: float = 0.0
    charge_curve: tuple[CurvePoint, ...] = ()
    efficiency: float = 1.0
    vin: str | None = None
    licence_plate: str | None = None
    active: bool = True


class TokenState(StrEnum):
    """``out_of_service``: the token is good, its vehicle is not."""

    VALID = "valid"
    BLOCKED = "blocked"
    EXPIRED = "expired"
    NOT_YET = "not_yet"
    OUT_OF_SERVICE = "out_of_service"


@dataclass(frozen=True, slots=True)
class Token:
    """An id token and the vehicle (if any) it stands for.

    ``group_id``: tokens of one group may stop what one of them started. ``concurrent``: it may
    charge in several places at once. It charges at ``site_ids`` and in the bays of ``area_ids``;
    with neither, everywhere.
    """

    id: UUID
    org_id: UUID
    kind: str
    value: str
    vehicle_id: UUID | None = None
    label: str = ""
    blocked: bool = False
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    group_id: str = ""
    concurrent: bool = False
    site_ids: tuple[UUID, ...] = ()
    area_ids: tuple[UUID, ...] = ()

    @property
    def anywhere(self) -> bool:
        return not self.site_ids and not self.area_ids

    def state_at(self, now: datetime, vehicle: Vehicle | None = None) -> TokenState:
        """What a charger is told of it first; where it is shown is another question."""
        if self.blocked:
            return TokenState.BLOCKED
        if self.valid_until is not None and self.valid_until <= now:
            return TokenState.EXPIRED
        if self.valid_from is not None and self.valid_from > now:
            return TokenState.NOT_YET
        if vehicle is not None and not vehicle.active:
            return TokenState.OUT_OF_SERVICE
        return TokenState.VALID


@dataclass(frozen=True, slots=True)
class TokenFilter:
    """``text`` is in value, label, group or the vehicle's name; None leaves a field open."""

    text: str = ""
    vehicle_id: UUID | None = None
    kind: str | None = None
    state: TokenState | None = None
    concurrent: bool | None = None

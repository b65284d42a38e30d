"""Vehicles, their tokens and what they can take."""

from dataclasses import dataclass
from datetime import datetime
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

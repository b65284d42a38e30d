"""Duties: which vehicle (or class) must leave when, with how much."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class DutyState(StrEnum):
    PLANNED = "planned"
    PRESENT = "present"
    DEPARTED = "departed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Duty:
    """One stay at the depot that ends in a departure.

    Target is ``target_soc_pct`` or ``target_energy_wh`` (to be added in the stay). Priority 1
    is the most important, 9 the least. ``external_id`` is the source's key, unique per site
    and source.
    """

    id: UUID
    org_id: UUID
    site_id: UUID
    external_id: str
    arrival_at: datetime
    departure_at: datetime
    vehicle_id: UUID | None = None
    vehicle_class: str | None = None
    soc_arrival_pct: float | None = None
    target_soc_pct: float | None = None
    target_energy_wh: float | None = None
    priority: int = 5
    bay_id: UUID | None = None
    state: DutyState = DutyState.PLANNED
    source: str = "manual"
    note: str = ""
    soc_departure_pct: float | None = None
    departed_at: datetime | None = None
    ready: bool | None = None

"""Duties: which vehicle (or class) must leave when, with how much."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
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
    shortfall_wh: float | None = None


@dataclass(frozen=True, slots=True)
class Departing:
    """A duty about its departure. ``came``: some session served it; ``ready`` None: unknown.

    ``depot_id`` is whose site it is, where that is not known to be the duty's own organisation's.
    """

    duty: Duty
    vehicle: str
    plugged: bool
    charging: bool
    came: bool
    ready: bool | None
    soc_pct: float | None
    shortfall_wh: float | None
    depot_id: UUID | None = None


EXTERNAL_ID_MAX = 200
YEARS = (2000, 2199)
LONGEST_STAY = timedelta(days=31)


def problems(duty: Duty) -> dict[str, str]:
    """What makes a duty meaningless: field → reason; empty when it can be planned for."""
    wrong: dict[str, str] = {}
    if not duty.external_id or len(duty.external_id) > EXTERNAL_ID_MAX:
        wrong["external_id"] = f"needs 1 to {EXTERNAL_ID_MAX} characters"
    for name in ("arrival_at", "departure_at"):
        if not YEARS[0] <= getattr(duty, name).year <= YEARS[1]:
            wrong[name] = f"must be in the years {YEARS[0]} to {YEARS[1]}"
    if duty.departure_at <= duty.arrival_at:
        wrong["departure_at"] = "must be after the arrival"
    elif duty.departure_at - duty.arrival_at > LONGEST_STAY:
        wrong["departure_at"] = f"is more than {LONGEST_STAY.days} days after the arrival"
    if duty.vehicle_id is None and not duty.vehicle_class:
        wrong["vehicle"] = "name a vehicle or a vehicle class"
    if (duty.target_soc_pct is None) == (duty.target_energy_wh is None):
        wrong["target_soc_pct"] = "give either a target state of charge or a target energy"
    for name in ("soc_arrival_pct", "target_soc_pct"):
        value = getattr(duty, name)
        if value is not None and not 0 <= value <= 100:
            wrong[name] = "must be 0 to 100 %"
    energy_wh = duty.target_energy_wh
    if energy_wh is not None and not 0 <= energy_wh <= 5_000_000:
        wrong["target_energy_wh"] = "must be 0 to 5000 kWh"
    if not 1 <= duty.priority <= 9:
        wrong["priority"] = "must be 1 (most important) to 9"
    return wrong


def overlaps(duties: Iterable[Duty]) -> list[tuple[Duty, Duty]]:
    """Pairs of open duties of one vehicle whose stays meet: it cannot be at both."""
    by_vehicle: dict[UUID, list[Duty]] = {}
    for duty in duties:
        if duty.vehicle_id is not None and duty.state in (DutyState.PLANNED, DutyState.PRESENT):
            by_vehicle.setdefault(duty.vehicle_id, []).append(duty)
    found: list[tuple[Duty, Duty]] = []
    for stays in by_vehicle.values():
        stays.sort(key=lambda duty: (duty.arrival_at, duty.departure_at, duty.id))
        latest = stays[0]
        for duty in stays[1:]:
            if duty.arrival_at < latest.departure_at:
                found.append((latest, duty))
            if duty.departure_at > latest.departure_at:
                latest = duty
    return found

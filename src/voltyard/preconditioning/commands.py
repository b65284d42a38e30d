"""What can be asked of preconditioning."""

from dataclasses import dataclass
from datetime import date, datetime, time
from uuid import UUID

from voltyard.preconditioning.model import Kind


@dataclass(frozen=True, slots=True)
class RuleDraft:
    """A rule as people enter it; see ``model.Rule``."""

    name: str
    kind: Kind
    power_w: float
    site_id: UUID | None = None
    vehicle_id: UUID | None = None
    vehicle_class: str = ""
    duty_key: str = ""
    start_before_s: int | None = 1800
    start_time: time | None = None
    end_before_s: int | None = 0
    end_time: time | None = None
    weekdays: tuple[int, ...] = ()
    from_day: date | None = None
    until_day: date | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Request:
    """Precondition a vehicle before one departure: that of ``duty_id``, or the one of the vehicle
    within which ``start_at`` or ``end_at`` falls.

    ``start_at`` None: as long before the end as the vehicle tells, or as usual. ``end_at`` None:
    the departure. ``power_w`` None: as the vehicle tells, or as usual. ``key``: the asker's own id;
    another request with it takes its place.
    """

    kind: Kind
    duty_id: UUID | None = None
    vehicle_id: UUID | None = None
    start_at: datetime | None = None
    end_at: datetime | None = None
    power_w: float | None = None
    ambient_c: float | None = None
    target_soc_pct: float | None = None
    key: str = ""

"""The timetable, as shown."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from voltyard.web.console.views.common import Outlook, SiteView, Stretch


@dataclass(frozen=True, slots=True)
class TimetableRow:
    duty_id: UUID
    vehicle: str
    arrives_at: datetime
    departs_at: datetime
    outlook: Outlook
    bay: str = ""
    priority: int = 5
    present: bool = False
    ready_at: datetime | None = None
    soc_pct: float | None = None
    target_soc_pct: float | None = None
    soc_forecast_pct: float | None = None
    shortfall_wh: float = 0.0
    energy_wh: float = 0.0
    plan: tuple[Stretch, ...] = ()
    delivered: tuple[Stretch, ...] = ()


@dataclass(frozen=True, slots=True)
class Timetable:
    site: SiteView
    now: datetime
    start_at: datetime
    end_at: datetime
    rows: tuple[TimetableRow, ...]

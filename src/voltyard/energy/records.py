"""What is kept of a site's control: grants, forecasts, samples of power; written by the store."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from voltyard.energy.confirm import Held


@dataclass(frozen=True, slots=True)
class GrantRow:
    """What is durably known of one EVSE: the most it may draw and what was last granted."""

    evse_id: UUID
    held: Held
    granted_w: float
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ForecastRow:
    duty_id: UUID
    made_at: datetime
    ready_at: datetime | None
    soc_departure_pct: float | None
    shortfall_wh: float
    will_miss: bool
    first_missed_at: datetime | None
    reason: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PowerSample:
    at: datetime
    node_id: UUID
    measured_w: float | None
    granted_w: float
    reserved_w: float
    plan_w: float | None
    limit_w: float | None
    other_w: float | None = None

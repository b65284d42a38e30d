"""Sessions, as listed and shown."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from voltyard.sessions.model import SessionState, VehicleNeeds


@dataclass(frozen=True, slots=True)
class SessionRow:
    id: UUID
    state: SessionState
    started_at: datetime
    station_id: UUID
    station: str
    outlet: str
    transaction_ref: str
    ended_at: datetime | None = None
    site: str = ""
    vehicle_id: UUID | None = None
    vehicle: str | None = None
    token: str | None = None
    energy_wh: float = 0.0
    power_w: float | None = None
    soc_start_pct: float | None = None
    soc_end_pct: float | None = None
    stop_reason: str | None = None
    flags: tuple[str, ...] = ()
    bay: str = ""
    operator_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Repair:
    """Something the charger's report lacked or got wrong, and what was made of it."""

    at: datetime | None
    flag: str
    text: str


@dataclass(frozen=True, slots=True)
class MeterCurve:
    at_s: tuple[int, ...] = ()
    power_w: tuple[float | None, ...] = ()
    limit_w: tuple[float | None, ...] = ()
    soc_pct: tuple[float | None, ...] = ()
    energy_wh: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class DischargeView:
    """An order to discharge: ``setpoint_w`` None while it rests, below 0 what flows back; ``why``
    in words of ``voltyard.energy.discharging.Hindrance``."""

    power_w: float
    until_at: datetime
    soc_floor_pct: float
    set_by: str
    setpoint_w: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class SessionView:
    row: SessionRow
    curve: MeterCurve
    repairs: tuple[Repair, ...] = ()
    meter_start_wh: float | None = None
    meter_end_wh: float | None = None
    duty_id: UUID | None = None
    authorisation: str = ""
    authorisation_reason: str = ""
    evse_id: UUID | None = None
    needs: VehicleNeeds | None = None
    missing_wh: float | None = None
    exported_wh: float = 0.0
    discharge: DischargeView | None = None
    can_discharge: bool = False

"""What pages show of preconditioning."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from voltyard.preconditioning.model import Kind, RunState, Source


@dataclass(frozen=True, slots=True)
class RunRow:
    """``reported``: the vehicle itself told what it needs."""

    id: UUID
    vehicle: str
    vehicle_id: UUID | None
    duty_id: UUID | None
    kind: Kind
    source: Source
    start_at: datetime
    end_at: datetime
    power_w: float
    state: RunState
    energy_wh: float
    short_s: float
    word: str
    reported: bool


@dataclass(frozen=True, slots=True)
class RuleRow:
    """``whom`` and ``when`` in words."""

    id: UUID
    name: str
    kind: Kind
    power_w: float
    whom: str
    when: str
    days: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class AccessRow:
    """A vehicle that may speak VDV 261; ``heard_at``: its last good message."""

    vehicle_id: UUID
    vehicle: str
    vin: str
    enabled: bool
    has_password: bool
    version: int | None
    heard_at: datetime | None
    fault: str
    fault_at: datetime | None
    charging_at: str

"""Chargers, their messages and commands, as listed and shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from voltyard.chargers.model import StationState
from voltyard.sessions.model import VehicleNeeds
from voltyard.web.console.views.board import TileState
from voltyard.web.console.views.sessions import DischargeView


@dataclass(frozen=True, slots=True)
class StationRow:
    id: UUID
    identity: str
    state: StationState
    connected: bool
    name: str = ""
    site: str = ""
    vendor: str = ""
    model: str = ""
    firmware: str = ""
    ocpp_version: str = ""
    last_seen_at: datetime | None = None
    power_w: float = 0.0
    evse_states: tuple[TileState, ...] = ()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EvseView:
    id: UUID
    number: int
    state: TileState
    name: str = ""
    bay: str = ""
    status_word: str = ""
    status_at: datetime | None = None
    error_code: str = ""
    power_w: float | None = None
    granted_w: float | None = None
    confirmed_w: float | None = None
    max_power_w: float | None = None
    current_a: float | None = None
    voltage_v: float | None = None
    soc_pct: float | None = None
    energy_wh: float | None = None
    vehicle: str | None = None
    session_id: UUID | None = None
    transaction_ref: str | None = None
    connectors: tuple[str, ...] = ()
    needs: VehicleNeeds | None = None
    missing_wh: float | None = None
    discharge: DischargeView | None = None
    exported_wh: float = 0.0


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A configuration key (1.6) or device-model variable (2.0.1) as last read."""

    key: str
    value: str | None
    readonly: bool = False


@dataclass(frozen=True, slots=True)
class StationView:
    row: StationRow
    evses: tuple[EvseView, ...]
    serial: str = ""
    remote: str = ""
    connected_at: datetime | None = None
    booted_at: datetime | None = None
    failsafe_w: float | None = None
    reserved_w: float = 0.0
    settings: tuple[SettingRow, ...] = ()
    settings_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FrameRow:
    """One OCPP frame of the log; ``direction`` is "in" (from the charger) or "out"."""

    id: str
    at: datetime
    direction: str
    kind: str
    action: str
    message_id: str
    summary: str = ""
    error_code: str | None = None
    latency_ms: float | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FrameView:
    """``payload`` is the JSON text; ``answer`` the frame that belongs to it, if stored."""

    row: FrameRow
    payload: str
    answer: FrameRow | None = None
    answer_payload: str = ""


class CommandProgress(StrEnum):
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CommandRow:
    """A command somebody gave. ``result`` says in words how it went."""

    id: UUID
    name: str
    at: datetime
    by: str
    progress: CommandProgress
    params: Mapping[str, str] = field(default_factory=dict)
    result: str = ""
    latency_ms: float | None = None
    details: tuple[tuple[str, str], ...] = ()

"""What the console shows: frozen view models, in SI units and UTC, with no rule in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar
from uuid import UUID

from voltyard.alerts.model import Severity
from voltyard.chargers.model import StationState
from voltyard.sessions.model import SessionState
from voltyard.sites.model import NodeKind
from voltyard.tenancy.model import Permission, Role

T = TypeVar("T")


class TileState(StrEnum):
    """What a dispatcher calls the state of an outlet."""

    FREE = "free"
    PLUGGED = "plugged"
    CHARGING = "charging"
    WAITING = "waiting"
    READY = "ready"
    BLOCKED = "blocked"
    OFFLINE = "offline"
    FAULTED = "faulted"
    EMPTY = "empty"
    """A bay without an outlet."""


class Outlook(StrEnum):
    """How the departure of a vehicle looks."""

    NONE = "none"
    READY = "ready"
    ON_TIME = "on_time"
    AT_RISK = "at_risk"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Paging:
    """Page ``number`` counts from 1."""

    number: int = 1
    size: int = 50

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of rows and how many there are in all."""

    rows: tuple[T, ...]
    total: int
    paging: Paging

    @property
    def page_count(self) -> int:
        return max(1, -(-self.total // self.paging.size))


@dataclass(frozen=True, slots=True)
class Choice:
    """An entry of a select box: value (an id as text) and what is shown."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class SiteView:
    id: UUID
    name: str
    timezone: str


@dataclass(frozen=True, slots=True)
class AreaView:
    id: UUID | None
    name: str


@dataclass(frozen=True, slots=True)
class BoardTile:
    """One outlet in its bay. ``key`` is stable and unique on the board."""

    key: str
    bay: str
    area_id: UUID | None
    state: TileState
    evse_id: UUID | None = None
    station_id: UUID | None = None
    station: str = ""
    outlet: str = ""
    vehicle: str | None = None
    soc_pct: float | None = None
    target_soc_pct: float | None = None
    power_w: float | None = None
    granted_w: float | None = None
    ready_at: datetime | None = None
    departs_at: datetime | None = None
    outlook: Outlook = Outlook.NONE
    shortfall_wh: float = 0.0
    session_id: UUID | None = None
    duty_id: UUID | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class RiskRow:
    """A duty that will leave short: names of the nodes that bind, and the power that would help."""

    duty_id: UUID
    vehicle: str
    departs_at: datetime
    shortfall_wh: float
    bay: str = ""
    ready_at: datetime | None = None
    limited_by: str = ""
    fix_w: float = 0.0


@dataclass(frozen=True, slots=True)
class DepartureRow:
    duty_id: UUID
    vehicle: str
    departs_at: datetime
    bay: str
    soc_pct: float | None
    target_soc_pct: float | None
    outlook: Outlook
    shortfall_wh: float = 0.0


@dataclass(frozen=True, slots=True)
class OfflineRow:
    """A station that cannot be heard, and the power held back for it meanwhile."""

    station_id: UUID
    station: str
    since: datetime | None
    reserved_w: float = 0.0
    faulted: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BoardHead:
    """The key figures above the board. ``limit_w`` is the grid connection's limit now."""

    power_w: float
    limit_w: float | None
    plan_w: float | None = None
    reserved_w: float = 0.0
    duties: int = 0
    duties_ready: int = 0
    duties_on_time: int = 0
    evses: int = 0
    charging: int = 0
    offline: int = 0
    faulted: int = 0
    over_limit: bool = False
    at_risk: tuple[RiskRow, ...] = ()
    out_of_reach: tuple[OfflineRow, ...] = ()
    departures: tuple[DepartureRow, ...] = ()


@dataclass(frozen=True, slots=True)
class BoardView:
    site: SiteView
    now: datetime
    areas: tuple[AreaView, ...]
    tiles: tuple[BoardTile, ...]
    head: BoardHead


@dataclass(frozen=True, slots=True)
class LoadSeries:
    """Columns of one length; times are epoch seconds, powers W, None where unknown."""

    now: datetime
    at_s: tuple[int, ...]
    measured_w: tuple[float | None, ...]
    plan_w: tuple[float | None, ...]
    limit_w: tuple[float | None, ...]
    reserved_w: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Mean power over a stretch of time."""

    start_at: datetime
    end_at: datetime
    power_w: float


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


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """None and empty mean "any". Times bound the start, ``until`` exclusive."""

    site_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    state: SessionState | None = None
    flagged: bool = False
    station_id: UUID | None = None
    vehicle_id: UUID | None = None


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
class SessionView:
    row: SessionRow
    curve: MeterCurve
    repairs: tuple[Repair, ...] = ()
    meter_start_wh: float | None = None
    meter_end_wh: float | None = None
    duty_id: UUID | None = None
    authorisation: str = ""
    evse_id: UUID | None = None


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
class StationFilter:
    site_id: UUID | None = None
    text: str = ""
    state: StationState | None = None
    connected: bool | None = None


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


@dataclass(frozen=True, slots=True)
class FrameFilter:
    text: str = ""
    action: str = ""
    direction: str = ""
    errors: bool = False
    since: datetime | None = None
    until: datetime | None = None


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


@dataclass(frozen=True, slots=True)
class DutyRow:
    id: UUID
    site_id: UUID
    external_id: str
    arrives_at: datetime
    departs_at: datetime
    state: str
    vehicle_id: UUID | None = None
    vehicle: str | None = None
    vehicle_class: str | None = None
    soc_arrival_pct: float | None = None
    target_soc_pct: float | None = None
    target_energy_wh: float | None = None
    priority: int = 5
    outlook: Outlook = Outlook.NONE
    ready_at: datetime | None = None
    shortfall_wh: float = 0.0
    source: str = "manual"
    note: str = ""


@dataclass(frozen=True, slots=True)
class DutyFilter:
    site_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    outlook: Outlook | None = None


@dataclass(frozen=True, slots=True)
class DutyForm:
    """Exactly one of vehicle and class, one of target SoC and energy; checked by the service."""

    arrives_at: datetime
    departs_at: datetime
    external_id: str = ""
    vehicle_id: UUID | None = None
    vehicle_class: str | None = None
    soc_arrival_pct: float | None = None
    target_soc_pct: float | None = None
    target_energy_wh: float | None = None
    priority: int = 5
    note: str = ""


@dataclass(frozen=True, slots=True)
class RowFault:
    """One bad row of an import: its line in the file, the column, what stood there and why."""

    line: int
    column: str
    value: str
    reason: str


class ImportPhase(StrEnum):
    CHECKING = "checking"
    CHECKED = "checked"
    WRITING = "writing"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ImportView:
    """A running or finished import. Nothing is written unless ``faults`` is empty."""

    id: UUID
    file_name: str
    phase: ImportPhase
    rows_done: int = 0
    rows_total: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    vehicles_added: int = 0
    faults: tuple[RowFault, ...] = ()
    message: str = ""
    sample: tuple[DutyRow, ...] = ()


@dataclass(frozen=True, slots=True)
class VehicleRow:
    id: UUID
    name: str
    vehicle_class: str = ""
    battery_wh: float | None = None
    max_power_w: float | None = None
    min_power_w: float = 0.0
    licence_plate: str = ""
    vin: str = ""
    active: bool = True
    tokens: tuple[str, ...] = ()
    charge_curve: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class VehicleForm:
    name: str
    vehicle_class: str = ""
    battery_wh: float | None = None
    max_power_w: float | None = None
    min_power_w: float = 0.0
    licence_plate: str = ""
    vin: str = ""
    active: bool = True
    charge_curve: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class TokenRow:
    id: UUID
    kind: str
    value: str
    vehicle_id: UUID | None = None
    vehicle: str | None = None
    label: str = ""
    blocked: bool = False
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TokenForm:
    kind: str
    value: str
    vehicle_id: UUID | None = None
    label: str = ""
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class AlertRow:
    """``title`` and ``detail`` come translated for the principal's locale."""

    id: UUID
    kind: str
    severity: Severity
    title: str
    opened_at: datetime
    detail: str = ""
    site: str = ""
    object_kind: str = ""
    object_id: str = ""
    object_name: str = ""
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """``status``: open (acknowledged or not), unacknowledged, acknowledged, resolved, all."""

    status: str = "open"
    severity: Severity | None = None
    site_id: UUID | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class LimitView:
    """One limit of a node: total watts or amps per phase, and when it holds, in words."""

    index: int
    power_w: float | None
    current_a: float | None
    source: str
    when: str = ""
    from_time: str = ""
    to_time: str = ""
    valid_from: str = ""
    valid_to: str = ""
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)


@dataclass(frozen=True, slots=True)
class LimitForm:
    """Exactly one of power and current; times are local ``HH:MM``, dates ``YYYY-MM-DD``."""

    power_w: float | None = None
    current_a: float | None = None
    from_time: str = ""
    to_time: str = ""
    valid_from: str = ""
    valid_to: str = ""
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node of the electrical tree, in tree order; ``depth`` 0 is the root."""

    id: UUID
    kind: NodeKind
    name: str
    depth: int
    power_w: float
    limit_w: float | None
    reserved_w: float = 0.0
    plan_w: float | None = None
    station_id: UUID | None = None
    limits: tuple[LimitView, ...] = ()


@dataclass(frozen=True, slots=True)
class TreeView:
    site: SiteView
    now: datetime
    nodes: tuple[NodeView, ...]


@dataclass(frozen=True, slots=True)
class UserRow:
    id: UUID
    name: str
    email: str
    role: Role
    active: bool = True
    last_login_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class UserForm:
    """``password`` None keeps the present one."""

    name: str
    email: str
    role: Role
    active: bool = True
    password: str | None = None


@dataclass(frozen=True, slots=True)
class KeyRow:
    id: UUID
    name: str
    prefix: str
    scopes: frozenset[Permission]
    created_at: datetime
    last_used_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewKey:
    """The one time the secret is shown."""

    row: KeyRow
    secret: str


@dataclass(frozen=True, slots=True)
class AuditRow:
    at: datetime
    actor: str
    action: str
    object_kind: str
    object_id: str
    detail: str = ""
    remote: str = ""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None

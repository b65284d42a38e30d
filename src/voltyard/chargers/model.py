"""Stations (charging stations), EVSEs and connectors."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID, uuid5


class StationState(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    RETIRED = "retired"


class EvseStatus(StrEnum):
    """State of a connector or EVSE in the union of the OCPP versions' words."""

    AVAILABLE = "available"
    PREPARING = "preparing"
    OCCUPIED = "occupied"
    CHARGING = "charging"
    SUSPENDED_EV = "suspended_ev"
    SUSPENDED_EVSE = "suspended_evse"
    FINISHING = "finishing"
    RESERVED = "reserved"
    UNAVAILABLE = "unavailable"
    FAULTED = "faulted"
    UNKNOWN = "unknown"


class CurrentType(StrEnum):
    AC = "ac"
    DC = "dc"


class LimitHolder(StrEnum):
    """By what a charger keeps the limit that stays: a default of transactions, or a station's cap.

    ``STATION`` is for makes that ignore the former; only with one outlet, since a cap is of all.
    """

    TRANSACTIONS = "transactions"
    STATION = "station"


@dataclass(frozen=True, slots=True)
class Quirks:
    """How this make wants its limits; the default suits a charger that follows the standard.

    ``unit`` is None for "by current type": W on DC, A on AC. ``phases`` is the most that is sent,
    ``periods_max`` how many periods of a schedule it takes (ours have one). ``dynamic`` False: its
    limits are replaced, even if it says that it takes updates of them (OCPP 2.1 K28); ``pull_s``:
    it asks for these updates itself so often.
    """

    unit: str | None = None
    phases: int = 3
    send_phases: bool = False
    stack_level: int = 1
    stack_level_max: int | None = None
    min_current_a: float = 6.0
    tx_profile: bool = True
    integer_amps: bool = True
    holder: LimitHolder = LimitHolder.TRANSACTIONS
    periods_max: int | None = None
    dynamic: bool = True
    pull_s: int | None = None


class PowerMode(StrEnum):
    """Who decides the power under a limit (OCPP 2.1 Q, operation modes)."""

    LIMIT = "limit"
    """The vehicle, up to the limit; it only charges."""
    SETPOINT = "setpoint"
    """We do: it follows the value, below 0 it discharges (Q03, Q04)."""
    FREQUENCY = "frequency"
    """The same, for the grid's frequency, updated by whoever measures that (Q07)."""
    IDLE = "idle"
    """Nothing flows either way (Q10)."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What an outlet can do (OCPP 2.1). ``dynamic``: limits are updated in place (K28); ``away``:
    it knows how long a limit lasts without a connection. ``modes``: of its V2X, empty where that
    is off or missing; ``transfers``: ways of energy transfer, in the standard's words."""

    dynamic: bool = False
    away: bool = False
    modes: frozenset[PowerMode] = frozenset()
    transfers: tuple[str, ...] = ()

    @property
    def discharges(self) -> bool:
        return PowerMode.SETPOINT in self.modes


@dataclass(frozen=True, slots=True)
class StationRef:
    """Enough to act for a station: who it is and whose."""

    id: UUID
    org_id: UUID
    site_id: UUID | None
    identity: str


@dataclass(frozen=True, slots=True)
class Station:
    id: UUID
    org_id: UUID
    site_id: UUID | None
    identity: str
    state: StationState
    name: str = ""
    vendor: str | None = None
    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    ocpp_version: str | None = None
    connected: bool = False
    connected_at: datetime | None = None
    last_seen_at: datetime | None = None
    booted_at: datetime | None = None
    quirks: Quirks = field(default_factory=Quirks)
    flags: tuple[str, ...] = ()

    @property
    def ref(self) -> StationRef:
        return StationRef(self.id, self.org_id, self.site_id, self.identity)


@dataclass(frozen=True, slots=True)
class Evse:
    """One outlet that charges one vehicle at a time (``number``: OCPP EVSE id, 1.6 connector)."""

    id: UUID
    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    number: int
    name: str
    bay_id: UUID | None = None
    node_id: UUID | None = None
    current_type: CurrentType = CurrentType.DC
    max_power_w: float = 150_000.0
    min_power_w: float = 0.0
    phases: int = 3
    phase_rotation: str = "RST"
    voltage_v: float = 230.0
    status: EvseStatus = EvseStatus.UNKNOWN
    status_at: datetime | None = None
    error_code: str | None = None
    operative: bool = True


@dataclass(frozen=True, slots=True)
class BootInfo:
    vendor: str
    model: str
    serial: str | None = None
    firmware: str | None = None
    reason: str | None = None
    iccid: str | None = None
    imsi: str | None = None


class BootStatus(StrEnum):
    ACCEPTED = "accepted"
    PENDING = "pending"
    REJECTED = "rejected"


class ScheduleOffer(StrEnum):
    """Whether a vehicle gets a schedule (OCPP 2.0.1 K15.FR.03 to FR.05)."""

    NOW = "now"
    LATER = "later"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class PlannedPower:
    """From ``start_at`` on a vehicle means to take ``limit``; ``unit`` is W in all or A a phase."""

    start_at: datetime
    limit: float
    unit: str = "W"
    phases: int | None = None


class BootDecision(StrEnum):
    """What whoever guards a site's limits says of a charger that booted there."""

    ACCEPT = "accept"
    ACCEPT_UNLIMITED = "accept_unlimited"
    """It took no fail-safe limit in time; it is counted at its full power."""
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class BootReply:
    """``held``: approved, and only waits until its fail-safe limit is confirmed."""

    status: BootStatus
    interval_s: int
    at: datetime
    held: bool = False


@dataclass(frozen=True, slots=True)
class StatusReport:
    """``evse_number`` 0 means the station itself (1.6 connectorId 0)."""

    evse_number: int
    connector_number: int
    status: EvseStatus
    at: datetime
    error_code: str | None = None
    info: str | None = None
    vendor_error: str | None = None


@dataclass(frozen=True, slots=True)
class Traits:
    """What a 2.0.1 variable is like; limits and values in ``unit``."""

    mutability: str | None = None
    persistent: bool = False
    constant: bool = False
    unit: str | None = None
    data_type: str | None = None
    min_limit: float | None = None
    max_limit: float | None = None
    values_list: str | None = None
    supports_monitoring: bool | None = None


@dataclass(frozen=True, slots=True)
class ConfigRow:
    """One configuration key (1.6: component empty) or device-model variable (2.0.1).

    ``instance`` is the variable's, ``component_instance`` the component's.
    """

    name: str
    value: str | None
    readonly: bool = False
    component: str = ""
    instance: str = ""
    evse_number: int | None = None
    attribute: str = "Actual"
    component_instance: str = ""
    connector_number: int | None = None
    traits: Traits | None = None

    @property
    def key(self) -> str:
        """By which it is read and written: ``Component[i]@evse/connector.Variable[i]``."""
        name = f"{self.name}[{self.instance}]" if self.instance else self.name
        if not self.component:
            return name
        component = self.component
        if self.component_instance:
            component = f"{component}[{self.component_instance}]"
        if self.evse_number is not None:
            component = f"{component}@{self.evse_number}"
            if self.connector_number is not None:
                component = f"{component}/{self.connector_number}"
        return f"{component}.{name}"


@dataclass(frozen=True, slots=True)
class VariableEvent:
    """What a charger tells of one of its variables (2.0.1 N07, N08).

    ``variable`` is named as ``ConfigRow.key``. ``severity`` 0 is danger, 9 debugging, None where
    the charger did not say. ``trigger`` and ``origin`` are in the standard's words.
    """

    event_id: int
    variable: str
    value: str
    at: datetime
    trigger: str = ""
    severity: int | None = None
    cleared: bool = False
    monitor_id: int | None = None
    origin: str = ""
    cause: int | None = None
    tech_code: str = ""
    tech_info: str = ""
    transaction_ref: str | None = None


@dataclass(frozen=True, slots=True)
class Monitor:
    """A watch over a variable, as the charger holds it; ``kind`` in words of ``MonitorKind``."""

    monitor_id: int
    variable: str
    kind: str
    value: float
    severity: int
    only_in_transaction: bool = False
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Peer:
    """How a charger is connected: in the clear, or by TLS.

    ``chain``: the certificates it proved itself with, its own first (DER); empty if it has none.
    """

    secure: bool = False
    chain: tuple[bytes, ...] = ()


IN_THE_CLEAR = Peer()


class Admission(StrEnum):
    """What the gateway does with a new connection."""

    ACCEPT = "accept"
    UNAUTHORISED = "unauthorised"
    UNKNOWN = "unknown"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Admitted:
    admission: Admission
    station: Station | None = None
    retry_after_s: int | None = None


class Frame(NamedTuple):
    """One OCPP frame for the message log. ``direction`` is "in" (from charger) or "out"."""

    at: datetime
    org_id: UUID
    station_id: UUID
    direction: str
    kind: str
    message_id: str
    action: str
    payload: str
    error_code: str | None = None
    latency_ms: float | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FlagCount:
    """An oddity of one charger: how often it was seen, when last and with what."""

    flag: str
    count: int
    last_at: datetime
    detail: str


@dataclass(frozen=True, slots=True)
class ConnectorState:
    """One plug of an EVSE, by its OCPP connector id."""

    number: int
    status: EvseStatus
    at: datetime | None = None
    error_code: str | None = None
    info: str | None = None


@dataclass(frozen=True, slots=True)
class StationView:
    """A station with its outlets, for pages and the API."""

    station: Station
    evses: tuple[Evse, ...]
    flags: tuple[FlagCount, ...] = ()
    status: EvseStatus = EvseStatus.UNKNOWN
    connectors: Mapping[UUID, tuple[ConnectorState, ...]] = field(default_factory=dict)
    remote: str | None = None
    has_password: bool = False

    @property
    def unbound(self) -> tuple[Evse, ...]:
        """Outlets that appeared by themselves and hang on no node of the electrical tree yet."""
        return tuple(evse for evse in self.evses if evse.node_id is None)


@dataclass(frozen=True, slots=True)
class StationFilter:
    site_id: UUID | None = None
    state: StationState | None = None
    connected: bool | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class FrameFilter:
    """``text`` is looked for in payload and message id, without regard to case."""

    direction: str | None = None
    action: str | None = None
    kind: str | None = None
    errors_only: bool = False
    text: str = ""
    from_at: datetime | None = None
    until_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """One command as it was asked for and answered."""

    id: UUID
    station_id: UUID
    action: str
    request: Mapping[str, Any]
    requested_by: str
    requested_at: datetime
    status: str
    answered_at: datetime | None = None
    word: str | None = None
    response: Mapping[str, Any] | None = None
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True)
class ConfigEntry:
    """``reboot_needed_at``: when it was set to what it is only after the charger's next start."""

    row: ConfigRow
    read_at: datetime
    reboot_needed_at: datetime | None = None

    def waits_for_boot(self, station: Station) -> bool:
        at, booted_at = self.reboot_needed_at, station.booted_at
        return at is not None and (booted_at is None or booted_at < at)


PLUGGED = frozenset(
    {
        EvseStatus.PREPARING,
        EvseStatus.OCCUPIED,
        EvseStatus.CHARGING,
        EvseStatus.SUSPENDED_EV,
        EvseStatus.SUSPENDED_EVSE,
        EvseStatus.FINISHING,
    }
)
_STRONGEST_FIRST = (
    EvseStatus.CHARGING,
    EvseStatus.SUSPENDED_EV,
    EvseStatus.SUSPENDED_EVSE,
    EvseStatus.FINISHING,
    EvseStatus.OCCUPIED,
    EvseStatus.PREPARING,
    EvseStatus.RESERVED,
    EvseStatus.AVAILABLE,
    EvseStatus.UNAVAILABLE,
    EvseStatus.FAULTED,
    EvseStatus.UNKNOWN,
)


def station_id_of(org_id: UUID, identity: str) -> UUID:
    """The same station gets the same id: nothing is left to chance, so a run repeats exactly."""
    return uuid5(org_id, f"station:{identity}")


def evse_id_of(station_id: UUID, number: int) -> UUID:
    return uuid5(station_id, f"evse:{number}")


def combined(statuses: Iterable[EvseStatus]) -> EvseStatus:
    """The status of an EVSE from its connectors': one in use decides, one that works is enough."""
    return min(statuses, key=_STRONGEST_FIRST.index, default=EvseStatus.UNKNOWN)

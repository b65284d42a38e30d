"""What can be asked of a charger, in words of no OCPP version, and the link that carries it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from voltyard.chargers.model import PowerMode, StationRef
from voltyard.sessions.model import Authorisation, IdToken


class LimitPurpose(StrEnum):
    STATION_MAX = "station_max"
    TX_DEFAULT = "tx_default"
    TX = "tx"


@dataclass(frozen=True, slots=True)
class RemoteStart:
    """``limit_w``: what its transaction may take from the first moment on, in W; ``limit`` is
    that in the charger's words, filled in by who guards limits."""

    evse_number: int | None
    token: IdToken
    remote_start_id: int
    connector_number: int | None = None
    limit_w: float | None = None
    limit: "SetLimit | None" = None


@dataclass(frozen=True, slots=True)
class RemoteStop:
    transaction_ref: str


@dataclass(frozen=True, slots=True)
class Dynamic:
    """A limit that is updated instead of replaced (2.1 K28): ``valid_s`` counts from its last
    update. ``away_s``: how long it lasts without a connection, for those who know that;
    ``pull_s``: the charger asks for updates itself so often."""

    away_s: int | None = None
    pull_s: int | None = None


@dataclass(frozen=True, slots=True)
class SetLimit:
    """Install a flat limit. Exactly one of ``limit_w`` (total) and ``limit_a`` (per phase).

    ``evse_number`` 0 is the whole station. ``valid_s`` None means until replaced. ``start_at``
    makes the schedule absolute from that instant; ``TX`` needs ``transaction_ref``. In any
    ``mode`` but ``LIMIT`` the value is a setpoint and may be negative; only 2.1 knows these and
    ``dynamic``.
    """

    purpose: LimitPurpose
    evse_number: int
    profile_id: int
    stack_level: int
    limit_w: float | None = None
    limit_a: float | None = None
    phases: int | None = None
    valid_s: int | None = None
    start_at: datetime | None = None
    transaction_ref: str | None = None
    mode: PowerMode = PowerMode.LIMIT
    dynamic: Dynamic | None = None


@dataclass(frozen=True, slots=True)
class UpdateLimit:
    """A new value for a dynamic limit that is installed (2.1 K28); the rest of it stays."""

    profile_id: int
    limit_w: float | None = None
    limit_a: float | None = None
    mode: PowerMode = PowerMode.LIMIT


@dataclass(frozen=True, slots=True)
class AllowTransfer:
    """The ways of energy transfer a transaction may use from now on (2.1 Q02.FR.05), in the
    standard's words: its vehicle negotiates anew."""

    transaction_ref: str
    modes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReadAbilities:
    """What an outlet can do beyond limits that are replaced: ``detail`` of the result holds
    ``abilities`` (``chargers.model.Abilities``). Only 2.1 can be asked."""

    evse_number: int


@dataclass(frozen=True, slots=True)
class ReportDischarge:
    """Have what flows back told with the other readings, in a mode that lets it (2.1 Q01.FR.35)."""

    evse_number: int
    mode: PowerMode


@dataclass(frozen=True, slots=True)
class ClearLimits:
    """Remove installed limits that match; all None removes all."""

    profile_id: int | None = None
    evse_number: int | None = None
    purpose: LimitPurpose | None = None
    stack_level: int | None = None


@dataclass(frozen=True, slots=True)
class ReadCompositeSchedule:
    evse_number: int
    duration_s: int
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Trigger:
    """``message``: boot, heartbeat, status, meter, transaction, diagnostics, firmware, certificate.

    ``certificate``: a new request for the station's own certificate.
    """

    message: str
    evse_number: int | None = None


@dataclass(frozen=True, slots=True)
class Reset:
    hard: bool = False
    evse_number: int | None = None


@dataclass(frozen=True, slots=True)
class Unlock:
    evse_number: int
    connector_number: int = 1


@dataclass(frozen=True, slots=True)
class SetAvailability:
    """``evse_number`` 0 is the whole station."""

    evse_number: int
    operative: bool


@dataclass(frozen=True, slots=True)
class ReadConfiguration:
    """1.6 keys, or 2.0.1 ``Component.Variable`` names; empty reads everything.

    ``report_id`` names the report that follows where everything is told in reports (2.0.1 B07).
    """

    keys: tuple[str, ...] = ()
    report_id: int | None = None


@dataclass(frozen=True, slots=True)
class WriteConfiguration:
    """``attribute``: Target, MinSet or MaxSet instead of the actual value (2.0.1 B05)."""

    key: str
    value: str
    attribute: str | None = None


class MonitorKind(StrEnum):
    UPPER_THRESHOLD = "upper_threshold"
    LOWER_THRESHOLD = "lower_threshold"
    DELTA = "delta"
    PERIODIC = "periodic"
    PERIODIC_CLOCK_ALIGNED = "periodic_clock_aligned"


@dataclass(frozen=True, slots=True)
class WatchVariable:
    """Have a variable watched by the charger (2.0.1 N04).

    ``value`` is in the variable's unit, for the periodic kinds in seconds. ``severity`` 0 is
    danger, 9 is debugging. ``monitor_id`` replaces that monitor.
    """

    variable: str
    kind: MonitorKind
    value: float
    severity: int
    only_in_transaction: bool = False
    monitor_id: int | None = None


@dataclass(frozen=True, slots=True)
class ForgetMonitors:
    """Remove monitors by their ids (2.0.1 N06)."""

    monitor_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReadMonitors:
    """Have all monitors told, in reports that carry ``report_id`` (2.0.1 N02)."""

    report_id: int


class MonitorBase(StrEnum):
    ALL = "all"
    FACTORY_DEFAULT = "factory_default"
    HARD_WIRED_ONLY = "hard_wired_only"


@dataclass(frozen=True, slots=True)
class SetMonitorBase:
    """Which set of monitors is active; all but ``all`` remove what was set (2.0.1 N03)."""

    base: MonitorBase


@dataclass(frozen=True, slots=True)
class SetMonitorLevel:
    """Only events of this severity or a graver one are told (2.0.1 N05)."""

    severity: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Any message of the charger's own OCPP version, by its name and payload there.

    ``detail`` of the result holds ``answer``: the response as it came.
    """

    action: str
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SendData:
    vendor_id: str
    message_id: str | None = None
    data: str | None = None


@dataclass(frozen=True, slots=True)
class GiveCertificate:
    """The station's own certificate, signed: PEM, its own first, then each one's issuer.

    ``request_id``: what the station called its request (2.1).
    """

    chain: str
    use: str = "station"
    request_id: int | None = None


@dataclass(frozen=True, slots=True)
class InstallRoot:
    """``use``: csms_root, manufacturer_root, v2g_root or mo_root (1.6 has the first two)."""

    use: str
    certificate: str


@dataclass(frozen=True, slots=True)
class ReadCertificates:
    """Which certificates a station holds; empty asks for all kinds."""

    uses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeleteCertificate:
    """By the hashes ``ReadCertificates`` told (hexadecimal; ``algorithm`` such as SHA256)."""

    algorithm: str
    issuer_name_hash: str
    issuer_key_hash: str
    serial: str


@dataclass(frozen=True, slots=True)
class SetNetworkProfile:
    """A way to reach us, kept in a slot of the station (2.0.1 B09); ``url`` without identity."""

    slot: int
    url: str
    security_profile: int
    interface: str = "Wired0"
    message_timeout_s: int = 30


class LogKind(StrEnum):
    DIAGNOSTICS = "diagnostics"
    SECURITY = "security"


@dataclass(frozen=True, slots=True)
class UpdateFirmware:
    """Fetch ``location`` from ``retrieve_at`` on and install it.

    With ``signature`` (base64) and ``certificate`` (PEM) the charger checks both before it
    installs. OCPP 1.6 knows ``request_id`` and ``install_at`` only of signed updates.
    """

    request_id: int
    location: str
    retrieve_at: datetime
    install_at: datetime | None = None
    signature: str | None = None
    certificate: str | None = None
    retries: int | None = None
    retry_interval_s: int | None = None

    @property
    def signed(self) -> bool:
        return self.signature is not None and self.certificate is not None


@dataclass(frozen=True, slots=True)
class PublishFirmware:
    """Ask a local controller to hold a firmware for the chargers behind it (2.0.1 L03).

    ``md5`` is of the file, in hexadecimal.
    """

    request_id: int
    location: str
    md5: str
    retries: int | None = None
    retry_interval_s: int | None = None


@dataclass(frozen=True, slots=True)
class UnpublishFirmware:
    """A local controller need not hold it any more (2.0.1 L04)."""

    md5: str


@dataclass(frozen=True, slots=True)
class RequestLog:
    """Bring a log to ``location``.

    ``plain``: as 1.6 had it before its security extension, which knows neither ``request_id``
    nor a security log. ``detail`` of the result holds ``file_name`` where the charger named one.
    """

    request_id: int
    location: str
    kind: LogKind = LogKind.DIAGNOSTICS
    since: datetime | None = None
    until: datetime | None = None
    retries: int | None = None
    retry_interval_s: int | None = None
    plain: bool = False


@dataclass(frozen=True, slots=True)
class ReserveNow:
    """Keep an EVSE (None: any of the station) for a token, or one of its group, until then.

    ``connector_type``: a word of the 2.0.1 or 2.1 enumeration; 1.6 has none.
    """

    reservation_id: int
    token: IdToken
    until_at: datetime
    evse_number: int | None = None
    group: str = ""
    connector_type: str | None = None


@dataclass(frozen=True, slots=True)
class CancelReservation:
    reservation_id: int


@dataclass(frozen=True, slots=True)
class ListEntry:
    """One token of a local list; ``authorisation`` None takes it off the list."""

    token: IdToken
    authorisation: Authorisation | None


@dataclass(frozen=True, slots=True)
class SendLocalList:
    """Replace a charger's list (``full``), or change the entries given."""

    version: int
    entries: tuple[ListEntry, ...]
    full: bool


@dataclass(frozen=True, slots=True)
class ReadLocalListVersion:
    """``detail`` of the result holds ``version``: 0 is an empty list, -1 none (1.6)."""


@dataclass(frozen=True, slots=True)
class ClearCache:
    """Forget every answer about tokens that the charger has kept."""


Command = (
    RemoteStart
    | RemoteStop
    | SetLimit
    | UpdateLimit
    | AllowTransfer
    | ReadAbilities
    | ReportDischarge
    | ClearLimits
    | ReadCompositeSchedule
    | Trigger
    | Reset
    | Unlock
    | SetAvailability
    | ReadConfiguration
    | WriteConfiguration
    | SendData
    | GiveCertificate
    | InstallRoot
    | ReadCertificates
    | DeleteCertificate
    | SetNetworkProfile
    | UpdateFirmware
    | PublishFirmware
    | UnpublishFirmware
    | RequestLog
    | ReserveNow
    | CancelReservation
    | SendLocalList
    | ReadLocalListVersion
    | ClearCache
    | WatchVariable
    | ForgetMonitors
    | ReadMonitors
    | SetMonitorBase
    | SetMonitorLevel
    | Ask
)


class CommandStatus(StrEnum):
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    SCHEDULED = "scheduled"
    NOT_SUPPORTED = "not_supported"
    REBOOT_REQUIRED = "reboot_required"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SchedulePeriod:
    start_s: int
    limit: float
    phases: int | None = None


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The charger's answer. ``word`` is its own status word, ``detail`` what else it said.

    For ReadCompositeSchedule ``detail`` holds ``unit`` and ``periods`` (of SchedulePeriod);
    for ReadConfiguration ``rows`` (of ConfigRow) and ``unknown`` (names).
    """

    status: CommandStatus
    word: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    latency_ms: float = 0.0

    @property
    def accepted(self) -> bool:
        return self.status is CommandStatus.ACCEPTED


class StationLink(Protocol):
    """A live connection to one charger; implemented per OCPP version.

    ``send`` raises ChargerOffline (no or lost connection), ChargerTimeout (no answer in time),
    ChargerRefused (CALLERROR, its code in ``detail``), TooMany (the charger's queue is full),
    Invalid (this version cannot express the command).
    """

    @property
    def station(self) -> StationRef: ...

    @property
    def version(self) -> str: ...

    async def send(self, command: Command, *, timeout_s: float = 30.0) -> CommandResult: ...

    async def close(self, reason: str) -> None: ...

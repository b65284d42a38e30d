"""Sessions, id tokens and meter readings as the domain sees them, whatever OCPP version spoke."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from uuid import UUID

from voltyard.records import quick, replace


class TokenKind(StrEnum):
    RFID = "rfid"
    MAC = "mac"
    VID = "vid"
    EMAID = "emaid"
    CENTRAL = "central"
    KEYCODE = "keycode"
    LOCAL = "local"
    DIRECT_PAYMENT = "direct_payment"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class IdToken:
    """What identified the driver or vehicle. ``value`` is compared without regard to case."""

    value: str
    kind: TokenKind = TokenKind.RFID


class AuthorisationStatus(StrEnum):
    """The union of what the OCPP versions can say, and why where they say it less well."""

    ACCEPTED = "accepted"
    BLOCKED = "blocked"
    EXPIRED = "expired"
    INVALID = "invalid"
    UNKNOWN = "unknown"
    CONCURRENT = "concurrent"
    NOT_HERE = "not_here"
    NOT_NOW = "not_now"
    RESERVED = "reserved"
    NO_CREDIT = "no_credit"


@dataclass(frozen=True, slots=True)
class Authorisation:
    """Whether a token may charge, and whose it is. ``known`` is False where policy let it in.

    ``group``: tokens of one group may stop what one of them started. ``until_at``: how long the
    answer holds. ``evse_numbers``: where at the station it holds, empty for everywhere.
    ``fleet_org_id``: the fleet operator whose token it is, where that is not the station's owner.
    """

    status: AuthorisationStatus
    vehicle_id: UUID | None = None
    known: bool = True
    reason: str = ""
    group: str = ""
    until_at: datetime | None = None
    evse_numbers: tuple[int, ...] = ()
    fleet_org_id: UUID | None = None

    @property
    def accepted(self) -> bool:
        return self.status is AuthorisationStatus.ACCEPTED


@quick
@dataclass(frozen=True, slots=True)
class MeterReading:
    """One sample. ``energy_wh`` is the import register of the EVSE as reported (Wh),
    ``export_wh`` that of what flowed back; ``power_w`` is negative while it does."""

    at: datetime
    energy_wh: float | None = None
    power_w: float | None = None
    soc_pct: float | None = None
    current_a: tuple[float | None, float | None, float | None] | None = None
    voltage_v: float | None = None
    offered_w: float | None = None
    context: str = "sample"
    flags: tuple[str, ...] = ()
    export_wh: float | None = None


class Phase(StrEnum):
    STARTED = "started"
    UPDATED = "updated"
    ENDED = "ended"


class ChargingState(StrEnum):
    CHARGING = "charging"
    EV_CONNECTED = "ev_connected"
    SUSPENDED_EV = "suspended_ev"
    SUSPENDED_EVSE = "suspended_evse"
    IDLE = "idle"


@quick
@dataclass(frozen=True, slots=True)
class TransactionReport:
    """One thing a charger said about one transaction.

    ``transaction_ref`` is the charger's id (2.0.1) or ours as text (1.6); None on a 1.6 start,
    where we give it. ``message_key`` is the OCPP message id, kept for exactly-once. ``undated``:
    its charger had no time, ``at`` is when it came.
    """

    phase: Phase
    at: datetime
    message_key: str
    evse_number: int | None = None
    connector_number: int | None = None
    transaction_ref: str | None = None
    seq_no: int | None = None
    offline: bool = False
    id_token: IdToken | None = None
    readings: tuple[MeterReading, ...] = ()
    stop_reason: str | None = None
    charging_state: ChargingState | None = None
    remote_start_id: int | None = None
    trigger: str | None = None
    reservation_number: int | None = None
    undated: bool = False


@dataclass(frozen=True, slots=True)
class TransactionAck:
    """What to answer once it is committed."""

    transaction_ref: str
    authorisation: Authorisation | None = None


class SessionState(StrEnum):
    ACTIVE = "active"
    ENDED = "ended"
    QUARANTINED = "quarantined"


class Flag(StrEnum):
    """What was odd about a session and what was done; each has a ``Repair`` beside it."""

    START_UNSEEN = "start_unseen"
    NO_STOP = "no_stop"
    SUPERSEDED = "superseded"
    ETERNAL = "eternal"
    REOPENED = "reopened"
    STOP_WITHOUT_ID = "stop_without_id"
    UNKNOWN_TRANSACTION = "unknown_transaction"
    FOREIGN_TRANSACTION = "foreign_transaction"
    REUSED_TRANSACTION = "reused_transaction"
    SEQUENCE_GAP = "sequence_gap"
    CLOCK_OFF = "clock_off"
    VALUES_AFTER_END = "values_after_end"
    OFFLINE = "offline"
    NEGATIVE_ENERGY = "negative_energy"
    REGISTER_RESET = "register_reset"
    REGISTER_JUMP = "register_jump"
    DROP_TO_ZERO = "drop_to_zero"
    GLITCH = "glitch"
    UNIT_MIXED = "unit_mixed"
    START_PLACEHOLDER = "start_placeholder"
    SESSION_RELATIVE = "session_relative"
    VEHICLE_ASSIGNED = "vehicle_assigned"
    STOPPED_BY_OTHER = "stopped_by_other"


@dataclass(frozen=True, slots=True)
class Repair:
    """One correction: what, at which instant of the session, from what to what."""

    what: str
    at: datetime
    was: str | None = None
    now: str | None = None


class Urgency(IntEnum):
    """Who wants a vehicle charged before others (OCPP 2.1 K21, K22)."""

    NONE = 0
    DRIVER = 1
    """Asked for at the charger: before others of no duty."""
    PERSON = 2
    """Said by one of ours, who may change duties, too: before all."""


BOTH_WAYS = "BPT"
"""In the name of every way of transfer that lets power flow back (ISO 15118-20)."""


@dataclass(frozen=True, slots=True)
class VehicleNeeds:
    """What the vehicle itself asked for (ISO 15118, OCPP 2.0.1 K15); a hint, never a right.

    ``energy_wh`` is wanted from ``told_at`` on, when the session had delivered ``delivered_wh``.
    ``dynamic``: the charger steers it by itself and hands no schedule on (2.1 K19). ``transfers``
    are all ways it knows, ``transfer`` the one in use; in those that go both ways it may give
    ``discharge_max_w``, and nothing below ``discharge_min_w``. ``cycling_wh`` is what it lacks, or
    below 0 has to spare, of what it lets others use (2.1 Q).
    """

    told_at: datetime
    transfer: str = ""
    departure_at: datetime | None = None
    energy_wh: float | None = None
    max_power_w: float | None = None
    min_power_w: float | None = None
    soc_pct: float | None = None
    target_soc_pct: float | None = None
    battery_wh: float | None = None
    dynamic: bool = False
    delivered_wh: float = 0.0
    urgency: Urgency = Urgency.NONE
    transfers: tuple[str, ...] = ()
    discharge_max_w: float | None = None
    discharge_min_w: float | None = None
    cycling_wh: float | None = None

    @property
    def gives(self) -> bool:
        """Whether it may be discharged as things stand."""
        return BOTH_WAYS in self.transfer and bool(self.discharge_max_w)

    @property
    def could_give(self) -> bool:
        """Whether it could be, once it is allowed and negotiated."""
        return self.gives or any(BOTH_WAYS in transfer for transfer in self.transfers)

    def missing_wh(self, energy_wh: float) -> float | None:
        """Of what it asked for, once its session has delivered ``energy_wh``."""
        if self.energy_wh is None:
            return None
        return max(0.0, self.energy_wh - max(0.0, energy_wh - self.delivered_wh))


@dataclass(frozen=True, slots=True)
class Session:
    """One plug-in and the energy delivered in it.

    ``energy_wh`` is what was delivered, repaired; ``meter_start_wh`` and ``meter_last_wh`` the
    register between which it lies. ``start_message`` is the OCPP message id of its start.
    ``energy_exported_wh`` is what flowed back, ``export_last_wh`` the register of that.
    ``fleet_org_id`` is the fleet operator whose vehicle it is; None for the depot operator's own
    and for guests. Whoever it names may read the session. ``authorisation_reason`` tells why its
    token was refused, or let in without being known.
    """

    id: UUID
    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    evse_id: UUID | None
    connector_number: int | None
    transaction_ref: str
    state: SessionState
    started_at: datetime
    ended_at: datetime | None = None
    start_key: str = ""
    id_token: str | None = None
    id_token_kind: str | None = None
    vehicle_id: UUID | None = None
    duty_id: UUID | None = None
    meter_start_wh: float | None = None
    meter_last_wh: float | None = None
    energy_wh: float = 0.0
    soc_start_pct: float | None = None
    soc_last_pct: float | None = None
    power_w: float | None = None
    last_seq_no: int | None = None
    last_reading_at: datetime | None = None
    charging_state: str | None = None
    stop_reason: str | None = None
    authorisation: str | None = None
    flags: tuple[str, ...] = ()
    repairs: tuple[Repair, ...] = ()
    start_message: str | None = None
    needs: VehicleNeeds | None = None
    energy_exported_wh: float = 0.0
    export_last_wh: float | None = None
    fleet_org_id: UUID | None = None
    authorisation_reason: str = ""

    @property
    def net_wh(self) -> float:
        """What stayed in the vehicle, at the meter."""
        return self.energy_wh - self.energy_exported_wh

    @property
    def open(self) -> bool:
        """Whether it still runs, as far as anybody knows."""
        return self.ended_at is None

    def flagged(self, flag: str) -> "Session":
        """The same session with a repair or oddity noted once."""
        return self if flag in self.flags else replace(self, flags=(*self.flags, flag))


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """``from_at`` and ``until_at`` bound the start; ``text`` is sought in token and reference."""

    site_id: UUID | None = None
    station_id: UUID | None = None
    evse_id: UUID | None = None
    vehicle_id: UUID | None = None
    duty_id: UUID | None = None
    state: SessionState | None = None
    fleet_org_id: UUID | None = None
    flagged: bool | None = None
    from_at: datetime | None = None
    until_at: datetime | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class MeterSample:
    """One stored reading of a session, as the charger reported it."""

    at: datetime
    power_w: float | None
    energy_wh: float | None
    soc_pct: float | None
    offered_w: float | None
    context: str

"""Sessions, id tokens and meter readings as the domain sees them, whatever OCPP version spoke."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class TokenKind(StrEnum):
    RFID = "rfid"
    MAC = "mac"
    VID = "vid"
    EMAID = "emaid"
    CENTRAL = "central"
    KEYCODE = "keycode"
    LOCAL = "local"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class IdToken:
    """What identified the driver or vehicle. ``value`` is compared without regard to case."""

    value: str
    kind: TokenKind = TokenKind.RFID


class AuthorisationStatus(StrEnum):
    ACCEPTED = "accepted"
    BLOCKED = "blocked"
    EXPIRED = "expired"
    INVALID = "invalid"
    CONCURRENT = "concurrent"


@dataclass(frozen=True, slots=True)
class Authorisation:
    """Whether a token may charge, and whose it is. ``known`` is False where policy let it in."""

    status: AuthorisationStatus
    vehicle_id: UUID | None = None
    known: bool = True
    reason: str = ""

    @property
    def accepted(self) -> bool:
        return self.status is AuthorisationStatus.ACCEPTED


@dataclass(frozen=True, slots=True)
class MeterReading:
    """One sample. ``energy_wh`` is the import register of the EVSE as reported (Wh)."""

    at: datetime
    energy_wh: float | None = None
    power_w: float | None = None
    soc_pct: float | None = None
    current_a: tuple[float | None, float | None, float | None] | None = None
    voltage_v: float | None = None
    offered_w: float | None = None
    context: str = "sample"
    flags: tuple[str, ...] = ()


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


@dataclass(frozen=True, slots=True)
class TransactionReport:
    """One thing a charger said about one transaction.

    ``transaction_ref`` is the charger's id (2.0.1) or ours as text (1.6); None on a 1.6 start,
    where we give it. ``message_key`` is the OCPP message id, kept for exactly-once.
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


@dataclass(frozen=True, slots=True)
class TransactionAck:
    """What to answer once it is committed."""

    transaction_ref: str
    authorisation: Authorisation | None = None


class SessionState(StrEnum):
    ACTIVE = "active"
    ENDED = "ended"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Session:
    """One plug-in and the energy delivered in it."""

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

    def flagged(self, flag: str) -> "Session":
        """The same session with a repair or oddity noted once."""
        return self if flag in self.flags else replace(self, flags=(*self.flags, flag))

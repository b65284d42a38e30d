"""One simulated EVSE: its specification, what is plugged in, its meter and its physical truth."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from voltyard.simulator.profiles import Circuit, Profile
from voltyard.simulator.truth import PowerStep
from voltyard.simulator.vehicle import Battery


class Status(StrEnum):
    """The states of a connector, by their 1.6 names; 2.0.1 knows fewer and maps them."""

    AVAILABLE = "Available"
    PREPARING = "Preparing"
    CHARGING = "Charging"
    SUSPENDED_EV = "SuspendedEV"
    SUSPENDED_EVSE = "SuspendedEVSE"
    FINISHING = "Finishing"
    UNAVAILABLE = "Unavailable"
    FAULTED = "Faulted"
    RESERVED = "Reserved"


class StopReason(StrEnum):
    EV_DISCONNECTED = "ev_disconnected"
    REMOTE = "remote"
    LOCAL = "local"
    HARD_RESET = "hard_reset"
    SOFT_RESET = "soft_reset"
    POWER_LOSS = "power_loss"
    UNLOCK = "unlock"
    DEAUTHORISED = "deauthorised"
    FAULT = "fault"


class Sample(StrEnum):
    """Why a meter value is sent, by its name on the wire."""

    BEGIN = "Transaction.Begin"
    PERIODIC = "Sample.Periodic"
    CLOCK = "Sample.Clock"
    END = "Transaction.End"
    TRIGGER = "Trigger"


@dataclass(frozen=True, slots=True)
class EvseSpec:
    """``id`` names the EVSE in the electrical tree. ``min_power_w`` is the least it can give,
    ``discharge_w`` the most it can take back (V2X)."""

    id: UUID
    number: int
    max_power_w: float
    phases: int = 3
    direct_current: bool = True
    connector: str = "cCCS2"
    min_power_w: float = 0.0
    discharge_w: float = 0.0


@dataclass(frozen=True, slots=True)
class StationSpec:
    """``max_power_w`` is what its EVSEs share. ``password`` is for HTTP Basic; None: none.
    ``dynamic``: its limits can be updated (OCPP 2.1 K28)."""

    identity: str
    protocol: str
    evses: tuple[EvseSpec, ...]
    max_power_w: float
    vendor: str = "Voltyard Simulated"
    model: str = "VY-Sim"
    serial: str = ""
    firmware: str = "1.0.0"
    password: str | None = None
    dynamic: bool = False

    @property
    def phases(self) -> int:
        return max(evse.phases for evse in self.evses)


@dataclass(frozen=True, slots=True)
class Token:
    """What identifies the user: an RFID card, or the vehicle itself (``autocharge``)."""

    value: str
    kind: str = "ISO14443"
    autocharge: bool = False


@dataclass(slots=True, eq=False)
class Transaction:
    """A transaction as the charger keeps it. ``ref`` is its id on the wire once known."""

    token: Token
    started_at: datetime
    start_wh: float
    ref: str | None = None
    remote_start_id: int | None = None
    remote: bool = False
    stopping: bool = False
    seq_no: int = 0
    charging_state: str | None = None
    stop_reason: str | None = None
    reservation: int | None = None
    stopped_by: Token | None = None

    def next_seq_no(self) -> int:
        self.seq_no += 1
        return self.seq_no - 1


@dataclass(slots=True, eq=False)
class Evse:
    """The state of one EVSE. Its power changes only through ``set_power``.

    ``trace`` holds every change of power as (instant, W), exact but for milliseconds.
    """

    spec: EvseSpec
    battery: Battery | None = None
    token: Token | None = None
    transaction: Transaction | None = None
    awaited: Token | None = None
    awaited_remote_id: int | None = None
    awaited_profile: Profile | None = None
    finished: bool = False
    operative: bool = True
    becomes_inoperative: bool = False
    faulted: bool = False
    power_w: float = 0.0
    limited: bool = False
    energy_wh: float = 0.0
    exported_wh: float = 0.0
    allowed: tuple[str, ...] = ()
    """Ways of energy transfer the server allows its vehicle; none told is charging alone."""
    trace: list[PowerStep] = field(default_factory=list)
    reported: str | None = None
    stale_soc_pct: float | None = None
    transactions_begun: int = 0
    reservation: int | None = None
    _settled_s: float = 0.0

    def settle(self, now_s: float) -> None:
        """Bring meter and battery up to date with the constant power since the last change."""
        seconds = now_s - self._settled_s
        self._settled_s = now_s
        if self.power_w == 0.0 or self.battery is None:
            return
        metered_wh = self.battery.advance(seconds, self.power_w)
        if metered_wh > 0.0:
            self.energy_wh += metered_wh
        else:
            self.exported_wh -= metered_wh

    @property
    def gives_w(self) -> float:
        """The most that can flow back, where both ways were agreed on."""
        if self.battery is None or not any("BPT" in way for way in self.allowed):
            return 0.0
        return min(self.battery.gives_w(), self.spec.discharge_w)

    def set_power(self, at: datetime, power_w: float) -> None:
        if power_w == self.power_w:
            return
        self.power_w = power_w
        instant = _to_the_millisecond(at)
        if self.trace and self.trace[-1][0] == instant:
            self.trace.pop()
        self.trace.append((instant, power_w))

    def seconds_to_step(self) -> float | None:
        """Until the vehicle may ask for another power; None when nothing flows."""
        if self.power_w == 0.0 or self.battery is None:
            return None
        return self.battery.seconds_to_step(self.power_w)

    @property
    def status(self) -> Status:
        if self.faulted:
            return Status.FAULTED
        if self.transaction is not None and not self.transaction.stopping:
            return self._charging_status()
        if not self.operative:
            return Status.UNAVAILABLE
        if self.finished and self.battery is not None:
            return Status.FINISHING
        if self.battery is not None or self.awaited is not None:
            return Status.PREPARING
        return Status.AVAILABLE if self.reservation is None else Status.RESERVED

    def _charging_status(self) -> Status:
        if self.power_w != 0.0:
            return Status.CHARGING
        if self.limited or self.battery is None:
            return Status.SUSPENDED_EVSE
        return Status.SUSPENDED_EV

    @property
    def circuit(self) -> Circuit:
        transaction = self.transaction
        return Circuit(
            self.spec.number,
            self.spec.phases,
            self.spec.max_power_w,
            None if transaction is None else transaction.started_at,
        )


def _to_the_millisecond(at: datetime) -> datetime:
    """Rounded, so that chargers that act at one instant have one instant in their traces."""
    rounded = at + timedelta(microseconds=500)
    return rounded.replace(microsecond=rounded.microsecond // 1000 * 1000)

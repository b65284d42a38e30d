"""Presystems (depot management, traffic control), what they ask for, and what became of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from voltyard.tenancy.model import Permission, Principal

PATH = re.compile(r"[A-Za-z0-9._~-]{1,60}(?:/[A-Za-z0-9._~-]{1,60}){0,3}")


class Kind(StrEnum):
    """What a presystem says it is at its boot; ``ANY`` takes both."""

    BMS = "BMS"
    ITCS = "ITCS"
    ANY = "any"


class Version(StrEnum):
    """How payloads are written. ``V10`` is valid for 1.1, too."""

    V10 = "1.0"
    V11 = "1.1"
    V20 = "2.0-rc1"


class VehicleKey(StrEnum):
    """By what a presystem names vehicles; ``AUTO`` tries VIN, name, id and number plate."""

    AUTO = "auto"
    VIN = "vin"
    NAME = "name"
    ID = "id"


class Target(StrEnum):
    """Which of the two states of charge a duty is planned for."""

    MIN = "min"
    MAX = "max"


class Instruction(StrEnum):
    """What a request of version 1 says is to be done with it."""

    NORMAL = "Normal"
    CHANGED = "Changed"
    TERMINATE = "Terminate"


@dataclass(frozen=True, slots=True)
class Presystem:
    """A system that may connect at ``/vdv463/<path>``.

    ``presystem_id`` empty: whatever it calls itself. ``version`` is how subprotocol 1 is spoken,
    ``allow_v2`` offers the subprotocol of 2.0-rc1. ``site_ids`` empty: all sites.
    ``default_site_id``: where requests without a charging point and of vehicles that stand nowhere
    belong. ``priority_bounds``: a request's priority up to the first bound becomes 1, up to the
    second 2, and so on, at most 9. ``stay_h`` counts where a request names no departure.
    """

    id: UUID
    org_id: UUID
    path: str
    name: str
    kind: Kind = Kind.ANY
    username: str = ""
    presystem_id: str = ""
    version: Version = Version.V11
    allow_v2: bool = False
    enabled: bool = True
    site_ids: tuple[UUID, ...] = ()
    default_site_id: UUID | None = None
    vehicle_key: VehicleKey = VehicleKey.AUTO
    target: Target = Target.MAX
    priority_bounds: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8)
    period_s: float = 15.0
    confirm_s: float = 30.0
    stay_h: float = 8.0

    @property
    def login(self) -> str:
        """The user name of HTTP Basic."""
        return self.username or self.path

    @property
    def source(self) -> str:
        """The ``source`` of its duties."""
        return f"vdv463:{self.id}"


def setting_up(who: Principal) -> Permission:
    """What it takes: in a fleet operator, whose chargers are another's, whoever makes its keys."""
    return Permission.SECURITY_WRITE if who.parent_id is None else Permission.PEOPLE_WRITE


def problems(presystem: Presystem) -> dict[str, str]:
    """What makes a presystem's settings meaningless: field → reason."""
    wrong: dict[str, str] = {}
    if not PATH.fullmatch(presystem.path) or ".." in presystem.path:
        wrong["path"] = "letters, digits, . _ ~ - and at most three slashes"
    if not presystem.name.strip() or len(presystem.name) > 100:
        wrong["name"] = "needs 1 to 100 characters"
    if ":" in presystem.username or len(presystem.username) > 100:
        wrong["username"] = "at most 100 characters, and no colon"
    if len(presystem.presystem_id) > 200:
        wrong["presystem_id"] = "at most 200 characters"
    bounds = presystem.priority_bounds
    if len(bounds) > 8 or list(bounds) != sorted(set(bounds)) or any(b < 0 for b in bounds):
        wrong["priority_bounds"] = "at most 8 numbers that rise"
    for name, low, high in (("period_s", 5, 300), ("confirm_s", 5, 300), ("stay_h", 0.5, 72)):
        if not low <= getattr(presystem, name) <= high:
            wrong[name] = f"must be {low:g} to {high:g}"
    return wrong


class PreconditioningKind(StrEnum):
    HEATING = "heating"
    VENTILATION = "ventilation"
    COOLING = "cooling"
    BATTERY = "battery"


@dataclass(frozen=True, slots=True)
class Preconditioning:
    """Something to be done to a vehicle before it leaves. ``start_at`` None: the vehicle decides;
    ``power_w`` None: not said. ``automatic``: the vehicle works out the start by itself."""

    kind: PreconditioningKind
    start_at: datetime | None
    end_at: datetime | None
    power_w: float | None = None
    ambient_c: float | None = None
    target_soc_pct: float | None = None
    automatic: bool = False


@dataclass(frozen=True, slots=True)
class ChargingRequest:
    """What a presystem wants of one stay, in words of no version."""

    request_id: str
    vehicle: str
    min_soc_pct: float
    max_soc_pct: float
    point: str = ""
    process: str = ""
    arrival_at: datetime | None = None
    arrival_soc_pct: float | None = None
    departure_at: datetime | None = None
    priority: int | None = None
    ad_hoc: bool = False
    preconditioning: tuple[Preconditioning, ...] = ()


class State(StrEnum):
    """``STANDING``: a duty follows it. ``OUTDONE``: another presystem's request for the vehicle
    goes first. ``REJECTED``: it could not be used. ``DONE``: the vehicle has left."""

    STANDING = "standing"
    OUTDONE = "outdone"
    REJECTED = "rejected"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Kept:
    """A request as it is kept. ``sent`` is the newest that came under its id, ``request`` what
    stands (None: nothing does)."""

    presystem: UUID
    presystem_id: str
    request_id: str
    sent: ChargingRequest
    request: ChargingRequest | None
    state: State
    received_at: datetime
    reason: str = ""
    duty_id: UUID | None = None
    site_id: UUID | None = None
    vehicle_id: UUID | None = None
    bay_id: UUID | None = None
    arrival_at: datetime | None = None
    departure_at: datetime | None = None

    @property
    def key(self) -> tuple[UUID, str, str]:
        return (self.presystem, self.presystem_id, self.request_id)

    @property
    def differs(self) -> bool:
        """Whether the newest that came is not what stands."""
        return self.request is not None and self.request != self.sent


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the log. ``direction`` is "in" or "out"; ``faults`` empty: valid."""

    at: datetime
    direction: str
    kind: str
    action: str
    message_id: str
    payload: str
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    size_bytes: int = 0


class LinkState(StrEnum):
    OFFLINE = "offline"
    CONNECTED = "connected"
    """It has not said who it is yet."""
    BOOTED = "booted"
    """Accepted; it waits for its first information."""
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class LinkView:
    """A connection as pages show it."""

    state: LinkState = LinkState.OFFLINE
    since: datetime | None = None
    remote: str = ""
    version: Version | None = None
    presystem_id: str = ""
    kind: str = ""
    informed_at: datetime | None = None
    confirmed_at: datetime | None = None
    unconfirmed: int = 0
    refused: str = ""


@dataclass(frozen=True, slots=True)
class PresystemView:
    presystem: Presystem
    link: LinkView
    has_password: bool
    last_seen_at: datetime | None = None
    counts: Mapping[State, int] = field(default_factory=dict)
    differing: int = 0

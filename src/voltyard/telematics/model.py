"""Telematics: connections to other systems, and what they observed of vehicles. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Kind(StrEnum):
    """Where observations come from. Without a connection: REST, by whoever holds a key."""

    GEOTAB = "geotab"
    """MyGeotab: asked by JSON-RPC, followed by ``GetFeed``."""
    SAMSARA = "samsara"
    """The feed of vehicle statistics; signed events may make it be asked at once."""
    RFMS = "rfms"
    """Truck makers' rFMS 4: vehicle statuses."""
    MQTT = "mqtt"
    WEBHOOK = "webhook"
    """Somebody posts, signed as Standard Webhooks asks."""


POLLED = frozenset({Kind.GEOTAB, Kind.SAMSARA, Kind.RFMS})
POSTS = frozenset({Kind.SAMSARA, Kind.WEBHOOK})
"""Kinds that have an address of their own with us."""


class Charging(StrEnum):
    """``yes``: it charges, nobody says by what."""

    NONE = "none"
    YES = "yes"
    AC = "ac"
    DC = "dc"
    DONE = "done"
    FAULT = "fault"


class Departures(StrEnum):
    """What a departure does that telematics tells."""

    SHOWN = "shown"
    """It is kept and shown, nothing else."""
    NEW = "new"
    """A vehicle without a duty gets one; one that it gave is moved."""
    MOVE = "move"
    """As ``new``; and the next duty of the vehicle is moved, whoever gave it."""


class Flag(StrEnum):
    """Why something of an observation is not used. It is kept nevertheless."""

    FUTURE = "future"
    OLD = "old"
    SOC_RANGE = "soc_range"
    SOC_JUMP = "soc_jump"
    ODOMETER_RANGE = "odometer_range"
    ODOMETER_BACK = "odometer_back"
    REACH_RANGE = "reach_range"
    POSITION_RANGE = "position_range"
    DEPARTURE_RANGE = "departure_range"


@dataclass(frozen=True, slots=True)
class Access:
    """How a system is reached, by kind; what a kind has no use for stays as it is.

    ``url``: of Samsara and rFMS; ``server`` and ``database`` of Geotab; ``host`` to ``tls`` of
    MQTT. ``user`` of Geotab, MQTT and rFMS (without one, rFMS is sent the password as a token).
    ``fields`` leads to our fields in messages of another shape (MQTT, webhook), by dots.
    ``soc_from_fuel``: this maker tells the charge of electric trucks as fuel level.
    """

    url: str = ""
    server: str = ""
    database: str = ""
    user: str = ""
    host: str = ""
    port: int = 8883
    topic: str = ""
    tls: bool = True
    fields: Mapping[str, str] = field(default_factory=dict)
    soc_from_fuel: bool = False


@dataclass(frozen=True, slots=True)
class Connection:
    """``key`` is the end of the address that its system posts to. ``poll_s`` between questions;
    ``silent_s`` without a sign of life is an alert, 0 is never. ``site_id`` and
    ``target_soc_pct`` are for duties that follow from its departures."""

    id: UUID
    org_id: UUID
    name: str
    kind: Kind
    access: Access = field(default_factory=Access)
    enabled: bool = True
    poll_s: float = 60.0
    silent_s: float = 3600.0
    keep_position: bool = False
    departures: Departures = Departures.SHOWN
    site_id: UUID | None = None
    target_soc_pct: float = 100.0
    key: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """How a connection does. ``alive_at``: it answered or sent something; ``heard_at``: the newest
    observation that came; ``failures`` in a row; ``cursor`` is its system's own."""

    since: datetime
    alive_at: datetime | None = None
    heard_at: datetime | None = None
    asked_at: datetime | None = None
    next_at: datetime | None = None
    failures: int = 0
    fault: str = ""
    fault_at: datetime | None = None
    taken: int = 0
    flagged: int = 0
    unknown: int = 0
    cursor: Mapping[str, str] = field(default_factory=dict)


class Health(StrEnum):
    OFF = "off"
    NEVER = "never"
    GOOD = "good"
    FAILING = "failing"
    """The last attempt failed; it is tried again."""
    SILENT = "silent"


def health(connection: Connection, status: Status, now: datetime) -> Health:
    if not connection.enabled:
        return Health.OFF
    if is_silent(connection, status, now):
        return Health.SILENT
    if status.fault and (status.alive_at is None or (status.fault_at or now) > status.alive_at):
        return Health.FAILING
    return Health.NEVER if status.alive_at is None else Health.GOOD


def is_silent(connection: Connection, status: Status, now: datetime) -> bool:
    """Whether it has shown no sign of life for longer than it may."""
    if not connection.enabled or connection.silent_s <= 0.0:
        return False
    since = max(status.since, status.alive_at or status.since)
    return (now - since).total_seconds() > connection.silent_s


@dataclass(frozen=True, slots=True)
class View:
    """A connection as people see it."""

    connection: Connection
    status: Status
    health: Health
    has_secret: bool


@dataclass(frozen=True, slots=True)
class Asset:
    """A vehicle as another system names it. ``chosen``: a person said which of ours it is;
    otherwise the VIN, the name or the number plate decides, ``vehicle_id`` None: none fits."""

    connection_id: UUID
    external_id: str
    label: str = ""
    vin: str = ""
    vehicle_id: UUID | None = None
    chosen: bool = False
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """An observation as it came: of which vehicle is still to be found out. km, %, degrees."""

    observed_at: datetime
    vehicle_id: UUID | None = None
    vin: str = ""
    name: str = ""
    external_id: str = ""
    soc_pct: float | None = None
    odometer_km: float | None = None
    range_km: float | None = None
    plugged: bool | None = None
    charging: Charging | None = None
    latitude: float | None = None
    longitude: float | None = None
    departure_at: datetime | None = None


SIGNALS = (
    "soc_pct", "odometer_km", "range_km", "plugged", "charging", "latitude", "longitude",
    "departure_at",
)  # fmt: skip
"""What an observation may tell."""


@dataclass(frozen=True, slots=True)
class Observation:
    """Of one vehicle, by one source, at one moment: these three are its identity.

    ``source`` is the id of a connection, or the word that REST came with.
    """

    vehicle_id: UUID
    org_id: UUID
    source: str
    observed_at: datetime
    received_at: datetime
    connection_id: UUID | None = None
    soc_pct: float | None = None
    odometer_km: float | None = None
    range_km: float | None = None
    plugged: bool | None = None
    charging: Charging | None = None
    latitude: float | None = None
    longitude: float | None = None
    departure_at: datetime | None = None
    flags: tuple[Flag, ...] = ()


class Result(StrEnum):
    """What became of one item."""

    TAKEN = "taken"
    FLAGGED = "flagged"
    """Kept; what its flags are about is not used."""
    KNOWN = "known"
    """Told before: this vehicle, source and moment. Nothing changed."""
    UNKNOWN_VEHICLE = "unknown_vehicle"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Outcome:
    result: Result
    vehicle_id: UUID | None = None
    flags: tuple[Flag, ...] = ()
    why: str = ""

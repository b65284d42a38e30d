"""Meters of a site: where they stand, how their numbers are read, what happens in silence."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class MeterProtocol(StrEnum):
    MODBUS = "modbus"
    """Modbus TCP: registers are asked for every ``poll_s``."""
    MQTT = "mqtt"
    """A broker is subscribed to; messages are JSON or a bare number."""
    PUSH = "push"
    """Somebody sends readings by REST."""


class Covers(StrEnum):
    ALL = "all"
    """Everything that flows through the node, our chargers below it included."""
    OTHER = "other"
    """Only load that is no charger of ours: a meter of the building, the workshop, the wash."""


class Fallback(StrEnum):
    """What is assumed of a silent meter's load; never less than the last that was seen."""

    HIGHEST = "highest"
    """The highest around this time of day over the last ``days``; the reserve without history."""
    FIXED = "fixed"
    """``reserve_w``."""


class Quantity(StrEnum):
    POWER = "power"
    POWER_L1 = "power_l1"
    POWER_L2 = "power_l2"
    POWER_L3 = "power_l3"
    CURRENT_L1 = "current_l1"
    CURRENT_L2 = "current_l2"
    CURRENT_L3 = "current_l3"
    ENERGY = "energy"
    """Energy counted since it was installed, bought from the grid."""
    TIME = "time"
    """When it was read: ISO 8601, or seconds (or milliseconds) since 1970. MQTT only."""


class NumberKind(StrEnum):
    """How registers hold a number."""

    U16 = "u16"
    S16 = "s16"
    U32 = "u32"
    S32 = "s32"
    U64 = "u64"
    S64 = "s64"
    F32 = "f32"
    F64 = "f64"


UNITS = {
    "W": 1.0, "kW": 1e3, "MW": 1e6, "A": 1.0, "mA": 1e-3, "Wh": 1.0, "kWh": 1e3, "MWh": 1e6,
    "s": 1.0, "ms": 1e-3,
}  # fmt: skip
"""Factor to W, A, Wh or s."""


@dataclass(frozen=True, slots=True)
class Point:
    """One number of a meter. Its value is ``raw × scale`` in ``unit``, negated if ``inverted``.

    Positive is towards the consumers: bought from the grid. ``address`` counts from 0, in
    ``table`` (holding or input registers); registers of one number come with the high word first
    unless ``swapped``. ``path`` leads into a JSON message, by dots; empty: the message itself.
    """

    quantity: Quantity
    unit: str = "W"
    scale: float = 1.0
    inverted: bool = False
    address: int = 0
    kind: NumberKind = NumberKind.S32
    table: str = "holding"
    swapped: bool = False
    path: str = ""


@dataclass(frozen=True, slots=True)
class Connection:
    """``unit_id`` and ``poll_s`` are of Modbus; ``topic`` (wildcards allowed), ``tls`` and
    ``username`` are of MQTT."""

    host: str = ""
    port: int = 0
    unit_id: int = 1
    poll_s: float = 5.0
    topic: str = ""
    tls: bool = False
    username: str = ""


@dataclass(frozen=True, slots=True)
class SiteMeter:
    """``margin_w`` is counted on top: how much the load may rise before chargers have followed.

    For ``hold_s`` after the last reading it still counts; then ``fallback``. Readings beyond
    ``most_w`` either way are no readings.
    """

    id: UUID
    org_id: UUID
    site_id: UUID
    node_id: UUID
    name: str
    protocol: MeterProtocol
    covers: Covers = Covers.ALL
    connection: Connection = field(default_factory=Connection)
    points: tuple[Point, ...] = ()
    enabled: bool = True
    margin_w: float = 5_000.0
    hold_s: float = 60.0
    fallback: Fallback = Fallback.HIGHEST
    reserve_w: float = 0.0
    days: int = 14
    most_w: float = 1e8


@dataclass(frozen=True, slots=True)
class Reading:
    """Power through the meter, positive towards consumers. ``energy_wh`` is its counter."""

    at: datetime
    power_w: float
    phases_w: tuple[float, float, float] | None = None
    energy_wh: float | None = None


class Quality(StrEnum):
    GOOD = "good"
    HELD = "held"
    """No reading came when one should have; the last one still counts."""
    SILENT = "silent"
    """The fallback counts."""
    NEVER = "never"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class MeterState:
    """A meter as of now. ``fallback_w`` is what counts in silence; ``worst_w`` is kept free by
    the limits that chargers fall back to; ``fault`` is why the last attempt brought nothing."""

    meter: SiteMeter
    quality: Quality
    reading: Reading | None
    age_s: float | None
    fallback_w: float
    worst_w: float
    fault: str = ""
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Minute:
    """Readings of one minute."""

    meter_id: UUID
    at: datetime
    readings: int
    last_at: datetime
    last_w: float
    mean_w: float
    lowest_w: float
    highest_w: float
    phases_w: tuple[float, ...] | None = None
    energy_wh: float | None = None


@dataclass(frozen=True, slots=True)
class LoadSlot:
    """Load beside chargers behind one meter, over a quarter of an hour from ``at``."""

    meter_id: UUID
    at: datetime
    mean_w: float
    highest_w: float
    seconds: float

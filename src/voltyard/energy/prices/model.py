"""What energy costs at a site: market or table, what comes on top, and what is aimed at."""

from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum

EVERY_DAY = frozenset(range(7))


class PriceKind(StrEnum):
    IMPORT = "import"
    """Bought: currency per MWh."""
    EXPORT = "export"
    """Sold: currency per MWh."""
    CARBON = "carbon"
    """CO2 of what is bought: kg per MWh, which is g per kWh."""


class Objective(StrEnum):
    PEAK = "peak"
    """The least peak first, then the least cost under it."""
    COST = "cost"
    """The least bill: energy, fees and demand charge together."""
    CARBON = "carbon"
    """The least CO2."""


class Period(StrEnum):
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Point:
    """A price over ``seconds`` from ``start_at``, as its source told it."""

    start_at: datetime
    seconds: int
    value: float


@dataclass(frozen=True, slots=True)
class Slot:
    """A quarter of an hour. ``bridged``: no source told it; it is taken from alike days."""

    start_at: datetime
    value: float
    bridged: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """A price per kWh at local times; ``to_time`` is exclusive, over midnight if not later.

    A window over midnight belongs to the day it begins on. ``months`` empty: all.
    """

    price_per_kwh: float
    from_time: time | None = None
    to_time: time | None = None
    weekdays: frozenset[int] = EVERY_DAY
    months: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a site pays. Of ``bands`` (energy) and ``fees`` (grid, by time) the first that applies
    counts. With a ``source`` the market's price takes the place of ``bands``.

    Per kWh: (energy + ``markup_per_kwh`` + fee + ``taxes_per_kwh``) × (1 + ``vat_pct`` / 100).
    ``demand_per_kw`` is what the period's highest quarter of an hour costs, per kW.
    """

    currency: str = "EUR"
    source: str = ""
    zone: str = ""
    bands: tuple[Band, ...] = ()
    fees: tuple[Band, ...] = ()
    markup_per_kwh: float = 0.0
    taxes_per_kwh: float = 0.0
    vat_pct: float = 0.0
    export_per_kwh: float | None = None
    export_at_market: bool = False
    demand_per_kw: float = 0.0
    demand_period: Period = Period.YEAR
    carbon_price_per_t: float = 0.0
    carbon_g_per_kwh: float | None = None
    objective: Objective = Objective.PEAK


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest mean of a quarter of an hour in a billing period. ``metered``: by a site meter,
    else the chargers' own readings alone."""

    begins_at: datetime
    peak_w: float
    peak_at: datetime
    metered: bool

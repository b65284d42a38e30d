"""A stretch of a site's past, frozen when a study is asked for, so that it can be repeated.

Pure. Powers in W, energies in Wh, prices per MWh in ``currency``; instants are aware.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import fmean
from uuid import UUID

from voltyard.sites.model import Node

QUARTER = timedelta(minutes=15)


class Gap(StrEnum):
    """What the period lacks, and what was put in its place."""

    NO_SOC = "no_soc"
    """Stays without a state of charge: their charge power is taken to be constant."""
    NO_BATTERY = "no_battery"
    """Vehicles without a battery's size: a quarter more than what they took."""
    NO_POWER = "no_power"
    """Vehicles without a greatest power: their outlet's."""
    NO_DUTY = "no_duty"
    """Stays without a duty: they need what they took, until their session ended."""
    STILL_HERE = "still_here"
    """Sessions without an end: taken to be there until the period's end."""
    NO_OUTLET = "no_outlet"
    """Sessions at outlets that are not in the electrical tree: left out."""
    TOO_SHORT = "too_short"
    """Stays too short to matter: left out."""
    NO_OTHER_LOAD = "no_other_load"
    """No site meter: no load beside chargers."""
    OTHER_LOAD_FILLED = "other_load_filled"
    """Quarter hours without a reading: taken from other days."""
    NO_PRICES = "no_prices"
    """No prices are kept for the period: a winter weekday's, with grid fees."""
    NO_DEMAND = "no_demand"
    """The tariff has no demand charge."""
    TIMED_LIMITS = "timed_limits"
    """Limits by time: the lowest of the period holds throughout."""


@dataclass(frozen=True, slots=True)
class Remark:
    """``count`` of ``of`` things lack it; both 0 where it is of the whole period."""

    gap: Gap
    count: int = 0
    of: int = 0


@dataclass(frozen=True, slots=True)
class PastOutlet:
    evse_id: UUID
    max_power_w: float
    min_power_w: float


@dataclass(frozen=True, slots=True)
class PastStay:
    """One stay as it was. Of one that is not ``announced`` nothing was known before."""

    id: UUID
    label: str
    vehicle: str
    evse_id: UUID
    arrival_at: datetime
    departure_at: datetime
    soc_pct: float
    target_soc_pct: float
    battery_wh: float
    max_power_w: float
    min_power_w: float = 0.0
    efficiency: float = 1.0
    curve: tuple[tuple[float, float], ...] = ()
    priority: int = 5
    announced: bool = False
    planned_arrival_at: datetime | None = None
    planned_soc_pct: float | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """``other_w``, ``prices`` and ``export_prices`` (what is paid for energy fed in) are by quarter
    of an hour from ``start_at``; without prices empty.

    ``facts`` are of the period as it was: ``sessions``, ``energy_wh``, ``peak_w`` (the highest
    quarter of an hour of all chargers that was measured; missing where nothing was).
    """

    site: str
    zone: str
    currency: str
    start_at: datetime
    quarters: int
    nodes: tuple[Node, ...]
    outlets: tuple[PastOutlet, ...]
    stays: tuple[PastStay, ...]
    other_w: tuple[float, ...]
    prices: tuple[float, ...] = ()
    export_prices: tuple[float, ...] = ()
    demand_per_kw_year: float | None = None
    remarks: tuple[Remark, ...] = ()
    facts: Mapping[str, float] = field(default_factory=dict)

    @property
    def end_at(self) -> datetime:
        return self.start_at + self.quarters * QUARTER


def filled(
    known: Mapping[datetime, float], start_at: datetime, quarters: int
) -> tuple[tuple[float, ...], int]:
    """A series without gaps, and how many were filled: by the same time of other days, else by
    the mean of all that is known."""
    by_time: dict[tuple[int, int], list[float]] = {}
    for at, value in known.items():
        by_time.setdefault((at.hour, at.minute), []).append(value)
    mean = fmean(known.values()) if known else 0.0
    series: list[float] = []
    missing = 0
    for place in range(quarters):
        at = start_at + place * QUARTER
        if at in known:
            series.append(known[at])
            continue
        missing += 1
        alike = by_time.get((at.hour, at.minute))
        series.append(fmean(alike) if alike else mean)
    return tuple(series), missing


def usual_day(series: Sequence[float], start_at: datetime) -> tuple[float, ...]:
    """What would have been expected: each quarter's mean over all days, the series of one day."""
    if len(series) < 2 * 96:
        return tuple(series)
    by_time: dict[int, list[float]] = {}
    for place, value in enumerate(series):
        by_time.setdefault(place % 96, []).append(value)
    means = {place: fmean(values) for place, values in by_time.items()}
    return tuple(means[place % 96] for place in range(len(series)))

"""What a study asks and what it finds. Pure: no depot, no clock, no file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from math import isfinite

from voltyard.errors import Invalid

DEFAULT_EXPORT_EUR_MWH = 60.0
BATTERY_EFFICIENCY = 0.9
"""Of a whole turn, in and out."""


@dataclass(frozen=True, slots=True)
class Battery:
    """A stationary battery at the grid connection; half full when a period begins."""

    capacity_wh: float
    power_w: float
    efficiency: float = BATTERY_EFFICIENCY


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices per MWh at the meter, grid fees included. ``night`` is (from hour, until hour, price)
    in local time. ``demand_eur_per_kw_year`` is for the highest quarter of an hour."""

    flat_eur_mwh: float
    night: tuple[int, int, float] | None = None

    def at(self, local: datetime) -> float:
        """The price at a local instant."""
        if self.night is None:
            return self.flat_eur_mwh
        first, last, price = self.night
        hour = local.hour
        inside = first <= hour < last if first <= last else hour >= first or hour < last
        return price if inside else self.flat_eur_mwh


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What is another than in the base; None leaves it. ``limit_share`` is of the base's limit.

    ``more_vehicles`` come with a charger each, unless ``chargers`` says how many there are.
    ``shunting_s`` None: who is plugged in stays so until departure; else vehicles that are done
    make room for others, and each change takes so long.
    """

    name: str
    limit_w: float | None = None
    limit_share: float | None = None
    chargers: int | None = None
    charger_w: float | None = None
    more_vehicles: int = 0
    tariff: Tariff | None = None
    demand_eur_per_kw_year: float | None = None
    battery: Battery | None = None
    pv_wp: float = 0.0
    shunting_s: float | None = None


@dataclass(frozen=True, slots=True)
class Quarter:
    """Mean powers of a quarter of an hour. The grid's is what is bought, below 0 what is sold;
    ``battery_w`` is above 0 where it gives."""

    start_at: datetime
    grid_w: float
    charging_w: float
    other_w: float
    pv_w: float
    battery_w: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of a site's own planning and granting through the period.

    Money is for the period; ``demand_cost_eur`` is the period's part of the year's charge. Energy
    is billed at the grid connection, other load included. ``over_limit_minutes`` counts minutes
    of any node over its limit.
    """

    name: str
    limit_w: float
    chargers: int
    stays: int
    ready: int
    missed: tuple[str, ...]
    energy_wh: float
    asked_wh: float
    peak_w: float
    energy_cost_eur: float
    demand_cost_eur: float
    demand_eur_year: float
    over_limit_minutes: int
    quarters: tuple[Quarter, ...] = field(repr=False)

    @property
    def cost_eur(self) -> float:
        return self.energy_cost_eur + self.demand_cost_eur

    @property
    def ready_pct(self) -> float:
        return 100.0 * self.ready / self.stays if self.stays else 100.0


@dataclass(frozen=True, slots=True)
class Sized:
    """The smallest of something with which as many are ready as with any amount of it.

    ``outcome`` is the run that showed it, ``tried`` all runs as (amount, ready), rising. Below
    ``bound`` no schedule at all could do it (None: not known). ``within`` is how much smaller
    amounts may lie unexplored: the largest that failed lies no further below.
    """

    amount: float
    wanted: int
    bound: float | None
    within: float
    outcome: Outcome
    tried: tuple[tuple[float, int], ...]


@dataclass(frozen=True, slots=True)
class Grown:
    """So many vehicles more, and the fewest bays with which waiting alone makes nobody late:
    plugged in until departure, and handed on when done. No runs: a lower bound each."""

    more: int
    vehicles: int
    bays_staying: int
    bays_shunting: int


class Shortage(StrEnum):
    """What is missing first as a fleet grows."""

    BAYS = "bays"
    POWER = "power"


@dataclass(frozen=True, slots=True)
class Room:
    """How many more vehicles what is installed serves, and what those after them lack.

    ``most`` was run and served; ``fails_at`` more were run and did not (None: as many again as
    there are were served, more was not tried). ``tried`` is (more, ready, stays), rising.
    """

    vehicles: int
    most: int
    fails_at: int | None
    lacks: Shortage | None
    tried: tuple[tuple[int, int, int], ...]
    ladder: tuple[Grown, ...]


@dataclass(frozen=True, slots=True)
class Study:
    """All that was asked and found. Amounts of ``limits`` are watts, of ``chargers`` outlets.

    Fields named ``_eur`` are in ``currency``. ``yearly``: vehicles expected more a year.
    """

    source: str
    zone: str
    start_at: datetime
    end_at: datetime
    mode: str
    base: Outcome
    what_ifs: tuple[Outcome, ...] = ()
    limits: Mapping[str, Sized] = field(default_factory=dict)
    chargers: Mapping[str, Sized] = field(default_factory=dict)
    room: Room | None = None
    currency: str = "EUR"
    yearly: float = 0.0


def parse(text: str) -> WhatIf:
    """``limit=2500 chargers=60 charger=75 vehicles=+8 price=180 night=22-6:120 demand=90
    battery=1000/500 pv=400 shunting=10``, any of them, separated by blanks or commas.

    kW, kWh, kWp, EUR/MWh, EUR/kW and year, minutes. ``limit=80%`` is of the base's. Raises
    ``Invalid`` naming the word.
    """
    found = WhatIf(" ".join(text.replace(",", " ").split()))
    if not found.name:
        raise Invalid("a what-if names at least one thing, such as limit=2500")
    night: tuple[int, int, float] | None = None
    for word in found.name.split():
        key, _, value = word.partition("=")
        reader = _READERS.get(key)
        if key == "night":
            night = _night(word, value)
        elif reader is None or not value:
            known = ", ".join([*_READERS, "night"])
            raise Invalid(f"{word!r} is nothing to study: say one of {known} with = and a value")
        else:
            found = reader(found, word, value)
    if night is None:
        return found
    if found.tariff is None:
        raise Invalid("night= is the price of some hours: price= says that of the others")
    return replace(found, tariff=replace(found.tariff, night=night))


def _limit(found: WhatIf, word: str, value: str) -> WhatIf:
    if value.endswith("%"):
        return replace(found, limit_share=_positive(word, value[:-1]) / 100.0)
    return replace(found, limit_w=1000.0 * _positive(word, value))


def _battery(found: WhatIf, word: str, value: str) -> WhatIf:
    energy, _, power = value.partition("/")
    energy_wh = 1000.0 * _positive(word, energy)
    power_w = 1000.0 * _positive(word, power) if power else energy_wh / 2.0
    return replace(found, battery=Battery(energy_wh, power_w))


def _night(word: str, value: str) -> tuple[int, int, float]:
    hours, _, price = value.partition(":")
    first, _, last = hours.partition("-")
    if not (first.isdigit() and last.isdigit() and int(first) < 24 and int(last) <= 24):
        raise Invalid(f"{word!r}: hours are such as 22-6, then a colon and the price")
    return int(first), int(last), _number(word, price)


def _number(word: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise Invalid(f"{word!r}: {value!r} is no number")
    return number


def _positive(word: str, value: str) -> float:
    number = _number(word, value)
    if number <= 0.0:
        raise Invalid(f"{word!r}: it must be more than 0")
    return number


def _not_negative(word: str, value: str) -> float:
    number = _number(word, value)
    if number < 0.0:
        raise Invalid(f"{word!r}: it must not be less than 0")
    return number


def _whole(word: str, value: str) -> int:
    number = _positive(word, value)
    if number != int(number):
        raise Invalid(f"{word!r}: it must be a whole number")
    return int(number)


_READERS: Mapping[str, Callable[[WhatIf, str, str], WhatIf]] = {
    "limit": _limit,
    "chargers": lambda found, word, value: replace(found, chargers=_whole(word, value)),
    "charger": lambda found, word, value: replace(found, charger_w=1000.0 * _positive(word, value)),
    "vehicles": lambda found, word, value: replace(
        found, more_vehicles=_whole(word, value.removeprefix("+"))
    ),
    "price": lambda found, word, value: replace(found, tariff=Tariff(_number(word, value))),
    "demand": lambda found, word, value: replace(
        found, demand_eur_per_kw_year=_not_negative(word, value)
    ),
    "battery": _battery,
    "pv": lambda found, word, value: replace(found, pv_wp=1000.0 * _positive(word, value)),
    "shunting": lambda found, word, value: replace(
        found, shunting_s=60.0 * _not_negative(word, value)
    ),
}

"""Tariffs, whom they are for, and what is owed: pure, in Decimal and ISO 4217 currencies."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

ZERO = Decimal(0)


class Kind(StrEnum):
    """What a price is for."""

    FIXED = "fixed"
    ENERGY = "energy"
    CHARGING_TIME = "charging_time"
    IDLE_TIME = "idle_time"


@dataclass(frozen=True, slots=True)
class When:
    """When a price holds, by the wall clock of the site; all that is given must be true.

    ``from_time`` to ``until_time`` may go over midnight and ends before ``until_time``; 00:00 as
    the end is the end of the day. ``weekdays``: 0 is Monday, of the day it is. ``until_date`` is
    the first day on which it does not hold any more. ``after_minutes``: of that kind of time
    (charging, idle) in the session so far.
    """

    from_time: time | None = None
    until_time: time | None = None
    weekdays: tuple[int, ...] = ()
    from_date: date | None = None
    until_date: date | None = None
    after_minutes: int = 0

    @property
    def always(self) -> bool:
        return self == ALWAYS

    def holds(self, local: datetime) -> bool:
        """``local`` is of the site's zone; ``after_minutes`` is another's to judge."""
        day = local.date()
        if self.weekdays and day.weekday() not in self.weekdays:
            return False
        if self.from_date is not None and day < self.from_date:
            return False
        if self.until_date is not None and day >= self.until_date:
            return False
        return self._in_hours(local.time())

    def _in_hours(self, at: time) -> bool:
        begin, end = self.from_time or time(0), self.until_time or time(0)
        if begin == end:
            return True
        if end == time(0):
            return at >= begin
        return begin <= at < end if begin < end else at >= begin or at < end


ALWAYS = When()


@dataclass(frozen=True, slots=True)
class TaxRate:
    """``percent`` of the net amount, such as 19."""

    name: str
    percent: Decimal


@dataclass(frozen=True, slots=True)
class Price:
    """Per kWh, per minute, or once."""

    amount: Decimal
    when: When = ALWAYS


@dataclass(frozen=True, slots=True)
class Component:
    """The prices of one kind: the first that holds counts (OCPP 2.1 block I, 1.2); none: free."""

    kind: Kind
    prices: tuple[Price, ...]
    taxes: tuple[TaxRate, ...] = ()

    @property
    def tax_pct(self) -> Decimal:
        return sum((rate.percent for rate in self.taxes), ZERO)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a tariff says. With ``tax_included`` every amount is gross, else net.

    ``free_without_energy``: a session that delivered nothing costs nothing (C20).
    """

    currency: str
    components: tuple[Component, ...]
    tax_included: bool = True
    min_total: Decimal | None = None
    max_total: Decimal | None = None
    free_without_energy: bool = True
    texts: Mapping[str, str] = field(default_factory=dict)

    def component(self, kind: Kind) -> Component | None:
        return next((part for part in self.components if part.kind is kind), None)

    @property
    def has_conditions(self) -> bool:
        return any(not price.when.always for part in self.components for price in part.prices)


@dataclass(frozen=True, slots=True)
class Tariff:
    """A tariff as it is now; each change of its terms is a new ``number``, the old ones stay."""

    id: UUID
    org_id: UUID
    name: str
    number: int
    terms: Terms
    changed_at: datetime
    retired: bool = False

    @property
    def key(self) -> str:
        """Names this version towards chargers: other terms, another name (I08.FR.08)."""
        return f"{self.id.hex[:20]}-{self.number}"


class Target(StrEnum):
    """Whom an assignment is for, the most particular first: that is the precedence."""

    TOKEN = "token"
    GROUP = "group"
    EVSE = "evse"
    STATION = "station"
    SITE = "site"
    ORGANISATION = "organisation"

    @property
    def drivers(self) -> bool:
        """Whether it goes with the driver and not with the place."""
        return self in (Target.TOKEN, Target.GROUP)


PRECEDENCE = tuple(Target)


@dataclass(frozen=True, slots=True)
class Assignment:
    """``ref``: the id of the place, the token (upper case) or the group; empty for everywhere."""

    id: UUID
    org_id: UUID
    tariff_id: UUID
    target: Target
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who charges where; ``token`` and ``group`` are empty where nobody is known."""

    org_id: UUID
    site_id: UUID | None = None
    station_id: UUID | None = None
    evse_id: UUID | None = None
    token: str = ""
    group: str = ""

    def refs(self) -> dict[Target, str]:
        return {
            Target.TOKEN: self.token.upper(),
            Target.GROUP: self.group,
            Target.EVSE: _text(self.evse_id),
            Target.STATION: _text(self.station_id),
            Target.SITE: _text(self.site_id),
            Target.ORGANISATION: "",
        }


def choose(assignments: Iterable[Assignment], asked: Asked) -> Assignment | None:
    """The assignment that counts: token, its group, outlet, charger, site, organisation."""
    refs = asked.refs()
    fitting = [
        each
        for each in assignments
        if each.org_id == asked.org_id
        and each.ref == refs[each.target]
        and (each.ref or each.target is Target.ORGANISATION)
    ]
    return min(fitting, key=lambda each: PRECEDENCE.index(each.target), default=None)


@dataclass(frozen=True, slots=True)
class Phase:
    """From when on a tariff's version counts for a session."""

    from_at: datetime
    tariff: Tariff
    target: Target = Target.ORGANISATION


@dataclass(frozen=True, slots=True)
class Line:
    """One reason of the cost. ``quantity`` is in kWh or minutes, 1 for what is due once.

    ``amount`` is net or gross as the terms are, not rounded. ``what``: a ``Kind``, ``minimum``
    or ``maximum``. ``why``: when its price holds, in the words of the terms.
    """

    what: str
    tariff: str
    number: int
    price: Decimal
    quantity: Decimal
    amount: Decimal
    tax_pct: Decimal
    from_at: datetime
    until_at: datetime
    when: When = ALWAYS


@dataclass(frozen=True, slots=True)
class TaxShare:
    percent: Decimal
    net: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class Cost:
    """What a session costs up to ``until_at``, line by line.

    ``bound``: ``minimum`` or ``maximum`` if one counted.
    """

    currency: str
    net: Decimal
    tax: Decimal
    gross: Decimal
    lines: tuple[Line, ...] = ()
    taxes: tuple[TaxShare, ...] = ()
    energy_wh: Decimal = ZERO
    charging_s: int = 0
    idle_s: int = 0
    paused_s: int = 0
    bound: str = ""
    until_at: datetime | None = None


class CostState(StrEnum):
    RUNNING = "running"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class Rating:
    """An earlier result and why it was replaced."""

    at: datetime
    gross: Decimal
    energy_wh: float
    reason: str


@dataclass(frozen=True, slots=True)
class StationCost:
    """What the charger reckoned by itself (OCPP 2.1 I12); amounts as it told them."""

    at: datetime
    tariff_key: str
    currency: str
    net: Decimal | None
    gross: Decimal | None
    failed: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SessionCost:
    """The cost of one session as it is kept.

    ``ratings`` are those that a newer one replaced. ``reason``: why it was rated last.
    """

    session_id: UUID
    org_id: UUID
    station_id: UUID
    state: CostState
    phases: tuple[Phase, ...]
    cost: Cost
    rated_at: datetime
    reason: str
    energy_wh: float = 0.0
    ratings: tuple[Rating, ...] = ()
    station_cost: StationCost | None = None
    account_id: UUID | None = None
    hold: Decimal | None = None

    @property
    def differs(self) -> Decimal | None:
        """By how much the charger's own result is above ours; None without one to compare."""
        told = self.station_cost
        if told is None or told.failed or told.gross is None:
            return None
        same = told.currency == self.cost.currency
        return told.gross - self.cost.gross if same else None


def _text(value: UUID | None) -> str:
    return "" if value is None else str(value)

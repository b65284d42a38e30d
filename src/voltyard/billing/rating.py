"""What a session costs: from its meter values and its tariff, in Decimal, line by line. Pure.

Time is cut wherever something may change: at each reading, at each instant at which a price of
the tariff begins or ends to hold by the wall clock of the site (both 02:30 of the night in which
clocks go back), where clocks change, where the tariff was changed. Energy between two readings
flows evenly. Within one piece everything is constant.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

from babel.numbers import get_currency_precision

from voltyard.billing.model import (
    ZERO,
    Component,
    Cost,
    Kind,
    Line,
    Phase,
    Price,
    TaxShare,
    Terms,
    When,
)

IDLE_BELOW_W = 100.0
"""Less than that in the mean between two readings is not charging."""
HUNDRED = Decimal(100)
SECONDS_A_MINUTE = Decimal(60)
WH_A_KWH = Decimal(1000)
KIND_OF_TIME = {True: Kind.CHARGING_TIME, False: Kind.IDLE_TIME}


@dataclass(frozen=True, slots=True)
class Reading:
    """``energy_wh`` is the register; ``offered_w`` 0: the vehicle was made to wait by us."""

    at: datetime
    energy_wh: float | None = None
    offered_w: float | None = None


@dataclass(frozen=True, slots=True)
class Metered:
    """A session as its meter saw it. ``energy_wh`` is what counts, repaired, whatever a reading
    says; ``until_at`` is its end, or now."""

    started_at: datetime
    until_at: datetime
    energy_wh: float
    readings: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch in which everything is constant. ``charging`` None: made to wait by us."""

    from_at: datetime
    until_at: datetime
    energy_wh: Decimal
    charging: bool | None

    @property
    def seconds(self) -> Decimal:
        return _seconds(self.until_at - self.from_at)


def rate(metered: Metered, phases: Sequence[Phase], zone: tzinfo) -> Cost:
    """``phases`` by time, all of one currency; the first counts from the start on."""
    terms = phases[-1].tariff.terms
    tally = _Tally(phases, zone)
    for piece in pieces(metered, phases, zone):
        tally.take(piece)
    lines = tally.lines()
    nothing = metered.energy_wh <= 0 and terms.free_without_energy
    cost = _priced(() if nothing else lines, terms, metered, free=nothing)
    return replace(
        cost,
        energy_wh=Decimal(str(round(metered.energy_wh, 3))),
        charging_s=int(tally.spent[Kind.CHARGING_TIME]),
        idle_s=int(tally.spent[Kind.IDLE_TIME]),
        paused_s=int(tally.paused_s),
        until_at=metered.until_at,
    )


def pieces(metered: Metered, phases: Sequence[Phase], zone: tzinfo) -> Iterator[Piece]:
    """The session from start to end without a gap."""
    bounds = sorted(_bounds(metered, phases, zone))
    if metered.until_at <= metered.started_at:
        energy_wh = Decimal(str(round(metered.energy_wh, 3)))
        yield Piece(metered.started_at, metered.started_at, energy_wh, True)
        return
    for before, after, energy_wh, charging in _curve(metered):
        cuts = [before, *(at for at in bounds if before < at < after), after]
        whole = _seconds(after - before)
        for begin, end in pairwise(cuts):
            share = _seconds(end - begin) / whole
            yield Piece(begin, end, energy_wh * share, charging)


def _curve(metered: Metered) -> Iterator[tuple[datetime, datetime, Decimal, bool | None]]:
    """(from, until, Wh, charging) between readings; together they deliver what the session did.

    What a glitch of the register added is taken back evenly, so that the sum is right.
    """
    steps = list(_steps(metered))
    counted = sum((step[2] for step in steps), 0.0)
    total = Decimal(str(round(metered.energy_wh, 3)))
    if counted <= 0:
        seconds = _seconds(metered.until_at - metered.started_at)
        for before, after, _, offered_w in steps:
            share = _seconds(after - before) / seconds
            yield (
                before,
                after,
                total * share,
                _charging(before, after, float(total * share), offered_w),
            )
        return
    factor = total / Decimal(str(counted))
    for before, after, energy_wh, offered_w in steps:
        part = Decimal(str(energy_wh)) * factor
        yield before, after, part, _charging(before, after, float(part), offered_w)


def _steps(metered: Metered) -> Iterator[tuple[datetime, datetime, float, float | None]]:
    """How the register rose between its readings; before the first and after the last: nothing."""
    begin, end = metered.started_at, metered.until_at
    if end <= begin:
        return
    at, level = begin, None
    known = [each for each in metered.readings if each.energy_wh is not None]
    for reading in sorted(known, key=lambda each: each.at):
        assert reading.energy_wh is not None
        moment = min(max(reading.at, begin), end)
        rise = 0.0 if level is None else max(0.0, reading.energy_wh - level)
        if moment > at:
            yield at, moment, rise, reading.offered_w
            at = moment
        elif rise:
            continue
        level = reading.energy_wh
    if at < end:
        yield at, end, 0.0, None


def _charging(
    before: datetime, after: datetime, energy_wh: float, offered_w: float | None
) -> bool | None:
    seconds = (after - before).total_seconds()
    if energy_wh * 3600 / seconds >= IDLE_BELOW_W:
        return True
    return None if offered_w is not None and offered_w < IDLE_BELOW_W else False


def _bounds(metered: Metered, phases: Sequence[Phase], zone: tzinfo) -> set[datetime]:
    begin, end = metered.started_at, metered.until_at
    found = {phase.from_at for phase in phases[1:]}
    whens = [
        price.when
        for phase in phases
        for part in phase.tariff.terms.components
        for price in part.prices
        if not price.when.always
    ]
    if not whens:
        return found
    times = {time(0)} | {
        at for when in whens for at in (when.from_time, when.until_time) if at is not None
    }
    day = begin.astimezone(zone).date()
    last = end.astimezone(zone).date()
    while day <= last:
        for at in times:
            for fold in (0, 1):
                local = datetime.combine(day, at, zone).replace(fold=fold)
                found.add(local.astimezone(UTC))
        found |= _clock_change(day, zone)
        day += timedelta(days=1)
    return found


def _clock_change(day: date, zone: tzinfo) -> set[datetime]:
    """When the clocks of a zone change on a day, to the second."""
    low = datetime.combine(day, time(0), zone).astimezone(UTC)
    high = datetime.combine(day + timedelta(days=1), time(0), zone).astimezone(UTC)
    before = low.astimezone(zone).utcoffset()
    if high.astimezone(zone).utcoffset() == before:
        return set()
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return {high}


class _Tally:
    """Sums pieces by the price that holds for them."""

    def __init__(self, phases: Sequence[Phase], zone: tzinfo) -> None:
        self._phases = sorted(phases, key=lambda phase: phase.from_at)
        self._zone = zone
        self._sums: dict[tuple[int, Kind, int], list[tuple[Decimal, datetime, datetime]]] = {}
        self._begun = False
        self.spent = {Kind.CHARGING_TIME: ZERO, Kind.IDLE_TIME: ZERO}
        self.paused_s = ZERO

    def take(self, piece: Piece) -> None:
        if not self._begun:
            self._begun = True
            self._add(Kind.FIXED, Decimal(1), piece.from_at, piece.from_at, ZERO)
        if piece.energy_wh:
            spent = self.spent[Kind.CHARGING_TIME]
            self._add(Kind.ENERGY, piece.energy_wh / WH_A_KWH, piece.from_at, piece.until_at, spent)
        if piece.charging is None:
            self.paused_s += piece.seconds
            return
        self._take_time(piece, KIND_OF_TIME[piece.charging])

    def _take_time(self, piece: Piece, kind: Kind) -> None:
        """Cut where a price begins only after some minutes of that kind of time."""
        begun = self.spent[kind]
        self.spent[kind] += piece.seconds
        component = self._terms(piece.from_at)[1].component(kind)
        marks = () if component is None else component.prices
        due = {Decimal(price.when.after_minutes * 60) for price in marks}
        cuts = sorted(mark for mark in due if begun < mark < begun + piece.seconds)
        at, spent = piece.from_at, begun
        for mark in (*cuts, begun + piece.seconds):
            until = piece.from_at + timedelta(seconds=float(mark - begun))
            self._add(kind, (mark - spent) / SECONDS_A_MINUTE, at, until, spent)
            at, spent = until, mark

    def _add(
        self, kind: Kind, quantity: Decimal, at: datetime, until: datetime, spent: Decimal
    ) -> None:
        place, terms = self._terms(at)
        component = terms.component(kind)
        if component is None:
            return
        local = at.astimezone(self._zone)
        for number, price in enumerate(component.prices):
            if price.when.holds(local) and spent >= price.when.after_minutes * 60:
                self._sums.setdefault((place, kind, number), []).append((quantity, at, until))
                return

    def _terms(self, at: datetime) -> tuple[int, Terms]:
        place = 0
        for number, phase in enumerate(self._phases):
            if phase.from_at <= at:
                place = number
        return place, self._phases[place].tariff.terms

    def lines(self) -> tuple[Line, ...]:
        found = [self._line(*key, parts) for key, parts in self._sums.items()]
        order = list(Kind)
        return tuple(sorted(found, key=lambda line: (order.index(Kind(line.what)), line.from_at)))

    def _line(
        self,
        place: int,
        kind: Kind,
        number: int,
        parts: Sequence[tuple[Decimal, datetime, datetime]],
    ) -> Line:
        tariff = self._phases[place].tariff
        component = tariff.terms.component(kind)
        assert component is not None
        price: Price = component.prices[number]
        quantity = sum((part[0] for part in parts), ZERO)
        return Line(
            kind.value,
            tariff.name,
            tariff.number,
            price.amount,
            quantity,
            quantity * price.amount,
            component.tax_pct,
            min(part[1] for part in parts),
            max(part[2] for part in parts),
            price.when,
        )


def _priced(lines: Sequence[Line], terms: Terms, metered: Metered, *, free: bool) -> Cost:
    total = sum((line.amount for line in lines), ZERO)
    bound = "" if free else _bound(total, terms)
    if bound:
        wanted = terms.min_total if bound == "minimum" else terms.max_total
        assert wanted is not None
        lines = (*lines, *_to_bound(lines, wanted - total, bound, terms, metered))
    shares = _shares(lines, terms)
    net = sum((share.net for share in shares), ZERO)
    tax = sum((share.tax for share in shares), ZERO)
    return Cost(terms.currency, net, tax, net + tax, tuple(lines), shares, bound=bound)


def _bound(total: Decimal, terms: Terms) -> str:
    if terms.max_total is not None and total > terms.max_total:
        return "maximum"
    return "minimum" if terms.min_total is not None and total < terms.min_total else ""


def _to_bound(
    lines: Sequence[Line], missing: Decimal, bound: str, terms: Terms, metered: Metered
) -> Iterator[Line]:
    """The difference, at the tax rates of what it is added to or taken from."""
    total = sum((line.amount for line in lines), ZERO)
    by_rate: dict[Decimal, Decimal] = {}
    for line in lines:
        by_rate[line.tax_pct] = by_rate.get(line.tax_pct, ZERO) + line.amount
    if total == 0:
        by_rate, total = {_usual_tax(terms): Decimal(1)}, Decimal(1)
    name, number = (lines[-1].tariff, lines[-1].number) if lines else ("", 0)
    for percent, amount in sorted(by_rate.items()):
        share = missing * amount / total
        yield Line(
            bound, name, number, share, Decimal(1), share, percent,
            metered.started_at, metered.until_at,
        )  # fmt: skip


def _usual_tax(terms: Terms) -> Decimal:
    parts: Sequence[Component] = terms.components
    return parts[0].tax_pct if parts else ZERO


def _shares(lines: Sequence[Line], terms: Terms) -> tuple[TaxShare, ...]:
    """One sum for each tax rate, rounded once, as on an invoice."""
    sums: dict[Decimal, Decimal] = {}
    for line in lines:
        sums[line.tax_pct] = sums.get(line.tax_pct, ZERO) + line.amount
    found = []
    for percent, amount in sorted(sums.items()):
        rounded = money(amount, terms.currency)
        if terms.tax_included:
            net = money(rounded / (1 + percent / HUNDRED), terms.currency)
            found.append(TaxShare(percent, net, rounded - net))
        else:
            found.append(
                TaxShare(percent, rounded, money(rounded * percent / HUNDRED, terms.currency))
            )
    return tuple(found)


def money(amount: Decimal, currency: str) -> Decimal:
    """Rounded to what the currency has: cents, or whole yen."""
    unit = Decimal(1).scaleb(-get_currency_precision(currency))
    return amount.quantize(unit, ROUND_HALF_UP)


def _seconds(span: timedelta) -> Decimal:
    return Decimal(span.days * 86_400 + span.seconds) + Decimal(span.microseconds) / 1_000_000


def holds_now(when: When, at: datetime, zone: tzinfo) -> bool:
    """Whether a price holds at an instant, for a text about it."""
    return when.holds(at.astimezone(zone))

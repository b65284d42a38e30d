"""What sessions cost, to the cent, whatever the clock does."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voltyard.billing.model import (
    ALWAYS,
    Asked,
    Assignment,
    Component,
    Cost,
    Kind,
    Phase,
    Price,
    Target,
    Tariff,
    TaxRate,
    Terms,
    When,
    choose,
)
from voltyard.billing.rating import Metered, Reading, rate

BERLIN = ZoneInfo("Europe/Berlin")
VAT = (TaxRate("VAT", Decimal(19)),)
START = datetime(2026, 1, 15, 17, 30, tzinfo=UTC)
ORG = UUID(int=1)


def part(kind: Kind, *prices: Price, taxes: tuple[TaxRate, ...] = VAT) -> Component:
    return Component(kind, prices, taxes)


def price(amount: str, when: When = ALWAYS) -> Price:
    return Price(Decimal(amount), when)


def phase(*parts: Component, at: datetime = START, number: int = 1, **terms: object) -> Phase:
    found = Terms("EUR", parts, **terms)  # type: ignore[arg-type]
    return Phase(at, Tariff(UUID(int=7), ORG, "Day", number, found, START))


def metered(*wh: float, step: timedelta = timedelta(minutes=30), at: datetime = START) -> Metered:
    readings = tuple(Reading(at + n * step, value) for n, value in enumerate(wh))
    return Metered(at, readings[-1].at, wh[-1] - wh[0], readings)


def told(cost: Cost) -> list[tuple[str, str, str]]:
    return [(line.what, f"{line.quantity:.3f}", f"{line.amount:.3f}") for line in cost.lines]


def test_energy_by_the_time_of_day() -> None:
    """OCPP 2.1 block I, 1.3: 10 kWh of which 6 at the high price."""
    high = When(from_time=time(8), until_time=time(19))
    tariff = phase(
        part(Kind.ENERGY, price("0.40", high), price("0.25"), taxes=(TaxRate("VAT", Decimal(10)),)),
        tax_included=False,
    )
    cost = rate(metered(0, 6000, 10000), [tariff], BERLIN)
    assert told(cost) == [("energy", "6.000", "2.400"), ("energy", "4.000", "1.000")]
    assert (cost.net, cost.tax, cost.gross) == (Decimal("3.40"), Decimal("0.34"), Decimal("3.74"))
    assert cost.charging_s == 3600
    assert cost.idle_s == 0


def test_tax_is_taken_out_of_gross_prices_once_for_each_rate() -> None:
    tariff = phase(
        part(Kind.FIXED, price("1.00")),
        part(Kind.ENERGY, price("0.333")),
        part(Kind.CHARGING_TIME, price("0.01"), taxes=()),
    )
    cost = rate(metered(0, 10_000), [tariff], BERLIN)
    assert [(share.percent, share.net, share.tax) for share in cost.taxes] == [
        (Decimal(0), Decimal("0.30"), Decimal("0.00")),
        (Decimal(19), Decimal("3.64"), Decimal("0.69")),
    ]
    assert cost.gross == Decimal("4.63")


def test_idle_time_costs_after_its_minutes_of_grace_and_only_in_office_hours() -> None:
    office = When(from_time=time(9), until_time=time(20), weekdays=(0, 1, 2, 3), after_minutes=45)
    tariff = phase(part(Kind.IDLE_TIME, price("0.10", office)), free_without_energy=False)
    cost = rate(metered(0, 5000, 5000, 5000, 5000, 5000), [tariff], BERLIN)
    assert cost.idle_s == 7200
    assert told(cost) == [("idle_time", "15.000", "1.500")]


def test_who_is_made_to_wait_by_the_limit_is_not_idle() -> None:
    tariff = phase(part(Kind.IDLE_TIME, price("0.10")))
    readings = (
        Reading(START, 0.0),
        Reading(START + timedelta(hours=1), 8000.0, 11_000.0),
        Reading(START + timedelta(hours=2), 8000.0, 0.0),
        Reading(START + timedelta(hours=3), 8000.0, 11_000.0),
    )
    cost = rate(Metered(START, readings[-1].at, 8000.0, readings), [tariff], BERLIN)
    assert (cost.charging_s, cost.paused_s, cost.idle_s) == (3600, 3600, 3600)
    assert cost.gross == Decimal("6.00")


@pytest.mark.parametrize(
    ("at", "minutes"),
    [(datetime(2026, 10, 24, 22, tzinfo=UTC), 120), (datetime(2026, 3, 28, 23, tzinfo=UTC), 0)],
)
def test_the_hour_that_is_twice_costs_twice_and_the_one_that_is_not_costs_nothing(
    at: datetime, minutes: int
) -> None:
    night = When(from_time=time(2), until_time=time(3))
    tariff = phase(part(Kind.CHARGING_TIME, price("1", night)), at=at)
    cost = rate(metered(0, 60_000, step=timedelta(hours=6), at=at), [tariff], BERLIN)
    assert sum(line.quantity for line in cost.lines) == minutes
    assert cost.charging_s == 6 * 3600


def test_a_price_that_begins_in_the_hour_that_is_left_out_begins_with_the_next() -> None:
    at = datetime(2026, 3, 28, 23, tzinfo=UTC)
    late = When(from_time=time(2, 30), until_time=time(4))
    tariff = phase(part(Kind.CHARGING_TIME, price("1", late)), at=at)
    cost = rate(metered(0, 60_000, step=timedelta(hours=6), at=at), [tariff], BERLIN)
    assert told(cost) == [("charging_time", "60.000", "60.000")]
    assert cost.lines[0].from_at == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_dates_and_nights_over_midnight() -> None:
    night = When(from_time=time(22), until_time=time(6), until_date=date(2026, 1, 16))
    tariff = phase(part(Kind.ENERGY, price("0.10", night), price("0.30")))
    cost = rate(metered(*range(0, 13_000, 1000), step=timedelta(hours=1)), [tariff], BERLIN)
    assert told(cost) == [("energy", "10.000", "3.000"), ("energy", "2.000", "0.200")]


def test_a_tariff_changed_while_charging_counts_from_then_on() -> None:
    first = phase(part(Kind.FIXED, price("1")), part(Kind.ENERGY, price("0.30")))
    second = phase(
        part(Kind.FIXED, price("9")), part(Kind.ENERGY, price("0.60")),
        at=START + timedelta(minutes=15), number=2,
    )  # fmt: skip
    cost = rate(metered(0, 10_000), [first, second], BERLIN)
    assert told(cost) == [
        ("fixed", "1.000", "1.000"),
        ("energy", "5.000", "1.500"),
        ("energy", "5.000", "3.000"),
    ]
    assert [line.number for line in cost.lines] == [1, 1, 2]


def test_least_and_most_keep_the_shares_of_the_taxes() -> None:
    parts = (part(Kind.ENERGY, price("0.50")), part(Kind.FIXED, price("5"), taxes=()))
    most = rate(metered(0, 10_000), [phase(*parts, max_total=Decimal(5))], BERLIN)
    assert (most.bound, most.gross) == ("maximum", Decimal("5.00"))
    assert [share.net + share.tax for share in most.taxes] == [Decimal("2.50"), Decimal("2.50")]
    least = rate(metered(0, 1000), [phase(parts[0], min_total=Decimal(2))], BERLIN)
    assert (least.bound, least.gross, least.tax) == ("minimum", Decimal("2.00"), Decimal("0.32"))


def test_a_session_that_delivered_nothing_costs_nothing_unless_it_is_said() -> None:
    parts = (part(Kind.FIXED, price("1")), part(Kind.IDLE_TIME, price("0.10")))
    nothing = metered(5000, 5000)
    assert rate(nothing, [phase(*parts, min_total=Decimal(9))], BERLIN).gross == 0
    dear = rate(nothing, [phase(*parts, free_without_energy=False)], BERLIN)
    assert dear.gross == Decimal("4.00")


def test_what_a_glitch_added_is_taken_back() -> None:
    """The register jumped and came back; the session was repaired to 9 kWh."""
    readings = (0.0, 4000.0, 0.0, 5000.0, 9000.0)
    seen = metered(*readings)
    cost = rate(
        Metered(seen.started_at, seen.until_at, 9000.0, seen.readings),
        [phase(part(Kind.ENERGY, price("0.50")))],
        BERLIN,
    )
    assert cost.gross == Decimal("4.50")


def test_energy_without_readings_is_spread_over_the_session() -> None:
    half = When(from_time=time(19))
    tariff = phase(part(Kind.ENERGY, price("1", half)))
    cost = rate(Metered(START, START + timedelta(hours=1), 10_000.0), [tariff], BERLIN)
    assert told(cost) == [("energy", "5.000", "5.000")]


def test_a_session_told_as_one_instant_still_costs_its_energy() -> None:
    tariff = phase(part(Kind.FIXED, price("1")), part(Kind.ENERGY, price("0.50")))
    assert rate(Metered(START, START, 1000.0), [tariff], BERLIN).gross == Decimal("1.50")


def test_yen_have_no_cents() -> None:
    terms = Terms("JPY", (part(Kind.ENERGY, price("50.5")),))
    tariff = Phase(START, Tariff(UUID(int=7), ORG, "T", 1, terms, START))
    assert rate(metered(0, 1000), [tariff], BERLIN).gross == Decimal(51)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 20_000), min_size=2, max_size=8),
    st.integers(0, 366 * 24 * 4),
    st.integers(5, 400),
)
def test_nothing_is_lost_between_the_pieces(steps: list[int], begin: int, every: int) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=15 * begin)
    wh, level = [], 0
    for step in steps:
        wh.append(float(level))
        level += step
    prices = [
        price("0.10", When(from_time=time(22), until_time=time(5, 59))),
        price("0.20", When(weekdays=(5, 6))),
        price("0.30"),
    ]
    tariff = phase(part(Kind.ENERGY, *prices), part(Kind.CHARGING_TIME, *prices), at=at)
    session = metered(*wh, step=timedelta(minutes=every), at=at)
    cost = rate(session, [tariff], BERLIN)
    kwh = sum((line.quantity for line in cost.lines if line.what == "energy"), Decimal(0))
    assert abs(kwh * 1000 - Decimal(str(session.energy_wh))) < Decimal("0.001")
    seconds = int((session.until_at - session.started_at).total_seconds())
    assert cost.charging_s + cost.idle_s == seconds
    assert cost.net + cost.tax == cost.gross == round(cost.gross, 2)


def test_precedence_goes_from_the_driver_to_the_organisation() -> None:
    site, station, evse = UUID(int=2), UUID(int=3), UUID(int=4)
    refs = {
        Target.TOKEN: "AB",
        Target.GROUP: "staff",
        Target.EVSE: str(evse),
        Target.STATION: str(station),
        Target.SITE: str(site),
        Target.ORGANISATION: "",
    }
    known = [
        Assignment(UUID(int=number), ORG, UUID(int=number), target, ref)
        for number, (target, ref) in enumerate(refs.items())
    ]
    asked = Asked(ORG, site, station, evse, "ab", "staff")
    for number, target in enumerate(Target):
        found = choose(known[number:], asked)
        assert found is not None
        assert found.target is target
    assert choose(known[:2], Asked(ORG, site)) is None
    assert choose(known, Asked(UUID(int=99), site, station, evse, "ab", "staff")) is None

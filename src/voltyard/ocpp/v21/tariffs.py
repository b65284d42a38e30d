"""Our tariffs in the words of OCPP 2.1 block I: prices without tax, times by the local clock."""

from datetime import time
from decimal import Decimal

from voltyard.billing.model import Component, Kind, Tariff, TaxRate, Terms, When
from voltyard.billing.wording import LANGUAGES, text_of
from voltyard.ocpp.v21 import types as types_21
from voltyard.ocpp.v21.tariff_cost import (
    DayOfWeekWord,
    TariffConditions,
    TariffConditionsFixed,
    TariffEnergy,
    TariffEnergyPrice,
    TariffFixed,
    TariffFixedPrice,
    TariffTime,
    TariffTimePrice,
)
from voltyard.ocpp.v21.tariff_cost import Tariff as TariffWire
from voltyard.ocpp.v21.types import MessageContent, Price

DAYS: tuple[DayOfWeekWord, ...] = (
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
)  # fmt: skip
DIGITS = 6


def write_tariff(tariff: Tariff, key: str) -> TariffWire:
    """``key`` names it on the charger; other contents have another (I08.FR.08)."""
    terms = tariff.terms
    energy, charging, idle, fixed = (
        terms.component(kind)
        for kind in (Kind.ENERGY, Kind.CHARGING_TIME, Kind.IDLE_TIME, Kind.FIXED)
    )
    return TariffWire(
        tariff_id=key,
        currency=terms.currency,
        description=[
            MessageContent(format="UTF8", content=text_of(tariff, language), language=language)
            for language in LANGUAGES
        ],
        energy=None if energy is None else _energy(terms, energy),
        charging_time=None if charging is None else _time(terms, charging),
        idle_time=None if idle is None else _time(terms, idle),
        fixed_fee=None if fixed is None else _fixed(terms, fixed),
        min_cost=_bound(terms, terms.min_total),
        max_cost=_bound(terms, terms.max_total),
    )


def _energy(terms: Terms, part: Component) -> TariffEnergy:
    prices = [
        TariffEnergyPrice(
            price_kwh=_net(terms, part, price.amount),
            conditions=_conditions(price.when, Kind.CHARGING_TIME),
        )
        for price in part.prices
    ]
    return TariffEnergy(prices=prices, tax_rates=_taxes(part.taxes))


def _time(terms: Terms, part: Component) -> TariffTime:
    prices = [
        TariffTimePrice(
            price_minute=_net(terms, part, price.amount),
            conditions=_conditions(price.when, part.kind),
        )
        for price in part.prices
    ]
    return TariffTime(prices=prices, tax_rates=_taxes(part.taxes))


def _fixed(terms: Terms, part: Component) -> TariffFixed:
    prices = [
        TariffFixedPrice(
            price_fixed=_net(terms, part, price.amount), conditions=_conditions_fixed(price.when)
        )
        for price in part.prices
    ]
    return TariffFixed(prices=prices, tax_rates=_taxes(part.taxes))


def _net(terms: Terms, part: Component, amount: Decimal) -> float:
    net = amount / (1 + part.tax_pct / 100) if terms.tax_included else amount
    return float(round(net, DIGITS))


def _taxes(rates: tuple[TaxRate, ...]) -> list[types_21.TaxRate] | None:
    return [types_21.TaxRate(type=rate.name, tax=float(rate.percent)) for rate in rates] or None


def _bound(terms: Terms, amount: Decimal | None) -> Price | None:
    if amount is None:
        return None
    value = float(amount)
    return Price(incl_tax=value) if terms.tax_included else Price(excl_tax=value)


def _conditions(when: When, kind: Kind) -> TariffConditions | None:
    if when.always:
        return None
    after_s = when.after_minutes * 60 or None
    return TariffConditions(
        start_time_of_day=_clock(when.from_time),
        end_time_of_day=_clock(when.until_time),
        day_of_week=_days(when),
        valid_from_date=None if when.from_date is None else when.from_date.isoformat(),
        valid_to_date=None if when.until_date is None else when.until_date.isoformat(),
        min_charging_time=after_s if kind is Kind.CHARGING_TIME else None,
        min_idle_time=after_s if kind is Kind.IDLE_TIME else None,
    )


def _conditions_fixed(when: When) -> TariffConditionsFixed | None:
    if when.always:
        return None
    return TariffConditionsFixed(
        start_time_of_day=_clock(when.from_time),
        end_time_of_day=_clock(when.until_time),
        day_of_week=_days(when),
        valid_from_date=None if when.from_date is None else when.from_date.isoformat(),
        valid_to_date=None if when.until_date is None else when.until_date.isoformat(),
    )


def _days(when: When) -> list[DayOfWeekWord] | None:
    return [DAYS[day] for day in sorted(when.weekdays)] or None


def _clock(at: time | None) -> str | None:
    return None if at is None else at.strftime("%H:%M")

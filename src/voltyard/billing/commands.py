"""What people ask of billing, checked, or Invalid with every wrong field."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from babel.numbers import is_currency

from voltyard.billing.model import Component, Kind, Price, Target, Terms
from voltyard.billing.payment import PaymentSource
from voltyard.billing.wording import LANGUAGES
from voltyard.errors import Invalid

AMOUNT_MAX = Decimal(1_000_000)
PRICES_MAX = 100
TEXT_MAX = 512
NAME_MAX = 100


@dataclass(frozen=True, slots=True)
class NewAssignment:
    """``ref``: id of a place, a token or a group; empty for the whole organisation."""

    tariff_id: UUID
    target: Target
    ref: str = ""


@dataclass(frozen=True, slots=True)
class BillingSettings:
    """Of one organisation.

    ``running_cost_s``: how often running costs are reckoned and told, 0 for never.
    ``direct_payment``: cards shown at terminals of chargers may pay. ``fallback_tariff`` and
    ``fallback_cost``: what chargers show when they know nothing better (OCPP I04, I05).
    ``receipt_url`` and ``pay_url`` begin the addresses of receipts and in QR codes.
    """

    running_cost_s: int = 300
    language: str = "en"
    show_tariff: bool = True
    direct_payment: bool = True
    fallback_tariff: str = ""
    fallback_cost: str = ""
    receipt_url: str = ""
    pay_url: str = ""


@dataclass(frozen=True, slots=True)
class NewAccount:
    name: str
    currency: str
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Authorised:
    """A payment system says that somebody may pay (C03, C24, C25): charge now.

    ``amount`` is what is reserved. ``evse_number`` None: any outlet of the charger.
    """

    psp_ref: str
    station_id: UUID
    evse_number: int | None = None
    amount: Decimal | None = None
    currency: str = ""
    max_energy_wh: float | None = None
    max_time_s: int | None = None
    source: PaymentSource = PaymentSource.KIOSK


def checked_name(name: str) -> str:
    tidy = " ".join(name.split())
    if not 0 < len(tidy) <= NAME_MAX:
        raise Invalid("The name is not valid.", fields={"name": f"1 to {NAME_MAX} characters"})
    return tidy


def checked_terms(terms: Terms) -> Terms:
    """The terms, if they can be reckoned with."""
    wrong: dict[str, str] = {}
    if not is_currency(terms.currency):
        wrong["currency"] = "an ISO 4217 code such as EUR"
    kinds = [part.kind for part in terms.components]
    if len(set(kinds)) < len(kinds):
        wrong["components"] = "each kind once"
    for place, part in enumerate(terms.components):
        wrong |= _component_faults(f"components[{place}]", part)
    for name in ("min_total", "max_total"):
        amount = getattr(terms, name)
        if amount is not None and not _sensible(amount):
            wrong[name] = "0 or more"
    least, most = terms.min_total, terms.max_total
    if not wrong and least is not None and most is not None and most < least:
        wrong["max_total"] = "not below the least"
    if any(len(text) > TEXT_MAX for text in terms.texts.values()):
        wrong["texts"] = f"at most {TEXT_MAX} characters each"
    if wrong:
        raise Invalid("The tariff is not valid.", fields=wrong)
    return terms


def _component_faults(path: str, part: Component) -> dict[str, str]:
    wrong: dict[str, str] = {}
    if not 0 < len(part.prices) <= PRICES_MAX:
        wrong[f"{path}.prices"] = f"1 to {PRICES_MAX}"
    if len(part.taxes) > 5:
        wrong[f"{path}.taxes"] = "at most 5"
    for place, rate in enumerate(part.taxes):
        if not (rate.percent.is_finite() and 0 <= rate.percent <= 100):
            wrong[f"{path}.taxes[{place}].percent"] = "0 to 100"
        if not 0 < len(rate.name) <= 20:
            wrong[f"{path}.taxes[{place}].name"] = "1 to 20 characters"
    for place, price in enumerate(part.prices):
        wrong |= _price_faults(f"{path}.prices[{place}]", part.kind, price)
    return wrong


def _price_faults(path: str, kind: Kind, price: Price) -> dict[str, str]:
    when, wrong = price.when, {}
    if not _sensible(price.amount):
        wrong[f"{path}.amount"] = "0 or more, at most 6 digits after the point"
    if any(not 0 <= day <= 6 for day in when.weekdays):
        wrong[f"{path}.when.weekdays"] = "0 (Monday) to 6"
    if when.from_date and when.until_date and when.until_date <= when.from_date:
        wrong[f"{path}.when.until_date"] = "after its beginning"
    if when.after_minutes < 0 or (when.after_minutes and kind is Kind.FIXED):
        wrong[f"{path}.when.after_minutes"] = "0 or more, and not for what is due once"
    return wrong


def _sensible(amount: Decimal) -> bool:
    if not amount.is_finite() or not 0 <= amount <= AMOUNT_MAX:
        return False
    return amount == round(amount, 6)


def checked_settings(settings: BillingSettings) -> BillingSettings:
    wrong = {}
    if settings.running_cost_s != 0 and not 10 <= settings.running_cost_s <= 3600:
        wrong["running_cost_s"] = "0, or 10 to 3600"
    if settings.language not in LANGUAGES:
        wrong["language"] = f"one of {', '.join(LANGUAGES)}"
    for name in ("fallback_tariff", "fallback_cost"):
        if len(getattr(settings, name)) > TEXT_MAX:
            wrong[name] = f"at most {TEXT_MAX} characters"
    for name in ("receipt_url", "pay_url"):
        if getattr(settings, name) and not getattr(settings, name).startswith("https://"):
            wrong[name] = "begins with https://"
    if wrong:
        raise Invalid("The settings are not valid.", fields=wrong)
    return settings

"""The form of a tariff: a few rows of prices for each kind, read into terms and written back.

Prices by date, or on single days of the week, are for the REST: a tariff that has more than the
form can show is shown, not edited.
"""

from collections.abc import Mapping
from datetime import time
from decimal import Decimal, InvalidOperation

from voltyard.billing.model import Component, Kind, Price, TaxRate, Terms, When
from voltyard.web.forms import Fields
from voltyard.web.i18n import N_

ROWS: Mapping[Kind, int] = {
    Kind.ENERGY: 4,
    Kind.IDLE_TIME: 2,
    Kind.CHARGING_TIME: 2,
    Kind.FIXED: 1,
}
KIND_WORDS: Mapping[Kind, str] = {
    Kind.ENERGY: N_("Per kWh"),
    Kind.IDLE_TIME: N_("Per minute when not charging"),
    Kind.CHARGING_TIME: N_("Per minute while charging"),
    Kind.FIXED: N_("Per session"),
}
DAY_SETS: Mapping[str, tuple[int, ...]] = {
    "": (),
    "work": (0, 1, 2, 3, 4),
    "weekend": (5, 6),
}
DAY_WORDS: Mapping[str, str] = {
    "": N_("Every day"),
    "work": N_("Monday to Friday"),
    "weekend": N_("Saturday, Sunday"),
}
DIGITS_MAX = 6


def read(form: Fields) -> Terms:
    """What is wrong is noted in the form; call its ``check``."""
    taxes = _taxes(form)
    parts = []
    for kind, rows in ROWS.items():
        prices = [price for row in range(rows) if (price := _price(form, kind, row)) is not None]
        if prices:
            parts.append(Component(kind, tuple(prices), taxes))
    if not parts and not form.faults:
        form.fault(f"{Kind.ENERGY}_0_amount", N_("Give at least one price; 0 is free of charge."))
    texts = {name: form.text(f"text_{name}", longest=512) for name in ("en", "de")}
    return Terms(
        form.text("currency", required=True, longest=3).upper(),
        tuple(parts),
        tax_included=form.values.get("tax_mode") != "net",
        min_total=_amount(form, "min_total"),
        max_total=_amount(form, "max_total"),
        free_without_energy=form.flag("free"),
        texts={name: text for name, text in texts.items() if text},
    )


def _taxes(form: Fields) -> tuple[TaxRate, ...]:
    percent = _amount(form, "tax_pct")
    return () if not percent else (TaxRate("VAT", percent),)


def _price(form: Fields, kind: Kind, row: int) -> Price | None:
    stem = f"{kind}_{row}_"
    amount = _amount(form, f"{stem}amount")
    if amount is None:
        return None
    after = form.whole(f"{stem}after", low=0, high=10_000, default=0)
    days = DAY_SETS.get(form.text(f"{stem}days"), ())
    when = When(_time(form, f"{stem}from"), _time(form, f"{stem}until"), days, after_minutes=after)
    return Price(amount, when)


def _amount(form: Fields, name: str) -> Decimal | None:
    text = form.text(name, longest=20).replace(",", ".")
    if not text:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0 or amount != round(amount, DIGITS_MAX):
        form.fault(name, N_("An amount such as 0.49"))
        return None
    return amount


def _time(form: Fields, name: str) -> time | None:
    text = form.text(name)
    if not text:
        return None
    try:
        return time.fromisoformat(text)
    except ValueError:
        form.fault(name, N_("A time such as 22:00"))
        return None


def values_of(name: str, terms: Terms) -> dict[str, str] | None:
    """The form's fields; None if it cannot show all that the terms say."""
    rates = {part.taxes for part in terms.components}
    if len(rates) > 1 or any(len(taxes) > 1 for taxes in rates):
        return None
    taxes = next(iter(rates), ())
    values = {
        "name": name,
        "currency": terms.currency,
        "tax_mode": "gross" if terms.tax_included else "net",
        "tax_pct": _text(taxes[0].percent) if taxes else "",
        "min_total": _text(terms.min_total),
        "max_total": _text(terms.max_total),
        "free": "on" if terms.free_without_energy else "",
        **{f"text_{language}": text for language, text in terms.texts.items()},
    }
    for part in terms.components:
        if len(part.prices) > ROWS[part.kind]:
            return None
        for row, price in enumerate(part.prices):
            shown = _row(price)
            if shown is None:
                return None
            values |= {f"{part.kind}_{row}_{field}": text for field, text in shown.items()}
    return values


def _row(price: Price) -> dict[str, str] | None:
    when = price.when
    days = next((name for name, days in DAY_SETS.items() if days == when.weekdays), None)
    if days is None or when.from_date is not None or when.until_date is not None:
        return None
    return {
        "amount": _text(price.amount),
        "from": when.from_time.strftime("%H:%M") if when.from_time else "",
        "until": when.until_time.strftime("%H:%M") if when.until_time else "",
        "days": days,
        "after": str(when.after_minutes) if when.after_minutes else "",
    }


def _text(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount.normalize():f}"

"""A tariff in a sentence, for the display of a charger and for pages. Pure."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from babel.dates import format_date
from babel.numbers import format_currency, format_decimal, get_currency_precision

from voltyard.billing.model import Kind, Price, Tariff, Terms, When

LANGUAGES = ("en", "de")
TEXT_MAX = 512
DAYS: Mapping[str, tuple[str, ...]] = {
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "de": ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"),
}
UNITS: Mapping[str, Mapping[Kind, str]] = {
    "en": {
        Kind.FIXED: "{} per session",
        Kind.ENERGY: "{}/kWh",
        Kind.CHARGING_TIME: "{}/min while charging",
        Kind.IDLE_TIME: "{}/min when not charging",
    },
    "de": {
        Kind.FIXED: "{} je Ladevorgang",
        Kind.ENERGY: "{}/kWh",
        Kind.CHARGING_TIME: "{}/min während des Ladens",
        Kind.IDLE_TIME: "{}/min ohne Laden",
    },
}
SAID: Mapping[str, Mapping[str, str]] = {
    "en": {
        "after": "after {} min",
        "from": "from {}",
        "until": "until before {}",
        "least": "at least {}",
        "most": "at most {}",
        "gross": "incl. tax",
        "net": "plus tax",
        "free": "free of charge",
    },
    "de": {
        "after": "nach {} min",
        "from": "ab {}",
        "until": "bis vor {}",
        "least": "mindestens {}",
        "most": "höchstens {}",
        "gross": "inkl. Steuer",
        "net": "zzgl. Steuer",
        "free": "kostenlos",
    },
}


def text_of(tariff: Tariff, language: str) -> str:
    """Its own text in that language, else what its prices say; at most ``TEXT_MAX`` long."""
    terms = tariff.terms
    own = terms.texts.get(language) or ""
    return (own or sentence(terms, language))[:TEXT_MAX]


def sentence(terms: Terms, language: str) -> str:
    """Such as «€0.49/kWh, €0.10/min when not charging (after 30 min), incl. tax»."""
    language = language if language in LANGUAGES else "en"
    said = SAID[language]
    prices = [
        _price(terms.currency, part.kind, price, language)
        for part in terms.components
        for price in part.prices
        if price.amount
    ]
    if not prices:
        return said["free"]
    for name, amount in (("least", terms.min_total), ("most", terms.max_total)):
        if amount is not None:
            prices.append(said[name].format(money(amount, terms.currency, language)))
    return ", ".join([*prices, said["gross" if terms.tax_included else "net"]])


def _price(currency: str, kind: Kind, price: Price, language: str) -> str:
    text = UNITS[language][kind].format(money(price.amount, currency, language))
    when = " ".join(condition(price.when, language))
    return f"{text} ({when})" if when else text


def condition(when: When, language: str) -> Iterator[str]:
    """When a price holds, in short words."""
    language = language if language in LANGUAGES else "en"
    said, days = SAID[language], DAYS[language]
    if when.weekdays:
        yield ", ".join(days[day] for day in sorted(when.weekdays))
    if when.from_time is not None or when.until_time is not None:
        begin = when.from_time.strftime("%H:%M") if when.from_time else "00:00"
        end = when.until_time.strftime("%H:%M") if when.until_time else "24:00"
        yield f"{begin}–{'24:00' if end == '00:00' else end}"
    for name, day in (("from", when.from_date), ("until", when.until_date)):
        if day is not None:
            yield said[name].format(format_date(day, "short", locale=language))
    if when.after_minutes:
        yield said["after"].format(when.after_minutes)


def money(amount: Decimal, currency: str, language: str) -> str:
    """With as many digits as it has, at least those of its currency: a price may be €0.0525."""
    digits = max(get_currency_precision(currency), _digits(amount))
    shown = format_currency(
        round(amount, digits), currency, locale=language, currency_digits=False,
        format=_pattern(language, digits), decimal_quantization=False,
    )  # fmt: skip
    return shown.replace("\xa0", " ")


def number(amount: Decimal, language: str) -> str:
    return format_decimal(amount, locale=language, decimal_quantization=False)


def _pattern(language: str, digits: int) -> str:
    number = "#,##0" + ("." + "0" * digits if digits else "")
    return f"{number} ¤" if language == "de" else f"¤{number}"


def _digits(amount: Decimal) -> int:
    exponent = amount.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0

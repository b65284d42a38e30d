"""A study as JSON with stable keys, as a table for the terminal, and as one HTML file."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_datetime
from babel.numbers import format_decimal

from voltyard.errors import Invalid
from voltyard.study import charts
from voltyard.study.model import Outcome, Sized, Study
from voltyard.study.sheet import STYLE

_ALL_W = 1e8
"""A limit from here on is none."""
_COLUMNS: tuple[tuple[str, str, int], ...] = (
    ("limit kW", "limit_kw", 0),
    ("chargers", "chargers", 0),
    ("stays", "stays", 0),
    ("ready", "ready", 0),
    ("peak kW", "peak_kw", 0),
    ("energy EUR", "energy_cost_eur", 0),
    ("demand EUR", "demand_cost_eur", 0),
    ("cost EUR", "cost_eur", 0),
    ("demand EUR/year", "demand_eur_year", 0),
)


def as_json(study: Study) -> dict[str, Any]:
    """Keys are stable; powers in kW, energies in kWh, money in EUR, instants in UTC."""
    return {
        "source": study.source,
        "zone": study.zone,
        "start_at": study.start_at.isoformat(),
        "end_at": study.end_at.isoformat(),
        "mode": study.mode,
        "base": _outcome(study.base),
        "what_ifs": [_outcome(found) for found in study.what_ifs],
        "smallest_limit": {key: _sized(found, 1000.0) for key, found in study.limits.items()},
        "fewest_chargers": {key: _sized(found, 1.0) for key, found in study.chargers.items()},
    }


def _outcome(found: Outcome) -> dict[str, Any]:
    return {
        "name": found.name,
        "limit_kw": None if found.limit_w >= _ALL_W else found.limit_w / 1000.0,
        "chargers": found.chargers,
        "stays": found.stays,
        "ready": found.ready,
        "ready_pct": found.ready_pct,
        "missed": list(found.missed),
        "energy_kwh": found.energy_wh / 1000.0,
        "asked_kwh": found.asked_wh / 1000.0,
        "peak_kw": found.peak_w / 1000.0,
        "energy_cost_eur": found.energy_cost_eur,
        "demand_cost_eur": found.demand_cost_eur,
        "cost_eur": found.cost_eur,
        "demand_eur_year": found.demand_eur_year,
        "over_limit_minutes": found.over_limit_minutes,
    }


def _sized(found: Sized, unit: float) -> dict[str, Any]:
    """``amount``, ``bound`` and ``within`` in kW or chargers."""
    return {
        "amount": found.amount / unit,
        "bound": None if found.bound is None else found.bound / unit,
        "within": found.within / unit,
        "wanted": found.wanted,
        "outcome": _outcome(found.outcome),
        "tried": [{"amount": amount / unit, "ready": ready} for amount, ready in found.tried],
    }


def table(study: Study) -> str:
    """For the terminal."""
    head = ["", *(title for title, _, _ in _COLUMNS)]
    rows = [head, *(_cells(found, lambda v, d: f"{v:,.{d}f}") for found in _all(study))]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    lines = [_line(row, widths) for row in rows]
    return "\n".join([*lines, "", *_sentences(study, lambda v, d: f"{v:,.{d}f}")])


def _all(study: Study) -> Sequence[Outcome]:
    return (study.base, *study.what_ifs)


Number = Callable[[float, int], str]


def _cells(found: Outcome, number: Number) -> list[str]:
    values = _outcome(found)
    cells = (
        "–" if values[key] is None else number(values[key], digits) for _, key, digits in _COLUMNS
    )
    return [found.name, *cells]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
    return "  ".join([row[0].ljust(widths[0]), *cells])


def _sentences(study: Study, number: Number) -> list[str]:
    found = [_limit_sentence(key, sized, number) for key, sized in study.limits.items()]
    found += [_charger_sentence(key, sized, number) for key, sized in study.chargers.items()]
    return found


def _limit_sentence(key: str, sized: Sized, number: Number) -> str:
    bound = ""
    if sized.bound is not None:
        bound = f"; below {number(sized.bound / 1000.0, 0)} kW no schedule could"
    return (
        f"Smallest grid connection ({key}): {number(sized.amount / 1000.0, 0)} kW makes"
        f" {sized.wanted} of {sized.outcome.stays} ready{bound}."
    )


def _charger_sentence(key: str, sized: Sized, number: Number) -> str:
    how = "vehicles stay plugged in until departure"
    if key == "shunting":
        how = "vehicles that are done make room"
    return (
        f"Fewest chargers, where {how}: {number(sized.amount, 0)} make"
        f" {sized.wanted} of {sized.outcome.stays} ready."
    )


def html(study: Study, locale: str) -> str:
    """One file that needs nothing else: light, dark and on paper. Raises ``Invalid``."""
    try:
        language = Locale.parse(locale.replace("-", "_"))
    except (UnknownLocaleError, ValueError) as error:
        raise Invalid(f"there is no locale {locale!r}") from error

    def number(value: float, digits: int) -> str:
        pattern = "#,##0" if digits == 0 else "#,##0." + "0" * digits
        return str(format_decimal(value, pattern, locale=language))

    zone = ZoneInfo(study.zone)
    start, end = (
        format_datetime(at, "medium", tzinfo=zone, locale=language)
        for at in (study.start_at, study.end_at)
    )
    parts = [
        f"<h1>Site study: {escape(study.source)}</h1>",
        f"<p class=meta>{escape(start)} – {escape(end)} ({escape(study.zone)})"
        f" · plans for the least {'bill' if study.mode == 'cost' else escape(study.mode)}</p>",
        _answers(study, number),
        _table(study, number),
        _loads(study, number, zone),
        _ladders(study, number),
        _FOOT,
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Site study: {escape(study.source)}</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def _answers(study: Study, number: Number) -> str:
    cards = [_card("Ready", f"{study.base.ready} / {study.base.stays}", "in the base")]
    for key, sized in study.limits.items():
        bound = "" if sized.bound is None else f", bound {number(sized.bound / 1000.0, 0)} kW"
        value = f"{number(sized.amount / 1000.0, 0)} kW"
        cards.append(_card("Smallest connection", value, key + bound))
    for key, sized in study.chargers.items():
        note = "plugged in until departure" if key == "staying" else "handed on when done"
        cards.append(_card("Fewest chargers", number(sized.amount, 0), note))
    return f"<div class=cards>{''.join(cards)}</div>"


def _card(title: str, value: str, note: str) -> str:
    return (
        f"<div class=card><span>{escape(title)}</span><strong>{escape(value)}</strong>"
        f"<small>{escape(note)}</small></div>"
    )


def _table(study: Study, number: Number) -> str:
    head = "".join(f"<th scope=col>{escape(title)}</th>" for title, _, _ in _COLUMNS)
    rows = "".join(_row(found, number) for found in _all(study))
    return (
        f"<h2>What-ifs</h2><div class=wide tabindex=0><table><thead><tr><th scope=col>Case</th>"
        f"{head}</tr></thead><tbody>{rows}</tbody></table></div>{_missed(study)}"
    )


def _row(found: Outcome, number: Number) -> str:
    name, *cells = _cells(found, number)
    late = " class=late" if found.ready < found.stays else ""
    tds = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f"<tr{late}><th scope=row>{escape(name)}</th>{tds}</tr>"


def _missed(study: Study) -> str:
    lines = [
        f"<li><b>{escape(found.name)}</b>: {escape(_names(found.missed))}</li>"
        for found in _all(study)
        if found.missed
    ]
    return f"<h3>Not ready</h3><ul>{''.join(lines)}</ul>" if lines else ""


def _names(missed: Sequence[str], most: int = 12) -> str:
    more = len(missed) - most
    return ", ".join(missed[:most]) + (f" and {more} more" if more > 0 else "")


def _loads(study: Study, number: Number, zone: ZoneInfo) -> str:
    figures = "".join(
        f"<figure><figcaption>{escape(found.name)}</figcaption>"
        f"{charts.load(found, number, zone, _limit_of(found))}</figure>"
        for found in _all(study)
    )
    return f"<h2>Load against the limit</h2>{charts.LEGEND}<div class=grid>{figures}</div>"


def _limit_of(found: Outcome) -> float | None:
    return None if found.limit_w >= _ALL_W else found.limit_w


def _ladders(study: Study, number: Number) -> str:
    figures = _steps(study.limits, "kW", 1000.0, number)
    figures += _steps(study.chargers, "chargers", 1.0, number)
    if not figures:
        return ""
    return f"<h2>Ready against what is installed</h2><div class=grid>{''.join(figures)}</div>"


def _steps(found: Mapping[str, Sized], unit: str, scale: float, number: Number) -> list[str]:
    return [
        f"<figure><figcaption>{escape(unit)}, {escape(key)}</figcaption>"
        f"{charts.ladder(sized, unit, scale, number)}</figure>"
        for key, sized in found.items()
        if len([amount for amount, _ in sized.tried if amount < _ALL_W]) > 1
    ]


_FOOT = (
    "<footer><p>Each figure is a run of the whole period by the planner and the grants that"
    " a site is controlled with, on announced arrivals and states of charge that turn out"
    " otherwise. Ready is within one percent of the target. Costs are of all energy at the grid"
    " connection, other load included; demand EUR is the period's part of a year's charge."
    "</p></footer>"
)

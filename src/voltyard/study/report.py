"""A study as JSON with stable keys, as CSV, as a table for the terminal, and as one HTML file."""

import csv
from collections.abc import Sequence
from html import escape
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_datetime

from voltyard.study import charts
from voltyard.study.model import Grown, Outcome, Room, Sized, Study
from voltyard.study.pictures import Picture, svg
from voltyard.study.sheet import STYLE
from voltyard.study.wording import NO_LIMIT_W, Column, Wording

CSV_COLUMNS = (
    "case", "limit_kw", "chargers", "stays", "ready", "ready_pct", "missed", "energy_kwh",
    "asked_kwh", "peak_kw", "energy_cost", "demand_cost", "cost", "demand_year", "currency",
    "over_limit_minutes",
)  # fmt: skip


def as_json(study: Study) -> dict[str, Any]:
    """Keys are stable; powers in kW, energies in kWh, instants in UTC, money in ``currency``."""
    return {
        "source": study.source,
        "zone": study.zone,
        "start_at": study.start_at.isoformat(),
        "end_at": study.end_at.isoformat(),
        "mode": study.mode,
        "currency": study.currency,
        "base": outcome(study.base),
        "what_ifs": [outcome(found) for found in study.what_ifs],
        "smallest_limit": {key: _sized(found, 1000.0) for key, found in study.limits.items()},
        "fewest_chargers": {key: _sized(found, 1.0) for key, found in study.chargers.items()},
        "yearly": study.yearly,
        "room": None if study.room is None else _room(study.room),
    }


def outcome(found: Outcome) -> dict[str, Any]:
    return {
        "name": found.name,
        "limit_kw": None if found.limit_w >= NO_LIMIT_W else found.limit_w / 1000.0,
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
        "outcome": outcome(found.outcome),
        "tried": [{"amount": amount / unit, "ready": ready} for amount, ready in found.tried],
    }


def _room(found: Room) -> dict[str, Any]:
    return {
        "vehicles": found.vehicles,
        "more": found.most,
        "fails_at": found.fails_at,
        "lacks": None if found.lacks is None else found.lacks.value,
        "tried": [{"more": m, "ready": ready, "stays": stays} for m, ready, stays in found.tried],
        "bays": [{name: getattr(step, name) for name in Grown.__slots__} for step in found.ladder],
    }


def all_cases(study: Study) -> Sequence[Outcome]:
    return (study.base, *study.what_ifs)


def as_csv(study: Study) -> str:
    """A line for each case (RFC 4180); figures as in the JSON."""
    buffer = StringIO()
    lines = csv.writer(buffer)
    lines.writerow(CSV_COLUMNS)
    for found in all_cases(study):
        values = outcome(found)
        values |= {
            "case": found.name,
            "missed": " ".join(found.missed),
            "currency": study.currency,
            "energy_cost": found.energy_cost_eur,
            "demand_cost": found.demand_cost_eur,
            "cost": found.cost_eur,
            "demand_year": found.demand_eur_year,
        }
        lines.writerow([_cell(values[column]) for column in CSV_COLUMNS])
    return buffer.getvalue()


def _cell(value: object) -> str:
    """Text that a spreadsheet would run as a formula is defused."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    text = str(value)
    formula = isinstance(value, str) and text.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{text}" if formula else text


def table(study: Study) -> str:
    """For the terminal."""
    words = Wording(currency=study.currency)
    columns = words.columns()
    head = ["", *(column.title for column in columns)]
    rows = [head, *([found.name, *cells(found, columns, words)] for found in all_cases(study))]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    lines = [_line(row, widths) for row in rows]
    return "\n".join([*lines, "", *words.sentences(study)])


def cells(found: Outcome, columns: Sequence[Column], words: Wording) -> list[str]:
    """A case's figures, worded."""
    values = outcome(found)
    return [
        "–" if values[column.key] is None else words.number(values[column.key], column.digits)
        for column in columns
    ]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    shown = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
    return "  ".join([row[0].ljust(widths[0]), *shown])


def period(study: Study, words: Wording) -> str:
    """Its beginning and end in local time."""
    zone, locale = ZoneInfo(study.zone), Locale.parse(words.locale.replace("-", "_"))
    start, end = (
        str(format_datetime(at, "medium", tzinfo=zone, locale=locale))
        for at in (study.start_at, study.end_at)
    )
    return f"{start} – {end} ({study.zone})"


def html(study: Study, words: Wording, title: str = "", notes: Sequence[str] = ()) -> str:
    """One file that needs nothing else: light, dark and on paper. ``notes`` are of the period."""
    title = f"{words.say('Site study')}: {title or study.source}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p class=meta>{escape(period(study, words))} · {escape(words.mode(study.mode))}</p>",
        _facts(study, words),
        _list("", words.sentences(study)),
        _list(words.say("What the period lacks"), notes),
        _table(study, words),
        _loads(study, words),
        _ladders(study, words),
        _growth(study, words),
        f"<footer><p>{escape(words.footer())}</p></footer>",
    ]
    language = escape(words.locale[:2])
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def _facts(study: Study, words: Wording) -> str:
    cards = (
        f"<div class=card><span>{escape(fact.title)}</span><strong>{escape(fact.value)}</strong>"
        f"<small>{escape(fact.note)}</small></div>"
        for fact in words.facts(study)
    )
    return f"<div class=cards>{''.join(cards)}</div>"


def _list(title: str, lines: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    head = f"<h3>{escape(title)}</h3>" if title else ""
    return f"{head}<ul>{items}</ul>" if items else ""


def _table(study: Study, words: Wording) -> str:
    columns = words.columns()
    head = "".join(f"<th scope=col>{escape(column.title)}</th>" for column in columns)
    rows = "".join(_row(found, columns, words) for found in all_cases(study))
    say = words.say
    return (
        f"<h2>{escape(say('What if'))}</h2><div class=wide tabindex=0><table><thead><tr>"
        f"<th scope=col>{escape(say('Case'))}</th>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f"</div>{_missed(study, words)}"
    )


def _row(found: Outcome, columns: Sequence[Column], words: Wording) -> str:
    late = " class=late" if found.ready < found.stays else ""
    tds = "".join(f"<td>{escape(cell)}</td>" for cell in cells(found, columns, words))
    return f"<tr{late}><th scope=row>{escape(words.case(found.name))}</th>{tds}</tr>"


def _missed(study: Study, words: Wording) -> str:
    lines = [
        f"{words.case(found.name)}: {words.missed(found)}"
        for found in all_cases(study)
        if found.missed
    ]
    return _list(words.say("Not ready"), lines)


def _legend(kinds: Sequence[tuple[str, str]]) -> str:
    items = (f"<li><i class=k-{kind}></i>{escape(text)}</li>" for kind, text in kinds)
    return f"<ul class=legend>{''.join(items)}</ul>"


def _figure(title: str, picture: Picture) -> str:
    return f"<figure><figcaption>{escape(title)}</figcaption>{svg(picture)}</figure>"


def _loads(study: Study, words: Wording) -> str:
    zone = ZoneInfo(study.zone)
    figures = "".join(
        _figure(words.case(found.name), charts.load(found, words, zone))
        for found in all_cases(study)
    )
    title = escape(words.say("Load against the limit, kW"))
    return f"<h2>{title}</h2>{_legend(words.legend())}<div class=grid>{figures}</div>"


def ladders(study: Study, words: Wording) -> list[tuple[str, Picture]]:
    """A title and a picture for each search that ran more than once."""
    searches = [(key, sized, True) for key, sized in study.limits.items()]
    searches += [(key, sized, False) for key, sized in study.chargers.items()]
    return [
        (
            words.ladder_title(key, of_power=of_power),
            charts.ladder(sized, words, of_power=of_power),
        )
        for key, sized, of_power in searches
        if len([amount for amount, _ in sized.tried if amount < NO_LIMIT_W]) > 1
    ]


def _ladders(study: Study, words: Wording) -> str:
    figures = "".join(_figure(title, picture) for title, picture in ladders(study, words))
    if not figures:
        return ""
    title = escape(words.say("Ready against what is installed"))
    return f"<h2>{title}</h2><div class=grid>{figures}</div>"


def _growth(study: Study, words: Wording) -> str:
    if study.room is None:
        return ""
    title = words.say("When do we need more bays?")
    picture = charts.bays(study.room, study.base.chargers, words)
    figure = _figure(words.say("Bays needed, by vehicles"), picture)
    return (
        f"<h2>{escape(title)}</h2>{_list('', words.advice(study))}"
        f"{_legend(words.bay_legend())}<div class=grid>{figure}</div>"
    )

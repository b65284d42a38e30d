"""The command ``voltyard study``: a period, its what-ifs, the smallest site; JSON and a report."""

import argparse
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from voltyard.energy import planner
from voltyard.energy.model import PlanMode
from voltyard.errors import Invalid
from voltyard.study import desk, replay, report, sources
from voltyard.study.desk import Desk, Moment, Wanted
from voltyard.study.model import Outcome, Tariff, WhatIf, parse
from voltyard.study.past import Past
from voltyard.study.scenario import Scenario, apply, cut
from voltyard.study.sources import Yard
from voltyard.study.wording import Say, Wording
from voltyard.web.i18n import translations

_SHUNTING_MIN = 10.0


def main(arguments: argparse.Namespace, past: Past | None = None) -> int:
    """Print the study; write its report. ``past`` is of a site, read by whoever may read it.
    Raises ``Invalid``."""
    base = _base(arguments, past)
    wishes = [parse(text) for text in arguments.what_if or desk.usual(base)]
    planner.warm_up()
    for note in () if past is None else Wording().notes(past.remarks):
        print(note, file=sys.stderr)
    study = Desk(_wanted(arguments), _Told()).study(base, wishes)
    found = report.as_json(study)
    print(json.dumps(found, indent=2) if arguments.as_json else report.table(study))
    if arguments.html is not None:
        words = Wording(_said(arguments.locale), arguments.locale, study.currency)
        notes = () if past is None else words.notes(past.remarks)
        text = report.html(study, words, notes=notes)
        try:
            arguments.html.write_text(text, encoding="utf-8")
        except OSError as error:
            raise Invalid(f"cannot write {arguments.html}", detail=str(error)) from error
        print(f"report: {arguments.html}", file=sys.stderr)
    return 0


def _said(locale: str) -> Say:
    """The console's catalogue; a language that it does not speak is English."""
    return translations(locale[:2]).gettext


def _base(arguments: argparse.Namespace, past: Past | None) -> Scenario:
    found = _source(arguments) if past is None else replay.scenario(past, arguments.seed)
    if (arguments.from_at is None) != (arguments.until_at is None):
        raise Invalid("a period needs both --from and --until")
    if arguments.from_at is not None and past is None:
        from_at, until_at = (_instant(at, found) for at in (arguments.from_at, arguments.until_at))
        found = cut(found, from_at, until_at)
    if arguments.export is not None:
        found = replace(found, export_prices=(arguments.export,) * len(found.case.prices))
    csv = arguments.source.endswith(".csv")
    wish = WhatIf(
        "base",
        limit_w=_watts(arguments.limit_kw),
        chargers=len(found.case.outlets) if csv else arguments.chargers,
        charger_w=None if csv else _watts(arguments.charger_kw),
        tariff=None if arguments.price is None else Tariff(arguments.price),
        demand_eur_per_kw_year=arguments.demand,
    )
    return apply(found, wish)


def _source(arguments: argparse.Namespace) -> Scenario:
    source, other_w = arguments.source, arguments.other_kw * 1000.0
    if source == "demo":
        return sources.demo(arguments.buses, arguments.seed)
    if source.endswith(".json"):
        return sources.spice(Path(source), arguments.depot, other_w, arguments.seed)
    if not source.endswith(".csv"):
        raise Invalid(
            "a study is of demo, a site (site:NAME), a SpiceEV scenario (.json) or duties (.csv)"
        )
    if arguments.vehicles is None or not arguments.limit_kw or not arguments.charger_kw:
        raise Invalid("duties need --vehicles, --limit-kw and --charger-kw")
    yard = Yard(
        limit_w=arguments.limit_kw * 1000.0,
        charger_w=arguments.charger_kw * 1000.0,
        chargers=arguments.chargers,
        zone=arguments.zone,
        other_w=other_w,
        errors=not arguments.as_it_was,
    )
    return sources.duties(Path(source), arguments.vehicles, yard, arguments.seed)


def _instant(at: datetime, found: Scenario) -> datetime:
    return (at if at.tzinfo else at.replace(tzinfo=found.case.tree.zone)).astimezone(UTC)


def _watts(power_kw: float | None) -> float | None:
    if power_kw is not None and power_kw <= 0:
        raise Invalid("a power must be more than 0 kW")
    return None if power_kw is None else 1000.0 * power_kw


def _wanted(arguments: argparse.Namespace) -> Wanted:
    minutes = _SHUNTING_MIN if arguments.shunting_min is None else arguments.shunting_min
    sizes = not arguments.no_size
    return Wanted(
        mode=PlanMode(arguments.mode),
        quick=arguments.quick,
        limits=sizes,
        chargers=sizes,
        room=sizes,
        shunting_s=60.0 * max(0.0, minutes),
        yearly=max(0.0, arguments.yearly),
    )


class _Told:
    """Progress on standard error: a share on a terminal, one line for each run that is done."""

    def __init__(self) -> None:
        self._shown = -1

    def __call__(self, moment: Moment, found: Outcome | None) -> None:
        share, live = round(100.0 * moment.share), sys.stderr.isatty()
        if found is not None:
            ready = f"{found.ready} of {found.stays} ready, peak {found.peak_w / 1000.0:,.0f} kW"
            start = "\r" if live else ""
            print(f"{start}{moment.name}: {ready}", file=sys.stderr, flush=True)
        elif share > self._shown and live:
            self._shown = share
            print(f"\r{share} % {moment.name}", end="", file=sys.stderr, flush=True)

"""The form that asks for a study: each what-if that is filled in is a case of its own."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from litestar.datastructures import UploadFile

from voltyard.study.orders import BUSES_MAX, FILE_BYTES_MAX, Order, Source, Upload
from voltyard.web.forms import Fields
from voltyard.web.i18n import N_
from voltyard.web.ui import Ui

SOURCE_WORDS: Mapping[Source, str] = {
    Source.SITE: N_("A site's past"),
    Source.DUTIES: N_("Duties and vehicles (CSV)"),
    Source.SPICE: N_("A SpiceEV scenario (JSON)"),
    Source.DEMO: N_("The demo depot"),
}
MODE_WORDS: Mapping[str, str] = {
    "cost": N_("The least bill"),
    "peak": N_("The least peak"),
    "early": N_("Ready early"),
}
FILES = {Source.DUTIES: ("duties", "vehicles"), Source.SPICE: ("scenario",)}
_NOON = 12


def defaults(now: datetime, ui: Ui) -> dict[str, str]:
    """A night that is over, at the site that is looked at."""
    local = now.astimezone(ui.zone)
    until_at = local.replace(hour=_NOON, minute=0, second=0, microsecond=0)
    if until_at > local:
        until_at -= timedelta(days=1)
    return {
        "source": Source.SITE.value if ui.site is not None else Source.DEMO.value,
        "site_id": "" if ui.site is None else str(ui.site.id),
        "from_at": ui.formats.field(until_at - timedelta(days=1)),
        "until_at": ui.formats.field(until_at),
        "buses": "80",
        "mode": "cost",
        "find_limit": "on",
        "find_chargers": "on",
        "find_room": "on",
        "shunting_min": "10",
    }


async def read(ui: Ui) -> tuple[Fields, dict[str, Upload]]:
    """What was sent, files apart."""
    form = await ui.request.form()
    values: dict[str, str] = {}
    files: dict[str, Upload] = {}
    fields = Fields(values, ui.zone, ui.gettext)
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            if value.filename:
                await _take(fields, files, name, value)
        else:
            values[name] = value
    return fields, files


async def _take(fields: Fields, files: dict[str, Upload], name: str, value: UploadFile) -> None:
    content = await value.read()
    if len(content) > FILE_BYTES_MAX:
        fields.fault(name, N_("This file is too large."))
        return
    try:
        files[name] = Upload(value.filename, content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        try:
            files[name] = Upload(value.filename, content.decode("cp1252"))
        except UnicodeDecodeError:
            fields.fault(name, N_("This file is not text."))


def order_of(form: Fields, files: Mapping[str, Upload], ui: Ui) -> Order:
    """Faults are noted in the form; ``form.check`` raises them."""
    source = form.one_of("source", Source) or Source.SITE
    at_site = source is Source.SITE
    of_duties = source is Source.DUTIES
    for name in FILES.get(source, ()):
        if name not in files:
            form.fault(name, ui.gettext("Choose a file first."))
    return Order(
        source=source,
        cases=_cases(form, ui),
        site_id=form.id("site_id") if at_site else None,
        from_at=form.moment("from_at", required=True) if at_site else None,
        until_at=form.moment("until_at", required=True) if at_site else None,
        buses=form.whole("buses", low=1, high=BUSES_MAX, default=80),
        depot=form.text("depot") if source is Source.SPICE else "",
        zone=str(ui.zone),
        limit_kw=_kw(form, "limit_kw", needed=True) if of_duties else None,
        charger_kw=_kw(form, "charger_kw", needed=True) if of_duties else None,
        chargers=_count(form, "chargers") if of_duties else None,
        other_kw=(form.number("other_kw", low=0, high=1e6) or 0.0) if not at_site else 0.0,
        as_it_was=form.flag("as_it_was"),
        mode=form.text("mode") or "cost",
        quick=form.flag("quick"),
        find_limit=form.flag("find_limit"),
        find_chargers=form.flag("find_chargers"),
        find_room=form.flag("find_room"),
        shunting_min=_or(form.number("shunting_min", low=0, high=240), 10.0),
        yearly=form.number("yearly", low=0, high=10_000) or 0.0,
    )


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _kw(form: Fields, name: str, *, needed: bool = False) -> float | None:
    return form.number(name, low=1, high=1e6, required=needed)


def _count(form: Fields, name: str) -> int | None:
    value = form.number(name, low=1, high=5_000)
    return None if value is None else int(value)


def _cases(form: Fields, ui: Ui) -> tuple[str, ...]:
    """One of each what-if that is filled in, then the lines of those with several things."""
    found = [text for text in (_limit(form, ui), *_single(form, ui), *_money(form, ui)) if text]
    lines = [" ".join(line.split()) for line in form.text("cases", longest=4_000).splitlines()]
    return (*found, *(line for line in lines if line))


def _limit(form: Fields, ui: Ui) -> str:
    text = form.text("if_limit").replace(" ", "")
    if not text:
        return ""
    share = text.endswith("%")
    checked = Fields({"x": text.removesuffix("%")}, ui.zone, ui.gettext)
    value = checked.number("x", low=1, high=1_000 if share else 1e6)
    if value is None:
        form.fault("if_limit", checked.faults.get("x", ""))
        return ""
    return f"limit={value:g}{'%' if share else ''}"


def _single(form: Fields, ui: Ui) -> list[str]:
    chargers = form.number("if_chargers", low=1, high=5_000)
    charger_kw = form.number("if_charger_kw", low=1, high=1e4)
    vehicles = form.number("if_vehicles", low=1, high=2_000)
    pv_kwp = form.number("if_pv", low=1, high=1e6)
    battery_kwh = form.number("if_battery_kwh", low=1, high=1e6)
    battery_kw = form.number("if_battery_kw", low=1, high=1e6)
    if battery_kw is not None and battery_kwh is None:
        form.fault("if_battery_kwh", ui.gettext("This is needed."))
    power = "" if battery_kw is None else f"/{battery_kw:g}"
    return [
        "" if chargers is None else f"chargers={int(chargers)}",
        "" if charger_kw is None else f"charger={charger_kw:g}",
        "" if vehicles is None else f"vehicles=+{int(vehicles)}",
        "" if battery_kwh is None else f"battery={battery_kwh:g}{power}",
        "" if pv_kwp is None else f"pv={pv_kwp:g}",
    ]


def _money(form: Fields, ui: Ui) -> list[str]:
    price = form.number("if_price", low=-1e4, high=1e5)
    night = form.number("if_night", low=-1e4, high=1e5)
    demand = form.number("if_demand", low=0, high=1e5)
    if night is not None and price is None:
        form.fault("if_price", ui.gettext("This is needed."))
    tariff = "" if price is None else f"price={price:g}"
    if price is not None and night is not None:
        tariff += f" night=22-6:{night:g}"
    return [tariff, "" if demand is None else f"demand={demand:g}"]

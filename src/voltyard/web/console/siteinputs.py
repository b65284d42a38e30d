"""Site meters and prices of a site: what is set up, what they tell now, and changing it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import time, timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from voltyard.energy.prices.model import Band, Objective, Period, Slot, Tariff
from voltyard.energy.prices.sources import FORMATS, SOURCES
from voltyard.errors import Invalid, NotFound, VoltyardError
from voltyard.sitemeters.commands import MeterDraft
from voltyard.sitemeters.model import (
    UNITS,
    Connection,
    Covers,
    Fallback,
    MeterProtocol,
    MeterState,
    NumberKind,
    Point,
    Quantity,
    SiteMeter,
)
from voltyard.sites.model import Node, NodeKind
from voltyard.tenancy.model import Permission
from voltyard.web.console import siteinputs_words as input_words
from voltyard.web.console.common import posted
from voltyard.web.console.rooms import InputRooms
from voltyard.web.console.tokens import remote_of
from voltyard.web.forms import Fields
from voltyard.web.ui import Ui

ROWS_LEAST = 4
AHEAD = timedelta(hours=36)


def rooms_of(ui: Ui) -> InputRooms:
    """Raises NotFound where these rooms are not behind the console."""
    if ui.deps.inputs is None:
        raise NotFound("There is nothing at this address.")
    return ui.deps.inputs


# meters


@get("/sites/{site_id:uuid}/meters")
async def meters_page(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[str]:
    ui.at_site(site_id)
    states = await rooms_of(ui).meters.meters(ui.who, site_id)
    nodes = {node.id: node.name for node in await _nodes(ui, site_id)}
    return ui.page("site_meters.html", states=states, nodes=nodes, inputs=input_words)


@get("/sites/{site_id:uuid}/meters/new")
async def new_meter(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[str]:
    ui.require(Permission.SITES_WRITE)
    ui.at_site(site_id)
    plain = SiteMeter(site_id, site_id, site_id, site_id, "", MeterProtocol.MODBUS)
    to = Connection(port=502)
    values = _values(replace(plain, connection=to, points=(Point(Quantity.POWER),)))
    return await _form(ui, site_id, None, values | {"node_id": ""}, {}, "")


@get("/sites/{site_id:uuid}/meters/{meter_id:uuid}")
async def meter_page(
    ui: NamedDependency[Ui], site_id: FromPath[UUID], meter_id: FromPath[UUID]
) -> Response[str]:
    state = await _state(ui, site_id, meter_id)
    return await _form(ui, site_id, state, _values(state.meter), {}, "")


@post("/sites/{site_id:uuid}/meters/new")
async def add_meter(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.SITES_WRITE)
    ui.at_site(site_id)
    return await _save(ui, site_id, None)


@post("/sites/{site_id:uuid}/meters/{meter_id:uuid}")
async def change_meter(
    ui: NamedDependency[Ui], site_id: FromPath[UUID], meter_id: FromPath[UUID]
) -> Response[Any]:
    ui.require(Permission.SITES_WRITE)
    return await _save(ui, site_id, await _state(ui, site_id, meter_id))


@post("/sites/{site_id:uuid}/meters/{meter_id:uuid}/delete")
async def delete_meter(
    ui: NamedDependency[Ui], site_id: FromPath[UUID], meter_id: FromPath[UUID]
) -> Response[Any]:
    ui.require(Permission.SITES_WRITE)
    await _state(ui, site_id, meter_id)
    await rooms_of(ui).meters.delete(ui.who, meter_id, remote=remote_of(ui))
    return ui.go(f"/sites/{site_id}/meters", done="deleted")


async def _state(ui: Ui, site_id: UUID, meter_id: UUID) -> MeterState:
    ui.at_site(site_id)
    state = await rooms_of(ui).meters.meter(ui.who, meter_id)
    if state.meter.site_id != site_id:
        raise NotFound("There is no such meter.")
    return state


async def _nodes(ui: Ui, site_id: UUID) -> list[Node]:
    nodes = await rooms_of(ui).sites.nodes(ui.who, site_id)
    return [node for node in nodes if node.kind is not NodeKind.EVSE]


async def _save(ui: Ui, site_id: UUID, state: MeterState | None) -> Response[Any]:
    form = await posted(ui)
    meter_id = None if state is None else state.meter.id
    try:
        draft = _draft(ui, form)
        await rooms_of(ui).meters.save(ui.who, site_id, draft, meter_id, remote=remote_of(ui))
    except VoltyardError as error:
        faults = {_field(name): why for name, why in error.fields.items()}
        return await _form(ui, site_id, state, form.values, faults, error.message)
    return ui.go(f"/sites/{site_id}/meters", done="saved")


def _field(name: str) -> str:
    """The form's name of a field: power is entered in kW, points in rows."""
    if name.startswith("points."):
        _, row, part = name.split(".")
        return f"{part}_{row}"
    return {"points": "quantity_0", "margin_w": "margin_kw", "reserve_w": "reserve_kw"}.get(
        name, name
    )


def _draft(ui: Ui, form: Fields) -> MeterDraft:
    node_id = form.id("node_id")
    if node_id is None:
        form.fault("node_id", ui.gettext("This is needed."))
    protocol = form.one_of("protocol", MeterProtocol) or MeterProtocol.PUSH
    to = Connection(
        host=form.text("host"),
        port=form.whole("port", low=0, high=65_535, default=0),
        unit_id=form.whole("unit_id", low=0, high=255, default=1),
        poll_s=form.number("poll_s", low=1, high=300) or 5.0,
        topic=form.text("topic", longest=1_000),
        tls=form.flag("tls"),
        username=form.text("username"),
    )
    points = tuple(_points(form)) if protocol is not MeterProtocol.PUSH else ()
    margin_w = form.number("margin_kw", low=0, high=100_000, scale=1000)
    reserve_w = form.number("reserve_kw", low=0, high=100_000, scale=1000)
    hold_s = form.number("hold_s", low=5, high=86_400)
    draft = MeterDraft(
        node_id=node_id or UUID(int=0),
        name=form.text("name", required=True, longest=100),
        protocol=protocol,
        covers=form.one_of("covers", Covers) or Covers.ALL,
        connection=to,
        points=points,
        enabled=form.flag("enabled"),
        margin_w=margin_w or 0.0,
        hold_s=60.0 if hold_s is None else hold_s,
        fallback=form.one_of("fallback", Fallback) or Fallback.HIGHEST,
        reserve_w=reserve_w or 0.0,
        days=form.whole("days", low=1, high=35, default=14),
        password=form.text("password") or None,
    )
    form.check()
    return draft


def _points(form: Fields) -> Sequence[Point]:
    found: list[Point] = []
    for row in range(20):
        quantity = form.one_of(f"quantity_{row}", Quantity)
        if quantity is None:
            continue
        scale = form.number(f"scale_{row}", low=-1e9, high=1e9)
        found.append(
            Point(
                quantity,
                form.text(f"unit_{row}") or "W",
                1.0 if scale is None else scale,
                inverted=form.flag(f"inverted_{row}"),
                address=form.whole(f"address_{row}", low=0, high=65_532, default=0),
                kind=form.one_of(f"kind_{row}", NumberKind) or NumberKind.S32,
                table=form.text(f"table_{row}") or "holding",
                swapped=form.flag(f"swapped_{row}"),
                path=form.text(f"path_{row}"),
            )
        )
    return found


def _values(meter: SiteMeter) -> dict[str, str]:
    to = meter.connection
    values = {
        "node_id": str(meter.node_id),
        "name": meter.name,
        "protocol": meter.protocol.value,
        "covers": meter.covers.value,
        "host": to.host,
        "port": str(to.port or ""),
        "unit_id": str(to.unit_id),
        "poll_s": f"{to.poll_s:g}",
        "topic": to.topic,
        "tls": "on" if to.tls else "",
        "username": to.username,
        "enabled": "on" if meter.enabled else "",
        "margin_kw": f"{meter.margin_w / 1000:g}",
        "hold_s": f"{meter.hold_s:g}",
        "fallback": meter.fallback.value,
        "reserve_kw": f"{meter.reserve_w / 1000:g}",
        "days": str(meter.days),
    }
    for row, point in enumerate(meter.points):
        values |= {
            f"quantity_{row}": point.quantity.value,
            f"unit_{row}": point.unit,
            f"scale_{row}": f"{point.scale:g}",
            f"inverted_{row}": "on" if point.inverted else "",
            f"address_{row}": str(point.address),
            f"kind_{row}": point.kind.value,
            f"table_{row}": point.table,
            f"swapped_{row}": "on" if point.swapped else "",
            f"path_{row}": point.path,
        }
    return values


async def _form(
    ui: Ui,
    site_id: UUID,
    state: MeterState | None,
    values: Mapping[str, str],
    faults: Mapping[str, str],
    error: str,
) -> Response[str]:
    used = [int(key[9:]) for key, value in values.items() if key[:9] == "quantity_" and value]
    return ui.page(
        "site_meter.html",
        status=422 if error else 200,
        state=state,
        values=values,
        faults=faults,
        error=error,
        rows=range(max(ROWS_LEAST, max(used, default=0) + 2)),
        node_choices=[(str(node.id), node.name) for node in await _nodes(ui, site_id)],
        units=[(unit, unit) for unit in UNITS],
        kinds=[(kind.value, kind.value) for kind in NumberKind],
        inputs=input_words,
    )


# prices


@get("/sites/{site_id:uuid}/prices")
async def prices_page(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[str]:
    ui.at_site(site_id)
    tariff = await rooms_of(ui).prices.tariff(ui.who, site_id)
    return await _prices(ui, site_id, tariff_values(tariff), {}, "")


@post("/sites/{site_id:uuid}/prices")
async def save_prices(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.SITES_WRITE)
    ui.at_site(site_id)
    form = await posted(ui)
    try:
        tariff = _tariff(ui, form)
        await rooms_of(ui).prices.set_tariff(ui.who, site_id, tariff, remote=remote_of(ui))
    except Invalid as error:
        return await _prices(ui, site_id, form.values, error.fields, error.message)
    return ui.go(f"/sites/{site_id}/prices", done="saved")


async def _prices(
    ui: Ui, site_id: UUID, values: Mapping[str, str], faults: Mapping[str, str], error: str
) -> Response[str]:
    prices, now = rooms_of(ui).prices, ui.data.now()
    view = await prices.view(ui.who, site_id, now, now + AHEAD)
    zones = ", ".join(f"{source.name}: {source.zones[0]}" for source in SOURCES)
    return ui.page(
        "prices.html",
        status=422 if error else 200,
        view=view,
        hours=_hours(view.total),
        bars=bars(view.total),
        peaks=(await prices.peaks(ui.who, site_id))[-3:][::-1],
        values=values,
        faults=faults,
        error=error,
        sources=[(name, name) for name in dict.fromkeys([*(s.name for s in SOURCES), *FORMATS])],
        zones=zones,
        inputs=input_words,
    )


def _hours(slots: Sequence[Slot]) -> list[Slot]:
    """By hours for the table: the mean; bridged if any quarter of it is."""
    found: list[Slot] = []
    for first in range(0, len(slots), 4):
        part = slots[first : first + 4]
        mean = sum(slot.value for slot in part) / len(part)
        found.append(Slot(part[0].start_at, mean, any(slot.bridged for slot in part)))
    return found


def bars(slots: Sequence[Slot]) -> list[tuple[float, float, float, bool]]:
    """x, y, height and bridged of each bar, in a box of 1000 by 100; below the line: negative."""
    if not slots:
        return []
    high = max(0.0, *(slot.value for slot in slots))
    low = min(0.0, *(slot.value for slot in slots))
    per = 100.0 / max(1e-9, high - low)
    width = 1000.0 / len(slots)
    return [
        (i * width, (high - max(0.0, s.value)) * per, max(0.5, abs(s.value) * per), s.bridged)
        for i, s in enumerate(slots)
    ]


_PRICES = ("markup_per_kwh", "taxes_per_kwh", "demand_per_kw", "carbon_price_per_t")


def tariff_values(tariff: Tariff) -> dict[str, str]:
    def shown(value: float | None) -> str:
        return "" if value is None else f"{value:g}"

    return {
        "currency": tariff.currency,
        "source": tariff.source,
        "zone": tariff.zone,
        "bands": "\n".join(band_text(band) for band in tariff.bands),
        "fees": "\n".join(band_text(band) for band in tariff.fees),
        **{name: shown(getattr(tariff, name)) for name in _PRICES},
        "vat_pct": shown(tariff.vat_pct),
        "export_per_kwh": shown(tariff.export_per_kwh),
        "export_at_market": "on" if tariff.export_at_market else "",
        "demand_period": tariff.demand_period.value,
        "carbon_g_per_kwh": shown(tariff.carbon_g_per_kwh),
        "objective": tariff.objective.value,
    }


def _tariff(ui: Ui, form: Fields) -> Tariff:
    def bands(name: str) -> tuple[Band, ...]:
        try:
            return tuple(
                band_of(line)
                for line in form.text(name, longest=5_000).splitlines()
                if line.strip()
            )
        except ValueError:
            form.fault(name, ui.gettext("A line is a price, then times, weekdays, months."))
            return ()

    made = Tariff(
        currency=form.text("currency", required=True, longest=3).upper(),
        source=form.text("source"),
        zone=form.text("zone", longest=40),
        bands=bands("bands"),
        fees=bands("fees"),
        vat_pct=form.number("vat_pct", low=0, high=100) or 0.0,
        export_per_kwh=form.number("export_per_kwh", low=-100, high=100),
        export_at_market=form.flag("export_at_market"),
        demand_period=form.one_of("demand_period", Period) or Period.YEAR,
        carbon_g_per_kwh=form.number("carbon_g_per_kwh", low=0, high=5_000),
        objective=form.one_of("objective", Objective) or Objective.PEAK,
        **{name: form.number(name, low=-10, high=100_000) or 0.0 for name in _PRICES},
    )
    form.check()
    return made


def band_of(line: str) -> Band:
    """``0.30 22:00-06:00 1-5 m11,12``: price, then window, weekdays (1 Monday) and months at will.

    Raises ValueError.
    """
    price, *rest = line.split()
    band = Band(float(price.replace(",", ".")))
    for word in rest:
        if ":" in word:
            first, _, last = word.partition("-")
            ends = None if last in ("24:00", "") else time.fromisoformat(last)
            band = replace(band, from_time=time.fromisoformat(first), to_time=ends)
        elif word.startswith("m"):
            band = replace(band, months=_numbers(word[1:], 1, 12))
        else:
            days = _numbers(word, 1, 7)
            band = replace(band, weekdays=frozenset(day - 1 for day in days))
    return band


def _numbers(text: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    if not found or min(found) < low or max(found) > high:
        raise ValueError(text)
    return frozenset(found)


def band_text(band: Band) -> str:
    words = [f"{band.price_per_kwh:g}"]
    if band.from_time is not None or band.to_time is not None:
        ends = "24:00" if band.to_time is None else f"{band.to_time:%H:%M}"
        words.append(f"{band.from_time or time.min:%H:%M}-{ends}")
    if band.weekdays != frozenset(range(7)):
        words.append(",".join(str(day + 1) for day in sorted(band.weekdays)))
    if band.months:
        words.append("m" + ",".join(str(month) for month in sorted(band.months)))
    return " ".join(words)


ROUTES = [
    meters_page, new_meter, meter_page, add_meter, change_meter, delete_meter,
    prices_page, save_prices,
]  # fmt: skip

"""The timetable: one row a duty, drawn as SVG by the server, with the same as a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from voltyard.preconditioning.model import RunState
from voltyard.web.console.common import query, search_text
from voltyard.web.console.views import Outlook, Page, Paging, Stretch, Timetable, TimetableRow
from voltyard.web.export import Cell, csv_stream
from voltyard.web.ui import Ui

ROW_PX = 30
HEAD_PX = 28
HOUR_PX = 52
HOURS_SHOWN = 16
HOURS_BEFORE = 6


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    width: float
    height: float = 0.0
    y: float = 0.0


@dataclass(frozen=True, slots=True)
class GanttRow:
    """One duty's marks: across in percent of the width, down in pixels."""

    row: TimetableRow
    y: int
    window: Bar
    plan: tuple[Bar, ...]
    delivered: tuple[Bar, ...]
    ready_x: float | None
    departs_x: float
    late: bool
    heat: tuple[Bar, ...] = ()
    """When its vehicle is preconditioned."""


@dataclass(frozen=True, slots=True)
class Gantt:
    width: int
    height: int
    now_x: float | None
    hours: tuple[tuple[float, str, bool], ...]
    rows: tuple[GanttRow, ...]


@get("/sites/{site_id:uuid}/timetable")
async def timetable_page(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[str]:
    ui.at_site(site_id)
    table = await _read(ui, site_id)
    fields = query(ui)
    return ui.page(
        "timetable.html",
        table=table,
        gantt=draw(table, ui.formats.time, heating(ui, site_id)),
        view="table" if fields.text("view") == "table" else "chart",
        outlooks=(Outlook.AT_RISK, Outlook.MISSED, Outlook.ON_TIME, Outlook.READY),
        earlier=ui.link(**{"from": ui.formats.field(table.start_at - timedelta(hours=6))}),
        later=ui.link(**{"from": ui.formats.field(table.start_at + timedelta(hours=6))}),
    )


@get("/sites/{site_id:uuid}/timetable.csv")
async def timetable_export(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Stream:
    site = ui.at_site(site_id)
    table = await _read(ui, site_id)

    async def fetch(paging: Paging) -> Page[TimetableRow]:
        part = table.rows[paging.offset : paging.offset + paging.size]
        return Page(part, len(table.rows), paging)

    header = [
        "vehicle",
        "bay",
        "priority",
        "arrives_at",
        "departs_at",
        "ready_at",
        "soc_pct",
        "target_soc_pct",
        "soc_forecast_pct",
        "energy_wh",
        "outlook",
        "shortfall_wh",
    ]
    return csv_stream(f"timetable-{site.name}.csv", header, fetch, _cells)


async def _read(ui: Ui, site_id: UUID) -> Timetable:
    fields = query(ui)
    start_at = fields.moment("from") or ui.data.now() - timedelta(hours=HOURS_BEFORE)
    hours = fields.whole("hours", low=4, high=48, default=HOURS_SHOWN)
    found = await ui.data.timetable(ui.who, site_id, start_at, start_at + timedelta(hours=hours))
    text, outlook = search_text(ui).casefold(), fields.one_of("outlook", Outlook)
    rows = tuple(
        row
        for row in found.rows
        if (outlook is None or row.outlook is outlook)
        and text in f"{row.vehicle} {row.bay}".casefold()
    )
    return Timetable(found.site, found.now, found.start_at, found.end_at, rows)


def heating(ui: Ui, site_id: UUID) -> Mapping[UUID, tuple[Stretch, ...]]:
    """What is or was to run before each departure that is still to come, by duty."""
    if ui.deps.preconditioning is None:
        return {}
    found: dict[UUID, tuple[Stretch, ...]] = {}
    for run in ui.deps.preconditioning.of_site(ui.who, site_id):
        if run.duty_id is not None and run.state is not RunState.CANCELLED:
            stretch = Stretch(run.start_at, run.end_at, run.power_w)
            found[run.duty_id] = (*found.get(run.duty_id, ()), stretch)
    return found


def draw(
    table: Timetable, label: Any, heat: Mapping[UUID, tuple[Stretch, ...]] | None = None
) -> Gantt:
    """Lay the timetable out; x in percent. ``label`` writes an instant as hour and minute."""
    start_at, end_at = table.start_at, table.end_at
    hours = (end_at - start_at) / timedelta(hours=1)
    width = round(hours * HOUR_PX)

    def x(at: datetime) -> float:
        share = (at - start_at) / (end_at - start_at)
        return round(min(max(share, 0.0), 1.0) * 100, 2)

    peak_w = max(
        (s.power_w for row in table.rows for s in (*row.plan, *row.delivered)), default=1.0
    )
    rows = tuple(
        _draw_row(row, HEAD_PX + index * ROW_PX, x, max(peak_w, 1.0), (heat or {}).get(row.duty_id))
        for index, row in enumerate(table.rows)
    )
    inside = start_at <= table.now <= end_at
    return Gantt(
        width,
        HEAD_PX + len(rows) * ROW_PX,
        x(table.now) if inside else None,
        tuple(_hours(table, x, label)),
        rows,
    )


def _hours(table: Timetable, x: Any, label: Any) -> list[tuple[float, str, bool]]:
    at = table.start_at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    marks = []
    while at < table.end_at:
        text = label(at)
        marks.append((x(at), text, text.startswith("00:")))
        at += timedelta(hours=1)
    return marks


def _draw_row(
    row: TimetableRow, y: int, x: Any, peak_w: float, heat: tuple[Stretch, ...] | None
) -> GanttRow:
    start_x, end_x = x(row.arrives_at), x(row.departs_at)
    late = row.outlook in {Outlook.AT_RISK, Outlook.MISSED}
    return GanttRow(
        row,
        y,
        Bar(start_x, max(round(end_x - start_x, 2), 0.2)),
        _bars(row.plan, x, peak_w),
        _bars(row.delivered, x, peak_w),
        None if (ready_at := _ready_at(row)) is None else x(ready_at),
        end_x,
        late,
        _bars(heat or (), x, peak_w),
    )


def _ready_at(row: TimetableRow) -> datetime | None:
    """When it was ready, as far as the deliveries tell; otherwise when it will be."""
    if row.outlook is Outlook.READY and row.delivered:
        return row.delivered[-1].end_at
    return row.ready_at


def _bars(stretches: tuple[Stretch, ...], x: Any, peak_w: float) -> tuple[Bar, ...]:
    room = ROW_PX - 10
    bars = []
    for stretch in stretches:
        left, right = x(stretch.start_at), x(stretch.end_at)
        if right > left and stretch.power_w > 0:
            height = max(2.0, room * stretch.power_w / peak_w)
            bars.append(
                Bar(left, round(right - left, 2), round(height, 1), round(room - height, 1))
            )
    return tuple(bars)


def _cells(row: TimetableRow) -> tuple[Cell, ...]:
    return (
        row.vehicle,
        row.bay,
        row.priority,
        row.arrives_at,
        row.departs_at,
        row.ready_at,
        row.soc_pct,
        row.target_soc_pct,
        row.soc_forecast_pct,
        row.energy_wh,
        row.outlook.value,
        row.shortfall_wh,
    )


ROUTES = [timetable_page, timetable_export]

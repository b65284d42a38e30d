"""Sessions: the list with its filters, one session with its curve and repairs, the export."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from voltyard.errors import Conflict, Invalid, VoltyardError
from voltyard.sessions.model import SessionFilter, SessionState
from voltyard.tenancy.model import Permission
from voltyard.web.console import access_words, needs_words
from voltyard.web.console.common import paging, posted, query, search_text
from voltyard.web.console.tariffs import Priced, costs_of, priced
from voltyard.web.console.views import Page, Paging
from voltyard.web.export import Cell, csv_stream
from voltyard.web.ui import PAGE_HEADERS, Ui


@get("/sessions")
async def sessions_page(ui: NamedDependency[Ui]) -> Response[str]:
    page = await ui.data.sessions(ui.who, _filter(ui), paging(ui))
    return ui.page(
        "sessions.html", page=page, states=tuple(SessionState), costs=await costs_of(ui, page)
    )


@get("/sessions.csv")
async def sessions_export(ui: NamedDependency[Ui]) -> Stream:
    wanted = _filter(ui)
    header = [
        "id",
        "state",
        "started_at",
        "ended_at",
        "site",
        "station",
        "outlet",
        "transaction",
        "vehicle",
        "token",
        "energy_wh",
        "soc_start_pct",
        "soc_end_pct",
        "stop_reason",
        "flags",
        "cost",
        "currency",
        "cost_state",
    ]

    async def found(part: Paging) -> Page[Priced]:
        return await priced(ui, await ui.data.sessions(ui.who, wanted, part))

    return csv_stream("sessions.csv", header, found, _cells)


@get("/sessions/{session_id:uuid}")
async def session_page(ui: NamedDependency[Ui], session_id: FromPath[UUID]) -> Response[str]:
    return await _session(ui, session_id)


async def _session(
    ui: Ui,
    session_id: UUID,
    values: Mapping[str, str] | None = None,
    fault: VoltyardError | None = None,
) -> Response[str]:
    session = await ui.data.session(ui.who, session_id)
    faults = getattr(fault, "fields", None) or {}
    return ui.page(
        "session.html",
        status=200 if fault is None else 422,
        session=session,
        row=session.row,
        needs=needs_words,
        access=access_words,
        values=values or _offer(ui),
        faults=faults,
        error="" if fault is None or faults else fault.message,
    )


def _offer(ui: Ui) -> Mapping[str, str]:
    """What the form to discharge begins with."""
    until_at = (ui.data.now() + timedelta(hours=1)).astimezone(ui.zone)
    return {"power_kw": "20", "until": f"{until_at:%Y-%m-%dT%H:%M}", "floor_pct": "50"}


@post("/sessions/{session_id:uuid}/priority")
async def prioritise(ui: NamedDependency[Ui], session_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.SESSIONS_CONTROL)
    form = await posted(ui)
    await ui.data.prioritise(ui.who, session_id, first=form.flag("first"))
    return ui.go(f"/sessions/{session_id}", done="saved")


@post("/sessions/{session_id:uuid}/discharge")
async def discharge(ui: NamedDependency[Ui], session_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.SESSIONS_CONTROL)
    form = await posted(ui)
    power_w = form.number("power_kw", low=0, high=10_000, required=True, scale=1000.0)
    until_at = form.moment("until", required=True)
    floor_pct = form.number("floor_pct", low=0, high=100, required=True)
    try:
        form.check()
        assert power_w is not None
        assert until_at is not None
        assert floor_pct is not None
        await ui.data.order_discharge(ui.who, session_id, power_w, until_at, floor_pct)
    except (Invalid, Conflict) as fault:
        return await _session(ui, session_id, form.values, fault)
    return ui.go(f"/sessions/{session_id}", done="saved")


@post("/sessions/{session_id:uuid}/discharge/end")
async def end_discharge(ui: NamedDependency[Ui], session_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.SESSIONS_CONTROL)
    await ui.data.end_discharge(ui.who, session_id)
    return ui.go(f"/sessions/{session_id}", done="saved")


@get("/sessions/{session_id:uuid}/curve.json")
async def session_curve(ui: NamedDependency[Ui], session_id: FromPath[UUID]) -> Response[Any]:
    """Columns for the chart: kW, %, kWh."""
    curve = (await ui.data.session(ui.who, session_id)).curve
    columns = {
        "at": curve.at_s,
        "p": [None if p is None else round(p / 1000, 2) for p in curve.power_w],
        "l": [None if p is None else round(p / 1000, 2) for p in curve.limit_w],
        "s": curve.soc_pct,
    }
    return Response(columns, headers=PAGE_HEADERS)


def _filter(ui: Ui) -> SessionFilter:
    fields = query(ui)
    found = SessionFilter(
        from_at=fields.moment("since"),
        until_at=fields.moment("until"),
        text=search_text(ui),
        state=fields.one_of("state", SessionState),
        flagged=fields.flag("flagged") or None,
        station_id=fields.id("station"),
        vehicle_id=fields.id("vehicle"),
        fleet_org_id=fields.id("operator"),
    )
    if len(ui.sites) > 1 and ui.site is not None and not fields.flag("everywhere"):
        found = replace(found, site_id=ui.site.id)
    return found


def _cells(found: Priced) -> tuple[Cell, ...]:
    row = found.row
    return (
        str(row.id),
        row.state.value,
        row.started_at,
        row.ended_at,
        row.site,
        row.station,
        row.outlet,
        row.transaction_ref,
        row.vehicle,
        row.token,
        row.energy_wh,
        row.soc_start_pct,
        row.soc_end_pct,
        row.stop_reason,
        " ".join(row.flags),
        *found.cells,
    )


ROUTES = [
    sessions_page,
    sessions_export,
    session_page,
    session_curve,
    prioritise,
    discharge,
    end_discharge,
]

"""Alerts: what a person must know, and that somebody has seen it."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from voltyard.alerts.model import Severity
from voltyard.tenancy.model import Permission
from voltyard.web.console.common import paging, posted, query, search_text
from voltyard.web.console.views import AlertFilter, AlertRow
from voltyard.web.export import Cell, csv_stream
from voltyard.web.ui import Ui, local_path

STATUSES = ("open", "acknowledged", "resolved", "all")


@get("/alerts")
async def alerts_page(ui: NamedDependency[Ui]) -> Response[str]:
    page = await ui.data.alerts(ui.who, _filter(ui), paging(ui))
    return ui.page("alerts.html", page=page, severities=tuple(Severity), statuses=STATUSES)


@get("/alerts.csv")
async def alerts_export(ui: NamedDependency[Ui]) -> Stream:
    wanted = _filter(ui)
    header = [
        "opened_at",
        "severity",
        "kind",
        "title",
        "detail",
        "site",
        "object",
        "acknowledged_at",
        "acknowledged_by",
        "resolved_at",
    ]
    return csv_stream(
        "alerts.csv", header, lambda part: ui.data.alerts(ui.who, wanted, part), _cells
    )


@post("/alerts/{alert_id:uuid}/acknowledge")
async def acknowledge(ui: NamedDependency[Ui], alert_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.ALERTS_WRITE)
    form = await posted(ui)
    await ui.data.acknowledge_alert(ui.who, alert_id)
    return ui.go(local_path(form.text("back"), "/alerts"))


def _filter(ui: Ui) -> AlertFilter:
    fields = query(ui)
    status = fields.text("status")
    return AlertFilter(
        status=status if status in STATUSES else "open",
        severity=fields.one_of("severity", Severity),
        text=search_text(ui),
    )


def _cells(row: AlertRow) -> tuple[Cell, ...]:
    return (
        row.opened_at,
        row.severity.value,
        row.kind,
        row.title,
        row.detail,
        row.site,
        row.object_name or row.object_id,
        row.acknowledged_at,
        row.acknowledged_by,
        row.resolved_at,
    )


ROUTES = [alerts_page, alerts_export, acknowledge]

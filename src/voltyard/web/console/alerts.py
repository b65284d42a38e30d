"""Alerts: what a person must know, and that somebody has seen it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from voltyard.alerts.model import Severity
from voltyard.tenancy.model import Permission
from voltyard.web.console.common import paging, posted, query, search_text
from voltyard.web.console.notifications import telling_of
from voltyard.web.console.tokens import remote_of
from voltyard.web.console.views import AlertFilter, AlertRow
from voltyard.web.export import Cell, csv_stream
from voltyard.web.ui import Ui, local_path

STATUSES = ("open", "acknowledged", "snoozed", "resolved", "all")
SNOOZES_MIN = (30, 120, 480, 1440)


@get("/alerts")
async def alerts_page(ui: NamedDependency[Ui]) -> Response[str]:
    page = await ui.data.alerts(ui.who, _filter(ui), paging(ui))
    return ui.page("alerts.html", page=page, severities=tuple(Severity), snoozes=SNOOZES_MIN)


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


@post("/alerts/{alert_id:uuid}/snooze")
async def snooze(ui: NamedDependency[Ui], alert_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.ALERTS_WRITE)
    form = await posted(ui)
    minutes = form.whole("minutes", low=1, high=7 * 1440, default=30)
    form.check()
    until_at = ui.data.now() + timedelta(minutes=minutes)
    await telling_of(ui).alerts.snooze(ui.who, alert_id, until_at, remote=remote_of(ui))
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


ROUTES = [alerts_page, alerts_export, acknowledge, snooze]

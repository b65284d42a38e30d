"""Alerts: what a person must know, listed and acknowledged."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Router, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from voltyard.alerts.model import Alert, Severity
from voltyard.alerts.service import AlertFilter
from voltyard.api.caller import Deps, Who, remote_of
from voltyard.api.deps import AnyRequest
from voltyard.api.wire import In, Out, out
from voltyard.errors import Invalid
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission


class AlertOut(Out):
    """``kind`` says what it is about, ``params`` fill in the facts."""

    id: UUID
    site_id: UUID | None
    kind: str
    severity: Severity
    key: str
    params: dict[str, Any]
    object_kind: str
    object_id: str
    opened_at: datetime
    updated_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    resolved_at: datetime | None
    stage: int
    snoozed_until: datetime | None
    snoozed_by: str | None


class SnoozeIn(In):
    until_at: datetime


class AlertPage(Out):
    """``next`` is the cursor of the page that follows; null on the last."""

    items: list[AlertOut]
    next: str | None


@get("/alerts", summary="Alerts, newest first")
async def alerts(
    deps: Deps,
    who: Who,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
    cursor: Annotated[
        str | None, QueryParameter(description="``next`` of the page before.")
    ] = None,
    site_id: FromQuery[UUID | None] = None,
    kind: FromQuery[list[str] | None] = None,
    severity: FromQuery[Severity | None] = None,
    open_only: Annotated[bool | None, QueryParameter(name="open")] = None,
    acknowledged: FromQuery[bool | None] = None,
) -> AlertPage:
    require(who, Permission.VIEW)
    before_at, before_id = _position(cursor)
    wanted = AlertFilter(
        site_id=site_id,
        kinds=tuple(kind or ()),
        severity=severity,
        open=open_only,
        acknowledged=acknowledged,
        opened_before_at=before_at,
        before_id=before_id,
    )
    found = await deps.alerts.list(who.org_id, wanted, limit)
    last = found[-1] if len(found) == limit else None
    following = f"{last.opened_at.isoformat()}~{last.id}" if last else None
    return AlertPage(items=[_alert(alert) for alert in found], next=following)


def _position(cursor: str | None) -> tuple[datetime | None, UUID | None]:
    if cursor is None:
        return None, None
    at, _, alert_id = cursor.partition("~")
    try:
        return datetime.fromisoformat(at), UUID(alert_id)
    except ValueError:
        raise Invalid("This is no cursor of ours.", fields={"cursor": "unreadable"}) from None


@get("/alerts/{alert_id:uuid}", summary="One alert")
async def alert(deps: Deps, who: Who, alert_id: FromPath[UUID]) -> AlertOut:
    require(who, Permission.VIEW)
    return _alert(await deps.alerts.get(who.org_id, alert_id))


@post("/alerts/{alert_id:uuid}/acknowledge", summary="Somebody has seen it", status_code=200)
async def acknowledge(
    deps: Deps, who: Who, request: AnyRequest, alert_id: FromPath[UUID]
) -> AlertOut:
    """It stays open until its cause ends; a second time changes nothing."""
    return _alert(await deps.alerts.acknowledge(who, alert_id, remote=remote_of(request)))


@post("/alerts/{alert_id:uuid}/snooze", summary="Tell nobody of it for a while", status_code=200)
async def snooze(
    deps: Deps, who: Who, request: AnyRequest, alert_id: FromPath[UUID], data: JSONBody[SnoozeIn]
) -> AlertOut:
    """A minute to a week. If it is open still then, it is told again."""
    return _alert(await deps.alerts.snooze(who, alert_id, data.until_at, remote=remote_of(request)))


def _alert(alert: Alert) -> AlertOut:
    return out(AlertOut, alert, params=dict(alert.params))


ROUTER = Router(path="/", tags=["Alerts"], route_handlers=[alerts, alert, acknowledge, snooze])

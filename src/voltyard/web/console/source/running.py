"""Limits, people, keys, audit and alerts as the console shows and changes them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from voltyard.alerts.model import Alert
from voltyard.alerts.service import AlertFilter
from voltyard.errors import Invalid, NotFound
from voltyard.sites.model import NodeLimit, Site
from voltyard.tenancy.audit import AuditFilter
from voltyard.tenancy.model import ApiKey, AuditEntry, Permission, Principal
from voltyard.tenancy.service import NewUser
from voltyard.web.console import alert_words
from voltyard.web.console import views as v
from voltyard.web.console.source.parts import cut
from voltyard.web.console.source.planning import PlanningSource

ALERTS_SEARCHED = 10_000
"""So many of the newest are looked through for a text."""


class ServiceData(PlanningSource):
    """The console's ``ConsoleData`` over the services of the rooms."""

    # Limits

    async def save_limit(
        self, who: Principal, site_id: UUID, node_id: UUID, index: int | None, form: v.LimitForm
    ) -> None:
        limits = await self._limits(who, site_id, node_id)
        limit = _limit(form)
        if index is None:
            limits.append(limit)
        elif 0 <= index < len(limits):
            kept = limits[index]
            limits[index] = replace(
                limit, phases=kept.phases, voltage_v=kept.voltage_v, source=kept.source
            )
        else:
            raise NotFound("There is no such limit.")
        await self.rooms.sites.set_limits(who, site_id, node_id, limits)

    async def delete_limit(self, who: Principal, site_id: UUID, node_id: UUID, index: int) -> None:
        limits = await self._limits(who, site_id, node_id)
        if not 0 <= index < len(limits):
            raise NotFound("There is no such limit.")
        del limits[index]
        await self.rooms.sites.set_limits(who, site_id, node_id, limits)

    async def _limits(self, who: Principal, site_id: UUID, node_id: UUID) -> list[NodeLimit]:
        for node in await self.rooms.sites.nodes(who, site_id):
            if node.id == node_id:
                return list(node.limits)
        raise NotFound("There is no such node.")

    # Alerts

    async def alerts(
        self, who: Principal, wanted: v.AlertFilter, paging: v.Paging
    ) -> v.Page[v.AlertRow]:
        known = self._open_alerts(who, wanted)
        text = wanted.text.casefold()
        if known is None and not text:
            asked = _asked(wanted)
            found, total = await self.rooms.alerts.page(
                who.org_id, asked, limit=paging.size, offset=paging.offset
            )
            return v.Page(tuple(await self._alert_rows(who, found)), total, paging)
        if known is None:  # what an alert says is in no column
            known, _ = await self.rooms.alerts.page(
                who.org_id, _asked(wanted), limit=ALERTS_SEARCHED
            )
        rows = await self._alert_rows(who, known)
        if text:
            rows = [r for r in rows if text in f"{r.title} {r.detail} {r.object_name}".casefold()]
        return cut(rows, paging)

    async def _alert_rows(self, who: Principal, found: Sequence[Alert]) -> list[v.AlertRow]:
        sites = {site.id: site for site in await self.sites_of(who)}
        return [
            _alert_row(alert, sites.get(alert.site_id) if alert.site_id else None, who.locale)
            for alert in found
        ]

    def _open_alerts(self, who: Principal, wanted: v.AlertFilter) -> Sequence[Alert] | None:
        """What is in memory, where the live topic finds it; None for what is not."""
        if wanted.status not in ("open", "snoozed"):
            return None
        now = self.rooms.clock.now()
        found = [
            alert
            for alert in self.rooms.alerts.open_now(who.org_id, wanted.site_id)
            if wanted.severity in (None, alert.severity)
            and (wanted.status == "open" or alert.sleeps(now))
        ]
        return sorted(found, key=lambda alert: alert.opened_at, reverse=True)

    async def acknowledge_alert(self, who: Principal, alert_id: UUID) -> None:
        await self.rooms.alerts.acknowledge(who, alert_id)

    # People

    async def users(self, who: Principal) -> tuple[v.UserRow, ...]:
        return tuple(
            v.UserRow(user.id, user.name, user.email, user.role, user.active, user.last_login_at)
            for user in await self.rooms.tenancy.users(who)
        )

    async def save_user(self, who: Principal, user_id: UUID | None, form: v.UserForm) -> UUID:
        if user_id is None:
            new = NewUser(form.email, form.name, form.role, form.password or "", who.locale)
            return (await self.rooms.tenancy.create_user(who, new)).id
        await self.rooms.tenancy.update_user(
            who, user_id, email=form.email, name=form.name, role=form.role, active=form.active
        )
        if form.password:
            await self.rooms.tenancy.set_password(who, user_id, form.password)
        return user_id

    async def keys(self, who: Principal) -> tuple[ApiKey, ...]:
        return tuple(await self.rooms.tenancy.keys(who))

    async def create_key(
        self,
        who: Principal,
        name: str,
        scopes: frozenset[Permission],
        expires_at: datetime | None,
    ) -> v.NewKey:
        made = await self.rooms.tenancy.create_key(who, name, scopes, expires_at)
        return v.NewKey(made.key, made.text)

    async def revoke_key(self, who: Principal, key_id: UUID) -> None:
        await self.rooms.tenancy.revoke_key(who, key_id)

    async def audit(
        self, who: Principal, wanted: v.AuditFilter, paging: v.Paging
    ) -> v.Page[v.AuditRow]:
        asked = AuditFilter(
            text=wanted.text,
            since=wanted.since,
            until=wanted.until,
            actor_kind=wanted.actor_kind,
        )
        found, total = await self.rooms.tenancy.audit(
            who, asked, limit=paging.size, offset=paging.offset
        )
        return v.Page(tuple(_audit_row(entry) for entry in found), total, paging)


_OPEN: Mapping[str, bool | None] = {
    "open": True,
    "unacknowledged": True,
    "acknowledged": True,
    "resolved": False,
    "all": None,
}
_ACKNOWLEDGED = {"unacknowledged": False, "acknowledged": True}


def _asked(wanted: v.AlertFilter) -> AlertFilter:
    return AlertFilter(
        site_id=wanted.site_id,
        severity=wanted.severity,
        open=_OPEN[wanted.status],
        acknowledged=_ACKNOWLEDGED.get(wanted.status),
    )


def _alert_row(alert: Alert, site: Site | None, locale: str) -> v.AlertRow:
    title, detail = alert_words.told(alert, locale, site.zone if site else ZoneInfo("UTC"))
    params = alert.params
    named = ("evse", "station", "duty", "node", "subject")
    name = next((params[key] for key in named if params.get(key)), "")
    return v.AlertRow(
        id=alert.id,
        kind=alert.kind,
        severity=alert.severity,
        title=title,
        opened_at=alert.opened_at,
        detail=detail,
        site=site.name if site else "",
        object_kind=alert.object_kind,
        object_id=alert.object_id,
        object_name=str(name or ""),
        acknowledged_at=alert.acknowledged_at,
        acknowledged_by=alert.acknowledged_by,
        resolved_at=alert.resolved_at,
        snoozed_until=alert.snoozed_until,
        snoozed_by=alert.snoozed_by,
    )


def _audit_row(entry: AuditEntry) -> v.AuditRow:
    return v.AuditRow(
        entry.at,
        entry.actor_name,
        entry.action,
        entry.object_kind,
        entry.object_id,
        entry.detail,
        entry.remote,
    )


def _limit(form: v.LimitForm) -> NodeLimit:
    """Raises Invalid that names the field."""
    if (form.power_w is None) == (form.current_a is None):
        reason = {"power_w": "give either a power or a current"}
        raise Invalid("A limit is a power or a current.", fields=reason)
    return NodeLimit(
        power_w=form.power_w,
        current_a=form.current_a,
        from_time=_parsed("from_time", form.from_time, time.fromisoformat),
        to_time=_parsed("to_time", form.to_time, time.fromisoformat),
        weekdays=frozenset(form.weekdays),
        valid_from=_parsed("valid_from", form.valid_from, date.fromisoformat),
        valid_to=_parsed("valid_to", form.valid_to, date.fromisoformat),
        source="manual",
    )


def _parsed(name: str, text: str, parse: Callable[[str], Any]) -> Any:
    if not text:
        return None
    try:
        return parse(text)
    except ValueError:
        raise Invalid("This is no date or time.", fields={name: "is not valid"}) from None

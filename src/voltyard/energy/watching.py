"""What a controller leaves behind: power samples, and alerts for what a person must know."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.alerts.rules import (
    SITE_KINDS,
    DutyFacts,
    EvseFacts,
    NodeFacts,
    SiteFacts,
    causes,
)
from voltyard.alerts.service import AlertService
from voltyard.energy import store
from voltyard.energy.board import Board
from voltyard.energy.confirm import FallbackState
from voltyard.energy.inputs import Outlook, Present
from voltyard.energy.outlet import Outlet
from voltyard.energy.planning import Planning
from voltyard.energy.ports import SiteSetup
from voltyard.energy.records import PowerSample
from voltyard.energy.view import NodePower, SiteView
from voltyard.energy.watch import Step
from voltyard.storage.groupcommit import GroupCommit
from voltyard.timetable.model import Duty

Look = Callable[[], SiteView]
"""The site's power now, worked out when it is asked for."""

SAMPLE_S = 60.0
ALERT_S = 30.0
CHANGE_W = 5000.0
PROGRESS_SOC_PCT = 0.5
PROGRESS_WH = 500.0


@dataclass(frozen=True, slots=True)
class _Progress:
    session_id: UUID
    soc_pct: float | None
    energy_wh: float
    at: datetime


class Watching:
    """Samples and alerts of one site."""

    def __init__(self, site_id: UUID, commits: GroupCommit, alerts: AlertService) -> None:
        self._site_id = site_id
        self._commits = commits
        self._alerts = alerts
        self._org_id: UUID | None = None
        self._sampled_at: datetime | None = None
        self._alerted_at: datetime | None = None
        self._last: SiteView | None = None
        self._offline_since: dict[UUID, datetime] = {}
        self._progress: dict[UUID, _Progress] = {}
        self._stopped: dict[UUID, str] = {}

    async def start(self, setup: SiteSetup) -> None:
        self._org_id = setup.site.org_id

    def stopped_early(self, duty_id: UUID | None, reason: str | None) -> None:
        """A session of a duty ended; an alert unless the duty is ready or plugged in again."""
        if duty_id is not None:
            self._stopped[duty_id] = reason or "unknown"

    def sample(self, look: Look, now: datetime) -> None:
        """A row for the root and each limited node, every minute and when a lot changed."""
        assert self._org_id is not None
        view = look()
        due = self._sampled_at is None or now >= self._sampled_at + timedelta(seconds=SAMPLE_S)
        if not due and not self._jumped(view):
            return
        self._sampled_at, self._last = now, view
        self._commits.offer(
            [
                store.sample_write(self._org_id, self._site_id, _sample(node, now))
                for node in view.nodes
                if node.limit_w is not None or node.parent_id is None
            ]
        )

    def _jumped(self, view: SiteView) -> bool:
        assert self._last is not None
        before, now = self._last.root, view.root
        return (
            abs((now.measured_w or 0.0) - (before.measured_w or 0.0)) > CHANGE_W
            or abs(now.granted_w - before.granted_w) > CHANGE_W
            or now.limit_w != before.limit_w
        )

    async def alert(
        self, look: Look, board: Board, found: Outlook, planning: Planning, now: datetime
    ) -> None:
        """Bring the site's alerts in line with what is true."""
        assert self._org_id is not None
        recently = self._alerted_at is not None and now < self._alerted_at + timedelta(
            seconds=ALERT_S
        )
        if recently:
            return
        self._alerted_at = now
        self._note(board, found, now)
        facts = SiteFacts(
            now=now,
            evses=[
                self._evse_facts(outlet, found.present.get(outlet.evse.id), now) for outlet in board
            ],
            duties=list(self._duty_facts(found, planning)),
            nodes=[
                NodeFacts(
                    n.node_id,
                    n.name,
                    None if n.measured_w is None else n.measured_w + (n.other_w or 0.0),
                    n.limit_w,
                    n.granted_w + (n.other_w or 0.0),
                )
                for n in look().nodes
            ],
        )
        await self._alerts.sync(self._org_id, self._site_id, SITE_KINDS, causes(facts))

    def _note(self, board: Board, found: Outlook, now: datetime) -> None:
        for outlet in board:
            if outlet.connected or not outlet.commissioned:
                self._offline_since.pop(outlet.evse.id, None)
            else:
                self._offline_since.setdefault(outlet.evse.id, now)
        for evse_id, present in found.present.items():
            self._progress[evse_id] = _progressed(self._progress.get(evse_id), present, now)
        plugged = {present.duty.id for present in found.present.values() if present.duty}
        known = set(found.duty_of_stay)
        self._stopped = {
            duty_id: reason
            for duty_id, reason in self._stopped.items()
            if duty_id in known and duty_id not in plugged
        }

    def _evse_facts(self, outlet: Outlet, present: Present | None, now: datetime) -> EvseFacts:
        session, evse = outlet.session, outlet.evse
        progress = self._progress.get(evse.id)
        stay = None if present is None else present.stay
        duty = None if present is None else present.duty
        return EvseFacts(
            evse_id=evse.id,
            station_id=outlet.station.id,
            name=evse.name,
            station=outlet.station.name or outlet.station.identity,
            status=evse.status,
            error_code=evse.error_code,
            connected=outlet.connected,
            offline_since=self._offline_since.get(evse.id),
            session_id=None if session is None else session.session_id,
            started_at=None if session is None else session.started_at,
            vehicle_known=present is not None and present.vehicle is not None,
            label="" if present is None or present.vehicle is None else present.vehicle.name,
            granted_w=outlet.granted_w if session is not None else 0.0,
            granted_since=outlet.charging_since,
            measured_w=outlet.obedience.fresh_w(now),
            progress_at=None if progress is None else _since(progress, outlet),
            needs_energy=stay is not None and stay.energy_needed_wh > stay.tolerance_wh,
            ignores_limit=outlet.obedience.step >= Step.FENCED,
            failsafe_failed=outlet.held.fallback_state is FallbackState.FAILED,
            counted_w=outlet.counted_w(now),
            duty_label=None if duty is None else duty_label(duty, present),
            departure_at=None if duty is None else duty.departure_at,
        )

    def _duty_facts(self, found: Outlook, planning: Planning) -> Iterator[DutyFacts]:
        present = {p.duty.id: p for p in found.present.values() if p.duty is not None}
        for duty_id, duty in sorted(found.duty_of_stay.items()):
            forecast = planning.forecasts.get(duty_id)
            stay = found.stays[duty_id]
            yield DutyFacts(
                duty_id=duty_id,
                label=stay.label or duty.external_id,
                departure_at=duty.departure_at,
                priority=duty.priority,
                plugged=duty_id in present,
                will_miss=forecast is not None and forecast.will_miss,
                shortfall_wh=0.0 if forecast is None else forecast.shortfall_wh,
                soc_departure_pct=None if forecast is None else forecast.soc_departure_pct,
                target_soc_pct=duty.target_soc_pct,
                needs_energy=stay.energy_needed_wh > stay.tolerance_wh,
                reason={} if forecast is None else forecast.reason,
                stopped_reason=self._stopped.get(duty_id),
            )


def _sample(node: NodePower, now: datetime) -> PowerSample:
    return PowerSample(
        at=now,
        node_id=node.node_id,
        measured_w=node.measured_w,
        granted_w=node.granted_w,
        reserved_w=node.reserved_w,
        plan_w=node.plan_w,
        limit_w=node.limit_w,
        other_w=node.other_w,
    )


def _progressed(known: _Progress | None, present: Present, now: datetime) -> _Progress:
    """When the state of charge (or the meter, without one) last went up.

    As long as too little energy has flowed to show in the state of charge, nothing is amiss.
    """
    session = present.session
    latest = _Progress(session.session_id, session.soc_pct, session.energy_wh, now)
    if known is None or known.session_id != session.session_id:
        return latest
    if session.soc_pct is not None and known.soc_pct is not None:
        if session.soc_pct >= known.soc_pct + PROGRESS_SOC_PCT:
            return latest
        vehicle = present.vehicle
        if vehicle is None or not vehicle.battery_wh:
            return known
        flowed_pct = (session.energy_wh - known.energy_wh) / vehicle.battery_wh * 100.0
        return replace(known, at=now) if flowed_pct < 2.0 * PROGRESS_SOC_PCT else known
    return latest if session.energy_wh >= known.energy_wh + PROGRESS_WH else known


def _since(progress: _Progress, outlet: Outlet) -> datetime:
    """Waiting for progress begins when charging does."""
    return max(progress.at, outlet.charging_since or progress.at)


def duty_label(duty: Duty, present: Present | None) -> str:
    vehicle = None if present is None else present.vehicle
    return duty.external_id if vehicle is None else vehicle.name

"""What deserves an alert: from facts about chargers, sessions and duties to causes. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from voltyard.alerts.model import Severity
from voltyard.alerts.service import Cause
from voltyard.chargers.model import EvseStatus

NOT_STARTED_S = 600.0
NO_PROGRESS_S = 1800.0
ABSENT_BEFORE_S = 3600.0
OFFLINE_S = 60.0
NEAR_LIMIT = 0.97
LEAST_FLOW_W = 500.0

SITE_KINDS = (
    "charger_offline",
    "evse_faulted",
    "evse_error",
    "evse_unavailable",
    "not_started",
    "soc_not_progressing",
    "unknown_vehicle",
    "limit_near",
    "limit_exceeded",
    "limit_ignored",
    "failsafe_missing",
    "duty_at_risk",
    "duty_not_plugged_in",
    "session_stopped_early",
)
"""Kinds whose open alerts are exactly what ``causes`` says, on every pass."""


@dataclass(frozen=True, slots=True)
class EvseFacts:
    evse_id: UUID
    station_id: UUID
    name: str
    station: str
    status: EvseStatus
    error_code: str | None
    connected: bool
    offline_since: datetime | None
    session_id: UUID | None
    started_at: datetime | None
    vehicle_known: bool
    label: str
    granted_w: float
    granted_since: datetime | None
    measured_w: float | None
    progress_at: datetime | None
    needs_energy: bool
    ignores_limit: bool
    failsafe_failed: bool
    counted_w: float
    duty_label: str | None = None
    departure_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DutyFacts:
    """``stopped_reason`` is set when a session of it ended before it was ready."""

    duty_id: UUID
    label: str
    departure_at: datetime
    priority: int
    plugged: bool
    will_miss: bool
    shortfall_wh: float
    soc_departure_pct: float | None
    target_soc_pct: float | None
    needs_energy: bool
    reason: Mapping[str, Any] = field(default_factory=dict)
    stopped_reason: str | None = None


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """``granted_w`` is what the controller itself allows there: a node it fills is not news."""

    node_id: UUID
    name: str
    measured_w: float | None
    limit_w: float | None
    granted_w: float = 0.0


@dataclass(frozen=True, slots=True)
class SiteFacts:
    now: datetime
    evses: Sequence[EvseFacts]
    duties: Sequence[DutyFacts]
    nodes: Sequence[NodeFacts]


def causes(facts: SiteFacts) -> list[Cause]:
    """Everything of ``SITE_KINDS`` that is true now, in a fixed order."""
    return [
        *_offline(facts),
        *(cause for evse in facts.evses for cause in _evse(evse, facts.now)),
        *(cause for duty in facts.duties for cause in _duty(duty, facts.now)),
        *(cause for node in facts.nodes for cause in _node(node)),
    ]


def _offline(facts: SiteFacts) -> Iterator[Cause]:
    stations: dict[UUID, list[EvseFacts]] = {}
    for evse in facts.evses:
        if evse.offline_since is not None:
            stations.setdefault(evse.station_id, []).append(evse)
    for station_id, evses in stations.items():
        since = min(evse.offline_since for evse in evses if evse.offline_since is not None)
        if _lasted(since, facts.now, OFFLINE_S):
            waiting = [evse for evse in evses if evse.duty_label is not None and evse.needs_energy]
            yield Cause(
                "charger_offline",
                Severity.CRITICAL if waiting else Severity.WARNING,
                f"charger_offline:{station_id}",
                "station",
                str(station_id),
                {
                    "station": evses[0].station,
                    "since": since.isoformat(),
                    "reserved_w": round(sum(evse.counted_w for evse in evses)),
                    "duties": [evse.duty_label for evse in waiting],
                },
            )


def _evse(evse: EvseFacts, now: datetime) -> Iterator[Cause]:
    if evse.connected and evse.status is EvseStatus.FAULTED:
        params = {"evse": evse.name, "error": evse.error_code or "", "duty": evse.duty_label}
        yield _of_evse("evse_faulted", Severity.CRITICAL, evse, params)
    elif evse.connected and evse.status is EvseStatus.UNAVAILABLE:
        params = {"evse": evse.name, "duty": evse.duty_label}
        severity = Severity.WARNING if evse.duty_label else Severity.INFO
        yield _of_evse("evse_unavailable", severity, evse, params)
    if evse.connected and evse.status is not EvseStatus.FAULTED and _is_fault(evse.error_code):
        params = {"evse": evse.name, "error": evse.error_code, "duty": evse.duty_label}
        yield _of_evse("evse_error", Severity.WARNING, evse, params)
    if evse.ignores_limit:
        drawn = {"evse": evse.name, "granted_w": round(evse.granted_w)}
        yield _of_evse("limit_ignored", Severity.CRITICAL, evse, drawn)
    if evse.failsafe_failed:
        counted = {"evse": evse.name, "counted_w": round(evse.counted_w)}
        yield _of_evse("failsafe_missing", Severity.CRITICAL, evse, counted)
    if evse.session_id is not None:
        yield from _session(evse, now)


def _is_fault(code: str | None) -> bool:
    """OCPP 1.6 §7.6: NoError is none; others may be told while an outlet goes on working."""
    return bool(code) and code != "NoError"


def _session(evse: EvseFacts, now: datetime) -> Iterator[Cause]:
    shown = {"evse": evse.name, "vehicle": evse.label, "duty": evse.duty_label}
    if not evse.vehicle_known:
        yield _of_evse("unknown_vehicle", Severity.INFO, evse, shown)
    if not (evse.connected and evse.needs_energy and evse.granted_w > LEAST_FLOW_W):
        return
    idle = evse.measured_w is not None and evse.measured_w < LEAST_FLOW_W
    if idle and _lasted(evse.granted_since, now, NOT_STARTED_S):
        yield _of_evse("not_started", Severity.WARNING, evse, shown)
    elif not idle and _lasted(evse.progress_at, now, NO_PROGRESS_S):
        yield _of_evse("soc_not_progressing", Severity.WARNING, evse, shown)


def _of_evse(kind: str, severity: Severity, evse: EvseFacts, params: Mapping[str, Any]) -> Cause:
    return Cause(kind, severity, f"{kind}:{evse.evse_id}", "evse", str(evse.evse_id), params)


def _duty(duty: DutyFacts, now: datetime) -> Iterator[Cause]:
    shown = {"duty": duty.label, "departure_at": duty.departure_at.isoformat()}
    if duty.will_miss:
        params = {
            **shown,
            "priority": duty.priority,
            "shortfall_wh": _rounded(duty.shortfall_wh, 1000),
            "soc_departure_pct": _rounded(duty.soc_departure_pct, 1),
            "target_soc_pct": duty.target_soc_pct,
            "waits_for": duty.reason.get("waits_for"),
            "binding": duty.reason.get("binding", []),
            "fix_w": _rounded(duty.reason.get("fix_w"), 1000),
        }
        yield _of_duty("duty_at_risk", Severity.CRITICAL, duty, params)
    absent = not duty.plugged and duty.needs_energy
    if absent and now >= duty.departure_at - timedelta(seconds=ABSENT_BEFORE_S):
        yield _of_duty("duty_not_plugged_in", Severity.WARNING, duty, shown)
    if duty.stopped_reason is not None and duty.needs_energy and not duty.plugged:
        params = {**shown, "reason": duty.stopped_reason}
        yield _of_duty("session_stopped_early", Severity.WARNING, duty, params)


def _of_duty(kind: str, severity: Severity, duty: DutyFacts, params: Mapping[str, Any]) -> Cause:
    return Cause(kind, severity, f"{kind}:{duty.duty_id}", "duty", str(duty.duty_id), params)


def _near(measured_w: float, limit_w: float) -> bool:
    return limit_w > 0.0 and measured_w >= limit_w * NEAR_LIMIT


def _node(node: NodeFacts) -> Iterator[Cause]:
    if node.measured_w is None or node.limit_w is None:
        return
    kind = None
    if node.measured_w > node.limit_w * 1.005 + 1.0:
        kind, severity = "limit_exceeded", Severity.CRITICAL
    elif _near(node.measured_w, node.limit_w) and node.measured_w > node.granted_w * 1.02:
        kind, severity = "limit_near", Severity.INFO
    if kind is not None:
        params = {"node": node.name, "limit_w": round(node.limit_w)}
        key = f"{kind}:{node.node_id}"
        yield Cause(kind, severity, key, "node", str(node.node_id), params)


def _lasted(since: datetime | None, now: datetime, seconds: float) -> bool:
    return since is not None and now >= since + timedelta(seconds=seconds)


def _rounded(value: float | None, step: int) -> int | None:
    """Rounded, so that an alert is not rewritten for every watt."""
    return None if value is None else int(round(value / step) * step)

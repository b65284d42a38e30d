"""Which facts deserve an alert."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from voltyard.alerts.model import Severity
from voltyard.alerts.rules import DutyFacts, EvseFacts, NodeFacts, SiteFacts, causes
from voltyard.chargers.model import EvseStatus

NOW = datetime(2026, 1, 15, 22, 0, tzinfo=UTC)
EVSE = EvseFacts(
    evse_id=UUID(int=1),
    station_id=UUID(int=2),
    name="1A",
    station="CP1",
    status=EvseStatus.AVAILABLE,
    error_code=None,
    connected=True,
    offline_since=None,
    session_id=None,
    started_at=None,
    vehicle_known=True,
    label="Bus 1",
    granted_w=0.0,
    granted_since=None,
    measured_w=None,
    progress_at=None,
    needs_energy=False,
    ignores_limit=False,
    failsafe_failed=False,
    counted_w=0.0,
)
CHARGING = replace(
    EVSE,
    session_id=UUID(int=3),
    granted_w=100_000.0,
    granted_since=NOW - timedelta(hours=2),
    measured_w=90_000.0,
    progress_at=NOW - timedelta(minutes=1),
    needs_energy=True,
    duty_label="101",
)
DUTY = DutyFacts(
    duty_id=UUID(int=4),
    label="Bus 1",
    departure_at=NOW + timedelta(hours=6),
    priority=2,
    plugged=True,
    will_miss=False,
    shortfall_wh=0.0,
    soc_departure_pct=95.0,
    target_soc_pct=95.0,
    needs_energy=True,
)


def kinds(
    *evses: EvseFacts, duties: tuple[DutyFacts, ...] = (), nodes: tuple[NodeFacts, ...] = ()
) -> list[str]:
    return [cause.kind for cause in causes(SiteFacts(NOW, evses, duties, nodes))]


def test_nothing_wrong_nothing_said() -> None:
    assert kinds(EVSE, CHARGING, duties=(DUTY,)) == []


def test_a_duty_that_will_miss_is_told_with_shortfall_and_remedy() -> None:
    reason = {"waits_for": "limit", "binding": [{"node_id": "x"}], "fix_w": 41_700}
    late = replace(DUTY, will_miss=True, shortfall_wh=12_345.0, reason=reason)
    (cause,) = causes(SiteFacts(NOW, (), (late,), ()))
    assert cause.kind == "duty_at_risk"
    assert cause.severity is Severity.CRITICAL
    assert cause.params["shortfall_wh"] == 12_000
    assert cause.params["fix_w"] == 42_000
    assert cause.params["waits_for"] == "limit"


def test_a_small_change_of_a_shortfall_does_not_rewrite_the_alert() -> None:
    first = replace(DUTY, will_miss=True, shortfall_wh=12_100.0)
    later = replace(first, shortfall_wh=12_300.0)
    assert causes(SiteFacts(NOW, (), (first,), ())) == causes(SiteFacts(NOW, (), (later,), ()))


def test_an_offline_charger_is_one_alert_and_worse_when_a_duty_waits() -> None:
    since = NOW - timedelta(minutes=5)
    idle = replace(EVSE, connected=False, offline_since=since)
    waiting = replace(CHARGING, connected=False, offline_since=since)
    (cause,) = causes(SiteFacts(NOW, (idle, waiting), (), ()))
    assert cause.kind == "charger_offline"
    assert cause.severity is Severity.CRITICAL
    assert cause.params["duties"] == ["101"]
    (cause,) = causes(SiteFacts(NOW, (idle,), (), ()))
    assert cause.severity is Severity.WARNING


def test_a_short_interruption_is_not_worth_an_alert() -> None:
    assert kinds(replace(EVSE, connected=False, offline_since=NOW - timedelta(seconds=20))) == []


def test_a_vehicle_that_takes_nothing_though_it_may() -> None:
    assert kinds(replace(CHARGING, measured_w=0.0)) == ["not_started"]
    fresh = replace(CHARGING, measured_w=0.0, granted_since=NOW - timedelta(minutes=1))
    assert kinds(fresh) == []


def test_energy_that_flows_and_changes_nothing() -> None:
    stuck = replace(CHARGING, progress_at=NOW - timedelta(hours=1))
    assert kinds(stuck) == ["soc_not_progressing"]
    assert kinds(replace(stuck, needs_energy=False)) == []


def test_faults_lies_and_missing_failsafes() -> None:
    broken = replace(EVSE, status=EvseStatus.FAULTED, error_code="GroundFailure")
    assert kinds(broken) == ["evse_faulted"]
    assert kinds(replace(CHARGING, ignores_limit=True)) == ["limit_ignored"]
    assert kinds(replace(EVSE, failsafe_failed=True)) == ["failsafe_missing"]


def test_an_unknown_vehicle_is_shown() -> None:
    assert kinds(replace(CHARGING, vehicle_known=False)) == ["unknown_vehicle"]


def test_a_vehicle_that_is_not_there_shortly_before_its_departure() -> None:
    soon = replace(DUTY, plugged=False, departure_at=NOW + timedelta(minutes=30))
    assert kinds(duties=(soon,)) == ["duty_not_plugged_in"]
    assert kinds(duties=(replace(soon, needs_energy=False),)) == []
    assert kinds(duties=(replace(DUTY, plugged=False),)) == []


def test_a_session_that_ended_too_early() -> None:
    assert kinds(duties=(replace(DUTY, plugged=False, stopped_reason="EmergencyStop"),)) == [
        "session_stopped_early"
    ]
    assert kinds(duties=(replace(DUTY, stopped_reason="EmergencyStop"),)) == []


def test_power_near_and_over_a_limit() -> None:
    assert kinds(nodes=(NodeFacts(UUID(int=9), "grid", 960_000.0, 1_000_000.0),)) == []
    assert kinds(nodes=(NodeFacts(UUID(int=9), "grid", 990_000.0, 1_000_000.0),)) == ["limit_near"]
    filled = NodeFacts(UUID(int=9), "grid", 990_000.0, 1_000_000.0, granted_w=990_000.0)
    assert kinds(nodes=(filled,)) == []
    assert kinds(nodes=(NodeFacts(UUID(int=9), "grid", 1_010_000.0, 1_000_000.0),)) == [
        "limit_exceeded"
    ]
    assert kinds(nodes=(NodeFacts(UUID(int=9), "grid", 5.0, None),)) == []


def test_an_outlet_out_of_service_or_with_an_error_is_told() -> None:
    closed = replace(EVSE, status=EvseStatus.UNAVAILABLE)
    assert kinds(closed) == ["evse_unavailable"]
    assert kinds(replace(closed, connected=False)) == []
    (booked,) = causes(SiteFacts(NOW, (replace(closed, duty_label="Bus 1"),), (), ()))
    assert booked.severity is Severity.WARNING
    assert kinds(replace(EVSE, error_code="HighTemperature")) == ["evse_error"]
    assert kinds(replace(EVSE, error_code="NoError")) == []
    faulted = replace(EVSE, status=EvseStatus.FAULTED, error_code="GroundFailure")
    assert kinds(faulted) == ["evse_faulted"]

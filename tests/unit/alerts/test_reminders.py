"""When departures are reminded of, of what, and how loudly."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from voltyard.alerts.model import Severity
from voltyard.alerts.reminders import (
    Condition,
    DepartureRule,
    Rules,
    Step,
    condition,
    due,
    problems,
    reminder,
)
from voltyard.timetable.model import Departing, Duty, DutyState

ORG, SITE = UUID(int=1), UUID(int=2)
LEAVES = datetime(2026, 1, 16, 4, 0, tzinfo=UTC)
DUTY = Duty(UUID(int=3), ORG, SITE, "D1", LEAVES - timedelta(hours=9), LEAVES, target_soc_pct=90.0)
SHORT = Departing(DUTY, "Bus 42", True, True, True, False, 61.2, 90_000.0)
RULE = DepartureRule(ORG)


def stage(departing: Departing, minutes: float, rule: DepartureRule = RULE) -> int | None:
    cause = reminder(rule, departing, LEAVES + timedelta(minutes=minutes))
    return None if cause is None else cause.stage


def test_fifteen_before_at_and_ten_after_unless_told_otherwise() -> None:
    minutes = (-15.1, -15, -0.1, 0, 9.9, 10, 39.9, 40)
    assert [stage(SHORT, each) for each in minutes] == [None, 1, 1, 2, 2, 3, 3, None]
    louder = [reminder(RULE, SHORT, LEAVES + timedelta(minutes=each)) for each in (-15, 0, 10)]
    severities = [cause.severity for cause in louder if cause is not None]
    assert severities == [Severity.WARNING, Severity.WARNING, Severity.CRITICAL]
    assert {cause.key for cause in louder if cause is not None} == {f"departure_reminder:{DUTY.id}"}


@pytest.mark.parametrize(
    ("changes", "minutes", "wrong"),
    [
        ({}, -10, Condition.NOT_READY),
        ({"ready": True}, -10, None),
        ({"ready": True}, 0, Condition.STILL_CHARGING),
        ({"ready": True, "charging": False}, 5, None),
        ({"ready": None}, -10, None),
        ({"plugged": False, "charging": False}, -10, Condition.NOT_PLUGGED_IN),
        ({"plugged": False, "charging": False, "ready": True}, -10, None),
        ({"plugged": False, "charging": False, "came": False, "ready": None}, 5, "never came"),
    ],
)
def test_what_is_wrong_with_a_vehicle(
    changes: dict[str, bool], minutes: int, wrong: Condition | str | None
) -> None:
    departing = replace(SHORT, **changes)
    found = condition(departing, LEAVES + timedelta(minutes=minutes))
    assert found == (Condition.NOT_PLUGGED_IN if wrong == "never came" else wrong)


def test_who_has_left_is_nobodys_task_who_never_came_is() -> None:
    gone = replace(SHORT, plugged=False, duty=replace(DUTY, state=DutyState.DEPARTED))
    assert stage(gone, 10) is None
    assert stage(replace(gone, came=False), 10) == 3


def test_a_site_has_rules_of_its_own_or_those_of_its_organisation() -> None:
    early = DepartureRule(ORG, SITE, steps=(Step(-60, Severity.INFO),))
    only = DepartureRule(ORG, conditions=frozenset({Condition.NOT_PLUGGED_IN}))
    rules = Rules({(ORG, SITE): early, (ORG, None): only})
    now = LEAVES - timedelta(minutes=30)
    elsewhere = replace(SHORT, duty=replace(DUTY, id=uuid4(), site_id=uuid4()))
    assert [(place, cause.stage) for place, cause in due(rules, [SHORT, elsewhere], now)] == [
        ((ORG, SITE), 1)
    ]
    since, until = rules.window(now)
    assert since <= now - timedelta(minutes=40)
    assert until >= now + timedelta(minutes=60)
    off = Rules({(ORG, SITE): replace(early, enabled=False)})
    assert list(due(off, [SHORT], now)) == []


def test_an_operators_departure_is_told_to_it_and_the_depot_and_to_no_other_operator() -> None:
    depot, other = uuid4(), uuid4()
    theirs = replace(SHORT, depot_id=depot)
    of_other = replace(theirs, duty=replace(DUTY, id=uuid4(), org_id=other))
    own_rule = DepartureRule(other, enabled=False)
    told = list(due(Rules({(other, None): own_rule}), [theirs, of_other], LEAVES))
    assert [(place, cause.object_id) for place, cause in told] == [
        ((depot, SITE), str(DUTY.id)),
        ((ORG, SITE), str(DUTY.id)),
        ((depot, SITE), str(of_other.duty.id)),
    ]


def test_the_facts_are_rounded_so_that_the_alert_stays_as_it_is() -> None:
    now = LEAVES - timedelta(minutes=5)
    first, second = (reminder(RULE, replace(SHORT, soc_pct=soc), now) for soc in (61.2, 61.9))
    assert first is not None
    assert second is not None
    assert first.params == second.params


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (replace(RULE, steps=()), "steps"),
        (replace(RULE, steps=(Step(5, Severity.INFO), Step(5, Severity.INFO))), "steps"),
        (replace(RULE, steps=(Step(-5, Severity.CRITICAL), Step(5, Severity.INFO))), "steps"),
        (replace(RULE, steps=(Step(-2000, Severity.INFO),)), "steps"),
        (replace(RULE, conditions=frozenset()), "conditions"),
    ],
)
def test_rules_that_cannot_be_followed_are_refused(rule: DepartureRule, field: str) -> None:
    assert list(problems(rule)) == [field]
    assert problems(RULE) == {}

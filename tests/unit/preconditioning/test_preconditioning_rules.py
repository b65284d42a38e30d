"""The narrowest rule counts, and says from when to when by the site's own clock."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import pytest

from tests.unit.preconditioning.preconditioning_cases import (
    BERLIN,
    BUS,
    DEPARTS,
    before,
    duty,
    rule,
)
from voltyard.preconditioning.model import Channel, Kind, Rule, problems
from voltyard.preconditioning.rules import Span, fitting, span


def chosen(*rules: Rule) -> str:
    return fitting(rules, duty(), "12m", BERLIN)[Channel.CLIMATE].name


def test_the_narrower_rule_counts() -> None:
    everywhere, site = rule(1), rule(2, site_id=duty().site_id)
    kind, bus = rule(3, vehicle_class="12M"), rule(4, vehicle_id=BUS.id)
    line, exact = rule(5, duty_key="N12*"), rule(6, duty_key="n12-5")
    ordered = [everywhere, site, kind, bus, line, exact]
    for count in range(1, len(ordered) + 1):
        assert chosen(*ordered[:count]) == ordered[count - 1].name


def test_rules_for_others_or_other_days_do_not_count() -> None:
    others = (
        rule(site_id=UUID(int=99)),
        rule(vehicle_id=UUID(int=99)),
        rule(vehicle_class="18m"),
        rule(duty_key="N13*"),
        rule(enabled=False),
        rule(weekdays=(5, 6)),
        rule(from_day=date(2026, 5, 1), until_day=date(2026, 9, 30)),
    )
    assert fitting(others, duty(), "12m", BERLIN) == {}


def test_the_battery_has_a_rule_of_its_own_beside_the_cabin() -> None:
    found = fitting([rule(1), rule(2, kind=Kind.BATTERY)], duty(), "", BERLIN)
    assert set(found) == {Channel.CLIMATE, Channel.BATTERY}


@pytest.mark.parametrize(
    ("from_day", "until_day", "holds"),
    [
        (date(2025, 10, 15), date(2026, 4, 30), True),
        (date(2020, 10, 15), date(2020, 4, 30), True),
        (date(2026, 1, 16), date(2026, 1, 16), True),
        (date(2026, 1, 17), date(2026, 1, 31), False),
        (date(2026, 2, 1), date(2026, 1, 10), False),
    ],
)
def test_a_season_holds_each_year_and_over_its_turn(
    from_day: date, until_day: date, *, holds: bool
) -> None:
    made = rule(from_day=from_day, until_day=until_day)
    assert bool(fitting([made], duty(), "", BERLIN)) is holds


def test_relative_to_the_departure() -> None:
    made = rule(start_before_s=2700, end_before_s=600)
    assert span(made, duty(), BERLIN) == Span(before(minutes=45), before(minutes=10))


def test_at_times_of_the_sites_clock() -> None:
    made = rule(start_before_s=None, start_time=time(4, 0), end_before_s=None, end_time=time(4, 30))
    assert span(made, duty(), BERLIN) == Span(before(hours=1), before(minutes=30))
    early = duty(departure_at=before(minutes=45))
    assert span(made, early, BERLIN) == Span(before(hours=1), before(minutes=45)), "cut off"
    over_midnight = rule(
        start_before_s=None, start_time=time(23, 30), end_before_s=None, end_time=time(0, 15)
    )
    assert span(over_midnight, duty(), BERLIN) == Span(
        before(hours=5, minutes=30), before(hours=4, minutes=45)
    )


def test_the_clock_that_is_put_forward_moves_nothing_but_itself() -> None:
    departs_at = datetime(2026, 3, 29, 3, 0, tzinfo=UTC)  # 05:00 summer time
    made = rule(start_before_s=None, start_time=time(1, 30), end_before_s=0)
    found = span(made, duty(departure_at=departs_at), BERLIN)
    assert found is not None
    assert found.start_at == datetime(2026, 3, 29, 0, 30, tzinfo=UTC)


def test_within_the_stay_or_not_at_all() -> None:
    made = rule(start_before_s=3600)
    late = duty(arrival_at=before(minutes=20))
    assert span(made, late, BERLIN) == Span(before(minutes=20), DEPARTS)
    assert span(made, duty(arrival_at=before(seconds=30)), BERLIN) is None


def test_what_makes_a_rule_meaningless() -> None:
    assert problems(rule()) == {}
    wrong = {
        "name": rule(name=" "),
        "power_w": rule(power_w=9e5),
        "vehicle_class": rule(vehicle_class="a", duty_key="b"),
        "start_before_s": rule(start_before_s=None),
        "end_before_s": rule(end_before_s=1790),
        "end_time": rule(
            start_before_s=None, start_time=time(4), end_before_s=None, end_time=time(4)
        ),
        "weekdays": rule(weekdays=(7,)),
        "until_day": replace(rule(), from_day=date(2026, 1, 1)),
    }
    for field, made in wrong.items():
        assert field in problems(made), field
    assert "start_before_s" in problems(rule(start_before_s=int(timedelta(days=1).total_seconds())))

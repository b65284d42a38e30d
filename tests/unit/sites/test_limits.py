"""Limits by time of day and date hold on the site's wall clock, on every day of the year."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voltyard.sites.limits import (
    changes,
    limit_w,
    limits_during,
    lowest_limit_ever_w,
    lowest_limit_w,
    lowest_limits_w,
)
from voltyard.sites.model import Node, NodeKind, NodeLimit, applies

BERLIN = ZoneInfo("Europe/Berlin")
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)  # 23 and 25 hours long


def local(day: date, hour: int, minute: int = 0, fold: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), BERLIN).replace(fold=fold)


def hours_that_apply(limit: NodeLimit, day: date) -> float:
    """Hours of the local day on which the limit holds, counted by the minute."""
    at = datetime.combine(day, time.min, BERLIN).astimezone(UTC)
    end = datetime.combine(day + timedelta(days=1), time.min, BERLIN).astimezone(UTC)
    minutes = 0
    while at < end:
        minutes += applies(limit, at, BERLIN)
        at += timedelta(minutes=1)
    return minutes / 60.0


def node(*limits: NodeLimit) -> Node:
    return Node(UUID(int=1), NodeKind.GRID, "grid", None, limits)


def test_the_end_of_a_window_is_outside_it() -> None:
    limit = NodeLimit(power_w=1.0, from_time=time(6), to_time=time(9))
    day = date(2026, 1, 14)
    assert not applies(limit, local(day, 5, 59), BERLIN)
    assert applies(limit, local(day, 6), BERLIN)
    assert applies(limit, local(day, 8, 59), BERLIN)
    assert not applies(limit, local(day, 9), BERLIN)


def test_the_instant_counts_whatever_zone_it_is_written_in() -> None:
    limit = NodeLimit(power_w=1.0, from_time=time(6), to_time=time(9))
    assert applies(limit, datetime(2026, 1, 14, 5, 30, tzinfo=UTC), BERLIN)
    assert applies(limit, datetime(2026, 7, 14, 4, 30, tzinfo=UTC), BERLIN)
    assert not applies(limit, datetime(2026, 7, 14, 7, 30, tzinfo=UTC), BERLIN)


def test_a_window_over_midnight_belongs_to_the_day_it_starts_on() -> None:
    friday = NodeLimit(power_w=1.0, from_time=time(22), to_time=time(6), weekdays=frozenset({4}))
    assert applies(friday, local(date(2026, 1, 16), 23), BERLIN)
    assert applies(friday, local(date(2026, 1, 17), 5, 59), BERLIN)
    assert not applies(friday, local(date(2026, 1, 16), 5), BERLIN)
    assert not applies(friday, local(date(2026, 1, 17), 22), BERLIN)


def test_last_valid_night_runs_on_into_the_next_morning() -> None:
    limit = NodeLimit(power_w=1.0, from_time=time(22), to_time=time(6), valid_to=date(2026, 1, 16))
    assert applies(limit, local(date(2026, 1, 17), 5), BERLIN)
    assert not applies(limit, local(date(2026, 1, 17), 23), BERLIN)


def test_open_ended_windows() -> None:
    until = NodeLimit(power_w=1.0, to_time=time(6))
    since = NodeLimit(power_w=1.0, from_time=time(22))
    whole = NodeLimit(power_w=1.0, from_time=time(0), to_time=time(0))
    day = date(2026, 1, 14)
    assert [applies(until, local(day, h), BERLIN) for h in (0, 5, 6)] == [True, True, False]
    assert [applies(since, local(day, h), BERLIN) for h in (0, 21, 22)] == [False, False, True]
    assert all(applies(whole, local(day, h), BERLIN) for h in range(24))


def test_dates_are_inclusive() -> None:
    limit = NodeLimit(power_w=1.0, valid_from=date(2026, 1, 14), valid_to=date(2026, 1, 15))
    days = [date(2026, 1, d) for d in (13, 14, 15, 16)]
    assert [applies(limit, local(d, 12), BERLIN) for d in days] == [False, True, True, False]


@pytest.mark.parametrize(
    ("day", "from_hour", "to_hour", "expected"),
    [
        (SPRING, 1, 4, 2.0),
        (AUTUMN, 1, 4, 4.0),
        (SPRING, 0, 0, 23.0),
        (AUTUMN, 0, 0, 25.0),
        (SPRING, 2, 3, 0.0),
        (AUTUMN, 2, 3, 2.0),
        (date(2026, 1, 14), 1, 4, 3.0),
    ],
)
def test_windows_on_days_of_23_and_25_hours(
    day: date, from_hour: int, to_hour: int, expected: float
) -> None:
    limit = NodeLimit(power_w=1.0, from_time=time(from_hour), to_time=time(to_hour))
    assert hours_that_apply(limit, day) == expected


def test_complementary_windows_leave_no_gap_on_any_night() -> None:
    day = NodeLimit(power_w=2.0, from_time=time(2, 30), to_time=time(22))
    night = NodeLimit(power_w=1.0, from_time=time(22), to_time=time(2, 30))
    for date_ in (SPRING, AUTUMN, date(2026, 6, 1)):
        both = hours_that_apply(day, date_) + hours_that_apply(night, date_)
        assert both == {SPRING: 23.0, AUTUMN: 25.0}.get(date_, 24.0)


def test_the_lowest_limit_that_applies_holds() -> None:
    place = node(
        NodeLimit(power_w=100.0),
        NodeLimit(power_w=40.0, from_time=time(17), to_time=time(19)),
        NodeLimit(power_w=300.0, from_time=time(18), to_time=time(20)),
    )
    day = date(2026, 1, 14)
    found = [limit_w(place, local(day, hour), BERLIN) for hour in (16, 17, 18, 19)]
    assert found == [100.0, 40.0, 40.0, 100.0]
    assert limit_w(node(), local(day, 1), BERLIN) == float("inf")
    assert lowest_limit_ever_w(place) == 40.0


def test_amps_count_as_balanced_total_power() -> None:
    assert limit_w(node(NodeLimit(current_a=100.0)), local(SPRING, 12), BERLIN) == 69_000.0


def test_a_limit_that_begins_at_the_end_of_an_interval_counts() -> None:
    place = node(
        NodeLimit(power_w=100.0), NodeLimit(power_w=40.0, from_time=time(17), to_time=time(19))
    )
    start = local(date(2026, 1, 14), 16, 50)
    assert lowest_limit_w(place, start, start + timedelta(minutes=9), BERLIN) == 100.0
    assert lowest_limit_w(place, start, start + timedelta(minutes=10), BERLIN) == 40.0
    assert len(limits_during(place, start, start + timedelta(minutes=10), BERLIN)) == 2


def test_slots_take_the_lowest_limit_within_them_only() -> None:
    place = node(
        NodeLimit(power_w=100.0), NodeLimit(power_w=40.0, from_time=time(17, 20), to_time=time(18))
    )
    start = local(date(2026, 1, 14), 17)
    bounds = [start + timedelta(minutes=15 * i) for i in range(6)]
    assert lowest_limits_w(place, bounds, BERLIN) == [100.0, 40.0, 40.0, 40.0, 100.0]


LIMITS = st.builds(
    NodeLimit,
    power_w=st.just(1.0),
    from_time=st.none() | st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    to_time=st.none() | st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    weekdays=st.frozensets(st.integers(0, 6), min_size=1),
    valid_from=st.none() | st.sampled_from([SPRING, AUTUMN]),
    valid_to=st.none() | st.sampled_from([AUTUMN, AUTUMN + timedelta(days=1)]),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(limit=LIMITS, day=st.sampled_from([SPRING, AUTUMN, date(2026, 7, 1)]))
def test_a_limit_changes_only_at_the_stated_instants(limit: NodeLimit, day: date) -> None:
    start = datetime.combine(day - timedelta(days=1), time(12), BERLIN).astimezone(UTC)
    end = start + timedelta(hours=48)
    marks = set(changes([limit], start, end, BERLIN))
    before = applies(limit, start, BERLIN)
    at = start
    while at < end:
        at += timedelta(minutes=1)
        after = applies(limit, at, BERLIN)
        assert after == before or at in marks
        before = after


@settings(max_examples=60, deadline=None, derandomize=True)
@given(limit=LIMITS, day=st.sampled_from([SPRING, AUTUMN]), minutes=st.integers(1, 600))
def test_lowest_limit_of_an_interval_is_that_of_its_worst_minute(
    limit: NodeLimit, day: date, minutes: int
) -> None:
    start = datetime.combine(day, time(0, 7), BERLIN).astimezone(UTC)
    each = [applies(limit, start + timedelta(minutes=i), BERLIN) for i in range(minutes + 1)]
    lowest = lowest_limit_w(node(limit), start, start + timedelta(minutes=minutes), BERLIN)
    assert lowest == (1.0 if any(each) else float("inf"))

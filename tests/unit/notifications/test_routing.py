"""Who is told, and when: sites, kinds, severity, hours on the site's clock, quiet, digests."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltyard.alerts.model import Alert, Severity
from voltyard.notifications.model import Channel, Digest, Quiet, Route, State, Target
from voltyard.notifications.routing import (
    Book,
    after_quiet,
    next_bundle,
    recipients,
    tells_end,
    when,
    within,
)

BERLIN = ZoneInfo("Europe/Berlin")
ORG, SITE, PERSON = uuid4(), uuid4(), uuid4()
NOON = datetime(2026, 1, 15, 11, 0, tzinfo=UTC)


def target(name: str, user_id: UUID | None = None, **more: Any) -> Target:
    return Target(uuid4(), ORG, name, Channel.EMAIL, "a@b.de", "a@b.de", user_id, **more)


def route(*targets: Target, **more: Any) -> Route:
    return Route(uuid4(), ORG, "r", target_ids=frozenset(t.id for t in targets), **more)


def alert(**more: Any) -> Alert:
    values = {"kind": "charger_offline", "severity": Severity.WARNING, "site_id": SITE, **more}
    return Alert(id=uuid4(), org_id=ORG, key="k", opened_at=NOON, **values)


def told(routes: list[Route], targets: list[Target], about: Alert | None = None) -> list[str]:
    book = Book({each.id: each for each in targets}, routes)
    return [each.target.name for each in recipients(book, about or alert(), NOON, BERLIN)]


@pytest.mark.parametrize(
    ("more", "reached"),
    [
        ({}, True),
        ({"site_ids": frozenset({SITE})}, True),
        ({"site_ids": frozenset({uuid4()})}, False),
        ({"kinds": frozenset({"charger_offline"})}, True),
        ({"kinds": frozenset({"limit_near"})}, False),
        ({"least": Severity.WARNING}, True),
        ({"least": Severity.CRITICAL}, False),
        ({"weekdays": frozenset({3})}, True),
        ({"weekdays": frozenset({4, 5, 6})}, False),
        ({"from_time": time(12), "until_time": time(12, 1)}, True),
        ({"from_time": time(11), "until_time": time(12)}, False),
        ({"enabled": False}, False),
    ],
)
def test_a_route_covers_what_it_says(more: dict[str, Any], reached: bool) -> None:
    desk = target("desk")
    assert told([route(desk, **more)], [desk]) == (["desk"] if reached else [])


def test_an_alert_of_no_site_does_not_pass_a_route_of_a_site() -> None:
    desk = target("desk")
    routes = [route(desk, site_ids=frozenset({SITE}))]
    assert told(routes, [desk], alert(site_id=None)) == []


def test_a_person_is_reached_at_each_target_of_theirs_and_each_target_once() -> None:
    phone, mail, desk = target("phone", PERSON), target("mail", PERSON), target("desk")
    off = target("off", PERSON, enabled=False)
    late = route(desk, phone, delay_min=30)
    soon = Route(uuid4(), ORG, "soon", user_ids=frozenset({PERSON}))
    targets = [phone, mail, desk, off]
    assert sorted(told([late, soon], targets)) == ["desk", "mail", "phone"]
    book = Book({each.id: each for each in targets}, [late, soon])
    delays = {t.target.name: t.route.delay_min for t in recipients(book, alert(), NOON, BERLIN)}
    assert delays == {"desk": 30, "phone": 0, "mail": 0}


def test_the_end_is_told_by_any_route_that_tells_it() -> None:
    desk = target("desk")
    silent, telling = (
        route(desk, tell_end=False),
        route(desk, from_time=time(1), until_time=time(2)),
    )
    assert not tells_end(Book({desk.id: desk}, [silent]), alert(), desk.id)
    assert tells_end(Book({desk.id: desk}, [silent, telling]), alert(), desk.id)


def test_hours_past_midnight_belong_to_the_day_before() -> None:
    night = route(weekdays=frozenset({4}), from_time=time(22), until_time=time(6))
    friday = datetime(2026, 1, 16, 23, 0, tzinfo=BERLIN)
    assert within(night, friday)
    assert within(night, friday + timedelta(hours=6))
    assert not within(night, friday + timedelta(hours=7))
    assert not within(night, friday - timedelta(hours=18))


@pytest.mark.parametrize(
    ("at", "ends"),
    [
        ((2026, 3, 28, 22, 0), (2026, 3, 29, 4, 0)),  # the hour that is missing
        ((2026, 10, 24, 21, 0), (2026, 10, 25, 5, 0)),  # the hour that comes twice
        ((2026, 1, 15, 4, 59), (2026, 1, 15, 5, 0)),
        ((2026, 1, 15, 5, 0), (2026, 1, 15, 5, 0)),
    ],
)
def test_quiet_ends_by_the_clock_on_the_wall(
    at: tuple[int, int, int, int, int], ends: tuple[int, int, int, int, int]
) -> None:
    quiet = Quiet(time(22), time(6))
    moment = datetime(*at, tzinfo=UTC)
    assert after_quiet(quiet, Severity.WARNING, moment, BERLIN) == datetime(*ends, tzinfo=UTC)
    assert after_quiet(quiet, Severity.CRITICAL, moment, BERLIN) == moment


def test_quiet_that_ends_in_the_missing_hour_ends_all_the_same() -> None:
    at = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    ends = after_quiet(Quiet(time(0), time(2, 30)), Severity.INFO, at, BERLIN)
    assert timedelta(0) < ends - at <= timedelta(hours=1)


@given(
    st.timedeltas(timedelta(0), timedelta(days=364)).map(lambda passed: NOON + passed),
    st.times(), st.times(),
)  # fmt: skip
def test_quiet_never_ends_in_the_past_nor_later_than_a_day(
    at: datetime, start: time, end: time
) -> None:
    ends = after_quiet(Quiet(start, end), Severity.INFO, at, BERLIN)
    assert timedelta(0) <= ends - at <= timedelta(hours=25)


def test_bundles_leave_at_full_intervals_or_each_morning() -> None:
    at = datetime(2026, 10, 24, 4, 7, tzinfo=UTC)
    assert next_bundle(Digest(every_min=15), at, BERLIN) == at.replace(minute=15)
    morning = Digest(at=time(7))
    first = next_bundle(morning, at, BERLIN)
    assert first.astimezone(BERLIN).time() == time(7)
    second = next_bundle(morning, first, BERLIN)
    assert second - first == timedelta(hours=25)


def test_what_is_severe_does_not_wait_for_the_bundle() -> None:
    desk = target("desk", digest=Digest(every_min=60, most=Severity.INFO))
    assert when(desk, Severity.WARNING, NOON, BERLIN) == (State.WAITING, NOON)
    state, due_at = when(desk, Severity.INFO, NOON, BERLIN)
    assert (state, due_at) == (State.HELD, NOON + timedelta(hours=1))
    night = replace(desk, quiet=Quiet(time(12), time(18)))
    assert when(night, Severity.INFO, NOON, BERLIN)[1] == NOON + timedelta(hours=6)

"""The days of a series by the site's own clock, also on days that clocks change."""

from datetime import UTC, date, datetime, time
from uuid import UUID
from zoneinfo import ZoneInfo

from voltyard.bookings.model import Series
from voltyard.bookings.recurring import Occurrence, occurrences

BERLIN = ZoneInfo("Europe/Berlin")
AN_ID = UUID(int=1)


def series(begins: time, ends: time, weekdays: tuple[int, ...] = tuple(range(7))) -> Series:
    return Series(
        AN_ID, AN_ID, AN_ID, AN_ID, weekdays, begins, ends, date(2026, 1, 1), None,
        "somebody", datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def on(found: Series, day: date) -> Occurrence:
    (one,) = occurrences(found, BERLIN, day, day)
    return one


def test_a_night_ends_on_the_next_day() -> None:
    one = on(series(time(22), time(5)), date(2026, 7, 1))
    assert one.from_at == datetime(2026, 7, 1, 20, tzinfo=UTC)
    assert one.until_at == datetime(2026, 7, 2, 3, tzinfo=UTC)


def test_nights_in_which_clocks_change_keep_their_local_ends() -> None:
    spring = on(series(time(22), time(5)), date(2026, 3, 28))
    assert (spring.until_at - spring.from_at).total_seconds() == 6 * 3600
    autumn = on(series(time(22), time(5)), date(2026, 10, 24))
    assert (autumn.until_at - autumn.from_at).total_seconds() == 8 * 3600


def test_an_hour_that_is_skipped_or_comes_twice_cuts_nothing_off() -> None:
    skipped = on(series(time(2, 30), time(6)), date(2026, 3, 29))
    assert skipped.from_at == datetime(2026, 3, 29, 1, 30, tzinfo=UTC), "03:30 by summer time"
    twice = on(series(time(1), time(2, 30)), date(2026, 10, 25))
    assert twice.until_at == datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "the second 02:30"
    begins = on(series(time(2, 30), time(6)), date(2026, 10, 25))
    assert begins.from_at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "the first 02:30"


def test_only_its_days_between_its_ends() -> None:
    found = occurrences(
        series(time(8), time(9), (0, 4)), BERLIN, date(2025, 12, 20), date(2026, 1, 12)
    )
    assert [one.on for one in found] == [date(2026, 1, d) for d in (2, 5, 9, 12)]

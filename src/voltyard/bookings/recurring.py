"""The days of a series become bookings, by the site's own clock. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from voltyard.bookings.model import Series


@dataclass(frozen=True, slots=True)
class Occurrence:
    on: date
    from_at: datetime
    until_at: datetime


def occurrences(series: Series, zone: ZoneInfo, first: date, last: date) -> Iterator[Occurrence]:
    """Those that begin on a day from ``first`` to ``last``.

    A local time that a change of clocks skips is the instant that much later; of one that comes
    twice the first counts for the beginning and the second for the end, so that nothing is cut off.
    """
    day = max(first, series.first_on)
    until = last if series.last_on is None else min(last, series.last_on)
    while day <= until:
        if day.weekday() in series.weekdays:
            ends_on = day if series.ends > series.begins else day + timedelta(days=1)
            from_at = _instant(day, series.begins, zone, fold=0)
            until_at = _instant(ends_on, series.ends, zone, fold=1)
            if until_at > from_at:
                yield Occurrence(day, from_at, until_at)
        day += timedelta(days=1)


def _instant(day: date, at: time, zone: ZoneInfo, *, fold: int) -> datetime:
    local = datetime.combine(day, at.replace(tzinfo=None, fold=fold), tzinfo=zone)
    skipped = local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local.replace(
        tzinfo=None
    )
    if skipped:
        local = local.replace(fold=0)
    return local.astimezone(UTC)

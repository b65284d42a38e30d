"""What a node of the tree allows at an instant or over an interval, on the site's wall clock."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from math import inf
from zoneinfo import ZoneInfo

from voltyard.sites.model import Node, NodeLimit, applies


def limit_w(node: Node, at: datetime, zone: ZoneInfo) -> float:
    """Lowest total power of the limits that hold at ``at``; infinite when none does."""
    return min((li.total_w for li in node.limits if applies(li, at, zone)), default=inf)


def limits_during(
    node: Node, start_at: datetime, end_at: datetime, zone: ZoneInfo
) -> tuple[NodeLimit, ...]:
    """Every limit that holds at some instant of [start_at, end_at]."""
    timed = [li for li in node.limits if not li.is_constant]
    if not timed:
        return node.limits
    instants = [start_at, *changes(timed, start_at, end_at, zone)]
    return tuple(
        li for li in node.limits if li.is_constant or any(applies(li, at, zone) for at in instants)
    )


def lowest_limit_w(node: Node, start_at: datetime, end_at: datetime, zone: ZoneInfo) -> float:
    """Lowest total power at any instant of [start_at, end_at]; infinite when never limited."""
    found = limits_during(node, start_at, end_at, zone)
    return min((limit.total_w for limit in found), default=inf)


def lowest_limits_w(node: Node, bounds: Sequence[datetime], zone: ZoneInfo) -> list[float]:
    """Lowest total power over each slot [bounds[i], bounds[i+1]) of ascending ``bounds``."""
    slots = len(bounds) - 1
    base = min((li.total_w for li in node.limits if li.is_constant), default=inf)
    timed = [li for li in node.limits if not li.is_constant]
    lowest = [base] * slots
    if not timed or slots <= 0:
        return lowest
    changing = changes(timed, bounds[0], bounds[-1], zone)
    position = 0
    for index in range(slots):
        instants = [bounds[index]]
        while position < len(changing) and changing[position] < bounds[index + 1]:
            instants.append(changing[position])
            position += 1
        for limit in timed:
            if limit.total_w < lowest[index] and any(applies(limit, at, zone) for at in instants):
                lowest[index] = limit.total_w
    return lowest


def lowest_limit_ever_w(node: Node, since: date | None = None) -> float:
    """Lowest total power that may ever hold, leaving out limits that ended before ``since``."""
    return min((limit.total_w for limit in limits_ever(node, since)), default=inf)


def limits_ever(node: Node, since: date | None = None) -> tuple[NodeLimit, ...]:
    """Limits that may hold on ``since`` (a local day) or later; all of them without a day."""
    if since is None:
        return node.limits
    # An overnight window of the day before may still hold on `since`.
    first = since - timedelta(days=1)
    return tuple(li for li in node.limits if li.valid_to is None or li.valid_to >= first)


def changes(
    limits: Iterable[NodeLimit], start_at: datetime, end_at: datetime, zone: ZoneInfo
) -> list[datetime]:
    """Instants in (start_at, end_at], ascending, at which one of ``limits`` may begin or end."""
    times = {time.min}
    for limit in limits:
        times.update(t for t in (limit.from_time, limit.to_time) if t is not None)
    found: set[datetime] = set()
    day = start_at.astimezone(zone).date() - timedelta(days=1)
    last = end_at.astimezone(zone).date() + timedelta(days=1)
    while day <= last:
        for wall in times:
            found.update(_instants(day, wall, zone))
        shift = _clock_shift(day, zone)
        if shift is not None:
            found.add(shift)
        day += timedelta(days=1)
    start, end = start_at.astimezone(UTC), end_at.astimezone(UTC)
    return sorted(at for at in found if start < at <= end)


@lru_cache(maxsize=4096)
def _instants(day: date, wall: time, zone: ZoneInfo) -> tuple[datetime, ...]:
    """The instants at which the site's clock shows ``wall`` on ``day`` (two when it repeats)."""
    local = datetime.combine(day, wall, zone)
    return (local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC))


@lru_cache(maxsize=256)
def _clock_shift(day: date, zone: ZoneInfo) -> datetime | None:
    """The instant at which the UTC offset changes within ``day``, to the second."""
    low = datetime.combine(day, time.min, zone).astimezone(UTC)
    high = datetime.combine(day + timedelta(days=1), time.min, zone).astimezone(UTC)
    before = low.astimezone(zone).utcoffset()
    if high.astimezone(zone).utcoffset() == before:
        return None
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high

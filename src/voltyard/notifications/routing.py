"""Who is told of an alert, and when: routes, hours of quiet, bundles. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from voltyard.alerts.model import Alert, Severity
from voltyard.notifications.model import Digest, Quiet, Route, State, Target

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Book:
    """The targets and routes of one organisation."""

    targets: Mapping[UUID, Target] = field(default_factory=dict)
    routes: Sequence[Route] = ()

    def of_route(self, route: Route) -> Iterator[Target]:
        """Enabled ones, each once, in a fixed order."""
        for target in self.targets.values():
            named = target.id in route.target_ids or target.user_id in route.user_ids
            if named and target.enabled:
                yield target


@dataclass(frozen=True, slots=True)
class Told:
    """A target, the route that leads to it, and how long to wait first."""

    target: Target
    route: Route


def recipients(book: Book, alert: Alert, now: datetime, zone: ZoneInfo) -> list[Told]:
    """Each target once, by the route that tells it soonest."""
    found: dict[UUID, Told] = {}
    for route in book.routes:
        if not matches(route, alert, now, zone):
            continue
        for target in book.of_route(route):
            known = found.get(target.id)
            if known is None or route.delay_min < known.route.delay_min:
                found[target.id] = Told(target, route)
    return list(found.values())


def tells_end(book: Book, alert: Alert, target_id: UUID) -> bool:
    """Whether a target that was told of an alert is told of its end, whatever the time of day."""
    return any(
        route.tell_end and route.enabled and covers(route, alert)
        for route in book.routes
        if any(target.id == target_id for target in book.of_route(route))
    )


def matches(route: Route, alert: Alert, now: datetime, zone: ZoneInfo) -> bool:
    return (
        route.enabled
        and covers(route, alert)
        and alert.severity.rank >= route.least.rank
        and within(route, now.astimezone(zone))
    )


def covers(route: Route, alert: Alert) -> bool:
    if route.site_ids and alert.site_id not in route.site_ids:
        return False
    return not route.kinds or alert.kind in route.kinds


def within(route: Route, local: datetime) -> bool:
    """Whether a wall clock is in the route's hours; those past midnight belong to the day before.

    One bound alone is until, or from, midnight.
    """
    from_time, until_time = route.from_time or time(0), route.until_time or time(0)
    clock, day = local.time(), local.weekday()
    if from_time == until_time:
        inside = True
    elif until_time == time(0) or from_time < until_time:
        inside = clock >= from_time and (until_time == time(0) or clock < until_time)
    else:
        inside = clock >= from_time or clock < until_time
        if clock < until_time:
            day = (day - 1) % 7
    return inside and (not route.weekdays or day in route.weekdays)


def when(
    target: Target, severity: Severity, at: datetime, zone: ZoneInfo
) -> tuple[State, datetime]:
    """At once, after the hours of quiet, or with the next bundle (which respects them too)."""
    if target.digest.on and severity.rank <= target.digest.most.rank:
        slot = next_bundle(target.digest, at, zone)
        return State.HELD, after_quiet(target.quiet, Severity.INFO, slot, zone)
    return State.WAITING, after_quiet(target.quiet, severity, at, zone)


def after_quiet(quiet: Quiet, severity: Severity, at: datetime, zone: ZoneInfo) -> datetime:
    """The end of the hours of quiet that ``at`` lies in; ``at`` itself outside of them."""
    start, end = quiet.from_time, quiet.until_time
    if start is None or end is None or start == end or severity.rank >= quiet.least.rank:
        return at
    local = at.astimezone(zone)
    clock = local.time()
    if start < end:
        return _at(local, end, zone) if start <= clock < end else at
    if clock >= start:
        return _at(local + DAY, end, zone)
    return _at(local, end, zone) if clock < end else at


def next_bundle(digest: Digest, at: datetime, zone: ZoneInfo) -> datetime:
    """The next full interval of the clock, or the next time of day, after ``at``."""
    if digest.every_min > 0:
        step_s = digest.every_min * 60
        return datetime.fromtimestamp((int(at.timestamp()) // step_s + 1) * step_s, UTC)
    assert digest.at is not None
    local = at.astimezone(zone)
    today = _at(local, digest.at, zone)
    return today if today > at else _at(local + DAY, digest.at, zone)


def _at(local: datetime, clock: time, zone: ZoneInfo) -> datetime:
    """That time on the day of ``local``. A time that the clock jumps over counts as it would have
    been; of one that comes twice, the first."""
    return datetime.combine(local.date(), clock, tzinfo=zone).astimezone(UTC)

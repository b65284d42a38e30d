"""Which rule counts for a departure, and from when to when it runs. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from voltyard.preconditioning.model import LONGEST, SHORTEST, Channel, Rule
from voltyard.timetable.model import Duty

_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Span:
    start_at: datetime
    end_at: datetime


def fitting(
    rules: Iterable[Rule], duty: Duty, vehicle_class: str, zone: ZoneInfo
) -> dict[Channel, Rule]:
    """By channel, the narrowest rule that is for this departure; of equals the first by name."""
    local = duty.departure_at.astimezone(zone).date()
    mine = [rule for rule in rules if _is_for(rule, duty, vehicle_class) and _is_on(rule, local)]
    mine.sort(key=lambda rule: (-_narrowness(rule), rule.name, rule.id))
    found: dict[Channel, Rule] = {}
    for rule in mine:
        found.setdefault(rule.kind.channel, rule)
    return found


def _is_for(rule: Rule, duty: Duty, vehicle_class: str) -> bool:
    if not rule.enabled or rule.site_id not in (None, duty.site_id):
        return False
    if rule.vehicle_id is not None:
        return rule.vehicle_id == duty.vehicle_id
    if rule.vehicle_class:
        return rule.vehicle_class.casefold() == vehicle_class.casefold()
    return not rule.duty_key or matches(rule.duty_key, duty.external_id)


def matches(key: str, external_id: str) -> bool:
    if key.endswith("*"):
        return external_id.casefold().startswith(key[:-1].casefold())
    return external_id.casefold() == key.casefold()


def _is_on(rule: Rule, day: date) -> bool:
    if rule.weekdays and day.weekday() not in rule.weekdays:
        return False
    if rule.from_day is None or rule.until_day is None:
        return True
    first, last, today = ((one.month, one.day) for one in (rule.from_day, rule.until_day, day))
    if first <= last:
        return first <= today <= last
    return today >= first or today <= last


def _narrowness(rule: Rule) -> int:
    if rule.duty_key:
        exact = not rule.duty_key.endswith("*")
        return 40 + exact
    if rule.vehicle_id is not None:
        return 30
    return (20 if rule.vehicle_class else 10) + (rule.site_id is not None)


def span(rule: Rule, duty: Duty, zone: ZoneInfo) -> Span | None:
    """When it runs before this departure; None where nothing is left of it."""
    departs_at = duty.departure_at
    if rule.start_time is not None:
        start_at = _last_before(rule.start_time, departs_at, zone)
    else:
        start_at = departs_at - timedelta(seconds=rule.start_before_s or 0)
    if rule.end_time is not None:
        end_at = _first_after(rule.end_time, start_at, zone)
    else:
        end_at = departs_at - timedelta(seconds=rule.end_before_s or 0)
    return clipped(start_at, end_at, duty)


def clipped(start_at: datetime, end_at: datetime, duty: Duty) -> Span | None:
    """Within the stay and not too long; None where less than a minute is left."""
    end_at = min(end_at, duty.departure_at)
    start_at = max(start_at, duty.arrival_at, end_at - LONGEST)
    return Span(start_at, end_at) if end_at - start_at >= SHORTEST else None


def _last_before(at: time, moment: datetime, zone: ZoneInfo) -> datetime:
    day = moment.astimezone(zone).date()
    found = _on(day, at, zone)
    return found if found < moment else _on(day - timedelta(days=1), at, zone)


def _first_after(at: time, moment: datetime, zone: ZoneInfo) -> datetime:
    day = moment.astimezone(zone).date()
    found = _on(day, at, zone)
    return found if found > moment else _on(day + timedelta(days=1), at, zone)


def _on(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(_UTC)

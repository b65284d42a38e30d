"""Who may charge where and when: rules of a site, an area or an outlet, judged in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

DAY_MINUTES = 24 * 60


class Whom(StrEnum):
    """``fleet``: every token on record; ``guests``: whoever brings none that is."""

    EVERYONE = "everyone"
    FLEET = "fleet"
    OWN = "own"
    OPERATORS = "operators"
    GROUPS = "groups"
    TOKENS = "tokens"
    GUESTS = "guests"


@dataclass(frozen=True, slots=True)
class AccessRule:
    """The first rule that fits decides: an outlet's before its area's before its site's.

    ``operator_ids`` (empty: all) for ``operators``; ``names`` are groups or token values.
    ``weekdays``: 0 is Monday, empty is every day. From ``from_minute`` to ``until_minute`` of the
    site's day, over midnight where the end comes first; a window belongs to the day it begins.
    ``keep_free``: whom it lets in must leave so many outlets of its place free.
    """

    id: UUID
    org_id: UUID
    site_id: UUID
    name: str
    whom: Whom
    allow: bool
    area_id: UUID | None = None
    evse_id: UUID | None = None
    position: int = 0
    active: bool = True
    operator_ids: tuple[UUID, ...] = ()
    names: tuple[str, ...] = ()
    weekdays: tuple[int, ...] = ()
    from_minute: int | None = None
    until_minute: int | None = None
    keep_free: int = 0

    @property
    def breadth(self) -> int:
        return 0 if self.evse_id else 1 if self.area_id else 2

    @property
    def timed(self) -> bool:
        return bool(self.weekdays) or self.from_minute is not None

    def covers(self, evse_id: UUID, area_id: UUID | None) -> bool:
        if self.evse_id is not None:
            return self.evse_id == evse_id
        return self.area_id is None or self.area_id == area_id

    def holds_at(self, local: datetime) -> bool:
        """Whether ``local`` (of the site) is within its days and hours."""
        minute = local.hour * 60 + local.minute
        day = local.weekday()
        if self.from_minute is not None and self.until_minute is not None:
            over_midnight = self.until_minute <= self.from_minute
            if over_midnight and minute < self.until_minute:
                day = (day - 1) % 7
            elif minute < self.from_minute or (not over_midnight and minute >= self.until_minute):
                return False
        return not self.weekdays or day in self.weekdays


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks to charge. ``org_id`` None: nobody on record. ``token`` and ``group`` as kept."""

    org_id: UUID | None = None
    token: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Outlet:
    """One outlet to be judged."""

    evse_id: UUID
    number: int
    area_id: UUID | None


class Refused(StrEnum):
    """Why not; what people read is said elsewhere."""

    BOUND = "the area is kept for other operators"
    RULE = "a rule of the site keeps it out"
    FULL = "the last free outlets are kept for the fleet"


@dataclass(frozen=True, slots=True)
class Decision:
    """``rule`` is the one that decided, None where none did."""

    refused: Refused | None = None
    rule: AccessRule | None = None


def in_order(rules: Sequence[AccessRule]) -> tuple[AccessRule, ...]:
    """As they are asked: the narrowest first."""
    return tuple(sorted(rules, key=lambda rule: (rule.breadth, rule.position, rule.name, rule.id)))


def fits(rule: AccessRule, visitor: Visitor) -> bool:
    """Whether the rule is about the visitor."""
    match rule.whom:
        case Whom.EVERYONE:
            return True
        case Whom.GUESTS:
            return visitor.org_id is None
        case Whom.FLEET:
            return visitor.org_id is not None
        case Whom.OWN:
            return visitor.org_id == rule.org_id
        case Whom.OPERATORS:
            below = visitor.org_id is not None and visitor.org_id != rule.org_id
            return below and (not rule.operator_ids or visitor.org_id in rule.operator_ids)
        case Whom.GROUPS:
            group = visitor.group.casefold()
            return bool(group) and group in (name.casefold() for name in rule.names)
        case Whom.TOKENS:
            token = visitor.token.casefold()
            return bool(token) and token in (name.casefold() for name in rule.names)


def deciding(
    rules: Sequence[AccessRule], visitor: Visitor, outlet: Outlet, local: datetime
) -> AccessRule | None:
    """Of rules in order, the first that is about this visitor, outlet and moment."""
    return next(
        (
            rule
            for rule in rules
            if rule.active
            and rule.covers(outlet.evse_id, outlet.area_id)
            and fits(rule, visitor)
            and rule.holds_at(local)
        ),
        None,
    )


def next_change(rules: Sequence[AccessRule], now: datetime, zone: ZoneInfo) -> datetime | None:
    """When the rules may say something else at the earliest; None while they name no times."""
    minutes = {0} if any(rule.active and rule.weekdays for rule in rules) else set()
    for rule in rules:
        if rule.active and rule.from_minute is not None and rule.until_minute is not None:
            minutes |= {rule.from_minute, rule.until_minute % DAY_MINUTES}
    if not minutes:
        return None
    local = now.astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    ahead = [
        (midnight + timedelta(days=day)).replace(hour=minute // 60, minute=minute % 60)
        for day in (0, 1)
        for minute in minutes
    ]
    return min((found for at in ahead if (found := at.astimezone(UTC)) > now), default=None)

"""What both OCPP versions share of a limit: its unit, its value and when it holds."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from voltyard.chargers.commands import LimitPurpose, SetLimit
from voltyard.chargers.model import PowerMode
from voltyard.errors import Invalid

# A schedule begins in the past, so that a charger whose clock is late obeys at once: one that
# stays a whole day, so that not even local time taken for UTC leaves a charger without a limit.
STANDING_SLACK = timedelta(days=1)
PASSING_SLACK = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Flat:
    """One period from ``start_at``; ``duration_s`` counts from there, ``until_at`` ends it."""

    unit: str
    limit: float | int
    start_at: datetime
    duration_s: int | None
    until_at: datetime | None


def flat(command: SetLimit, now: datetime) -> Flat:
    """Raises Invalid for a limit no charger could understand."""
    _check_value(command)
    slack = STANDING_SLACK if command.valid_s is None else PASSING_SLACK
    start_at = command.start_at or now - slack
    if command.limit_w is not None:
        unit, limit = "W", command.limit_w
    else:
        assert command.limit_a is not None
        unit, limit = "A", command.limit_a
    if command.valid_s is None:
        return Flat(unit, _tenths(limit), start_at, None, None)
    until_at = (command.start_at or now) + timedelta(seconds=command.valid_s)
    duration_s = max(1, round((until_at - start_at).total_seconds()))
    return Flat(unit, _tenths(limit), start_at, duration_s, until_at)


def check(command: SetLimit) -> None:
    """Raises Invalid for a limit sent alone; one that a start carries has no transaction yet."""
    if command.purpose is LimitPurpose.TX and command.transaction_ref is None:
        raise Invalid("a limit of a transaction needs the transaction")


def _check_value(command: SetLimit) -> None:
    if command.mode is not PowerMode.LIMIT or command.dynamic is not None:
        raise Invalid("only OCPP 2.1 knows setpoints and limits that are updated")
    if (command.limit_w is None) == (command.limit_a is None):
        raise Invalid("a limit is either in W or in A")
    limit = command.limit_w if command.limit_w is not None else command.limit_a
    if limit is None or not math.isfinite(limit) or limit < 0:
        raise Invalid("a limit is a number that is not negative")
    if command.purpose is LimitPurpose.STATION_MAX and command.evse_number != 0:
        raise Invalid("a limit of the whole station goes to EVSE 0")
    if command.purpose is LimitPurpose.TX and command.evse_number == 0:
        raise Invalid("a limit of a transaction needs its EVSE")


def _tenths(limit: float) -> float | int:
    """Never more than asked, at most one decimal (1.6 ChargingSchedulePeriod), whole if it is."""
    tenths = math.floor(limit * 10 + 1e-6)
    return tenths // 10 if tenths % 10 == 0 else tenths / 10


def replaces(command: SetLimit) -> tuple[object, ...]:
    """Two limits with the same key: the later makes the earlier pointless."""
    return (
        "limit",
        command.evse_number,
        command.purpose,
        command.stack_level,
        command.profile_id,
        command.transaction_ref,
    )

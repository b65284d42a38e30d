"""What can be asked of the bookings room, and its rules."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from voltyard.bookings.model import Mode
from voltyard.errors import Invalid

LONGEST = timedelta(days=31)
AHEAD_MAX = timedelta(days=366)
PAST_MAX = timedelta(days=1)
BUFFER_MAX_S = 4 * 3600
REASON_MAX = 300
NOTE_MAX = 300
TOKEN_MAX = 255


@dataclass(frozen=True, slots=True)
class Whom:
    """A vehicle or a token, at a bay or an outlet: one of each pair."""

    bay_id: UUID | None = None
    evse_id: UUID | None = None
    vehicle_id: UUID | None = None
    token: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class NewBooking:
    site_id: UUID
    whom: Whom
    from_at: datetime
    until_at: datetime


@dataclass(frozen=True, slots=True)
class NewSeries:
    """``weekdays``: 0 is Monday; ``begins`` and ``ends`` by the site's clock."""

    site_id: UUID
    whom: Whom
    weekdays: tuple[int, ...]
    begins: time
    ends: time
    first_on: date
    last_on: date | None = None


@dataclass(frozen=True, slots=True)
class RulesDraft:
    mode: Mode
    before_s: int = 600
    after_s: int = 0
    end_at_departure: bool = True
    from_duties: bool = True
    on_charger: bool = False


def checked_whom(whom: Whom) -> dict[str, str]:
    wrong: dict[str, str] = {}
    if (whom.bay_id is None) == (whom.evse_id is None):
        wrong["place"] = "name a bay or an outlet"
    token = whom.token.strip()
    if (whom.vehicle_id is None) == (not token):
        wrong["vehicle_id"] = "name a vehicle or a token"
    elif len(token) > TOKEN_MAX or (token and not token.isprintable()):
        wrong["token"] = f"at most {TOKEN_MAX} printable characters"
    if len(whom.note) > NOTE_MAX:
        wrong["note"] = f"at most {NOTE_MAX} characters"
    return wrong


def check_booking(new: NewBooking, now: datetime) -> None:
    """Invalid names every wrong field."""
    wrong = checked_whom(new.whom)
    for field in ("from_at", "until_at"):
        if getattr(new, field).tzinfo is None:
            wrong[field] = "needs a UTC offset"
    if not wrong.keys() & {"from_at", "until_at"}:
        wrong |= _window(new.from_at, new.until_at, now)
    if wrong:
        raise Invalid("The booking is not valid.", code="booking_invalid", fields=wrong)


def _window(from_at: datetime, until_at: datetime, now: datetime) -> dict[str, str]:
    if until_at <= from_at:
        return {"until_at": "must be after its beginning"}
    if until_at - from_at > LONGEST:
        return {"until_at": f"at most {LONGEST.days} days long"}
    if until_at <= now:
        return {"until_at": "is over already"}
    if from_at < now - PAST_MAX:
        return {"from_at": "began more than a day ago"}
    return {"from_at": f"at most {AHEAD_MAX.days} days ahead"} if from_at - now > AHEAD_MAX else {}


def check_series(new: NewSeries, today: date) -> None:
    wrong = checked_whom(new.whom)
    if not new.weekdays or not set(new.weekdays) <= set(range(7)):
        wrong["weekdays"] = "choose one day at least"
    if new.last_on is not None and new.last_on < new.first_on:
        wrong["last_on"] = "is before the first day"
    elif new.last_on is not None and new.last_on < today:
        wrong["last_on"] = "is over already"
    if abs((new.first_on - today).days) > AHEAD_MAX.days:
        wrong["first_on"] = f"at most {AHEAD_MAX.days} days from today"
    if wrong:
        raise Invalid("The series is not valid.", code="series_invalid", fields=wrong)


def check_rules(draft: RulesDraft) -> None:
    wrong = {
        field: f"0 to {BUFFER_MAX_S // 60} minutes"
        for field in ("before_s", "after_s")
        if not 0 <= getattr(draft, field) <= BUFFER_MAX_S
    }
    if wrong:
        raise Invalid("The rules are not valid.", code="rules_invalid", fields=wrong)


def checked_reason(reason: str) -> str:
    """Whoever lets another in says why."""
    reason = reason.strip()
    if not reason or len(reason) > REASON_MAX:
        fields = {"reason": f"1 to {REASON_MAX} characters"}
        raise Invalid("Say why.", code="reason_invalid", fields=fields)
    return reason

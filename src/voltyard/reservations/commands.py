"""What can be asked of the reservations room, and its rules."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.errors import Invalid
from voltyard.sessions.model import TokenKind

LONGEST = timedelta(days=7)
AHEAD_MAX = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class NewReservation:
    """``evse_id`` None: any outlet of the station. ``from_at`` None: from now on."""

    station_id: UUID
    token: str
    until_at: datetime
    evse_id: UUID | None = None
    token_kind: str = TokenKind.RFID.value
    from_at: datetime | None = None
    connector_type: str | None = None


def checked(new: NewReservation, now: datetime) -> datetime:
    """When it begins. Invalid names every wrong field."""
    wrong: dict[str, str] = {}
    token = new.token.strip()
    if not token or len(token) > 255 or not token.isprintable():
        wrong["token"] = "1 to 255 printable characters"
    if new.token_kind not in set(TokenKind) - {TokenKind.NONE}:
        wrong["token_kind"] = f"one of {', '.join(sorted(set(TokenKind) - {TokenKind.NONE}))}"
    for field in ("from_at", "until_at"):
        at = getattr(new, field)
        if at is not None and at.tzinfo is None:
            wrong[field] = "needs a UTC offset"
    if wrong:
        raise Invalid("The reservation is not valid.", fields=wrong)
    from_at = now if new.from_at is None else max(now, new.from_at)
    if new.until_at <= from_at:
        wrong["until_at"] = "is over already, or before its beginning"
    elif new.until_at - from_at > LONGEST:
        wrong["until_at"] = f"at most {LONGEST.days} days long"
    if from_at - now > AHEAD_MAX:
        wrong["from_at"] = f"at most {AHEAD_MAX.days} days ahead"
    if wrong:
        raise Invalid("The reservation is not valid.", fields=wrong)
    return from_at

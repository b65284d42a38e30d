"""Instants as chargers write them: read leniently, never trusted blindly."""

import re
from datetime import UTC, datetime, timedelta

EARLIEST = datetime(2010, 1, 1, tzinfo=UTC)
AHEAD_MAX = timedelta(days=1)
_NO_FLAGS: tuple[str, ...] = ()
NO_TIME = frozenset(
    {"timestamp_missing", "timestamp_absurd", "timestamp_ahead", "timestamp_unreadable"}
)
"""What is flagged where the instant became ``received_at``."""
_FRACTION = re.compile(r"(\.\d{6})\d+")


def read_instant(text: str | None, received_at: datetime) -> tuple[datetime, tuple[str, ...]]:
    """The instant in UTC, and what was odd about it.

    No zone counts as UTC. A missing, unreadable or absurd instant (before 2010, as a charger
    that lost its clock says 1970, or more than a day ahead) becomes ``received_at``.
    """
    if text is None:
        return received_at, ("timestamp_missing",)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return _odd_form(text, received_at)
    if at.tzinfo is None:
        return _sane(at.replace(tzinfo=UTC), received_at, ("timestamp_without_zone",))
    return _sane(at, received_at, _NO_FLAGS)


def _sane(
    at: datetime, received_at: datetime, flags: tuple[str, ...]
) -> tuple[datetime, tuple[str, ...]]:
    if at < EARLIEST:
        return received_at, (*flags, "timestamp_absurd")
    if at > received_at + AHEAD_MAX:
        return received_at, (*flags, "timestamp_ahead")
    return at if at.tzinfo is UTC else at.astimezone(UTC), flags


def _odd_form(text: str, received_at: datetime) -> tuple[datetime, tuple[str, ...]]:
    """Forms seen in the field: spaces around, more than six decimals, " UTC", epoch seconds."""
    tidy = _FRACTION.sub(r"\1", text.strip().upper().replace(" UTC", "Z").replace(" Z", "Z"))
    at = _parsed(tidy)
    if at is None:
        return received_at, ("timestamp_unreadable",)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return _sane(at, received_at, ("timestamp_form",))


def _parsed(tidy: str) -> datetime | None:
    try:
        if tidy.isdigit() and len(tidy) in (10, 13):
            seconds = int(tidy) / (1000 if len(tidy) == 13 else 1)
            return datetime.fromtimestamp(seconds, UTC)
        return datetime.fromisoformat(tidy)
    except (ValueError, OverflowError):
        return None

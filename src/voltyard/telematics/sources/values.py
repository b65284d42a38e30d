"""Values of JSON that somebody else wrote, read without surprises. Pure."""

from datetime import UTC, datetime
from math import isfinite

TEXT_MAX = 200


def text(value: object) -> str:
    """Numbers too; everything else is nothing."""
    if isinstance(value, str):
        return value.strip()[:TEXT_MAX].replace("\x00", "")
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if isfinite(found) else None


def instant(value: object) -> datetime | None:
    """ISO 8601 with an offset; without one it is UTC."""
    if not isinstance(value, str) or not value:
        return None
    try:
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None

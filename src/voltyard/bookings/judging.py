"""What bookings mean for a vehicle that begins, and for one that charges. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from voltyard.bookings.model import Booking, Shown


@dataclass(frozen=True, slots=True)
class Conflict:
    """``booking`` is another's, or with ``own`` the vehicle's, whose time is over."""

    booking: Booking
    own: bool = False


def of_start(bookings: Iterable[Booking], shown: Shown, now: datetime) -> Conflict | None:
    """What keeps it from a place now; one of its own that keeps the place lets it in."""
    keeping = sorted(
        (booking for booking in bookings if booking.keeps(now)), key=lambda b: (b.from_at, b.id)
    )
    if any(booking.is_for(shown) for booking in keeping):
        return None
    return Conflict(keeping[0]) if keeping else None


def of_session(
    bookings: Iterable[Booking],
    shown: Shown,
    started_at: datetime,
    now: datetime,
    *,
    end_at_departure: bool,
) -> Conflict | None:
    """Why a session should end: another is due there, or its own booking ended while it ran."""
    known = list(bookings)
    conflict = of_start(known, shown, now)
    if conflict is not None or not end_at_departure:
        return conflict
    mine = [b for b in known if b.is_for(shown) and b.cancelled_at is None and b.lifted_at is None]
    if any(b.kept_from <= now < b.until_at for b in mine):
        return None
    over = [b for b in mine if started_at < b.until_at <= now]
    return Conflict(max(over, key=lambda b: b.until_at), own=True) if over else None

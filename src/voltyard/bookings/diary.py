"""Bookings in memory: who may begin at an outlet is answered without the database."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.bookings.model import Booking, SiteRules

REMEMBERED = timedelta(days=1)
"""How long one that is over still counts for the session that ran in it."""


class Diary:
    """Those ahead, running and lately over, by place; and the rules of each site."""

    def __init__(self) -> None:
        self._known: dict[UUID, Booking] = {}
        self._at: dict[UUID, dict[UUID, Booking]] = {}
        self._rules: dict[UUID, SiteRules] = {}
        self._allowed: set[UUID] = set()

    def put(self, booking: Booking) -> None:
        if booking.cancelled_at is None:
            self._known[booking.id] = booking
            self._at.setdefault(booking.place_id, {})[booking.id] = booking
        else:
            self._drop(booking)

    def get(self, booking_id: UUID) -> Booking | None:
        return self._known.get(booking_id)

    def at(self, place_id: UUID) -> Iterable[Booking]:
        return self._at.get(place_id, {}).values()

    def of_site(self, site_id: UUID) -> list[Booking]:
        return [booking for booking in self._known.values() if booking.site_id == site_id]

    def forget_before(self, now: datetime) -> None:
        for booking in list(self._known.values()):
            if booking.kept_until < now - REMEMBERED:
                self._drop(booking)

    def _drop(self, booking: Booking) -> None:
        self._known.pop(booking.id, None)
        here = self._at.get(booking.place_id)
        if here is not None:
            here.pop(booking.id, None)
            if not here:
                del self._at[booking.place_id]

    def put_rules(self, rules: SiteRules) -> None:
        self._rules[rules.site_id] = rules

    def rules(self, site_id: UUID | None) -> SiteRules | None:
        return None if site_id is None else self._rules.get(site_id)

    def all_rules(self) -> Iterator[SiteRules]:
        return iter(list(self._rules.values()))

    def allow(self, session_id: UUID) -> None:
        """A person lets this session go on, whoever is due."""
        self._allowed.add(session_id)

    def allowed(self, session_id: UUID) -> bool:
        return session_id in self._allowed

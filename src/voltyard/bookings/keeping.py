"""Booked outlets that chargers keep themselves (ReserveNow), where they can and where it helps.

Authorisation refuses whoever comes with a wrong token in any case; a reservation at the charger
also shows on it, and holds while it is offline.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.bookings.diary import Diary
from voltyard.bookings.gate import place_of
from voltyard.bookings.model import Booking, Mode, SiteRules
from voltyard.bookings.ports import Reservations, Sessions, Stations, Tokens
from voltyard.chargers.model import Evse
from voltyard.clock import Clock
from voltyard.errors import ChargerOffline, ChargerTimeout, Conflict, VoltyardError
from voltyard.fleets.model import Token
from voltyard.reservations.commands import LONGEST, NewReservation
from voltyard.sessions.model import TokenKind
from voltyard.tenancy.access import system_principal

log = logging.getLogger(__name__)

AGAIN_AFTER = timedelta(minutes=1)
BY = "bookings"


class Keeper:
    """Each booking is tried until a charger has taken or refused it."""

    def __init__(
        self,
        clock: Clock,
        diary: Diary,
        *,
        stations: Stations,
        sessions: Sessions,
        tokens: Tokens,
        reservations: Reservations,
    ) -> None:
        self._clock = clock
        self._diary = diary
        self._stations = stations
        self._sessions = sessions
        self._tokens = tokens
        self._reservations = reservations
        self._settled: dict[UUID, UUID | None] = {}
        self._tried: dict[UUID, datetime] = {}

    def load(self) -> None:
        """At start, after reservations and bookings: what chargers keep for them already."""
        self._settled.clear()
        for row in self._reservations.pending():
            evse = None if row.evse_id is None else self._stations.evse(row.evse_id)
            if row.created_by != BY or evse is None:
                continue
            for booking in self._diary.at(place_of(evse)):
                if booking.kept_from <= row.from_at < booking.until_at:
                    self._settled[booking.id] = row.id

    async def tick(self) -> None:
        now = self._clock.now()
        await self._let_go_where_over(now)
        for rules in self._diary.all_rules():
            if _kept_there(rules):
                for booking in self._diary.of_site(rules.site_id):
                    await self._look_at(booking, now)

    async def _let_go_where_over(self, now: datetime) -> None:
        """Lifted, cancelled, moved with its duty, or rules are laxer: the charger need not keep it
        any more."""
        for booking_id, held in list(self._settled.items()):
            booking = self._diary.get(booking_id)
            lifted = booking is None or booking.lifted_at is not None
            if held is not None and (lifted or not self._wanted(booking)):
                await self._cancel(held)
                self._settled[booking_id] = None
            if booking is None or now >= booking.until_at or not self._wanted(booking):
                del self._settled[booking_id]
                self._tried.pop(booking_id, None)

    def _wanted(self, booking: Booking | None) -> bool:
        rules = None if booking is None else self._diary.rules(booking.site_id)
        return rules is not None and _kept_there(rules)

    async def _look_at(self, booking: Booking, now: datetime) -> None:
        if booking.id in self._settled or now >= booking.until_at or not booking.keeps(now):
            return
        if now - self._tried.get(booking.id, now - AGAIN_AFTER) < AGAIN_AFTER:
            return
        evse = self._outlet(booking)
        token = await self._token(booking)
        if evse is None or token is None:
            self._settled[booking.id] = None
        elif self._stations.is_connected(evse.station_id) and not self._sessions.occupied(
            evse.station_id, evse.id
        ):
            self._tried[booking.id] = now
            await self._reserve(booking, evse, token, now)

    async def _reserve(self, booking: Booking, evse: Evse, token: Token, now: datetime) -> None:
        until_at = min(booking.until_at, now + LONGEST)
        new = NewReservation(evse.station_id, token.value, until_at, evse.id, token.kind)
        who = system_principal(booking.org_id, BY)
        try:
            made = await self._reservations.reserve(who, new)
        except (ChargerOffline, ChargerTimeout):
            return
        except Conflict as error:
            if error.code != "occupied":
                self._refused(booking, error)
        except VoltyardError as error:
            self._refused(booking, error)
        else:
            self._settled[booking.id] = made.id

    def _refused(self, booking: Booking, error: VoltyardError) -> None:
        """Authorisation alone keeps the place then."""
        log.info("booking %s is not kept by its charger: %s", booking.id, error.message)
        self._settled[booking.id] = None

    async def _cancel(self, held: UUID) -> None:
        owner = next((r.org_id for r in self._reservations.pending() if r.id == held), None)
        if owner is None:
            return  # used, or over by itself
        try:
            await self._reservations.cancel(system_principal(owner, BY), held)
        except VoltyardError as error:
            log.info("a reservation of a booking: %s", error)

    def _outlet(self, booking: Booking) -> Evse | None:
        """The one outlet of the place; at a bay with several the driver chooses."""
        here = [e for e in self._stations.evses() if place_of(e) == booking.place_id]
        return here[0] if len(here) == 1 else None

    async def _token(self, booking: Booking) -> Token | None:
        """A charger keeps an outlet for one token or one group: other tokens of the vehicle, such
        as its MAC, must be of the same group, or it would be turned away from its own place."""
        known = await self._tokens.all_tokens(booking.org_id)
        if booking.vehicle_id is None:
            found = [token for token in known if token.value == booking.token]
        else:
            found = [t for t in known if t.vehicle_id == booking.vehicle_id and not t.blocked]
        return found[0] if _as_one(found) and found[0].kind == TokenKind.RFID.value else None


def _kept_there(rules: SiteRules) -> bool:
    """A charger that keeps an outlet refuses all others, which soft rules only tell of."""
    return rules.mode is Mode.STRICT and rules.on_charger


def _as_one(tokens: Sequence[Token]) -> bool:
    groups = {token.group_id for token in tokens}
    return len(tokens) == 1 or (len(groups) == 1 and groups != {""})

"""Who may charge: a token's own standing, then the site's policy for those it does not know."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.access.model import Visitor
from voltyard.chargers.model import Evse
from voltyard.fleets.model import Token, Vehicle
from voltyard.sessions.model import (
    Authorisation,
    AuthorisationStatus,
    IdToken,
    TokenKind,
)
from voltyard.sessions.ports import (
    AccessRules,
    Booked,
    Credit,
    Outlets,
    Reserved,
    SitePolicies,
    TokenDirectory,
)
from voltyard.sessions.tokens import key, spellings

EXPECTED_FOR = timedelta(minutes=10)
EXPECTED_MAX = 10_000
POLICY_FOR = timedelta(days=1)
"""How long a charger's cache may let in whom nobody knows: a site's policy may change."""
PASSING_FOR = timedelta(minutes=1)
"""How long an answer holds that another moment may change."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a token is shown."""

    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    evse_id: UUID | None


@dataclass(frozen=True, slots=True)
class _Expected:
    until_at: datetime
    vehicle_id: UUID | None


Busy = Callable[[Place, str], bool]
"""Whether a token charges at this moment: elsewhere, or at the place itself."""


class Authoriser:
    """Decides on tokens. A token that we sent ourselves (remote start) is expected for a while."""

    def __init__(
        self,
        tokens: TokenDirectory,
        policies: SitePolicies,
        outlets: Outlets,
        busy: Busy,
        runs_here: Busy,
    ) -> None:
        self._tokens = tokens
        self._policies = policies
        self._outlets = outlets
        self._busy = busy
        self._runs_here = runs_here
        self._expected: dict[tuple[UUID, str], _Expected] = {}
        self.reserved: Reserved | None = None
        self.credit: Credit | None = None
        self.access: AccessRules | None = None
        self.booked: Booked | None = None

    def expect(
        self, station_id: UUID, token: IdToken, now: datetime, vehicle_id: UUID | None
    ) -> None:
        if len(self._expected) >= EXPECTED_MAX:
            self._expected = {
                place: known for place, known in self._expected.items() if known.until_at > now
            }
        known = _Expected(now + EXPECTED_FOR, vehicle_id)
        self._expected[(station_id, key(token.value))] = known

    async def check(
        self, place: Place, token: IdToken | None, now: datetime, *, replayed: bool = False
    ) -> Authorisation:
        """``replayed`` tells of the past: where the token is now does not matter then."""
        judged = await self._own_standing(place, token, now, replayed=replayed)
        if self.access is None or replayed or not judged.accepted or place.site_id is None:
            return judged
        if token is not None and token.value and self._wanted(place, token, judged.group, now):
            return judged
        return await self._ruled(self.access, place, place.site_id, token, judged, now)

    def _wanted(self, place: Place, token: IdToken, group: str, now: datetime) -> bool:
        """What people have asked for themselves is not for rules, nor what charges there already:
        its token is shown to stop it."""
        expected = self._expected.get((place.station_id, key(token.value)))
        return (
            (expected is not None and expected.until_at >= now)
            or self._kept_for(place, token, now, group)
            or self._runs_here(place, token.value)
        )

    async def _ruled(
        self,
        access: AccessRules,
        place: Place,
        site_id: UUID,
        token: IdToken | None,
        judged: Authorisation,
        now: datetime,
    ) -> Authorisation:
        """Let in as it is; now by where and when."""
        named = token is not None and token.value
        found = (await self._look_up(place.org_id, token))[0] if token and named else None
        visitor = Visitor(
            None if found is None else found.org_id, token.value if token else "", judged.group
        )
        asked = [
            evse
            for evse in self._outlets.outlets(place.station_id)
            if place.evse_id in (None, evse.id)
            and (not judged.evse_numbers or evse.number in judged.evse_numbers)
        ]
        if not asked:
            return judged
        ruling = await access.ruling(place.org_id, site_id, asked, visitor, now)
        until_at = min(
            (at for at in (judged.until_at, ruling.until_at) if at is not None), default=None
        )
        if not ruling.numbers:
            return replace(judged, status=ruling.status, reason=ruling.reason, until_at=until_at)
        limited = place.evse_id is None and len(ruling.numbers) < len(asked)
        numbers = ruling.numbers if limited else judged.evse_numbers
        return replace(judged, until_at=until_at, evse_numbers=numbers)

    async def _own_standing(
        self, place: Place, token: IdToken | None, now: datetime, *, replayed: bool
    ) -> Authorisation:
        if token is None or not token.value or token.kind is TokenKind.NONE:
            unnamed = None if replayed else self._booked(place, "", None, now)
            return unnamed or await self._by_policy(place, "no token", now)
        found, vehicle = await self._look_up(place.org_id, token)
        group = "" if found is None else found.group_id
        fleet = None if found is None or found.org_id == place.org_id else found.org_id
        if not replayed and self._kept_for_others(place, token, group, now):
            reason = "the outlet is reserved"
            return Authorisation(
                AuthorisationStatus.RESERVED, None, found is not None, reason, group,
                now + PASSING_FOR, fleet_org_id=fleet,
            )  # fmt: skip
        expected = self._expected.get((place.station_id, key(token.value)))
        whose = self._whose(expected, found, vehicle, now)
        booked = None if replayed else self._booked(place, token.value, whose, now)
        if booked is not None:
            return replace(booked, known=found is not None, group=group, fleet_org_id=fleet)
        if expected is not None and expected.until_at >= now:
            return Authorisation(
                AuthorisationStatus.ACCEPTED, expected.vehicle_id, group=group, fleet_org_id=fleet
            )
        paid = None if replayed else self._paid(place, token, now)
        if paid is not None and not paid.accepted:
            return paid
        if found is None:
            if self._kept_for(place, token, now):
                return Authorisation(AuthorisationStatus.ACCEPTED, None, True, "reserved")
            return paid or await self._by_policy(place, "unknown token", now)
        judged = await self._judged(place, token, found, vehicle, now, replayed=replayed)
        judged = replace(judged, fleet_org_id=fleet)
        return judged if paid is None else replace(judged, until_at=now)

    @staticmethod
    def _whose(
        expected: _Expected | None, found: Token | None, vehicle: Vehicle | None, now: datetime
    ) -> UUID | None:
        if expected is not None and expected.until_at >= now and expected.vehicle_id is not None:
            return expected.vehicle_id
        if vehicle is not None:
            return vehicle.id
        return None if found is None else found.vehicle_id

    def _booked(
        self, place: Place, value: str, vehicle_id: UUID | None, now: datetime
    ) -> Authorisation | None:
        """Turned away because the place is booked for another vehicle now; else None."""
        if self.booked is None:
            return None
        reason = self.booked.refuses(
            place.station_id, place.evse_id, place.site_id, value, vehicle_id, now
        )
        if not reason:
            return None
        until_at = now + PASSING_FOR
        return Authorisation(
            AuthorisationStatus.RESERVED, vehicle_id, False, reason, until_at=until_at
        )

    def _paid(self, place: Place, token: IdToken, now: datetime) -> Authorisation | None:
        """Of who pays before: a card at a terminal (2.1 C18), or a prepaid account (C17); such an
        answer holds for this once. None for all others."""
        if self.credit is None:
            return None
        if token.kind is TokenKind.DIRECT_PAYMENT:
            if self.credit.takes_cards(place.org_id):
                return Authorisation(AuthorisationStatus.ACCEPTED, until_at=now)
            reason = "cards are not taken here"
            return Authorisation(AuthorisationStatus.INVALID, None, True, reason, until_at=now)
        refused = self.credit.refuses(place.org_id, place.station_id, token.value)
        if refused is None:
            return None
        status = AuthorisationStatus.NO_CREDIT if refused else AuthorisationStatus.ACCEPTED
        reason = "the prepaid balance is used up" if refused else ""
        return Authorisation(status, None, True, reason, until_at=now)

    async def group_of(self, org_id: UUID, token: IdToken) -> str:
        """The group of a token; empty if it is in none."""
        found, _ = await self._look_up(org_id, token)
        return "" if found is None else found.group_id

    def _kept_for_others(self, place: Place, token: IdToken, group: str, now: datetime) -> bool:
        return self.reserved is not None and self.reserved.refuses(
            place.station_id, place.evse_id, token.value, group, now
        )

    def _kept_for(self, place: Place, token: IdToken, now: datetime, group: str = "") -> bool:
        """Whoever reserves for a token that nobody knows means it to charge."""
        return self.reserved is not None and self.reserved.expects(
            place.station_id, place.evse_id, token.value, group, now
        )

    async def _judged(
        self,
        place: Place,
        token: IdToken,
        found: Token,
        vehicle: Vehicle | None,
        now: datetime,
        *,
        replayed: bool,
    ) -> Authorisation:
        """By its own standing, then by where it is shown."""
        here = None if replayed else place
        own = self._standing(here, token, found, vehicle, now)
        if not own.accepted or found.anywhere or replayed:
            return own
        numbers, all_of_them = await self._allowed_at(place, found)
        if not numbers:
            return replace(
                own,
                status=AuthorisationStatus.NOT_HERE,
                reason="the token may not charge here",
                until_at=None,
            )
        return own if all_of_them else replace(own, evse_numbers=numbers)

    async def _allowed_at(self, place: Place, found: Token) -> tuple[tuple[int, ...], bool]:
        """The outlets it may charge at, of the one it is shown at or of all; whether that is all.

        A station whose outlets nobody knows yet is judged by its site.
        """
        if place.site_id in found.site_ids:
            return (0,), True
        asked = [
            evse
            for evse in self._outlets.outlets(place.station_id)
            if place.evse_id in (None, evse.id)
        ]
        areas = [await self._area_of(evse) for evse in asked]
        allowed = tuple(
            evse.number
            for evse, area_id in zip(asked, areas, strict=True)
            if area_id is not None and area_id in found.area_ids
        )
        return allowed, place.evse_id is not None or len(allowed) == len(asked)

    async def _area_of(self, evse: Evse) -> UUID | None:
        if evse.site_id is None or evse.bay_id is None:
            return None
        return await self._policies.area_of(evse.site_id, evse.bay_id)

    async def _look_up(self, org_id: UUID, token: IdToken) -> tuple[Token | None, Vehicle | None]:
        for spelling in spellings(token):
            found, vehicle = await self._tokens.lookup(org_id, spelling)
            if found is not None:
                return found, vehicle
        return None, None

    def _standing(
        self,
        place: Place | None,
        token: IdToken,
        found: Token,
        vehicle: Vehicle | None,
        now: datetime,
    ) -> Authorisation:
        status, reason = AuthorisationStatus.ACCEPTED, ""
        until_at = found.valid_until
        if found.blocked:
            status, reason = AuthorisationStatus.BLOCKED, "the token is blocked"
        elif found.valid_until is not None and found.valid_until <= now:
            status, reason = AuthorisationStatus.EXPIRED, "the token has expired"
        elif found.valid_from is not None and found.valid_from > now:
            status, reason = AuthorisationStatus.NOT_NOW, "the token is not valid yet"
            until_at = found.valid_from
        elif vehicle is not None and not vehicle.active:
            status, reason = AuthorisationStatus.BLOCKED, "the vehicle is out of service"
        elif place is not None and not found.concurrent and self._busy(place, token.value):
            status, reason = AuthorisationStatus.CONCURRENT, "the token charges elsewhere"
            until_at = now + PASSING_FOR
        vehicle_id = found.vehicle_id if vehicle is None else vehicle.id
        return Authorisation(status, vehicle_id, True, reason, found.group_id, until_at)

    async def _by_policy(self, place: Place, reason: str, now: datetime) -> Authorisation:
        """A station that belongs to no site yet lets nobody unknown charge."""
        if place.site_id is not None:
            policy = await self._policies.policy(place.site_id)
            if policy.unknown_token == "accept":
                until_at = now + POLICY_FOR
                return Authorisation(
                    AuthorisationStatus.ACCEPTED, None, False, reason, until_at=until_at
                )
        return Authorisation(AuthorisationStatus.UNKNOWN, None, False, reason)

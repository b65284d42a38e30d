"""Who may charge: a token's own standing, then the site's policy for those it does not know."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.fleets.model import Token, Vehicle
from voltyard.sessions.model import (
    Authorisation,
    AuthorisationStatus,
    IdToken,
    TokenKind,
)
from voltyard.sessions.ports import SitePolicies, TokenDirectory
from voltyard.sessions.tokens import key, spellings

EXPECTED_FOR = timedelta(minutes=10)
EXPECTED_MAX = 10_000


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
"""Whether a token charges elsewhere at this moment."""


class Authoriser:
    """Decides on tokens. A token that we sent ourselves (remote start) is expected for a while."""

    def __init__(self, tokens: TokenDirectory, policies: SitePolicies, busy: Busy) -> None:
        self._tokens = tokens
        self._policies = policies
        self._busy = busy
        self._expected: dict[tuple[UUID, str], _Expected] = {}

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
        if token is None or not token.value or token.kind is TokenKind.NONE:
            return await self._by_policy(place, "no token")
        expected = self._expected.get((place.station_id, key(token.value)))
        if expected is not None and expected.until_at >= now:
            return Authorisation(AuthorisationStatus.ACCEPTED, expected.vehicle_id)
        found, vehicle = await self._look_up(place.org_id, token)
        if found is None:
            return await self._by_policy(place, "unknown token")
        here = None if replayed else place
        return self._standing(here, token, found, vehicle, now)

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
        if found.blocked:
            status, reason = AuthorisationStatus.BLOCKED, "the token is blocked"
        elif found.valid_until is not None and found.valid_until <= now:
            status, reason = AuthorisationStatus.EXPIRED, "the token has expired"
        elif found.valid_from is not None and found.valid_from > now:
            status, reason = AuthorisationStatus.INVALID, "the token is not valid yet"
        elif vehicle is not None and not vehicle.active:
            status, reason = AuthorisationStatus.BLOCKED, "the vehicle is out of service"
        elif place is not None and self._busy(place, token.value):
            status, reason = AuthorisationStatus.CONCURRENT, "the token charges elsewhere"
        vehicle_id = found.vehicle_id if vehicle is None else vehicle.id
        return Authorisation(status, vehicle_id, True, reason)

    async def _by_policy(self, place: Place, reason: str) -> Authorisation:
        """A station that belongs to no site yet lets nobody unknown charge."""
        if place.site_id is not None:
            policy = await self._policies.policy(place.site_id)
            if policy.unknown_token == "accept":
                return Authorisation(AuthorisationStatus.ACCEPTED, None, False, reason)
        return Authorisation(AuthorisationStatus.INVALID, None, False, reason)

"""What sessions need of other rooms; wired by the composition root."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from voltyard.access.model import Visitor
from voltyard.chargers.model import Evse, Station, StationRef
from voltyard.fleets.model import Token, Vehicle
from voltyard.sessions.model import AuthorisationStatus, IdToken, Session


class TokenDirectory(Protocol):
    async def lookup(self, org_id: UUID, token: IdToken) -> tuple[Token | None, Vehicle | None]:
        """The token of that value, whatever its case, and the vehicle it stands for."""


@dataclass(frozen=True, slots=True)
class SitePolicy:
    """``unknown_token`` is ``accept`` or ``reject``."""

    unknown_token: str = "accept"


class SitePolicies(Protocol):
    async def policy(self, site_id: UUID) -> SitePolicy: ...

    async def area_of(self, site_id: UUID, bay_id: UUID) -> UUID | None:
        """The area a bay lies in."""


class Reserved(Protocol):
    """Which outlets are kept for somebody. ``evse_id`` None: the station as a whole is asked."""

    def refuses(
        self, station_id: UUID, evse_id: UUID | None, value: str, group: str, now: datetime
    ) -> bool:
        """Whether it is kept for others than this token."""

    def expects(
        self, station_id: UUID, evse_id: UUID | None, value: str, group: str, now: datetime
    ) -> bool:
        """Whether it is kept for this token."""

    async def used(
        self,
        session: Session,
        number: int | None,
        value: str | None,
        group: str,
        now: datetime,
    ) -> None:
        """A session began that names reservation ``number``, or brings the token of one."""


class Booked(Protocol):
    """Bays and outlets kept for vehicles by bookings; ``bookings.gate.Gate`` is one."""

    def refuses(
        self,
        station_id: UUID,
        evse_id: UUID | None,
        site_id: UUID | None,
        token: str,
        vehicle_id: UUID | None,
        now: datetime,
    ) -> str:
        """Why it may not charge there now; empty if it may."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What access rules say of somebody at some outlets: at which they may charge.

    With none, ``status`` and ``reason`` tell why. It may be otherwise from ``until_at`` on.
    """

    numbers: tuple[int, ...]
    status: AuthorisationStatus = AuthorisationStatus.ACCEPTED
    reason: str = ""
    until_at: datetime | None = None


class AccessRules(Protocol):
    """Who may charge where and when; ``AccessService`` is one."""

    async def ruling(
        self, org_id: UUID, site_id: UUID, evses: Sequence[Evse], visitor: Visitor, now: datetime
    ) -> Ruling: ...


class Credit(Protocol):
    """Who pays before charging; ``BillingService`` is one."""

    def refuses(self, org_id: UUID, station_id: UUID, value: str) -> bool | None:
        """None for a token that is not prepaid, else whether nothing is left."""

    def takes_cards(self, org_id: UUID) -> bool:
        """Whether cards shown at terminals of chargers may pay."""


class Outlets(Protocol):
    """Stations and EVSEs from memory; ``ChargerService`` is one."""

    def station(self, station_id: UUID) -> Station | None: ...

    def evse(self, evse_id: UUID) -> Evse | None: ...

    def outlet(self, station_id: UUID, number: int) -> Evse | None: ...

    def outlets(self, station_id: UUID) -> Sequence[Evse]: ...

    def evses(self) -> Sequence[Evse]: ...

    def is_connected(self, station_id: UUID) -> bool: ...

    async def master_group(self, station_id: UUID) -> str:
        """The group of tokens that stop everything at a station; empty if there is none."""

    async def ensure_evse(self, station: StationRef, number: int) -> Evse | None: ...

"""What the timetable needs of other rooms."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from voltyard.fleets.model import Vehicle
from voltyard.sessions.model import Session
from voltyard.sites.model import Bay, Site
from voltyard.tenancy.model import Principal


class Vehicles(Protocol):
    async def all(self, org_id: UUID) -> Sequence[Vehicle]:
        """Every vehicle of the organisation, by name; those of operators below it, too."""

    async def own(self, org_id: UUID) -> Sequence[Vehicle]:
        """As ``all``, without those of operators."""

    async def vehicle_of(self, org_id: UUID, vehicle_id: UUID) -> Vehicle | None:
        """One of ``all``."""


class Sites(Protocol):
    async def charging_site(self, principal: Principal, site_id: UUID) -> Site:
        """One's own or one that one is admitted to. Raises NotFound for all others."""

    async def charging_bays(self, principal: Principal, site_id: UUID) -> Sequence[Bay]: ...


class Sessions(Protocol):
    def open_sessions(
        self, *, org_id: UUID | None = None, site_id: UUID | None = None
    ) -> Sequence[Session]:
        """Those that run, from memory."""

    async def attach(self, session_id: UUID, *, duty_id: UUID | None = ...) -> Session:
        """Say which duty it serves; committed on return."""

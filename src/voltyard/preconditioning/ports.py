"""What preconditioning needs of other rooms."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from voltyard.fleets.model import Vehicle
from voltyard.sessions.model import Session
from voltyard.sites.model import ElectricalTree, Site
from voltyard.timetable.model import Duty


@dataclass(frozen=True, slots=True)
class Outlet:
    """What the control of a site does at an outlet now. ``measured_w`` None: not heard lately;
    ``charge_wh``: what the battery there still needs at the meter, None where nobody knows."""

    evse_id: UUID
    granted_w: float
    measured_w: float | None
    charge_wh: float | None = None


class Control(Protocol):
    """The controllers of sites, from memory."""

    def outlet(self, site_id: UUID, evse_id: UUID) -> Outlet | None:
        """None while no controller of the site runs here, or it has no such outlet."""

    def charge_wh(self, site_id: UUID) -> dict[UUID, float]:
        """What the battery of each duty still needs, at the meter."""


class Duties(Protocol):
    async def duties(
        self, org_id: UUID, site_id: UUID, from_at: datetime, until_at: datetime
    ) -> Sequence[Duty]: ...

    async def duty(self, org_id: UUID, duty_id: UUID) -> Duty:
        """Raises NotFound."""


class Vehicles(Protocol):
    async def vehicles(self, org_id: UUID, ids: Sequence[UUID]) -> Sequence[Vehicle]: ...

    async def all(self, org_id: UUID) -> Sequence[Vehicle]: ...


class Sites(Protocol):
    async def all(self) -> Sequence[Site]: ...

    async def tree(self, site_id: UUID) -> ElectricalTree: ...


class Sessions(Protocol):
    def open_sessions(
        self, *, org_id: UUID | None = None, site_id: UUID | None = None
    ) -> Sequence[Session]: ...

    async def attach(
        self, session_id: UUID, *, vehicle_id: UUID | None = ..., fleet_org_id: UUID | None = ...
    ) -> Session:
        """Say whose session it is, and of which fleet operator; committed on return."""

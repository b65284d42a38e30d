"""What firmware updates need of other rooms; wired by the composition root."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from voltyard.chargers.commands import Command, CommandResult
from voltyard.chargers.model import Station, StationFilter, StationView
from voltyard.sites.model import Site


class Stations(Protocol):
    """``ChargerService`` is one."""

    def station(self, station_id: UUID) -> Station | None: ...

    def is_connected(self, station_id: UUID) -> bool: ...

    def list_stations(self, org_id: UUID, wanted: StationFilter = ...) -> Sequence[StationView]: ...

    async def command(
        self, station_id: UUID, command: Command, principal_name: str, *, timeout_s: float = ...
    ) -> CommandResult: ...


class Sites(Protocol):
    async def get(self, site_id: UUID) -> Site:
        """Raises NotFound."""


class Occupancy(Protocol):
    async def occupied(self, station: Station, margin_s: int) -> str:
        """Why a charger must not be taken out of service: ``session``, ``departure``, or ""."""

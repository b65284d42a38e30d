"""What chargers hold beside what they should hold, for pages; it sends nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from voltyard.chargers.model import Evse, Station
from voltyard.clock import Clock
from voltyard.fleets.model import Token, Vehicle
from voltyard.locallists import asking
from voltyard.locallists.model import (
    Compared,
    Difference,
    ListState,
    LocalList,
    Outlet,
    compared,
    next_version,
    wanted,
)
from voltyard.locallists.service import Areas, Fleets
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal

Tokens = list[tuple[Token, Vehicle | None]]
NO_LIST = frozenset({ListState.UNSUPPORTED, ListState.DISABLED})


class Lists(Protocol):
    """``LocalListService`` is one."""

    def known(self, station: Station) -> LocalList: ...

    def under_way(self, station_id: UUID) -> bool: ...


class Outlets(Protocol):
    """``ChargerService`` is one."""

    def outlets(self, station_id: UUID) -> Sequence[Evse]: ...


@dataclass(frozen=True, slots=True)
class ListStanding:
    """``wanted_version`` is None where the charger keeps no list, or is not known well enough.

    ``rows`` are the tokens that are on the charger's list or should be.
    """

    station: Station
    held: LocalList
    under_way: bool
    wanted_version: int | None = None
    wanted_entries: int = 0
    rows: tuple[Compared, ...] = ()

    @property
    def changes(self) -> int:
        return sum(row.difference is not Difference.SAME for row in self.rows)


class ListOverview:
    def __init__(
        self, lists: Lists, outlets: Outlets, fleets: Fleets, areas: Areas, clock: Clock
    ) -> None:
        self._lists = lists
        self._outlets = outlets
        self._fleets = fleets
        self._areas = areas
        self._clock = clock

    async def standings(self, who: Principal, stations: Sequence[Station]) -> list[ListStanding]:
        """Of stations of theirs, in the same order; another's are passed over."""
        require(who, Permission.VIEW)
        vehicles = {vehicle.id: vehicle for vehicle in await self._fleets.all(who.org_id)}
        tokens = [
            (token, vehicles.get(token.vehicle_id) if token.vehicle_id else None)
            for token in await self._fleets.all_tokens(who.org_id)
        ]
        mine = [station for station in stations if station.org_id == who.org_id]
        return [await self._standing(station, tokens) for station in mine]

    async def _standing(self, station: Station, tokens: Tokens) -> ListStanding:
        held = self._lists.known(station)
        busy = self._lists.under_way(station.id)
        version = station.ocpp_version or ""
        if held.state in NO_LIST or version not in asking.KEYS:
            return ListStanding(station, held, busy)
        outlets = [
            Outlet(evse.number, await self._area_of(evse))
            for evse in self._outlets.outlets(station.id)
        ]
        want, _ = wanted(
            tokens, station.site_id, outlets, version, self._clock.now(), held.entries_max
        )
        rows = tuple(compared(held, want))
        return ListStanding(station, held, busy, next_version(held, want), len(want), rows)

    async def _area_of(self, evse: Evse) -> UUID | None:
        if evse.site_id is None or evse.bay_id is None:
            return None
        return await self._areas.area_of(evse.site_id, evse.bay_id)

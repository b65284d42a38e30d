"""What chargers hold beside what they should hold, for pages; it sends nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from voltyard.chargers.model import Evse, Station
from voltyard.clock import Clock
from voltyard.fleets.model import Token, Vehicle
from voltyard.locallists import asking
from voltyard.locallists.model import (
    Compared,
    ListState,
    LocalList,
    Outlet,
    Wanted,
    compared,
    next_version,
    standings,
    wanted,
)
from voltyard.locallists.service import Areas, Fleets
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal

Tokens = list[tuple[Token, Vehicle | None]]
_Like = tuple[UUID | None, tuple[Outlet, ...], str, int | None]
_Should = tuple[Wanted, Mapping[str, str]]
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
    """``wanted_version`` is None where the charger keeps no list, or is not known well enough;
    ``wanted``: how each token should stand on it."""

    station: Station
    held: LocalList
    under_way: bool
    wanted_version: int | None = None
    wanted: Mapping[str, str] = field(default_factory=dict)

    @property
    def changes(self) -> int:
        """How many tokens stand otherwise than they should, or are on one side only."""
        if self.wanted_version is None:
            return 0
        held, wanted = self.held.entries.items(), self.wanted.items()
        return len({name for name, _ in held ^ wanted})

    @property
    def rows(self) -> list[Compared]:
        return [] if self.wanted_version is None else compared(self.held, self.wanted)


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
        areas = any(token.area_ids for token, _ in tokens)
        shared: dict[_Like, _Should] = {}
        found = []
        for station in (one for one in stations if one.org_id == who.org_id):
            found.append(await self._standing(station, tokens, shared, areas=areas))
        return found

    async def _standing(
        self, station: Station, tokens: Tokens, shared: dict[_Like, _Should], *, areas: bool
    ) -> ListStanding:
        """Chargers that are alike share what they should hold: a page of them is one reckoning."""
        held = self._lists.known(station)
        busy = self._lists.under_way(station.id)
        version = station.ocpp_version or ""
        if held.state in NO_LIST or version not in asking.KEYS:
            return ListStanding(station, held, busy)
        outlets = await self._outlets_of(station) if areas else ()
        like = (station.site_id, outlets, version, held.entries_max)
        if like not in shared:
            now, most = self._clock.now(), held.entries_max
            want, _ = wanted(tokens, station.site_id, outlets, version, now, most)
            shared[like] = (want, standings(want))
        want, should = shared[like]
        due = held.version if dict(held.entries) == should else next_version(held, want)
        return ListStanding(station, held, busy, due, should)

    async def _outlets_of(self, station: Station) -> tuple[Outlet, ...]:
        return tuple(
            [
                Outlet(evse.number, await self._area_of(evse))
                for evse in self._outlets.outlets(station.id)
            ]
        )

    async def _area_of(self, evse: Evse) -> UUID | None:
        if evse.site_id is None or evse.bay_id is None:
            return None
        return await self._areas.area_of(evse.site_id, evse.bay_id)

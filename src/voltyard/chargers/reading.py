"""Read models of stations: from memory what is live, from the database what is history."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from voltyard.chargers import store
from voltyard.chargers.core import ChargerCore
from voltyard.chargers.directory import Entry
from voltyard.chargers.model import (
    CommandRecord,
    ConfigEntry,
    Frame,
    FrameFilter,
    Station,
    StationFilter,
    StationState,
    StationView,
)
from voltyard.tenancy import scope

PAGE_MAX = 1_000
EVERYTHING = StationFilter()
ALL_FRAMES = FrameFilter()


class StationReads(ChargerCore):
    """All take the organisation whose rows may be seen; another's are not found."""

    def list_stations(
        self, org_id: UUID, wanted: StationFilter = EVERYTHING
    ) -> Sequence[StationView]:
        """Pending ones first, then by identity."""
        found = [
            entry
            for entry in self._directory
            if entry.station.org_id == org_id and _matches(entry.station, wanted)
        ]
        return [_view(entry) for entry in sorted(found, key=_order)]

    def station_view(self, org_id: UUID, station_id: UUID) -> StationView:
        return _view(self._of(org_id, station_id))

    async def frames(
        self,
        org_id: UUID,
        station_id: UUID | None,
        wanted: FrameFilter = ALL_FRAMES,
        *,
        limit: int = 100,
        offset: int = 0,
        oldest_first: bool = False,
    ) -> list[Frame]:
        """Newest first; ask for one more than a page to know whether there is a next.

        ``station_id`` None: of all chargers.
        """
        if station_id is not None:
            self._of(org_id, station_id)
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            return await store.frames(
                tx,
                org_id,
                station_id,
                wanted,
                limit=min(limit, PAGE_MAX),
                offset=offset,
                oldest_first=oldest_first,
            )

    async def commands(
        self, org_id: UUID, station_id: UUID, *, limit: int = 50, before: datetime | None = None
    ) -> list[CommandRecord]:
        """Newest first."""
        self._of(org_id, station_id)
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            return await store.commands(tx, station_id, limit=min(limit, PAGE_MAX), before=before)

    async def master_group(self, station_id: UUID) -> str:
        """As it is configured on the charger (2.0.1 C16)."""
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            return await store.config_value(tx, station_id, "AuthCtrlr", "MasterPassGroupId")

    async def config(self, org_id: UUID, station_id: UUID) -> list[ConfigEntry]:
        self._of(org_id, station_id)
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            return await store.config(tx, station_id)


def _matches(station: Station, wanted: StationFilter) -> bool:
    text = wanted.text.casefold()
    shown = (station.identity, station.name, station.vendor, station.model, station.serial)
    return (
        (wanted.site_id is None or station.site_id == wanted.site_id)
        and (wanted.state is None or station.state is wanted.state)
        and (wanted.connected is None or station.connected == wanted.connected)
        and (not text or any(text in (part or "").casefold() for part in shown))
    )


def _order(entry: Entry) -> tuple[bool, str]:
    return (entry.station.state is not StationState.PENDING, entry.station.identity)


def _view(entry: Entry) -> StationView:
    evses = tuple(entry.evses[number] for number in sorted(entry.evses))
    connectors = {
        entry.evses[number].id: tuple(states[key] for key in sorted(states))
        for number, states in entry.connectors.items()
        if number in entry.evses
    }
    return StationView(
        entry.seen,
        evses,
        tuple(entry.flags.values()),
        entry.status,
        connectors,
        entry.remote,
        entry.password_hash is not None,
    )

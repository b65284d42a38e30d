"""What the parts of the charger service share: the directory, and EVSEs that name themselves."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from voltyard.bus import Bus
from voltyard.chargers import store
from voltyard.chargers.admission import ChargerSettings
from voltyard.chargers.directory import Directory, Entry
from voltyard.chargers.events import EvsesChanged
from voltyard.chargers.model import (
    Evse,
    LimitHolder,
    Quirks,
    Station,
    StationRef,
    evse_id_of,
)
from voltyard.chargers.passwords import Passwords
from voltyard.clock import Clock
from voltyard.errors import NotFound
from voltyard.storage.engine import Database, Tx
from voltyard.storage.groupcommit import GroupCommit
from voltyard.tenancy import scope
from voltyard.tenancy.model import Principal


class Makes(Protocol):
    """What is known of how makes want their limits."""

    def quirks_of(self, org_id: UUID, vendor: str, model: str) -> Quirks | None:
        """None for a make that nobody described."""


@dataclass(frozen=True, slots=True)
class FullReport:
    """A report of everything that was asked for: what it does not name is gone."""

    report_id: int
    asked_at: datetime


Audit = Callable[[Tx, Principal, str, str, str, Mapping[str, Any]], Awaitable[None]]
"""Notes (action, object kind, object id, detail) in the transaction of the change."""


class ChargerCore:
    """Lookups by memory and the EVSEs that appear when a charger names them."""

    def __init__(
        self,
        database: Database,
        commits: GroupCommit,
        bus: Bus,
        clock: Clock,
        *,
        audit: Audit,
        passwords: Passwords,
        settings: ChargerSettings,
    ) -> None:
        self._database = database
        self._commits = commits
        self._bus = bus
        self._clock = clock
        self._audit = audit
        self._passwords = passwords
        self._settings = settings
        self._directory = Directory()
        self._full_reports: dict[UUID, FullReport] = {}
        self._makes: Makes | None = None

    def station(self, station_id: UUID) -> Station | None:
        entry = self._directory.entry(station_id)
        return None if entry is None else entry.seen

    def evse(self, evse_id: UUID) -> Evse | None:
        return self._directory.evse(evse_id)

    def outlet(self, station_id: UUID, number: int) -> Evse | None:
        """The EVSE of that OCPP number (1.6: connector), if known."""
        entry = self._directory.entry(station_id)
        return None if entry is None else entry.evses.get(number)

    def outlets(self, station_id: UUID) -> tuple[Evse, ...]:
        entry = self._directory.entry(station_id)
        return () if entry is None else tuple(entry.evses.values())

    def evses(self) -> tuple[Evse, ...]:
        """Every EVSE of every organisation, for voltyard's own work."""
        return tuple(self._directory.evses())

    def is_connected(self, station_id: UUID) -> bool:
        entry = self._directory.entry(station_id)
        return entry is not None and entry.link is not None

    async def ensure_evse(self, station: StationRef, number: int) -> Evse | None:
        """The EVSE of that number, created if the charger has just named it.

        None for number 0 (the station itself) and beyond the bound on self-made EVSEs.
        """
        entry = self._entry(station.id)
        known = entry.evses.get(number)
        if known is not None or number <= 0:
            return known
        if len(entry.evses) >= self._settings.evses_max:
            entry.note("too_many_evses", str(number), self._clock.now())
            return None
        return await self._create_evse(entry, number)

    async def _create_evse(self, entry: Entry, number: int) -> Evse:
        station = entry.station
        wanted = Evse(
            evse_id_of(station.id, number),
            station.org_id,
            station.site_id,
            station.id,
            number,
            f"{station.name or station.identity}/{number}",
            max_power_w=self._settings.evse_power_w,
        )
        async with scope.transaction(self._database, scope.of(station.org_id)) as tx:
            evse = await store.ensure_evse(tx, wanted)
        known = entry.evses.get(number)
        if known is not None:
            return known
        self._directory.put_evse(evse)
        self._change(entry, quirks=self._quirks(entry))
        entry.note("evse_unbound", f"EVSE {number} named itself", self._clock.now())
        await self._bus.publish(
            EvsesChanged(evse.org_id, evse.site_id, evse.station_id, (evse.id,), self._clock.now())
        )
        return evse

    def _entry(self, station_id: UUID) -> Entry:
        entry = self._directory.entry(station_id)
        if entry is None:
            raise NotFound("no such station", detail=str(station_id))
        return entry

    def _of(self, org_id: UUID, station_id: UUID) -> Entry:
        """The station if it is this organisation's; to others it does not exist."""
        entry = self._entry(station_id)
        if entry.station.org_id != org_id:
            raise NotFound("no such station", detail=str(station_id))
        return entry

    def makes_from(self, makes: Makes) -> list[Station]:
        """How makes want their limits, from now on; call again when that changed.

        The stations that are limited otherwise now.
        """
        self._makes = makes
        changed = []
        for entry in self._directory:
            before = entry.station.quirks
            if self._change(entry, quirks=self._quirks(entry)).quirks != before:
                changed.append(entry.station)
        return changed

    def _quirks(self, entry: Entry) -> Quirks:
        """A station's own count first, then those of its make.

        A cap of the whole station cannot hold several outlets apart, so it is for one only.
        """
        station, found = entry.station, entry.own_quirks
        if found is None and self._makes is not None:
            found = self._makes.quirks_of(station.org_id, station.vendor or "", station.model or "")
        found = found or Quirks()
        if found.holder is LimitHolder.STATION and len(entry.evses) > 1:
            entry.note("quirk_impossible", "a station's cap for several outlets", self._clock.now())
            return replace(found, holder=LimitHolder.TRANSACTIONS)
        return found

    def _change(self, entry: Entry, **columns: Any) -> Station:
        entry.station = replace(entry.station, **columns)
        return entry.station

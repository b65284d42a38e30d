"""Stations, EVSEs and live links in memory: a charger's message asks the database nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from voltyard.chargers.commands import StationLink
from voltyard.chargers.model import (
    ConnectorState,
    Evse,
    EvseStatus,
    FlagCount,
    Quirks,
    Station,
    combined,
)

MAX_FLAGS_PER_STATION = 64
DETAIL_MAX = 200


@dataclass(slots=True)
class Entry:
    """One station and what is known of it only here (written lazily or not at all)."""

    station: Station
    password_hash: str | None = None
    remote: str | None = None
    evses: dict[int, Evse] = field(default_factory=dict)
    connectors: dict[int, dict[int, ConnectorState]] = field(default_factory=dict)
    flags: dict[str, FlagCount] = field(default_factory=dict)
    status: EvseStatus = EvseStatus.UNKNOWN
    link: StationLink | None = None
    seen_at: datetime | None = None
    seen_written_at: datetime | None = None
    flags_dirty: bool = False
    own_quirks: Quirks | None = None

    @property
    def seen(self) -> Station:
        """The station with the instant of its last message."""
        if self.seen_at is None or self.seen_at == self.station.last_seen_at:
            return self.station
        return replace(self.station, last_seen_at=self.seen_at)

    def note(self, flag: str, detail: str, at: datetime) -> bool:
        """Count a flag; True when it is new. Beyond the bound, new flags share one name."""
        if flag not in self.flags and len(self.flags) >= MAX_FLAGS_PER_STATION:
            flag = "more"
        known = self.flags.get(flag)
        count = 1 if known is None else known.count + 1
        self.flags[flag] = FlagCount(flag, count, at, detail[:DETAIL_MAX])
        self.flags_dirty = True
        if known is None:
            self.station = replace(self.station, flags=tuple(sorted(self.flags)))
        return known is None

    def connector_reported(self, evse_number: int, state: ConnectorState) -> EvseStatus:
        """Keep a connector's state; the status of its EVSE from all connectors."""
        states = self.connectors.setdefault(evse_number, {})
        states[state.number] = state
        return combined(connector.status for connector in states.values())


class Directory:
    """Every station by id and identity, every EVSE by id and by its number."""

    def __init__(self) -> None:
        self._entries: dict[UUID, Entry] = {}
        self._by_identity: dict[str, Entry] = {}
        self._evses: dict[UUID, Evse] = {}

    def add(self, entry: Entry) -> None:
        self._entries[entry.station.id] = entry
        self._by_identity[entry.station.identity] = entry
        for evse in entry.evses.values():
            self._evses[evse.id] = evse

    def entry(self, station_id: UUID) -> Entry | None:
        return self._entries.get(station_id)

    def by_identity(self, identity: str) -> Entry | None:
        return self._by_identity.get(identity)

    def evse(self, evse_id: UUID) -> Evse | None:
        return self._evses.get(evse_id)

    def put_evse(self, evse: Evse) -> None:
        self._evses[evse.id] = evse
        entry = self._entries.get(evse.station_id)
        if entry is not None:
            entry.evses[evse.number] = evse

    def evses(self) -> Iterable[Evse]:
        return self._evses.values()

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

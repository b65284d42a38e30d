"""Refused tokens, lists on chargers and reservations, as listed."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from voltyard.locallists.model import Difference, ListState
from voltyard.reservations.model import OPEN, ReservationState
from voltyard.sessions.model import AuthorisationStatus


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """``token_id`` is that of a token on record now, whether or not it was then."""

    at: datetime
    token: str
    kind: str
    status: AuthorisationStatus
    reason: str
    known: bool
    token_id: UUID | None = None
    site: str = ""
    station_id: UUID | None = None
    station: str = ""
    outlet: str = ""


@dataclass(frozen=True, slots=True)
class ListRow:
    """``wanted_version`` None: the charger keeps no list, or did not say yet what it can.

    ``changes``: how many tokens differ. ``answer`` is what the charger said last, if it refused.
    """

    station_id: UUID
    station: str
    site: str
    connected: bool
    state: ListState
    version: int
    wanted_version: int | None
    entries: int
    wanted_entries: int
    changes: int
    under_way: bool
    entries_max: int | None = None
    per_message: int | None = None
    left_out: int = 0
    answer: str = ""
    checked_at: datetime | None = None
    synced_at: datetime | None = None
    drifts: int = 0
    drifted_at: datetime | None = None
    clear_cache: bool = False
    cache_cleared_at: datetime | None = None
    cache_word: str = ""


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One token of a charger's list. ``evses`` are outlet numbers; empty means all."""

    token: str
    kind: str
    difference: Difference
    status: str
    group: str = ""
    until_at: datetime | None = None
    evses: tuple[int, ...] = ()
    token_id: UUID | None = None
    vehicle: str = ""


@dataclass(frozen=True, slots=True)
class ReservationRow:
    """``answer`` is the charger's word, or why it ended. ``evse`` is empty for any outlet."""

    id: UUID
    number: int
    station_id: UUID
    station: str
    connected: bool
    evse: str
    token: str
    from_at: datetime
    until_at: datetime
    state: ReservationState
    by: str
    site: str = ""
    vehicle_id: UUID | None = None
    vehicle: str = ""
    group: str = ""
    answer: str = ""
    cancel_due: bool = False
    session_id: UUID | None = None

    @property
    def open(self) -> bool:
        return self.state in OPEN

    @property
    def moving(self) -> bool:
        """Whether the charger has still to answer."""
        return self.state is ReservationState.ASKED or (self.cancel_due and self.connected)

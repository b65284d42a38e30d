"""Who may begin at a booked place, and what is noted of it; from memory, for authorisation."""

from datetime import datetime, timedelta
from uuid import UUID

from voltyard.bookings import judging, store
from voltyard.bookings.diary import Diary
from voltyard.bookings.judging import Conflict
from voltyard.bookings.model import Action, Booking, Decision, Mode, Shown
from voltyard.bookings.ports import Sessions, Stations
from voltyard.chargers.model import Evse
from voltyard.ids import new_id
from voltyard.sessions.tokens import key
from voltyard.storage.groupcommit import GroupCommit, Write

AGAIN_AFTER = timedelta(minutes=1)
"""A card held to the reader again and again is one decision."""
REMEMBERED_MAX = 5_000


def place_of(evse: Evse) -> UUID:
    """Where a vehicle stands that charges there."""
    return evse.bay_id or evse.id


class Gate:
    """Implements ``voltyard.sessions.ports.Booked``."""

    def __init__(
        self, diary: Diary, commits: GroupCommit, stations: Stations, sessions: Sessions
    ) -> None:
        self._diary = diary
        self._commits = commits
        self._stations = stations
        self._sessions = sessions
        self._noted: dict[tuple[UUID, str], datetime] = {}

    def refuses(
        self,
        station_id: UUID,
        evse_id: UUID | None,
        site_id: UUID | None,
        token: str,
        vehicle_id: UUID | None,
        now: datetime,
    ) -> str:
        """Why it may not charge there now; empty if it may.

        Where no outlet is named, it is refused when each of them is kept from it; where somebody
        charges, it may be shown to stop that.
        """
        rules = self._diary.rules(site_id)
        if rules is None or rules.mode is Mode.OFF:
            return ""
        shown = Shown(token, vehicle_id)
        conflict = self._conflict(station_id, evse_id, shown, now)
        if conflict is None:
            return ""
        booking, strict = conflict.booking, rules.mode is Mode.STRICT
        self._note(station_id, evse_id, shown, booking, now, done=strict)
        if not strict:
            return ""
        due = "is due here" if booking.from_at > now else "has this place"
        return f"another vehicle {due}"

    def _conflict(
        self, station_id: UUID, evse_id: UUID | None, shown: Shown, now: datetime
    ) -> Conflict | None:
        if evse_id is not None:
            evse = self._stations.evse(evse_id)
            return None if evse is None else self.of_start(evse, shown, now)
        outlets = self._stations.outlets(station_id)
        if any(self._sessions.occupied(station_id, evse.id) for evse in outlets):
            return None
        found = [self.of_start(evse, shown, now) for evse in outlets]
        return found[0] if found and all(found) else None

    def of_start(self, evse: Evse, shown: Shown, now: datetime) -> Conflict | None:
        return judging.of_start(self._diary.at(place_of(evse)), shown, now)

    def _note(
        self,
        station_id: UUID,
        evse_id: UUID | None,
        shown: Shown,
        booking: Booking,
        now: datetime,
        *,
        done: bool,
    ) -> None:
        mark = (station_id, key(shown.token))
        told = self._noted.get(mark)
        if told is not None and now - told < AGAIN_AFTER:
            return
        if len(self._noted) >= REMEMBERED_MAX:
            self._noted = {m: at for m, at in self._noted.items() if now - at < AGAIN_AFTER}
        self._noted[mark] = now
        decision = Decision(
            id=new_id(),
            org_id=booking.org_id,
            site_id=booking.site_id,
            station_id=station_id,
            evse_id=evse_id,
            at=now,
            action=Action.REFUSED,
            done=done,
            booking_id=booking.id,
            token=shown.token,
            vehicle_id=shown.vehicle_id,
            due_vehicle_id=booking.vehicle_id,
            due_at=booking.from_at,
            by="voltyard",
        )
        self._commits.offer([Write("booking_decisions", store.decision_row(decision))])

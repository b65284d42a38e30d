"""Reservations in memory: a token that is shown asks the database nothing."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from voltyard.reservations.model import OPEN, Reservation

Free = Callable[[UUID], Sequence[UUID]]
"""The outlets of a station that nobody charges at."""


class Desk:
    """Those that hold something, or that a charger has still to be told of."""

    def __init__(self) -> None:
        self._known: dict[UUID, Reservation] = {}
        self._of_station: dict[UUID, dict[UUID, Reservation]] = {}

    def put(self, reservation: Reservation) -> None:
        """Keep it while it matters."""
        if reservation.state in OPEN or reservation.cancel_due:
            self._known[reservation.id] = reservation
            self._of_station.setdefault(reservation.station_id, {})[reservation.id] = reservation
        else:
            self._known.pop(reservation.id, None)
            self._of_station.get(reservation.station_id, {}).pop(reservation.id, None)

    def get(self, reservation_id: UUID) -> Reservation | None:
        return self._known.get(reservation_id)

    def all(self) -> list[Reservation]:
        return list(self._known.values())

    def of_station(self, station_id: UUID) -> list[Reservation]:
        return list(self._of_station.get(station_id, {}).values())

    def numbered(self, station_id: UUID, number: int) -> Reservation | None:
        return next((r for r in self.of_station(station_id) if r.number == number), None)

    def holding(self, station_id: UUID, now: datetime) -> list[Reservation]:
        found = self._of_station.get(station_id)
        return [r for r in found.values() if r.holds(now)] if found else []


def kept_from(
    holding: Iterable[Reservation],
    evse_id: UUID | None,
    free: Sequence[UUID],
    value: str,
    group: str,
) -> bool:
    """Whether others' reservations keep a token from charging.

    At one outlet, one that names it. Each of those that name none takes one of the free outlets;
    where a token is shown to the station as a whole, one outlet must be left for it.
    """
    rows = list(holding)
    if any(row.is_for(value, group) and row.evse_id in (None, evse_id) for row in rows):
        return False
    if evse_id is None and any(row.is_for(value, group) for row in rows):
        return False
    others = [row for row in rows if not row.is_for(value, group)]
    named = {row.evse_id for row in others if row.evse_id is not None}
    if evse_id is not None and evse_id in named:
        return True
    anywhere = sum(row.evse_id is None for row in others)
    if not named and not anywhere:
        return False
    left = len([outlet for outlet in free if outlet not in named])
    if evse_id is None:
        return bool(free) and left <= anywhere
    return anywhere > 0 and evse_id in free and left <= anywhere

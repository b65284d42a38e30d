"""Reservations: an outlet kept for a token for a while. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from voltyard.sessions.tokens import key


class ReservationState(StrEnum):
    """``planned`` waits for its beginning, ``asked`` for the charger's answer."""

    PLANNED = "planned"
    ASKED = "asked"
    ACTIVE = "active"
    USED = "used"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REMOVED = "removed"
    REFUSED = "refused"


OPEN = frozenset({ReservationState.PLANNED, ReservationState.ASKED, ReservationState.ACTIVE})


@dataclass(frozen=True, slots=True)
class Reservation:
    """``evse_id`` None: any outlet of the station. ``number`` is its id towards the charger.

    ``group_id``: tokens of that group may use it too. ``word`` is the charger's answer, or why it
    ended. ``cancel_due``: the charger has still to be told that it is over.
    """

    id: UUID
    org_id: UUID
    site_id: UUID | None
    station_id: UUID
    evse_id: UUID | None
    number: int
    token: str
    token_kind: str
    from_at: datetime
    until_at: datetime
    state: ReservationState
    created_by: str
    created_at: datetime
    changed_at: datetime
    group_id: str = ""
    vehicle_id: UUID | None = None
    connector_type: str | None = None
    word: str = ""
    cancel_due: bool = False
    session_id: UUID | None = None

    def state_at(self, now: datetime) -> ReservationState:
        """Nothing is kept for anybody after its time, whoever has not heard of it yet."""
        if self.state in OPEN and now >= self.until_at:
            return ReservationState.EXPIRED
        return self.state

    def holds(self, now: datetime) -> bool:
        """Whether it keeps others away now."""
        waiting = self.state in (ReservationState.ASKED, ReservationState.ACTIVE)
        return waiting and self.from_at <= now < self.until_at

    def is_for(self, value: str, group: str) -> bool:
        """Whether a token may use it: its own, or one of its group."""
        return key(value) == key(self.token) or (group != "" and group == self.group_id)

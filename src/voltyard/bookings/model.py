"""A bay or outlet kept for a vehicle and a time, and the rules by which that is enforced. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID

from voltyard.sessions.tokens import key


class Mode(StrEnum):
    """``soft`` says what ``strict`` would have done, and does nothing."""

    OFF = "off"
    SOFT = "soft"
    STRICT = "strict"


class Origin(StrEnum):
    PERSON = "person"
    SERIES = "series"
    TIMETABLE = "timetable"


class BookingState(StrEnum):
    """``buffer``: kept free for the one that is due soon. ``lifted``: others may charge there."""

    AHEAD = "ahead"
    BUFFER = "buffer"
    RUNNING = "running"
    LIFTED = "lifted"
    OVER = "over"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class SiteRules:
    """How bookings hold at a site.

    The place is kept free ``before_s`` before a booking begins and ``after_s`` after it ends.
    ``end_at_departure``: a session of the vehicle itself ends with its booking. ``from_duties``:
    duties that name a bay and a vehicle book that bay. ``on_charger``: chargers that can keep an
    outlet themselves (ReserveNow) are told, too.
    """

    site_id: UUID
    org_id: UUID
    mode: Mode = Mode.OFF
    before_s: int = 600
    after_s: int = 0
    end_at_departure: bool = True
    from_duties: bool = True
    on_charger: bool = False

    @property
    def before(self) -> timedelta:
        return timedelta(seconds=self.before_s)

    @property
    def after(self) -> timedelta:
        return timedelta(seconds=self.after_s)


@dataclass(frozen=True, slots=True)
class Booking:
    """``place_id`` is the bay, or the outlet where it lies in no bay: one vehicle stands there.

    It is kept from ``kept_from`` to ``kept_until``, which include the buffers as they were when it
    was made. Either a vehicle (whatever token it shows) or a token is named. ``lifted_at``: a
    person has let others in, with a reason.
    """

    id: UUID
    org_id: UUID
    site_id: UUID
    place_id: UUID
    from_at: datetime
    until_at: datetime
    kept_from: datetime
    kept_until: datetime
    created_by: str
    created_at: datetime
    bay_id: UUID | None = None
    evse_id: UUID | None = None
    vehicle_id: UUID | None = None
    token: str = ""
    origin: Origin = Origin.PERSON
    series_id: UUID | None = None
    series_on: date | None = None
    duty_id: UUID | None = None
    note: str = ""
    lifted_at: datetime | None = None
    lifted_by: str = ""
    lifted_reason: str = ""
    cancelled_at: datetime | None = None
    cancelled_by: str = ""

    def keeps(self, now: datetime) -> bool:
        """Whether others are kept away now."""
        open_ = self.cancelled_at is None and self.lifted_at is None
        return open_ and self.kept_from <= now < self.kept_until

    def is_for(self, who: "Shown") -> bool:
        if self.vehicle_id is not None:
            return self.vehicle_id == who.vehicle_id
        return bool(who.token) and key(who.token) == key(self.token)

    def state(self, now: datetime) -> BookingState:
        if self.cancelled_at is not None:
            return BookingState.CANCELLED
        if now >= self.until_at:
            return BookingState.OVER
        if self.lifted_at is not None:
            return BookingState.LIFTED
        if now >= self.from_at:
            return BookingState.RUNNING
        return BookingState.BUFFER if now >= self.kept_from else BookingState.AHEAD


@dataclass(frozen=True, slots=True)
class Shown:
    """Who stands at a place: the token that was shown, and the vehicle it stands for."""

    token: str = ""
    vehicle_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """A booking that comes again on ``weekdays`` (0 is Monday), by the site's own clock.

    It ends on the next day where ``ends`` is not after ``begins``.
    """

    id: UUID
    org_id: UUID
    site_id: UUID
    place_id: UUID
    weekdays: tuple[int, ...]
    begins: time
    ends: time
    first_on: date
    last_on: date | None
    created_by: str
    created_at: datetime
    bay_id: UUID | None = None
    evse_id: UUID | None = None
    vehicle_id: UUID | None = None
    token: str = ""
    note: str = ""
    ended_at: datetime | None = None


class Action(StrEnum):
    """What was decided about a vehicle at a place, or would have been by the strict rules."""

    REFUSED = "refused"
    ENDED_FOR_ANOTHER = "ended_for_another"
    ENDED_AT_DEPARTURE = "ended_at_departure"
    NOT_STOPPED = "not_stopped"
    ALLOWED_BY_PERSON = "allowed_by_person"


@dataclass(frozen=True, slots=True)
class Decision:
    """``done`` is False where the site's mode is soft: it was only noted.

    ``reason`` is what a person said, or the charger's word.
    """

    id: UUID
    org_id: UUID
    site_id: UUID
    station_id: UUID
    evse_id: UUID | None
    at: datetime
    action: Action
    done: bool
    session_id: UUID | None = None
    booking_id: UUID | None = None
    token: str = ""
    vehicle_id: UUID | None = None
    due_vehicle_id: UUID | None = None
    due_at: datetime | None = None
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BookingFilter:
    """``open_at``: neither cancelled nor over by then."""

    site_id: UUID | None = None
    place_id: UUID | None = None
    vehicle_id: UUID | None = None
    from_at: datetime | None = None
    until_at: datetime | None = None
    open_at: datetime | None = None
    origin: Origin | None = None

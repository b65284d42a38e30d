"""What the calendar of bay bookings shows, and where its marks stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from voltyard.bookings.model import Booking, BookingState, Decision, Series
from voltyard.web.console import booking_words as words
from voltyard.web.console.common import query, search_text
from voltyard.web.console.views import Choice
from voltyard.web.ui import Ui

ROW_PX = 30
HEAD_PX = 28


@dataclass(frozen=True, slots=True)
class BookingRow:
    """One booking with the names of what it names."""

    id: UUID
    place_id: UUID
    place: str
    vehicle: str
    vehicle_id: UUID | None
    from_at: datetime
    until_at: datetime
    kept_from: datetime
    state: BookingState
    origin: str
    note: str
    by: str
    why: str
    open: bool
    of_duty: UUID | None


@dataclass(frozen=True, slots=True)
class Bar:
    """In percent of the width: the buffer begins at ``x0``, the booking at ``x``."""

    row: BookingRow
    x0: float
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """A bay or outlet: its bars from above, ``y`` in pixels."""

    name: str
    y: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Calendar:
    start_at: datetime
    end_at: datetime
    height: int
    now_x: float | None
    hours: tuple[tuple[float, str, bool], ...]
    places: tuple[PlaceRow, ...]


@dataclass(frozen=True, slots=True)
class Names:
    """What ids are called at a site; ``places`` in the order they are shown."""

    places: Mapping[UUID, str]
    bays: Mapping[UUID, str]
    evses: Mapping[UUID, str]
    vehicles: Mapping[UUID, str] = field(default_factory=dict)

    @property
    def choices(self) -> list[Choice]:
        """A bay stands for its outlets; those in no bay are named themselves."""
        bays = [Choice(f"bay:{id_}", name) for id_, name in self.bays.items()]
        return bays + [Choice(f"evse:{id_}", name) for id_, name in self.evses.items()]


def row_of(each: Booking, names: Names, now: datetime) -> BookingRow:
    state = each.state(now)
    return BookingRow(
        id=each.id,
        place_id=each.place_id,
        place=names.places.get(each.place_id, "–"),
        vehicle=_who(each, names),
        vehicle_id=each.vehicle_id,
        from_at=each.from_at,
        until_at=each.until_at,
        kept_from=each.kept_from,
        state=state,
        origin=words.ORIGIN_WORDS[each.origin],
        note=each.note,
        by=each.lifted_by or each.created_by,
        why=each.lifted_reason,
        open=state not in (BookingState.OVER, BookingState.CANCELLED),
        of_duty=each.duty_id,
    )


def _who(each: Booking | Series, names: Names) -> str:
    if each.vehicle_id is None:
        return each.token
    return names.vehicles.get(each.vehicle_id, "–")


def series_of(each: Series, names: Names) -> dict[str, Any]:
    return {
        "id": each.id,
        "place": names.places.get(each.place_id, "–"),
        "vehicle": _who(each, names),
        "days": [words.WEEKDAYS[day] for day in each.weekdays],
        "begins": each.begins.strftime("%H:%M"),
        "ends": each.ends.strftime("%H:%M"),
        "last_on": each.last_on,
    }


def told(ui: Ui, each: Decision, names: Names) -> dict[str, Any]:
    vehicle = None if each.vehicle_id is None else names.vehicles.get(each.vehicle_id)
    due = None if each.due_vehicle_id is None else names.vehicles.get(each.due_vehicle_id)
    return {
        "at": each.at,
        "text": ui.gettext(words.said(each.action, done=each.done)),
        "vehicle": vehicle or each.token or "–",
        "due": due,
        "due_at": each.due_at,
        "session_id": each.session_id,
        "by": each.by,
        "reason": each.reason,
        "done": each.done,
    }


def draw(
    rows: Sequence[BookingRow], names: Names, start_at: datetime, end_at: datetime, ui: Ui
) -> Calendar:
    """Lay the calendar out; x in percent. Places without a booking are rows, too."""

    def x(at: datetime) -> float:
        share = (at - start_at) / (end_at - start_at)
        return round(min(max(share, 0.0), 1.0) * 100, 2)

    by_place: dict[UUID, list[Bar]] = {place_id: [] for place_id in names.places}
    for row in rows:
        width = max(x(row.until_at) - x(row.from_at), 0.2)
        bar = Bar(row, x(row.kept_from), x(row.from_at), width)
        by_place.setdefault(row.place_id, []).append(bar)
    filtered = bool(search_text(ui) or query(ui).text("state"))
    places = [
        (names.places.get(place_id, "–"), tuple(bars))
        for place_id, bars in by_place.items()
        if bars or not filtered
    ]
    now = ui.data.now()
    hour = start_at.astimezone(ui.zone).replace(minute=0, second=0, microsecond=0)
    hours: list[tuple[float, str, bool]] = []
    step = max(1, round((end_at - start_at) / timedelta(hours=12)))
    for offset in range(1, round((end_at - start_at) / timedelta(hours=1)) + 1):
        at = hour + timedelta(hours=offset)
        if start_at < at < end_at and at.hour % step == 0:
            hours.append((x(at), ui.formats.time(at), at.hour == 0))
    return Calendar(
        start_at,
        end_at,
        HEAD_PX + len(places) * ROW_PX,
        x(now) if start_at <= now <= end_at else None,
        tuple(hours),
        tuple(
            PlaceRow(name, HEAD_PX + index * ROW_PX, bars)
            for index, (name, bars) in enumerate(places)
        ),
    )

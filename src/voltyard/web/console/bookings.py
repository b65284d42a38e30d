"""Bay bookings: a calendar of every place, the same as a table, making and lifting, the rules."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from voltyard.bookings.commands import NewBooking, NewSeries, RulesDraft, Whom
from voltyard.bookings.model import BookingFilter, BookingState, Mode
from voltyard.chargers.model import StationFilter
from voltyard.errors import Invalid, NotFound, VoltyardError
from voltyard.tenancy.model import Permission
from voltyard.web.console import booking_words as words
from voltyard.web.console.booking_calendar import (
    BookingRow,
    Names,
    draw,
    row_of,
    series_of,
    told,
)
from voltyard.web.console.common import posted, query, search_text
from voltyard.web.console.rooms import BookingRooms
from voltyard.web.console.tokens import remote_of
from voltyard.web.console.views import Choice, Page, Paging
from voltyard.web.export import Cell, csv_stream
from voltyard.web.forms import Fields
from voltyard.web.ui import Ui, local_path

HOURS_SHOWN = 24
HOURS_BEFORE = 2
SHOWN_MAX = 2_000
DECISIONS_SHOWN = 20
USUALLY = timedelta(hours=8)


def rooms_of(ui: Ui) -> BookingRooms:
    assert ui.deps.bookings is not None
    return ui.deps.bookings


@get("/sites/{site_id:uuid}/bookings")
async def bookings_page(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[str]:
    ui.at_site(site_id)
    start_at, end_at = _window(ui)
    names = await _names(ui, site_id)
    rows = await _rows(ui, site_id, names, start_at, end_at)
    rooms = rooms_of(ui).bookings
    decisions, _ = await rooms.decisions(ui.who, site_id=site_id, limit=DECISIONS_SHOWN)
    series = [each for each in await rooms.series(ui.who, site_id) if each.ended_at is None]
    return ui.page(
        "bookings.html",
        base=f"/sites/{site_id}/bookings",
        rows=rows,
        calendar=draw(rows, names, start_at, end_at, ui),
        view="table" if query(ui).text("view") == "table" else "chart",
        booking=words,
        rules=await rooms.rules(ui.who, site_id),
        states=tuple(BookingState),
        decisions=[told(ui, each, names) for each in decisions],
        series=[series_of(each, names) for each in series],
        earlier=ui.link(**{"from": ui.formats.field(start_at - timedelta(hours=12))}),
        later=ui.link(**{"from": ui.formats.field(start_at + timedelta(hours=12))}),
    )


@get("/sites/{site_id:uuid}/bookings.csv")
async def bookings_export(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Stream:
    site = ui.at_site(site_id)
    start_at, end_at = _window(ui)
    rows = await _rows(ui, site_id, await _names(ui, site_id), start_at, end_at)

    async def fetch(paging: Paging) -> Page[BookingRow]:
        return Page(rows[paging.offset : paging.offset + paging.size], len(rows), paging)

    header = [
        "place", "vehicle", "from_at", "until_at", "kept_from", "state", "origin", "note", "by",
        "reason",
    ]  # fmt: skip
    return csv_stream(f"bookings-{site.name}.csv", header, fetch, _cells)


@get("/sites/{site_id:uuid}/bookings/new")
async def new_booking(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[str]:
    ui.require(Permission.DUTIES_WRITE)
    ui.at_site(site_id)
    now = ui.data.now().astimezone(ui.zone).replace(second=0, microsecond=0)
    values = {
        "place": query(ui).text("place"),
        "from_at": now.strftime("%Y-%m-%dT%H:%M"),
        "until_at": (now + USUALLY).strftime("%Y-%m-%dT%H:%M"),
    }
    return await _form(ui, site_id, values, {}, "")


@post("/sites/{site_id:uuid}/bookings/new")
async def book(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[Any]:
    """Once, or again and again on the weekdays that are chosen."""
    ui.require(Permission.DUTIES_WRITE)
    ui.at_site(site_id)
    form = await posted(ui)
    rooms = rooms_of(ui).bookings
    try:
        days = [day for day in range(7) if form.flag(f"day_{day}")]
        if days:
            await rooms.repeat(ui.who, _series_of(ui, site_id, form, days), remote=remote_of(ui))
        else:
            await rooms.book(ui.who, _booking_of(ui, site_id, form), remote=remote_of(ui))
    except VoltyardError as error:
        faults = {_FIELDS.get(name, name): ui.gettext(why) for name, why in error.fields.items()}
        return await _form(ui, site_id, form.values, faults, error.message)
    return ui.go(f"/sites/{site_id}/bookings", done="saved")


_FIELDS: Mapping[str, str] = {
    "weekdays": "day_0",
    "begins": "from_at",
    "ends": "until_at",
    "first_on": "from_at",
}


@get("/sites/{site_id:uuid}/bookings/{booking_id:uuid}")
async def booking_page(
    ui: NamedDependency[Ui], site_id: FromPath[UUID], booking_id: FromPath[UUID]
) -> Response[str]:
    ui.at_site(site_id)
    return await _one(ui, site_id, booking_id, {}, {}, "")


async def _one(
    ui: Ui,
    site_id: UUID,
    booking_id: UUID,
    values: Mapping[str, str],
    faults: Mapping[str, str],
    error: str,
) -> Response[str]:
    rooms = rooms_of(ui).bookings
    found = await rooms.booking(ui.who, booking_id)
    if found.site_id != site_id:
        raise NotFound("There is no such booking.")
    names = await _names(ui, site_id)
    decisions, _ = await rooms.decisions(ui.who, booking_id=booking_id, limit=DECISIONS_SHOWN)
    return ui.page(
        "booking.html",
        base=f"/sites/{site_id}/bookings",
        status=422 if error else 200,
        row=row_of(found, names, ui.data.now()),
        booking=words,
        decisions=[told(ui, each, names) for each in decisions],
        values=values,
        faults=faults,
        error=error,
    )


@post("/sites/{site_id:uuid}/bookings/{booking_id:uuid}/{action:str}")
async def act(
    ui: NamedDependency[Ui], site_id: FromPath[UUID], booking_id: FromPath[UUID],
    action: FromPath[str],
) -> Response[Any]:  # fmt: skip
    """Cancel it, let others in (``lift``), or end the series of that id (``end-series``)."""
    ui.at_site(site_id)
    form = await posted(ui)
    rooms, remote = rooms_of(ui).bookings, remote_of(ui)
    try:
        if action == "lift":
            await rooms.lift(ui.who, booking_id, form.text("reason", longest=300), remote=remote)
        elif action == "end-series":
            await rooms.end_series(ui.who, booking_id, remote=remote)
        elif action == "cancel":
            await rooms.cancel(ui.who, booking_id, remote=remote)
        else:
            raise NotFound("There is nothing at this address.")
    except Invalid as error:
        return await _one(ui, site_id, booking_id, form.values, dict(error.fields), error.message)
    return ui.go(local_path(form.text("back"), f"/sites/{site_id}/bookings"), done="saved")


@get("/sites/{site_id:uuid}/bookings/rules")
async def rules_page(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[str]:
    ui.at_site(site_id)
    found = await rooms_of(ui).bookings.rules(ui.who, site_id)
    values = {
        "mode": found.mode.value,
        "before_min": f"{found.before_s / 60:g}",
        "after_min": f"{found.after_s / 60:g}",
        "end_at_departure": "on" if found.end_at_departure else "",
        "from_duties": "on" if found.from_duties else "",
        "on_charger": "on" if found.on_charger else "",
    }
    return ui.page(
        "booking_rules.html",
        base=f"/sites/{site_id}/bookings",
        values=values,
        faults={},
        error="",
        modes=tuple(Mode),
        booking=words,
    )


@post("/sites/{site_id:uuid}/bookings/rules")
async def save_rules(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.SITES_WRITE)
    ui.at_site(site_id)
    form = await posted(ui)
    try:
        before_s = form.number("before_min", low=0, high=240, scale=60)
        after_s = form.number("after_min", low=0, high=240, scale=60)
        mode = form.one_of("mode", Mode) or Mode.OFF
        form.check()
        draft = RulesDraft(
            mode, int(before_s or 0), int(after_s or 0),
            form.flag("end_at_departure"), form.flag("from_duties"), form.flag("on_charger"),
        )  # fmt: skip
        await rooms_of(ui).bookings.set_rules(ui.who, site_id, draft, remote=remote_of(ui))
    except VoltyardError as error:
        return ui.page(
            "booking_rules.html",
            base=f"/sites/{site_id}/bookings",
            status=422,
            values=form.values,
            faults=dict(error.fields),
            error=error.message,
            modes=tuple(Mode),
            booking=words,
        )
    return ui.go(f"/sites/{site_id}/bookings", done="saved")


@get("/sessions/{session_id:uuid}/bookings")
async def session_block(ui: NamedDependency[Ui], session_id: FromPath[UUID]) -> Response[str]:
    """What bookings mean for a session: the block on its page."""
    rooms = rooms_of(ui)
    session = await rooms.sessions.session(ui.who.org_id, session_id)
    found, _ = await rooms.bookings.decisions(ui.who, session_id=session_id, limit=DECISIONS_SHOWN)
    names = Names({}, {}, {}, await _vehicles(ui))
    strict = False
    if session.site_id is not None:
        strict = (await rooms.bookings.rules(ui.who, session.site_id)).mode is Mode.STRICT
    return ui.page(
        "session_bookings.html",
        session=session,
        decisions=[told(ui, each, names) for each in found],
        booking=words,
        may_allow=session.open and strict and not rooms.bookings.is_allowed(session_id),
    )


@post("/sessions/{session_id:uuid}/allow")
async def allow(ui: NamedDependency[Ui], session_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.SESSIONS_CONTROL)
    form = await posted(ui)
    reason = form.text("reason", longest=300)
    await rooms_of(ui).bookings.allow(ui.who, session_id, reason, remote=remote_of(ui))
    return ui.go(f"/sessions/{session_id}", done="saved")


def _window(ui: Ui) -> tuple[datetime, datetime]:
    start_at = query(ui).moment("from") or ui.data.now() - timedelta(hours=HOURS_BEFORE)
    hours = query(ui).whole("hours", low=4, high=168, default=HOURS_SHOWN)
    return start_at, start_at + timedelta(hours=hours)


async def _vehicles(ui: Ui) -> dict[UUID, str]:
    return {each.id: each.name for each in await rooms_of(ui).fleets.all(ui.who.org_id)}


async def _names(ui: Ui, site_id: UUID) -> Names:
    """Bays with an outlet, by area and name; then outlets in no bay."""
    rooms = rooms_of(ui)
    views = rooms.chargers.list_stations(ui.who.org_id, StationFilter(site_id=site_id))
    outlets = [(view.station, evse) for view in views for evse in view.evses]
    used = {evse.bay_id for _, evse in outlets if evse.bay_id is not None}
    found = [bay for bay in await rooms.sites.bays(ui.who, site_id) if bay.id in used]
    bays = {bay.id: bay.name for bay in sorted(found, key=lambda b: (b.position, b.name))}
    evses = {
        evse.id: f"{station.identity} {evse.number}"
        for station, evse in outlets
        if evse.bay_id is None
    }
    return Names({**bays, **evses}, bays, evses, await _vehicles(ui))


async def _rows(
    ui: Ui, site_id: UUID, names: Names, start_at: datetime, end_at: datetime
) -> tuple[BookingRow, ...]:
    wanted = BookingFilter(site_id=site_id, from_at=start_at, until_at=end_at)
    found, _ = await rooms_of(ui).bookings.bookings(ui.who, wanted, limit=SHOWN_MAX)
    text, state = search_text(ui).casefold(), query(ui).one_of("state", BookingState)
    now = ui.data.now()
    rows = [row_of(each, names, now) for each in reversed(found)]
    return tuple(
        row
        for row in rows
        if text in f"{row.place} {row.vehicle} {row.note}".casefold()
        and (row.state is state or (state is None and row.state is not BookingState.CANCELLED))
    )


def _whom(ui: Ui, form: Fields) -> Whom:
    kind, _, text = form.text("place", required=True).partition(":")
    place_id = Fields({"id": text}, ui.zone, ui.gettext).id("id")
    vehicle_id = form.id("vehicle_id")
    return Whom(
        bay_id=place_id if kind == "bay" else None,
        evse_id=place_id if kind == "evse" else None,
        vehicle_id=vehicle_id,
        token="" if vehicle_id else form.text("token", longest=255),
        note=form.text("note", longest=300),
    )


def _booking_of(ui: Ui, site_id: UUID, form: Fields) -> NewBooking:
    whom = _whom(ui, form)
    from_at = form.moment("from_at", required=True)
    until_at = form.moment("until_at", required=True)
    form.check()
    assert from_at is not None
    assert until_at is not None
    return NewBooking(site_id, whom, from_at, until_at)


def _series_of(ui: Ui, site_id: UUID, form: Fields, days: Sequence[int]) -> NewSeries:
    """Of the two instants the times of day count, and the day of the first."""
    one = _booking_of(ui, site_id, form)
    begins, ends = (at.astimezone(ui.zone) for at in (one.from_at, one.until_at))
    last = form.text("last_on")
    last_on: date | None = None
    if last:
        try:
            last_on = date.fromisoformat(last)
        except ValueError:
            form.fault("last_on", ui.gettext("This is not a date and time."))
    form.check()
    return NewSeries(
        site_id, one.whom, tuple(days), _clock(begins), _clock(ends), begins.date(), last_on
    )


def _clock(at: datetime) -> time:
    return at.time().replace(second=0, microsecond=0)


async def _form(
    ui: Ui, site_id: UUID, values: Mapping[str, str], faults: Mapping[str, str], error: str
) -> Response[str]:
    names = await _names(ui, site_id)
    return ui.page(
        "booking_new.html",
        base=f"/sites/{site_id}/bookings",
        status=422 if error else 200,
        values=values,
        faults=faults,
        error=error,
        places=names.choices,
        vehicles=[Choice(str(id_), name) for id_, name in names.vehicles.items()],
        weekdays=words.WEEKDAYS,
    )


def _cells(row: BookingRow) -> tuple[Cell, ...]:
    return (
        row.place, row.vehicle, row.from_at, row.until_at, row.kept_from, row.state.value,
        row.origin, row.note, row.by, row.why,
    )  # fmt: skip


ROUTES = [
    bookings_page,
    bookings_export,
    new_booking,
    book,
    booking_page,
    act,
    rules_page,
    save_rules,
    session_block,
    allow,
]

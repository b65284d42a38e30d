"""Bays and outlets booked for vehicles, the rules of sites, and what was decided."""

from datetime import date, datetime
from datetime import time as day_time
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody

from voltyard.api.caller import Deps, Who, remote_of
from voltyard.api.deps import AnyRequest
from voltyard.api.wire import In, Limit, Offset, Out, Page, out, page
from voltyard.bookings.commands import NewBooking, NewSeries, RulesDraft, Whom
from voltyard.bookings.model import Action, Booking, BookingFilter, BookingState, Mode, Origin

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
LocalTime = Annotated[day_time, msgspec.Meta(tz=False, examples=["22:00:00"])]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
Token = Annotated[str, msgspec.Meta(max_length=255)]
Note = Annotated[str, msgspec.Meta(max_length=300)]


class WhomIn(In):
    """A bay or an outlet, for a vehicle or a token: one of each pair."""

    site_id: UUID
    bay_id: UUID | None = None
    evse_id: UUID | None = None
    vehicle_id: UUID | None = None
    token: Token = ""
    note: Note = ""


class BookingIn(WhomIn, kw_only=True):
    from_at: Instant
    until_at: Instant


class SeriesIn(WhomIn, kw_only=True):
    """``weekdays``: 0 is Monday. Ends on the next day where ``ends`` is not after ``begins``."""

    weekdays: Annotated[list[int], msgspec.Meta(min_length=1, max_length=7)]
    begins: LocalTime
    ends: LocalTime
    first_on: date
    last_on: date | None = None


class ReasonIn(In):
    reason: Reason


class BookingOut(Out):
    """``kept_from`` to ``kept_until`` includes the buffers. ``lifted_*``: who let others in."""

    id: UUID
    site_id: UUID
    place_id: UUID
    bay_id: UUID | None
    evse_id: UUID | None
    vehicle_id: UUID | None
    token: str
    from_at: datetime
    until_at: datetime
    kept_from: datetime
    kept_until: datetime
    state: BookingState
    origin: Origin
    series_id: UUID | None
    duty_id: UUID | None
    note: str
    created_by: str
    created_at: datetime
    lifted_at: datetime | None
    lifted_by: str
    lifted_reason: str
    cancelled_at: datetime | None
    cancelled_by: str


class SeriesOut(Out):
    id: UUID
    site_id: UUID
    place_id: UUID
    bay_id: UUID | None
    evse_id: UUID | None
    vehicle_id: UUID | None
    token: str
    note: str
    weekdays: tuple[int, ...]
    begins: day_time
    ends: day_time
    first_on: date
    last_on: date | None
    created_by: str
    created_at: datetime
    ended_at: datetime | None


class RulesIn(In):
    """``soft`` only tells what ``strict`` would do. The buffers (s) count for new bookings."""

    mode: Mode
    before_s: Annotated[int, msgspec.Meta(ge=0, le=14_400)] = 600
    after_s: Annotated[int, msgspec.Meta(ge=0, le=14_400)] = 0
    end_at_departure: bool = True
    from_duties: bool = True
    on_charger: bool = False


class RulesOut(Out):
    mode: Mode
    before_s: int
    after_s: int
    end_at_departure: bool
    from_duties: bool
    on_charger: bool


class DecisionOut(Out):
    """``done`` is false where the site's rules are soft, or the charger did not obey."""

    id: UUID
    at: datetime
    site_id: UUID
    station_id: UUID
    evse_id: UUID | None
    session_id: UUID | None
    booking_id: UUID | None
    action: Action
    done: bool
    token: str
    vehicle_id: UUID | None
    due_vehicle_id: UUID | None
    due_at: datetime | None
    by: str
    reason: str


class SuggestionOut(Out):
    """``bay_id`` null: there is none. ``in_the_way``: vehicles that block it or that it blocks."""

    duty_id: UUID
    vehicle: str
    arrival_at: datetime
    departure_at: datetime
    bay_id: UUID | None
    bay: str
    kept: bool
    in_the_way: list[str]
    short_w: float


class ChosenIn(In):
    duty_id: UUID
    bay_id: UUID


class TakenOut(Out):
    changed: int


@get("/bay-bookings", summary="Bookings, the latest beginning first")
async def bookings(
    deps: Deps,
    who: Who,
    limit: Limit = 100,
    offset: Offset = 0,
    site_id: FromQuery[UUID | None] = None,
    place_id: FromQuery[UUID | None] = None,
    vehicle_id: FromQuery[UUID | None] = None,
    open_only: FromQuery[bool] = False,
) -> Page[BookingOut]:
    wanted = BookingFilter(
        site_id=site_id,
        place_id=place_id,
        vehicle_id=vehicle_id,
        open_at=deps.clock.now() if open_only else None,
    )
    found, total = await deps.bookings.bookings(who, wanted, limit=limit, offset=offset)
    shown = [_shown(deps, booking) for booking in found]
    more = offset + len(shown) < total
    return Page(items=shown, limit=limit, offset=offset, total=total, more=more)


@post("/bay-bookings", summary="Book a bay or an outlet")
async def book(deps: Deps, who: Who, request: AnyRequest, data: JSONBody[BookingIn]) -> BookingOut:
    """409 ``conflict``: the place is kept for another then, its buffer included."""
    new = NewBooking(data.site_id, _whom(data), data.from_at, data.until_at)
    return _shown(deps, await deps.bookings.book(who, new, remote=remote_of(request)))


@get("/bay-bookings/{booking_id:uuid}", summary="One booking")
async def booking(deps: Deps, who: Who, booking_id: FromPath[UUID]) -> BookingOut:
    return _shown(deps, await deps.bookings.booking(who, booking_id))


@delete("/bay-bookings/{booking_id:uuid}", summary="Cancel a booking", status_code=200)
async def cancel(
    deps: Deps, who: Who, request: AnyRequest, booking_id: FromPath[UUID]
) -> BookingOut:
    """409 ``of_duty``: it follows a duty, which must be changed instead. 409 ``over``."""
    return _shown(deps, await deps.bookings.cancel(who, booking_id, remote=remote_of(request)))


@post(
    "/bay-bookings/{booking_id:uuid}/lift",
    summary="Let others in during a booking",
    status_code=200,
)
async def lift(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    booking_id: FromPath[UUID],
    data: JSONBody[ReasonIn],
) -> BookingOut:
    found = await deps.bookings.lift(who, booking_id, data.reason, remote=remote_of(request))
    return _shown(deps, found)


@get("/sites/{site_id:uuid}/bay-booking-series", summary="Bookings that come again")
async def series(deps: Deps, who: Who, site_id: FromPath[UUID]) -> list[SeriesOut]:
    await deps.sites.site(who, site_id)
    return [out(SeriesOut, each) for each in await deps.bookings.series(who, site_id)]


@post("/bay-booking-series", summary="Book a place again and again")
async def repeat(deps: Deps, who: Who, request: AnyRequest, data: JSONBody[SeriesIn]) -> SeriesOut:
    """The coming fortnight is booked at once; days that find the place taken are alerted."""
    new = NewSeries(
        data.site_id, _whom(data), tuple(data.weekdays), data.begins, data.ends,
        data.first_on, data.last_on,
    )  # fmt: skip
    return out(SeriesOut, await deps.bookings.repeat(who, new, remote=remote_of(request)))


@delete("/bay-booking-series/{series_id:uuid}", summary="End a series", status_code=200)
async def end_series(
    deps: Deps, who: Who, request: AnyRequest, series_id: FromPath[UUID]
) -> SeriesOut:
    """Its bookings that have not begun go with it."""
    found = await deps.bookings.end_series(who, series_id, remote=remote_of(request))
    return out(SeriesOut, found)


@get("/sites/{site_id:uuid}/bay-booking-rules", summary="How bookings hold at a site")
async def rules(deps: Deps, who: Who, site_id: FromPath[UUID]) -> RulesOut:
    return out(RulesOut, await deps.bookings.rules(who, site_id))


@put("/sites/{site_id:uuid}/bay-booking-rules", summary="Say how bookings hold at a site")
async def set_rules(
    deps: Deps, who: Who, request: AnyRequest, site_id: FromPath[UUID], data: JSONBody[RulesIn]
) -> RulesOut:
    draft = RulesDraft(**msgspec.structs.asdict(data))
    found = await deps.bookings.set_rules(who, site_id, draft, remote=remote_of(request))
    return out(RulesOut, found)


@get("/sites/{site_id:uuid}/bay-plan", summary="Bays suggested for the coming duties")
async def bay_plan(
    deps: Deps, who: Who, site_id: FromPath[UUID], afresh: FromQuery[bool] = False
) -> list[SuggestionOut]:
    """Nobody parked behind one that leaves later. ``afresh``: also for duties that name a bay."""
    found = await deps.bookings.suggester.suggest(who, site_id, afresh=afresh)
    return [
        SuggestionOut(
            duty_id=each.duty.id,
            vehicle=each.vehicle,
            arrival_at=each.duty.arrival_at,
            departure_at=each.duty.departure_at,
            bay_id=None if each.bay is None else each.bay.id,
            bay="" if each.bay is None else each.bay.name,
            kept=each.kept,
            in_the_way=list(each.in_the_way),
            short_w=each.short_w,
        )
        for each in found
    ]


@post("/sites/{site_id:uuid}/bay-plan", summary="Give duties their bays", status_code=200)
async def take_over(
    deps: Deps, who: Who, site_id: FromPath[UUID], data: JSONBody[list[ChosenIn]]
) -> TakenOut:
    chosen = {each.duty_id: each.bay_id for each in data}
    done = await deps.bookings.suggester.take_over(who, site_id, chosen)
    return TakenOut(changed=len(done))


@get("/bay-booking-decisions", summary="Who was refused or ended for a booking, newest first")
async def decisions(
    deps: Deps,
    who: Who,
    limit: Limit = 100,
    offset: Offset = 0,
    site_id: FromQuery[UUID | None] = None,
    session_id: FromQuery[UUID | None] = None,
    booking_id: FromQuery[UUID | None] = None,
) -> Page[DecisionOut]:
    found, total = await deps.bookings.decisions(
        who,
        site_id=site_id,
        session_id=session_id,
        booking_id=booking_id,
        limit=limit,
        offset=offset,
    )
    return page(DecisionOut, found, total, limit=limit, offset=offset)


@post(
    "/sessions/{session_id:uuid}/allow", summary="Let a session go on whoever is due",
    status_code=200,
)  # fmt: skip
async def allow(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    session_id: FromPath[UUID],
    data: JSONBody[ReasonIn],
) -> DecisionOut:
    made = await deps.bookings.allow(who, session_id, data.reason, remote=remote_of(request))
    return out(DecisionOut, made)


def _whom(data: WhomIn) -> Whom:
    return Whom(data.bay_id, data.evse_id, data.vehicle_id, data.token, data.note)


def _shown(deps: Deps, found: Booking) -> BookingOut:
    return out(BookingOut, found, state=found.state(deps.clock.now()))


ROUTER = Router(
    path="/",
    tags=["Bay bookings"],
    route_handlers=[
        bookings,
        book,
        booking,
        cancel,
        lift,
        series,
        repeat,
        end_series,
        rules,
        set_rules,
        bay_plan,
        take_over,
        decisions,
        allow,
    ],
)

"""Bays booked for vehicles, enforced at chargers of every version."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest
from token_yard import TokenYard

from voltyard.alerts.model import Alert
from voltyard.bookings.commands import NewBooking, NewSeries, RulesDraft, Whom
from voltyard.bookings.model import (
    Action,
    Booking,
    BookingFilter,
    BookingState,
    Decision,
    Mode,
    Origin,
)
from voltyard.errors import Conflict, Invalid
from voltyard.fleets.commands import VehicleDraft
from voltyard.ids import new_id
from voltyard.sessions.model import Session
from voltyard.simulator.evse import Status
from voltyard.timetable.model import Duty

Run = Callable[..., None]
STRICT = RulesDraft(Mode.STRICT)


async def two_buses(yard: TokenYard) -> dict[str, UUID]:
    """MINE and OTHER, each with a token of its name."""
    found: dict[str, UUID] = {}
    for name in ("MINE", "OTHER"):
        draft = VehicleDraft(name, battery_wh=300_000.0, max_power_w=150_000.0)
        vehicle = await yard.core.fleets.save_vehicle(yard.who, draft)
        await yard.token(name, vehicle_id=vehicle.id)
        found[name] = vehicle.id
    return found


async def rules(yard: TokenYard, draft: RulesDraft) -> None:
    await yard.core.bookings.set_rules(yard.who, yard.site.id, draft)


def in_minutes(yard: TokenYard, minutes: float) -> datetime:
    return yard.clock.now() + timedelta(minutes=minutes)


async def book(
    yard: TokenYard, vehicle_id: UUID, from_min: float, until_min: float, outlet: int = 1
) -> Booking:
    bay_id = yard.outlet(outlet).bay_id
    window = (in_minutes(yard, from_min), in_minutes(yard, until_min))
    new = NewBooking(yard.site.id, Whom(bay_id=bay_id, vehicle_id=vehicle_id), *window)
    return await yard.core.bookings.book(yard.who, new)


async def decisions(yard: TokenYard, **of: Any) -> list[Decision]:
    await yard.after(1)
    found, _ = await yard.core.bookings.decisions(yard.who, site_id=yard.site.id, **of)
    return found


def alerts(yard: TokenYard, kind: str) -> list[Alert]:
    found = yard.core.alerts.open_now(yard.who.org_id)
    return [alert for alert in found if alert.kind == kind]


async def running(yard: TokenYard) -> list[Session]:
    return yard.core.sessions.open_sessions(site_id=yard.site.id)


def test_the_wrong_vehicle_is_refused_and_the_right_one_charges(yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        buses = await two_buses(yard)
        await rules(yard, STRICT)
        kept = await book(yard, buses["MINE"], 5, 120)
        yard.plug(1, "OTHER")
        await yard.after(60)
        assert yard.charger.power_w(1) == 0.0, "it is in the buffer of another"
        refused = [d for d in await decisions(yard) if d.action is Action.REFUSED]
        assert {(d.booking_id, d.vehicle_id, d.done) for d in refused} == {
            (kept.id, buses["OTHER"], True)
        }
        assert await running(yard) == []
        yard.charger.unplug(1)
        await yard.after(30)
        yard.plug(1, "MINE")
        await yard.after(60)
        assert yard.charger.power_w(1) > 0.0

    yard(play)


def test_the_wrong_vehicle_ends_when_the_right_one_is_due(yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        buses = await two_buses(yard)
        await rules(yard, STRICT)
        yard.plug(1, "OTHER")
        await yard.after(60)
        (before,) = await running(yard)
        await book(yard, buses["MINE"], 20, 120)
        await yard.after(9 * 60)
        assert yard.charger.power_w(1) > 0.0
        await yard.after(2 * 60)
        assert yard.charger.power_w(1) == 0.0
        assert await running(yard) == []
        (ended,) = await decisions(yard, session_id=before.id)
        assert (ended.action, ended.done) == (Action.ENDED_FOR_ANOTHER, True)
        assert ended.due_vehicle_id == buses["MINE"]

    yard(play)


def test_its_session_ends_at_its_departure(yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        buses = await two_buses(yard)
        await rules(yard, STRICT)
        await book(yard, buses["MINE"], 0, 10)
        yard.plug(1, "MINE")
        await yard.after(9 * 60)
        (session,) = await running(yard)
        await yard.after(2 * 60)
        assert await running(yard) == []
        (ended,) = await decisions(yard, session_id=session.id)
        assert (ended.action, ended.done) == (Action.ENDED_AT_DEPARTURE, True)

    yard(play)


def test_soft_rules_only_tell(yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        buses = await two_buses(yard)
        await rules(yard, RulesDraft(Mode.SOFT))
        await book(yard, buses["MINE"], 5, 15)
        yard.plug(1, "OTHER")
        await yard.after(120)
        assert yard.charger.power_w(1) > 0.0
        found = await decisions(yard)
        assert {d.action for d in found} == {Action.REFUSED, Action.ENDED_FOR_ANOTHER}
        assert not any(d.done for d in found)
        (told,) = alerts(yard, "booking_blocked")
        assert (told.params["vehicle"], told.params["due"]) == ("OTHER", "MINE")
        await yard.after(15 * 60)
        assert yard.charger.power_w(1) > 0.0
        assert alerts(yard, "booking_blocked") == [], "it ends with its cause"

    yard(play)


def test_a_person_lets_another_in_and_says_why(one_yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        buses = await two_buses(yard)
        await rules(yard, STRICT)
        kept = await book(yard, buses["MINE"], 5, 60)
        with pytest.raises(Invalid):
            await yard.core.bookings.lift(yard.who, kept.id, "  ")
        lifted = await yard.core.bookings.lift(yard.who, kept.id, "MINE is in the workshop")
        assert lifted.state(yard.clock.now()) is BookingState.LIFTED
        yard.plug(1, "OTHER")
        await yard.after(8 * 60)
        assert yard.charger.power_w(1) > 0.0

    one_yard(play)


def test_a_session_that_a_person_allows_goes_on(one_yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        buses = await two_buses(yard)
        await rules(yard, STRICT)
        yard.plug(1, "OTHER")
        await yard.after(60)
        (session,) = await running(yard)
        await yard.core.bookings.allow(yard.who, session.id, "MINE comes an hour late")
        await book(yard, buses["MINE"], 12, 60)
        await yard.after(15 * 60)
        assert yard.charger.power_w(1) > 0.0
        (noted,) = await decisions(yard, session_id=session.id)
        assert (noted.action, noted.reason) == (
            Action.ALLOWED_BY_PERSON,
            "MINE comes an hour late",
        )

    one_yard(play)


def test_no_place_is_booked_twice_buffers_included(one_yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        buses = await two_buses(yard)
        await rules(yard, STRICT)
        kept = await book(yard, buses["MINE"], 60, 120)
        with pytest.raises(Conflict, match="keeps this place"):
            await book(yard, buses["OTHER"], 125, 180)
        assert (await book(yard, buses["OTHER"], 130, 180)).from_at > kept.until_at
        await book(yard, buses["OTHER"], 60, 120, outlet=2)
        await yard.core.bookings.cancel(yard.who, kept.id)
        await book(yard, buses["OTHER"], 30, 100)

    one_yard(play)


def a_duty(yard: TokenYard, vehicle_id: UUID, bay_id: UUID | None, minutes: float) -> Duty:
    return Duty(
        new_id(),
        yard.who.org_id,
        yard.site.id,
        "D1",
        in_minutes(yard, 60),
        in_minutes(yard, minutes),
        vehicle_id,
        target_soc_pct=80.0,
        bay_id=bay_id,
    )


def test_duties_book_the_bay_they_name(one_yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        buses = await two_buses(yard)
        await rules(yard, STRICT)
        bay_id = yard.outlet(1).bay_id
        duty = await yard.core.timetable.save(yard.who, a_duty(yard, buses["MINE"], bay_id, 300))
        wanted = BookingFilter(site_id=yard.site.id, open_at=yard.clock.now())
        (booked,), _ = await yard.core.bookings.bookings(yard.who, wanted)
        assert (booked.origin, booked.duty_id, booked.vehicle_id) == (
            Origin.TIMETABLE,
            duty.id,
            buses["MINE"],
        )
        with pytest.raises(Conflict, match="follows a duty"):
            await yard.core.bookings.cancel(yard.who, booked.id)
        await yard.core.timetable.save(yard.who, a_duty(yard, buses["MINE"], bay_id, 400))
        (moved,), _ = await yard.core.bookings.bookings(yard.who, wanted)
        assert moved.until_at == booked.until_at + timedelta(minutes=100)
        await yard.core.timetable.delete(yard.who, [duty.id])
        assert (await yard.core.bookings.bookings(yard.who, wanted))[1] == 0

    one_yard(play)


def test_a_duty_that_finds_its_bay_taken_is_told(one_yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        buses = await two_buses(yard)
        await rules(yard, STRICT)
        kept = await book(yard, buses["OTHER"], 100, 200)
        duty = a_duty(yard, buses["MINE"], yard.outlet(1).bay_id, 300)
        await yard.core.timetable.save(yard.who, duty)
        (told,) = alerts(yard, "booking_clash")
        assert told.params["who"] == "MINE"
        await yard.core.bookings.cancel(yard.who, kept.id)
        await yard.core.bookings.look_ahead()
        assert alerts(yard, "booking_clash") == []

    one_yard(play)


def test_a_series_books_its_coming_days(one_yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        buses = await two_buses(yard)
        await rules(yard, STRICT)
        today = yard.clock.now().astimezone(yard.site.zone).date()
        begins = time(22)
        whom = Whom(bay_id=yard.outlet(1).bay_id, vehicle_id=buses["MINE"])
        new = NewSeries(yard.site.id, whom, tuple(range(7)), begins, begins.replace(hour=5), today)
        series = await yard.core.bookings.repeat(yard.who, new)
        wanted = BookingFilter(site_id=yard.site.id, open_at=yard.clock.now())
        found, total = await yard.core.bookings.bookings(yard.who, wanted)
        assert total == 15
        await yard.core.bookings.cancel(yard.who, found[0].id)
        await yard.core.bookings.look_ahead()
        assert (await yard.core.bookings.bookings(yard.who, wanted))[1] == 14, "it stays cancelled"
        await yard.core.bookings.end_series(yard.who, series.id)
        assert (await yard.core.bookings.bookings(yard.who, wanted))[1] == 0

    one_yard(play)


def test_chargers_keep_a_booked_outlet_themselves(yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        buses = await two_buses(yard)
        await rules(yard, RulesDraft(Mode.STRICT, on_charger=True))
        kept = await book(yard, buses["MINE"], 5, 60)
        await yard.after(90)
        assert yard.charger.evse(1).status is Status.RESERVED
        yard.plug(1, "MINE")
        await yard.after(60)
        assert yard.charger.power_w(1) > 0.0
        yard.charger.unplug(1)
        await yard.after(90)
        other = await book(yard, buses["MINE"], 5, 60, outlet=2)
        await yard.after(90)
        assert yard.charger.evse(2).status is Status.RESERVED
        await yard.core.bookings.lift(yard.who, other.id, "it stays in the workshop")
        await yard.after(90)
        assert yard.charger.evse(2).status is Status.AVAILABLE
        assert kept.id != other.id

    yard(play)


def test_what_a_charger_keeps_goes_with_its_booking_also_after_a_restart(one_yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        buses = await two_buses(yard)
        await rules(yard, RulesDraft(Mode.STRICT, on_charger=True))
        bookings = yard.core.bookings
        duty = a_duty(yard, buses["MINE"], yard.outlet(1).bay_id, 300)
        duty = replace(duty, arrival_at=in_minutes(yard, 5))
        await yard.core.timetable.save(yard.who, duty)
        await yard.after(90)
        assert yard.charger.evse(1).status is Status.RESERVED
        await yard.core.timetable.save(yard.who, replace(duty, bay_id=yard.outlet(2).bay_id))
        await yard.after(90)
        assert yard.charger.evse(1).status is Status.AVAILABLE, "the duty has another bay now"
        assert yard.charger.evse(2).status is Status.RESERVED
        await bookings.load()
        wanted = BookingFilter(site_id=yard.site.id, open_at=yard.clock.now())
        (booked,), _ = await bookings.bookings(yard.who, wanted)
        await bookings.lift(yard.who, booked.id, "it stays in the workshop")
        await yard.after(90)
        assert yard.charger.evse(2).status is Status.AVAILABLE

    one_yard(play)

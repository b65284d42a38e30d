"""Bookings whose duty, series or clock changes: what a person decided holds, nothing lingers."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from test_bookings import STRICT, a_duty, alerts, book, in_minutes, rules, two_buses
from token_yard import TokenYard

from voltyard.bookings.commands import NewBooking, NewSeries, Whom
from voltyard.bookings.events import BookingChanged
from voltyard.bookings.model import Booking, BookingFilter, BookingState

Run = Callable[..., None]
BERLIN = ZoneInfo("Europe/Berlin")


async def open_bookings(yard: TokenYard) -> list[Booking]:
    wanted = BookingFilter(site_id=yard.site.id, open_at=yard.clock.now())
    return (await yard.core.bookings.bookings(yard.who, wanted))[0]


def test_buffers_are_minutes_also_where_the_clocks_change(one_yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        buses = await two_buses(yard)
        await rules(yard, replace(STRICT, after_s=600))
        for day, hour in (
            (datetime(2026, 3, 29, tzinfo=BERLIN), 3),
            (datetime(2026, 10, 25, tzinfo=BERLIN), 2),
        ):
            from_at = day.replace(hour=hour, minute=5)
            until_at = day.replace(hour=3, minute=55)
            whom = Whom(bay_id=yard.outlet(1).bay_id, vehicle_id=buses["MINE"])
            made = await yard.core.bookings.book(
                yard.who, NewBooking(yard.site.id, whom, from_at, until_at)
            )
            stored = await yard.core.bookings.booking(yard.who, made.id)
            assert stored.from_at - stored.kept_from == timedelta(minutes=10)
            assert stored.kept_until - stored.until_at == timedelta(minutes=10)

    one_yard(play)


def test_a_bus_that_leaves_later_keeps_its_bay_although_its_time_was_over(one_yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        buses = await two_buses(yard)
        await rules(yard, replace(STRICT, end_at_departure=False))
        bay_id = yard.outlet(1).bay_id
        duty = replace(a_duty(yard, buses["MINE"], bay_id, 10), arrival_at=in_minutes(yard, 0))
        await yard.core.timetable.save(yard.who, duty)
        yard.plug(1, "MINE")
        await yard.after(11 * 60)
        await yard.core.timetable.save(yard.who, replace(duty, departure_at=in_minutes(yard, 30)))
        assert alerts(yard, "booking_clash") == [], "it stood in its own way"
        (kept,) = await open_bookings(yard)
        assert kept.until_at == in_minutes(yard, 30)

    one_yard(play)


def test_letting_others_in_outlasts_a_change_of_the_duty(one_yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        buses = await two_buses(yard)
        await rules(yard, STRICT)
        duty = a_duty(yard, buses["MINE"], yard.outlet(1).bay_id, 300)
        await yard.core.timetable.save(yard.who, duty)
        (booked,) = await open_bookings(yard)
        await yard.core.bookings.lift(yard.who, booked.id, "MINE is in the workshop")
        await yard.core.timetable.save(yard.who, replace(duty, departure_at=in_minutes(yard, 290)))
        (moved,) = await open_bookings(yard)
        assert moved.state(yard.clock.now()) is BookingState.LIFTED
        assert moved.lifted_reason == "MINE is in the workshop"
        other = replace(duty, departure_at=in_minutes(yard, 290), vehicle_id=buses["OTHER"])
        await yard.core.timetable.save(yard.who, other)
        (anew,) = await open_bookings(yard)
        assert anew.state(yard.clock.now()) is BookingState.AHEAD, "that was said of another bus"

    one_yard(play)


def test_a_clash_ends_with_its_duty_or_series(one_yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        buses = await two_buses(yard)
        await rules(yard, STRICT)
        await book(yard, buses["OTHER"], 100, 200)
        bay_id = yard.outlet(1).bay_id
        duty = await yard.core.timetable.save(yard.who, a_duty(yard, buses["MINE"], bay_id, 300))
        local = in_minutes(yard, 110).astimezone(BERLIN)
        whom = Whom(bay_id=bay_id, vehicle_id=buses["MINE"])
        begins, ends = local.time(), (local + timedelta(minutes=30)).time()
        days = tuple(range(7))
        series = await yard.core.bookings.repeat(
            yard.who,
            NewSeries(yard.site.id, whom, days, begins, ends, local.date(), local.date()),
        )
        assert len(alerts(yard, "booking_clash")) == 2
        await yard.core.timetable.delete(yard.who, [duty.id])
        (of_series,) = alerts(yard, "booking_clash")
        assert of_series.object_id == str(series.id)
        await yard.core.bookings.end_series(yard.who, series.id)
        assert alerts(yard, "booking_clash") == []

    one_yard(play)


def test_looking_ahead_tells_no_clash_anew_after_a_restart_either(one_yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        buses = await two_buses(yard)
        await rules(yard, STRICT)
        bays = [yard.outlet(number).bay_id for number in (1, 2)]
        for number, bay_id in enumerate(bays, start=1):
            await book(yard, buses["OTHER"], 100, 200, outlet=number)
            duty = replace(a_duty(yard, buses["MINE"], bay_id, 300), external_id=f"D{number}")
            await yard.core.timetable.save(yard.who, duty)
        local = in_minutes(yard, 110).astimezone(BERLIN)
        for bay_id in bays:
            whom = Whom(bay_id=bay_id, vehicle_id=buses["MINE"])
            begins, ends = local.time(), (local + timedelta(minutes=30)).time()
            days, today = tuple(range(7)), local.date()
            new = NewSeries(yard.site.id, whom, days, begins, ends, today, today)
            await yard.core.bookings.repeat(yard.who, new)
        before = {alert.id for alert in alerts(yard, "booking_clash")}
        assert len(before) == 4
        await yard.core.alerts.load()
        await yard.core.bookings.load()
        await yard.core.bookings.look_ahead()
        assert {alert.id for alert in alerts(yard, "booking_clash")} == before

    one_yard(play)


def test_bookings_of_duties_are_told_like_others(one_yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        told: list[str] = []

        async def heard(event: BookingChanged) -> None:
            told.append(event.state)

        yard.core.bus.subscribe(BookingChanged, heard, name="heard")
        buses = await two_buses(yard)
        await rules(yard, STRICT)
        duty = a_duty(yard, buses["MINE"], yard.outlet(1).bay_id, 300)
        await yard.core.timetable.save(yard.who, duty)
        assert told == ["ahead"]
        await yard.core.timetable.delete(yard.who, [duty.id])
        assert told == ["ahead", "cancelled"]

    one_yard(play)

"""Bay bookings enforced over real sockets at charge points on the PyPI library ``ocpp``.

They begin although they were refused, as chargers with a list of their own do: strict rules end
that, soft ones tell of it. ``handled_point`` shows one card after the other instead.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.interop.house import PASSWORD, TOKEN, WAIT_S, House, house
from tests.interop.process import Program, program
from voltyard.alerts.service import AlertService
from voltyard.bookings.commands import NewBooking, NewSeries, RulesDraft, Whom
from voltyard.bookings.model import Action, Booking, Mode
from voltyard.bookings.service import BookingService
from voltyard.chargers.model import Station
from voltyard.clock import SystemClock
from voltyard.fleets.commands import TokenDraft, VehicleDraft
from voltyard.ids import new_id
from voltyard.reservations.model import ReservationState
from voltyard.reservations.service import ReservationService
from voltyard.sessions.events import MeterReported, SessionEnded, SessionStarted
from voltyard.sites.service import SiteService
from voltyard.storage.engine import PostgresDatabase
from voltyard.timetable.service import TimetableService

VERSIONS = ("16", "201")
MODES = [Mode.STRICT, Mode.SOFT]
REFUSED = {"16": "Blocked", "201": "NotAtThisTime"}
OTHER = "INTEROP02"


@dataclass
class LaterClock(SystemClock):
    """The machine's time, put on by hand."""

    by: timedelta = field(default=timedelta(0))

    def now(self) -> datetime:
        return super().now() + self.by


@dataclass
class Scene:
    here: House
    bookings: BookingService
    reservations: ReservationService
    clock: LaterClock
    station: Station

    async def whom(self, *, mine: bool) -> Whom:
        """The vehicle that comes, or another, at the station's outlet."""
        vehicle = self.here.vehicle
        if not mine:
            vehicle = await self.here.fleets.save_vehicle(self.here.who, VehicleDraft("Van 2"))
            await self.here.fleets.save_token(
                self.here.who, TokenDraft(OTHER, vehicle_id=vehicle.id)
            )
        evse = self.here.chargers.outlets(self.station.id)[0]
        return Whom(evse_id=evse.id, vehicle_id=vehicle.id)

    async def book(self, minutes: float, *, mine: bool, ahead: float = 0) -> Booking:
        from_at = self.clock.now() + timedelta(minutes=ahead)
        until_at = from_at + timedelta(minutes=minutes)
        whom = await self.whom(mine=mine)
        new = NewBooking(self.here.site_id, whom, from_at, until_at)
        return await self.bookings.book(self.here.who, new)

    async def later(self, minutes: float) -> None:
        self.clock.by += timedelta(minutes=minutes)
        await self.bookings.tick()
        await self.bookings.enforcer.settle()

    async def shows(self, point: Program, token: str, status: str) -> None:
        """The next card held to the reader is answered so; a minute later, as people do."""
        await self.later(1.5)
        told = len(point.told)
        await point.press(f"card {token}\n")
        await point.comes_to(lambda: any(each["event"] == "card" for each in point.told[told:]))
        answers = [each["status"] for each in point.told[told:] if each["event"] == "card"]
        assert answers == [status], (token, self.clock.by)

    async def refusals(self, count: int) -> list[bool]:
        """Of cards, whether they really were; noted in a moment, which nobody waits for."""
        async with asyncio.timeout(WAIT_S):
            while True:
                found, _ = await self.bookings.decisions(self.here.who)
                told = [each.done for each in found if each.action is Action.REFUSED]
                if len(told) >= count:
                    return told

    async def actions(self) -> list[tuple[Action, bool]]:
        found, _ = await self.bookings.decisions(self.here.who)
        return [(each.action, each.done) for each in reversed(found) if each.session_id is not None]


@asynccontextmanager
async def scene(
    database: PostgresDatabase, version: str, mode: Mode
) -> AsyncIterator[tuple[Scene, list[str]]]:
    clock = LaterClock()
    async with house(database, clock=clock) as here:
        sites = SiteService(database, here.bus, clock)
        alerts = AlertService(database, here.bus, clock)
        duties = TimetableService(database, here.bus, clock, sites=sites, vehicles=here.fleets)
        reservations = ReservationService(
            database, here.bus, clock,
            stations=here.chargers, tokens=here.fleets, occupancy=here.sessions,
        )  # fmt: skip
        here.sessions.honour(reservations)
        bookings = BookingService(
            database, here.commits, here.bus, clock,
            stations=here.chargers, places=sites, vehicles=here.fleets, sessions=here.sessions,
            duties=duties, tokens=here.fleets, reservations=reservations, alerts=alerts,
        )  # fmt: skip
        here.sessions.booked_by(bookings.gate)
        await bookings.set_rules(here.who, here.site_id, RulesDraft(mode))
        station = await here.add(identity := f"PYPI-{version}-{new_id().hex[:6]}")
        module = f"tests.interop.charge_point_{version}"
        command = [sys.executable, "-m", module, here.url, identity, PASSWORD, TOKEN]
        yield Scene(here, bookings, reservations, clock, station), command
        await bookings.close()
        await reservations.close()


@asynccontextmanager
async def handled(
    database: PostgresDatabase, version: str, mode: Mode, *more: str
) -> AsyncIterator[tuple[Scene, Program]]:
    """With a charge point that shows the cards it is told to."""
    async with scene(database, version, mode) as (yard, command):
        asks = [*command[:2], "tests.interop.handled_point", version, *command[3:6], *more]
        async with program(*asks) as point:
            await point.until("booted")
            yield yard, point


async def charging(here: House, point: Program) -> None:
    await here.until(lambda event: isinstance(event, SessionStarted))
    await here.until(lambda event: isinstance(event, MeterReported) and bool(event.power_w))


@pytest.mark.parametrize("version", VERSIONS)
async def test_strict_rules_refuse_the_wrong_vehicle_and_end_what_it_begins(
    database: PostgresDatabase, version: str
) -> None:
    async with scene(database, version, Mode.STRICT) as (yard, command):
        await yard.book(60, mine=False)
        async with program(*command) as point:
            await point.until("authorised", status=REFUSED[version])
            await charging(yard.here, point)
            await yard.later(1)
            await point.until("stopped")
            await yard.here.until(lambda event: isinstance(event, SessionEnded))
            assert await yard.actions() == [(Action.ENDED_FOR_ANOTHER, True)]


@pytest.mark.parametrize("version", VERSIONS)
async def test_soft_rules_let_it_charge_and_tell(database: PostgresDatabase, version: str) -> None:
    async with scene(database, version, Mode.SOFT) as (yard, command):
        await yard.book(60, mine=False)
        async with program(*command) as point:
            await point.until("authorised", status="Accepted")
            await charging(yard.here, point)
            await yard.later(1)
            assert await yard.actions() == [(Action.ENDED_FOR_ANOTHER, False)]
            assert yard.here.seen(SessionEnded) == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", MODES)
async def test_the_departure_ends_the_session_where_rules_are_strict(
    database: PostgresDatabase, version: str, mode: Mode
) -> None:
    async with scene(database, version, mode) as (yard, command):
        await yard.book(30, mine=True)
        async with program(*command) as point:
            await point.until("authorised", status="Accepted")
            await charging(yard.here, point)
            await yard.later(29)
            assert await yard.actions() == []
            await yard.later(2)
            if mode is Mode.STRICT:
                await point.until("stopped")
                await yard.here.until(lambda event: isinstance(event, SessionEnded))
            assert await yard.actions() == [(Action.ENDED_AT_DEPARTURE, mode is Mode.STRICT)]
            assert len(yard.here.seen(SessionEnded)) == int(mode is Mode.STRICT)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", MODES)
async def test_a_start_in_the_buffer_is_refused_until_a_person_lets_others_in(
    database: PostgresDatabase, version: str, mode: Mode
) -> None:
    strict = mode is Mode.STRICT
    refused = REFUSED[version] if strict else "Accepted"
    async with handled(database, version, mode) as (yard, point):
        booking = await yard.book(30, mine=False, ahead=30)
        await yard.shows(point, TOKEN, "Accepted")
        assert await yard.refusals(0) == []
        await yard.later(20)
        await yard.shows(point, TOKEN, refused)
        await yard.shows(point, OTHER, "Accepted")
        assert await yard.refusals(1) == [strict]
        lifted = await yard.bookings.lift(yard.here.who, booking.id, "Van 2 broke down")
        assert (lifted.lifted_reason, lifted.lifted_by) == ("Van 2 broke down", "Interop")
        await yard.shows(point, TOKEN, "Accepted")
        assert await yard.refusals(1) == [strict]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", MODES)
async def test_a_series_keeps_the_place_on_each_of_its_days(
    database: PostgresDatabase, version: str, mode: Mode
) -> None:
    refused = REFUSED[version] if mode is Mode.STRICT else "Accepted"
    async with handled(database, version, mode) as (yard, point):
        local = yard.clock.now().astimezone(ZoneInfo("Europe/Berlin"))
        begins, ends = (local + timedelta(minutes=ahead) for ahead in (30, 60))
        new = NewSeries(
            yard.here.site_id, await yard.whom(mine=False), tuple(range(7)),
            begins.time(), ends.time(), local.date(),
        )  # fmt: skip
        series = await yard.bookings.repeat(yard.here.who, new)
        day = timedelta(days=1)
        for offset, status in (
            (timedelta(minutes=5), "Accepted"), (timedelta(minutes=25), refused),
            (timedelta(minutes=40), refused), (timedelta(minutes=65), "Accepted"),
            (day + timedelta(minutes=40), refused),
        ):  # fmt: skip
            yard.clock.by = offset
            await yard.shows(point, TOKEN, status)
            await yard.shows(point, OTHER, "Accepted")
        assert await yard.refusals(3) == [mode is Mode.STRICT] * 3
        await yard.bookings.end_series(yard.here.who, series.id)
        yard.clock.by = 2 * day + timedelta(minutes=40)
        await yard.shows(point, TOKEN, "Accepted")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", MODES)
async def test_a_session_that_a_person_allows_goes_on_when_another_is_due(
    database: PostgresDatabase, version: str, mode: Mode
) -> None:
    async with handled(database, version, mode) as (yard, point):
        await yard.book(30, mine=False, ahead=30)
        await point.press(f"charge {TOKEN}\n")
        await charging(yard.here, point)
        begun = yard.here.seen(SessionStarted)[0]
        made = await yard.bookings.allow(yard.here.who, begun.session_id, "It leaves for a fire")
        assert (made.reason, made.by) == ("It leaves for a fire", "Interop")
        await yard.later(31)
        assert await yard.actions() == [(Action.ALLOWED_BY_PERSON, True)]
        assert yard.here.seen(SessionEnded) == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("more", [("keeps",), ()])
@pytest.mark.parametrize("mode", MODES)
async def test_a_charger_that_can_keeps_the_outlet_itself_where_rules_are_strict(
    database: PostgresDatabase, version: str, mode: Mode, more: tuple[str, ...]
) -> None:
    refused = REFUSED[version] if mode is Mode.STRICT else "Accepted"
    async with handled(database, version, mode, *more) as (yard, point):
        draft = RulesDraft(mode, on_charger=True)
        await yard.bookings.set_rules(yard.here.who, yard.here.site_id, draft)
        booking = await yard.book(60, mine=False)
        await yard.later(0)
        rows, _ = await yard.reservations.reservations(yard.here.who)
        kept = ReservationState.ACTIVE if more else ReservationState.REFUSED
        assert [row.state for row in rows] == ([kept] if mode is Mode.STRICT else [])
        if more and mode is Mode.STRICT:
            await point.until("reserved", evse=1, token=OTHER)
        await yard.shows(point, TOKEN, refused)
        await yard.shows(point, OTHER, "Accepted")
        await yard.bookings.lift(yard.here.who, booking.id, "It comes tomorrow")
        await yard.later(1)
        if more and mode is Mode.STRICT:
            await point.until("released")
        await yard.shows(point, TOKEN, "Accepted")

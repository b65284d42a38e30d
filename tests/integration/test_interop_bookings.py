"""Bay bookings enforced over real sockets at charge points on the PyPI library ``ocpp``.

They begin although they were refused, as chargers with a list of their own do: strict rules end
that, soft ones tell of it.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from tests.interop.house import PASSWORD, TOKEN, House, house
from tests.interop.process import Program, program
from voltyard.alerts.service import AlertService
from voltyard.bookings.commands import NewBooking, RulesDraft, Whom
from voltyard.bookings.model import Action, Mode
from voltyard.bookings.service import BookingService
from voltyard.chargers.model import Station
from voltyard.clock import SystemClock
from voltyard.fleets.commands import VehicleDraft
from voltyard.ids import new_id
from voltyard.sessions.events import MeterReported, SessionEnded, SessionStarted
from voltyard.sites.service import SiteService
from voltyard.storage.engine import PostgresDatabase
from voltyard.timetable.service import TimetableService

VERSIONS = ("16", "201")
REFUSED = {"16": "Blocked", "201": "NotAtThisTime"}


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
    clock: LaterClock
    station: Station

    async def book(self, minutes: float, *, mine: bool) -> None:
        """From now on, for the vehicle that comes or for another."""
        vehicle = self.here.vehicle
        if not mine:
            vehicle = await self.here.fleets.save_vehicle(self.here.who, VehicleDraft("Van 2"))
        evse = self.here.chargers.outlets(self.station.id)[0]
        whom = Whom(evse_id=evse.id, vehicle_id=vehicle.id)
        now = self.clock.now()
        new = NewBooking(self.here.site_id, whom, now, now + timedelta(minutes=minutes))
        await self.bookings.book(self.here.who, new)

    async def later(self, minutes: float) -> None:
        self.clock.by += timedelta(minutes=minutes)
        await self.bookings.tick()
        await self.bookings.enforcer.settle()

    async def actions(self) -> list[tuple[Action, bool]]:
        found, _ = await self.bookings.decisions(self.here.who)
        return [(each.action, each.done) for each in reversed(found) if each.session_id is not None]


@asynccontextmanager
async def scene(
    database: PostgresDatabase, version: str, mode: Mode
) -> AsyncIterator[tuple[Scene, list[str]]]:
    clock = LaterClock()
    async with house(database) as here:
        sites = SiteService(database, here.bus, clock)
        alerts = AlertService(database, here.bus, clock)
        duties = TimetableService(database, here.bus, clock, sites=sites, vehicles=here.fleets)
        bookings = BookingService(
            database, here.commits, here.bus, clock,
            stations=here.chargers, places=sites, vehicles=here.fleets, sessions=here.sessions,
            duties=duties, tokens=here.fleets,
            reservations=None,  # type: ignore[arg-type]  # chargers are not told of bookings
            alerts=alerts,
        )  # fmt: skip
        here.sessions.booked_by(bookings.gate)
        await bookings.set_rules(here.who, here.site_id, RulesDraft(mode))
        station = await here.add(identity := f"PYPI-{version}-{new_id().hex[:6]}")
        module = f"tests.interop.charge_point_{version}"
        command = [sys.executable, "-m", module, here.url, identity, PASSWORD, TOKEN]
        yield Scene(here, bookings, clock, station), command
        await bookings.close()


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
@pytest.mark.parametrize("mode", [Mode.STRICT, Mode.SOFT])
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

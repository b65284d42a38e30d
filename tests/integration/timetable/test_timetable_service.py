"""Duties in the database: saved, imported, matched to sessions, closed at departure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from voltyard.bus import Bus
from voltyard.clock import ScaledClock
from voltyard.errors import Conflict, Forbidden, Invalid, NotFound
from voltyard.fleets.commands import VehicleDraft
from voltyard.fleets.model import Vehicle
from voltyard.fleets.service import FleetService
from voltyard.sessions.events import SessionEnded, SessionStarted, SessionUpdated
from voltyard.sessions.model import Session, SessionState
from voltyard.sites.commands import SiteDraft
from voltyard.sites.model import Site
from voltyard.sites.service import SiteService
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy.access import system_principal
from voltyard.tenancy.model import Permission, Principal, Role
from voltyard.tenancy.passwords import PasswordBook, in_place
from voltyard.tenancy.scope import SYSTEM, transaction
from voltyard.tenancy.service import NewUser, TenancyService
from voltyard.timetable.events import DutiesChanged, DutyDeparted
from voltyard.timetable.model import Duty, DutyState
from voltyard.timetable.service import DutyFilter, TimetableService

NOW = datetime(2026, 1, 15, 18, tzinfo=UTC)


class MovedClock(ScaledClock):
    """Stands still until the test moves it."""

    at = NOW

    def now(self) -> datetime:
        return self.at


class Room:
    """One organisation with a site, a fleet and a timetable; sessions are rows of the test."""

    def __init__(self, database: PostgresDatabase) -> None:
        self.database = database
        self.clock = MovedClock(NOW)
        self.bus = Bus()
        self.sites = SiteService(database, self.bus, self.clock)
        self.fleets = FleetService(database, self.bus, self.clock)
        self.timetable = TimetableService(
            database, self.bus, self.clock, sites=self.sites, vehicles=self.fleets
        )
        self.running: dict[UUID, Session] = {}
        self.events: list[object] = []
        self.timetable.sessions = self
        self.timetable.listen()
        for kind in (DutiesChanged, DutyDeparted):
            self.bus.subscribe(kind, self._hear, name="test")
        self.who: Principal
        self.site: Site

    async def _hear(self, event: object) -> None:
        self.events.append(event)

    async def furnish(self, name: str = "Depot") -> "Room":
        people = TenancyService(
            self.database, self.clock, PasswordBook(in_place, time_cost=1, memory_kib=64)
        )
        admin = NewUser(f"{name}@example.org", name, Role.ADMIN, "seven buses at dawn")
        organisation, _ = await people.create_organisation(name, admin)
        self.who = system_principal(organisation.id)
        self.site = await self.sites.create_site(self.who, SiteDraft("Nord"))
        return self

    async def vehicle(self, name: str, vehicle_class: str = "12m") -> Vehicle:
        draft = VehicleDraft(name, vehicle_class, battery_wh=200_000.0)
        return await self.fleets.save_vehicle(self.who, draft)

    def duty(self, external_id: str, **changes: object) -> Duty:
        duty = Duty(
            uuid4(),
            self.who.org_id,
            self.site.id,
            external_id,
            NOW,
            NOW + timedelta(hours=10),
            vehicle_class="12m",
            target_soc_pct=90.0,
        )
        return replace(duty, **changes)  # type: ignore[arg-type]

    # Sessions, as the timetable sees them

    def open_sessions(
        self, *, org_id: UUID | None = None, site_id: UUID | None = None
    ) -> Sequence[Session]:
        return [s for s in self.running.values() if site_id is None or s.site_id == site_id]

    async def attach(self, session_id: UUID, *, duty_id: UUID | None = None) -> Session:
        self.running[session_id] = replace(self.running[session_id], duty_id=duty_id)
        async with transaction(self.database, SYSTEM) as tx:
            await tx.execute(
                "UPDATE sessions SET duty_id = :duty WHERE id = :id",
                {"duty": duty_id, "id": session_id},
            )
        return self.running[session_id]

    async def plug_in(self, vehicle: Vehicle | None) -> Session:
        session = Session(
            uuid4(),
            self.who.org_id,
            self.site.id,
            uuid4(),
            uuid4(),
            1,
            uuid4().hex,
            SessionState.ACTIVE,
            self.clock.at,
            vehicle_id=vehicle.id if vehicle else None,
        )
        self.running[session.id] = session
        async with transaction(self.database, SYSTEM) as tx:
            await tx.execute(
                "INSERT INTO sessions (id, org_id, site_id, station_id, evse_id, transaction_ref,"
                " state, start_key, started_at, vehicle_id) VALUES (:id, :org, :site, :station,"
                " :evse, :ref, 'active', :ref, :at, :vehicle)",
                {
                    "id": session.id,
                    "org": session.org_id,
                    "site": session.site_id,
                    "station": session.station_id,
                    "evse": session.evse_id,
                    "ref": session.transaction_ref,
                    "at": session.started_at,
                    "vehicle": session.vehicle_id,
                },
            )
        await self.bus.publish(
            SessionStarted(
                session.org_id,
                session.site_id,
                session.station_id,
                session.evse_id,
                session.id,
                session.vehicle_id,
                session.started_at,
            )
        )
        return self.running[session.id]

    async def update(self, session: Session) -> None:
        """Something about it changed, as every pause of the charging does."""
        await self.bus.publish(
            SessionUpdated(
                session.org_id,
                session.site_id,
                session.station_id,
                session.evse_id,
                session.id,
                session.vehicle_id,
                "suspended_ev",
                self.clock.at,
            )
        )

    async def unplug(self, session: Session, energy_wh: float, soc_pct: float | None) -> None:
        del self.running[session.id]
        async with transaction(self.database, SYSTEM) as tx:
            await tx.execute(
                "UPDATE sessions SET state = 'ended', ended_at = :at, energy_wh = :energy,"
                " soc_last_pct = :soc, last_reading_at = :at WHERE id = :id",
                {"at": self.clock.at, "energy": energy_wh, "soc": soc_pct, "id": session.id},
            )
        await self.bus.publish(
            SessionEnded(
                session.org_id,
                session.site_id,
                session.station_id,
                session.evse_id,
                session.id,
                session.vehicle_id,
                energy_wh,
                "EVDisconnected",
                self.clock.at,
            )
        )

    async def read(self, duty: Duty) -> Duty:
        return await self.timetable.duty(self.who.org_id, duty.id)


@pytest.fixture
async def room(database: PostgresDatabase) -> Room:
    return await Room(database).furnish()


async def test_a_vehicle_that_plugs_in_is_matched_with_its_own_duty(room: Room) -> None:
    bus = await room.vehicle("Bus 1")
    mine = room.duty("own", vehicle_id=bus.id)
    later = room.duty(
        "later",
        vehicle_id=bus.id,
        arrival_at=NOW + timedelta(hours=20),
        departure_at=NOW + timedelta(hours=30),
    )
    await room.timetable.save_all(room.who, [later, room.duty("of the class"), mine])
    session = await room.plug_in(bus)
    assert session.duty_id == mine.id
    assert (await room.read(mine)).state is DutyState.PRESENT
    assert (await room.read(later)).state is DutyState.PLANNED


async def test_vehicles_of_a_class_take_its_duties_one_each_earliest_first(room: Room) -> None:
    early = room.duty("early", departure_at=NOW + timedelta(hours=8))
    late = room.duty("late")
    await room.timetable.save_all(room.who, [late, early])
    sessions = [await room.plug_in(await room.vehicle(f"Bus {n}")) for n in (1, 2, 3)]
    assert [session.duty_id for session in sessions] == [early.id, late.id, None]
    assert (await room.read(early)).vehicle_id == sessions[0].vehicle_id
    other = await room.plug_in(await room.vehicle("Truck", "truck"))
    assert other.duty_id is None
    assert (await room.plug_in(None)).duty_id is None


async def test_a_list_that_comes_late_finds_the_vehicle_that_waits(room: Room) -> None:
    bus = await room.vehicle("Bus 1")
    session = await room.plug_in(bus)
    duty = room.duty("D1", vehicle_id=bus.id)
    await room.timetable.save(room.who, duty)
    assert room.running[session.id].duty_id == duty.id


async def test_unplugged_before_departure_it_is_expected_again(room: Room) -> None:
    bus = await room.vehicle("Bus 1")
    duty = room.duty("D1")
    await room.timetable.save(room.who, duty)
    first = await room.plug_in(bus)
    room.clock.at += timedelta(hours=1)
    await room.unplug(first, 20_000.0, 40.0)
    waiting = await room.read(duty)
    assert (waiting.state, waiting.vehicle_id) == (DutyState.PLANNED, bus.id)
    assert (await room.plug_in(bus)).duty_id == duty.id


async def test_at_departure_the_books_are_closed_with_soc_and_readiness(room: Room) -> None:
    bus, tram = await room.vehicle("Bus 1"), await room.vehicle("Bus 2")
    ready = room.duty("ready", vehicle_id=bus.id)
    short = room.duty("short", vehicle_id=tram.id)
    await room.timetable.save_all(room.who, [ready, short])
    sessions = [await room.plug_in(vehicle) for vehicle in (bus, tram)]
    room.clock.at = ready.departure_at
    await room.unplug(sessions[0], 100_000.0, 89.5)
    await room.unplug(sessions[1], 50_000.0, 70.0)
    assert await room.timetable.close_overdue() == 0
    gone = await room.read(ready)
    assert (gone.state, gone.ready, gone.soc_departure_pct) == (DutyState.DEPARTED, True, 89.5)
    left = await room.read(short)
    assert (left.ready, left.shortfall_wh) == (False, pytest.approx(40_000.0))
    departed = [event for event in room.events if isinstance(event, DutyDeparted)]
    assert {(event.duty_id, event.ready) for event in departed} == {
        (ready.id, True),
        (short.id, False),
    }


def _day(room: Room, bus: Vehicle) -> tuple[Duty, Duty]:
    """Out at dawn, back before noon for the second run."""
    night = room.duty("night", vehicle_id=bus.id, target_soc_pct=None, target_energy_wh=60_000.0)
    back_at = night.departure_at + timedelta(hours=4)
    noon = room.duty(
        "noon", vehicle_id=bus.id, arrival_at=back_at, departure_at=back_at + timedelta(hours=3)
    )
    return night, noon


async def test_who_leaves_a_little_late_leaves_with_what_it_has_charged(room: Room) -> None:
    """What a charger tells between departure and unplugging is not the next run's."""
    bus = await room.vehicle("Bus 1")
    night, noon = _day(room, bus)
    await room.timetable.save_all(room.who, [night, noon])
    session = await room.plug_in(bus)
    room.clock.at = night.departure_at + timedelta(minutes=3)
    await room.update(session)
    await room.timetable.close_overdue()
    await room.unplug(session, 60_000.0, None)
    assert (await room.read(night)).ready is True
    assert (await room.read(noon)).state is DutyState.PLANNED


async def test_who_stays_beyond_its_departure_serves_its_next_run(room: Room) -> None:
    bus = await room.vehicle("Bus 1")
    night, noon = _day(room, bus)
    await room.timetable.save_all(room.who, [night, noon])
    session = await room.plug_in(bus)
    room.clock.at = night.departure_at + timedelta(minutes=16)
    await room.timetable.close_overdue()
    assert (await room.read(night)).state is DutyState.DEPARTED
    assert room.running[session.id].duty_id == noon.id
    assert (await room.read(noon)).state is DutyState.PRESENT


async def test_late_word_about_a_session_that_is_over_takes_no_run_to_come(room: Room) -> None:
    bus = await room.vehicle("Bus 1")
    night, noon = _day(room, bus)
    await room.timetable.save_all(room.who, [night, noon])
    session = await room.plug_in(bus)
    room.clock.at = night.departure_at
    await room.unplug(session, 60_000.0, None)
    room.running[session.id] = session
    await room.update(session)
    assert (await room.read(noon)).state is DutyState.PLANNED
    assert room.running[session.id].duty_id == night.id


async def test_a_target_in_energy_counts_all_sessions_of_the_duty(room: Room) -> None:
    bus = await room.vehicle("Bus 1")
    duty = room.duty("D1", vehicle_id=bus.id, target_soc_pct=None, target_energy_wh=60_000.0)
    await room.timetable.save(room.who, duty)
    for energy_wh in (25_000.0, 35_000.0):
        session = await room.plug_in(bus)
        room.clock.at += timedelta(hours=1)
        await room.unplug(session, energy_wh, None)
    room.clock.at = duty.departure_at
    await room.timetable.close_overdue()
    assert (await room.read(duty)).ready is True


async def test_without_a_reading_the_soc_follows_from_the_energy(room: Room) -> None:
    bus = await room.vehicle("Bus 1")
    duty = room.duty("D1", vehicle_id=bus.id, soc_arrival_pct=40.0)
    await room.timetable.save(room.who, duty)
    session = await room.plug_in(bus)
    room.clock.at = duty.departure_at
    await room.unplug(session, 100_000.0, None)
    assert (await room.read(duty)).soc_departure_pct == pytest.approx(90.0)


async def test_a_departed_duty_is_history(room: Room) -> None:
    bus = await room.vehicle("Bus 1")
    duty = room.duty("D1", vehicle_id=bus.id, source="csv")
    await room.timetable.save(room.who, duty)
    room.clock.at = duty.departure_at
    await room.timetable.close_overdue()
    with pytest.raises(Conflict):
        await room.timetable.save(room.who, duty, expect_new=False)
    with pytest.raises(Conflict):
        await room.timetable.delete(room.who, [duty.id])


CSV = """id,vehicle,arrival,departure,target_soc_pct
D1,Bus 1,2026-01-15 19:30,2026-01-16 05:10,{soc}
D2,Bus 2,2026-01-15 20:30,2026-01-16 05:40,80
"""


async def fleet_of_two(room: Room) -> None:
    await room.vehicle("Bus 1")
    await room.vehicle("Bus 2")


async def listed(room: Room) -> list[tuple[str, float | None]]:
    found, total = await room.timetable.find(room.who.org_id, DutyFilter(room.site.id))
    assert total == len(found)
    return [(duty.external_id, duty.target_soc_pct) for duty in found]


async def test_a_dry_run_writes_nothing_and_the_import_writes_all(room: Room) -> None:
    await fleet_of_two(room)
    content = CSV.format(soc=90).encode()
    report = await room.timetable.check_csv(room.who, room.site.id, content)
    assert (report.rows, len(report.duties), report.faults) == (2, 2, ())
    assert await listed(room) == []
    await room.timetable.import_csv(room.who, room.site.id, content)
    assert await listed(room) == [("D1", 90.0), ("D2", 80.0)]


async def test_one_bad_row_keeps_all_out(room: Room) -> None:
    await fleet_of_two(room)
    with pytest.raises(Invalid) as refused:
        await room.timetable.import_csv(room.who, room.site.id, CSV.format(soc="x").encode())
    assert dict(refused.value.fields) == {"row 2 target_soc_pct": "is not a number"}
    assert await listed(room) == []


async def test_the_same_file_twice_changes_nothing_and_a_new_one_updates(room: Room) -> None:
    await fleet_of_two(room)
    content = CSV.format(soc=90).encode()
    await room.timetable.import_csv(room.who, room.site.id, content)
    before, _ = await room.timetable.find(room.who.org_id, DutyFilter(room.site.id))
    await room.timetable.import_csv(room.who, room.site.id, content)
    after, _ = await room.timetable.find(room.who.org_id, DutyFilter(room.site.id))
    assert after == before
    report = await room.timetable.import_csv(room.who, room.site.id, CSV.format(soc=95).encode())
    assert report.replaces == 2
    assert await listed(room) == [("D1", 95.0), ("D2", 80.0)]


async def test_rows_that_are_absent_go_only_when_asked(room: Room) -> None:
    await fleet_of_two(room)
    await room.timetable.import_csv(room.who, room.site.id, CSV.format(soc=90).encode())
    manual = room.duty("M1")
    await room.timetable.save(room.who, manual)
    header, _, second = CSV.format(soc=90).strip().splitlines()
    wide = second.replace("20:30", "19:00").replace("05:40", "06:00")
    early = "D0,Bus 1,2026-01-15 17:00,2026-01-16 05:00,70"
    content = "\n".join([header, early, wide]).encode()
    await room.timetable.import_csv(room.who, room.site.id, content)
    assert [name for name, _ in await listed(room)] == ["D0", "M1", "D1", "D2"]
    report = await room.timetable.import_csv(room.who, room.site.id, content, remove_absent=True)
    assert report.removed == 1
    assert [name for name, _ in await listed(room)] == ["D0", "M1", "D2"]


async def test_stays_of_one_vehicle_that_meet_are_flagged_not_refused(room: Room) -> None:
    await fleet_of_two(room)
    content = CSV.format(soc=90).replace("Bus 2", "Bus 1").encode()
    report = await room.timetable.check_csv(room.who, room.site.id, content)
    assert report.faults == ()
    assert [(w.row, w.column) for w in report.warnings] == [(3, "vehicle")]
    await room.timetable.import_csv(room.who, room.site.id, content)
    again = await room.timetable.check_csv(room.who, room.site.id, CSV.format(soc=90).encode())
    assert again.warnings == ()


async def test_an_export_can_be_imported_again(room: Room) -> None:
    await fleet_of_two(room)
    await room.timetable.import_csv(room.who, room.site.id, CSV.format(soc=90).encode())
    before = await listed(room)
    text = await room.timetable.export_csv(room.who, room.site.id)
    await room.timetable.import_csv(room.who, room.site.id, text.encode())
    assert await listed(room) == before


async def test_faults_of_single_duties_are_named_by_field(room: Room) -> None:
    wrong = room.duty("D1", priority=0, vehicle_id=uuid4(), bay_id=uuid4())
    with pytest.raises(Invalid) as refused:
        await room.timetable.save(room.who, wrong)
    assert set(refused.value.fields) == {"priority", "vehicle", "bay_id"}


async def test_another_organisation_reaches_nothing(room: Room, database: PostgresDatabase) -> None:
    bus = await room.vehicle("Bus 1")
    duty = room.duty("D1", vehicle_id=bus.id)
    await room.timetable.save(room.who, duty)
    other = await Room(database).furnish("Other")
    with pytest.raises(NotFound):
        await other.read(duty)
    with pytest.raises(NotFound):
        await other.timetable.delete(other.who, [duty.id])
    with pytest.raises(NotFound):
        await other.timetable.check_csv(other.who, room.site.id, b"id")
    stolen = replace(duty, id=uuid4(), org_id=other.who.org_id, site_id=room.site.id)
    with pytest.raises(NotFound):
        await other.timetable.save(other.who, stolen)
    foreign = replace(stolen, site_id=other.site.id)
    with pytest.raises(Invalid):
        await other.timetable.save(other.who, foreign)


async def test_a_viewer_imports_nothing(room: Room) -> None:
    viewer = replace(room.who, permissions=frozenset({Permission.VIEW}))
    with pytest.raises(Forbidden):
        await room.timetable.save(viewer, room.duty("D1"))
    with pytest.raises(Forbidden):
        await room.timetable.delete(viewer, [uuid4()])

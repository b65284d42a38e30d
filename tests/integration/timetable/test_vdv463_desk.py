"""VDV 463: requests become duties, in conflict and across restarts, over the real rooms."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from voltyard.app import Core, build_core, first_organisation, rooms
from voltyard.clock import ScaledClock
from voltyard.config import Settings
from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.fleets.model import Vehicle
from voltyard.sessions.model import IdToken, MeterReading, Phase, TransactionReport, Urgency
from voltyard.simulator import furnish
from voltyard.simulator.demo import demo_depot
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy.access import system_principal
from voltyard.tenancy.model import Principal
from voltyard.timetable.events import DutyDeparted
from voltyard.timetable.model import Duty
from voltyard.timetable.service import DutyFilter
from voltyard.timetable.vdv463.desk import Outcome
from voltyard.timetable.vdv463.model import (
    ChargingRequest,
    Instruction,
    Kept,
    Kind,
    Preconditioning,
    PreconditioningKind,
    Presystem,
    State,
    Target,
)
from voltyard.timetable.vdv463.picture import VehicleReport
from voltyard.timetable.vdv463.reading import Asked

NOBODY = UUID(int=0)


@dataclass
class Yard:
    core: Core
    who: Principal
    vehicles: list[Vehicle]

    async def presystem(self, path: str = "bms", **settings: Any) -> Presystem:
        draft = Presystem(NOBODY, NOBODY, path, path.upper(), **settings)
        view, _ = await self.core.presystems.create(self.who, draft)
        return view.presystem

    async def take(
        self, presystem: Presystem, *wishes: ChargingRequest | Asked, whole: bool = True
    ) -> Outcome:
        asked = [one if isinstance(one, Asked) else Asked(one) for one in wishes]
        room = self.core.presystems
        _, points = await room.picture(presystem, "P")
        yard = await room._looker.yard(presystem, points)
        return await room.desk.take(presystem, "P", asked, yard, whole=whole)

    def wish(self, request_id: str, bus: int = 0, hours: float = 6, **more: Any) -> ChargingRequest:
        departure_at = self.core.clock.now() + timedelta(hours=hours)
        values = {"min_soc_pct": 60.0, "max_soc_pct": 90.0, "departure_at": departure_at, **more}
        return ChargingRequest(request_id, self.vehicles[bus].name, **values)

    async def duties(self) -> list[Duty]:
        found, _ = await self.core.timetable.find(self.who.org_id, DutyFilter())
        return found

    def row(self, presystem: Presystem, request_id: str) -> Kept:
        rows = self.core.presystems.requests(self.who, presystem.id)
        return next(row for row in rows if row.request_id == request_id)


def core_of(database: PostgresDatabase) -> Core:
    clock = ScaledClock(demo_depot(3, 2).start_at)
    return build_core(Settings(), database, clock, holder="test", inline=True)


@pytest.fixture
async def yard(database: PostgresDatabase) -> AsyncIterator[Yard]:
    core = core_of(database)
    who = await first_organisation(core)
    await furnish.furnish(rooms(core), who, replace(demo_depot(3, 2), stays=()))
    yield Yard(core, who, list(await core.fleets.all(who.org_id)))
    core.crash()


async def test_a_request_becomes_a_duty_and_follows_it(yard: Yard) -> None:
    presystem = await yard.presystem(target=Target.MIN, priority_bounds=(10, 20))
    point = f"{yard.core.chargers.list_stations(yard.who.org_id)[0].station.identity}/1"
    wish = yard.wish("R1", point=point, priority=15, arrival_soc_pct=30.0)
    assert (await yard.take(presystem, wish)).error == ""
    [duty] = await yard.duties()
    assert (duty.target_soc_pct, duty.soc_arrival_pct, duty.priority) == (60, 30, 2)
    assert (duty.departure_at, duty.vehicle_id) == (wish.departure_at, yard.vehicles[0].id)
    assert duty.bay_id is not None
    later = replace(wish, departure_at=duty.departure_at + timedelta(hours=1), ad_hoc=True)
    await yard.take(presystem, later)
    [changed] = await yard.duties()
    assert (changed.id, changed.priority) == (duty.id, 1)
    assert (changed.departure_at, changed.arrival_at) == (later.departure_at, duty.arrival_at)
    await yard.take(presystem, replace(later, vehicle=yard.vehicles[1].name))
    [other] = await yard.duties()
    assert other.id != duty.id
    await yard.take(presystem)
    assert await yard.duties() == []


async def test_one_that_cannot_be_used_refuses_a_list_of_version_1_whole(yard: Yard) -> None:
    presystem = await yard.presystem()
    good = yard.wish("R1")
    bad = replace(good, request_id="R2", vehicle="nobody")
    outcome = await yard.take(presystem, good, bad)
    assert "R2" in outcome.error
    assert await yard.duties() == []
    outcome = await yard.take(presystem, good, bad, whole=False)
    assert (outcome.error, list(outcome.rejected)) == ("", ["R2"])
    assert len(await yard.duties()) == 1
    assert yard.row(presystem, "R2").state is State.REJECTED
    worse = replace(good, point="CP?/9")
    await yard.take(presystem, worse, whole=False)
    row = yard.row(presystem, "R1")
    assert (row.state, row.differs) == (State.STANDING, True)
    assert "CP?/9" in row.reason
    assert len(await yard.duties()) == 1


async def test_instructions_of_version_1_are_followed(yard: Yard) -> None:
    presystem = await yard.presystem()
    wish = yard.wish("R1")
    error = (await yard.take(presystem, Asked(wish, Instruction.CHANGED))).error
    assert "R1" in error
    await yard.take(presystem, Asked(wish, Instruction.NORMAL))
    moved = yard.wish("R1", hours=9)
    await yard.take(presystem, Asked(moved, Instruction.NORMAL))
    [duty] = await yard.duties()
    assert duty.departure_at == wish.departure_at
    assert yard.row(presystem, "R1").differs
    await yard.take(presystem, Asked(moved, Instruction.CHANGED))
    [duty] = await yard.duties()
    assert duty.departure_at == moved.departure_at
    await yard.take(presystem, Asked(moved, Instruction.TERMINATE))
    assert await yard.duties() == []


async def test_the_more_urgent_of_two_presystems_goes_first_until_it_is_gone(yard: Yard) -> None:
    bms = await yard.presystem("bms", kind=Kind.BMS)
    itcs = await yard.presystem("itcs", kind=Kind.ITCS)
    await yard.take(bms, yard.wish("B1", hours=8, priority=5))
    await yard.take(itcs, yard.wish("T1", hours=4, priority=1))
    [duty] = await yard.duties()
    assert duty.source == itcs.source
    row = yard.row(bms, "B1")
    assert (row.state, row.reason, row.duty_id) == (State.OUTDONE, "ITCS: T1", None)
    await yard.take(itcs)
    [duty] = await yard.duties()
    assert duty.source == bms.source
    assert yard.row(bms, "B1").state is State.STANDING


async def test_requests_stand_after_a_restart_and_missing_duties_come_back(
    yard: Yard, database: PostgresDatabase
) -> None:
    presystem = await yard.presystem()
    await yard.take(presystem, yard.wish("R1"), yard.wish("R2", bus=1))
    first, second = (yard.row(presystem, name).duty_id for name in ("R1", "R2"))
    assert first is not None
    await yard.core.timetable.delete(yard.who, [first])
    again = core_of(database)
    await again.presystems.load()
    found, _ = await again.timetable.find(yard.who.org_id, DutyFilter())
    assert {duty.id for duty in found} == {first, second}
    views = again.presystems.views(yard.who)
    assert [view.counts[State.STANDING] for view in views] == [2]
    again.crash()


async def test_a_departed_request_is_done_until_it_comes_changed(yard: Yard) -> None:
    presystem = await yard.presystem()
    wish = yard.wish("R1")
    await yard.take(presystem, wish)
    row = yard.row(presystem, "R1")
    assert row.duty_id is not None
    assert row.site_id is not None
    event = DutyDeparted(
        yard.who.org_id, row.site_id, row.duty_id, row.vehicle_id, True, 0.0, yard.core.clock.now()
    )
    await yard.core.bus.publish(event)
    await yard.take(presystem, wish)
    assert yard.row(presystem, "R1").state is State.DONE
    await yard.take(presystem, replace(wish, max_soc_pct=95.0))
    renewed = yard.row(presystem, "R1")
    assert renewed.state is State.STANDING
    assert renewed.duty_id != row.duty_id


async def test_preconditioning_is_handed_on(yard: Yard) -> None:
    told: list[Any] = []

    class Preconditioner:
        async def wished(self, *args: Any) -> None:
            told.append(args)

        def report(self, org_id: UUID, vehicle_id: UUID) -> VehicleReport | None:
            return None

    yard.core.presystems.preconditioned_by(Preconditioner())
    presystem = await yard.presystem()
    warm = Preconditioning(PreconditioningKind.HEATING, None, None, 12_000.0)
    wish = yard.wish("R1", preconditioning=(warm,))
    await yard.take(presystem, wish)
    await yard.take(presystem, wish)
    await yard.take(presystem, replace(wish, preconditioning=()))
    assert [args[3] for args in told] == [(warm,), ()]
    assert told[0][1] == yard.row(presystem, "R1").duty_id


async def test_the_room_of_preconditioning_hears_of_it(yard: Yard) -> None:
    presystem = await yard.presystem()
    room = yard.core.preconditioning
    warm = Preconditioning(PreconditioningKind.HEATING, None, None, 12_000.0)
    cold = replace(warm, kind=PreconditioningKind.BATTERY, power_w=0.0, ambient_c=900.0)
    await yard.take(presystem, yard.wish("R1", preconditioning=(warm, cold)))
    first = yard.row(presystem, "R1").duty_id
    await yard.take(presystem, yard.wish("R1", bus=1, preconditioning=(warm,)))
    second = yard.row(presystem, "R1").duty_id
    assert await room.withdraw(yard.who.org_id, duty_id=first) == 0
    assert await room.withdraw(yard.who.org_id, duty_id=second) == 1


async def test_charging_at_once_goes_before_all_when_the_vehicle_comes(yard: Yard) -> None:
    core, bus = yard.core, yard.vehicles[0]
    presystem = await yard.presystem()
    await yard.take(presystem, yard.wish("R1", ad_hoc=True))
    token = next(t for t in await core.fleets.all_tokens(yard.who.org_id) if t.vehicle_id == bus.id)
    station = core.chargers.list_stations(yard.who.org_id)[0].station.ref
    core.spawn(core.commits.run(), "commits")
    now = core.clock.now()
    report = TransactionReport(
        Phase.STARTED, now, "start", evse_number=1, connector_number=1,
        id_token=IdToken(token.value), readings=(MeterReading(now, 0.0),),
    )  # fmt: skip
    await core.sessions.report(station, report)
    [session] = core.sessions.open_sessions(org_id=yard.who.org_id)
    assert session.needs is not None
    assert session.needs.urgency is Urgency.PERSON
    assert session.duty_id == yard.row(presystem, "R1").duty_id
    picture = await core.presystems.picture_of(yard.who, presystem.id)
    points = picture.depots[0].stations[0].points
    assert points[0].process is not None
    assert points[0].vehicle is not None
    assert points[0].vehicle.vehicle == bus.name


async def test_presystems_are_set_up_with_care(yard: Yard) -> None:
    presystem = await yard.presystem()
    with pytest.raises(Conflict):
        await yard.presystem()
    for wrong in ({"path": "a b"}, {"path": "../x"}, {"period_s": 1.0}, {"username": "a:b"}):
        with pytest.raises(Invalid) as caught:
            await yard.core.presystems.create(yard.who, replace(presystem, **wrong))
        assert set(caught.value.fields) == set(wrong)
    stranger = system_principal(UUID(int=7))
    with pytest.raises(NotFound):
        yard.core.presystems.view(stranger, presystem.id)
    await yard.take(presystem, yard.wish("R1"))
    await yard.core.presystems.delete(yard.who, presystem.id)
    assert await yard.duties() == []

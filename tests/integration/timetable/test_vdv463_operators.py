"""VDV 463 of fleet operators: told of the places their vehicles may use, and of nothing else."""

from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

import pytest

from voltyard.app import Core, build_core, first_organisation, rooms
from voltyard.clock import ScaledClock
from voltyard.config import Settings
from voltyard.errors import Forbidden, Invalid
from voltyard.fleets.model import Vehicle
from voltyard.sessions.model import IdToken, MeterReading, Phase, Session, TransactionReport
from voltyard.simulator import furnish
from voltyard.simulator.depot import DepotSpec
from voltyard.simulator.shared import ALPHA, BETA, shared_depot
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy.access import on_behalf
from voltyard.tenancy.model import AdmittedSite, Permission, Principal
from voltyard.timetable.service import DutyFilter
from voltyard.timetable.vdv463.desk import Outcome
from voltyard.timetable.vdv463.link import Link
from voltyard.timetable.vdv463.model import ChargingRequest, Presystem, Version
from voltyard.timetable.vdv463.picture import Picture, Point
from voltyard.timetable.vdv463.reading import Asked
from voltyard.timetable.vdv463.version1 import Writer

NOBODY = UUID(int=0)


@dataclass
class Wire:
    """What would go over a socket."""

    sent: list[str] = field(default_factory=list)
    closed: str = ""

    async def send(self, text: str) -> None:
        self.sent.append(text)

    async def close(self, code: int, reason: str) -> None:
        self.closed = f"{code} {reason}"


@dataclass
class Yard:
    core: Core
    depot: DepotSpec
    who: Principal
    site_id: UUID
    operators: dict[str, UUID]

    def acting(self, name: str) -> Principal:
        return on_behalf(self.who, self.operators[name])

    async def presystem(self, name: str, **settings: object) -> tuple[Presystem, str]:
        draft = replace(Presystem(NOBODY, NOBODY, f"bms-{name}", name), **settings)  # type: ignore[arg-type]
        view, password = await self.core.presystems.create(self.acting(name), draft)
        return view.presystem, password

    async def picture(self, presystem: Presystem) -> Picture:
        return (await self.core.presystems.picture(presystem, "P"))[0]

    async def points(self, presystem: Presystem) -> dict[str, Point]:
        """But the stand-in for requests without a charging point."""
        depots = (await self.picture(presystem)).depots
        points = [p for d in depots for s in d.stations for p in s.points]
        return {p.id: p for p in points if not p.id.endswith("/0/0")}

    async def vehicle(self, name: str, place: int = 0) -> Vehicle:
        every = await self.core.fleets.all(self.who.org_id)
        return next(one for one in every if one.name == f"{name} {place + 1:02d}")

    async def ask(self, presystem: Presystem, *vehicles: str, point: str = "") -> Outcome:
        leaves_at = self.core.clock.now() + timedelta(hours=6)
        wishes = [
            ChargingRequest(
                f"R-{name}", name, min_soc_pct=60.0, max_soc_pct=90.0, departure_at=leaves_at,
                point=point, ad_hoc=True,
            )
            for name in vehicles
        ]  # fmt: skip
        _, points = await self.core.presystems.picture(presystem, "P")
        yard = await self.core.presystems._looker.yard(presystem, points)
        asked = [Asked(wish) for wish in wishes]
        return await self.core.presystems.desk.take(presystem, "P", asked, yard, whole=True)

    async def charges(self, name: str, point: str) -> Session:
        """A vehicle of that organisation begins there."""
        identity, _, number = point.rpartition("/")
        stations = self.core.chargers.all_stations()
        station = next(one for one in stations if one.identity == identity)
        now = self.core.clock.now()
        token = self.depot.vehicle(f"{name} 01").token
        ack = await self.core.sessions.report(
            station.ref,
            TransactionReport(
                Phase.STARTED, now, f"{name}-1", evse_number=int(number), connector_number=1,
                id_token=IdToken(token.value),
                readings=(MeterReading(now, 1_000.0, 50_000.0, 40.0),),
            ),
        )  # fmt: skip
        open_ones = self.core.sessions.open_sessions()
        return next(one for one in open_ones if one.transaction_ref == ack.transaction_ref)


@pytest.fixture
async def yard(database: PostgresDatabase) -> AsyncIterator[Yard]:
    depot = replace(shared_depot(1, 2, 1), stays=())
    core = build_core(Settings(), database, ScaledClock(depot.start_at), holder="t", inline=True)
    core.spawn(core.commits.run(), "commits")
    who = replace(await first_organisation(core), kind="user")
    site_id = await furnish.furnish(rooms(core), who, depot)
    found = await core.operators.operators(who)
    operators = {each.organisation.name: each.organisation.id for each in found}
    yield Yard(core, depot, who, site_id, operators)
    await core.presystems.close()
    core.crash()


def lane(yard: Yard, name: str) -> set[str]:
    areas = yard.depot.areas
    return {f"{identity}/{n}" for identity in areas if areas[identity] == name for n in (1, 2)}


async def test_it_is_told_of_the_areas_it_is_bound_to_and_of_no_other(yard: Yard) -> None:
    alpha, _ = await yard.presystem(ALPHA)
    assert set(await yard.points(alpha)) == lane(yard, "Lane 1")
    beta, _ = await yard.presystem(BETA)
    assert set(await yard.points(beta)) == lane(yard, "Lane 2")
    await yard.core.operators.update(
        yard.who, yard.operators[BETA], places=[AdmittedSite(yard.site_id)]
    )
    assert set(await yard.points(beta)) == lane(yard, "Lane 2") | lane(yard, "Lane 3")
    await yard.core.operators.update(yard.who, yard.operators[BETA], places=[])
    assert (await yard.picture(beta)).depots == ()
    with pytest.raises(Invalid):
        await yard.presystem(BETA, path="other", site_ids=(yard.site_id,))


async def test_of_vehicles_of_others_it_learns_that_somebody_is_there(yard: Yard) -> None:
    await yard.core.operators.update(
        yard.who, yard.operators[BETA], places=[AdmittedSite(yard.site_id)]
    )
    beta, _ = await yard.presystem(BETA)
    theirs, own = sorted(lane(yard, "Lane 3"))[0], sorted(lane(yard, "Lane 2"))[0]
    foreign = await yard.charges("Nord", theirs)
    mine = await yard.charges(BETA, own)
    points = await yard.points(beta)
    seen = points[theirs]
    assert (seen.process, seen.vehicle, seen.power_w, seen.limit_w) == (None, None, None, None)
    assert points[own].power_w == 50_000.0
    process, vehicle = points[own].process, points[own].vehicle
    assert process is not None
    assert vehicle is not None
    assert (process.process, vehicle.vehicle) == (str(mine.id), f"{BETA} 01")
    told = str(Writer(Version.V11).information(await yard.picture(beta)))
    token = yard.depot.vehicle("Nord 01").token.value
    for secret in (str(foreign.id), str(foreign.vehicle_id), "Nord 01", token, f"{ALPHA} 01"):
        assert secret not in told


async def test_its_requests_are_its_own_duties_for_its_own_vehicles(yard: Yard) -> None:
    alpha, _ = await yard.presystem(ALPHA)
    point = sorted(lane(yard, "Lane 1"))[0]
    assert "Beta 01" in (await yard.ask(alpha, "Beta 01")).error
    there = sorted(lane(yard, "Lane 2"))[0]
    assert there in (await yard.ask(alpha, "Alpha 01", point=there)).error
    running = await yard.charges(ALPHA, point)
    assert (await yard.ask(alpha, "Alpha 01", point=point)).error == ""
    [duty], _ = await yard.core.timetable.find(yard.operators[ALPHA], DutyFilter())
    assert (duty.org_id, duty.site_id) == (yard.operators[ALPHA], yard.site_id)
    assert duty.vehicle_id == (await yard.vehicle(ALPHA)).id
    assert (await yard.core.timetable.find(yard.operators[BETA], DutyFilter()))[1] == 0
    now = yard.core.sessions.open_sessions()
    assert [each.needs for each in now if each.id == running.id] == [None], "the depot decides"


async def test_who_is_switched_off_is_let_go_and_not_let_in(yard: Yard) -> None:
    room = yard.core.presystems
    alpha, password = await yard.presystem(ALPHA)
    basic = "Basic " + b64encode(f"{alpha.login}:{password}".encode()).decode()
    assert (await room.admit(alpha.path, basic, "192.0.2.1:5")).presystem == alpha
    wire = Wire()
    link: Link = await room.connect(alpha, Version.V11, wire, "192.0.2.1:5")
    assert link.view.state is not None
    await yard.core.operators.update(yard.who, yard.operators[ALPHA], active=False)
    assert wire.closed == "1012 the operator was changed"
    assert (await room.admit(alpha.path, basic, "192.0.2.1:5")).presystem is None
    await yard.core.operators.update(yard.who, yard.operators[ALPHA], active=True)
    assert (await room.admit(alpha.path, basic, "192.0.2.1:5")).presystem == alpha


async def test_an_operator_sets_up_its_own_where_it_may_make_keys(yard: Yard) -> None:
    planner = replace(yard.acting(ALPHA), permissions=frozenset({Permission.VIEW}))
    with pytest.raises(Forbidden):
        await yard.core.presystems.create(planner, Presystem(NOBODY, NOBODY, "x", "X"))
    alpha, _ = await yard.presystem(ALPHA)
    assert [v.presystem.id for v in yard.core.presystems.views(yard.acting(ALPHA))] == [alpha.id]
    assert yard.core.presystems.views(yard.acting(BETA)) == []
    assert yard.core.presystems.views(yard.who) == []

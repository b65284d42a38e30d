"""Curves learnt from sessions that ended: stored by type, lent to plans, each session once."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from energy_yard import START, Depot, HandClock

from voltyard.bus import Bus
from voltyard.energy import store
from voltyard.energy.curve import ChargeCurve
from voltyard.energy.learning import CurveLearning
from voltyard.energy.records import PowerSample
from voltyard.fleets.service import FleetService
from voltyard.sessions.events import SessionEnded
from voltyard.sessions.model import MeterSample
from voltyard.sites.service import SiteService
from voltyard.storage.engine import PostgresDatabase
from voltyard.storage.groupcommit import GroupCommit
from voltyard.tenancy import scope

MOST_W = 150e3
TRUE = ChargeCurve(((0.0, MOST_W), (70.0, MOST_W), (100.0, 20e3)))


class Sessions:
    """All charged from 40 to 95 %, a reading each minute, as fast as the vehicle takes."""

    async def curve(self, org_id: UUID, session_id: UUID) -> Sequence[MeterSample]:
        socs = [(minute, 40.0 + minute / 2.0) for minute in range(111)]
        return [
            MeterSample(at(minute), TRUE.power_at(soc, MOST_W), None, soc, None, "")
            for minute, soc in socs
        ]


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


async def granted(depot: Depot, commits: GroupCommit, power_w: float) -> None:
    samples = [
        PowerSample(at(i), depot.leaf_id, 0.0, power_w, 0.0, power_w, power_w) for i in range(111)
    ]
    await commits.submit([store.sample_write(depot.org_id, depot.site_id, s) for s in samples])


def ended(depot: Depot, session_id: UUID) -> SessionEnded:
    return SessionEnded(
        depot.org_id, depot.site_id, depot.station_id, depot.evse_id, session_id,
        depot.vehicle_id, 200e3, None, at(111),
    )  # fmt: skip


async def learning(database: PostgresDatabase, depot: Depot, clock: HandClock) -> CurveLearning:
    async with scope.transaction(database, scope.of(depot.org_id)) as tx:
        await tx.execute(
            "UPDATE vehicles SET vehicle_class = 'solo' WHERE id = :id", {"id": depot.vehicle_id}
        )
    sites = SiteService(database, Bus(), clock)
    return CurveLearning(database, clock, FleetService(database, Bus(), clock), Sessions(), sites)


async def test_plans_get_the_curve_that_three_sessions_showed(
    database: PostgresDatabase, commits: GroupCommit, clock: HandClock, depot: Depot
) -> None:
    room = await learning(database, depot, clock)
    await granted(depot, commits, MOST_W)
    first = uuid4()
    for session_id in (first, uuid4(), first):
        await room.on_ended(ended(depot, session_id))
    (bus,) = await room.vehicles(depot.org_id, [depot.vehicle_id])
    assert bus.charge_curve == (), "one that is told twice counts once"
    await room.on_ended(ended(depot, uuid4()))
    (bus,) = await room.vehicles(depot.org_id, [depot.vehicle_id])
    curve = ChargeCurve(bus.charge_curve)
    assert curve.power_at(60.0, MOST_W) == MOST_W
    assert 0.9 < curve.power_at(87.5, MOST_W) / TRUE.power_at(87.5, MOST_W) < 1.15
    (row,) = (await room.learnt(depot.org_id)).values()
    assert (row.vehicle_class, row.sessions) == ("solo", 3)
    assert await room.learnt(uuid4()) == {}
    assert await room.forget(depot.org_id, "solo")
    assert not await room.forget(depot.org_id, "solo")


async def test_where_it_is_not_known_what_was_granted_nothing_is_learnt(
    database: PostgresDatabase, clock: HandClock, depot: Depot
) -> None:
    room = await learning(database, depot, clock)
    for _ in range(3):
        await room.on_ended(ended(depot, uuid4()))
    assert await room.learnt(depot.org_id) == {}

"""A night of a depot whose chargers speak OCPP 2.1 and whose buses can give back (K28, Q)."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta

from tests.conftest import Databases, fresh_database
from tests.scenario.judging import kept, ready, ready_max
from voltyard.app import SimulatedHost, build_host, first_organisation
from voltyard.chargers.model import FrameFilter
from voltyard.clock import Clock
from voltyard.simulator.demo import demo_depot
from voltyard.simulator.depot import DepotSpec
from voltyard.simulator.loop import run_virtual
from voltyard.simulator.night import NightResult, run_night

FLOOR_PCT = 30.0
BACK_W = 40_000.0


def both_ways(depot: DepotSpec) -> DepotSpec:
    """The same depot with chargers and buses that can discharge."""
    stations = tuple(
        replace(
            station,
            protocol="ocpp2.1",
            dynamic=True,
            evses=tuple(replace(evse, discharge_w=50_000.0) for evse in station.evses),
        )
        for station in depot.stations
    )
    vehicles = tuple(
        replace(vehicle, battery=replace(vehicle.battery, discharge_w=60_000.0))
        for vehicle in depot.vehicles
    )
    return replace(depot, stations=stations, vehicles=vehicles)


@dataclass
class Dispatcher:
    """Orders every vehicle that can to give back, for three hours of the evening."""

    hosts: list[SimulatedHost] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    ordered: int = 0
    lowest_pct: float = 100.0
    exported_wh: float = 0.0
    actions: dict[str, int] = field(default_factory=dict)

    async def host(self, url: str, clock: Clock) -> SimulatedHost:
        made = await build_host(url, clock)
        self.hosts.append(made)
        self.tasks.append(asyncio.create_task(self._work(made, clock)))
        return made

    async def _work(self, host: SimulatedHost, clock: Clock) -> None:
        await clock.sleep(3600.0)
        core, seen = host.core, set()
        who = await first_organisation(core)
        until_at = clock.now() + timedelta(hours=5)
        while clock.now() < until_at + timedelta(minutes=20):
            for session in core.sessions.open_sessions():
                if session.id in seen and session.soc_last_pct is not None:
                    given = session.power_w is not None and session.power_w < 0.0
                    if given:
                        self.lowest_pct = min(self.lowest_pct, session.soc_last_pct)
                elif core.energy.discharge.able(who.org_id, session.id) and clock.now() < until_at:
                    seen.add(session.id)
                    self.ordered += 1
                    await core.energy.discharge.order(
                        who, session.id, power_w=BACK_W, until_at=until_at, soc_floor_pct=FLOOR_PCT
                    )
            await clock.sleep(60.0)
        await self._count(host)

    async def _count(self, host: SimulatedHost) -> None:
        core = host.core
        who = await first_organisation(core)
        page = await core.sessions.page(who.org_id, limit=1000)
        self.exported_wh = sum(session.energy_exported_wh for session in page.sessions)
        for view in core.chargers.list_stations(who.org_id):
            for action in ("SetChargingProfile", "UpdateDynamicSchedule"):
                wanted = FrameFilter(direction="out", action=action)
                found = await core.chargers.frames(who.org_id, view.station.id, wanted, limit=1000)
                self.actions[action] = self.actions.get(action, 0) + len(found)


def test_buses_give_back_and_are_ready_all_the_same(databases: Databases) -> None:
    depot = both_ways(demo_depot(5, 3))
    dispatcher = Dispatcher()
    with fresh_database(databases) as url:

        async def main(clock: Clock) -> NightResult:
            return await run_night([depot], lambda same: dispatcher.host(url, same), clock, seed=3)

        done = run_virtual(main, depot.start_at - timedelta(minutes=5))
    kept(done)
    assert ready(done) == ready_max(done)
    assert dispatcher.ordered >= 2
    assert dispatcher.exported_wh > 5_000.0
    assert dispatcher.lowest_pct >= FLOOR_PCT
    updates, profiles = (
        dispatcher.actions[action] for action in ("UpdateDynamicSchedule", "SetChargingProfile")
    )
    assert updates > 2 * profiles

"""A cold night: buses leave warm and charged, and heating never lifts the site over its limit."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from tests.conftest import Databases, fresh_database
from tests.scenario.judging import kept, ready, ready_max
from voltyard.app import SimulatedHost, build_host, first_organisation
from voltyard.clock import Clock
from voltyard.errors import Invalid, Unauthenticated
from voltyard.preconditioning.commands import RuleDraft
from voltyard.preconditioning.model import Kind, Run, RunState
from voltyard.simulator.cabin import CabinSpec, Conditioned
from voltyard.simulator.charger import Charger
from voltyard.simulator.demo import demo_depot, lower_limit
from voltyard.simulator.depot import DepotSpec, StaySpec, VehicleSpec
from voltyard.simulator.loop import run_virtual
from voltyard.simulator.night import NightResult, run_night
from voltyard.simulator.vdv261 import Vdv261Spec, Vdv261Vehicle, by_timer
from voltyard.simulator.vehicle import Battery

CABIN = CabinSpec()
RULE_W = 22_000.0
RULE_S = 2700
STAYS = timedelta(hours=2.5)
BUSES = 3
LIMIT_W = 75_000.0
VIN = "WEB62804113456789"


def cold(depot: DepotSpec) -> DepotSpec:
    """The last hours of a night: every bus has a cabin, and not much time to charge."""
    stays = tuple(
        replace(
            stay,
            planned_arrival_at=stay.planned_departure_at - STAYS,
            arrival_at=stay.departure_at - STAYS,
            arrival_soc_pct=stay.target_soc_pct - 22.0,
            planned_soc_pct=None,
        )
        for stay in depot.stays
    )
    return replace(
        depot,
        start_at=min(stay.arrival_at for stay in stays) - timedelta(minutes=20),
        end_at=max(stay.departure_at for stay in stays) + timedelta(minutes=10),
        vehicles=tuple(replace(v, cabin=CABIN) for v in depot.vehicles),
        stays=stays,
    )


@dataclass
class Yard:
    """One bus speaks VDV 261, the others have a timer."""

    speaks: str
    hosts: list[SimulatedHost] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    password: str = ""
    client: Vdv261Vehicle | None = None
    inside_c: dict[str, float] = field(default_factory=dict)
    heated_wh: dict[str, float] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)

    async def host(self, url: str, clock: Clock) -> SimulatedHost:
        made = await build_host(url, clock)
        self.hosts.append(made)
        self.clock = clock
        self.tasks.append(asyncio.create_task(self._work(made, clock)))
        return made

    async def _work(self, host: SimulatedHost, clock: Clock) -> None:
        """A dispatcher's only work: one rule, and access for one bus. Then nobody does anything."""
        await clock.sleep(60.0)
        core = host.core
        who = await first_organisation(core)
        draft = RuleDraft("winter", Kind.HEATING, RULE_W, start_before_s=RULE_S)
        await core.preconditioning.save_rule(who, draft)
        vehicle = await core.fleets.by_name(who.org_id, self.speaks)
        assert vehicle is not None
        _, self.password = await core.preconditioning.vdv261.admit(who, vehicle.id, vin=VIN)
        while True:
            await clock.sleep(300.0)
            found, _ = await core.preconditioning.runs(who)
            self.runs = found

    async def post(self, version: int, user: str, password: str, body: bytes) -> tuple[int, bytes]:
        desk = self.hosts[-1].core.preconditioning.vdv261
        try:
            return 200, await desk.receive(version, user, password, body, remote="bus")
        except Unauthenticated:
            return 401, b""
        except Invalid:
            return 400, b""

    def aboard(
        self, spec: VehicleSpec, battery: Battery, charger: Charger, stay: StaySpec
    ) -> Coroutine[Any, Any, None]:
        assert isinstance(battery, Conditioned)
        return self._stay(spec, battery, charger, stay)

    async def _stay(
        self, spec: VehicleSpec, vehicle: Conditioned, charger: Charger, stay: StaySpec
    ) -> None:
        vehicle.inside_c = vehicle.outside_c

        def changed(on: bool) -> None:
            charger.stage.settle()
            vehicle.on = on
            charger.stage.update()

        try:
            if spec.name != self.speaks:
                left = stay.departure_at - self.clock.now() - timedelta(seconds=RULE_S - 300)
                await by_timer(vehicle, self.clock, left.total_seconds(), changed)
                return
            await self.clock.sleep(120.0)
            told = Vdv261Spec(VIN, "001a2b3c4d5e", self.password, cycle_s=20.0)
            self.client = Vdv261Vehicle(
                told, vehicle, self.clock, self.post, changed,
                lambda: charger.evse(stay.evse).power_w,
            )  # fmt: skip
            await self.client.run()
        finally:
            charger.stage.settle()
            self.inside_c[spec.name] = vehicle.inside_c
            self.heated_wh[spec.name] = vehicle.heated_wh
            changed(False)


def test_buses_leave_warm_and_charged_and_the_site_keeps_its_limit(databases: Databases) -> None:
    depot = cold(demo_depot(4, BUSES))
    depot = lower_limit(depot, LIMIT_W)
    yard = Yard(depot.vehicles[0].name)
    with fresh_database(databases) as url:

        async def main(clock: Clock) -> NightResult:
            return await run_night(
                [depot], lambda same: yard.host(url, same), clock, seed=4, aboard=yard.aboard
            )

        done = run_virtual(main, depot.start_at - timedelta(minutes=5))
    kept(done)
    assert ready(done) == ready_max(done) == BUSES
    assert 0.9 * LIMIT_W < done.truths[depot.name].root_peak_w <= LIMIT_W, "the limit binds"
    assert len(yard.inside_c) == BUSES
    assert all(inside_c >= CABIN.target_c - 0.5 for inside_c in yard.inside_c.values())
    assert all(heated_wh > 4_000.0 for heated_wh in yard.heated_wh.values())
    assert yard.client is not None
    assert not yard.client.refused
    assert not yard.client.gave_up
    assert len(yard.runs) == BUSES
    assert {run.state for run in yard.runs} == {RunState.DONE}
    assert all(run.short_s < 180.0 for run in yard.runs)
    told = next(run for run in yard.runs if run.reported)
    assert told.minutes < RULE_S / 60

"""The demonstration depot: as described, repeatable, feasible, and tight at its feeders."""

import asyncio
from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sim_csms import Csms

from voltyard.clock import ScaledClock, seeded
from voltyard.errors import Invalid
from voltyard.simulator.demo import demo_depot, lower_limit
from voltyard.simulator.depot import DepotSpec, StaySpec
from voltyard.simulator.fleet import FleetDriver, StayResult
from voltyard.simulator.link import MemoryLink
from voltyard.simulator.loop import run_virtual
from voltyard.simulator.settings import ChargerSettings
from voltyard.simulator.station import make_charger
from voltyard.simulator.truth import Truth, check
from voltyard.simulator.vehicle import Battery
from voltyard.sites.model import NodeKind

STEP = timedelta(minutes=5)


def most_urgent_first(depot: DepotSpec) -> int:
    """How many are ready when power goes to whoever leaves first, never over any limit."""
    tree = depot.tree
    limits = {node.id: node.limits[0].total_w for node in tree.nodes}
    batteries = {
        stay.id: Battery(depot.vehicle(stay.vehicle).battery, stay.arrival_soc_pct)
        for stay in depot.stays
    }
    paths = {
        stay.id: [n.id for n in tree.path_of_evse(depot.evse_id(stay))] for stay in depot.stays
    }
    order = sorted(depot.stays, key=lambda stay: stay.departure_at)
    now = depot.start_at
    while now < depot.end_at:
        left = dict(limits)
        for stay in order:
            if stay.arrival_at <= now and now + STEP <= stay.departure_at:
                _charge(batteries[stay.id], stay, paths[stay.id], left)
        now += STEP
    return sum(batteries[stay.id].soc_pct >= stay.target_soc_pct - 1e-6 for stay in depot.stays)


def _charge(battery: Battery, stay: StaySpec, path: list[UUID], left: dict[UUID, float]) -> None:
    if battery.soc_pct >= stay.target_soc_pct:
        return
    power_w = min(battery.accepts_w(), *(left[node] for node in path))
    for node in path:
        left[node] -= power_w
    battery.charge_for(STEP.total_seconds(), power_w)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_night_is_feasible_behind_its_limit(seed: int) -> None:
    assert most_urgent_first(demo_depot(seed)) == 80


def test_a_much_lower_limit_is_not_feasible() -> None:
    depot = demo_depot(1)
    assert most_urgent_first(lower_limit(depot, 1_000_000.0)) < 80


def test_it_is_the_depot_of_the_description() -> None:
    depot = demo_depot(1)
    kinds = [node.kind for node in depot.nodes]
    assert depot.limit_w == 3_000_000.0
    assert [kinds.count(k) for k in NodeKind] == [1, 2, 8, 40, 80]
    assert {s.protocol for s in depot.stations} == {"ocpp1.6", "ocpp2.0.1"}
    assert all(len(s.evses) == 2 and s.max_power_w == 150_000.0 for s in depot.stations)
    zone = ZoneInfo(depot.timezone)
    for stay in depot.stays:
        arrival, departure = stay.arrival_at.astimezone(zone), stay.departure_at.astimezone(zone)
        assert arrival.time() >= time(18, 0) or arrival.time() <= time(1, 15)
        assert time(4, 30) <= departure.time() <= time(8, 0)
        assert 20.0 <= stay.arrival_soc_pct <= 60.0
        assert stay.target_soc_pct == 95.0
    assert len({(stay.station, stay.evse) for stay in depot.stays}) == 80
    assert any(stay.arrival_at != stay.planned_arrival_at for stay in depot.stays)
    capacities = {vehicle.battery.capacity_wh for vehicle in depot.vehicles}
    assert capacities == {250e3, 300e3, 350e3, 450e3}


def test_the_seed_decides_everything() -> None:
    assert demo_depot(5) == demo_depot(5)
    assert demo_depot(5).stays != demo_depot(6).stays
    assert demo_depot(5, limit_w=1e6).stays == demo_depot(5).stays


@pytest.mark.parametrize(("vehicles", "cabinets"), [(1, None), (7, 5), (200, 100), (20, 40)])
def test_other_sizes(vehicles: int, cabinets: int | None) -> None:
    depot = demo_depot(1, vehicles, cabinets)
    assert len(depot.stays) == vehicles
    assert depot.tree.root.kind is NodeKind.GRID


def test_more_buses_than_outlets_are_refused() -> None:
    with pytest.raises(Invalid):
        demo_depot(1, 11, 5)


def drive(depot: DepotSpec, seed: int = 1) -> tuple[list[StayResult], Truth, list[str]]:
    async def main(clock: ScaledClock) -> tuple[list[StayResult], Truth, list[str]]:
        csms = Csms(clock)
        link = MemoryLink(csms, clock, seeded(seed, "link"), 0.02, 0.05)
        settings = ChargerSettings(sample_s=900)
        chargers = {
            spec.identity: make_charger(spec, link, clock, seed=seed, settings=settings)
            for spec in depot.stations
        }
        lives = [asyncio.create_task(charger.run()) for charger in chargers.values()]
        results = await FleetDriver([depot], chargers, clock).run()
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)
        assert csms.invalid == []
        steps = {e.spec.id: e.trace for c in chargers.values() for e in c.evses}
        truth = check(depot.tree, steps, depot.start_at, depot.end_at)
        return results, truth, csms.trace

    return run_virtual(main, depot.start_at)


def test_uncontrolled_the_buses_get_full_and_the_feeders_overload() -> None:
    depot = demo_depot(2, 20)
    results, truth, _ = drive(depot)
    assert len(results) == 20
    assert all(result.ready for result in results)
    assert {depot.tree.by_id[e.node_id].kind for e in truth.exceedances} >= {NodeKind.FEEDER}
    for result in results:
        battery = depot.vehicle(result.vehicle).battery
        gained_pct = result.departure_soc_pct - result.arrival_soc_pct
        assert result.energy_wh == pytest.approx(battery.metered_wh(gained_pct))
        assert result.plugged_at == result.stay.arrival_at


def test_the_whole_night_repeats_exactly() -> None:
    depot = demo_depot(3, 12)
    assert drive(depot) == drive(depot)


def test_an_outlet_that_stays_occupied_costs_the_stay() -> None:
    depot = demo_depot(4, 1)
    (stay,) = depot.stays

    async def main(clock: ScaledClock) -> tuple[StayResult, datetime]:
        link = MemoryLink(None, clock, seeded(1, "link"))
        charger = make_charger(depot.station(stay.station), link, clock)
        charger.plug_in(stay.evse, Battery(depot.vehicles[0].battery, 50.0))
        (result,) = await FleetDriver([depot], {stay.station: charger}, clock).run()
        charger.stage.stop()
        return result, clock.now()

    result, ended_at = run_virtual(main, depot.start_at)
    assert result.plugged_at is None
    assert not result.ready
    assert result.shortfall_wh > 0
    assert ended_at - stay.departure_at < timedelta(minutes=1)

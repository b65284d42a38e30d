"""Policies of a site over its whole control: each has its effect, and no node is ever over."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import time, timedelta
from uuid import UUID

import pytest

from voltyard.chargers.model import Abilities, Evse, Quirks, Station, StationState
from voltyard.clock import ScaledClock
from voltyard.energy.model import Step
from voltyard.energy.policies.atonce import ChargeNow
from voltyard.energy.policies.base import Group, Who
from voltyard.energy.policies.blocks import Block, BlockKind, TimeBlocks
from voltyard.energy.policies.cheapest import CheapestOnly
from voltyard.energy.policies.groups import PriorityGroups
from voltyard.energy.policies.readyby import ReadyBy
from voltyard.energy.policies.registry import POLICIES, SitePolicies, payload, policies_of
from voltyard.energy.policies.visitors import Order, VisitorsShare
from voltyard.energy.ports import LiveSession
from voltyard.errors import Invalid
from voltyard.fleets.model import Vehicle
from voltyard.sessions.model import Urgency, VehicleNeeds
from voltyard.simulator.loop import run_virtual
from voltyard.simulator.nights_charger import Outlet
from voltyard.simulator.nights_depot import ORG, SITE, START, RandomDepot
from voltyard.simulator.nights_world import World, build
from voltyard.sites import tree
from voltyard.sites.model import Node, NodeKind, NodeLimit, Site
from voltyard.timetable.model import Duty

ROOT = UUID(int=10)
FLEET = Group("fleet", "Fleet", Who.FLEET)
PUBLIC = Group("public", "Public", Who.VISITORS)
GROUPS = PriorityGroups((FLEET, PUBLIC))
BATTERY_WH = 200_000.0


def depot(limit_w: float, count: int, *, planned: bool) -> RandomDepot:
    """DC outlets of 150 kW, each a charger, below one grid connection."""
    site = Site(SITE, ORG, "Depot", "Europe/Berlin")
    evses = [
        Evse(UUID(int=1000 + n), ORG, SITE, UUID(int=2000 + n), 1, f"outlet {n}", min_power_w=5e3)
        for n in range(count)
    ]
    nodes = [Node(ROOT, NodeKind.GRID, "grid", None, (NodeLimit(power_w=limit_w),))]
    nodes += [
        Node(UUID(int=3000 + n), NodeKind.EVSE, evse.name, ROOT, (), evse.id)
        for n, evse in enumerate(evses)
    ]
    stations = [
        Station(e.station_id, ORG, SITE, f"CP{n}", StationState.APPROVED, quirks=Quirks())
        for n, e in enumerate(evses)
    ]
    return RandomDepot(
        seed=1,
        site=site,
        tree=tree.build(nodes, site.zone),
        stations=tuple(stations),
        evses=tuple(evses),
        abilities={evse.id: Abilities() for evse in evses},
        metered=None,
        planned=planned,
    )


class Yard:
    """A world whose vehicles come one by one."""

    def __init__(
        self,
        clock: ScaledClock,
        policies: SitePolicies,
        *,
        limit_w: float = 100_000.0,
        count: int = 2,
        planned: bool = False,
        prices: Sequence[Step] = (),
    ) -> None:
        self.clock = clock
        made = depot(limit_w, count, planned=planned)
        self.world: World = build(made, clock, policies, prices)

    async def ready(self) -> None:
        await self.world.start()
        for charger in self.world.chargers:
            self.world.connect(charger)
        await self.world.wait(30)

    def outlet(self, number: int) -> Outlet:
        return self.world.chargers[number].outlets[0]

    def arrive(
        self,
        number: int,
        *,
        fleet: bool = False,
        hours: float | None = None,
        soc_pct: float = 20.0,
        at_once: bool = False,
    ) -> None:
        """``fleet``: a vehicle of ours; ``hours`` until its departure, where it has a duty."""
        outlet, now = self.outlet(number), self.clock.now()
        outlet.transaction = f"tx{number}"
        vehicle_id = UUID(int=7000 + number) if fleet or hours is not None else None
        if vehicle_id is not None:
            self.world.vehicles[vehicle_id] = Vehicle(
                vehicle_id, ORG, f"bus {number}", "", BATTERY_WH
            )
        if hours is not None:
            self.world.duties[UUID(int=9000 + number)] = Duty(
                id=UUID(int=9000 + number),
                org_id=ORG,
                site_id=SITE,
                external_id=f"duty {number}",
                arrival_at=now,
                departure_at=now + timedelta(hours=hours),
                vehicle_id=vehicle_id,
                target_soc_pct=100.0,
            )
        urgency = Urgency.PERSON if at_once else Urgency.NONE
        self.world.sessions[outlet.evse.id] = LiveSession(
            session_id=UUID(int=5000 + number),
            station_id=outlet.evse.station_id,
            evse_id=outlet.evse.id,
            transaction_ref=f"tx{number}",
            started_at=now,
            vehicle_id=vehicle_id,
            soc_start_pct=soc_pct,
            soc_pct=soc_pct,
            reading_at=now,
            needs=VehicleNeeds(now, urgency=urgency) if at_once else None,
        )

    def power_w(self, number: int) -> float:
        return self.outlet(number).power_w()

    def energy_wh(self, number: int) -> float:
        return self.world.sessions[self.outlet(number).evse.id].energy_wh


def told(policies: SitePolicies, story: Callable[[Yard], Awaitable[None]], **how: object) -> None:
    """Run it; whatever the policies are, promise 1 holds."""

    async def run(clock: ScaledClock) -> None:
        yard = Yard(clock, policies, **how)  # type: ignore[arg-type]
        await yard.ready()
        await story(yard)
        assert yard.world.judge.exceeded == []
        await yard.world.end()

    run_virtual(run, START)


def at(hours: int, minutes: int) -> time:
    """On the site's clock."""
    return time(hours, minutes)


@pytest.mark.parametrize("first", ["fleet", "public"])
def test_a_group_goes_before_the_next_one(first: str) -> None:
    groups = (FLEET, PUBLIC) if first == "fleet" else (PUBLIC, FLEET)

    async def story(yard: Yard) -> None:
        yard.arrive(0, fleet=first != "fleet")
        await yard.world.wait(120)
        assert yard.power_w(0) > 90_000
        yard.arrive(1, fleet=first == "fleet")
        await yard.world.wait(1_200)
        assert yard.power_w(1) > 85_000, "the less important one gives way, and gets no turn"

    told(SitePolicies(groups=PriorityGroups(groups)), story)


def test_express_is_ready_and_reserve_is_not_where_only_one_can_be() -> None:
    """Groups by outlets; both duties are of the same priority, and the reserve leaves first."""
    groups = PriorityGroups((Group("express", "Express", node_ids=(UUID(int=3001),)),))

    async def story(yard: Yard) -> None:
        yard.arrive(0, hours=1.5)
        yard.arrive(1, hours=1.6)
        await yard.world.wait(5_350)
        assert yard.energy_wh(1) > 0.79 * BATTERY_WH
        assert yard.energy_wh(0) < 0.5 * BATTERY_WH

    told(SitePolicies(groups=groups), story, limit_w=115_000.0, planned=True)


def test_what_is_reserved_for_a_group_is_left_free_by_others_and_only_then() -> None:
    block = Block(BlockKind.RESERVE, 70_000.0, "fleet", at(18, 10), at(18, 40))

    async def story(yard: Yard) -> None:
        yard.arrive(0)
        await yard.world.wait(120)
        assert yard.power_w(0) > 90_000
        await yard.world.wait(900)
        assert 0 < yard.power_w(0) <= 30_000, "18:17"
        yard.arrive(1, fleet=True)
        await yard.world.wait(120)
        assert yard.power_w(1) >= 69_000
        await yard.world.wait(1_800)
        assert yard.power_w(0) + yard.power_w(1) > 95_000

    told(SitePolicies(groups=GROUPS, blocks=TimeBlocks((block,))), story)


@pytest.mark.parametrize("group", ["", "public"])
def test_on_peak_no_more_than_so_much_flows(group: str) -> None:
    block = Block(BlockKind.CAP, 40_000.0, group, at(18, 10), at(18, 40))

    async def story(yard: Yard) -> None:
        yard.arrive(0)
        yard.arrive(1)
        await yard.world.wait(120)
        assert yard.power_w(0) + yard.power_w(1) > 90_000
        await yard.world.wait(900)
        assert 30_000 < yard.power_w(0) + yard.power_w(1) <= 40_000
        await yard.world.wait(1_800)
        assert yard.power_w(0) + yard.power_w(1) > 90_000

    told(SitePolicies(groups=GROUPS, blocks=TimeBlocks((block,))), story)


@pytest.mark.parametrize("least_pct", [None, 50.0])
def test_everybody_has_the_minimum_before_anybody_has_more(least_pct: float | None) -> None:
    async def story(yard: Yard) -> None:
        yard.arrive(0, hours=1.0)
        yard.arrive(1, hours=1.0)
        await yard.world.wait(3_500)
        socs = sorted(20.0 + yard.energy_wh(n) / BATTERY_WH * 100.0 for n in range(2))
        if least_pct is None:
            assert socs[0] < 40.0, "one of them is ready, at the other's cost"
        else:
            assert socs[0] >= least_pct - 1.0
        assert sum(socs) > 125.0

    told(SitePolicies(ready_by=ReadyBy(least_pct)), story, limit_w=180_000.0, planned=True)


def test_in_the_cheapest_hours_only() -> None:
    """The second hour is the cheapest of its day; the next day has one of its own."""
    values = (90.0, 20.0, *(100.0 + n for n in range(22)))
    prices = [
        Step(START + timedelta(hours=n), START + timedelta(hours=n + 1), value)
        for n, value in enumerate(values)
    ]
    policies = SitePolicies(groups=GROUPS, cheapest=CheapestOnly(("public",), 1.0))

    async def story(yard: Yard) -> None:
        yard.arrive(0)
        yard.arrive(1, fleet=True)
        await yard.world.wait(1_800)
        assert yard.power_w(0) == 0.0
        assert yard.power_w(1) > 90_000
        assert yard.world.controller is not None
        outlets = yard.world.controller.board.outlets
        assert outlets[yard.outlet(0).evse.id].ruled_out, "which its explanation tells"
        assert not outlets[yard.outlet(1).evse.id].ruled_out
        await yard.world.wait(2_400)
        assert yard.power_w(0) > 90_000
        await yard.world.wait(3_600)
        assert yard.power_w(0) == 0.0

    told(policies, story, limit_w=300_000.0, prices=prices)


def test_of_those_who_charge_in_the_cheapest_hours_no_readiness_is_demanded() -> None:
    prices = [Step(START, START + timedelta(hours=1), 90.0)]
    prices += [Step(START + timedelta(hours=1), START + timedelta(hours=2), 20.0)]
    policies = SitePolicies(groups=GROUPS, cheapest=CheapestOnly(("fleet",), 1.0))

    async def story(yard: Yard) -> None:
        yard.arrive(0, hours=2.0)
        await yard.world.wait(120)
        assert yard.world.controller is not None
        found = yard.world.controller.planning.outlook
        plan = yard.world.controller.planning.plan
        assert found is not None
        assert plan is not None
        stay = next(iter(found.stays.values()))
        assert not stay.demanded
        assert plan.power_at(stay.id, START + timedelta(minutes=30)) == 0.0
        assert plan.power_at(stay.id, START + timedelta(minutes=90)) > 0.0
        assert yard.power_w(0) == 0.0

    told(policies, story, limit_w=300_000.0, planned=True, prices=prices)


@pytest.mark.parametrize("enabled", [True, False])
def test_a_person_who_says_now_is_obeyed_at_once(enabled: bool) -> None:
    """Otherwise a bus that leaves in hours waits for cheap ones, or shares what a peak allows."""
    policies = SitePolicies(groups=GROUPS, charge_now=ChargeNow(enabled))

    async def story(yard: Yard) -> None:
        for number in range(3):
            yard.arrive(number, hours=3.0)
        await yard.world.wait(300)
        slowest = min(range(3), key=yard.power_w)
        assert yard.power_w(slowest) < 20_000
        yard.arrive(slowest, hours=3.0, at_once=True)
        await yard.world.wait(60)
        if enabled:
            assert yard.power_w(slowest) > 140_000

    told(policies, story, limit_w=200_000.0, count=3, planned=True)


def test_visitors_share_equally_or_in_the_order_they_came() -> None:
    async def equal(yard: Yard) -> None:
        for number in range(4):
            yard.arrive(number)
        await yard.world.wait(300)
        assert [yard.power_w(n) for n in range(4)] == pytest.approx([25_000.0] * 4, rel=0.02)

    told(SitePolicies(visitors=VisitorsShare(Order.EQUAL)), equal, count=4)

    async def first_come(yard: Yard) -> None:
        for number in (2, 0, 1):
            yard.arrive(number)
            await yard.world.wait(60)
        await yard.world.wait(1_800)
        assert yard.power_w(2) == pytest.approx(80_000, rel=0.05), "no turns"
        assert yard.power_w(0) + yard.power_w(1) < 20_000

    told(
        SitePolicies(visitors=VisitorsShare(Order.FIRST_COME)),
        first_come,
        limit_w=80_000.0,
        count=3,
    )


def test_visitors_get_a_share_of_what_the_fleet_leaves() -> None:
    async def story(yard: Yard) -> None:
        yard.arrive(0, fleet=True)
        yard.outlet(0).wants_w = 60_000.0
        yard.arrive(1)
        await yard.world.wait(300)
        assert yard.power_w(1) <= 75_000
        yard.outlet(0).transaction = None
        del yard.world.sessions[yard.outlet(0).evse.id]
        await yard.world.wait(300)
        assert yard.power_w(1) == pytest.approx(100_000, rel=0.05)

    policies = SitePolicies(groups=GROUPS, visitors=VisitorsShare(Order.TURNS, 50.0))
    told(policies, story, limit_w=200_000.0)


def test_all_are_stored_as_they_are_and_faults_are_named() -> None:
    made = SitePolicies(
        groups=GROUPS,
        ready_by=ReadyBy(40.0, ("fleet",)),
        cheapest=CheapestOnly(("public",), 3.5, 80.0),
        blocks=TimeBlocks((Block(BlockKind.RESERVE, 5e4, "fleet", at(22, 0), at(6, 0)),)),
        charge_now=ChargeNow(False),
        visitors=VisitorsShare(Order.EQUAL, 60.0),
    )
    assert policies_of(payload(made)) == made
    assert set(payload(made)) == {kind.key for kind in POLICIES}
    assert policies_of({}) == SitePolicies()
    wrong = payload(made) | {"ready_by": {"minimum_soc_pct": 140, "groups": ["nobody"]}}
    with pytest.raises(Invalid) as fault:
        policies_of(wrong)
    assert set(fault.value.fields) == {"ready_by.groups", "ready_by.minimum_soc_pct"}
    with pytest.raises(Invalid):
        policies_of({"blocks": {"blocks": [{"kind": "cap", "power_w": "much"}]}})
    with pytest.raises(Invalid):
        policies_of({"unheard_of": {}})

"""How often a site is looked at: who would be too late at the next pass goes beyond the plan's
total, and a limit that fell waits for no tick."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.energy.explaining_depot import Depot, evse_id, hours
from tests.unit.energy_control.rig import ROOT, START, Rig
from voltyard.clock import ScaledClock
from voltyard.energy import planner
from voltyard.energy.granting import GrantInput, targets
from voltyard.energy.inputs import Situation, outlook, plan_input
from voltyard.energy.overrides import Override
from voltyard.simulator.loop import run_virtual


@pytest.mark.parametrize(("pace_s", "granted_w"), [(30.0, 0.0), (300.0, 150_000.0)])
def test_who_has_less_time_than_until_the_next_pass_is_not_held_to_the_plans_total(
    pace_s: float, granted_w: float
) -> None:
    """100 kWh in 40 minutes at 150 kW leave little to spare, and the plan's slot has nothing."""
    depot = Depot()
    bus = depot.vehicle(1)
    depot.duty(bus, 0.71, target_soc_pct=64.0)
    depot.plug(bus, 0, soc_pct=30.0)
    given = Situation(depot.now, depot.setup, depot.sessions, depot.duties, depot.vehicles)
    found = outlook(given)
    plan = planner.plan(plan_input(given, found, horizon_s=36 * 3600.0, slot_s=900))
    nothing = {key: (0.0,) * len(powers) for key, powers in plan.power_w.items()}
    nodes = {key: (0.0,) * len(powers) for key, powers in plan.node_power_w.items()}
    plan = replace(
        plan, power_w=nothing, node_power_w=nodes, stats=replace(plan.stats, overload=False)
    )
    asked = GrantInput(
        depot.now, depot.setup.tree, 240.0, plan, found.present, {}, {}, pace_s=pace_s
    )
    (stay,) = (present.stay for present in found.present.values())
    assert stay is not None
    spare_s = hours(0.71).total_seconds() - stay.energy_needed_wh * 3600.0 / stay.max_power_w
    assert 60.0 < spare_s < 330.0
    assert targets(depot.board, asked).power_w(evse_id(0)) == granted_w


def test_the_pace_is_the_longest_time_between_passes_lately() -> None:
    async def story(clock: ScaledClock) -> tuple[float, float, float]:
        rig = Rig(clock)
        controller = await rig.start()
        await clock.sleep(100.0)
        calm_s = controller.pace_s
        await rig.crash()
        for pause_s in (0.0, 200.0):
            await clock.sleep(pause_s)
            controller.mark()
            await controller.tick()
        slow_s = controller.pace_s
        for _ in range(10):
            await clock.sleep(10.0)
            controller.mark()
            await controller.tick()
        return calm_s, slow_s, controller.pace_s

    calm_s, slow_s, after_s = run_virtual(story, START)
    assert 30.0 <= calm_s <= 36.0
    assert slow_s >= 200.0
    assert after_s == 30.0


def test_a_limit_that_fell_is_obeyed_before_the_next_tick() -> None:
    async def story(clock: ScaledClock) -> float:
        rig = Rig(clock)
        controller = await rig.start()
        for charger in rig.chargers:
            rig.connect(charger)
        await clock.sleep(61.0)
        rig.plug_in(rig.chargers[0])
        await clock.sleep(61.0)
        assert rig.chargers[0].allowed_w() > 50_000.0
        until_at = clock.now() + timedelta(hours=1)
        controller.overrides.put(Override(ROOT, 50_000.0, until_at))
        controller.mark_at_once()
        began_at = clock.now()
        while rig.chargers[0].allowed_w() > 50_000.0:
            await clock.sleep(0.05)
        await rig.crash()
        return (clock.now() - began_at).total_seconds()

    assert run_virtual(story, START) < 2.5

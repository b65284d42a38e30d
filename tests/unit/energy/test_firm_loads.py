"""What must run before a departure is reserved, granted and never lifts a node over its limit."""

import random
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.energy import explaining_depot
from tests.unit.energy.energy_cases import EVENING, asking, flat_tree, stay
from tests.unit.energy.explaining_depot import Depot, codes
from tests.unit.energy.test_allocator import bus, evse, random_round, share
from tests.unit.energy_control.rig import evse_id
from voltyard.energy import planner
from voltyard.energy.allocator import allocate
from voltyard.energy.granting import GrantInput, targets
from voltyard.energy.inputs import Situation, outlook, plan_input
from voltyard.energy.model import FirmLoad, MustRun

HOUR = timedelta(hours=1)


def test_planned_charging_leaves_room_for_what_must_run() -> None:
    tree = flat_tree(60e3, 2)
    leaf = tree.leaf_of_evse[UUID(int=1000)].id
    leaves = EVENING + 3 * HOUR
    run = MustRun(leaf, leaves - HOUR, leaves, 40e3)
    stays = [stay(i, arrival_at=EVENING, departure_at=leaves) for i in range(2)]
    stays = [replace(one, energy_needed_wh=55e3) for one in stays]
    made = planner.plan(asking(tree, *stays, must_run=(run,)))
    for slot, (start_at, end_at) in enumerate(pairwise(made.bounds)):
        planned_w = made.node_power_w[tree.root.id][slot]
        runs = start_at < run.end_at and end_at > run.start_at
        assert planned_w <= (20e3 if runs else 60e3) + 1e-6
    assert not any(forecast.will_miss for forecast in made.forecasts.values())


def test_slots_are_cut_where_it_begins() -> None:
    tree = flat_tree(60e3, 1)
    starts = EVENING + timedelta(minutes=100)
    run = MustRun(tree.root.id, starts, EVENING + 2 * HOUR, 40e3)
    assert starts in planner.plan(asking(tree, stay(0), must_run=(run,))).bounds


def test_for_many_runs_whole_slots_are_kept_free_instead() -> None:
    tree = flat_tree(600e3, 1)
    starts = EVENING + timedelta(minutes=100)
    runs = tuple(
        MustRun(tree.root.id, starts + timedelta(minutes=i), EVENING + 3 * HOUR, 5e3)
        for i in range(50)
    )
    made = planner.plan(asking(tree, stay(0), must_run=runs))
    assert starts not in made.bounds
    slot = made.slot_at(EVENING + 2.5 * HOUR)
    assert slot is not None
    assert made.peak_w >= 250e3


@settings(max_examples=150, deadline=None, derandomize=True)
@given(seed=st.integers(0, 100_000))
def test_grants_with_firm_power_stay_within_every_node(seed: int) -> None:
    """``allocate`` asserts the promise itself, recounted from nothing, at its end."""
    asked, chance = random_round(seed), random.Random(seed)
    firm = tuple(
        replace(c, firm_w=min(c.want_w, chance.uniform(0.0, 30e3))) if chance.random() < 0.5 else c
        for c in asked.candidates
    )
    made = allocate(replace(asked, candidates=firm))
    for candidate in firm:
        assert made.power_w(candidate.evse_id) <= candidate.want_w + 1e-6


def test_firm_power_goes_before_the_most_urgent_charging() -> None:
    tree = flat_tree(100e3, 2)
    warm = bus(1, want_w=20e3, plan_w=None, firm_w=20e3, min_power_w=0.0)
    late = bus(0, laxity_s=-100.0)
    made = allocate(share(tree, warm, late))
    assert made.power_w(evse(1)) == 20e3
    assert made.power_w(evse(0)) == 80e3


def test_of_firm_power_the_most_important_has_it_where_not_all_fits() -> None:
    tree = flat_tree(25e3, 2)
    first = bus(1, want_w=20e3, plan_w=None, firm_w=20e3, min_power_w=0.0, priority=1)
    second = bus(0, want_w=20e3, plan_w=None, firm_w=20e3, min_power_w=0.0, priority=5)
    made = allocate(share(tree, second, first))
    assert made.power_w(evse(1)) == 20e3
    assert made.power_w(evse(0)) == 5e3


def _granted(depot: Depot, firm: FirmLoad) -> float:
    given = Situation(
        depot.now, depot.setup, depot.sessions, depot.duties, depot.vehicles, firm=(firm,)
    )
    found = outlook(given)
    plan = planner.plan(plan_input(given, found, horizon_s=36 * 3600.0, slot_s=900))
    setup = depot.setup
    made = targets(
        depot.board, GrantInput(depot.now, setup.tree, 240.0, plan, found.present, {}, {})
    )
    return made.power_w(evse_id(0))


def test_a_full_vehicle_is_kept_energised_for_its_preconditioning_and_no_longer() -> None:
    depot = Depot()
    vehicle = depot.vehicle(0)
    duty = depot.duty(vehicle, 0.5)
    depot.plug(vehicle, 0, soc_pct=100.0)
    runs = FirmLoad(depot.now - HOUR / 4, duty.departure_at, 12e3, duty_id=duty.id)
    assert _granted(depot, runs) == 12e3
    assert _granted(depot, replace(runs, end_at=depot.now)) == 0.0
    assert _granted(depot, replace(runs, start_at=depot.now + HOUR / 4)) == 0.0
    assert _granted(depot, replace(runs, duty_id=None, vehicle_id=vehicle.id)) == 12e3


def test_energy_that_warmed_the_vehicle_did_not_charge_its_battery() -> None:
    depot = Depot()
    vehicle = depot.vehicle(0)
    duty = depot.duty(vehicle, 1.0, target_soc_pct=None, target_energy_wh=50e3)
    depot.plug(vehicle, 0, soc_pct=None)
    depot.sessions[0] = replace(depot.sessions[0], energy_wh=30e3)
    firm = FirmLoad(depot.now - HOUR / 4, duty.departure_at, 12e3, duty_id=duty.id)
    given = Situation(depot.now, depot.setup, depot.sessions, depot.duties, depot.vehicles)
    plain = outlook(given).stays[duty.id]
    warm = outlook(replace(given, firm=(firm,))).stays[duty.id]
    assert plain.energy_needed_wh == 20e3
    assert warm.energy_needed_wh == 23e3


def test_a_vehicle_that_is_still_to_come_keeps_room_at_the_root() -> None:
    depot = Depot()
    duty = depot.duty(depot.vehicle(0), 4.0, arrives_in_h=1.0)
    firm = FirmLoad(duty.departure_at - HOUR, duty.departure_at, 12e3, duty_id=duty.id)
    given = Situation(
        depot.now, depot.setup, depot.sessions, depot.duties, depot.vehicles, firm=(firm,)
    )
    (run,) = outlook(given).must_run
    assert (run.node_id, run.power_w) == (depot.setup.tree.root.id, 12e3)


def test_what_is_kept_for_preconditioning_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    depot = Depot()
    vehicle = depot.vehicle(0)
    duty = depot.duty(vehicle, 0.5)
    depot.plug(vehicle, 0, soc_pct=100.0)
    firm = FirmLoad(depot.now - HOUR / 4, duty.departure_at, 12e3, duty_id=duty.id)
    monkeypatch.setattr(
        explaining_depot, "Situation", lambda *known: Situation(*known, firm=(firm,))
    )
    assert codes(depot.why(vehicle)) == ["preconditioning", "needs_nothing"]

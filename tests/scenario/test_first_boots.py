"""Vehicles that were plugged in before their chargers first spoke to anybody."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.scenario.conftest import RunNight
from tests.scenario.judging import kept
from voltyard.simulator import night as night_module
from voltyard.simulator.demo import demo_depot, lower_limit
from voltyard.simulator.depot import DepotSpec
from voltyard.simulator.faults import Fault, FaultKind, FaultPlan
from voltyard.sites.model import NodeLimit

NEEDED_PCT = 7.0


def everybody_there(seed: int, vehicles: int) -> DepotSpec:
    """An evening of two hours; every vehicle stands at its charger before anything is on.

    What the vehicles need, a few per cent each, can be had in that time at low limits too:
    whoever is not charged was kept from it by more than the others' priority.
    """
    depot = demo_depot(seed, vehicles)
    gone_at = depot.start_at + timedelta(hours=2)
    stays = tuple(
        replace(
            stay,
            planned_arrival_at=depot.start_at,
            arrival_at=depot.start_at - timedelta(minutes=10),
            planned_departure_at=gone_at,
            departure_at=gone_at,
            target_soc_pct=stay.arrival_soc_pct + NEEDED_PCT,
        )
        for stay in depot.stays
    )
    return replace(depot, stays=stays, end_at=gone_at + timedelta(minutes=10))


def test_the_first_minutes_of_a_depot_are_within_its_limit(night: RunNight) -> None:
    depot = lower_limit(everybody_there(3, 6), 60_000.0)
    done = night([depot], seed=3)
    kept(done)
    assert not any(truth.exceedances for truth in done.truths.values())
    assert len(done.sessions) == 6
    assert sum(done.delivered_wh.values()) > 80_000, "the two hours at 60 kW are used"


def test_a_charger_that_takes_no_limits_is_not_locked_out_and_the_others_make_room(
    night: RunNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    depot = everybody_there(3, 6)
    nodes = (
        replace(depot.nodes[0], limits=(NodeLimit(power_w=380_000.0),)),
        *(replace(n, limits=()) if n.evse_id is None else n for n in depot.nodes[1:]),
    )
    depot = replace(depot, nodes=nodes)
    stubborn = depot.stations[0].identity
    began_at = depot.start_at - timedelta(hours=1)
    plan = FaultPlan((Fault(began_at, FaultKind.REJECT_PROFILE, 86_400.0),))
    monkeypatch.setattr(night_module, "fault_plans", lambda *_: {stubborn: plan})
    done = night([depot], seed=3)
    assert not done.errors
    assert not any(truth.exceedances for truth in done.truths.values())
    served = {session.station for session in done.sessions if session.energy_wh > 10_000.0}
    assert served == {station.identity for station in depot.stations}


def test_a_charger_that_takes_no_limits_and_fits_nowhere_is_switched_off_until_it_takes_one(
    night: RunNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    depot = lower_limit(everybody_there(3, 6), 90_000.0)
    stubborn = depot.stations[0].identity
    began_at = depot.start_at - timedelta(hours=1)
    plan = FaultPlan((Fault(began_at, FaultKind.REJECT_PROFILE, 5_400.0),))
    monkeypatch.setattr(night_module, "fault_plans", lambda *_: {stubborn: plan})
    done = night([depot], seed=3)
    assert not done.errors
    assert not any(truth.exceedances for truth in done.truths.values())
    served = {session.station for session in done.sessions if session.energy_wh > 1_000.0}
    assert {station.identity for station in depot.stations[1:]} <= served
    assert stubborn in served, "an hour and a half later it took its limit, and charged"

"""The oracle's word is checked on cases that can be worked out by hand."""

from dataclasses import replace
from datetime import time, timedelta

import pytest

from tests.unit.energy.energy_cases import CURVE, EVENING, depot, flat_tree, stay, watts
from voltyard.energy.model import Stay
from voltyard.simulator.oracle import OracleResult, physically_ready
from voltyard.sites.model import ElectricalTree
from voltyard.sites.tree import build


def ask(tree: ElectricalTree, *stays: Stay, **more: float) -> OracleResult:
    return physically_ready(stays, tree, EVENING, EVENING + timedelta(hours=16), **more)


def test_all_are_ready_when_the_connection_carries_them() -> None:
    result = ask(flat_tree(40e3, 2), stay(0), stay(1))
    assert result.ready_max == result.ready_bound == 2
    assert result.shortfall_wh_total == 0.0
    assert result.proven


def test_one_percent_below_the_target_counts_as_ready() -> None:
    exact_w = 2 * 200e3 / 12.0
    assert ask(flat_tree(0.991 * exact_w, 2), stay(0), stay(1)).ready_max == 2
    assert ask(flat_tree(0.989 * exact_w, 2), stay(0), stay(1)).ready_max == 1


def test_small_needs_first_makes_more_ready() -> None:
    tree = flat_tree(30e3, 3)
    stays = [stay(0, energy_needed_wh=300e3), stay(1), stay(2, energy_needed_wh=150e3)]
    result = ask(tree, *stays)
    assert [outcome.ready for outcome in result.stays] == [False, True, True]
    assert result.shortfall_wh_total == pytest.approx(0.99 * 650e3 - 360e3, rel=0.001)


def test_an_important_vehicle_is_never_traded_for_two_others() -> None:
    tree = flat_tree(30e3, 3)
    stays = [stay(0, energy_needed_wh=300e3, priority=1), stay(1), stay(2)]
    result = ask(tree, *stays)
    assert result.ready_by_priority == {1: 1, 5: 0}


def test_a_stay_too_short_for_its_power_is_impossible_alone() -> None:
    short = stay(0, departure_at=EVENING + timedelta(hours=2), energy_needed_wh=150e3)
    result = ask(flat_tree(500e3, 2), short, stay(1))
    assert [outcome.possible for outcome in result.stays] == [False, True]
    assert result.ready_max == 1
    assert result.shortfall_wh_total == pytest.approx(0.99 * 150e3 - 100e3)


def test_time_to_plug_in_is_lost() -> None:
    one = stay(0, departure_at=EVENING + timedelta(hours=2), energy_needed_wh=100e3)
    assert ask(flat_tree(500e3, 1), one).ready_max == 1
    assert ask(flat_tree(500e3, 1), one, plug_s=120.0).ready_max == 0


def test_a_closed_window_takes_its_hours_away() -> None:
    tree = flat_tree(40e3, 2)
    closed = watts(0.0, from_time=time(20), to_time=time(23))
    root = replace(tree.root, limits=(*tree.root.limits, closed))
    timed = build([root, *tree.nodes[1:]], tree.zone)
    assert ask(timed, stay(0), stay(1)).ready_max == 1


def test_other_load_takes_its_share() -> None:
    tree = flat_tree(40e3, 2)
    result = physically_ready(
        [stay(0), stay(1)],
        tree,
        EVENING,
        EVENING + timedelta(hours=16),
        other_load_w={tree.root.id: 20e3},
    )
    assert result.ready_max == 1


def test_taper_makes_a_late_start_impossible() -> None:
    """200 kWh from 40 to 97 % of 350 kWh: 1.6 h at full power, more with the taper."""
    bus = stay(
        0,
        arrival_at=EVENING,
        departure_at=EVENING + timedelta(hours=1.45),
        energy_needed_wh=199.5e3,
        max_power_w=150e3,
        battery_wh=350e3,
        soc_pct=40.0,
        target_soc_pct=97.0,
        curve=CURVE,
    )
    assert ask(flat_tree(500e3, 1), replace(bus, curve=None)).ready_max == 1
    assert ask(flat_tree(500e3, 1), bus).ready_max == 0
    need_s = CURVE.time_s(40.0, 96.0, 350e3, 150e3)
    just = replace(bus, departure_at=EVENING + timedelta(seconds=need_s + 30))
    assert ask(flat_tree(500e3, 1), just).ready_max == 1
    short = replace(bus, departure_at=EVENING + timedelta(seconds=need_s - 60))
    assert ask(flat_tree(500e3, 1), short).ready_max == 0


def test_a_week_of_short_stays_is_answered() -> None:
    tree = flat_tree(250e3, 10)
    stays = []
    for number in range(300):
        at = EVENING + timedelta(minutes=30 * number + number % 7)
        stays.append(
            stay(
                number % 10,
                id=stay(number).id,
                arrival_at=at,
                departure_at=at + timedelta(minutes=25 + number % 40),
                energy_needed_wh=20e3 + 1e3 * (number % 10),
            )
        )
    result = physically_ready(stays, tree, EVENING, EVENING + timedelta(days=7))
    assert result.ready_max == 300


def test_finer_slots_change_nothing_without_taper() -> None:
    tree, stays = depot(12, 150e3, seed=4, priorities=(1, 9))
    flat = [replace(one, curve=None) for one in stays]
    end = EVENING + timedelta(hours=16)
    fine = physically_ready(flat, tree, EVENING, end, slot_s=300.0)
    coarse = physically_ready(flat, tree, EVENING, end, slot_s=3600.0)
    assert fine.ready_max == coarse.ready_max < 12
    assert fine.ready_by_priority == coarse.ready_by_priority

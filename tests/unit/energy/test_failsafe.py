"""Fail-safe levels fit every node with nobody in charge; silence is counted at its worst."""

import random
from datetime import date, time, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.energy.energy_cases import EVENING, depot, flat_tree, random_tree, watts
from tests.unit.energy.test_allocator import random_wiring
from voltyard.energy.failsafe import FailsafeEvse, envelope, failsafe_levels
from voltyard.sites.model import ElectricalTree
from voltyard.sites.tree import build

often = settings(max_examples=150, deadline=None, derandomize=True)


def evse(number: int) -> UUID:
    return UUID(int=1000 + number)


def chargers(tree: ElectricalTree, min_w: float = 10e3, max_w: float = 150e3) -> list[FailsafeEvse]:
    return [FailsafeEvse(evse_id, min_w, max_w) for evse_id in tree.leaf_of_evse]


@often
@given(seed=st.integers(0, 100_000))
def test_active_levels_together_fit_the_lowest_limit_of_every_node(seed: int) -> None:
    chance = random.Random(seed)
    tree = random_tree(chance, amps=True)
    load_w = chance.uniform(0.0, 30e3)
    evses = [
        FailsafeEvse(
            evse_id,
            chance.choice([0.0, 1380.0, 4140.0, 10e3]),
            chance.uniform(5e3, 60e3),
            random_wiring(chance),
            whole_amps=chance.random() < 0.5,
        )
        for evse_id in tree.leaf_of_evse
    ]
    levels = failsafe_levels(tree, evses, {tree.root.id: load_w})
    for node in tree.nodes:
        below = [e for e in evses if node in list(tree.path_of_evse(e.evse_id))]
        total_w = sum(levels[e.evse_id].active_w for e in below)
        own_w = load_w if node is tree.root else 0.0
        for limit in node.limits:
            assert total_w + own_w <= limit.total_w + 0.01 or total_w == 0.0
            for phase in (1, 2, 3):
                amps = own_w / 690.0 + sum(
                    e.wiring.amps(levels[e.evse_id].active_w)
                    for e in below
                    if phase in e.wiring.phases
                )
                assert limit.current_a is None or amps <= limit.current_a + 1e-4 or total_w == 0.0
    for one in evses:
        idle_w, active_w = levels[one.evse_id]
        assert 0.0 <= idle_w <= active_w <= one.max_power_w + 1e-6
        assert active_w == 0.0 or active_w >= one.min_power_w - 1e-6


def test_power_is_shared_evenly_up_to_what_each_can_use() -> None:
    tree = flat_tree(120e3, 3)
    small = FailsafeEvse(evse(0), 5e3, 20e3)
    levels = failsafe_levels(tree, [small, *chargers(tree)[1:]], {})
    assert [levels[evse(i)].active_w for i in range(3)] == [20e3, 50e3, 50e3]


def test_when_not_all_fit_the_first_ones_get_their_least_power() -> None:
    levels = failsafe_levels(flat_tree(25e3, 3), chargers(flat_tree(25e3, 3)), {})
    assert [levels[evse(i)].active_w for i in range(3)] == [12_500.0, 12_500.0, 0.0]


def test_idle_levels_are_nothing_where_they_would_cost_capacity() -> None:
    tree, _ = depot(20, 500e3)
    levels = failsafe_levels(tree, chargers(tree), {})
    assert {level.idle_w for level in levels.values()} == {0.0}
    assert all(level.active_w >= 10e3 for level in levels.values())


def test_idle_levels_are_the_least_power_where_there_is_plenty() -> None:
    tree = flat_tree(10e6, 2)
    levels = failsafe_levels(tree, chargers(tree, 4140.0), {})
    assert levels[evse(0)].idle_w == 4140.0


def test_a_limit_that_holds_only_at_times_counts_at_all_times() -> None:
    tree = flat_tree(200e3, 1)
    low = watts(30e3, from_time=time(17), to_time=time(19))
    root = tree.root
    timed = build(
        [
            type(root)(root.id, root.kind, root.name, None, (*root.limits, low)),
            *tree.nodes[1:],
        ],
        tree.zone,
    )
    assert failsafe_levels(timed, chargers(timed), {})[evse(0)].active_w == 30e3


def test_a_limit_that_is_over_for_good_no_longer_counts() -> None:
    tree = flat_tree(200e3, 1)
    past = watts(30e3, valid_to=date(2025, 12, 31))
    root = tree.root
    timed = build(
        [
            type(root)(root.id, root.kind, root.name, None, (*root.limits, past)),
            *tree.nodes[1:],
        ],
        tree.zone,
    )
    levels = failsafe_levels(timed, chargers(timed), {}, since=date(2026, 1, 14))
    assert levels[evse(0)].active_w == 150e3


def test_the_same_site_gets_the_same_levels() -> None:
    tree, _ = depot(40, 900e3)
    first = failsafe_levels(tree, chargers(tree), {tree.root.id: 50e3})
    assert first == failsafe_levels(tree, chargers(tree), {tree.root.id: 50e3})


def test_silence_counts_at_the_larger_of_last_limit_and_fail_safe() -> None:
    until = EVENING + timedelta(minutes=10)
    assert envelope(80e3, until, 10e3, EVENING) == 80e3
    assert envelope(5e3, until, 10e3, EVENING) == 10e3
    assert envelope(80e3, until, 10e3, until) == 10e3
    assert envelope(80e3, None, 10e3, until + timedelta(days=9)) == 80e3

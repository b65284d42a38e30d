"""Promise 1 in commands: no raise before the cuts that make room for it are confirmed."""

import random
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.energy.energy_cases import EVENING, flat_tree, random_tree
from tests.unit.energy.test_allocator import random_wiring
from voltyard.energy.headroom import Headroom, Reservation
from voltyard.energy.staging import Held, split
from voltyard.sites.model import ElectricalTree

often = settings(max_examples=300, deadline=None, derandomize=True)


def evse(number: int) -> UUID:
    return UUID(int=1000 + number)


def room_of(tree: ElectricalTree, *reservations: Reservation) -> Headroom:
    return Headroom.during(tree, EVENING, 60.0, {}, reservations)


def fitting(tree: ElectricalTree, chance: random.Random) -> list[Held]:
    """Ceilings that fit the tree, and targets that fit it too, both drawn at random."""
    powers = []
    wiring = {evse_id: random_wiring(chance) for evse_id in tree.leaf_of_evse}
    for _ in range(2):
        room, chosen = room_of(tree), {}
        for evse_id in chance.sample(sorted(tree.leaf_of_evse), len(tree.leaf_of_evse)):
            most_w = room.room(evse_id, wiring[evse_id])
            chosen[evse_id] = chance.choice([0.0, most_w, chance.uniform(0.0, most_w)])
            room.take(evse_id, chosen[evse_id], wiring[evse_id])
        powers.append(chosen)
    return [
        Held(
            evse_id,
            ceiling_w=powers[0][evse_id],
            target_w=powers[1][evse_id],
            min_power_w=chance.choice([0.0, 4000.0]),
            wiring=wiring[evse_id],
            whole_amps=chance.random() < 0.3,
        )
        for evse_id in tree.leaf_of_evse
    ]


@often
@given(seed=st.integers(0, 100_000))
def test_the_larger_of_old_and_new_fits_every_node(seed: int) -> None:
    chance = random.Random(seed)
    tree = random_tree(chance, amps=True)
    held = fitting(tree, chance)
    staged = split(room_of(tree), held)
    counted = room_of(tree)
    for one in held:
        raised_w = staged.raises.get(one.evse_id, one.ceiling_w)
        counted.take(one.evse_id, max(one.ceiling_w, raised_w), one.wiring)
    assert counted.exceeded() == ()


@often
@given(seed=st.integers(0, 100_000))
def test_every_cut_goes_at_once_and_no_raise_passes_its_target(seed: int) -> None:
    chance = random.Random(seed)
    tree = random_tree(chance, amps=True)
    held = fitting(tree, chance)
    staged = split(room_of(tree), held)
    for one in held:
        if one.target_w < one.ceiling_w:
            assert staged.cuts[one.evse_id] == one.target_w
        if one.evse_id in staged.raises:
            assert one.ceiling_w < staged.raises[one.evse_id] <= one.target_w
            assert staged.raises[one.evse_id] >= one.min_power_w


@often
@given(seed=st.integers(0, 100_000))
def test_confirming_round_after_round_reaches_every_target_safely(seed: int) -> None:
    """Confirmations come in any order, some rounds none: always safe, and done in the end."""
    chance = random.Random(seed)
    tree = random_tree(chance, amps=True)
    held = {one.evse_id: one for one in fitting(tree, chance)}
    ceiling_w = {evse_id: one.ceiling_w for evse_id, one in held.items()}
    for round_number in range(12):
        now = [
            Held(evse_id, ceiling_w[evse_id], one.target_w, 0.0, one.wiring, whole_amps=False)
            for evse_id, one in held.items()
        ]
        staged = split(room_of(tree), now)
        ceiling_w |= staged.raises
        counted = room_of(tree)
        for evse_id, power_w in ceiling_w.items():
            counted.take(evse_id, power_w, held[evse_id].wiring)
        assert counted.exceeded() == ()
        for evse_id, power_w in staged.cuts.items():
            if chance.random() < 0.5 or round_number == 8:
                ceiling_w[evse_id] = power_w
    for evse_id, one in held.items():
        assert abs(ceiling_w[evse_id] - one.target_w) < 0.1


@often
@given(seed=st.integers(0, 100_000))
def test_a_tree_already_over_its_limit_gets_no_raise_through_the_full_node(seed: int) -> None:
    chance = random.Random(seed)
    tree = random_tree(chance)
    held = fitting(tree, chance)
    burden = Reservation(held[0].evse_id, 1e6)
    assert split(room_of(tree, burden), held).raises == {}


def test_a_raise_waits_for_the_cut_that_makes_room() -> None:
    tree = flat_tree(100e3, 2)
    down, up = Held(evse(0), 80e3, 20e3), Held(evse(1), 20e3, 80e3)
    staged = split(room_of(tree), [down, up])
    assert staged.cuts == {evse(0): 20e3}
    assert staged.raises == {}
    assert staged.waiting == (evse(1),)
    confirmed = Held(evse(0), 20e3, 20e3)
    assert split(room_of(tree), [confirmed, up]).raises == {evse(1): 80e3}


def test_a_raise_goes_as_far_as_it_fits() -> None:
    tree = flat_tree(130e3, 2)
    staged = split(room_of(tree), [Held(evse(0), 80e3, 20e3), Held(evse(1), 20e3, 80e3)])
    assert staged.raises == {evse(1): 50e3}
    assert staged.waiting == (evse(1),)


def test_a_tiny_partial_raise_is_not_worth_a_command() -> None:
    tree = flat_tree(101e3, 2)
    held = [Held(evse(0), 80e3, 20e3), Held(evse(1), 20e3, 80e3)]
    assert split(room_of(tree), held, least_raise_w=2000.0).raises == {}


def test_a_start_below_the_least_power_waits() -> None:
    tree = flat_tree(85e3, 2)
    held = [Held(evse(0), 80e3, 20e3), Held(evse(1), 0.0, 60e3, min_power_w=10e3)]
    staged = split(room_of(tree), held)
    assert staged.raises == {}
    assert staged.waiting == (evse(1),)

"""Promise 1 in commands: no raise before the cuts that make room for it are confirmed."""

import random
from dataclasses import replace
from functools import partial
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.energy.energy_cases import EVENING, flat_tree, random_tree
from tests.unit.energy.test_allocator import random_wiring
from voltyard.energy.circuit import Circuit
from voltyard.energy.confirm import Change, FallbackState, Held, Live
from voltyard.energy.headroom import BALANCED, Headroom, Reservation, Wiring
from voltyard.energy.staging import Claim, adds_w, split
from voltyard.sites.model import ElectricalTree

often = settings(max_examples=300, deadline=None, derandomize=True)


def evse(number: int) -> UUID:
    return UUID(int=1000 + number)


def room_of(tree: ElectricalTree, *reservations: Reservation) -> Headroom:
    return Headroom.during(Circuit(tree), EVENING, 60.0, {}, reservations)


def part_of(held: Held, least_w: float, change: Change, free_w: float) -> Change | None:
    """As far as there is room; a fail-safe limit wholly or not, and no tiny steps."""
    if change.power_w <= held.ceiling_w + free_w:
        return change
    if change.fallback or free_w < least_w:
        return None
    return replace(change, power_w=held.ceiling_w + free_w)


def claim(
    evse_id: UUID,
    held: Held,
    change: Change | None,
    *,
    wiring: Wiring = BALANCED,
    extra_w: float = 0.0,
    least_w: float = 1.0,
    on_tree: bool = True,
) -> Claim:
    part = partial(part_of, held, least_w)
    counted_w = held.ceiling_w + extra_w
    steady_w = min((live.power_w for live in held.lives), default=held.fallback_w)
    return Claim(evse_id, counted_w, held, change, part, steady_w, wiring, on_tree=on_tree)


def live(number: int, holds_w: float, wanted_w: float) -> Claim:
    return claim(evse(number), Held(0.0, (Live(holds_w, None),)), Change(wanted_w))


def random_claims(tree: ElectricalTree, chance: random.Random) -> list[Claim]:
    """Ceilings that fit the tree; some sure, some not, some fail-safe; any wish on top."""
    room, claims = room_of(tree), []
    for evse_id in chance.sample(sorted(tree.leaf_of_evse), len(tree.leaf_of_evse)):
        wiring = random_wiring(chance)
        most_w = room.room(evse_id, wiring)
        counted_w = chance.choice([0.0, most_w, chance.uniform(0.0, most_w)])
        room.take(evse_id, counted_w, wiring)
        ceiling_w = counted_w if chance.random() < 0.8 else counted_w * chance.random()
        lives = [Live(ceiling_w * chance.random(), None) for _ in range(chance.randint(0, 2))]
        held = Held(ceiling_w, tuple(lives))
        if chance.random() < 0.5:
            held = Held(ceiling_w * chance.random(), (*lives, Live(ceiling_w, None)))
        wish = Change(chance.choice([0.0, 150e3, chance.uniform(0.0, 150e3)]))
        wish = replace(wish, fallback=chance.random() < 0.3)
        claims.append(
            claim(
                evse_id,
                held,
                wish if chance.random() < 0.9 else None,
                wiring=wiring,
                extra_w=counted_w - ceiling_w,
                least_w=chance.choice([1.0, 2000.0]),
            )
        )
    return claims


@often
@given(seed=st.integers(0, 100_000))
def test_the_larger_of_old_and_new_fits_every_node(seed: int) -> None:
    chance = random.Random(seed)
    tree = random_tree(chance, amps=True)
    claims = random_claims(tree, chance)
    chosen = split(room_of(tree), claims)
    counted = room_of(tree)
    for one in claims:
        change = chosen.get(one.evse_id)
        held = one.held if change is None else change.while_unconfirmed(one.held)
        added_w = held.ceiling_w - one.held.ceiling_w
        counted.take(one.evse_id, one.counted_w + added_w, one.wiring)
    assert counted.exceeded() == ()


@often
@given(seed=st.integers(0, 100_000))
def test_whatever_adds_nothing_goes_at_once_and_no_raise_passes_its_wish(seed: int) -> None:
    chance = random.Random(seed)
    tree = random_tree(chance, amps=True)
    claims = random_claims(tree, chance)
    chosen = split(room_of(tree), claims)
    for one in claims:
        if one.change is None:
            assert one.evse_id not in chosen
        elif adds_w(one.change, one.held) <= 0.0:
            assert chosen[one.evse_id] == one.change
        elif one.evse_id in chosen:
            assert chosen[one.evse_id].power_w <= one.change.power_w
            assert not one.change.fallback or chosen[one.evse_id] == one.change


@often
@given(seed=st.integers(0, 100_000))
def test_confirming_round_after_round_reaches_every_target_safely(seed: int) -> None:
    """Confirmations come in any order, some rounds none: always safe, and done in the end."""
    chance = random.Random(seed)
    tree = random_tree(chance, amps=True)
    room, held, wanted, wiring = room_of(tree), {}, {}, {}
    for evse_id in tree.leaf_of_evse:
        wiring[evse_id] = random_wiring(chance)
        wanted[evse_id] = chance.uniform(0.0, room.room(evse_id, wiring[evse_id]))
        room.take(evse_id, wanted[evse_id], wiring[evse_id])
    room = room_of(tree)
    for evse_id in reversed(list(tree.leaf_of_evse)):
        power_w = chance.uniform(0.0, room.room(evse_id, wiring[evse_id]))
        room.take(evse_id, power_w, wiring[evse_id])
        held[evse_id] = Held(0.0, (Live(power_w, None),))
    for round_number in range(20):
        claims = [
            claim(key, one, Change(wanted[key]), wiring=wiring[key]) for key, one in held.items()
        ]
        for evse_id, change in split(room_of(tree), claims).items():
            sent = change.while_unconfirmed(held[evse_id])
            sure = round_number > 8 or chance.random() < 0.5
            held[evse_id] = change.when_confirmed(sent) if sure else sent
        counted = room_of(tree)
        for evse_id, one in held.items():
            counted.take(evse_id, one.ceiling_w, wiring[evse_id])
        assert counted.exceeded() == ()
    for evse_id, one in held.items():
        assert abs(one.ceiling_w - wanted[evse_id]) < 2.0


@often
@given(seed=st.integers(0, 100_000))
def test_a_tree_already_over_its_limit_gets_no_raise_through_the_full_node(seed: int) -> None:
    chance = random.Random(seed)
    tree = random_tree(chance)
    claims = random_claims(tree, chance)
    burden = Reservation(claims[0].evse_id, 1e6)
    chosen = split(room_of(tree, burden), claims)
    for one in claims:
        change = chosen.get(one.evse_id)
        assert change is None or adds_w(change, one.held) <= 1.0


def test_a_raise_waits_for_the_cut_that_makes_room() -> None:
    tree = flat_tree(100e3, 2)
    chosen = split(room_of(tree), [live(0, 80e3, 20e3), live(1, 20e3, 80e3)])
    assert chosen == {evse(0): Change(20e3)}
    chosen = split(room_of(tree), [live(0, 20e3, 20e3), live(1, 20e3, 80e3)])
    assert chosen[evse(1)] == Change(80e3)


def test_a_raise_goes_as_far_as_it_fits_and_the_first_in_order_comes_first() -> None:
    tree = flat_tree(130e3, 2)
    chosen = split(room_of(tree), [live(0, 80e3, 20e3), live(1, 20e3, 80e3)])
    assert chosen[evse(1)] == Change(50e3)
    chosen = split(room_of(tree), [live(1, 20e3, 80e3), live(0, 80e3, 150e3)])
    assert chosen == {evse(1): Change(50e3)}


def test_an_outlet_that_ignores_its_limit_takes_the_room_of_others() -> None:
    tree = flat_tree(130e3, 2)
    ignores = claim(evse(0), Held(20e3), None, extra_w=100e3)
    assert split(room_of(tree), [ignores, live(1, 10e3, 80e3)]) == {}


def test_an_outlet_on_no_node_gets_cuts_and_no_raises() -> None:
    tree = flat_tree(100e3, 1)
    stray = UUID(int=77)
    for wish_w, sent in ((50e3, False), (5e3, True)):
        claims = [claim(stray, Held(10e3), Change(wish_w, fallback=True), on_tree=False)]
        assert (stray in split(room_of(tree), claims)) is sent


def test_over_the_limit_nobody_rises_into_what_is_counted_already() -> None:
    """A charger that refuses its fail-safe counts at full power and may draw far less."""
    tree = flat_tree(200e3, 2)
    refuses = Held(150e3, (Live(20e3, None),), FallbackState.FAILED)
    away = Held(0.0, (Live(150e3, None),))
    claims = [
        claim(evse(0), refuses, Change(150e3)),
        claim(evse(1), away, Change(60e3)),
    ]
    chosen = split(room_of(tree), claims)
    assert chosen[evse(0)].power_w == 20e3
    assert chosen[evse(1)].power_w == 60e3, "cuts leave as always"
    cut = claim(evse(1), Held(0.0, (Live(50e3, None),)), None)
    assert split(room_of(tree), [claims[0], cut])[evse(0)].power_w == 150e3

"""OCPP 2.1 K28: limits are updated in place where chargers can, and promise 1 stays exact."""

from collections.abc import Awaitable, Callable
from datetime import time, timedelta
from random import Random

import pytest

from tests.unit.energy_control.rig import START, Charger, Mood, Rig
from voltyard.chargers.commands import LimitPurpose, SetLimit, UpdateLimit
from voltyard.chargers.model import Abilities, Quirks
from voltyard.clock import ScaledClock
from voltyard.energy.outlet import Outlet
from voltyard.simulator.loop import run_virtual
from voltyard.sites.model import NodeLimit

ABLE = Abilities(dynamic=True, away=True)


def virtual(story: Callable[[ScaledClock], Awaitable[None]]) -> None:
    run_virtual(story, START)


async def ready(rig: Rig, plugged: int, *, can: Abilities = ABLE) -> None:
    for charger in rig.chargers:
        charger.abilities = can
    await rig.start()
    rig.connect_all()
    await rig.wait(60)
    for charger in rig.chargers[:plugged]:
        rig.plug_in(charger)
    await rig.wait(60)


def outlet(rig: Rig, charger: Charger) -> Outlet:
    assert rig.controller is not None
    return rig.controller.board.outlets[charger.evse.id]


def said(charger: Charger) -> tuple[list[SetLimit], list[UpdateLimit]]:
    """The limits of transactions it was given, and their updates."""
    limits = [c for c in charger.received if isinstance(c, SetLimit)]
    updates = [c for c in charger.received if isinstance(c, UpdateLimit)]
    return [c for c in limits if c.purpose is LimitPurpose.TX], updates


def test_one_profile_then_updates_alone() -> None:
    """K28.FR.01, FR.06: an hour of renewals and changes needs one profile."""

    async def story(clock: ScaledClock) -> None:
        rig = Rig(clock, chargers=4)
        await ready(rig, 2)
        await rig.wait(1200)
        for charger in rig.chargers[2:]:
            rig.plug_in(charger)
        await rig.wait(2400)
        for charger in rig.chargers:
            limits, updates = said(charger)
            assert len(limits) == 1, limits
            assert limits[0].dynamic is not None
            assert limits[0].dynamic.away_s == limits[0].valid_s == 900
            assert limits[0].start_at is None
            assert len(updates) >= 6
        assert rig.power_w() == pytest.approx(300_000, rel=0.02)
        assert rig.truth.exceeded == []

    virtual(story)


def test_who_cannot_gets_profiles_as_ever() -> None:
    async def story(clock: ScaledClock) -> None:
        rig = Rig(clock, chargers=2)
        await ready(rig, 2, can=Abilities())
        unwanted = Rig(clock, chargers=1, quirks=Quirks(dynamic=False))
        await ready(unwanted, 1)
        await rig.wait(700)
        for charger in (*rig.chargers, *unwanted.chargers):
            limits, updates = said(charger)
            assert updates == []
            assert len(limits) >= 2
            assert all(limit.dynamic is None for limit in limits)

    virtual(story)


def test_a_refused_update_is_followed_by_a_profile() -> None:
    async def story(clock: ScaledClock) -> None:
        rig = Rig(clock, chargers=2, root=(NodeLimit(power_w=200_000.0),))
        await ready(rig, 1)
        charger = rig.chargers[0]
        charger.refuses_updates = True
        rig.plug_in(rig.chargers[1])
        await rig.wait(400)
        limits, updates = said(charger)
        assert updates
        assert limits[-1].dynamic is None
        assert rig.power_w() == pytest.approx(200_000, rel=0.02)
        await rig.wait(6000)
        limits, updates = said(charger)
        assert len(updates) <= 3
        assert rig.truth.exceeded == []

    virtual(story)


def test_one_that_refuses_what_is_updated_is_not_asked_again_until_it_comes_back() -> None:
    async def story(clock: ScaledClock) -> None:
        rig = Rig(clock, chargers=1)
        await ready(rig, 0)
        charger = rig.chargers[0]
        charger.mood = Mood(refuse=1.0)
        rig.plug_in(charger)
        await rig.wait(8)
        charger.mood = Mood()
        await rig.wait(900)
        limits, _ = said(charger)
        assert all(limit.dynamic is None for limit in limits)
        rig.connect(charger)
        await rig.wait(60)
        assert said(charger)[0][-1].dynamic is not None

    virtual(story)


def test_the_dead_man_switch_is_the_profiles_own() -> None:
    """K28.FR.13: without updates it lapses, and only then its room is anybody else's."""

    async def story(clock: ScaledClock) -> None:
        rig = Rig(clock, chargers=2, root=(NodeLimit(power_w=200_000.0),))
        await ready(rig, 1)
        await rig.wait(800)
        first, second = rig.chargers
        assert len(said(first)[0]) == 1
        assert first.power_w() == pytest.approx(150_000, rel=0.01)
        assert first.link is not None
        first.link.drop()
        rig.plug_in(second)
        await rig.wait(600)
        assert second.power_w() <= 50_000
        await rig.wait(600)
        assert first.power_w() <= 100_001
        assert second.power_w() > 90_000
        assert rig.truth.exceeded == []

    virtual(story)


def test_an_update_without_an_answer_counts_as_long_as_it_may_still_be_taken() -> None:
    """Its time counts from when it is taken, so none is sure before another limit is."""

    async def story(clock: ScaledClock) -> None:
        rig = Rig(clock, chargers=2, root=(NodeLimit(power_w=200_000.0),))
        await ready(rig, 1)
        first = rig.chargers[0]
        first.mood = Mood(lose=1.0)
        await rig.wait(400)
        held = outlet(rig, first).held
        assert held.lives
        assert held.live_until is None
        assert first.link is not None
        first.link.drop()
        await rig.wait(40)
        until = outlet(rig, first).held.live_until
        assert until is not None
        assert timedelta(seconds=900) < until - clock.now() <= timedelta(seconds=990)
        first.mood = Mood()
        rig.connect(first)
        await rig.wait(60)
        assert outlet(rig, first).held.is_sure
        assert said(first)[0][-1].dynamic is not None
        assert rig.truth.exceeded == []

    virtual(story)


def test_before_less_is_allowed_profiles_end_by_themselves() -> None:
    """The duration of what is updated is its own: what must end earlier takes its place."""

    async def story(clock: ScaledClock) -> None:
        tight = NodeLimit(power_w=120_000.0, from_time=time(18, 20), to_time=time(19, 0))
        rig = Rig(clock, root=(NodeLimit(power_w=300_000.0), tight))
        await ready(rig, 6)
        await rig.wait(1100)
        assert any(limit.dynamic is None for limit in said(rig.chargers[0])[0])
        await rig.wait(400)
        assert rig.power_w() <= 120_001
        await rig.wait(3000)
        assert said(rig.chargers[0])[0][-1].dynamic is not None
        assert rig.truth.exceeded == []

    virtual(story)


def test_a_charger_that_pulls_gets_its_limit_and_counts_as_if_it_took_it() -> None:
    """K28.FR.07, FR.12: what it is told lasts from when it is taken, stored before it leaves."""

    async def story(clock: ScaledClock) -> None:
        rig = Rig(clock, chargers=1, quirks=Quirks(pull_s=60))
        await ready(rig, 1)
        charger, found = rig.chargers[0], outlet(rig, rig.chargers[0])
        assert rig.controller is not None
        limit = said(charger)[0][-1]
        assert limit.dynamic is not None
        assert limit.dynamic.pull_s == 60
        assert await rig.controller.pulled(found, 77) is None
        told = await rig.controller.pulled(found, limit.profile_id)
        assert told == UpdateLimit(limit.profile_id, limit_w=charger.allowed_w())
        assert rig.ledger.rows[charger.evse.id].held.live_until is None
        await rig.wait(400)
        assert found.held.live_until is not None
        rig.ledger.broken = True
        assert await rig.controller.pulled(found, limit.profile_id) is None
        rig.ledger.broken = False
        await rig.wait(30)
        rig.unplug(charger)
        await rig.wait(10)
        assert await rig.controller.pulled(found, limit.profile_id) is None

    virtual(story)


@pytest.mark.parametrize("seed", range(8))
def test_no_node_is_ever_over_with_updates_refused_lost_and_late(seed: int) -> None:
    async def story(clock: ScaledClock) -> None:
        chance = Random(seed)
        rig = Rig(clock, seed=seed, root=(NodeLimit(power_w=260_000.0),))
        await ready(rig, 4)
        for charger in rig.chargers:
            charger.mood = Mood(refuse=0.1, lose=0.1, mute=0.1, late=0.15)
        for _ in range(50):
            charger = chance.choice(rig.chargers)
            roll = chance.random()
            if roll < 0.25 and charger.link is not None:
                charger.link.drop()
            elif roll < 0.5 and charger.link is None:
                rig.connect(charger)
                rig.tell(charger)
            elif roll < 0.65 and charger.transaction is not None:
                rig.unplug(charger)
            elif charger.transaction is None:
                rig.plug_in(charger)
            if chance.random() < 0.04:
                await rig.crash()
                await rig.start()
                for other in rig.chargers:
                    rig.connect(other)
                    rig.tell(other)
            await rig.wait(chance.choice((5, 30, 90, 400, 1000)))
        assert rig.truth.exceeded == []

    virtual(story)

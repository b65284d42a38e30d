"""A vehicle that tells its needs gets its limit within seconds, and never more than there is."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from tests.unit.energy_control.rig import START, Charger, Mood, Rig
from voltyard.chargers.commands import LimitPurpose, SetLimit
from voltyard.chargers.model import PlannedPower, Quirks, ScheduleOffer
from voltyard.clock import ScaledClock
from voltyard.energy import offers
from voltyard.energy.outlet import Outlet
from voltyard.energy.profiles import start_limit
from voltyard.sessions.model import Urgency, VehicleNeeds
from voltyard.simulator.loop import run_virtual
from voltyard.sites.model import NodeLimit


def virtual(story: Callable[[ScaledClock], Awaitable[None]]) -> None:
    run_virtual(story, START)


async def ready(rig: Rig, plugged: int) -> None:
    await rig.start()
    rig.connect_all()
    await rig.wait(60)
    for charger in rig.chargers[:plugged]:
        rig.plug_in(charger)
    await rig.wait(60)


def outlet(rig: Rig, charger: Charger) -> Outlet:
    assert rig.controller is not None
    return rig.controller.board.outlets[charger.evse.id]


def limits(charger: Charger) -> list[SetLimit]:
    return [
        command
        for command in charger.received
        if isinstance(command, SetLimit) and command.purpose is LimitPurpose.TX
    ]


def ask(rig: Rig, charger: Charger) -> None:
    assert rig.controller is not None
    outlet(rig, charger).ask_for_limit()
    rig.controller.mark_plan()


def test_its_limit_is_sent_anew_even_if_it_does_not_change() -> None:
    """K15.FR.07, FR.08: a profile of its transaction, within sixty seconds."""

    async def story(clock: ScaledClock) -> None:
        rig = Rig(clock, chargers=3)
        await ready(rig, 3)
        charger = rig.chargers[0]
        before, granted_w = len(limits(charger)), charger.allowed_w()
        ask(rig, charger)
        await rig.wait(20)
        assert len(limits(charger)) == before + 1
        assert limits(charger)[-1].transaction_ref == charger.transaction
        assert charger.allowed_w() == pytest.approx(granted_w)
        await rig.wait(60)
        assert len(limits(charger)) == before + 1
        assert rig.truth.exceeded == []

    virtual(story)


def test_one_that_refused_it_too_early_gets_it_at_once() -> None:
    """K15.FR.17: refused while the vehicle had not told its needs, which is no lasting fault."""

    async def story(clock: ScaledClock) -> None:
        rig = Rig(clock, chargers=2)
        await ready(rig, 0)
        charger = rig.chargers[0]
        charger.mood = Mood(refuse=1.0)
        rig.plug_in(charger)
        await rig.wait(200)
        assert outlet(rig, charger).live_failure is not None
        charger.mood = Mood()
        before = len(limits(charger))
        ask(rig, charger)
        await rig.wait(20)
        assert len(limits(charger)) > before
        assert charger.power_w() == pytest.approx(150_000)
        assert rig.truth.exceeded == []

    virtual(story)


def test_where_there_is_no_room_it_is_told_what_it_has() -> None:
    async def story(clock: ScaledClock) -> None:
        rig = Rig(clock, chargers=6)
        await ready(rig, 6)
        for charger in rig.chargers:
            before = len(limits(charger))
            ask(rig, charger)
            await rig.wait(30)
            assert len(limits(charger)) > before
        assert rig.power_w() <= 300_000 + 1
        assert rig.truth.exceeded == []

    virtual(story)


@pytest.mark.parametrize("seed", range(6))
def test_the_site_is_never_over_whatever_vehicles_ask_for(seed: int) -> None:
    async def story(clock: ScaledClock) -> None:
        chance = Random(seed)
        rig = Rig(clock, seed=seed)
        await ready(rig, 6)
        for charger in rig.chargers:
            charger.mood = Mood(refuse=0.1, lose=0.1, mute=0.1, late=0.1)
        for _ in range(60):
            charger = chance.choice(rig.chargers)
            if chance.random() < 0.2 and charger.transaction is not None:
                rig.unplug(charger)
            elif charger.transaction is None:
                rig.plug_in(charger)
            else:
                ask(rig, charger)
            await rig.wait(chance.uniform(1, 20))
        assert rig.truth.exceeded == []

    virtual(story)


def test_what_is_offered_depends_on_the_charger() -> None:
    async def story(clock: ScaledClock) -> None:
        rig = Rig(clock, chargers=2)
        await ready(rig, 1)
        charger = rig.chargers[0]
        assert offers.offered(outlet(rig, charger)) is ScheduleOffer.NOW
        outlet(rig, charger).reinstall = True
        assert offers.offered(outlet(rig, charger)) is ScheduleOffer.LATER
        other = Rig(clock, chargers=1, quirks=Quirks(tx_profile=False))
        await ready(other, 1)
        assert offers.offered(outlet(other, other.chargers[0])) is ScheduleOffer.NONE

    virtual(story)


def test_a_vehicles_own_schedule_is_held_against_its_limit() -> None:
    """K15.FR.11, FR.12."""

    async def story(clock: ScaledClock) -> None:
        rig = Rig(clock, chargers=1, root=(NodeLimit(power_w=100_000.0),))
        await ready(rig, 1)
        charger = rig.chargers[0]
        found, now = outlet(rig, charger), clock.now()
        allowed_w = charger.allowed_w()
        assert allowed_w < 149_000

        def judged(*periods: tuple[float, float]) -> str:
            told = [PlannedPower(now + timedelta(minutes=m), w) for m, w in periods]
            return offers.fault(found, told, now)

        assert judged((0, allowed_w), (5, allowed_w / 2)) == ""
        assert judged((-10, 149_000), (-5, allowed_w)) == ""
        assert "149000 W" in judged((0, 149_000))
        assert "149000 W" in judged((0, allowed_w), (5, 149_000))
        assert "149000 W" in judged((0, allowed_w), (120, 149_000))
        assert judged() == ""
        amps = PlannedPower(now, 400.0, "A", 3)
        assert "allowed" in offers.fault(found, [amps], now)

    virtual(story)


def test_who_is_said_to_be_first_is_charged_first() -> None:
    """OCPP 2.1 K21: the control's order, within the site's limit."""

    async def story(clock: ScaledClock) -> None:
        rig = Rig(clock, chargers=3, root=(NodeLimit(power_w=150_000.0),))
        await ready(rig, 3)
        last = min(rig.chargers, key=lambda charger: charger.power_w())
        assert last.power_w() < 149_000
        known = rig.sessions[last.evse.id]
        needs = VehicleNeeds(clock.now(), urgency=Urgency.PERSON)
        rig.sessions[last.evse.id] = replace(known, needs=needs)
        await rig.wait(1_000)
        assert last.power_w() == max(charger.power_w() for charger in rig.chargers)
        assert last.power_w() > 100_000
        assert rig.truth.exceeded == []

    virtual(story)


def test_a_transaction_may_begin_with_what_it_counts_at_and_no_more() -> None:
    """OCPP 2.0.1 K05: until the first grant it counts at the fail-safe that is confirmed."""

    async def story(clock: ScaledClock) -> None:
        rig = Rig(clock, chargers=2)
        await ready(rig, 0)
        charger = rig.chargers[0]
        found = outlet(rig, charger)
        assert offers.start_w(found) == charger.default_w
        found.reinstall = True
        assert offers.start_w(found) is None
        found.reinstall = False
        rig.plug_in(charger)
        await rig.wait(30)
        assert offers.start_w(found) is None
        made = start_limit(
            charger.evse, found.station.quirks, 7_000.0, now=clock.now(), valid_s=900
        )
        first = limits(charger)[0]
        assert (made.profile_id, made.stack_level) == (first.profile_id, first.stack_level)
        assert (made.purpose, made.limit_w) == (LimitPurpose.TX, 7_000.0)
        assert made.transaction_ref is None

    virtual(story)

"""A charger that boots is accepted once it holds its fail-safe limit, and never waits for ever."""

import asyncio
from datetime import timedelta

import pytest

from tests.unit.energy_control.rig import SITE, START, Mood, Rig, evse_id
from tests.unit.energy_control.test_promise_one import virtual
from voltyard.clock import ScaledClock
from voltyard.energy.booting import BootRules, Holds, Verdict
from voltyard.energy.confirm import FallbackState
from voltyard.sites.model import NodeLimit

TIGHT = (NodeLimit(power_w=60_000.0),)


async def boot_and_charge(rig: Rig, number: int) -> tuple[Verdict, float]:
    """A vehicle stands there already: it charges as soon as the charger is accepted."""
    charger = rig.chargers[number]
    outcome = await rig.boot(charger)
    rig.plug_in(charger)
    return outcome


def test_vehicles_that_were_there_before_never_draw_more_than_the_limit() -> None:
    async def story(clock: ScaledClock) -> None:
        rig = Rig(clock, root=TIGHT)
        await rig.start()
        outcomes = await asyncio.gather(*(boot_and_charge(rig, n) for n in range(6)))
        assert {verdict for verdict, _ in outcomes} == {Verdict.READY}
        assert max(seconds for _, seconds in outcomes) < 15.0
        await rig.wait(300)
        assert rig.truth.exceeded == []
        assert rig.power_w() > 50_000

    virtual(story)


def test_a_charger_that_forgot_everything_counts_at_full_power_until_it_confirms() -> None:
    async def story(clock: ScaledClock) -> None:
        rig = Rig(clock, chargers=3, root=(NodeLimit(power_w=200_000.0),))
        controller = await rig.start()
        for number in range(3):
            await boot_and_charge(rig, number)
        await rig.wait(120)
        charger = rig.chargers[0]
        charger.mood = Mood(delay_s=(8.0, 8.0))
        rig.unplug(charger)
        booting = asyncio.get_running_loop().create_task(boot_and_charge(rig, 0))
        await clock.sleep(1.0)
        assert controller.board.counted_w(clock.now())[evse_id(0)] == 150_000
        assert rig.ledger.rows[evse_id(0)].held.fallback_w == 150_000, "a successor counts it too"
        await booting
        await rig.wait(120)
        assert rig.truth.exceeded == []

    virtual(story)


def test_others_are_not_cut_for_a_charger_that_boots_and_obeys() -> None:
    async def story(clock: ScaledClock) -> None:
        rig = Rig(clock, chargers=3, root=(NodeLimit(power_w=200_000.0),))
        await rig.start()
        for number in range(2):
            await boot_and_charge(rig, number)
        await rig.boot(rig.chargers[2])
        await rig.wait(120)
        before_w = rig.power_w()
        for charger in rig.chargers:
            charger.received.clear()
            charger.mood = Mood(delay_s=(0.05, 0.1))
        verdict, seconds = await rig.boot(rig.chargers[2])
        assert verdict is Verdict.READY
        assert seconds < 2.0
        assert rig.chargers[0].received == rig.chargers[1].received == []
        assert rig.power_w() == before_w

    virtual(story)


@pytest.mark.parametrize(
    "mood", [Mood(refuse=1.0), Mood(lose=1.0), Mood(mute=1.0)], ids=["refuses", "deaf", "mute"]
)
def test_a_charger_that_takes_no_limit_is_accepted_when_the_others_made_room(mood: Mood) -> None:
    async def story(clock: ScaledClock) -> None:
        rig = Rig(clock, chargers=3, root=(NodeLimit(power_w=200_000.0),))
        controller = await rig.start()
        for number in (0, 1):
            await boot_and_charge(rig, number)
        await rig.wait(120)
        assert rig.power_w() == pytest.approx(200_000, rel=0.02)
        rig.chargers[2].mood = mood
        verdict, seconds = await boot_and_charge(rig, 2)
        assert verdict is Verdict.UNLIMITED
        assert seconds <= 100.0
        await rig.wait(300)
        outlet = controller.board.outlets[evse_id(2)]
        assert outlet.counted_w(clock.now()) == 150_000
        assert outlet.held.fallback_state is FallbackState.FAILED, "which a person is told"
        assert rig.truth.exceeded == []

    virtual(story)


def test_one_that_takes_limits_only_when_accepted_is_sent_its_own_then() -> None:
    async def story(clock: ScaledClock) -> None:
        rig = Rig(clock, chargers=3, root=(NodeLimit(power_w=200_000.0),))
        controller = await rig.start()
        for number in (0, 1):
            await boot_and_charge(rig, number)
        rig.chargers[2].mood = Mood(refuse=1.0)
        verdict, _ = await boot_and_charge(rig, 2)
        rig.chargers[2].mood = Mood()
        assert verdict is Verdict.UNLIMITED
        await rig.wait(20)
        assert controller.board.outlets[evse_id(2)].held.fallback_w < 100_000
        await rig.wait(120)
        assert rig.power_w() == pytest.approx(200_000, rel=0.02)
        assert rig.truth.exceeded == []

    virtual(story)


def test_one_that_breaks_the_connection_each_time_is_accepted_all_the_same() -> None:
    async def story(clock: ScaledClock) -> None:
        rig = Rig(clock, chargers=2)
        controller = await rig.start()
        charger, waited_s = rig.chargers[0], 0
        while True:
            rig.connect(charger)
            controller.rebooted(charger.evse.station_id)
            verdict = controller.boot_verdict(charger.evse.station_id)
            if verdict is not Verdict.WAIT:
                break
            assert charger.link is not None
            charger.link.drop()
            await clock.sleep(5.0)
            waited_s += 5
        assert verdict is Verdict.UNLIMITED
        assert 60 <= waited_s <= 100

    virtual(story)


def test_a_charger_on_no_node_is_not_held() -> None:
    async def story(clock: ScaledClock) -> None:
        rig = Rig(clock, chargers=2)
        controller = await rig.start()
        assert controller.site_id == SITE
        stranger = rig.chargers[0].evse.id
        controller.rebooted(stranger)
        assert controller.boot_verdict(stranger) is Verdict.READY

    virtual(story)


def test_a_hold_begins_anew_after_a_long_silence_and_counts_over_connections() -> None:
    holds, station, link = Holds(BootRules(forget_s=600.0)), SITE, object()
    assert holds.booted(station, link, START)
    assert not holds.booted(station, link, START + timedelta(seconds=10))
    assert holds.booted(station, object(), START + timedelta(seconds=20)), "it may have restarted"
    [(_, hold)] = list(holds)
    assert hold.since == START
    late = START + timedelta(seconds=700)
    assert holds.booted(station, link, late)
    [(_, hold)] = list(holds)
    assert hold.since == late
    holds.over([station])
    assert list(holds) == []


def test_what_was_confirmed_before_a_boot_is_not_known_any_more() -> None:
    async def story(clock: ScaledClock) -> None:
        rig = Rig(clock, chargers=1)
        controller = await rig.start()
        await rig.boot(rig.chargers[0])
        await rig.wait(60)
        outlet = controller.board.outlets[evse_id(0)]
        assert outlet.held.fallback_state is FallbackState.VERIFIED
        rig.connect(rig.chargers[0])
        controller.rebooted(outlet.station.id)
        assert outlet.held.fallback_state is FallbackState.UNKNOWN
        assert outlet.held.fallback_w == 150_000

    virtual(story)


def test_one_that_fits_nowhere_waits_until_it_has_heard_that_it_is_switched_off() -> None:
    """A lost answer is no answer; but one that never answers is not locked out for ever."""

    async def story(clock: ScaledClock) -> None:
        rig = Rig(clock, chargers=1, root=(NodeLimit(power_w=60_000.0),))
        controller = await rig.start()
        charger = rig.chargers[0]
        charger.mood = Mood(lose=1.0)
        booting = asyncio.get_running_loop().create_task(rig.boot(charger))
        await clock.sleep(200.0)
        assert controller.boot_verdict(charger.evse.station_id) is Verdict.TOO_MUCH
        assert not booting.done() or booting.result()[0] is Verdict.TOO_MUCH
        await clock.sleep(300.0)
        assert controller.boot_verdict(charger.evse.station_id) is Verdict.UNLIMITED

    virtual(story)

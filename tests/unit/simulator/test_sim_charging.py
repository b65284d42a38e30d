"""A plug-in from authorisation to the last message, in each version."""

from itertools import pairwise

import pytest
from sim_world import (
    BUS,
    CARD,
    V16,
    V21,
    V201,
    World,
    bus,
    flat_profile,
    play,
    set_profile,
    station,
)

from voltyard.simulator.evse import Status


@pytest.mark.parametrize("protocol", [V16, V201, V21])
def test_a_bus_is_charged_and_leaves(protocol: str) -> None:
    battery = bus(50.0)

    async def scene(world: World) -> None:
        charger = world.start(station(protocol))
        await world.after(10)
        charger.plug_in(1, battery, CARD)
        await world.after(1)
        assert charger.power_w(1) == 150_000.0
        await world.after(3600)
        charger.unplug(1)
        assert charger.power_w(1) == 0.0
        await world.after(10)
        taken_wh = charger.energy_wh(1)
        assert battery.soc_pct == pytest.approx(50.0 + taken_wh / 3000.0)

    world = play(scene, latency_s=0.05)
    csms = world.csms
    assert len(csms.of("BootNotification")) == len(csms.of("Authorize")) == 1
    if protocol == V16:
        (start,), (stop,) = csms.of("StartTransaction"), csms.of("StopTransaction")
        assert start["meterStart"] == 0
        assert stop["transactionId"] == 101
        assert stop["reason"] == "EVDisconnected"
        samples = csms.of("MeterValues")
        assert len(samples) == 60
        assert {s["transactionId"] for s in samples} == {101}
        states = [s["status"] for s in csms.of("StatusNotification") if s["connectorId"] == 1]
        assert states == ["Available", "Preparing", "Charging", "Finishing", "Available"]
    else:
        events = csms.of("TransactionEvent")
        assert [e["seqNo"] for e in events] == list(range(len(events)))
        assert events[0]["eventType"] == "Started"
        assert events[-1]["eventType"] == "Ended"
        assert events[-1]["transactionInfo"]["stoppedReason"] == "EVDisconnected"
        assert len({e["transactionInfo"]["transactionId"] for e in events}) == 1
        assert events[1]["transactionInfo"]["chargingState"] == "Charging"


def test_two_outlets_share_the_cabinet() -> None:
    async def scene(world: World) -> None:
        charger = world.start(station())
        charger.plug_in(1, bus(10.0), CARD)
        await world.after(5)
        assert charger.power_w(1) == 150_000.0
        charger.plug_in(2, bus(90.0), CARD)
        await world.after(5)
        second_w = charger.power_w(2)
        assert second_w == pytest.approx(75_000.0)
        assert charger.power_w(1) + second_w == pytest.approx(150_000.0)
        await world.after(1800)
        assert charger.power_w(2) < 75_000.0
        assert charger.power_w(1) + charger.power_w(2) == pytest.approx(150_000.0)

    play(scene)


def test_a_full_vehicle_suspends_itself() -> None:
    async def scene(world: World) -> None:
        charger = world.start(station())
        charger.plug_in(1, bus(99.5), CARD)
        await world.after(600)
        assert charger.soc_pct(1) == pytest.approx(100.0)
        assert charger.evse(1).status is Status.SUSPENDED_EV

    world = play(scene)
    assert "SuspendedEV" in [s["status"] for s in world.csms.of("StatusNotification")]


def test_energy_integrates_exactly_through_the_taper() -> None:
    battery = bus(70.0)

    async def scene(world: World) -> None:
        charger = world.start(station())
        charger.plug_in(1, battery, CARD)
        await world.after(4 * 3600)
        trace = charger.evse(1).trace
        metered_wh = 0.0
        for (at, power_w), (until, _) in pairwise(trace):
            metered_wh += power_w * (until - at).total_seconds() / 3600.0
        assert trace[-1][1] == 0.0
        assert charger.energy_wh(1) == pytest.approx(90_000.0, abs=1e-3)
        assert metered_wh == pytest.approx(90_000.0, abs=2.0)
        took_s = (trace[-1][0] - trace[0][0]).total_seconds()
        assert took_s == pytest.approx(BUS.seconds_to_reach(70.0, 100.0), abs=0.01)

    play(scene)
    assert battery.soc_pct == pytest.approx(100.0)


@pytest.mark.parametrize("protocol", [V16, V201, V21])
def test_a_limit_below_what_the_charger_can_give_pauses_it(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = world.start(station(protocol, evse={"min_power_w": 5_000.0}))
        charger.plug_in(1, bus(), CARD)
        await world.after(5)
        await world.csms.command(
            "C1", "SetChargingProfile", _profile(world, charger, protocol, 4_999.0)
        )
        assert charger.power_w(1) == 0.0
        assert charger.evse(1).status is Status.SUSPENDED_EVSE
        await world.csms.command(
            "C1", "SetChargingProfile", _profile(world, charger, protocol, 5_000.0)
        )
        assert charger.power_w(1) == 5_000.0

    play(scene)


def _profile(world: World, charger: object, protocol: str, limit_w: float) -> dict[str, object]:
    profile = flat_profile(protocol, limit_w)
    if protocol == V16:
        profile["transactionId"] = 101
    else:
        event = world.csms.of("TransactionEvent")[0]
        profile["transactionId"] = event["transactionInfo"]["transactionId"]
    return set_profile(protocol, 1, profile)


@pytest.mark.parametrize("protocol", [V16, V201, V21])
def test_the_same_seed_gives_the_same_frames(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = world.start(station(protocol))
        await world.after(5)
        charger.plug_in(1, bus(30.0), CARD)
        await world.after(1800)
        charger.uplink.drop(300)
        await world.after(1800)
        charger.unplug(1)
        await world.after(60)

    first, second = play(scene, 7, 0.1), play(scene, 7, 0.1)
    assert first.csms.trace == second.csms.trace
    assert len(first.csms.trace) > 50
    assert play(scene, 8, 0.1).csms.trace != first.csms.trace

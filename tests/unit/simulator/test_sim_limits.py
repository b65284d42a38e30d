"""Chargers obey what they accepted: stack levels, expiry, the fail-safe level without a link."""

from datetime import timedelta

import pytest
from sim_csms import START_AT, Answer
from sim_world import CARD, V16, V21, V201, World, bus, flat_profile, play, set_profile, station

from voltyard.simulator.charger import Charger
from voltyard.units import iso_z

BOTH = pytest.mark.parametrize("protocol", [V16, V201, V21])


async def send(world: World, protocol: str, number: int, profile: dict[str, object]) -> str:
    answer = await world.csms.command(
        "C1", "SetChargingProfile", set_profile(protocol, number, profile)
    )
    return str(answer["status"])


async def plugged(world: World, protocol: str, soc_pct: float = 20.0) -> Charger:
    charger = world.start(station(protocol))
    await world.after(5)
    charger.plug_in(1, bus(soc_pct), CARD)
    await world.after(5)
    return charger


def for_transaction(world: World, protocol: str, profile: dict[str, object]) -> dict[str, object]:
    if protocol == V16:
        return {**profile, "transactionId": world.csms.transactions}
    event = world.csms.of("TransactionEvent")[-1]
    return {**profile, "transactionId": event["transactionInfo"]["transactionId"]}


@BOTH
def test_the_fail_safe_level_holds_after_the_link_is_lost(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = await plugged(world, protocol)
        default = flat_profile(protocol, 15e3, purpose="TxDefaultProfile", profile_id=1)
        assert await send(world, protocol, 0, default) == "Accepted"
        assert charger.power_w(1) == 15e3
        granted = flat_profile(
            protocol, 90e3, profile_id=2, duration=300, startSchedule=iso_z(world.clock.now())
        )
        assert await send(world, protocol, 1, for_transaction(world, protocol, granted))
        assert charger.power_w(1) == 90e3
        charger.uplink.drop(3600)
        await world.after(299)
        assert charger.power_w(1) == 90e3
        await world.after(1.5)
        assert charger.power_w(1) == 15e3
        await world.after(3600)
        assert charger.power_w(1) == 15e3
        fell_at = charger.evse(1).trace[-1][0]
        assert fell_at == START_AT + timedelta(seconds=310)

    play(scene)


@BOTH
def test_a_raise_lasts_until_a_lower_one_replaces_it(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = await plugged(world, protocol)
        for limit_w in (40e3, 80e3, 0.0, 60e3):
            profile = for_transaction(world, protocol, flat_profile(protocol, limit_w))
            assert await send(world, protocol, 1, profile) == "Accepted"
            assert charger.power_w(1) == limit_w

    play(scene)


@BOTH
def test_the_station_maximum_caps_all_outlets_together(protocol: str) -> None:
    name = "ChargePointMaxProfile" if protocol == V16 else "ChargingStationMaxProfile"

    async def scene(world: World) -> None:
        charger = await plugged(world, protocol)
        charger.plug_in(2, bus(), CARD)
        await world.after(5)
        start = iso_z(world.clock.now())
        top = flat_profile(protocol, 50e3, purpose=name, startSchedule=start)
        assert await send(world, protocol, 0, top) == "Accepted"
        assert charger.power_w(1) == charger.power_w(2) == 25e3
        assert await send(world, protocol, 1, {**top}) == "Rejected"

    play(scene)


@BOTH
def test_a_transaction_profile_needs_its_transaction(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = await plugged(world, protocol)
        profile = flat_profile(protocol, 10e3)
        foreign = {**profile, "transactionId": 999 if protocol == V16 else "999"}
        assert await send(world, protocol, 1, foreign) == "Rejected"
        assert await send(world, protocol, 2, profile) == "Rejected"
        assert await send(world, protocol, 9, profile) == "Rejected"
        mine = for_transaction(world, protocol, profile)
        assert await send(world, protocol, 1, mine) == "Accepted"
        charger.unplug(1)
        await world.after(5)
        charger.plug_in(1, bus(), CARD)
        await world.after(5)
        assert charger.power_w(1) == 150e3

    play(scene)


@BOTH
def test_clearing_a_profile_frees_the_outlet(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = await plugged(world, protocol)
        await send(
            world, protocol, 1, for_transaction(world, protocol, flat_profile(protocol, 1e4))
        )
        key = "id" if protocol == V16 else "chargingProfileId"
        first = await world.csms.command("C1", "ClearChargingProfile", {key: 1})
        again = await world.csms.command("C1", "ClearChargingProfile", {key: 1})
        assert (first["status"], again["status"]) == ("Accepted", "Unknown")
        assert charger.power_w(1) == 150e3

    play(scene)


@BOTH
def test_clearing_by_criteria(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = await plugged(world, protocol)
        default = flat_profile(protocol, 15e3, purpose="TxDefaultProfile", level=2)
        await send(world, protocol, 1, default)
        wanted = {"chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 2}
        payload = {**wanted, "connectorId": 1}
        if protocol != V16:
            payload = {"chargingProfileCriteria": {**wanted, "evseId": 1}}
        answer = await world.csms.command("C1", "ClearChargingProfile", payload)
        assert answer["status"] == "Accepted"
        assert charger.power_w(1) == 150e3

    play(scene)


@BOTH
def test_the_composite_schedule_says_what_it_will_do(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = await plugged(world, protocol)
        default = flat_profile(protocol, 15e3, purpose="TxDefaultProfile")
        await send(world, protocol, 0, default)
        start = iso_z(world.clock.now())
        short = flat_profile(protocol, 90e3, profile_id=2, duration=600, startSchedule=start)
        await send(world, protocol, 1, for_transaction(world, protocol, short))
        key = "connectorId" if protocol == V16 else "evseId"
        answer = await world.csms.command(
            "C1", "GetCompositeSchedule", {key: 1, "duration": 3600, "chargingRateUnit": "W"}
        )
        schedule = answer["chargingSchedule" if protocol == V16 else "schedule"]
        rows = [(r["startPeriod"], r["limit"]) for r in schedule["chargingSchedulePeriod"]]
        assert rows == [(0, 90e3), (600, 15e3)]
        nothing = await world.csms.command("C1", "GetCompositeSchedule", {key: 7, "duration": 60})
        assert nothing["status"] == "Rejected"
        assert charger.power_w(1) == 90e3

    play(scene)


@BOTH
def test_two_chargers_change_at_the_very_same_instant(protocol: str) -> None:
    async def scene(world: World) -> None:
        first = await plugged(world, protocol)
        second = world.start(station(protocol, identity="C2"))
        await world.after(7.123)
        second.plug_in(1, bus(20.0), CARD)
        await world.after(5)
        at = iso_z(world.clock.now() + timedelta(seconds=60))
        for identity, limit_w in (("C1", 20e3), ("C2", 30e3)):
            profile = flat_profile(
                protocol, limit_w, purpose="TxDefaultProfile", startSchedule=at, level=1
            )
            payload = set_profile(protocol, 1, profile)
            await world.csms.command(identity, "SetChargingProfile", payload)
        await world.after(120)
        assert first.evse(1).trace[-1][0] == second.evse(1).trace[-1][0]
        assert (first.power_w(1), second.power_w(1)) == (20e3, 30e3)

    play(scene, latency_s=0.08)


def test_alternating_current_in_amps_and_its_readings() -> None:
    async def scene(world: World) -> None:
        spec = station(V16, 1, evse_power_w=22_080.0, evse={"direct_current": False})
        charger = world.start(spec)
        await world.after(1)
        settings = "Energy.Active.Import.Register,Current.Import,Voltage,SoC"
        await world.csms.command(
            "C1", "ChangeConfiguration", {"key": "MeterValuesSampledData", "value": settings}
        )
        charger.plug_in(1, bus(), CARD)
        await world.after(5)
        assert charger.power_w(1) == 22_080.0
        profile = flat_profile(V16, 10.0, chargingRateUnit="A")
        await send(world, V16, 1, profile)
        assert charger.power_w(1) == pytest.approx(6_900.0)
        await world.after(120)
        (value,) = world.csms.of("MeterValues")[-1]["meterValue"]
        told = {(s["measurand"], s.get("phase")): s["value"] for s in value["sampledValue"]}
        assert told["Current.Import", "L2"] == "10"
        assert told["Voltage", "L1-N"] == "230"
        assert ("SoC", None) not in told

    play(scene)


def test_commands_are_answered_while_the_charger_waits_for_its_own() -> None:
    async def scene(world: World) -> None:
        charger = await plugged(world, V16)
        world.csms.overrides["MeterValues"] = lambda i, p: _no_answer()
        await world.after(61)
        profile = flat_profile(V16, 33e3)
        assert await send(world, V16, 1, profile) == "Accepted"
        assert charger.power_w(1) == 33e3

    play(scene)


def _no_answer() -> dict[str, object]:
    raise Answer("")

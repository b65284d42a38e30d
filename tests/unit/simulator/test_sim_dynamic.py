"""The simulated charger of 2.1: limits that are updated (K28), power that flows back (Q)."""

from dataclasses import replace
from typing import Any

import pytest
from sim_world import BUS, CARD, V21, World, bus, flat_profile, play, set_profile, station

from voltyard.simulator.charger import Charger

BPT = ("DC", "DC_BPT")


async def plugged(world: World, *, dynamic: bool = True, allowed: tuple[str, ...] = BPT) -> Charger:
    info: dict[str, Any] = {"idTokenInfo": {"status": "Accepted"}}
    world.csms.overrides["Authorize"] = lambda identity, payload: (
        info | {"allowedEnergyTransfer": list(allowed)} if allowed else info
    )
    needs = {"status": "NoChargingProfile"}
    world.csms.overrides["NotifyEVChargingNeeds"] = lambda identity, payload: needs
    charger = world.start(station(V21, evses=1, evse={"discharge_w": 50e3}, dynamic=dynamic))
    await world.after(5)
    charger.plug_in(1, bus(60.0, replace(BUS, discharge_w=40e3)), CARD)
    await world.after(12)
    default = flat_profile(V21, 15e3, purpose="TxDefaultProfile", profile_id=1)
    assert (await world.csms.command("C1", "SetChargingProfile", set_profile(V21, 1, default)))[
        "status"
    ] == "Accepted"
    return charger


async def install(world: World, period: dict[str, Any], **more: Any) -> str:
    event = world.csms.of("TransactionEvent")[-1]
    profile = flat_profile(V21, 0.0, profile_id=12, level=1, duration=300)
    profile["chargingSchedule"][0]["chargingSchedulePeriod"] = [{"startPeriod": 0, **period}]
    profile |= {
        "chargingProfileKind": "Dynamic",
        "transactionId": event["transactionInfo"]["transactionId"],
        **more,
    }
    answer = await world.csms.command("C1", "SetChargingProfile", set_profile(V21, 1, profile))
    return str(answer["status"])


async def update(world: World, profile_id: int = 12, **values: float) -> str:
    payload = {"chargingProfileId": profile_id, "scheduleUpdate": values}
    return str((await world.csms.command("C1", "UpdateDynamicSchedule", payload))["status"])


def test_an_update_lasts_from_when_it_came() -> None:
    async def scene(world: World) -> None:
        charger = await plugged(world)
        assert await install(world, {"limit": 90e3}) == "Accepted"
        assert charger.power_w(1) == 90e3
        await world.after(200)
        assert await update(world, limit=50e3) == "Accepted"
        assert charger.power_w(1) == 50e3
        await world.after(299)
        assert charger.power_w(1) == 50e3
        await world.after(2)
        assert charger.power_w(1) == 15e3
        assert await update(world, limit=70e3) == "Accepted"
        assert charger.power_w(1) == 70e3
        assert await update(world, 1, limit=70e3) == "Rejected"
        assert await update(world, 99, limit=70e3) == "Rejected"

    play(scene)


def test_one_that_knows_no_updates_says_so() -> None:
    async def scene(world: World) -> None:
        await plugged(world, dynamic=False)
        assert await install(world, {"limit": 90e3}) == "Rejected"

    play(scene)


@pytest.mark.parametrize("gone_for_good", [True, False])
def test_what_must_not_outlast_an_absence_ends(gone_for_good: bool) -> None:
    """K01.FR.101, FR.102."""

    async def scene(world: World) -> None:
        charger = await plugged(world)
        more = {"maxOfflineDuration": 60, "invalidAfterOfflineDuration": gone_for_good}
        assert await install(world, {"limit": 90e3}, **more) == "Accepted"
        charger.uplink.drop(120)
        await world.after(50)
        assert charger.power_w(1) == 90e3
        await world.after(15)
        assert charger.power_w(1) == 15e3
        await world.after(100)
        assert charger.uplink.online
        assert charger.power_w(1) == (15e3 if gone_for_good else 90e3)

    play(scene)


def test_it_asks_for_updates_itself() -> None:
    """K28.FR.10."""

    async def scene(world: World) -> None:
        charger = await plugged(world)
        told = {"status": "Accepted", "scheduleUpdate": {"limit": 33e3}}
        world.csms.overrides["PullDynamicScheduleUpdate"] = lambda identity, payload: told
        assert await install(world, {"limit": 90e3}, dynUpdateInterval=60) == "Accepted"
        await world.after(61)
        assert charger.power_w(1) == 33e3
        await world.after(1200)
        assert charger.power_w(1) == 33e3
        assert len(world.csms.of("PullDynamicScheduleUpdate")) >= 20

    play(scene)


def test_a_setpoint_below_zero_flows_back_and_is_metered() -> None:
    async def scene(world: World) -> None:
        charger = await plugged(world)
        [asked] = world.csms.of("NotifyEVChargingNeeds")
        assert asked["chargingNeeds"]["requestedEnergyTransfer"] == "DC_BPT"
        period = {"setpoint": -30e3, "operationMode": "CentralSetpoint"}
        imported_wh = charger.energy_wh(1)
        assert await install(world, period) == "Accepted"
        assert charger.power_w(1) == -30e3
        await world.after(240)
        assert charger.evse(1).status.value == "Charging"
        assert charger.energy_wh(1) == pytest.approx(charger.evse(1).energy_wh)
        assert charger.evse(1).exported_wh == pytest.approx(30e3 * 240 / 3600, rel=1e-3)
        assert charger.energy_wh(1) <= imported_wh + 1
        await world.after(120)
        assert charger.power_w(1) == 15e3

    play(scene)


def test_nothing_flows_back_before_it_is_agreed_on() -> None:
    """Q02: told that it may, the vehicle negotiates anew."""

    async def scene(world: World) -> None:
        charger = await plugged(world, allowed=())
        [asked] = world.csms.of("NotifyEVChargingNeeds")
        assert asked["chargingNeeds"]["requestedEnergyTransfer"] == "DC"
        period = {"setpoint": -30e3, "operationMode": "CentralSetpoint"}
        assert await install(world, period) == "Accepted"
        assert charger.power_w(1) == 0.0
        event = world.csms.of("TransactionEvent")[-1]
        payload = {
            "transactionId": event["transactionInfo"]["transactionId"],
            "allowedEnergyTransfer": list(BPT),
        }
        answer = await world.csms.command("C1", "NotifyAllowedEnergyTransfer", payload)
        assert answer["status"] == "Accepted"
        await world.after(10)
        assert charger.power_w(1) == -30e3
        again = world.csms.of("NotifyEVChargingNeeds")[-1]
        assert again["chargingNeeds"]["requestedEnergyTransfer"] == "DC_BPT"

    play(scene)

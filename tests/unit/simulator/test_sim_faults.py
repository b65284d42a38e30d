"""Misbehaviour on demand, and the same misbehaviour for the same seed."""

from datetime import timedelta

import pytest
from sim_csms import START_AT, Payload
from sim_world import BUS, CARD, V16, V201, World, bus, flat_profile, play, set_profile, station

from voltyard.errors import Invalid
from voltyard.simulator.evse import Status
from voltyard.simulator.faults import (
    FAULT_SETS,
    Fault,
    FaultKind,
    FaultPlan,
    Quirks,
    fault_plan,
    plans,
)

BOTH = pytest.mark.parametrize("protocol", [V16, V201])
NIGHT_END = START_AT + timedelta(hours=16)


def plan(
    kind: FaultKind, seconds: float, duration_s: float, value: float = 0.0, **quirks: bool
) -> FaultPlan:
    at = START_AT + timedelta(seconds=seconds)
    return FaultPlan((Fault(at, kind, duration_s, value),), Quirks(**quirks))  # type: ignore[arg-type]


def test_plans_repeat_by_seed_and_differ_by_charger() -> None:
    first = fault_plan(3, "heavy", "C1", START_AT, NIGHT_END)
    assert first == fault_plan(3, "heavy", "C1", START_AT, NIGHT_END)
    others = plans(3, "heavy", [f"C{n}" for n in range(20)], START_AT, NIGHT_END)
    assert others["C1"] == first
    assert len({p.faults for p in others.values()}) == 20
    assert all(START_AT <= f.at <= NIGHT_END for p in others.values() for f in p.faults)
    assert fault_plan(3, "none", "C1", START_AT, NIGHT_END) == FaultPlan()


def test_every_set_has_something_and_an_unknown_one_is_named() -> None:
    for name in FAULT_SETS:
        found = plans(1, name, [f"C{n}" for n in range(200)], START_AT, NIGHT_END)
        kinds = {f.kind for p in found.values() for f in p.faults}
        assert bool(kinds) == (name != "none")
    with pytest.raises(Invalid, match="light, links"):
        fault_plan(1, "nonsense", "C1", START_AT, NIGHT_END)


@BOTH
def test_a_silent_link_is_noticed_and_replaced_without_a_word(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = world.start(station(protocol, 1), plan=plan(FaultKind.SILENT_LINK, 100, 100_000))
        await world.after(10)
        charger.plug_in(1, bus(10.0), CARD)
        await world.after(1000)
        assert len(world.csms.connects) == 2
        assert charger.uplink.online
        charger.unplug(1)
        await world.after(100)

    world = play(scene)
    if protocol == V201:  # nothing is lost
        numbers = [e["seqNo"] for e in world.csms.of("TransactionEvent")]
        assert numbers == list(range(len(numbers)))
    else:
        assert len(world.csms.of("MeterValues")) == 16


@BOTH
def test_answers_come_late(protocol: str) -> None:
    async def scene(world: World) -> None:
        fault = plan(FaultKind.DELAY_ANSWERS, 10, 600, 45.0)
        charger = world.start(station(protocol, 1), plan=fault)
        charger.plug_in(1, bus(), CARD)
        await world.after(20)
        profile = flat_profile(protocol, 12e3, purpose="TxDefaultProfile")
        payload = set_profile(protocol, 1, profile)
        asked_s = world.clock.monotonic_s()
        answer = await world.csms.command("C1", "SetChargingProfile", payload)
        assert answer["status"] == "Accepted"
        assert world.clock.monotonic_s() - asked_s == pytest.approx(45.0)
        assert charger.power_w(1) == 12e3

    play(scene)


@BOTH
def test_duplicates_have_the_same_content(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = world.start(station(protocol, 1), plan=plan(FaultKind.DUPLICATE, 1, 9e9, 1.0))
        await world.after(10)
        charger.plug_in(1, bus(), CARD)
        await world.after(600)
        charger.unplug(1)
        await world.after(10)

    world = play(scene)
    action = "StopTransaction" if protocol == V16 else "TransactionEvent"
    frames = [f for f in world.csms.frames if f.action == action]
    last = [f for f in frames if f.payload == frames[-1].payload]
    assert len(last) == 4
    assert len({f.id for f in last}) == 2


def test_queued_messages_are_reordered() -> None:
    async def scene(world: World) -> None:
        charger = world.start(station(V201, 1), plan=plan(FaultKind.REORDER, 1, 9e9))
        await world.after(10)
        charger.uplink.drop(1200)
        await world.after(1)
        charger.plug_in(1, bus(), CARD)
        await world.after(3000)

    numbers = [e["seqNo"] for e in play(scene).csms.of("TransactionEvent")]
    assert numbers != sorted(numbers)
    assert sorted(numbers) == list(range(len(numbers)))


@BOTH
@pytest.mark.parametrize(
    ("quirks", "transactions"),
    [
        ({}, 1),
        ({"keeps_transaction": False}, 2),
        ({"forgets_transaction": True}, 2),
        ({"keeps_profiles": False}, 2),
    ],
)
def test_reboots(protocol: str, quirks: dict[str, bool], transactions: int) -> None:
    async def scene(world: World) -> None:
        fault = plan(FaultKind.REBOOT, 600, 120, **quirks)
        charger = world.start(station(protocol, 1), plan=fault)
        await world.after(10)
        profile = flat_profile(protocol, 11e3, purpose="TxDefaultProfile")
        await world.csms.command("C1", "SetChargingProfile", set_profile(protocol, 1, profile))
        charger.plug_in(1, bus(10.0), CARD)
        await world.after(600)
        assert charger.power_w(1) == 0.0
        await world.after(1000)
        kept = quirks.get("keeps_profiles", True)
        assert charger.power_w(1) == (11e3 if kept else 150e3)
        charger.unplug(1)
        await world.after(30)

    world = play(scene)
    assert len(world.csms.of("BootNotification")) == 2
    if protocol == V16:
        assert len(world.csms.of("StartTransaction")) == transactions
        ended = [s["reason"] for s in world.csms.of("StopTransaction")]
    else:
        events = world.csms.of("TransactionEvent")
        assert len({e["transactionInfo"]["transactionId"] for e in events}) == transactions
        ended = [e["transactionInfo"]["stoppedReason"] for e in events if e["eventType"] == "Ended"]
    assert ended[-1] == "EVDisconnected"
    if transactions == 2 and "forgets_transaction" not in quirks:
        assert ended[0] == "PowerLoss"
    if "forgets_transaction" in quirks:
        assert len(ended) == 1


def test_profiles_lost_in_a_power_cut_bring_no_start_offline() -> None:
    async def scene(world: World) -> None:
        fault = plan(FaultKind.REBOOT, 100, 60, keeps_profiles=False)
        charger = world.start(station(V16, 1), plan=fault)
        await world.after(10)
        charger.plug_in(1, bus(10.0), CARD)
        await world.after(60)
        world.link.acceptor = None
        await world.after(2000)
        assert charger.power_w(1) == 0.0
        world.link.acceptor = world.csms
        await world.after(1200)
        assert charger.power_w(1) == 150e3

    play(scene)


@BOTH
def test_an_ignored_limit_is_accepted_and_not_obeyed(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = world.start(station(protocol, 1), plan=plan(FaultKind.IGNORE_LIMIT, 100, 500))
        await world.after(10)
        charger.plug_in(1, bus(10.0), CARD)
        await world.after(5)
        for limit_w, expected_w in ((30e3, 30e3), (10e3, 30e3)):
            profile = flat_profile(protocol, limit_w, purpose="TxDefaultProfile")
            payload = set_profile(protocol, 1, profile)
            answer = await world.csms.command("C1", "SetChargingProfile", payload)
            assert answer["status"] == "Accepted"
            assert charger.power_w(1) == expected_w
            await world.after(120)
        await world.after(500)
        assert charger.power_w(1) == 10e3

    play(scene)


def test_drawing_full_power_whatever_was_accepted() -> None:
    async def scene(world: World) -> None:
        charger = world.start(station(V16, 1), plan=plan(FaultKind.DRAW_FULL, 100, 500))
        profile = flat_profile(V16, 10e3, purpose="TxDefaultProfile")
        await world.after(10)
        await world.csms.command("C1", "SetChargingProfile", set_profile(V16, 1, profile))
        charger.plug_in(1, bus(10.0), CARD)
        await world.after(50)
        assert charger.power_w(1) == 10e3
        await world.after(100)
        assert charger.power_w(1) == 150e3
        await world.after(500)
        assert charger.power_w(1) == 10e3

    play(scene)


@BOTH
def test_profiles_are_rejected(protocol: str) -> None:
    async def scene(world: World) -> None:
        world.start(station(protocol, 1), plan=plan(FaultKind.REJECT_PROFILE, 5, 500))
        await world.after(10)
        profile = flat_profile(protocol, 10e3, purpose="TxDefaultProfile")
        payload = set_profile(protocol, 1, profile)
        answer = await world.csms.command("C1", "SetChargingProfile", payload)
        assert answer["status"] == "Rejected"

    play(scene)


@BOTH
def test_a_faulted_outlet_stops_and_starts_again_when_cleared(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = world.start(station(protocol, 2), plan=plan(FaultKind.FAULT, 100, 300, 1.0))
        await world.after(10)
        charger.plug_in(1, bus(10.0), CARD)
        await world.after(120)
        assert charger.evse(1).status is Status.FAULTED
        assert charger.power_w(1) == 0.0
        await world.after(500)
        assert charger.power_w(1) == 150e3

    world = play(scene)
    key = "status" if protocol == V16 else "connectorStatus"
    assert "Faulted" in [s[key] for s in world.csms.of("StatusNotification")]


def test_clock_skew_moves_every_timestamp() -> None:
    async def scene(world: World) -> None:
        charger = world.start(station(V16, 1), plan=plan(FaultKind.CLOCK_SKEW, 1, 9e9, -3600.0))
        await world.after(10)
        charger.plug_in(1, bus(), CARD)
        await world.after(10)

    (start,) = play(scene).csms.of("StartTransaction")
    assert start["timestamp"] == "2027-01-19T15:00:10.000Z"


def readings(payloads: list[Payload], measurand: str) -> list[float]:
    found: list[float] = []
    for payload in payloads:
        for value in payload["meterValue"]:
            found.extend(
                float(s["value"]) for s in value["sampledValue"] if s["measurand"] == measurand
            )
    return found


@pytest.mark.parametrize(
    ("kind", "factor"), [(FaultKind.METER_KWH, 0.001), (FaultKind.METER_ZERO, 0.0)]
)
def test_meter_glitches(kind: FaultKind, factor: float) -> None:
    async def scene(world: World) -> None:
        charger = world.start(station(V16, 1), plan=plan(kind, 1000, 600))
        await world.after(10)
        charger.plug_in(1, bus(10.0), CARD)
        await world.after(2000)
        charger.unplug(1)

    told = readings(play(scene).csms.of("MeterValues"), "Energy.Active.Import.Register")
    assert told[15] == 40_000.0
    assert told[20] == int(52_500.0 * factor)
    assert told[-1] > 80_000.0


def test_a_stale_state_of_charge() -> None:
    async def scene(world: World) -> None:
        charger = world.start(station(V16, 1), plan=plan(FaultKind.STALE_SOC, 600, 600))
        await world.after(10)
        charger.plug_in(1, bus(10.0, BUS), CARD)
        await world.after(2000)

    told = readings(play(scene).csms.of("MeterValues"), "SoC")
    assert len(set(told[11:19])) == 1
    assert told[8] < told[11] < told[-1]


def test_message_ids_begin_anew_after_a_reboot() -> None:
    async def scene(world: World) -> None:
        fault = plan(FaultKind.REBOOT, 100, 10, message_ids_restart=True)
        world.start(station(V16, 1), plan=fault)
        await world.after(300)

    ids = [f.id for f in play(scene).csms.frames]
    assert len(set(ids)) < len(ids)


def test_a_charger_that_boots_on_each_connection() -> None:
    async def scene(world: World) -> None:
        fault = plan(FaultKind.DROP_LINK, 100, 10, boots_on_reconnect=True)
        world.start(station(V16, 1), plan=fault)
        await world.after(300)

    assert len(play(scene).csms.of("BootNotification")) == 2


@pytest.mark.parametrize("seed", range(6))
def test_under_heavy_faults_every_bus_is_full_and_every_frame_valid(seed: int) -> None:
    async def scene(world: World) -> None:
        chargers = []
        for number in range(6):
            identity = f"C{number}"
            protocol = V16 if number % 2 else V201
            faults = fault_plan(seed, "heavy", identity, START_AT, NIGHT_END, evses=2)
            chargers.append(world.start(station(protocol, identity=identity), plan=faults))
        await world.after(60)
        for charger in chargers:
            charger.plug_in(1, bus(20.0), CARD)
            charger.plug_in(2, bus(40.0), CARD)
        await world.after(15 * 3600)
        for charger in chargers:
            assert charger.soc_pct(1) == pytest.approx(100.0)
            assert charger.soc_pct(2) == pytest.approx(100.0)
        assert all(not task.done() for task in world.chargers)

    play(scene, seed, latency_s=0.1)

"""What happens to messages when nobody answers: queues, retries, restarts, reconnects."""

from itertools import pairwise

import pytest
from sim_csms import Answer, Payload
from sim_world import CARD, V16, V201, World, bus, play, station

from voltyard.simulator.faults import FaultPlan, Quirks
from voltyard.simulator.settings import ChargerSettings

BOTH = pytest.mark.parametrize("protocol", [V16, V201])


def fail(code: str) -> Payload:
    raise Answer(code)


@BOTH
def test_a_whole_session_offline_is_told_afterwards_with_its_own_times(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = world.start(station(protocol))
        await world.after(10)
        charger.uplink.drop(7200)
        await world.after(1)
        charger.plug_in(1, bus(), CARD)
        await world.after(3600)
        charger.unplug(1)
        assert world.csms.of("StartTransaction") == world.csms.of("TransactionEvent") == []
        await world.after(7200)

    world = play(scene)
    if protocol == V16:
        (start,), (stop,) = world.csms.of("StartTransaction"), world.csms.of("StopTransaction")
        assert start["timestamp"] == "2027-01-19T16:00:11.000Z"
        assert stop["timestamp"] == "2027-01-19T17:00:11.000Z"
        samples = world.csms.of("MeterValues")
        assert {s["transactionId"] for s in samples} == {101} == {stop["transactionId"]}
        assert len(samples) == 59
        assert world.csms.of("Authorize") == []
    else:
        events = world.csms.of("TransactionEvent")
        assert [e["seqNo"] for e in events] == list(range(len(events)))
        assert all(e["offline"] for e in events)
        assert events[0]["timestamp"] == "2027-01-19T16:00:11.000Z"


@BOTH
def test_offline_without_the_policy_nothing_starts_until_online(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = world.start(station(protocol), settings=ChargerSettings(offline_unknown=False))
        await world.after(10)
        charger.uplink.drop(600)
        await world.after(1)
        charger.plug_in(1, bus(), CARD)
        await world.after(500)
        assert charger.power_w(1) == 0.0
        await world.after(1200)
        assert charger.power_w(1) == 150_000.0

    play(scene)


@BOTH
def test_a_transaction_message_is_tried_again_a_bounded_number_of_times(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = world.start(station(protocol, 1), settings=ChargerSettings(sample_s=0))
        action = "StartTransaction" if protocol == V16 else "TransactionEvent"
        world.csms.overrides[action] = lambda i, p: fail("InternalError")
        await world.after(10)
        charger.plug_in(1, bus(), CARD)
        await world.after(10_000)
        assert charger.power_w(1) == 0.0 or charger.soc_pct(1) is not None
        frames = [f for f in world.csms.frames if f.action == action]
        first = [f for f in frames if f.payload == frames[0].payload]
        assert len(first) == 3
        waits = [(b.at - a.at).total_seconds() for a, b in pairwise(first)]
        assert waits == pytest.approx([60.0, 120.0])
        assert charger.uplink.dropped >= 1
        world.csms.overrides.clear()
        charger.unplug(1)
        await world.after(10)

    world = play(scene)
    if protocol == V16:  # errata 3.18: no id was ever given
        assert world.csms.of("StopTransaction")[0]["transactionId"] == -1


def test_an_unanswered_start_is_sent_again_after_reconnecting() -> None:
    async def scene(world: World) -> None:
        charger = world.start(station(V16, 1))
        await world.after(10)
        world.csms.overrides["StartTransaction"] = lambda i, p: fail("")
        charger.plug_in(1, bus(), CARD)
        await world.after(5)
        world.csms.overrides.clear()
        charger.uplink.drop(10)
        await world.after(60)

    world = play(scene)
    starts = [f for f in world.csms.frames if f.action == "StartTransaction"]
    assert len(starts) == 2
    assert starts[0].payload == starts[1].payload


def test_boot_pending_then_rejected_then_accepted() -> None:
    answers = ["Pending", "Rejected", "Accepted"]

    def boot(identity: str, payload: Payload) -> Payload:
        return {
            "status": answers.pop(0),
            "currentTime": "2027-01-19T16:00:00Z",
            "interval": 40 if answers else 900,
        }

    async def scene(world: World) -> None:
        world.csms.overrides["BootNotification"] = boot
        charger = world.start(station(V16, 1))
        await world.after(30)
        key = {"key": ["HeartbeatInterval"]}
        await world.csms.command("C1", "GetConfiguration", key)
        assert [f.action for f in world.csms.frames] == ["BootNotification"]
        await world.after(60)
        assert not answers
        assert charger.uplink.online
        assert charger.uplink.settings.heartbeat_s == 900
        await world.after(2000)

    world = play(scene)
    assert len(world.csms.of("BootNotification")) == 3
    assert len(world.csms.of("Heartbeat")) == 2


def test_a_triggered_boot_notification_ends_pending_early() -> None:
    states = ["Pending", "Accepted"]

    def boot(identity: str, payload: Payload) -> Payload:
        now = "2027-01-19T16:00:00Z"
        return {"status": states.pop(0), "currentTime": now, "interval": 3000}

    async def scene(world: World) -> None:
        world.csms.overrides["BootNotification"] = boot
        charger = world.start(station(V201, 1))
        await world.after(10)
        payload = {"requestedMessage": "BootNotification"}
        answer = await world.csms.command("C1", "TriggerMessage", payload)
        assert answer["status"] == "Accepted"
        await world.after(1)
        assert charger.uplink.online

    play(scene)


def test_heartbeats_come_only_when_nothing_else_is_sent() -> None:
    async def scene(world: World) -> None:
        charger = world.start(station(V16, 1))
        await world.after(10)
        charger.plug_in(1, bus(10.0), CARD)
        await world.after(3000)
        assert world.csms.of("Heartbeat") == []
        charger.unplug(1)
        await world.after(3010)

    world = play(scene)
    assert len(world.csms.of("Heartbeat")) == 10


def test_a_refused_handshake_is_tried_again_with_growing_waits() -> None:
    async def scene(world: World) -> None:
        world.csms.refuse_status = 401
        charger = world.start(station(V16, 1, password="secret-secret-secret"))
        await world.after(600)
        assert 5 <= len(world.csms.connects) <= 15
        assert not charger.uplink.online
        world.csms.refuse_status = None
        await world.after(130)
        assert charger.uplink.online

    world = play(scene)
    assert world.csms.connects[0] == ("C1", ("ocpp1.6",), ("C1", "secret-secret-secret"))


def test_without_a_common_subprotocol_the_charger_hangs_up() -> None:
    async def scene(world: World) -> None:
        world.csms.subprotocol = None
        charger = world.start(station(V16, 1))
        await world.after(60)
        assert not charger.uplink.online
        assert len(world.csms.connects) > 1

    play(scene)


def test_after_an_outage_of_the_server_everybody_comes_back_spread_out() -> None:
    async def scene(world: World) -> None:
        chargers = [world.start(station(V16, 1, identity=f"C{n}")) for n in range(30)]
        await world.after(30)
        world.link.break_all()
        world.link.acceptor = None
        await world.after(600)
        world.csms.connects.clear()
        world.link.acceptor = world.csms
        await world.after(130)
        assert all(charger.uplink.online for charger in chargers)
        assert len(world.csms.connects) == 30

    play(scene)


@BOTH
def test_the_queue_is_bounded_and_keeps_starts_and_ends(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = world.start(station(protocol, 1), settings=ChargerSettings(sample_s=1))
        await world.after(10)
        charger.uplink.drop(20_000)
        await world.after(1)
        charger.plug_in(1, bus(), CARD)
        await world.after(12_000)
        charger.unplug(1)
        assert len(charger.uplink.kept) <= 5000
        assert charger.uplink.dropped > 5000
        await world.after(10_000)

    world = play(scene)
    if protocol == V16:
        assert len(world.csms.of("StartTransaction")) == len(world.csms.of("StopTransaction")) == 1
    else:
        kinds = [e["eventType"] for e in world.csms.of("TransactionEvent")]
        assert (kinds[0], kinds[-1]) == ("Started", "Ended")


def test_a_charger_that_forgets_its_meter_start_offline() -> None:
    async def scene(world: World) -> None:
        plan = FaultPlan(quirks=Quirks(offline_start_zero=True))
        charger = world.start(station(V16, 1), plan=plan)
        await world.after(10)
        charger.plug_in(1, bus(), CARD)
        await world.after(3600)
        charger.unplug(1)
        charger.uplink.drop(600)
        await world.after(1)
        charger.plug_in(1, bus(), CARD)
        await world.after(1200)
        charger.unplug(1)
        await world.after(10)

    starts = play(scene).csms.of("StartTransaction")
    assert [s["meterStart"] for s in starts] == [0, 0]


def test_deauthorised_by_the_server_stops_and_asks_again_later() -> None:
    def refuse(identity: str, payload: Payload) -> Payload:
        return {"transactionId": 7, "idTagInfo": {"status": "Blocked"}}

    async def scene(world: World) -> None:
        world.csms.overrides["StartTransaction"] = refuse
        charger = world.start(station(V16, 1))
        await world.after(10)
        charger.plug_in(1, bus(), CARD)
        await world.after(5)
        assert charger.power_w(1) == 0.0
        world.csms.overrides.clear()
        await world.after(200)
        assert charger.power_w(1) == 150_000.0

    world = play(scene)
    assert world.csms.of("StopTransaction")[0]["reason"] == "DeAuthorized"

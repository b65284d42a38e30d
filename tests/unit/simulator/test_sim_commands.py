"""Every command of the server, in both versions."""

import pytest
from sim_csms import Answer, Payload
from sim_world import CARD, V16, V21, V201, World, bus, flat_profile, play, station

from voltyard.simulator.charger import Charger
from voltyard.simulator.evse import Status, Token

BOTH = pytest.mark.parametrize("protocol", [V16, V201, V21])


async def ready(world: World, protocol: str, **changes: object) -> Charger:
    charger = world.start(station(protocol, **changes))
    await world.after(5)
    return charger


def start_payload(protocol: str, number: int | None = None, **more: object) -> Payload:
    if protocol == V16:
        payload: Payload = {"idTag": "SERVER", **more}
        key = "connectorId"
    else:
        payload = {"idToken": {"idToken": "SERVER", "type": "Central"}, "remoteStartId": 5, **more}
        key = "evseId"
    return payload if number is None else {**payload, key: number}


def start_action(protocol: str) -> str:
    return "RemoteStartTransaction" if protocol == V16 else "RequestStartTransaction"


@BOTH
def test_remote_start_and_stop(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = await ready(world, protocol)
        charger.plug_in(2, bus(), None)
        await world.after(60)
        assert charger.power_w(2) == 0.0
        answer = await world.csms.command("C1", start_action(protocol), start_payload(protocol))
        assert answer["status"] == "Accepted"
        await world.after(5)
        assert charger.power_w(2) == 150_000.0
        stop, ref = "RemoteStopTransaction", charger.evse(2).transaction.ref  # type: ignore[union-attr]
        wire: object = ref
        if protocol == V16:
            wire = int(ref or 0)
        else:
            stop = "RequestStopTransaction"
        foreign: object = 12345 if protocol == V16 else "foreign"
        for transaction, status in ((foreign, "Rejected"), (wire, "Accepted")):
            answer = await world.csms.command("C1", stop, {"transactionId": transaction})
            assert answer["status"] == status
        await world.after(600)
        assert charger.power_w(2) == 0.0
        assert charger.evse(2).status is Status.FINISHING

    world = play(scene)
    if protocol == V16:
        assert world.csms.of("StopTransaction")[0]["reason"] == "Remote"
        assert world.csms.of("Authorize") == []
    else:
        first, last = world.csms.of("TransactionEvent")[0], world.csms.of("TransactionEvent")[-1]
        assert first["triggerReason"] == "RemoteStart"
        assert first["transactionInfo"]["remoteStartId"] == 5
        assert last["transactionInfo"]["stoppedReason"] == "Remote"


@BOTH
def test_remote_start_with_a_profile_applies_it_from_the_first_watt(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = await ready(world, protocol)
        charger.plug_in(1, bus(), None)
        payload = start_payload(protocol, 1, chargingProfile=flat_profile(protocol, 22e3))
        await world.csms.command("C1", start_action(protocol), payload)
        await world.after(5)
        assert [power_w for _, power_w in charger.evse(1).trace] == [22e3]

    play(scene)


@BOTH
def test_remote_start_waits_for_the_plug_but_not_for_ever(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = await ready(world, protocol)
        await world.csms.command("C1", start_action(protocol), start_payload(protocol, 1))
        await world.after(60)
        assert charger.evse(1).status is Status.PREPARING
        charger.plug_in(1, bus(), None)
        await world.after(5)
        assert charger.power_w(1) == 150_000.0
        await world.csms.command("C1", start_action(protocol), start_payload(protocol, 2))
        await world.after(200)
        assert charger.evse(2).status is Status.AVAILABLE
        charger.plug_in(2, bus(), None)
        await world.after(60)
        assert charger.power_w(2) == 0.0
        busy = await world.csms.command("C1", start_action(protocol), start_payload(protocol, 1))
        assert busy["status"] == "Rejected"

    play(scene)


@BOTH
def test_hard_reset_stops_boots_and_charges_again(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = await ready(world, protocol)
        charger.plug_in(1, bus(10.0), CARD)
        await world.after(300)
        kind = "Hard" if protocol == V16 else "Immediate"
        answer = await world.csms.command("C1", "Reset", {"type": kind})
        assert answer["status"] == "Accepted"
        await world.after(5)
        assert charger.power_w(1) == 0.0
        await world.after(200)
        assert charger.power_w(1) == 150_000.0

    world = play(scene)
    assert len(world.csms.of("BootNotification")) == 2
    if protocol == V16:
        assert world.csms.of("StopTransaction")[0]["reason"] == "HardReset"
    else:
        assert world.csms.of("BootNotification")[1]["reason"] == "RemoteReset"


def test_soft_reset_tells_the_end_before_it_restarts() -> None:
    async def scene(world: World) -> None:
        charger = await ready(world, V16)
        charger.plug_in(1, bus(10.0), CARD)
        await world.after(300)
        await world.csms.command("C1", "Reset", {"type": "Soft"})
        await world.after(60)

    actions = [f.action for f in play(scene).csms.frames]
    stop = actions.index("StopTransaction")
    assert stop < len(actions) - 1 - actions[::-1].index("BootNotification")


def test_reset_on_idle_waits_for_the_transaction() -> None:
    async def scene(world: World) -> None:
        charger = await ready(world, V201)
        charger.plug_in(1, bus(10.0), CARD)
        await world.after(60)
        answer = await world.csms.command("C1", "Reset", {"type": "OnIdle"})
        assert answer["status"] == "Scheduled"
        await world.after(300)
        assert len(world.csms.of("BootNotification")) == 1
        charger.unplug(1)
        await world.after(120)
        assert len(world.csms.of("BootNotification")) == 2
        refused = await world.csms.command("C1", "Reset", {"type": "Immediate", "evseId": 1})
        assert refused["status"] == "Rejected"

    play(scene)


@BOTH
def test_inoperative_waits_for_the_transaction_and_refuses_new_ones(protocol: str) -> None:
    def payload(number: int, name: str) -> Payload:
        if protocol == V16:
            return {"connectorId": number, "type": name}
        return {"operationalStatus": name, **({"evse": {"id": number}} if number else {})}

    async def change(world: World, number: int, name: str) -> str:
        answer = await world.csms.command("C1", "ChangeAvailability", payload(number, name))
        return str(answer["status"])

    async def scene(world: World) -> None:
        charger = await ready(world, protocol)
        charger.plug_in(1, bus(), CARD)
        await world.after(60)
        assert await change(world, 1, "Inoperative") == "Scheduled"
        assert charger.power_w(1) == 150_000.0
        assert await change(world, 2, "Inoperative") == "Accepted"
        assert await change(world, 7, "Inoperative") == "Rejected"
        charger.unplug(1)
        await world.after(5)
        assert charger.evse(1).status is Status.UNAVAILABLE
        charger.plug_in(1, bus(), CARD)
        await world.after(300)
        assert charger.power_w(1) == 0.0
        assert await change(world, 0, "Operative") == "Accepted"
        await world.after(600)
        assert charger.power_w(1) == 150_000.0

    world = play(scene)
    key = "status" if protocol == V16 else "connectorStatus"
    assert "Unavailable" in [s[key] for s in world.csms.of("StatusNotification")]


@BOTH
@pytest.mark.parametrize(
    "message", ["BootNotification", "Heartbeat", "StatusNotification", "MeterValues"]
)
def test_trigger_message(protocol: str, message: str) -> None:
    async def scene(world: World) -> None:
        charger = await ready(world, protocol)
        charger.plug_in(1, bus(), CARD)
        await world.after(5)
        before = len(world.csms.of(message))
        payload = {"requestedMessage": message}
        answer = await world.csms.command("C1", "TriggerMessage", payload)
        assert answer["status"] == "Accepted"
        await world.after(1)
        assert len(world.csms.of(message)) > before

    play(scene)


def test_trigger_message_that_it_cannot_send() -> None:
    async def scene(world: World) -> None:
        await ready(world, V201)
        wanted = "PublishFirmwareStatusNotification"
        answer = await world.csms.command("C1", "TriggerMessage", {"requestedMessage": wanted})
        assert answer["status"] == "NotImplemented"

    play(scene)


def test_trigger_a_transaction_event() -> None:
    async def scene(world: World) -> None:
        charger = await ready(world, V201)
        charger.plug_in(1, bus(), CARD)
        await world.after(5)
        await world.csms.command(
            "C1", "TriggerMessage", {"requestedMessage": "TransactionEvent", "evse": {"id": 1}}
        )
        await world.after(1)
        assert world.csms.of("TransactionEvent")[-1]["triggerReason"] == "Trigger"

    play(scene)


def test_unlock_connector() -> None:
    async def scene(world: World) -> None:
        old = await ready(world, V16)
        new = world.start(station(V201, identity="C2"))
        await world.after(5)
        for charger in (old, new):
            charger.plug_in(1, bus(), CARD)
        await world.after(5)
        unlocked = await world.csms.command("C1", "UnlockConnector", {"connectorId": 1})
        assert unlocked["status"] == "Unlocked"
        assert old.power_w(1) == 0.0
        unknown = await world.csms.command("C1", "UnlockConnector", {"connectorId": 5})
        assert unknown["status"] == "NotSupported"
        for evse, status in ((1, "OngoingAuthorizedTransaction"), (2, "Unlocked"), (3, "Unk")):
            payload = {"evseId": evse, "connectorId": 1}
            answer = await world.csms.command("C2", "UnlockConnector", payload)
            assert answer["status"].startswith(status)

    play(scene)


_UNKNOWN: dict[str, tuple[str, Payload]] = {
    V16: (
        "InstallCertificate",
        {"certificateType": "CentralSystemRootCertificate", "certificate": "PEM"},
    ),
    V201: ("ClearDisplayMessage", {"id": 1}),
    V21: ("ClearDisplayMessage", {"id": 1}),
}


@BOTH
def test_what_it_does_not_know_is_not_implemented(protocol: str) -> None:
    async def scene(world: World) -> None:
        await ready(world, protocol)
        with pytest.raises(Answer) as caught:
            await world.csms.command("C1", *_UNKNOWN[protocol])
        assert caught.value.code == "NotImplemented"
        answer = await world.csms.command("C1", "DataTransfer", {"vendorId": "someone"})
        assert answer["status"] == "UnknownVendorId"

    play(scene)


def test_configuration_keys() -> None:
    async def change(world: World, key: str, value: str) -> str:
        payload = {"key": key, "value": value}
        answer = await world.csms.command("C1", "ChangeConfiguration", payload)
        return str(answer["status"])

    async def scene(world: World) -> None:
        charger = await ready(world, V16)
        every = await world.csms.command("C1", "GetConfiguration", {})
        values = {row["key"]: row["value"] for row in every["configurationKey"]}
        assert values["NumberOfConnectors"] == "2"
        assert "SmartCharging" in values["SupportedFeatureProfiles"]
        some = await world.csms.command("C1", "GetConfiguration", {"key": ["Nope", "ResetRetries"]})
        assert some["unknownKey"] == ["Nope"]
        assert await change(world, "MeterValueSampleInterval", "15") == "Accepted"
        assert charger.settings.sample_s == 15
        assert await change(world, "MeterValueSampleInterval", "-1") == "Rejected"
        assert await change(world, "MeterValueSampleInterval", "often") == "Rejected"
        assert await change(world, "MeterValuesSampledData", "SoC,Nonsense") == "Rejected"
        assert await change(world, "AuthorizeRemoteTxRequests", "true") == "Accepted"
        assert await change(world, "AuthorizeRemoteTxRequests", "maybe") == "Rejected"
        assert await change(world, "NumberOfConnectors", "3") == "Rejected"
        assert await change(world, "Nope", "1") == "NotSupported"
        assert await change(world, "HeartbeatInterval", "30") == "Accepted"
        await world.after(160)
        assert len(world.csms.of("Heartbeat")) >= 3

    play(scene)


def test_the_device_model() -> None:
    def place(component: str, variable: str, evse: int | None = None) -> Payload:
        where: Payload = {"name": component}
        if evse is not None:
            where["evse"] = {"id": evse}
        return {"component": where, "variable": {"name": variable}}

    async def scene(world: World) -> None:
        charger = await ready(world, V201)
        rows = [
            place("SampledDataCtrlr", "TxUpdatedInterval"),
            place("EVSE", "Power", 2),
            place("SmartChargingCtrlr", "RateUnit"),
            place("SampledDataCtrlr", "Nope"),
            place("Nope", "Nope"),
            {**place("AuthCtrlr", "AuthorizeRemoteStart"), "attributeType": "Target"},
        ]
        answer = await world.csms.command("C1", "GetVariables", {"getVariableData": rows})
        got = [(r["attributeStatus"], r.get("attributeValue")) for r in answer["getVariableResult"]]
        assert got == [
            ("Accepted", "60"),
            ("Accepted", "150000"),
            ("Accepted", "A,W"),
            ("UnknownVariable", None),
            ("UnknownComponent", None),
            ("NotSupportedAttributeType", None),
        ]
        changes = [
            {**place("SampledDataCtrlr", "TxUpdatedInterval"), "attributeValue": "20"},
            {**place("SampledDataCtrlr", "TxUpdatedInterval"), "attributeValue": "x"},
            {**place("SmartChargingCtrlr", "RateUnit"), "attributeValue": "A"},
            {**place("Nope", "Nope"), "attributeValue": "A"},
        ]
        answer = await world.csms.command("C1", "SetVariables", {"setVariableData": changes})
        statuses = [r["attributeStatus"] for r in answer["setVariableResult"]]
        assert statuses == ["Accepted", "Rejected", "Rejected", "UnknownComponent"]
        assert charger.settings.sample_s == 20

    play(scene)


def test_the_base_report_comes_in_parts() -> None:
    async def scene(world: World) -> None:
        await ready(world, V201)
        payload = {"requestId": 9, "reportBase": "FullInventory"}
        answer = await world.csms.command("C1", "GetBaseReport", payload)
        assert answer["status"] == "Accepted"
        payload = {"requestId": 10, "reportBase": "SummaryInventory"}
        answer = await world.csms.command("C1", "GetBaseReport", payload)
        assert answer["status"] == "NotSupported"
        await world.after(5)

    parts = play(scene).csms.of("NotifyReport")
    assert [p["seqNo"] for p in parts] == list(range(len(parts)))
    assert [p["tbc"] for p in parts] == [True] * (len(parts) - 1) + [False]
    names = [row["variable"]["name"] for p in parts for row in p["reportData"]]
    assert "TxUpdatedInterval" in names
    assert names.count("Power") == 2


def test_charging_profiles_are_reported() -> None:
    async def scene(world: World) -> None:
        await ready(world, V201)
        default = flat_profile(V201, 9e3, purpose="TxDefaultProfile")
        payload = {"evseId": 0, "chargingProfile": default}
        await world.csms.command("C1", "SetChargingProfile", payload)
        query = {"requestId": 3, "chargingProfile": {"stackLevel": 0}}
        assert (await world.csms.command("C1", "GetChargingProfiles", query))[
            "status"
        ] == "Accepted"
        none = {"requestId": 4, "chargingProfile": {"stackLevel": 7}}
        answer = await world.csms.command("C1", "GetChargingProfiles", none)
        assert answer["status"] == "NoProfiles"
        await world.after(1)

    (report,) = play(scene).csms.of("ReportChargingProfiles")
    assert report["requestId"] == 3
    assert report["chargingProfile"][0]["id"] == 1


def test_transaction_status() -> None:
    async def scene(world: World) -> None:
        charger = await ready(world, V201)
        charger.plug_in(1, bus(), CARD)
        await world.after(5)
        ref = charger.evse(1).transaction.ref  # type: ignore[union-attr]
        for transaction, ongoing in ((ref, True), ("other", False)):
            payload = {"transactionId": transaction}
            answer = await world.csms.command("C1", "GetTransactionStatus", payload)
            assert answer == {"messagesInQueue": False, "ongoingIndicator": ongoing}

    play(scene)


@BOTH
def test_the_same_card_stops_what_it_started(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = await ready(world, protocol)
        charger.plug_in(1, bus(), None)
        charger.swipe(1, CARD)
        await world.after(5)
        assert charger.power_w(1) == 150_000.0
        charger.swipe(1, Token("ANOTHER"))
        assert charger.power_w(1) == 150_000.0
        charger.swipe(1, CARD)
        assert charger.power_w(1) == 0.0
        await world.after(5)

    play(scene)


@BOTH
def test_clock_aligned_values(protocol: str) -> None:
    async def scene(world: World) -> None:
        charger = await ready(world, protocol)
        charger.settings.sample_s = 0
        charger.settings.aligned_s = 900
        charger.plug_in(1, bus(), CARD)
        await world.after(4000)

    world = play(scene)
    if protocol == V16:
        values = world.csms.of("MeterValues")
        assert {v["connectorId"] for v in values} == {1, 2}
        stamps = [v["meterValue"][0]["timestamp"] for v in values]
    else:
        values = world.csms.of("MeterValues")
        assert {v["evseId"] for v in values} == {2}
        stamps = [v["meterValue"][0]["timestamp"] for v in values]
    assert stamps
    assert all(stamp[14:19] in ("00:00", "15:00", "30:00", "45:00") for stamp in stamps)


def test_garbage_is_survived() -> None:
    async def scene(world: World) -> None:
        charger = await ready(world, V16)
        for text in ("", "{}", "[]", "[2]", "null", "[9,1,2]", '[3,"x",{}]', '["2",1]', "[2,"):
            await world.csms.connections["C1"].send(text)
        await world.after(1)
        world.csms._check = lambda *_: None  # type: ignore[method-assign]
        with pytest.raises(Answer) as caught:
            await world.csms.command("C1", "SetChargingProfile", {"connectorId": []})
        assert caught.value.code == "InternalError"
        assert charger.uplink.online

    play(scene)

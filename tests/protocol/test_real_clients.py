"""What chargers in the field do that no standard asks of them, and the answers each version has."""

import asyncio
import json
import re
from typing import Any

import pytest

from tests.protocol.rig import NOW, Rig, on_rig
from tests.protocol.test_messages import SIX, ordered, replay
from voltyard.chargers.commands import (
    CommandStatus,
    LimitPurpose,
    ReadCompositeSchedule,
    RequestLog,
    Reset,
    SetLimit,
    UpdateFirmware,
)
from voltyard.chargers.model import EvseStatus, StatusReport
from voltyard.errors import ChargerTimeout
from voltyard.ocpp.framing import MESSAGE_MAX_BYTES
from voltyard.ocpp.gateway import GatewaySettings
from voltyard.sessions.model import MeterReading, Phase

VERSIONS = ("ocpp1.6", "ocpp2.0.1", "ocpp2.1")
NEW = VERSIONS[1:]
START = {"connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": SIX}
SAMPLE = {"timestamp": SIX, "sampledValue": [{"value": 5}]}


def event(kind: str, seq_no: int, **more: Any) -> dict[str, Any]:
    return {
        "eventType": kind,
        "timestamp": SIX,
        "triggerReason": "MeterValuePeriodic",
        "seqNo": seq_no,
        "transactionInfo": {"transactionId": "t1"},
        **more,
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_two_calls_outstanding_at_once_are_answered_in_order(version: str) -> None:
    """OCPP-J §4.1.1 allows one; rows 11 and 12: ours goes out in between all the same."""

    async def play(rig: Rig) -> None:
        link = await rig.plug(version)
        rig.sessions.gate = asyncio.Event()
        slow = ("StartTransaction", START)
        if version in NEW:
            slow = ("TransactionEvent", event("Started", 0, evse={"id": 1}))
        rig.pipe.say([2, "first", *slow])
        rig.pipe.say([2, "second", "Heartbeat", {}])
        await rig.settle()
        assert rig.pipe.silent, "answers keep the order of the calls"
        asked = asyncio.create_task(link.send(Reset()))
        ours = await rig.pipe.hear()
        assert ours[0] == 2
        rig.pipe.say([3, ours[1], {"status": "Accepted"}])
        assert (await asked).accepted
        rig.sessions.gate.set()
        assert [(await rig.pipe.hear())[1] for _ in range(2)] == ["first", "second"]

    on_rig(play)


def test_connector_0_speaks_for_the_whole_charge_point() -> None:
    rig = replay(
        "ocpp1.6",
        [
            (
                "StatusNotification",
                {"connectorId": 0, "errorCode": "NoError", "status": "Available"},
            ),
            (
                "MeterValues",
                {"connectorId": 0, "meterValue": [{**SAMPLE, "sampledValue": [{"value": "5"}]}]},
            ),
            ("StartTransaction", {**START, "connectorId": 0}),
        ],
    )
    (status,) = rig.chargers.statuses
    assert (status.evse_number, status.status) == (0, EvseStatus.AVAILABLE)
    assert rig.sessions.metered == [(0, None, (MeterReading(NOW, energy_wh=5.0),))]
    assert rig.sessions.reports[0].phase is Phase.STARTED
    assert "start_on_connector_0" in rig.chargers.flag_names


@pytest.mark.parametrize("version", NEW)
def test_evse_0_speaks_for_the_whole_station(version: str) -> None:
    rig = replay(
        version,
        [
            (
                "StatusNotification",
                {
                    "evseId": 0,
                    "connectorId": 0,
                    "connectorStatus": "Unavailable",
                    "timestamp": SIX,
                },
            ),
            ("MeterValues", {"evseId": 0, "meterValue": [SAMPLE]}),
            ("TransactionEvent", event("Started", 0, evse={"id": 0})),
        ],
    )
    assert rig.chargers.statuses == [StatusReport(0, 0, EvseStatus.UNAVAILABLE, NOW)]
    assert rig.sessions.metered[0][:2] == (0, None)
    assert rig.sessions.reports[0].phase is Phase.STARTED


@pytest.mark.parametrize("version", NEW)
def test_a_sequence_number_stuck_at_0_loses_nothing(version: str) -> None:
    kinds = ("Started", "Updated", "Updated", "Ended")
    rig = replay(version, [("TransactionEvent", event(kind, 0)) for kind in kinds])
    assert [report.seq_no for report in rig.sessions.reports] == [0, 0, 0, 0]
    assert len({report.message_key for report in rig.sessions.reports}) == 4


@pytest.mark.parametrize("version", NEW)
def test_meter_values_outside_a_transaction_event_are_heard(version: str) -> None:
    rig = replay(version, [("MeterValues", {"evseId": 2, "meterValue": [SAMPLE]})])
    assert rig.sessions.metered == [(2, None, (MeterReading(NOW, energy_wh=5.0),))]


EMPTY = [
    {"status": "Accepted"},
    {"status": "Accepted", "chargingSchedule": None},
    {"status": "Accepted", "connectorId": 1, "chargingSchedule": {}},
    {"status": "Accepted", "chargingSchedule": {"chargingRateUnit": "A"}},
    {
        "status": "Accepted",
        "chargingSchedule": {"chargingRateUnit": "W", "chargingSchedulePeriod": []},
    },
]


@pytest.mark.parametrize("answer", EMPTY)
def test_an_empty_composite_schedule_of_16_tells_of_no_limit(answer: Any) -> None:
    _, result = ordered("ocpp1.6", ReadCompositeSchedule(1, 600), answer)
    assert result.status is CommandStatus.ACCEPTED
    assert not result.detail.get("periods")


def test_a_stop_with_transaction_id_0_is_confirmed() -> None:
    """Row 5: a charger that never got its id says 0, and repeats until it is confirmed."""
    stop = {"transactionId": 0, "meterStop": 10, "timestamp": SIX}
    rig = replay("ocpp1.6", [("StopTransaction", stop), ("StopTransaction", stop)])
    assert [report.transaction_ref for report in rig.sessions.reports] == ["0", "0"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("message_id", [7, -1, 2**60, "x" * 128, 0])
def test_a_message_id_as_no_standard_has_it_is_answered_as_it_was_written(
    version: str, message_id: Any
) -> None:
    async def play(rig: Rig) -> None:
        await rig.plug(version)
        rig.pipe.say([2, message_id, "Heartbeat", {}])
        assert (await rig.pipe.hear())[:2] == [3, message_id]
        assert rig.chargers.flag_names & {"message_id_not_text", "message_id_long"}

    on_rig(play)


# What is wrong with a call → the word for it in 1.6, and in 2.0.1 and 2.1.
WORDS = {
    '[2,"m","MakeCoffee",{}]': ("NotImplemented", "NotImplemented"),
    '[2,"m","Reset",{}]': ("NotSupported", "NotSupported"),
    '[2,"m","Heartbeat",{]': ("FormationViolation", "FormatViolation"),
    '[2,"m","Heartbeat","x"]': ("FormationViolation", "ProtocolError"),
    '[2,"m","Heartbeat",[]]': ("FormationViolation", "ProtocolError"),
    '[2,"m",5,{}]': ("FormationViolation", "RpcFrameworkError"),
    '[2,"m"]': ("FormationViolation", "RpcFrameworkError"),
    '[2,"m","Authorize",{}]': ("OccurenceConstraintViolation", "OccurrenceConstraintViolation"),
    '[2,null,"Heartbeat",{}]': (None, "RpcFrameworkError"),
    "[2]": (None, "RpcFrameworkError"),
    "hello": (None, "RpcFrameworkError"),
    '[99,"m","Heartbeat",{}]': (None, "MessageTypeNotSupported"),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("text", WORDS)
def test_each_version_has_its_words_for_what_is_wrong(version: str, text: str) -> None:
    """OCPP-J 1.6 §4.2.3 table 7, OCPP-J 2.0.1 and 2.1 §4.3 table 8."""

    async def play(rig: Rig) -> None:
        await rig.plug(version)
        word = WORDS[text][version in NEW]
        rig.pipe.say(text)
        if word is not None:
            kind, message_id, said, description, details = await rig.pipe.hear()
            assert (kind, said, details) == (4, word, {})
            assert message_id == ("m" if '"m"' in text else "-1")
            assert isinstance(description, str)
        assert (await rig.call("Heartbeat", {}, "after"))[:2] == [3, "after"]

    on_rig(play)


ANSWERS = ['[3,"m",{}]', '[3,"m"]', '[3,"m",{', "[3]", '[3,7,{"a":1}]', '[4,"m","X","",{}]',
           '[4,"m"]', "[4]", '[4,null,null]', '[5,"m","X","",{}]', '[5,"m"', "[5]"]  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("text", ANSWERS)
def test_an_answer_is_never_answered(version: str, text: str) -> None:
    """Late, to nothing we asked, or broken. 5 is CALLRESULTERROR in 2.1 and unknown before."""

    async def play(rig: Rig) -> None:
        await rig.plug(version)
        rig.pipe.say(text)
        await rig.settle()
        if version == "ocpp2.0.1" and text.startswith("[5"):
            return
        assert rig.pipe.silent
        assert (await rig.call("Heartbeat", {}, "after"))[:2] == [3, "after"]

    on_rig(play)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_late_answer_is_not_taken_for_the_next(version: str) -> None:
    """Row 12: the desync that follows an answer after its time."""

    async def play(rig: Rig) -> None:
        link = await rig.plug(version)
        first = asyncio.create_task(link.send(Reset(), timeout_s=5))
        late = await rig.pipe.hear()
        with pytest.raises(ChargerTimeout):
            await first
        second = asyncio.create_task(link.send(Reset(hard=True)))
        asked = await rig.pipe.hear()
        rig.pipe.say([3, late[1], {"status": "Rejected"}])
        await rig.settle()
        assert not second.done()
        rig.pipe.say([3, asked[1], {"status": "Accepted"}])
        assert (await second).accepted
        assert rig.pipe.silent
        assert "answer_unexpected" in rig.chargers.flag_names

    on_rig(play)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_frame_over_the_stated_size_harms_one_message(version: str) -> None:
    async def play(rig: Rig) -> None:
        await rig.plug(version)
        rig.pipe.say([2, "big", "DataTransfer", {"vendorId": "v", "data": "x" * MESSAGE_MAX_BYTES}])
        word = "FormatViolation" if version in NEW else "FormationViolation"
        assert (await rig.pipe.hear())[:3] == [4, "big", word]
        rig.pipe.say([3, "never-asked", {"data": "x" * MESSAGE_MAX_BYTES}])
        assert (await rig.call("Heartbeat", {}, "after"))[:2] == [3, "after"]

    on_rig(play)


INSTANT = re.compile(r'"\d{4}-\d\d-\d\dT[^"]*"')
ORDERS = (
    SetLimit(
        LimitPurpose.TX_DEFAULT, 1, 1, 1, limit_w=7_000.0, valid_s=600, start_at=NOW
    ),
    UpdateFirmware(1, "https://here/image", NOW, install_at=NOW),
    RequestLog(1, "https://here/log", since=NOW, until=NOW),
)  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS)
def test_every_instant_of_ours_ends_in_z(version: str) -> None:
    """Row 16."""

    async def play(rig: Rig) -> None:
        link = await rig.plug(version)
        boot: dict[str, Any] = {"chargePointVendor": "V", "chargePointModel": "M"}
        if version in NEW:
            boot = {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}}
        said = [await rig.call("BootNotification", boot), await rig.call("Heartbeat", {})]
        for order in ORDERS:
            sending = asyncio.create_task(link.send(order))
            said.append(await rig.pipe.hear())
            rig.pipe.say([3, said[-1][1], {"status": "Accepted"}])
            await sending
        found = INSTANT.findall(json.dumps(said))
        assert len(found) >= 6
        assert all(re.fullmatch(r'"[0-9T:.-]{19,26}Z"', text) for text in found), found

    on_rig(play)


def test_instants_are_read_whatever_their_zone() -> None:
    """Row 16; the rest of it is in tests/unit/ocpp/test_instants.py."""
    written = ["2026-11-21T19:00:00+01:00", "2026-11-21T18:00:00.1234567Z", "2026-11-21 18:00:00"]
    rig = replay("ocpp1.6", [("StartTransaction", {**START, "timestamp": at}) for at in written])
    assert {report.at.replace(microsecond=0) for report in rig.sessions.reports} == {NOW}


STRICTLY_REFUSED = [
    '[2,5,"Heartbeat",{}]',
    '[2,"m","Heartbeat"]',
    '[2,"m","Heartbeat",{},{}]',
    '["2","m","Heartbeat",{}]',
    '[2,"m","Heartbeat","x"]',
    f'[2,"{"m" * 37}","Heartbeat",{{}}]',
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("text", STRICTLY_REFUSED)
def test_a_strict_port_refuses_what_is_not_by_the_letter(version: str, text: str) -> None:
    async def play(rig: Rig) -> None:
        await rig.plug(version)
        rig.pipe.say(text)
        answer = await rig.pipe.hear()
        assert answer[:3] == [4, json.loads(text)[1], "ProtocolError"]
        assert (await rig.call("Heartbeat", {}, "after"))[:2] == [3, "after"]

    on_rig(play, GatewaySettings(strict=True))

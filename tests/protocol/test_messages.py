"""What chargers say, as the domain hears it, and the leniency that real chargers need."""

import asyncio
import json
from typing import Any

import pytest

from tests.protocol.rig import NOW, Rig, on_rig
from voltyard.chargers.commands import (
    Ask,
    ClearLimits,
    CommandStatus,
    LimitPurpose,
    ReadCompositeSchedule,
    ReadConfiguration,
    RemoteStart,
    Reset,
    SchedulePeriod,
    SetLimit,
    Unlock,
    WriteConfiguration,
)
from voltyard.chargers.model import BootInfo, ConfigRow, EvseStatus, StatusReport, Traits
from voltyard.sessions.model import (
    AuthorisationStatus,
    ChargingState,
    IdToken,
    MeterReading,
    Phase,
    TokenKind,
)

SIX = "2026-11-21T18:00:00Z"
BOOT_16 = {"chargePointVendor": "Acme", "chargePointModel": "DC150"}


def replay(version: str, messages: list[tuple[str, Any]], answers: list[Any] | None = None) -> Rig:
    """Play a charger's messages; what the domain heard is in the rig."""
    kept: list[Rig] = []

    async def play(rig: Rig) -> None:
        kept.append(rig)
        await rig.plug(version)
        for number, (action, payload) in enumerate(messages):
            answer = await rig.call(action, payload, f"m{number}")
            if answers is not None:
                answers.append(answer)
            else:
                assert answer[0] == 3, answer

    on_rig(play)
    return kept[0]


def refusal(version: str, action: str, payload: Any) -> str:
    answers: list[Any] = []
    replay(version, [(action, payload)], answers)
    assert answers[0][0] == 4, answers
    return str(answers[0][2])


def test_a_night_of_16() -> None:
    """Boot, plug in, authorise, start, sample, stop."""
    answers: list[Any] = []
    sample = {
        "timestamp": SIX,
        "sampledValue": [
            {"value": "12.5", "unit": "kWh"},
            {"value": "50000", "measurand": "Power.Active.Import", "unit": "W"},
            {"value": "41", "measurand": "SoC", "unit": "Percent", "location": "EV"},
        ],
    }
    start = {"connectorId": 2, "idTag": "VID:001122AABBCC", "meterStart": 12_000, "timestamp": SIX}
    stop = {
        "transactionId": 1001,
        "meterStop": 60_000,
        "timestamp": SIX,
        "reason": "Remote",
        "idTag": "VID:001122AABBCC",
        "transactionData": [sample],
    }
    rig = replay(
        "ocpp1.6",
        [
            ("BootNotification", {**BOOT_16, "chargeBoxSerialNumber": "S1", "iccid": "8949"}),
            (
                "StatusNotification",
                {
                    "connectorId": 2,
                    "errorCode": "NoError",
                    "status": "SuspendedEV",
                    "timestamp": SIX,
                },
            ),
            ("Authorize", {"idTag": "04A1"}),
            ("StartTransaction", start),
            ("MeterValues", {"connectorId": 2, "transactionId": 1001, "meterValue": [sample]}),
            ("StopTransaction", stop),
        ],
        answers,
    )
    assert rig.chargers.boots == [BootInfo("Acme", "DC150", serial="S1", iccid="8949")]
    assert rig.chargers.statuses == [StatusReport(2, 1, EvseStatus.SUSPENDED_EV, NOW)]
    assert rig.sessions.tokens == [IdToken("04A1")]
    begun, ended = rig.sessions.reports
    assert (begun.phase, begun.evse_number, begun.transaction_ref) == (Phase.STARTED, 2, None)
    assert begun.id_token == IdToken("001122AABBCC", TokenKind.VID)
    assert begun.readings == (MeterReading(NOW, energy_wh=12_000.0, context="begin"),)
    reading = MeterReading(NOW, energy_wh=12_500.0, power_w=50_000.0, soc_pct=41.0)
    assert rig.sessions.metered == [(2, "1001", (reading,))]
    assert (ended.phase, ended.transaction_ref, ended.stop_reason) == (
        Phase.ENDED,
        "1001",
        "Remote",
    )
    assert ended.readings == (
        reading,
        MeterReading(NOW, energy_wh=60_000.0, context="end"),
    )
    assert answers[0][2]["currentTime"] == "2026-11-21T18:00:00.000Z"
    assert answers[3][2] == {"transactionId": 1001, "idTagInfo": {"status": "Accepted"}}
    assert answers[5][2] == {"idTagInfo": {"status": "Accepted"}}
    assert rig.chargers.flags == []


def test_a_night_of_201() -> None:
    answers: list[Any] = []
    started = {
        "eventType": "Started",
        "timestamp": SIX,
        "triggerReason": "CablePluggedIn",
        "seqNo": 0,
        "offline": True,
        "transactionInfo": {
            "transactionId": "5f3c",
            "chargingState": "EVConnected",
            "remoteStartId": 9,
        },
        "evse": {"id": 3, "connectorId": 1},
        "idToken": {"idToken": "00:11:22:AA:BB:CC", "type": "MacAddress"},
        "meterValue": [
            {
                "timestamp": SIX,
                "sampledValue": [
                    {
                        "value": 12.5,
                        "context": "Transaction.Begin",
                        "unitOfMeasure": {"unit": "Wh", "multiplier": 3},
                        "signedMeterValue": {
                            "signedMeterData": "QUJD",
                            "signingMethod": "",
                            "encodingMethod": "OCMF",
                            "publicKey": "",
                        },
                    }
                ],
            }
        ],
    }
    ended = {
        "eventType": "Ended",
        "timestamp": SIX,
        "triggerReason": "EVCommunicationLost",
        "seqNo": 1,
        "transactionInfo": {"transactionId": "5f3c"},
    }
    station = {"model": "M", "vendorName": "V", "serialNumber": "S", "modem": {"imsi": "262"}}
    rig = replay(
        "ocpp2.0.1",
        [
            ("BootNotification", {"reason": "PowerUp", "chargingStation": station}),
            (
                "StatusNotification",
                {
                    "timestamp": SIX,
                    "connectorStatus": "Occupied",
                    "evseId": 3,
                    "connectorId": 2,
                    "customData": {"vendorId": "V", "x": 1},
                },
            ),
            ("TransactionEvent", started),
            ("TransactionEvent", ended),
            ("MeterValues", {"evseId": 0, "meterValue": started["meterValue"]}),
            ("NotifyEvent", {"anything": "goes"}),
        ],
        answers,
    )
    assert rig.chargers.boots == [BootInfo("V", "M", "S", None, "PowerUp", None, "262")]
    assert rig.chargers.statuses == [StatusReport(3, 2, EvseStatus.OCCUPIED, NOW)]
    begun, done = rig.sessions.reports
    assert begun.transaction_ref == "5f3c"
    assert (begun.evse_number, begun.connector_number, begun.seq_no) == (3, 1, 0)
    assert (begun.offline, begun.remote_start_id) == (True, 9)
    assert begun.charging_state is ChargingState.EV_CONNECTED
    assert begun.id_token == IdToken("001122AABBCC", TokenKind.MAC)
    assert begun.readings == (MeterReading(NOW, energy_wh=12_500.0, context="begin"),)
    assert (begun.message_key, begun.trigger) == ("m2", "CablePluggedIn")
    assert (done.phase, done.stop_reason, done.evse_number) == (Phase.ENDED, "Local", None)
    assert answers[2][2] == {"idTokenInfo": {"status": "Accepted"}}
    assert answers[3][2] == {}
    assert rig.sessions.metered[0][:2] == (0, None)
    assert rig.chargers.flags == []


@pytest.mark.parametrize(
    ("version", "action", "payload", "flag"),
    [
        (
            "ocpp1.6",
            "BootNotification",
            {**BOOT_16, "chargePointSerialNumber": "S" * 40},
            "too_long",
        ),
        ("ocpp1.6", "BootNotification", {**BOOT_16, "meterSerialNumber": None}, None),
        ("ocpp1.6", "BootNotification", {}, "missing_field"),
        ("ocpp1.6", "BootNotification", {**BOOT_16, "colour": "red"}, "unknown_field"),
        (
            "ocpp1.6",
            "StatusNotification",
            {"connectorId": 1, "errorCode": "NoError", "status": "Available", "info": "x" * 500},
            "too_long",
        ),
        (
            "ocpp1.6",
            "StatusNotification",
            {"connectorId": "1", "errorCode": "NoError", "status": "Available"},
            "loose_types",
        ),
        (
            "ocpp1.6",
            "StatusNotification",
            {"connectorId": 1, "errorCode": "Gremlins", "status": "Available"},
            "error_code_unknown",
        ),
        (
            "ocpp1.6",
            "StatusNotification",
            {"connectorId": 1, "errorCode": "NoError", "status": "Dancing"},
            "status_unknown",
        ),
        ("ocpp1.6", "Authorize", {"idTag": "T" * 40}, "too_long"),
        (
            "ocpp1.6",
            "StartTransaction",
            {"connectorId": 1, "idTag": "A", "meterStart": 10.5, "timestamp": SIX[:-1]},
            "timestamp_without_zone",
        ),
        (
            "ocpp1.6",
            "StartTransaction",
            {"connectorId": 1, "idTag": "A", "meterStart": 0, "timestamp": "1970-01-01T00:00:00Z"},
            "timestamp_absurd",
        ),
        (
            "ocpp1.6",
            "StartTransaction",
            {"connectorId": 0, "idTag": "A", "meterStart": 0, "timestamp": SIX},
            "start_on_connector_0",
        ),
        (
            "ocpp1.6",
            "StopTransaction",
            {"transactionId": 7, "meterStop": -4, "timestamp": SIX, "reason": "Bored"},
            "energy_negative",
        ),
        ("ocpp1.6", "DataTransfer", {"vendorId": "v", "data": {"a": 1}}, "data_not_text"),
        ("ocpp1.6", "FirmwareStatusNotification", {"status": "Exploded"}, None),
        ("ocpp2.0.1", "BootNotification", {"chargingStation": {}}, "missing_field"),
        (
            "ocpp2.0.1",
            "Authorize",
            {"idToken": {"idToken": "A" * 60, "type": "ISO14443"}},
            "too_long",
        ),
        (
            "ocpp2.0.1",
            "Authorize",
            {"idToken": {"idToken": "A", "type": "Iris"}},
            "token_type_unknown",
        ),
        (
            "ocpp2.0.1",
            "TransactionEvent",
            {"eventType": "Updated", "transactionInfo": {"transactionId": "t" * 50}},
            "missing_field",
        ),
        (
            "ocpp2.0.1",
            "StatusNotification",
            {"connectorStatus": "Charging", "evseId": 1, "connectorId": 1, "timestamp": SIX},
            "status_unknown",
        ),
    ],
)
def test_what_breaks_the_letter_but_makes_sense_is_accepted_and_flagged(
    version: str, action: str, payload: Any, flag: str | None
) -> None:
    """Rows 9, 13, 15 and 16 of the field's demands."""
    rig = replay(version, [(action, payload)])
    assert flag is None or flag in rig.chargers.flag_names
    answer = next(frame for frame in rig.chargers.frames if frame.direction == "out")
    assert flag is None or flag in answer.flags


@pytest.mark.parametrize(
    ("version", "action", "payload", "word"),
    [
        ("ocpp1.6", "Authorize", {}, "OccurenceConstraintViolation"),
        ("ocpp2.0.1", "Authorize", {}, "OccurrenceConstraintViolation"),
        ("ocpp1.6", "Authorize", {"idTag": 5}, "TypeConstraintViolation"),
        ("ocpp1.6", "Authorize", {"idTag": "x" * 300}, "PropertyConstraintViolation"),
        ("ocpp1.6", "Authorize", ["x"], "FormationViolation"),
        (
            "ocpp1.6",
            "StopTransaction",
            {"transactionId": 2**40, "meterStop": 1, "timestamp": SIX},
            "PropertyConstraintViolation",
        ),
        (
            "ocpp1.6",
            "StartTransaction",
            {"connectorId": 2**31, "idTag": "A", "meterStart": 1, "timestamp": SIX},
            "PropertyConstraintViolation",
        ),
        (
            "ocpp1.6",
            "StartTransaction",
            {"connectorId": 1, "idTag": "A", "meterStart": 1e300, "timestamp": SIX},
            "PropertyConstraintViolation",
        ),
        ("ocpp2.0.1", "Authorize", ["x"], "ProtocolError"),
        ("ocpp1.6", "Authorize", "x", "FormationViolation"),
        (
            "ocpp1.6",
            "StatusNotification",
            {"connectorId": -1, "errorCode": "NoError", "status": "Available"},
            "PropertyConstraintViolation",
        ),
        (
            "ocpp1.6",
            "StopTransaction",
            {"transactionId": "abc", "meterStop": 1, "timestamp": SIX},
            "TypeConstraintViolation",
        ),
        (
            "ocpp2.0.1",
            "TransactionEvent",
            {"eventType": "Paused", "transactionInfo": {"transactionId": "t"}},
            "PropertyConstraintViolation",
        ),
        ("ocpp1.6", "MeterValues", {"connectorId": 1}, "OccurenceConstraintViolation"),
        ("ocpp1.6", "Reset", {"type": "Hard"}, "NotSupported"),
        ("ocpp2.0.1", "GetVariables", {}, "NotSupported"),
        ("ocpp1.6", "TransactionEvent", {}, "NotImplemented"),
        ("ocpp2.0.1", "StartTransaction", {}, "NotImplemented"),
        ("ocpp2.0.1", "heartbeat", {}, "NotImplemented"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_precise_word(
    version: str, action: str, payload: Any, word: str
) -> None:
    assert refusal(version, action, payload) == word


def test_a_refused_token_is_answered_in_each_versions_words() -> None:
    words = {
        AuthorisationStatus.CONCURRENT: "ConcurrentTx",
        AuthorisationStatus.BLOCKED: "Blocked",
        AuthorisationStatus.EXPIRED: "Expired",
        AuthorisationStatus.INVALID: "Invalid",
    }

    async def play(rig: Rig) -> None:
        for status, word in words.items():
            rig.sessions.status = status
            await rig.plug("ocpp1.6")
            answer = await rig.call("Authorize", {"idTag": "A"})
            assert answer[2]["idTagInfo"]["status"] == word
            await rig.plug("ocpp2.0.1")
            token = {"idToken": {"idToken": "A", "type": "Central"}}
            assert (await rig.call("Authorize", token))[2]["idTokenInfo"]["status"] == word

    on_rig(play)


def test_a_report_of_variables_becomes_configuration() -> None:
    part = {
        "component": {"name": "EVSE", "evse": {"id": 1}},
        "variable": {"name": "Power"},
        "variableAttribute": [
            {"type": "Actual", "value": "0", "mutability": "ReadOnly"},
            {"type": "MaxSet", "value": "150000"},
        ],
    }
    head = {"requestId": 1, "generatedAt": SIX, "reportData": [part]}
    rig = replay(
        "ocpp2.0.1",
        [("NotifyReport", {**head, "seqNo": 0, "tbc": True})],
    )
    assert rig.chargers.rows == [
        ConfigRow(
            "Power", "0", True, "EVSE", "", 1, "Actual", traits=Traits(mutability="ReadOnly")
        ),
        ConfigRow("Power", "150000", False, "EVSE", "", 1, "MaxSet", traits=Traits()),
    ]
    assert not rig.chargers.report_complete
    assert replay("ocpp2.0.1", [("NotifyReport", {**head, "seqNo": 1})]).chargers.report_complete


def ordered(version: str, command: Any, answer: Any) -> tuple[Any, Any]:
    """What a command looks like on the wire and what the answer becomes."""
    kept: list[Any] = []

    async def play(rig: Rig) -> None:
        link = await rig.plug(version)
        task = asyncio.create_task(link.send(command))
        call = await rig.pipe.hear()
        rig.pipe.say([3, call[1], answer])
        kept.extend((call, await task))

    on_rig(play)
    return kept[0], kept[1]


@pytest.mark.parametrize(
    ("version", "command", "answer", "status"),
    [
        ("ocpp1.6", Reset(), {"status": "Accepted"}, CommandStatus.ACCEPTED),
        ("ocpp1.6", Reset(), {"status": "Rejected"}, CommandStatus.REJECTED),
        ("ocpp1.6", Reset(), {"status": "Perhaps"}, CommandStatus.UNKNOWN),
        ("ocpp1.6", Reset(), {"status": "Accepted", "why": "x"}, CommandStatus.ACCEPTED),
        ("ocpp1.6", Unlock(1), {"status": "Unlocked"}, CommandStatus.ACCEPTED),
        ("ocpp1.6", Unlock(1), {"status": "NotSupported"}, CommandStatus.NOT_SUPPORTED),
        ("ocpp2.0.1", Unlock(1), {"status": "UnknownConnector"}, CommandStatus.REJECTED),
        ("ocpp2.0.1", Reset(), {"status": "Accepted"}, CommandStatus.ACCEPTED),
        ("ocpp2.0.1", Reset(), {"status": "Scheduled"}, CommandStatus.SCHEDULED),
        ("ocpp1.6", ClearLimits(), {"status": "Unknown"}, CommandStatus.ACCEPTED),
        (
            "ocpp1.6",
            WriteConfiguration("A", "1"),
            {"status": "RebootRequired"},
            CommandStatus.REBOOT_REQUIRED,
        ),
        (
            "ocpp1.6",
            SetLimit(LimitPurpose.TX_DEFAULT, 1, 1, 1, limit_w=1.0),
            {"status": "NotSupported"},
            CommandStatus.NOT_SUPPORTED,
        ),
    ],
)
def test_answers_to_commands(
    version: str, command: Any, answer: Any, status: CommandStatus
) -> None:
    call, result = ordered(version, command, answer)
    if isinstance(command, Reset):
        assert call[2:] == ["Reset", {"type": "Soft" if version == "ocpp1.6" else "OnIdle"}]
    assert result.status is status
    assert result.word == answer["status"]


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
def test_a_composite_schedule_is_read(version: str) -> None:
    periods = [
        {"startPeriod": 0, "limit": 16.0, "numberPhases": 3},
        {"startPeriod": 60, "limit": 6},
    ]
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": periods, "duration": 600}
    if version == "ocpp1.6":
        answer = {"status": "Accepted", "scheduleStart": SIX, "chargingSchedule": schedule}
    else:
        answer = {
            "status": "Accepted",
            "schedule": {**schedule, "evseId": 1, "scheduleStart": SIX},
        }
    _, result = ordered(version, ReadCompositeSchedule(1, 600), answer)
    assert result.detail["unit"] == "A"
    assert result.detail["periods"] == (SchedulePeriod(0, 16.0, 3), SchedulePeriod(60, 6.0))
    assert result.detail["start_at"] == SIX


def test_configuration_of_16_is_read() -> None:
    answer = {
        "configurationKey": [
            {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
            {"key": "NumberOfConnectors", "readonly": True, "value": "2"},
        ],
        "unknownKey": ["Coffee"],
    }
    call, result = ordered("ocpp1.6", ReadConfiguration(("HeartbeatInterval", "Coffee")), answer)
    assert call[3] == {"key": ["HeartbeatInterval", "Coffee"]}
    assert result.detail["rows"] == (
        ConfigRow("HeartbeatInterval", "300"),
        ConfigRow("NumberOfConnectors", "2", readonly=True),
    )
    assert result.detail["unknown"] == ("Coffee",)


def test_everything_of_201_is_asked_for_as_a_report() -> None:
    call, result = ordered("ocpp2.0.1", ReadConfiguration(), {"status": "Accepted"})
    assert call[2] == "GetBaseReport"
    assert call[3]["reportBase"] == "FullInventory"
    assert result.detail["report_id"] == call[3]["requestId"]


def test_a_remote_start_names_the_transaction_if_the_charger_does() -> None:
    command = RemoteStart(2, IdToken("A", TokenKind.CENTRAL), 77)
    call, result = ordered("ocpp2.0.1", command, {"status": "Accepted", "transactionId": "5f3c"})
    assert call[3] == {
        "idToken": {"idToken": "A", "type": "Central"},
        "remoteStartId": 77,
        "evseId": 2,
    }
    assert result.detail["transaction_ref"] == "5f3c"


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1", "ocpp2.1"])
def test_data_of_a_vendor_is_handed_on_or_refused(version: str) -> None:
    async def play(rig: Rig) -> None:
        await rig.plug(version)
        data = {"vendorId": "com.maker", "messageId": "m", "data": "d"}
        for known, word in ((True, "Accepted"), (False, "UnknownVendorId")):
            rig.chargers.data_known = known
            answer = await rig.call("DataTransfer", data)
            assert answer[2]["status"] == word
        assert rig.chargers.data == [("com.maker", "m", "d")] * 2

    on_rig(play)


def test_a_der_control_is_set_as_it_is_asked() -> None:
    """2.1 R04: SetDERControl, by its name."""
    control = {
        "isDefault": False,
        "controlId": "droop-2",
        "controlType": "LimitMaxDischarge",
        "limitMaxDischarge": {"priority": 1, "pctMaxDischargePower": 50.0},
    }
    answer = {"status": "Accepted", "supersededIds": ["droop-1"]}
    call, result = ordered("ocpp2.1", Ask("SetDERControl", control), answer)
    assert call[2:] == ["SetDERControl", control]
    assert result.accepted


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
def test_rubbish_between_messages_harms_no_message(version: str) -> None:
    """Row 26: one bad message harms one message."""
    rubbish = [
        "", "\x00", "[", "[2", "{}", "nul", "[2,,]", "[2,\"x\",\"Heartbeat\",{\"a\":1e999}]",
        "[" * 20_000, json.dumps([2, "deep", "Heartbeat", _nested(500)]),
        json.dumps([2, "x", "DataTransfer", {"vendorId": "v", "data": "\ud800"}]),
        '[2,"dup","Heartbeat",{},{},{},{}]', "[3,null,{}]", '[4,"a",{},[],7]', "é" * 100,
        json.dumps([2, "n", "MeterValues", _many_values()]),
    ]  # fmt: skip

    async def play(rig: Rig) -> None:
        await rig.plug(version)
        for text in rubbish:
            rig.pipe.say(text)
            await rig.settle()
            while not rig.pipe.silent:
                assert (await rig.pipe.hear())[0] in (3, 4)
            assert (await rig.call("Heartbeat", {}, "after"))[:2] == [3, "after"]

    on_rig(play)


def _nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def _many_values() -> Any:
    sampled = [{"value": str(number)} for number in range(2_000)]
    return {
        "connectorId": 1,
        "evseId": 1,
        "meterValue": [{"timestamp": SIX, "sampledValue": sampled}],
    }

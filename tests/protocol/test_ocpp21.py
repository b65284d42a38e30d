"""What OCPP 2.1 adds on the wire, and that a 2.1 charger is served as a 2.0.1 one is."""

import asyncio
import json
import math
from typing import Any

import msgspec
import pytest

from tests.protocol.rig import NOW, Rig, on_rig
from tests.protocol.schemas import complaints
from voltyard.chargers.commands import (
    CommandStatus,
    LimitPurpose,
    ReadCompositeSchedule,
    Reset,
    SchedulePeriod,
    SetLimit,
    Unlock,
)
from voltyard.chargers.model import EvseStatus
from voltyard.errors import ChargerRefused, Invalid
from voltyard.ocpp.framing import (
    WORDS_21,
    WORDS_201,
    Call,
    ResultError,
    Unreadable,
    parse,
    result_error,
)
from voltyard.ocpp.v21.routes import DIALECT
from voltyard.ocpp.v201.orders import WORDS
from voltyard.sessions.model import Phase, TokenKind

STREAM = {
    "id": 3,
    "pending": 0,
    "basetime": "2026-11-21T18:00:00Z",
    "data": [{"t": 0.5, "v": "16.0"}],
}


def test_a_send_is_a_call_without_an_answer() -> None:
    frame = parse(b'[6,"s1","NotifyPeriodicEventStream",{"id":3}]', WORDS_21)
    assert isinstance(frame, Call)
    assert (frame.message_id, frame.answered, frame.flags) == ("s1", False, ())
    refused = parse(b'[5,"c1","FormatViolation","no",{}]', WORDS_21)
    assert refused == ResultError("c1", "FormatViolation", "no")


@pytest.mark.parametrize(
    "text", ['[6,"s1",{', "[6]", '[6,"s1",7,{}]', "[6,{},{}]", '[5,"a",{', "[5]", '[5,{},"X"]']
)
def test_nothing_is_said_to_a_broken_send_or_a_refused_answer(text: str) -> None:
    frame = parse(text.encode(), WORDS_21)
    assert isinstance(frame, Unreadable)
    assert frame.reply is None


@pytest.mark.parametrize("kind", [5, 6])
def test_before_21_these_are_unknown_message_types(kind: int) -> None:
    frame = parse(json.dumps([kind, "a", "Heartbeat", {}]).encode(), WORDS_201)
    assert isinstance(frame, Unreadable)
    assert frame.word == "MessageTypeNotSupported"


def test_a_refused_answer_is_written_as_the_standard_has_it() -> None:
    assert json.loads(result_error("c1", "TypeConstraintViolation", "no")) == [
        5,
        "c1",
        "TypeConstraintViolation",
        "no",
        {},
    ]


def test_a_stream_is_logged_and_not_answered() -> None:
    async def play(rig: Rig) -> None:
        await rig.plug("ocpp2.1")
        rig.pipe.say([6, "s1", "NotifyPeriodicEventStream", STREAM])
        rig.pipe.say([6, "s2", "NotifyPeriodicEventStream", {"id": "?"}])
        rig.pipe.say([6, "s3", "Heartbeat", {}])
        await rig.settle()
        assert rig.pipe.silent
        assert rig.chargers.heartbeats == 1
        kinds = [(frame.direction, frame.kind) for frame in rig.chargers.frames]
        assert kinds[0] == ("in", "send")
        # Asked as a call, it gets the empty answer: better than to be asked for ever.
        assert await rig.call("NotifyPeriodicEventStream", STREAM) == [3, "m1", {}]

    on_rig(play)


def test_an_answer_that_makes_no_sense_is_refused_with_a_word() -> None:
    async def play(rig: Rig) -> None:
        link = await rig.plug("ocpp2.1")
        asked = asyncio.create_task(link.send(Reset()))
        _, message_id, _, _ = await rig.pipe.hear()
        rig.pipe.say([3, message_id, {"status": {}}])
        kind, refused_id, word, _, details = await rig.pipe.hear()
        assert (kind, refused_id, details) == (5, message_id, {})
        assert word == "TypeConstraintViolation"
        with pytest.raises(ChargerRefused):
            await asked
        assert "answer_unreadable" in rig.chargers.flag_names

    on_rig(play)


def test_an_answer_of_ours_that_was_refused_is_noted_and_not_answered() -> None:
    async def play(rig: Rig) -> None:
        await rig.plug("ocpp2.1")
        await rig.call("Heartbeat", {})
        rig.pipe.say([5, "m1", "FormatViolation", "what?", {}])
        await rig.settle()
        assert rig.pipe.silent
        assert ("answer_refused", "FormatViolation what?") in rig.chargers.flags

    on_rig(play)


EVENT = {
    "eventType": "Started",
    "timestamp": "2026-11-21T18:00:00Z",
    "triggerReason": "OperationModeChanged",
    "seqNo": 0,
    "evse": {"id": 1, "connectorId": 1},
    "idToken": {"idToken": "AABBCCDDEEFF", "type": "EVCCID"},
    "transactionInfo": {"transactionId": "tx-1", "operationMode": "CentralSetpoint"},
    "meterValue": [
        {
            "timestamp": "2026-11-21T18:00:00Z",
            "sampledValue": [
                {"value": 7000.0, "measurand": "Power.Active.Import"},
                {"value": 41.0, "measurand": "Display.PresentSOC"},
            ],
        }
    ],
}


def test_a_session_of_a_21_charger_reaches_the_domain() -> None:
    async def play(rig: Rig) -> None:
        await rig.plug("ocpp2.1")
        status = {"connectorStatus": "Available", "evseId": 1, "connectorId": 1}
        await rig.call("StatusNotification", {**status, "timestamp": "2026-11-21T18:00:00Z"})
        answer = (await rig.call("TransactionEvent", EVENT))[2]
        assert answer == {"idTokenInfo": {"status": "Accepted"}}
        assert complaints("2.1", "TransactionEvent", answer, response=True) == []
        (report,) = rig.sessions.reports
        assert (report.phase, report.transaction_ref) == (Phase.STARTED, "tx-1")
        assert report.id_token is not None
        assert report.id_token.kind is TokenKind.MAC
        (reading,) = report.readings
        assert (reading.power_w, reading.soc_pct) == (7000.0, 41.0)
        assert rig.chargers.statuses[0].status is EvseStatus.AVAILABLE
        assert rig.chargers.flags == []

    on_rig(play)


def written(command: Any) -> Any:
    (call,), _ = DIALECT.express(command, NOW)
    payload = json.loads(json.dumps(msgspec.to_builtins(call.request)))
    assert complaints("2.1", call.action, payload) == []
    return payload


def test_a_limit_is_said_as_in_201() -> None:
    payload = written(SetLimit(LimitPurpose.TX_DEFAULT, 1, 9, 2, limit_a=16.0, phases=3))
    profile = payload["chargingProfile"]
    (period,) = profile["chargingSchedule"][0]["chargingSchedulePeriod"]
    assert period == {"startPeriod": 0, "limit": 16, "numberPhases": 3}
    with pytest.raises(Invalid):
        DIALECT.express(Unlock(0), NOW)


def test_a_composite_schedule_may_have_setpoints_or_no_limit() -> None:
    (call,), combine = DIALECT.express(ReadCompositeSchedule(1, 600, "W"), NOW)
    answer = {
        "status": "Accepted",
        "schedule": {
            "evseId": 1,
            "duration": 600,
            "scheduleStart": "2026-11-21T18:00:00Z",
            "chargingRateUnit": "W",
            "chargingSchedulePeriod": [
                {"startPeriod": 0, "limit": 7000.0, "setpoint": 6000.0},
                {"startPeriod": 300, "setpoint": -5000.0},
                {"startPeriod": 400},
            ],
        },
    }
    flags: list[str] = []
    response = call.reader.read(
        msgspec.Raw(json.dumps(answer).encode()),
        DIALECT.words,
        lambda name, detail: flags.append(name),
    )
    result = combine([call.answer(response)])
    assert result.detail["periods"] == (
        SchedulePeriod(0, 6000.0),
        SchedulePeriod(300, -5000.0),
        SchedulePeriod(400, math.inf),
    )
    assert flags == []
    assert result.status is WORDS["Accepted"] is CommandStatus.ACCEPTED

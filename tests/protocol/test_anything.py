"""Any message of a version by its name: all of the standard can be said, nothing else."""

import json
from typing import Any

import msgspec
import pytest

from tests.protocol.rig import Rig, on_rig
from tests.protocol.schemas import complaints, instances, spoilt
from tests.protocol.test_schema_oracle import DIALECTS, MESSAGES, NOW
from voltyard.chargers.commands import Ask, CommandStatus
from voltyard.errors import Invalid, NotFound
from voltyard.ocpp.speech import OcppSpeech

SPEECH = OcppSpeech()
SENT = [
    pytest.param(version, kind.action, id=f"{version}-{kind.action}")
    for version in DIALECTS
    for kind in SPEECH.messages(version)
]


TAKEN = {
    "nonsense for location",
    "hundredths for chargingProfile.chargingSchedule.chargingSchedulePeriod.limit",
    "hundredths for chargingProfile.chargingSchedule.minChargingRate",
    "hundredths for csChargingProfiles.chargingSchedule.chargingSchedulePeriod.limit",
    "hundredths for csChargingProfiles.chargingSchedule.minChargingRate",
}
"""An address is what the charger can reach; a finer limit than a tenth is rounded there."""


def said(version: str, action: str, payload: Any) -> Any:
    (call,), _ = DIALECTS[version].express(Ask(action, payload), NOW)
    assert call.action == action
    return json.loads(msgspec.json.encode(call.request))


def test_everything_a_csms_may_say_can_be_said() -> None:
    for version, messages in MESSAGES.items():
        sendable = {message.action for message in messages.values() if message.sent is not None}
        assert {kind.action for kind in SPEECH.messages(version)} == sendable


@pytest.mark.parametrize(("version", "action"), SENT)
def test_what_the_standard_allows_is_said_as_it_is(version: str, action: str) -> None:
    for instance in instances(version, action):
        sent = said(version, action, instance)
        assert complaints(version, action, sent) == []


@pytest.mark.parametrize(("version", "action"), SENT)
def test_what_the_standard_forbids_is_refused_by_field(version: str, action: str) -> None:
    for what, instance in spoilt(version, action):
        if not isinstance(instance, dict) or not complaints(version, action, instance):
            continue
        if what in TAKEN:
            continue
        with pytest.raises(Invalid) as told:
            said(version, action, instance)
        assert told.value.fields, what
        assert all(path.startswith("payload") for path in told.value.fields), what


@pytest.mark.parametrize(("version", "action"), SENT)
def test_the_example_is_allowed(version: str, action: str) -> None:
    SPEECH.check(version, action, SPEECH.example(version, action))
    assert SPEECH.schema(version, action)["$defs"]


def test_every_wrong_field_is_told_at_once() -> None:
    payload = {"requestId": "7", "reportBase": "Everything", "more": 1}
    with pytest.raises(Invalid) as told:
        SPEECH.check("2.0.1", "GetBaseReport", payload)
    assert set(told.value.fields) == {
        "payload.requestId",
        "payload.reportBase",
        "payload.more",
    }
    with pytest.raises(Invalid) as told:
        SPEECH.check("2.0.1", "SetVariables", {"setVariableData": [{"attributeValue": "1"}, 5]})
    assert set(told.value.fields) == {
        "payload.setVariableData[0].component",
        "payload.setVariableData[0].variable",
        "payload.setVariableData[1]",
    }


def test_what_only_chargers_say_cannot_be_asked() -> None:
    with pytest.raises(Invalid):
        SPEECH.check("1.6", "BootNotification", {})
    with pytest.raises(Invalid):
        SPEECH.check("1.6", "GetBaseReport", {})
    with pytest.raises(NotFound):
        SPEECH.schema("1.5", "Reset")


def test_the_answer_comes_whole() -> None:
    async def play(rig: Rig) -> None:
        link = await rig.plug("ocpp2.0.1")
        await rig.call(
            "BootNotification",
            {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}},
        )
        sending = rig.server.gateway.spawn(check(link))
        kind, message_id, action, payload = await rig.pipe.hear()
        assert (kind, action, payload) == (2, "GetTransactionStatus", {"transactionId": "t1"})
        rig.pipe.say([3, message_id, {"ongoingIndicator": True, "messagesInQueue": False}])
        await sending

    async def check(link: Any) -> None:
        result = await link.send(Ask("GetTransactionStatus", {"transactionId": "t1"}))
        assert result.status is CommandStatus.ACCEPTED
        answer = result.detail["answer"]
        assert answer == {"ongoingIndicator": True, "messagesInQueue": False}

    on_rig(play)


def test_passwords_stay_out_of_the_message_log() -> None:
    payload = {"key": "AuthorizationKey", "value": "do not tell"}
    (call,), _ = DIALECTS["1.6"].express(Ask("ChangeConfiguration", payload), NOW)
    assert call.secret
    (call,), _ = DIALECTS["1.6"].express(Ask("ChangeConfiguration", {**payload, "key": "A"}), NOW)
    assert not call.secret

"""Every struct of every version against the JSON schemas, both ways, on seeded instances.

What the schema takes, the struct's standard reading takes; what it refuses, that refuses too.
Where they differ, the difference is listed here with its reason. What a charger may send is then
read again as widely as we do: each oddity is refused with the right word or flagged.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.protocol.schemas import complaints, instances, spoilt, variants
from tests.protocol.test_schema_oracle import DIALECTS, MESSAGES
from voltyard.ocpp.framing import CallRejected, ErrorWords
from voltyard.ocpp.reader import Reader
from voltyard.ocpp.routing import Message
from voltyard.ocpp.strict import strict
from voltyard.ocpp.wire import Wire

EVERY = [
    pytest.param(version, action, response, id=f"{version}-{action}{'-answer' * response}")
    for version, messages in MESSAGES.items()
    for action, message in messages.items()
    for response in (False, True)
    if not response or message.response is not None
]

# Where ours is narrower or wider than the schema, with the reason.
DIFFERENCES = {
    r".* whole for .*": "2.0 is no integer of OCPP (part 2, primitive types); taken with a note",
    r".* enormous for .*": "integers of OCPP are 32 bits wide",
    r".* endless .*": "a text without a length ends somewhere",
    r".* nonsense for .*": "an instant or an address is judged where it is used",
    r"1\.6 hundredths for .*": "limits of ours are in tenths (ocpp/limits.py)",
    r"1\.6 negative for connectorId": "there is no connector below 0",
    r"2\.0\.1 negative for (.*\.)?evse\.(id|connectorId)": "there is no EVSE below 0",
    r"2\.0\.1 negative for (evseId|connectorId)": "there is no EVSE below 0",
    r"1\.6 empty transactionData\.sampledValue": "no value is none in MeterValues either",
    r"1\.6 Hertz as .*unit": "one of the two schemas with SampledValue lacks it",
}


def kind_of(version: str, action: str, response: bool) -> type[Wire]:
    message = MESSAGES[version][action]
    kind = message.response if response else message.request
    assert kind is not None
    return kind


def takes(decoder: Any, instance: Any) -> bool:
    try:
        decoder.decode(json.dumps(instance))
    except msgspec.ValidationError:
        return False
    return True


@pytest.mark.parametrize(("version", "action", "response"), EVERY)
def test_struct_and_schema_agree(version: str, action: str, response: bool) -> None:
    decoder = msgspec.json.Decoder(strict(kind_of(version, action, response)))
    for instance in instances(version, action, response=response):
        assert complaints(version, action, instance, response=response) == []
        written = json.loads(msgspec.json.encode(decoder.decode(json.dumps(instance))))
        assert complaints(version, action, written, response=response) == []
        assert lost(instance, written) == []
    differ = [
        what
        for what, instance in variants(version, action, response=response)
        if takes(decoder, instance)
        == bool(complaints(version, action, instance, response=response))
    ]
    unexplained = [what for what in differ if not explained(version, what)]
    assert unexplained == []


def test_every_difference_exists() -> None:
    found = {
        f"{version} {what}"
        for version, messages in MESSAGES.items()
        for action in messages
        for what, _ in variants(version, action, response=False)
    }
    for pattern in DIFFERENCES:
        assert any(re.fullmatch(pattern, what) for what in found), pattern


def explained(version: str, what: str) -> bool:
    return any(re.fullmatch(pattern, f"{version} {what}") for pattern in DIFFERENCES)


def lost(before: Any, after: Any, path: str = "") -> list[str]:
    """What was read and is not written again; values that are the standard's default may go."""
    if isinstance(before, dict):
        return [
            place
            for key, value in before.items()
            for place in (
                lost(value, after[key], f"{path}.{key}")
                if key in after
                else []
                if value is False
                else [f"{path}.{key}"]
            )
        ]
    if isinstance(before, list):
        return [p for b, a in zip(before, after, strict=True) for p in lost(b, a, path)]
    return [] if before == after else [path]


def from_chargers() -> Iterator[Any]:
    for version, messages in MESSAGES.items():
        for action, message in messages.items():
            if message.received is not None:
                yield pytest.param(version, message, False, id=f"{version}-{action}")
            if message.sent is not None:
                yield pytest.param(version, message, True, id=f"{version}-{action}-answer")


# What the reader says nothing about, with the reason.
UNNOTICED = {
    r"unknown (.*\.)?idToken\.type": "its handler notes it",
    r"unknown reason": "its handler notes it",
    r"nonsense for .*": "an instant is read, and noted, by the handler that uses it",
    r"hundredths for .*": "finer than the standard harms nobody",
}
WORDS = {
    "1.6": {
        "FormationViolation",
        "OccurenceConstraintViolation",
        "PropertyConstraintViolation",
        "TypeConstraintViolation",
    },
    "2.0.1": {
        "ProtocolError",
        "OccurrenceConstraintViolation",
        "PropertyConstraintViolation",
        "TypeConstraintViolation",
    },
}


@pytest.mark.parametrize(("version", "message", "response"), list(from_chargers()))
def test_what_chargers_send_amiss_is_refused_or_flagged(
    version: str, message: Message, response: bool
) -> None:
    reader = Reader(kind_of(version, message.action, response))
    for what, instance in spoilt(version, message.action, response=response):
        word, flags = outcome(reader, DIALECTS[version].words, instance)
        unnoticed = any(re.fullmatch(pattern, what) for pattern in UNNOTICED)
        assert word is None or word in WORDS.get(version, WORDS["2.0.1"]), what
        assert word or flags or unnoticed, what


def outcome(reader: Reader, words: ErrorWords, instance: Any) -> tuple[str | None, list[str]]:
    """The word it was refused with, or the flags it was taken with."""
    flags: list[str] = []
    payload = msgspec.Raw(json.dumps(instance).encode())
    try:
        reader.read(payload, words, lambda name, detail: flags.append(name))
    except CallRejected as rejection:
        return rejection.word, []
    return None, flags

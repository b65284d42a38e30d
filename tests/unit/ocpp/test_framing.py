"""OCPP-J frames: precise errors per version, ids as they were written, no answer to an answer."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltyard.ocpp import framing
from voltyard.ocpp.framing import (
    MESSAGE_MAX_BYTES,
    WORDS_16,
    WORDS_201,
    Call,
    CallError,
    CallResult,
    Unreadable,
    parse,
)


def reply(data: bytes, *, new: bool = False) -> Any:
    """The CALLERROR an unreadable frame is answered with."""
    frame = parse(data, WORDS_201 if new else WORDS_16)
    assert isinstance(frame, Unreadable)
    return None if frame.reply is None else json.loads(frame.reply)


def test_a_call() -> None:
    frame = parse(b' [2, "19223201", "BootNotification", {"a": [1, 2]}] ', WORDS_16)
    assert isinstance(frame, Call)
    assert (frame.message_id, frame.action, frame.flags) == ("19223201", "BootNotification", ())
    assert json.loads(bytes(frame.payload)) == {"a": [1, 2]}


def test_answers() -> None:
    result = parse(b'[3,"a",{"status":"Accepted"}]', WORDS_16)
    assert isinstance(result, CallResult)
    assert bytes(result.payload) == b'{"status":"Accepted"}'
    assert parse(b'[4,"a","NotSupported","no",{}]', WORDS_16) == CallError(
        "a", "NotSupported", "no"
    )
    assert parse(b'[4,"a"]', WORDS_16) == CallError("a", "", "")


@pytest.mark.parametrize(
    ("text", "flag", "message_id"),
    [
        ('[2,12345,"Heartbeat",{}]', "message_id_not_text", "12345"),
        ('["2","a","Heartbeat",{}]', "message_type_not_number", "a"),
        ('[2,"a","Heartbeat"]', "call_elements", "a"),
        ('[2,"a","Heartbeat",{},{}]', "call_elements", "a"),
        ('[2,"' + "x" * 40 + '","Heartbeat",{}]', "message_id_long", "x" * 40),
        ('[2,"a","Heartbeat",{"x":"\\u0000"}]', "nul_character", "a"),
    ],
)
def test_odd_calls_are_understood_and_flagged(text: str, flag: str, message_id: str) -> None:
    frame = parse(text.encode(), WORDS_201)
    assert isinstance(frame, Call)
    assert frame.flags == (flag,)
    assert frame.message_id == message_id


def test_the_answer_repeats_the_id_as_it_was_written() -> None:
    for written in (b"12345", b'"a\\"b"', '"ü"'.encode()):
        frame = parse(b"[2," + written + b',"Heartbeat",{}]', WORDS_16)
        assert isinstance(frame, Call)
        assert framing.result(frame.id_json, b"{}") == b"[3," + written + b",{}]"
        assert json.loads(framing.error(frame.id_json, "X", "y"))[1] == json.loads(written)


def test_a_null_payload_is_an_empty_one() -> None:
    """OCPP-J §4.1.5 allows both."""
    frame = parse(b'[2,"a","Heartbeat",null]', WORDS_16)
    assert isinstance(frame, Call)
    assert bytes(frame.payload) == b"{}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "nonsense",
        "{}",
        "null",
        '"text"',
        "[]",
        "[2]",
        "[2,null]",
        '[2,{},"Heartbeat",{}]',
        '[2,1.5,"Heartbeat",{}]',
        '["Heartbeat"]',
        "[true]",
        "[[]]",
        '[2,"","A",{}]',
    ],
)
def test_without_a_readable_id_only_201_answers(text: str) -> None:
    """OCPP-J 2.0.1 §4.2.3: id "-1"; 1.6 has no such rule."""
    assert reply(text.encode()) is None
    answer = reply(text.encode(), new=True)
    assert answer[:3] == [4, "-1", "RpcFrameworkError"]
    assert answer[4] == {}


@pytest.mark.parametrize("text", ['[2,"a","Heartbeat",{', '[2,"a","Heartbeat",{"x":nope}]'])
def test_broken_json_of_a_call_is_answered_to_its_id(text: str) -> None:
    assert reply(text.encode())[:3] == [4, "a", "FormationViolation"]
    assert reply(text.encode(), new=True)[:3] == [4, "a", "FormatViolation"]


def test_an_id_that_is_no_utf_8_is_not_repeated() -> None:
    """Whoever gets a text frame that is no UTF-8 closes the connection (RFC 6455 §8.1)."""
    text = b'[2,"a\xe1","Heartbeat",{'
    assert reply(text) is None
    assert reply(text, new=True)[:3] == [4, "-1", "RpcFrameworkError"]


@pytest.mark.parametrize("text", ['[3,"a",{', '[4,"a","X"', ' [ 3 , "a" , {', "[3]", "[4,{}]"])
@pytest.mark.parametrize("new", [False, True])
def test_a_broken_answer_is_never_answered(text: str, new: bool) -> None:
    assert reply(text.encode(), new=new) is None


def test_an_action_that_cannot_be_read() -> None:
    for text in (b'[2,"a"]', b'[2,"a",5,{}]', b'[2,"a","' + b"A" * 65 + b'",{}]', b'[2,"a","",{}]'):
        assert reply(text)[:3] == [4, "a", "FormationViolation"]
        assert reply(text, new=True)[:3] == [4, "a", "RpcFrameworkError"]


@pytest.mark.parametrize("text", ['[5,"a",{}]', '[6,"a","NotifyPeriodicEventStream",{}]', "[99]"])
def test_unknown_message_types(text: str) -> None:
    """1.6 ignores them, 2.0.1 §4.4 says MessageTypeNotSupported."""
    assert reply(text.encode()) is None
    answer = reply(text.encode(), new=True)
    assert answer[2] == "MessageTypeNotSupported"
    assert answer[1] == ("a" if '"a"' in text else "-1")


def test_a_message_id_beyond_all_measure() -> None:
    text = b'[2,"' + b"x" * 200 + b'","Heartbeat",{}]'
    assert reply(text) is None
    assert reply(text, new=True)[1] == "-1"


def test_too_long_a_message_is_refused_by_its_id() -> None:
    text = b'[2,"a","DataTransfer",{"vendorId":"' + b"x" * MESSAGE_MAX_BYTES + b'"}]'
    assert reply(text)[:3] == [4, "a", "FormationViolation"]


def test_descriptions_are_cut_to_255() -> None:
    assert len(json.loads(framing.error(b'"a"', "X", "y" * 1000))[3]) == 255


@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    for words in (WORDS_16, WORDS_201):
        frame = parse(data, words)
        if isinstance(frame, Unreadable) and frame.reply is not None:
            assert json.loads(frame.reply)[0] == 4


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=6) | JSON)
def test_no_json_raises(value: Any) -> None:
    data = json.dumps(value).encode()
    for words in (WORDS_16, WORDS_201):
        frame = parse(data, words)
        if isinstance(value, list) and value and value[0] in (3, 4) and value[0] is not True:
            assert not isinstance(frame, Call)
            assert not (isinstance(frame, Unreadable) and frame.reply)

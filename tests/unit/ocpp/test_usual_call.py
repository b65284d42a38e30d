"""A call in its usual form is parsed in one step, to what the careful way makes of it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as some

from voltyard.ocpp import framing
from voltyard.ocpp.framing import WORDS_16, WORDS_201, Call, ErrorWords

NEVER = re.compile(rb"(?!)")

pieces = some.sampled_from(
    [
        "[", "]", "2", "3", ",", " ", '"id-1"', '"é"', '"a\\u0041"', '"Heartbeat"', '"Moon Phase"',
        "{}", '{"a":[1,2,{"b":null}]}', '{"a":1}', '{"a":"\\u0000"}', "null", "7", '"', "\\",
        "{", "}",
    ]
)  # fmt: skip
usual = some.tuples(
    some.sampled_from(
        ['[2,"{}","{}",{}]', '[2, "{}", "{}", {}]', '[2,"{}","{}",{},{{}}]', '["2","{}","{}",{}]']
    ),
    some.text(min_size=1, max_size=40),
    some.sampled_from(["Heartbeat", "MeterValues", "Moon Phase", ""]),
    some.sampled_from(["{}", '{"a":[1,"]"]}', '{"a":}', '{"a":1', "null", "[]", '{"é":"\\ud800"}']),
).map(lambda parts: parts[0].format(*parts[1:]))  # fmt: skip


@pytest.mark.parametrize("words", [WORDS_16, WORDS_201], ids=["1.6", "2.0.1"])
@given(text=usual | some.lists(pieces, max_size=9).map("".join))
def test_both_ways_agree(words: ErrorWords, text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    quick = framing.parse(data, words)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(framing, "_USUAL_CALL", NEVER)
        careful = framing.parse(data, words)
    if isinstance(quick, Call) and isinstance(careful, Call):
        assert bytes(quick.payload) == bytes(careful.payload)
        quick.payload = careful.payload
    assert quick == careful


def test_a_usual_call_goes_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "_decode_parts", None)
    call = framing.parse(b'[2,"19","MeterValues",{"connectorId":1,"meterValue":[]}]', WORDS_16)
    assert isinstance(call, Call)
    assert (call.message_id, call.id_json, call.action) == ("19", b'"19"', "MeterValues")
    assert bytes(call.payload) == b'{"connectorId":1,"meterValue":[]}'

"""Frames cut by hand are the frames that were sent, however the network cut them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some
from websockets.frames import Frame, Opcode

from voltyard.ocpp import plain
from voltyard.ocpp.plain import Splitter, text_frame, text_of

ORDINARY = (Opcode.TEXT, Opcode.PING, Opcode.PONG, Opcode.CLOSE)


def sent(opcode: Opcode, data: bytes, *, fin: bool = True, mask: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=mask)


def arrived(splitter: Splitter, data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [frame for begin, end in pairwise(edges) for frame in splitter.split(data[begin:end])]


frames = some.tuples(some.sampled_from(ORDINARY), some.binary(max_size=125))
texts = some.tuples(some.just(Opcode.TEXT), some.binary(max_size=300))


@given(some.lists(frames | texts, max_size=6), some.lists(some.integers(0, 10_000), max_size=8))
def test_frames_come_out_as_they_were_sent(
    given_frames: list[tuple[Opcode, bytes]], cuts: list[int]
) -> None:
    whole = [sent(opcode, data) for opcode, data in given_frames]
    splitter = Splitter()
    found = arrived(splitter, b"".join(whole), cuts)
    assert found == whole
    assert splitter.rest() == b""
    assert not splitter.lost
    said = [data for opcode, data in given_frames if opcode is Opcode.TEXT]
    assert [text for text in map(text_of, found) if text is not None] == said


@pytest.mark.parametrize("size", [0, 1, 2, 125, 126, 300, 65_000])
def test_a_text_of_any_length(size: int) -> None:
    frame = sent(Opcode.TEXT, b"x" * size)
    splitter = Splitter()
    assert splitter.only(frame) in (b"x" * size, None)
    assert [text_of(found) for found in splitter.split(frame)] == [b"x" * size]
    assert text_frame(b"x" * size) == sent(Opcode.TEXT, b"x" * size, mask=False)


def test_a_very_long_text_of_ours() -> None:
    assert text_frame(b"x" * 70_000) == sent(Opcode.TEXT, b"x" * 70_000, mask=False)


@pytest.mark.parametrize(
    "strange",
    [
        sent(Opcode.TEXT, b"part", fin=False),
        sent(Opcode.CONT, b"part"),
        sent(Opcode.BINARY, b"bytes"),
        sent(Opcode.TEXT, b"unmasked", mask=False),
        sent(Opcode.TEXT, b"x" * plain.KEPT_MAX_BYTES),
        b"\xc1" + sent(Opcode.TEXT, b"reserved bit")[1:],
    ],
    ids=["a part", "continuation", "binary", "unmasked", "too long", "reserved bit"],
)
def test_what_is_not_ordinary_is_left_to_the_library(strange: bytes) -> None:
    ordinary = sent(Opcode.TEXT, b"ordinary")
    splitter = Splitter()
    assert splitter.only(strange) is None
    assert list(splitter.split(ordinary + strange + ordinary)) == [ordinary, strange + ordinary]
    assert splitter.lost
    assert list(splitter.split(ordinary)) == [ordinary]
    assert splitter.rest() == b""


def test_only_waits_for_what_is_kept() -> None:
    frame = sent(Opcode.TEXT, b"12345678")
    splitter = Splitter()
    assert list(splitter.split(frame[:5])) == []
    assert splitter.only(frame) is None
    assert list(splitter.split(frame[5:])) == [frame]
    assert splitter.only(frame) == b"12345678"

"""Connections without extensions: most messages pass the library by, and nobody can tell."""

import asyncio
import json
import random
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from tests.protocol.socket_rig import port

HANDSHAKE = (
    "GET /ocpp/CP1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
)


def frame(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


def call(number: int, text: str = "") -> bytes:
    payload = {"vendorId": "v", "data": text} if text else {}
    action = "DataTransfer" if text else "Heartbeat"
    return frame(Opcode.TEXT, json.dumps([2, f"m{number}", action, payload]).encode())


async def heard(reader: asyncio.StreamReader, frames: int = 100) -> list[tuple[int, bytes]]:
    """What the server sends, until it closes: first byte and data of each frame."""
    found: list[tuple[int, bytes]] = []
    while len(found) < frames and (head := await reader.read(2)):
        size = head[1] & 0x7F
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        found.append((head[0], await reader.readexactly(size) if size else b""))
    return found


async def said(*pieces: bytes, first: int = 0) -> list[tuple[int, bytes]]:
    """What comes back; before the last piece, ``first`` frames are waited for."""
    async with port() as there:
        reader, writer = await there.raw(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces[:-1]:
            writer.write(piece)
            await writer.drain()
        found = await heard(reader, first)
        writer.write(pieces[-1])
        found += await heard(reader)
        writer.close()
        return found


def answers(found: list[tuple[int, bytes]]) -> list[Any]:
    return [json.loads(data)[1] for first, data in found if first == 0x81]


CLOSE = frame(Opcode.CLOSE, (1000).to_bytes(2, "big"))


@pytest.mark.parametrize("seed", range(6))
async def test_however_the_network_cuts_it(seed: int) -> None:
    """Calls short and long, a ping, a fragmented call, in pieces of any size."""
    chance = random.Random(seed)
    calls = [call(number, "x" * chance.choice((0, 5, 200, 3000))) for number in range(4)]
    ping = frame(Opcode.PING, b"are you there")
    last = json.dumps([2, "m9", "Heartbeat", {}]).encode()
    parts = [frame(Opcode.TEXT, last[:9], fin=False), frame(Opcode.CONT, last[9:])]
    stream = b"".join([*calls[:2], ping, *calls[2:], *(parts if seed % 2 else [])])
    pieces = []
    while stream:
        size = chance.choice((1, 2, 7, 300, 5000))
        pieces.append(stream[:size])
        stream = stream[size:]
    found = await said(*pieces, CLOSE, first=5 + seed % 2)
    assert sorted(answers(found)) == ["m0", "m1", "m2", "m3", *(["m9"] if seed % 2 else [])]
    assert (0x8A, b"are you there") in found
    assert found[-1][0] == 0x88


async def test_what_comes_after_a_goodbye_is_not_heard() -> None:
    found = await said(call(1) + CLOSE + call(2))
    assert "m2" not in answers(found)
    assert found[-1][0] == 0x88


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (b"\x81\x02hi", 1002),  # not masked
        (b"\xc1" + frame(Opcode.TEXT, b"[]")[1:], 1002),  # a reserved bit
        (frame(Opcode.CONT, b"alone"), 1002),
        (b"\x81\xff" + (1 << 40).to_bytes(8, "big") + b"mask", 1009),
    ],
    ids=["unmasked", "reserved bit", "lone continuation", "too long"],
)
async def test_broken_frames_end_the_connection_as_the_standard_has_it(
    broken: bytes, code: int
) -> None:
    found = await said(call(1), broken, first=1)
    assert answers(found) == ["m1"]
    assert found[-1][0] == 0x88
    assert int.from_bytes(found[-1][1][:2], "big") == code

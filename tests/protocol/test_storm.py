"""Row 36: everybody comes back at once, and everybody is sent away at once, on raw sockets."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from tests.protocol.socket_rig import Port, port
from tests.protocol.test_connection import START
from tests.protocol.test_messages import BOOT_16
from voltyard.chargers.model import IN_THE_CLEAR, Admitted, Peer
from voltyard.ocpp.gateway import GatewaySettings
from voltyard.ocpp.socket import OcppServer

CHARGERS = 300
AT_ONCE = 64
RETRY_S = 20


@dataclass
class Raw:
    """A charger that is a TCP socket and nothing more. ``refusals``: what Retry-After said."""

    identity: str
    refusals: list[int] = field(default_factory=list)
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None

    async def try_once(self, number: int) -> bool:
        """Whether it was let in."""
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", number)
        lines = [
            f"GET /ocpp/{self.identity} HTTP/1.1",
            "Host: x",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: ocpp1.6",
        ]
        self.writer.write("\r\n".join([*lines, "", ""]).encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        if head.startswith("HTTP/1.1 101"):
            return True
        assert head.startswith("HTTP/1.1 503"), head
        (retry,) = (line for line in head.split("\r\n") if line.lower().startswith("retry-after"))
        self.refusals.append(int(retry.split(":")[1]))
        self.writer.close()
        return False

    def say(self, frame: list[Any]) -> None:
        assert self.writer is not None
        data = json.dumps(frame).encode()
        size = len(data)
        head = bytes([0x81, 0x80 | size]) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
        self.writer.write(head + bytes(4) + data)

    async def hear(self) -> tuple[int, bytes]:
        """Opcode and content of one frame of the server; IncompleteReadError at the end of TCP."""
        assert self.reader is not None
        first, size = await self.reader.readexactly(2)
        if size == 126:
            size = int.from_bytes(await self.reader.readexactly(2), "big")
        return first & 0x0F, await self.reader.readexactly(size)

    async def boots(self) -> bool:
        self.say([2, "b", "BootNotification", BOOT_16])
        _, text = await self.hear()
        answer = json.loads(text)
        return bool(answer[:2] == [3, "b"] and answer[2]["status"] == "Accepted")


class Gate(asyncio.Event):
    """``crowded`` is set when everybody waits."""

    def __init__(self) -> None:
        super().__init__()
        self.crowded = asyncio.Event()
        self._waiting = 0

    async def wait(self) -> Literal[True]:
        self._waiting += 1
        if self._waiting == CHARGERS:
            self.crowded.set()
        return await super().wait()


def gated(there: Port) -> asyncio.Event:
    """Admission waits until the event: as when passwords of thousands are checked."""
    gate = asyncio.Event()
    admit = there.chargers.admit

    async def slow(
        identity: str, password: str | None, *, peer: Peer = IN_THE_CLEAR, **more: Any
    ) -> Admitted:
        await gate.wait()
        return await admit(identity, password, peer=peer, **more)

    there.chargers.admit = slow  # type: ignore[method-assign]
    return gate


def fleet() -> list[Raw]:
    return [Raw(f"CP{number}") for number in range(CHARGERS)]


async def test_of_a_storm_few_are_let_in_at_a_time_and_all_in_the_end() -> None:
    settings = GatewaySettings(handshakes_max=AT_ONCE, retry_after_s=RETRY_S)
    async with port(settings) as there:
        gate = gated(there)
        chargers = fleet()
        trying = {asyncio.create_task(raw.try_once(there.number)): raw for raw in chargers}
        while sum(task.done() for task in trying) < CHARGERS - AT_ONCE:
            await asyncio.wait(
                [task for task in trying if not task.done()], return_when=asyncio.FIRST_COMPLETED
            )
        refused = [raw for task, raw in trying.items() if task.done()]
        assert len(refused) == CHARGERS - AT_ONCE
        told = [raw.refusals[0] for raw in refused]
        assert min(told) >= RETRY_S
        assert max(told) <= 2 * RETRY_S
        assert len(set(told)) > RETRY_S / 2, "not all at the same time again"
        gate.set()
        assert sum(await asyncio.gather(*trying)) == AT_ONCE
        for raw in refused:
            assert await raw.try_once(there.number)
        assert all(await asyncio.gather(*(raw.boots() for raw in chargers)))
        assert len(there.server.gateway.connections) == CHARGERS
        for raw in chargers:
            assert raw.writer is not None
            raw.writer.close()


@pytest.mark.parametrize("clean", [True, False])
async def test_at_shutdown_what_arrived_is_answered_and_all_can_come_back(clean: bool) -> None:
    """With ``clean_close`` off TCP ends without a goodbye: some makes never return after one."""
    async with port(GatewaySettings(clean_close=clean)) as there:
        chargers = fleet()
        assert all(await asyncio.gather(*(raw.try_once(there.number) for raw in chargers)))
        gate = there.sessions.gate = Gate()
        for raw in chargers:
            raw.say([2, "s", "StartTransaction", START])
        await gate.crowded.wait()
        closing = asyncio.create_task(there.server.close())
        await asyncio.sleep(0)
        gate.set()
        last = await asyncio.gather(*(goodbye(raw) for raw in chargers))
        await closing
        assert len(there.sessions.reports) == CHARGERS
        assert {said for said, _ in last} == {"s"}
        assert {code for _, code in last} == ({1001} if clean else {None})
        again = OcppServer(there.chargers, there.sessions, there.server.gateway.clock)
        assert await again.start("127.0.0.1", there.number) == there.number
        assert all(await asyncio.gather(*(raw.try_once(there.number) for raw in chargers)))
        assert all(await asyncio.gather(*(raw.boots() for raw in chargers)))
        await again.close()


async def goodbye(raw: Raw) -> tuple[str, int | None]:
    """The id of the last answer, then the close code; None if TCP just ended."""
    _, text = await raw.hear()
    kind, message_id, _ = json.loads(text)
    assert kind == 3
    assert raw.writer is not None
    try:
        opcode, content = await raw.hear()
    except (asyncio.IncompleteReadError, ConnectionError):
        return message_id, None
    finally:
        raw.writer.close()
    assert opcode == 8
    return message_id, int.from_bytes(content[:2], "big")

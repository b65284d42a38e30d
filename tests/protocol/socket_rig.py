"""The OCPP port on real sockets, with a raw client and a WebSocket client against it."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.protocol.ocpp_fakes import FakeChargers, FakeSessions
from voltyard.clock import Clock, SystemClock
from voltyard.ocpp.gateway import GatewaySettings
from voltyard.ocpp.socket import OcppServer


@dataclass
class Port:
    server: OcppServer
    chargers: FakeChargers
    sessions: FakeSessions
    number: int

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.number}/ocpp"

    @asynccontextmanager
    async def plug(
        self, identity: str = "CP1", offered: tuple[str, ...] = ("ocpp1.6",), **options: Any
    ) -> AsyncIterator[ClientConnection]:
        names = [Subprotocol(name) for name in offered] or None
        url = f"{self.url}/{identity}"
        async with connect(url, subprotocols=names, proxy=None, **options) as socket:
            yield socket

    async def raw(self, request: str) -> "tuple[asyncio.StreamReader, asyncio.StreamWriter]":
        reader, writer = await asyncio.open_connection("127.0.0.1", self.number)
        writer.write(request.encode("latin-1"))
        return reader, writer

    async def shake(self, target: str, *headers: str) -> tuple[int, dict[str, str]]:
        """Status and headers of a handshake written by hand."""
        lines = [
            f"GET {target} HTTP/1.1",
            "Host: x",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==",
            "Sec-WebSocket-Version: 13",
            *headers,
        ]
        reader, writer = await self.raw("\r\n".join(lines) + "\r\n\r\n")
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        writer.close()
        pairs = [line.split(": ", 1) for line in head[1:] if ": " in line]
        return int(head[0].split(" ")[1]), {name.lower(): value for name, value in pairs}


def basic(user: str, password: str | bytes) -> str:
    secret = password if isinstance(password, bytes) else password.encode()
    return "Basic " + base64.b64encode(user.encode() + b":" + secret).decode()


async def ask(socket: ClientConnection, action: str, payload: Any, message_id: str = "m1") -> Any:
    await socket.send(json.dumps([2, message_id, action, payload]))
    return json.loads(await socket.recv())


@asynccontextmanager
async def port(
    settings: GatewaySettings | None = None, clock: Clock | None = None, **options: Any
) -> AsyncIterator[Port]:
    clock = clock or SystemClock()
    chargers, sessions = FakeChargers(clock), FakeSessions()
    server = OcppServer(chargers, sessions, clock, settings or GatewaySettings(), **options)
    number = await server.start("127.0.0.1", 0)
    try:
        yield Port(server, chargers, sessions, number)
    finally:
        await server.close()

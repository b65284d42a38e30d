"""A charger over a real socket: speaks OCPP by hand, with keys and requests made by OpenSSL."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from pki_openssl import Keys
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

BOOT = {"chargePointVendor": "Openssl", "chargePointModel": "CLI"}
PASSWORD = "a password of sixteen"
Answer = Callable[[dict[str, Any]], dict[str, Any]]


def tls(root: str, keys: Keys | None = None) -> ssl.SSLContext:
    """A client that checks the server by ``root`` and shows what ``keys`` hold."""
    context = ssl.create_default_context(cadata=root)
    if keys is not None:
        context.load_cert_chain(keys.chain, keys.key)
    return context


@dataclass
class Charger:
    """Answers what it is asked by ``answers``; keeps what it was sent by action."""

    socket: ClientConnection
    answers: dict[str, Answer] = field(default_factory=dict)
    got: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    waiting: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    count: int = 0

    async def run(self) -> None:
        async for text in self.socket:
            message = msgspec.json.decode(text)
            if message[0] == 2:
                await self._asked(*message[1:4])
            elif message[1] in self.waiting:
                self.waiting.pop(message[1]).set_result(message)

    async def _asked(self, message_id: str, action: str, payload: dict[str, Any]) -> None:
        answer = self.answers.get(action, lambda asked: {"status": "Accepted"})(payload)
        await self.socket.send(msgspec.json.encode([3, message_id, answer]).decode())
        async with self.arrived:
            self.got.setdefault(action, []).append(payload)
            self.arrived.notify_all()

    async def call(self, action: str, payload: dict[str, Any]) -> Any:
        self.count += 1
        message_id = f"c{self.count}"
        future = self.waiting[message_id] = asyncio.get_running_loop().create_future()
        await self.socket.send(msgspec.json.encode([2, message_id, action, payload]).decode())
        message = await asyncio.wait_for(future, 20)
        return message[2] if message[0] == 3 else message

    async def wait_for(self, action: str, number: int = 1) -> dict[str, Any]:
        """The payload of the ``number``-th call of ``action``."""
        async with asyncio.timeout(20), self.arrived:
            await self.arrived.wait_for(lambda: len(self.got.get(action, ())) >= number)
        return self.got[action][number - 1]

    async def closed(self) -> None:
        async with asyncio.timeout(20):
            await self.socket.wait_closed()


@asynccontextmanager
async def charger(
    url: str,
    identity: str,
    context: ssl.SSLContext | None = None,
    *,
    password: str | None = None,
    protocol: str = "ocpp1.6",
    boot: dict[str, Any] | None = BOOT,
) -> AsyncIterator[Charger]:
    """Connected and booted. Raises what ``websockets`` does when it is not let in."""
    headers = {}
    if password is not None:
        text = base64.b64encode(f"{identity}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {text}"
    async with connect(
        f"{url}/{identity}",
        subprotocols=[Subprotocol(protocol)],
        ssl=context,
        additional_headers=headers,
        open_timeout=20,
    ) as socket:
        made = Charger(socket)
        running = asyncio.create_task(made.run())
        try:
            if boot is not None:
                await made.call("BootNotification", boot)
            yield made
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

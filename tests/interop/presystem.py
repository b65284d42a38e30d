"""A depot management system of VDV 463, written from the tables, in a process of its own.

    python -m tests.interop.presystem URL USER PASSWORD VERSION PRESYSTEM_ID

It is told what to do by lines on standard input, each a JSON object with ``do``, and tells what it
sees by lines on standard output. It confirms information as it comes, and checks each against the
tables. It knows nothing of voltyard.
"""

import asyncio
import base64
import json
import sys
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import websockets

from tests.interop.vdv463_tables import faults

SUBPROTOCOLS = {"1.0": "v1.463.vdv.de", "1.1": "v1.463.vdv.de", "2.0-rc1": "v2.463.vdv.de"}
ACTIONS = ("BootNotification", "ProvideChargingRequests", "ProvideChargingInformation")


def tell(event: str, **details: Any) -> None:
    print(json.dumps({"event": event, **details}), flush=True)


class Presystem:
    """One connection; ``do`` carries out one line."""

    def __init__(self, url: str, user: str, password: str, version: str, me: str) -> None:
        self.url = url
        self.secret = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.version = version
        self.me = me
        self.socket: Any = None
        self.reading: asyncio.Task[None] | None = None
        self.asked: dict[str, tuple[str, float]] = {}
        self.confirming = True
        self.fresh_ids = False
        self.brief = False

    async def connect(self, subprotocols: list[str]) -> None:
        try:
            self.socket = await websockets.connect(
                self.url,
                subprotocols=[websockets.Subprotocol(name) for name in subprotocols] or None,
                additional_headers={"Authorization": f"Basic {self.secret}"},
                proxy=None,
                max_size=None,
            )
        except websockets.InvalidStatus as error:
            tell("refused", status=error.response.status_code)
            return
        tell("connected", subprotocol=self.socket.subprotocol)
        self.reading = asyncio.create_task(self.read())

    async def read(self) -> None:
        socket = self.socket
        try:
            async for text in socket:
                await self.heard(text)
        except websockets.ConnectionClosed:
            pass
        tell("closed", code=socket.close_code, reason=socket.close_reason)

    async def heard(self, text: str) -> None:
        frame = json.loads(text)
        wrong = list(self.wrong_frame(frame))
        kind, _, _, _, message_id, action, payload = frame
        if kind == 1:
            wrong += faults("Information", payload, self.version)
            shown = None if self.brief and not wrong else payload
            tell("information", faults=wrong, payload=shown, presystem=frame[2], at=frame[3])
            if self.confirming:
                mine = str(uuid4()) if self.fresh_ids else message_id
                await self.send([2, "BMS", self.me, now(), mine, action, {}])
            return
        asked, at = self.asked.pop(message_id, ("", 0.0))
        if not asked:
            wrong.append("answers nothing that was asked")
        elif asked != action:
            wrong.append(f"answers {asked} with {action}")
        shape = "Refusal" if kind == 3 else "Boot" if action == ACTIONS[0] else "Nothing"
        wrong += faults(shape, payload, self.version)
        name = "refusal" if kind == 3 else "confirmation"
        took_s = time.monotonic() - at
        tell(name, faults=wrong, action=action, payload=payload, id=message_id, took_s=took_s)

    def wrong_frame(self, frame: Any) -> Any:
        if not isinstance(frame, list) or len(frame) != 7:
            yield "no frame of seven items"
            return
        if frame[0] not in (1, 2, 3) or frame[1] != "CMS" or frame[2] != self.me:
            yield f"begins {frame[:3]}"
        if not frame[3].endswith("Z") or not datetime.fromisoformat(frame[3]):
            yield f"time {frame[3]}"
        if frame[5] not in ACTIONS:
            yield f"action {frame[5]}"
        if frame[0] == 1:
            UUID(frame[4])

    async def send(self, frame: Any) -> None:
        await self.socket.send(frame if isinstance(frame, str) else json.dumps(frame))

    async def ask(self, action: str, payload: Any, message_id: str | None = None) -> None:
        message_id = message_id or str(uuid4())
        self.asked[message_id] = (action, time.monotonic())
        await self.send([1, "BMS", self.me, now(), message_id, action, payload])

    async def do(self, line: dict[str, Any]) -> bool:
        """Whether to go on."""
        what = line["do"]
        if what == "connect":
            await self.connect(line.get("subprotocols", [SUBPROTOCOLS[self.version]]))
        elif what == "boot":
            await self.ask(ACTIONS[0], {"presystem": line.get("kind", "BMS")}, line.get("id"))
        elif what == "requests":
            await self.ask(ACTIONS[1], {"chargingRequestList": line["list"]}, line.get("id"))
        elif what == "ask":
            await self.ask(line["action"], line["payload"], line.get("id"))
        elif what == "raw":
            await self.send(line["text"])
        elif what == "huge":
            await self.send("[" + "1," * (line["bytes"] // 2) + "1]")
        elif what == "flood":
            for _ in range(line["times"]):
                await self.send(line["text"])
            tell("flooded")
        elif what == "settings":
            self.confirming = line.get("confirming", self.confirming)
            self.fresh_ids = line.get("fresh_ids", self.fresh_ids)
            self.brief = line.get("brief", self.brief)
        elif what == "drop":
            self.socket.transport.abort()
        return bool(what != "end")


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def main() -> None:
    presystem = Presystem(*sys.argv[1:6])
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while text := await reader.readline():
        try:
            if not await presystem.do(json.loads(text)):
                break
        except websockets.ConnectionClosed:
            tell("gone")


if __name__ == "__main__":
    asyncio.run(main())

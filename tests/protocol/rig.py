"""A charger played by hand against the OCPP room, in memory and on virtual time."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.protocol.ocpp_fakes import FakeChargers, FakeSessions
from voltyard.chargers.commands import StationLink
from voltyard.clock import Clock
from voltyard.errors import VoltyardError
from voltyard.ocpp.gateway import GatewaySettings
from voltyard.ocpp.memory import MemoryServer
from voltyard.simulator.loop import run_virtual

NOW = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)


class PipeClosed(VoltyardError):
    code = "pipe_closed"


class Pipe:
    """The charger's cable: frames both ways, in order."""

    def __init__(self) -> None:
        self._up: asyncio.Queue[str | None] = asyncio.Queue()
        self._down: asyncio.Queue[str | None] = asyncio.Queue()
        self.closed = False
        self.stuck: asyncio.Event | None = None

    async def send(self, text: str) -> None:
        if self.closed:
            raise PipeClosed("closed")
        if self.stuck is not None:
            await self.stuck.wait()
        self._down.put_nowait(text)

    async def recv(self) -> str:
        text = await self._up.get()
        if text is None:
            raise PipeClosed("closed")
        return text

    async def close(self) -> None:
        self.cut()

    def cut(self) -> None:
        if not self.closed:
            self.closed = True
            self._up.put_nowait(None)
            self._down.put_nowait(None)

    def say(self, frame: Any) -> None:
        """From the charger; text is sent as it is."""
        self._up.put_nowait(frame if isinstance(frame, str) else json.dumps(frame))

    async def hear(self) -> Any:
        text = await self._down.get()
        if text is None:
            raise PipeClosed("closed")
        return json.loads(text)

    @property
    def silent(self) -> bool:
        return self._down.empty()


@dataclass
class Rig:
    clock: Clock
    server: MemoryServer
    chargers: FakeChargers
    sessions: FakeSessions
    pipes: list[Pipe] = field(default_factory=list)

    @property
    def pipe(self) -> Pipe:
        return self.pipes[-1]

    async def plug(self, version: str = "ocpp1.6", identity: str = "CP1") -> StationLink:
        """Connect a charger; its link once the domain has it."""
        pipe = Pipe()
        self.chargers.arrived.clear()
        await self.server.accept(identity, [version], None, pipe)
        self.pipes.append(pipe)
        return await self.chargers.linked()

    async def call(self, action: str, payload: Any, message_id: str = "m1") -> Any:
        """The answer to one call."""
        self.pipe.say([2, message_id, action, payload])
        return await self.pipe.hear()

    async def settle(self) -> None:
        """Everything that can happen now has happened."""
        await self.clock.sleep(0.001)


def on_rig(play: Callable[[Rig], Awaitable[None]], settings: GatewaySettings | None = None) -> None:
    async def main(clock: Clock) -> None:
        chargers, sessions = FakeChargers(clock), FakeSessions()
        server = MemoryServer(chargers, sessions, clock, settings or GatewaySettings())
        rig = Rig(clock, server, chargers, sessions)
        await play(rig)
        await server.close()

    run_virtual(main, NOW)

"""Admission and the live connections of one process, whatever transport they came by."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from voltyard.chargers.model import IN_THE_CLEAR, Admission, Admitted, Peer, Station
from voltyard.clock import Clock, seeded
from voltyard.ocpp.connection import Connection
from voltyard.ocpp.handshake import Basic, Choice, Credentials
from voltyard.ocpp.ports import Chargers, Sessions
from voltyard.ocpp.routing import Dialect
from voltyard.ocpp.transport import Transport
from voltyard.ocpp.v16.routes import DIALECT as V16
from voltyard.ocpp.v21.routes import DIALECT as V21
from voltyard.ocpp.v201.routes import DIALECT as V201

log = logging.getLogger(__name__)

DIALECTS: Mapping[str, Dialect] = {"ocpp1.6": V16, "ocpp2.0.1": V201, "ocpp2.1": V21}


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Bounds of the OCPP port; times are of the Clock.

    ``handshakes_max`` connections may be in admission at once, later ones are told to retry
    after ``retry_after_s`` to twice that: each another time, so that a storm thins out.
    ``clean_close`` False cuts TCP at shutdown instead of sending a close frame, for chargers
    that take a clean close as final. ``strict`` refuses what OCPP-J forbids of connections and
    frames instead of serving and flagging it.
    """

    ping_s: float = 60.0
    pong_s: float = 30.0
    handshake_s: float = 15.0
    handshakes_max: int = 512
    retry_after_s: int = 30
    drain_s: float = 5.0
    deflate: bool = True
    clean_close: bool = True
    strict: bool = False


DEFAULTS = GatewaySettings()


class Gateway:
    """Decides who is let in and holds one connection per station."""

    def __init__(
        self,
        chargers: Chargers,
        sessions: Sessions,
        clock: Clock,
        settings: GatewaySettings = DEFAULTS,
    ) -> None:
        self.clock = clock
        self.settings = settings
        self._chargers = chargers
        self._sessions = sessions
        self._connections: dict[UUID, Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._admitting = 0
        self._chance = seeded(int(clock.now().timestamp()), "retry")
        self._closing = False

    @property
    def connections(self) -> Sequence[Connection]:
        return tuple(c for c in self._connections.values() if not c.closed)

    async def admit(
        self,
        identity: str,
        basic: Basic,
        *,
        remote: str,
        subprotocols: Sequence[str],
        peer: Peer = IN_THE_CLEAR,
    ) -> Admitted:
        """Ask the domain; BUSY when too many ask at once or the server is closing."""
        if self._closing or self._admitting >= self.settings.handshakes_max:
            return self._later(Admitted(Admission.BUSY, retry_after_s=self.settings.retry_after_s))
        if basic.state is Credentials.WRONG:
            log.info("%s from %s: credentials unreadable or of another station", identity, remote)
            return Admitted(Admission.UNAUTHORISED)
        self._admitting += 1
        try:
            admitted = await self._chargers.admit(
                identity, basic.password, remote=remote, subprotocols=subprotocols, peer=peer
            )
        finally:
            self._admitting -= 1
        return self._later(admitted) if admitted.admission is Admission.BUSY else admitted

    def _later(self, busy: Admitted) -> Admitted:
        """Told to come back no sooner than was named, and not with all the others."""
        least_s = busy.retry_after_s or self.settings.retry_after_s
        return replace(busy, retry_after_s=self._chance.randint(least_s, 2 * least_s))

    def connect(self, station: Station, choice: Choice, transport: Transport) -> Connection:
        """A connection for an admitted station; it replaces one that stands. Then ``open`` it."""
        assert choice.protocol is not None
        connection = Connection(
            station,
            DIALECTS[choice.protocol],
            transport,
            self._chargers,
            self._sessions,
            self.clock,
            self.spawn,
            strict=self.settings.strict,
        )
        if choice.flag is not None:
            self._chargers.flag(station.ref, choice.flag, choice.echo or "")
        return connection

    def open(self, connection: Connection) -> None:
        former = self._connections.get(connection.station.id)
        self._connections[connection.station.id] = connection
        self.spawn(self._open(connection, former))

    async def _open(self, connection: Connection, former: Connection | None) -> None:
        try:
            await connection.open(former)
        except Exception:
            log.exception("%s: could not take the connection", connection.station.identity)
            await connection.close("the server could not take the connection")

    def gone(self, connection: Connection, reason: str) -> None:
        """The transport of a connection ended.

        While it still stores a message it stays known, so that a new connection waits for that.
        """
        connection.lost(reason)
        worker = connection.worker
        if worker is None:
            self._forget(connection)
        else:
            worker.add_done_callback(lambda _: self._forget(connection))

    def _forget(self, connection: Connection) -> None:
        if self._connections.get(connection.station.id) is connection:
            del self._connections[connection.station.id]

    def refused_version(self, station: Station, offered: Sequence[str]) -> None:
        self._chargers.flag(station.ref, "subprotocol_unsupported", ", ".join(offered)[:200])

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a task of the OCPP port failed", exc_info=task.exception())

    async def close(self, reason: str = "the server stops") -> None:
        """Let nobody in, answer what has arrived, close every connection, end every task."""
        self._closing = True
        closing = [
            self.spawn(connection.finish(self.settings.drain_s, reason))
            for connection in self.connections
        ]
        if closing:
            await asyncio.wait(closing)
        self._connections.clear()
        await self._rest()

    async def _rest(self) -> None:
        """Goodbyes are said within the drain time; what is left then is cancelled."""
        mine = asyncio.current_task()
        left = [task for task in self._tasks if task is not mine]
        if left:
            try:
                async with self.clock.timeout(self.settings.drain_s):
                    await asyncio.wait(left)
            except TimeoutError:
                for task in left:
                    task.cancel()
                await asyncio.gather(*left, return_exceptions=True)

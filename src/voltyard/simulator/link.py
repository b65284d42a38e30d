"""How a simulated charger reaches the server: a WebSocket, or a pipe in memory on virtual time."""

import asyncio
import base64
import random
from collections import deque
from collections.abc import Sequence
from typing import Protocol
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websocket_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from voltyard.clock import Clock
from voltyard.errors import NotFound, TooMany, Unauthenticated, VoltyardError

BasicAuth = tuple[str, str]

_HTTP_STATUS: dict[type[VoltyardError], int] = {Unauthenticated: 401, NotFound: 404, TooMany: 503}
_MOST_FRAMES_UNDERWAY = 10_000
_MOST_ABANDONED = 256


class LinkClosed(VoltyardError):
    """The connection is gone, or could not be made."""

    code = "link_closed"


class LinkRefused(VoltyardError):
    """The server turned the handshake down with an HTTP ``status``."""

    code = "link_refused"

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(message or f"the server refused the connection with status {status}")
        self.status = status


class Connection(Protocol):
    """One open connection of text frames. ``subprotocol`` is what the server chose, if any."""

    @property
    def subprotocol(self) -> str | None: ...

    async def send(self, text: str) -> None:
        """Raises ``LinkClosed``."""

    async def recv(self) -> str:
        """The next frame in order; raises ``LinkClosed``. One receiver at a time."""

    async def close(self) -> None:
        """Say goodbye properly."""

    def abort(self) -> None:
        """Cut the cable: the other side notices that the connection broke."""

    def abandon(self) -> None:
        """Forget the connection: the other side is told nothing (a half-open link)."""


class Link(Protocol):
    """A way to the server for stations."""

    async def connect(
        self, identity: str, subprotocols: Sequence[str], basic_auth: BasicAuth | None
    ) -> Connection:
        """Raises ``LinkClosed`` when there is no server, ``LinkRefused`` when it says no."""


class Acceptor(Protocol):
    """The server's side of a ``MemoryLink``."""

    async def accept(
        self,
        identity: str,
        subprotocols: Sequence[str],
        basic_auth: BasicAuth | None,
        duplex: "MemoryConnection",
    ) -> str | None:
        """The chosen subprotocol, None for none; raises ``LinkRefused`` or what it stands for.

        It starts a task that reads from ``duplex`` and returns without waiting for frames.
        """


class MemoryLink:
    """Links in memory whose frames take a seeded latency of the clock's time, in order.

    With ``acceptor`` None there is no server: connecting fails as on a refused port.
    """

    def __init__(
        self,
        acceptor: Acceptor | None,
        clock: Clock,
        rng: random.Random,
        latency_s: float = 0.0,
        jitter_s: float = 0.0,
    ) -> None:
        self.acceptor = acceptor
        self._clock = clock
        self._rng = rng
        self._latency_s = latency_s
        self._jitter_s = jitter_s
        self._open: dict[MemoryConnection, None] = {}

    async def connect(
        self, identity: str, subprotocols: Sequence[str], basic_auth: BasicAuth | None
    ) -> "MemoryConnection":
        await self._clock.sleep(self.delay_s())
        if self.acceptor is None:
            raise LinkClosed("connection refused")
        up, down = _Pipe(self, self._clock), _Pipe(self, self._clock)
        near = MemoryConnection(incoming=down, outgoing=up)
        far = MemoryConnection(incoming=up, outgoing=down)
        try:
            chosen = await self.acceptor.accept(identity, subprotocols, basic_auth, far)
        except (LinkRefused, LinkClosed):
            raise
        except VoltyardError as error:
            raise LinkRefused(_HTTP_STATUS.get(type(error), 403), error.message) from error
        near.subprotocol = far.subprotocol = chosen
        self._open = {c: None for c in self._open if not c.closed}
        self._open[near] = None
        await self._clock.sleep(self.delay_s())
        return near

    def delay_s(self) -> float:
        """How long the next frame travels."""
        if self._jitter_s == 0.0:
            return self._latency_s
        return self._latency_s + self._rng.uniform(0.0, self._jitter_s)

    def break_all(self) -> None:
        """The server process died: every connection breaks at once, on both sides."""
        for connection in self._open:
            connection.abort()
        self._open.clear()


class _Pipe:
    """One direction: frames with the instant each arrives. Full means broken (bounded)."""

    __slots__ = ("_clock", "_frames", "_last_s", "_link", "_waiter", "shut")

    def __init__(self, link: MemoryLink, clock: Clock) -> None:
        self._link = link
        self._clock = clock
        self._frames: deque[tuple[float, str | None]] = deque()
        self._last_s = 0.0
        self._waiter: asyncio.Future[None] | None = None
        self.shut = False

    def put(self, text: str | None) -> None:
        """``None`` is the end of the stream."""
        if self.shut:
            return
        if len(self._frames) >= _MOST_FRAMES_UNDERWAY:
            self.stop()
            raise LinkClosed("too many frames underway")
        self._last_s = max(self._clock.monotonic_s() + self._link.delay_s(), self._last_s)
        self._frames.append((self._last_s, text))
        self._wake()

    def stop(self) -> None:
        """Nothing comes out any more."""
        self.shut = True
        self._frames.clear()
        self._wake()

    async def get(self) -> str:
        while not self.shut:
            if not self._frames:
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
                continue
            wait_s = self._frames[0][0] - self._clock.monotonic_s()
            if wait_s > 1e-9:
                await self._clock.sleep(wait_s)
                continue
            text = self._frames.popleft()[1]
            if text is None:
                self.shut = True
                break
            return text
        raise LinkClosed("the connection is closed")

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class MemoryConnection:
    """One end of an in-memory connection; both the charger and the server hold one."""

    def __init__(self, incoming: _Pipe, outgoing: _Pipe) -> None:
        self.subprotocol: str | None = None
        self._incoming = incoming
        self._outgoing = outgoing

    @property
    def closed(self) -> bool:
        return self._incoming.shut

    async def send(self, text: str) -> None:
        if self._incoming.shut:
            raise LinkClosed("the connection is closed")
        self._outgoing.put(text)

    async def recv(self) -> str:
        return await self._incoming.get()

    async def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        if not self._incoming.shut:
            self._incoming.stop()
            self._outgoing.put(None)

    def abandon(self) -> None:
        self._incoming.stop()


class WebSocketLink:
    """Real sockets: ``<base_url>/<identity>`` with subprotocol and HTTP Basic (profile 1).

    ``ping_interval_s`` is in real seconds, None sends no pings. Compression is off and queues
    are short so that thousands of connections stay small.
    """

    def __init__(self, base_url: str, ping_interval_s: float | None = 30.0) -> None:
        self._base_url = base_url.rstrip("/")
        self._ping_interval_s = ping_interval_s
        self._abandoned: deque[ClientConnection] = deque()

    async def connect(
        self, identity: str, subprotocols: Sequence[str], basic_auth: BasicAuth | None
    ) -> "WebSocketConnection":
        headers = {} if basic_auth is None else {"Authorization": _basic(basic_auth)}
        try:
            socket = await websocket_connect(
                f"{self._base_url}/{quote(identity, safe='')}",
                subprotocols=[Subprotocol(name) for name in subprotocols],
                additional_headers=headers,
                compression=None,
                ping_interval=self._ping_interval_s,
                max_queue=4,
                proxy=None,
                open_timeout=20,
            )
        except InvalidStatus as error:
            raise LinkRefused(error.response.status_code) from error
        except (OSError, TimeoutError, InvalidHandshake) as error:
            raise LinkClosed("no connection to the server", detail=str(error)) from error
        return WebSocketConnection(self, socket)

    def keep_abandoned(self, socket: ClientConnection) -> None:
        """Hold a forgotten socket open; of very many the oldest is cut."""
        self._abandoned.append(socket)
        if len(self._abandoned) > _MOST_ABANDONED:
            self._abandoned.popleft().transport.abort()


class WebSocketConnection:
    def __init__(self, link: WebSocketLink, socket: ClientConnection) -> None:
        self._link = link
        self._socket = socket

    @property
    def subprotocol(self) -> str | None:
        return self._socket.subprotocol

    async def send(self, text: str) -> None:
        try:
            await self._socket.send(text)
        except ConnectionClosed as error:
            raise LinkClosed("the connection is closed", detail=str(error)) from error

    async def recv(self) -> str:
        try:
            return str(await self._socket.recv(decode=True))
        except ConnectionClosed as error:
            raise LinkClosed("the connection is closed", detail=str(error)) from error

    async def close(self) -> None:
        await self._socket.close()

    def abort(self) -> None:
        self._socket.transport.abort()

    def abandon(self) -> None:
        self._link.keep_abandoned(self._socket)


def _basic(auth: BasicAuth) -> str:
    return "Basic " + base64.b64encode(f"{auth[0]}:{auth[1]}".encode()).decode()

"""The OCPP port: WebSockets by the Sans-I/O protocol of ``websockets``, which only this file knows.

Where nothing was negotiated that changes frames, whole text frames pass it by (plain.py); it still
sees every other frame, in order.

One message of a charger may be at most MESSAGE_MAX_BYTES (framing.py) to be handled; one over
SOCKET_MAX_BYTES (STRICT_MAX_BYTES where the port is strict), compressed or not, ends the
connection with close code 1009.
"""

import asyncio
import logging
import ssl
from contextlib import suppress
from http import HTTPStatus
from typing import cast

from websockets.datastructures import Headers
from websockets.exceptions import InvalidState
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from voltyard.chargers.model import IN_THE_CLEAR, Admission, Admitted
from voltyard.clock import Clock
from voltyard.errors import ChargerOffline
from voltyard.ocpp.connection import Connection
from voltyard.ocpp.framing import MESSAGE_MAX_BYTES
from voltyard.ocpp.gateway import DEFAULTS, Gateway, GatewaySettings
from voltyard.ocpp.handshake import Choice, basic_of, choose, identity_of, offered_in
from voltyard.ocpp.peer import peer_of
from voltyard.ocpp.plain import Splitter, text_frame, text_of
from voltyard.ocpp.ports import Chargers, Sessions

log = logging.getLogger(__name__)
_protocol_log = logging.getLogger("voltyard.ocpp.websocket")
_protocol_log.setLevel(logging.CRITICAL)

SOCKET_MAX_BYTES = 4 * MESSAGE_MAX_BYTES
STRICT_MAX_BYTES = MESSAGE_MAX_BYTES // 2
WRITE_HIGH_BYTES = 256 * 1024
GOODBYE_S = 5.0
BACKLOG = 1024
_PING_CHUNK = 250
_STATUS = {
    Admission.UNAUTHORISED: (HTTPStatus.UNAUTHORIZED, "identity or password is wrong"),
    Admission.UNKNOWN: (HTTPStatus.NOT_FOUND, "no such charging station"),
    Admission.BUSY: (HTTPStatus.SERVICE_UNAVAILABLE, "busy, try again later"),
}


class OcppServer:
    """Listens for chargers on ``/<any path>/<identity>``; see GatewaySettings for its bounds."""

    def __init__(
        self,
        chargers: Chargers,
        sessions: Sessions,
        clock: Clock,
        settings: GatewaySettings = DEFAULTS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.gateway = Gateway(chargers, sessions, clock, settings)
        self.sockets: set[_Socket] = set()
        self._outgoing: list[tuple[asyncio.Transport, bytes]] = []
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._secure: asyncio.Server | None = None
        self._keepalive: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; the port that was bound (for ``port`` 0). Raises OSError when it is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Socket(self),
            host,
            port,
            ssl=self._tls,
            ssl_handshake_timeout=self.gateway.settings.handshake_s if self._tls else None,
            backlog=BACKLOG,
        )
        self._keepalive = self.gateway.spawn(self._keep_alive())
        return int(self._server.sockets[0].getsockname()[1])

    async def also(self, host: str, port: int, tls: ssl.SSLContext) -> int:
        """Listen on a second port, by TLS, for the same gateway; the port that was bound."""
        loop = asyncio.get_running_loop()
        self._secure = await loop.create_server(
            lambda: _Socket(self),
            host,
            port,
            ssl=tls,
            ssl_handshake_timeout=self.gateway.settings.handshake_s,
            backlog=BACKLOG,
        )
        return int(self._secure.sockets[0].getsockname()[1])

    async def close(self, reason: str = "the server stops") -> None:
        """Take no new connection, answer what has arrived, say goodbye, cut what is left."""
        for server in (self._server, self._secure):
            if server is not None:
                server.close()
        if self._keepalive is not None:
            self._keepalive.cancel()
        await self.gateway.close(reason)
        for socket in tuple(self.sockets):
            socket.cut()

    def write_later(self, transport: asyncio.Transport, frame: bytes) -> None:
        """Once what has come in is read: a burst of answers wakes whoever reads them once."""
        if not self._outgoing:
            asyncio.get_running_loop().call_soon(self.write_out)
        self._outgoing.append((transport, frame))

    def write_out(self) -> None:
        """Now: what was to be written later comes before anything written at once."""
        outgoing, self._outgoing = self._outgoing, []
        for transport, frame in outgoing:
            if not transport.is_closing():
                transport.write(frame)

    async def _keep_alive(self) -> None:
        """Ping who has been silent for ``ping_s``; who stays silent for ``pong_s`` is dead.

        One task for all connections; the deadline is the Clock's, so a sped-up clock does not
        expect faster networks.
        """
        settings, clock = self.gateway.settings, self.gateway.clock
        while True:
            await clock.sleep(settings.ping_s)
            pinged = await self._ping_silent()
            try:
                async with clock.timeout(settings.pong_s):
                    await asyncio.get_running_loop().create_future()
            except TimeoutError:
                for socket in pinged:
                    socket.expire()

    async def _ping_silent(self) -> "list[_Socket]":
        pinged = []
        for number, socket in enumerate(tuple(self.sockets), 1):
            if socket.ping():
                pinged.append(socket)
            if number % _PING_CHUNK == 0:
                await self.gateway.clock.sleep(0)
        return pinged


class _Handshake(ServerProtocol):
    """Leaves the subprotocol to us: the library refuses names that real chargers send."""

    choice: Choice = Choice(None)

    def process_subprotocol(self, headers: Headers) -> Subprotocol | None:
        return None if self.choice.echo is None else Subprotocol(self.choice.echo)


def _extensions(settings: GatewaySettings) -> list[ServerPerMessageDeflateFactory]:
    if not settings.deflate:
        return []
    return [
        ServerPerMessageDeflateFactory(
            server_max_window_bits=12, client_max_window_bits=12, compress_settings={"memLevel": 5}
        )
    ]


class _Socket(asyncio.Protocol):
    """One TCP connection; a Transport once the handshake is through."""

    def __init__(self, server: OcppServer) -> None:
        self._server = server
        self._gateway = server.gateway
        self._protocol = _Handshake(
            extensions=_extensions(server.gateway.settings),
            max_size=STRICT_MAX_BYTES if server.gateway.settings.strict else SOCKET_MAX_BYTES,
            logger=_protocol_log,
        )
        self._transport: asyncio.Transport | None = None
        self._request: asyncio.Future[Request] | None = None
        self._connection: Connection | None = None
        self._fragments: list[bytes] = []
        self._splitter: Splitter | None = None
        self._writable: asyncio.Future[None] | None = None
        self._ended = asyncio.get_running_loop().create_future()
        self._heard = True
        self._closing = False
        self._peer = IN_THE_CLEAR
        self.remote = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES)
        peer = self._transport.get_extra_info("peername")
        self.remote = f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else str(peer or "")
        self._peer = peer_of(transport)
        self._request = asyncio.get_running_loop().create_future()
        self._server.sockets.add(self)
        self._gateway.spawn(self._shake_hands(self._request))

    def data_received(self, data: bytes) -> None:
        self._heard = True
        splitter = self._splitter
        if splitter is not None and self._connection is not None:
            self._plain_received(splitter, self._connection, data)
        else:
            self._library_received(data)

    def _plain_received(self, splitter: Splitter, connection: Connection, data: bytes) -> None:
        """Whole text frames go the short way; all else is the library's, frame by frame."""
        text = splitter.only(data)
        if text is not None:
            connection.received(text)
            return
        for frame in splitter.split(data):
            gone = splitter.lost or self._splitter is None
            text = None if gone else text_of(frame)
            if text is not None:
                connection.received(text)
                continue
            self._library_received(frame)
            if splitter.lost or self._protocol.state is not State.OPEN:
                self._splitter = None
        if self._splitter is None:
            self._library_received(splitter.rest())

    def _library_received(self, data: bytes) -> None:
        if self._ended.done() or self._protocol.reader.eof:
            return
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._frame_received(event)
            elif isinstance(event, Request):
                self._request_received(event)
        self._flush()

    def eof_received(self) -> bool:
        self._protocol.receive_eof()
        self._flush()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.sockets.discard(self)
        if not self._ended.done():
            self._ended.set_result(None)
        if self._request is not None and not self._request.done():
            self._request.cancel()
        self.resume_writing()
        if self._connection is not None:
            reason = self._protocol.close_reason if self._protocol.close_rcvd else None
            self._gateway.gone(self._connection, reason or "the connection was lost")

    def pause_writing(self) -> None:
        if self._writable is None:
            self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        waiter, self._writable = self._writable, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _request_received(self, request: Request) -> None:
        """Nothing more is read until the domain has decided."""
        if self._request is not None and not self._request.done():
            assert self._transport is not None
            self._transport.pause_reading()
            self._request.set_result(request)

    async def _shake_hands(self, waiting: asyncio.Future[Request]) -> None:
        try:
            async with self._gateway.clock.timeout(self._gateway.settings.handshake_s):
                request = await waiting
                await self._answer(request)
        except (TimeoutError, asyncio.CancelledError):
            self.cut()

    async def _answer(self, request: Request) -> None:
        identity = identity_of(request.path)
        if identity is None:
            self._reject(HTTPStatus.NOT_FOUND, "the path must end in the station's identity")
            return
        offered = offered_in(request.headers.get_all("Sec-WebSocket-Protocol"))
        authorisation = request.headers.get_all("Authorization")
        basic = basic_of(authorisation[0] if authorisation else None, identity)
        strict = self._gateway.settings.strict
        if strict and not offered:
            self._reject(HTTPStatus.BAD_REQUEST, "name an OCPP version as subprotocol")
            return
        self._protocol.choice = choose(offered, strict=strict)
        response = self._protocol.accept(request)
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            self._respond(response)
            return
        admitted = await self._gateway.admit(
            identity, basic, remote=self.remote, subprotocols=offered, peer=self._peer
        )
        self._decide(admitted, response, offered)

    def _decide(self, admitted: Admitted, response: Response, offered: list[str]) -> None:
        station = admitted.station
        if self._ended.done():
            return
        if admitted.admission is not Admission.ACCEPT or station is None:
            status, text = _STATUS.get(admitted.admission, _STATUS[Admission.UNKNOWN])
            self._reject(status, text, admitted.retry_after_s)
            return
        choice = self._protocol.choice
        if choice.protocol is None:
            self._gateway.refused_version(station, offered)
            self._respond(response)
            self.close(1002, "no common OCPP version")
            return
        connection = self._gateway.connect(station, choice, self)
        self._connection = connection
        self._respond(response)
        if not self._protocol.extensions and not self._protocol.reader.buffer:
            self._splitter = Splitter()
        self._gateway.open(connection)

    def _reject(self, status: HTTPStatus, text: str, retry_after_s: int | None = None) -> None:
        response = self._protocol.reject(status, text + "\n")
        if status is HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = 'Basic realm="OCPP", charset="UTF-8"'
        if retry_after_s:
            response.headers["Retry-After"] = str(retry_after_s)
        self._respond(response)

    def _respond(self, response: Response) -> None:
        self._protocol.send_response(response)
        self._flush()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _frame_received(self, frame: Frame) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        if not frame.fin:
            self._fragments.append(bytes(frame.data))
            return
        data = bytes(frame.data)
        if self._fragments:
            data = b"".join([*self._fragments, data])
            self._fragments.clear()
        if self._connection is not None:
            self._connection.received(data)

    def push(self, frame: bytes) -> bool:
        """Transport: see there."""
        transport = self._transport
        if self._splitter is None or transport is None or self._writable is not None:
            return False
        if self._closing or transport.is_closing():
            return False
        self._server.write_later(transport, text_frame(frame))
        return True

    async def send(self, frame: bytes) -> None:
        """Transport: waits while the peer reads too slowly; raises ChargerOffline."""
        if self._writable is not None:
            await self._writable
        if self._ended.done() or self._closing:
            raise ChargerOffline("the connection is closed")
        if self.push(frame):
            return
        try:
            self._protocol.send_text(frame)
        except InvalidState as error:
            raise ChargerOffline("the connection is closing") from error
        self._flush()

    def close(self, code: int, reason: str) -> None:
        """Transport: a close frame if the peer takes one, then TCP; never waits for the peer."""
        if self._closing or self._ended.done():
            return
        self._closing = True
        if not self._gateway.settings.clean_close:
            self.cut()
            return
        with suppress(InvalidState):
            self._protocol.send_close(code, reason.encode()[:120].decode("utf-8", "ignore"))
        self._flush()
        self._gateway.spawn(self._depart())

    async def _depart(self) -> None:
        try:
            with suppress(TimeoutError):
                async with self._gateway.clock.timeout(GOODBYE_S):
                    await asyncio.shield(self._ended)
        finally:
            self.cut()

    def cut(self) -> None:
        """No goodbye: end TCP now."""
        if self._transport is not None:
            self._server.write_out()
            self._transport.abort()

    def ping(self) -> bool:
        """Whether a silent peer was asked for a sign of life."""
        heard, self._heard = self._heard, False
        if heard or self._connection is None or self._closing:
            return False
        try:
            self._protocol.send_ping(b"")
        except InvalidState:
            return False
        self._flush()
        return True

    def expire(self) -> None:
        """The pong is overdue."""
        if self._heard or self._ended.done() or self._connection is None:
            return
        log.info("%s: no answer to a ping", self._connection.station.identity)
        self._gateway.gone(self._connection, "no answer to a ping")
        self.cut()

    def _flush(self) -> None:
        transport = self._transport
        if transport is None:
            return
        self._server.write_out()
        for data in self._protocol.data_to_send():
            if not data:
                transport.close()
            elif not transport.is_closing():
                transport.write(data)

"""The door of presystems: ``/vdv463/<path>``, a WebSocket beside console and REST."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketException
from litestar.handlers import WebsocketRouteHandler
from litestar.params import FromPath

from voltyard.timetable.vdv463 import door
from voltyard.timetable.vdv463.link import Link, LinkLost
from voltyard.timetable.vdv463.service import Admitted, PresystemService

AnySocket = WebSocket[Any, Any, Any]
_GONE = (WebSocketException, OSError, RuntimeError)
"""What a send or close raises once the other side has left."""


class SocketTransport:
    """``link.Transport`` over a WebSocket that was accepted."""

    def __init__(self, socket: AnySocket) -> None:
        self._socket = socket

    async def send(self, text: str) -> None:
        try:
            await self._socket.send({"type": "websocket.send", "text": text, "bytes": None})
        except _GONE as error:
            raise LinkLost(str(error)) from error

    async def close(self, code: int, reason: str) -> None:
        with suppress(*_GONE):
            await self._socket.close(code, reason[:100])


def make_door(presystems: PresystemService) -> WebsocketRouteHandler:
    """The route; nobody needs a console session for it."""

    @websocket("/vdv463/{path:path}", include_in_schema=False)
    async def presystem_socket(socket: AnySocket, path: FromPath[str]) -> None:
        await socket.receive()
        remote = _remote(socket)
        admitted = await presystems.admit(
            path.strip("/"), socket.headers.get("authorization"), remote
        )
        if admitted.presystem is None:
            await _refuse(socket, admitted)
            return
        offered = [
            name
            for header in socket.headers.getall("sec-websocket-protocol", [])
            for name in header.split(",")
        ]
        choice = door.chosen(offered, admitted.presystem)
        await socket.send(_accept(None if choice is None else choice[0]))
        transport = SocketTransport(socket)
        if choice is None:
            await transport.close(1002, "no common subprotocol")
            return
        link = await presystems.connect(admitted.presystem, choice[1], transport, remote)
        try:
            await _listen(socket, link)
        finally:
            await presystems.gone(link)

    return presystem_socket


async def _listen(socket: AnySocket, link: Link) -> None:
    """Until the connection ends: one message after the other."""
    while not link.closed:
        try:
            event: Mapping[str, Any] = await socket.receive()
        except _GONE:
            return
        if event["type"] != "websocket.receive":
            return
        text = event.get("text")
        data = text.encode("utf-8", "surrogatepass") if text is not None else event.get("bytes")
        try:
            await link.received(data or b"")
        except LinkLost:
            return


def _accept(subprotocol: str | None) -> Any:
    return {"type": "websocket.accept", "subprotocol": subprotocol, "headers": []}


async def _refuse(socket: AnySocket, admitted: Admitted) -> None:
    """401, as every path that nobody may know of; 503 while guessing is slowed down."""
    later = admitted.retry_after_s
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    if later:
        headers.append((b"retry-after", str(later).encode()))
    else:
        headers.append((b"www-authenticate", b'Basic realm="VDV 463", charset="UTF-8"'))
    start: Any = {
        "type": "websocket.http.response.start",
        "status": 503 if later else 401,
        "headers": headers,
    }
    body: Any = {
        "type": "websocket.http.response.body",
        "body": b"try again later\n" if later else b"name or password is wrong\n",
        "more_body": False,
    }
    with suppress(*_GONE):
        await socket.send(start)
        await socket.send(body)


def _remote(socket: AnySocket) -> str:
    client = socket.client
    return "" if client is None else f"{client.host}:{client.port}"

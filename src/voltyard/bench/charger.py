"""One charger of the load: a TCP connection that speaks just enough WebSocket and OCPP."""

import asyncio
import re
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import msgspec

from voltyard.bench.replies import reply
from voltyard.bench.traffic import Traffic, masked

_TEXT, _CLOSE, _PING = 0x81, 0x88, 0x89
_RETRY = re.compile(rb"\r\nRetry-After: *(\d+)", re.IGNORECASE)


class Refused(Exception):
    """The server did not let the charger in; ``retry_after_s`` if it named a time to come back."""

    def __init__(self, reason: str, retry_after_s: int | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class Charger(asyncio.Protocol):
    """One call outstanding at a time, as OCPP has it.

    ``on_answer`` is told of each answer to a call sent by ``next``; ``on_fault`` of whatever was
    no proper answer. ``due_s`` is when the call under way should have left, ``queued`` the same
    of those that wait for it.
    """

    __slots__ = (
        "_buffer",
        "_calls",
        "_expected",
        "_upgraded",
        "_waiting",
        "due_s",
        "host",
        "number",
        "on_answer",
        "on_fault",
        "queued",
        "traffic",
        "transport",
    )

    def __init__(
        self,
        number: int,
        traffic: Traffic,
        on_answer: "Callable[[Charger], None]",
        on_fault: "Callable[[Charger, str], None]",
    ) -> None:
        self.number = number
        self.traffic = traffic
        self.on_answer = on_answer
        self.on_fault = on_fault
        self.host = ""
        self.due_s: float | None = None
        self.queued: deque[float] = deque()
        self.transport: asyncio.Transport | None = None
        self._buffer = b""
        self._calls = 0
        self._expected = b""
        self._upgraded = False
        self._waiting: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._upgraded = False
        self._buffer = b""
        reason = f"connection lost ({type(exc).__name__})" if exc else "connection closed"
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Refused(reason))
        elif self.due_s is not None:
            self.due_s = None
            self.on_fault(self, reason)

    async def join(self) -> None:
        """Upgrade and boot until accepted. Raises Refused."""
        await self.upgrade()
        accepted = await self._call(self.traffic.boot)
        if b'"Accepted"' not in accepted:
            raise Refused(f"boot answered {accepted[:200]!r}")

    async def upgrade(self) -> None:
        """Become a WebSocket. Raises Refused."""
        head = await self._ask(self.traffic.upgrade(self.host))
        if not head.startswith(b"HTTP/1.1 101"):
            found = _RETRY.search(head)
            status = head[9:12].decode("ascii", "replace")
            raise Refused(f"HTTP {status}", int(found.group(1)) if found else None)

    async def begin(self) -> None:
        """Start a transaction. Raises Refused."""
        answer = await self._call(self.traffic.start)
        try:
            kind, _, body = msgspec.json.decode(answer, type=tuple[int, Any, dict[str, Any]])
        except msgspec.MsgspecError:
            raise Refused(f"start answered {answer[:200]!r}") from None
        if kind != 3:
            raise Refused(f"start answered {answer[:200]!r}")
        self.traffic.transaction = body.get("transactionId", 0)

    def next(self, due_s: float) -> None:
        """Send the next call; its answer comes to ``on_answer``."""
        self.due_s = due_s
        transport = self.transport
        if transport is None:
            self.on_fault(self, "not connected")
            return
        transport.write(self.traffic.next(self._number_call()))

    def cut(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        if data[0] == _TEXT and len(data) - 2 == data[1] and self._upgraded:
            self._text(data[2:])
        elif self._upgraded:
            self._frames(data)
        else:
            self._head(data)

    def _number_call(self) -> int:
        self._calls = number = self._calls + 1
        self._expected = b'[3,"%d",' % number
        return number

    async def _call(self, make: Callable[[int], bytes]) -> bytes:
        return await self._ask(make(self._number_call()))

    async def _ask(self, data: bytes) -> bytes:
        if self.transport is None:
            raise Refused("connection closed")
        self._waiting = asyncio.get_running_loop().create_future()
        self.transport.write(data)
        try:
            return await self._waiting
        finally:
            self._waiting = None

    def _head(self, data: bytes) -> None:
        head, found, rest = data.partition(b"\r\n\r\n")
        if not found:
            self._buffer = data
            return
        self._upgraded = head.startswith(b"HTTP/1.1 101")
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(head)
        if self._upgraded and rest:
            self._frames(rest)

    def _frames(self, data: bytes) -> None:
        """Whatever came at once, of any length; what is incomplete waits."""
        while len(data) >= 2:
            size, begin = data[1], 2
            if size == 126:
                size, begin = int.from_bytes(data[2:4], "big"), 4
            elif size == 127:
                size, begin = int.from_bytes(data[2:10], "big"), 10
            end = begin + size
            if len(data) < max(begin, end):
                break
            self._frame(data[0], data[begin:end])
            data = data[end:]
        self._buffer = data

    def _frame(self, first: int, payload: bytes) -> None:
        if first == _TEXT:
            self._text(payload)
        elif first == _PING and self.transport is not None:
            self.transport.write(masked(payload, opcode=10))
        elif first == _CLOSE:
            self.cut()

    def _text(self, payload: bytes) -> None:
        if payload.startswith(self._expected):
            self._answered(payload)
        else:
            self._other(payload)

    def _answered(self, payload: bytes) -> None:
        waiting = self._waiting
        if waiting is None:
            self.on_answer(self)
        elif not waiting.done():
            waiting.set_result(payload)

    def _other(self, payload: bytes) -> None:
        """An answer written differently, a call of the server's, or what should not be."""
        try:
            kind, message_id, *rest = msgspec.json.decode(payload)
        except (msgspec.MsgspecError, ValueError, TypeError):
            self.on_fault(self, "unreadable")
            return
        if kind == 2 and self.transport is not None:
            answer = msgspec.json.encode([3, message_id, reply(*rest)])
            self.transport.write(masked(answer))
        elif kind == 3 and message_id == str(self._calls):
            self._answered(payload)
        elif self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Refused(f"answered {payload[:200]!r}"))
        else:
            self.due_s = None
            self.on_fault(self, f"answered {payload[:60]!r}")

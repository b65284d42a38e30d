"""OCPP-J on one connection, seen from the charger: calls, results, errors and their matching."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from voltyard.clock import Clock
from voltyard.errors import VoltyardError
from voltyard.simulator.link import Connection, LinkClosed

Payload = dict[str, Any]

_CALL, _RESULT, _ERROR = 2, 3, 4
_LENGTH = {_CALL: 4, _RESULT: 3, _ERROR: 4}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class CallFailed(VoltyardError):
    """The other side answered with a CALLERROR, whose code is ``code``."""


class CallTimeout(VoltyardError):
    """No answer in time."""

    code = "call_timeout"


class Refusal(VoltyardError):
    """Answer a call with a CALLERROR of this ``code`` (OCPP-J §4.3)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a call, and what the charger does once it is sent."""

    payload: Payload
    then: Callable[[], object] | None = None


class Mood(Protocol):
    """How the charger misbehaves at the moment (see ``faults.Mischief``)."""

    muted: bool
    answer_delay_s: float


class Rpc:
    """Calls out and calls in on one connection, independent of each other.

    The caller sees to it that only one call is out at a time (OCPP-J 1.6 §4.1.1).
    """

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        handle: Callable[[str, Payload], Reply],
        mood: Mood,
        observe: Callable[[str, str], None] | None = None,
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._handle = handle
        self._mood = mood
        self._observe = observe
        self._waiting: dict[str, asyncio.Future[Payload]] = {}
        self._late: set[asyncio.Task[None]] = set()
        self.last_sent_s = clock.monotonic_s()

    async def run(self) -> None:
        """Read until the connection ends; raises ``LinkClosed``."""
        try:
            while True:
                text = await self._connection.recv()
                if self._mood.muted:
                    continue
                if self._observe is not None:
                    self._observe("in", text)
                await self._receive(text)
        finally:
            for task in self._late:
                task.cancel()

    async def call(
        self, message_id: str, action: str, payload: Payload, timeout_s: float, copies: int = 1
    ) -> Payload:
        """Send a call (``copies`` times the same frame) and wait for its answer.

        Raises ``CallFailed``, ``CallTimeout`` or ``LinkClosed``.
        """
        answer: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
        self._waiting[message_id] = answer
        frame = [_CALL, message_id, action, payload]
        try:
            async with self._clock.timeout(timeout_s):
                for _ in range(copies):
                    await self._send(frame)
                return await answer
        except TimeoutError as error:
            raise CallTimeout(f"{action} was not answered") from error
        finally:
            del self._waiting[message_id]

    async def _receive(self, text: str) -> None:
        try:
            frame = _decode(text)
            kind, message_id = frame[0], str(frame[1])
            if kind not in (_CALL, _RESULT, _ERROR) or len(frame) < _LENGTH[kind]:
                return
        except (msgspec.DecodeError, IndexError, KeyError, TypeError):
            return  # not an OCPP-J message: nothing can be answered
        if kind == _CALL:
            await self._answer(message_id, str(frame[2]), frame[3])
        elif kind == _RESULT:
            self._resolve(message_id, frame[2])
        else:
            self._fail(message_id, str(frame[2]), str(frame[3]))

    def _resolve(self, message_id: str, payload: Payload) -> None:
        answer = self._waiting.get(message_id)
        if answer is not None and not answer.done():
            answer.set_result(payload)

    def _fail(self, message_id: str, code: str, description: str) -> None:
        answer = self._waiting.get(message_id)
        if answer is not None and not answer.done():
            answer.set_exception(CallFailed(description, code=code))

    async def _answer(self, message_id: str, action: str, payload: Payload) -> None:
        then: Callable[[], object] | None = None
        frame: list[object]
        try:
            reply = self._handle(action, payload)
        except Refusal as refusal:
            frame = [_ERROR, message_id, refusal.code, refusal.message[:255], {}]
        except (KeyError, TypeError, ValueError) as error:
            frame = [_ERROR, message_id, "InternalError", f"unreadable: {error!r}"[:255], {}]
        else:
            frame, then = [_RESULT, message_id, reply.payload], reply.then
        if self._mood.answer_delay_s > 0:
            self._start_late(frame)
        else:
            await self._send(frame)
        if then is not None:
            then()

    def _start_late(self, frame: list[object]) -> None:
        task = asyncio.create_task(self._send_late(frame, self._mood.answer_delay_s))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _send_late(self, frame: list[object], delay_s: float) -> None:
        await self._clock.sleep(delay_s)
        with suppress(LinkClosed):
            await self._send(frame)

    async def _send(self, frame: list[object]) -> None:
        self.last_sent_s = self._clock.monotonic_s()
        if self._mood.muted:
            return
        text = _encode(frame).decode()
        if self._observe is not None:
            self._observe("out", text)
        await self._connection.send(text)

"""Calls to one charger: queued within a bound, one at a time, each answered, timed out or failed.

OCPP-J §4.1.1 allows one call in flight per direction and connection. Queue full: TooMany. A newer
call that makes a queued one obsolete takes its place; the older fails with code "superseded".
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec

from voltyard.clock import Clock
from voltyard.errors import (
    ChargerOffline,
    ChargerRefused,
    ChargerTimeout,
    TooMany,
    VoltyardError,
)

QUEUE_MAX = 32

Send = Callable[[bytes], Awaitable[None]]


@dataclass(slots=True, eq=False)
class Pending:
    """One call on its way. ``outcome`` ends with the answer's payload or with why not."""

    message_id: str
    action: str
    frame: bytes
    timeout_s: float
    replaces: tuple[object, ...] | None = None
    secret: bool = False
    started: asyncio.Future[None] = field(default_factory=lambda: _future())
    outcome: "asyncio.Future[msgspec.Raw]" = field(default_factory=lambda: _future())
    reply: "asyncio.Future[msgspec.Raw] | None" = None
    sent_s: float = 0.0
    latency_ms: float = 0.0

    def fail(self, error: VoltyardError) -> None:
        if not self.started.done():
            self.started.set_result(None)
        if not self.outcome.done():
            self.outcome.set_exception(error)
            self.outcome.exception()

    def succeed(self, payload: msgspec.Raw) -> None:
        if not self.outcome.done():
            self.outcome.set_result(payload)


class Outbox:
    """``run`` drives it; it is started when there is work and ends when there is none."""

    def __init__(
        self,
        clock: Clock,
        send: Send,
        start: Callable[[], None],
        logged: Callable[[Pending], None],
    ) -> None:
        self._clock = clock
        self._send = send
        self._start = start
        self._logged = logged
        self._queue: list[Pending] = []
        self._current: Pending | None = None
        self._closed: str | None = None
        self.running = False

    def __len__(self) -> int:
        return len(self._queue) + (self._current is not None)

    async def call(self, pending: Pending) -> msgspec.Raw:
        """The answer's payload. Raises ChargerOffline, ChargerTimeout, ChargerRefused, TooMany.

        ``timeout_s`` bounds the wait for its turn and, again, the wait for the answer.
        """
        if self._closed is not None:
            raise ChargerOffline("the charger is not connected", detail=self._closed)
        self._enter(pending)
        if not self.running:
            self.running = True
            self._start()
        try:
            async with self._clock.timeout(pending.timeout_s):
                await pending.started
        except TimeoutError:
            raise ChargerTimeout(
                "the charger is busy with earlier commands", detail="not sent"
            ) from None
        finally:
            if not pending.started.done() or pending.started.cancelled():
                self._leave(pending)
        return await pending.outcome

    def _enter(self, pending: Pending) -> None:
        if pending.replaces is not None:
            for index, older in enumerate(self._queue):
                if older.replaces == pending.replaces:
                    self._queue[index] = pending
                    older.fail(TooMany("replaced by a newer command", code="superseded"))
                    return
        if len(self._queue) >= QUEUE_MAX:
            raise TooMany("too many commands wait for this charger")
        self._queue.append(pending)

    def _leave(self, pending: Pending) -> None:
        if pending in self._queue:
            self._queue.remove(pending)

    async def run(self) -> None:
        """Send what is queued, one call after the other's end."""
        try:
            while self._queue:
                pending = self._current = self._queue.pop(0)
                if pending.started.done() or pending.outcome.done():
                    continue
                pending.started.set_result(None)
                await self._exchange(pending)
        finally:
            self._current = None
            self.running = False

    async def _exchange(self, pending: Pending) -> None:
        pending.reply = asyncio.get_running_loop().create_future()
        pending.sent_s = self._clock.monotonic_s()
        try:
            async with self._clock.timeout(pending.timeout_s):
                self._logged(pending)
                await self._send(pending.frame)
                payload = await pending.reply
        except TimeoutError:
            pending.fail(
                ChargerTimeout(
                    "the charger did not answer in time",
                    detail=f"{pending.action} {pending.timeout_s:g} s",
                )
            )
        except VoltyardError as error:
            pending.fail(error)
        else:
            pending.latency_ms = (self._clock.monotonic_s() - pending.sent_s) * 1000.0
            pending.succeed(payload)

    def awaited(self, message_id: str) -> Pending | None:
        """The call that an answer with this id belongs to; None for a late or foreign answer."""
        current = self._current
        if current is None or current.message_id != message_id or current.reply is None:
            return None
        return None if current.reply.done() else current

    def answer(self, pending: Pending, payload: msgspec.Raw) -> None:
        assert pending.reply is not None
        pending.reply.set_result(payload)

    def refuse(self, pending: Pending, word: str, description: str) -> None:
        """A CALLERROR came."""
        assert pending.reply is not None
        pending.reply.set_exception(
            ChargerRefused(description or f"the charger answered {word}", detail=word)
        )

    def close(self, reason: str) -> None:
        """The connection is gone: everything pending fails at once."""
        self._closed = self._closed or reason
        waiting, self._queue = self._queue, []
        for pending in waiting:
            pending.fail(ChargerOffline("the charger is not connected", detail=reason))
        current = self._current
        if current is not None:
            error = ChargerOffline("the connection was lost before the answer", detail=reason)
            current.fail(error)
            if current.reply is not None and not current.reply.done():
                current.reply.set_exception(error)


def _future() -> asyncio.Future:  # type: ignore[type-arg]
    return asyncio.get_running_loop().create_future()

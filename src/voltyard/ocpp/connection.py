"""One charger's connection, whatever carries it: calls in and calls out, each on its own.

Incoming calls are answered in order, each after the domain returned (so after its commit). They
wait in a bounded inbox; when it is full a further call is answered with a CALLERROR and nothing
else is lost. Answers to our own calls never wait behind calls.
"""

import asyncio
import logging
from asyncio import current_task
from collections import deque
from datetime import datetime
from typing import Any, NoReturn

import msgspec

from voltyard.chargers.commands import Command, CommandResult
from voltyard.chargers.model import Station, StationRef, StationState
from voltyard.clock import Clock
from voltyard.errors import (
    ChargerOffline,
    Forbidden,
    Invalid,
    Unauthenticated,
    VoltyardError,
)
from voltyard.ocpp import framing
from voltyard.ocpp.asking import Asker
from voltyard.ocpp.framing import Call, CallRejected, Unreadable
from voltyard.ocpp.journal import Journal
from voltyard.ocpp.ports import Chargers, Sessions
from voltyard.ocpp.resumed import Begun, Resumed
from voltyard.ocpp.routing import Dialect, Entry, Exchange
from voltyard.ocpp.transport import Spawner, Transport

log = logging.getLogger(__name__)

INBOX_MAX = 256
INBOX_MAX_BYTES = 2 * 1024 * 1024
ASIDES_MAX = 64
PREDECESSOR_WAIT_S = 10.0
_BOOT = "BootNotification"
_PROMPT = frozenset({"Heartbeat", "MeterValues", "TransactionEvent"})
"""Nearly all traffic: these need no task of their own while only a commit is waited for."""
_BEFORE_ACCEPTED = frozenset({_BOOT, "NotifyReport"})
_encode = msgspec.json.Encoder().encode


class Connection:
    """Implements ``StationLink``."""

    def __init__(
        self,
        station: Station,
        dialect: Dialect,
        transport: Transport,
        chargers: Chargers,
        sessions: Sessions,
        clock: Clock,
        spawn: Spawner,
        *,
        strict: bool = False,
    ) -> None:
        self._station = station.ref
        self._strict = strict
        self._dialect = dialect
        self._transport = transport
        self._chargers = chargers
        self._sessions = sessions
        self._clock = clock
        self._spawn = spawn
        self._journal = Journal(chargers, station.ref, clock)
        self._accepted = station.state is StationState.APPROVED
        self._held = False
        self._inbox: deque[tuple[Call, datetime, float]] = deque()
        self._inbox_bytes = 0
        self._asides = 0
        self._worker: asyncio.Task[None] | None = None
        self._begun: Begun | None = None
        self._loop = asyncio.get_running_loop()
        self._announced = False
        self._goodbye: str | None = None
        self._predecessor: asyncio.Task[None] | None = None
        self._asker = Asker(
            station.ref,
            dialect,
            chargers,
            clock,
            self._journal,
            send=transport.send,
            start=self._start_outbox,
            aside=self._reply_aside,
        )
        self.last_heard_s = clock.monotonic_s()

    @property
    def station(self) -> StationRef:
        return self._station

    @property
    def version(self) -> str:
        return self._dialect.version

    @property
    def remote(self) -> str:
        return self._transport.remote

    @property
    def worker(self) -> "asyncio.Task[None] | None":
        """What handles the calls in the inbox, while there are any."""
        if self._begun is not None:
            begun, self._begun = self._begun, None
            self._worker = self._spawn(self._work(begun.in_a_task()))
        return self._worker

    @property
    def closed(self) -> bool:
        return self._goodbye is not None

    async def open(self, predecessor: "Connection | None" = None) -> None:
        """Tell the domain; calls that came meanwhile are handled from now on."""
        if predecessor is not None:
            self._predecessor = predecessor.worker
            predecessor.replaced()
        await self._chargers.connected(self)
        self._announced = True
        self._start_worker()

    async def send(self, command: Command, *, timeout_s: float = 30.0) -> CommandResult:
        """See ``StationLink.send``."""
        return await self._asker.send(command, timeout_s=timeout_s)

    async def close(self, reason: str) -> None:
        """Close now; pending calls fail, a call being handled is finished but not answered."""
        self.lost(reason)
        self._transport.close(1001, reason)

    async def finish(self, timeout_s: float, reason: str) -> None:
        """Graceful: answer what has arrived, then close."""
        worker = self.worker
        if worker is not None and not self.closed:
            await self._wait(worker, timeout_s)
        await self.close(reason)

    def lost(self, reason: str) -> None:
        """The transport is gone (or is to go). Idempotent."""
        if self._goodbye is None:
            self._end(reason)
            self._spawn(self._announce_loss(reason))

    def replaced(self) -> None:
        """A new connection of the same charger stands; the domain learns it from that one."""
        reason = "replaced by a new connection"
        if self._goodbye is None:
            self._end(reason)
        self._transport.close(1001, reason)

    def _end(self, reason: str) -> None:
        self._goodbye = reason
        self._inbox.clear()
        self._inbox_bytes = 0
        self._asker.outbox.close(reason)

    async def _announce_loss(self, reason: str) -> None:
        try:
            await self._chargers.disconnected(self, reason)
        except Exception:
            log.exception("%s: telling of the disconnection failed", self._station.identity)

    def received(self, data: bytes) -> None:
        """One text frame from the charger. Never raises, never waits."""
        if self._goodbye is not None:
            return
        self.last_heard_s = self._clock.monotonic_s()
        try:
            self._dispatch(data)
        except Exception:
            log.exception("%s: a frame could not be taken", self._station.identity)

    def _dispatch(self, data: bytes) -> None:
        call = framing.usual(data)
        if call is not None and (entry := self._dialect.routes.get(call.action)) is not None:
            call.request = entry.reader.sound(call.payload)
            if call.request is not None:
                self._accept_call(call, len(data))
                return
        frame = framing.parse(data, self._dialect.words)
        if isinstance(frame, Call):
            self._accept_call(frame, len(data))
        elif isinstance(frame, Unreadable):
            self._accept_unreadable(frame, data)
        else:
            self._asker.heard(frame)

    def _accept_call(self, call: Call, size: int) -> None:
        at = self._clock.now()
        self._journal.heard(call, at)
        for name in call.flags:
            self._flag(name, call.action)
        if self._strict and (fault := framing.fault(call)) is not None:
            reply = self._error_reply(call, self.last_heard_s, self._dialect.words.envelope, fault)
            if call.answered:
                self._reply_aside(reply)
            return
        if len(self._inbox) >= INBOX_MAX or self._inbox_bytes + size > INBOX_MAX_BYTES:
            self._flag("inbox_full", call.action)
            reply = self._error_reply(
                call, self.last_heard_s, self._dialect.words.generic, "too many calls waiting"
            )
            if call.answered:
                self._reply_aside(reply)
            return
        if call.action in _PROMPT and self._idle and current_task(self._loop) is None:
            self._handle_now(call, at)
            return
        self._inbox.append((call, at, self.last_heard_s))
        self._inbox_bytes += size
        self._start_worker()

    @property
    def _idle(self) -> bool:
        """Whether nothing of this charger's, or of the connection it replaced, comes first."""
        busy = self._begun is not None or self._worker is not None
        waiting = busy or self._inbox or self._predecessor is not None
        return self._announced and not waiting

    def _handle_now(self, call: Call, at: datetime) -> None:
        """As far as it goes without waiting, and on when what it waits for is there."""
        turn = self._turn(call, at, self.last_heard_s)
        try:
            waits_for = turn.send(None)
        except StopIteration:
            return
        if isinstance(waits_for, asyncio.Future):
            self._begun = Begun(turn, waits_for, self._gone_on)
        else:
            self._worker = self._spawn(self._work(Resumed(turn, waits_for)))

    def _gone_on(self, further: Resumed | None) -> None:
        """What was begun is through, or waits a second time, now in a task."""
        self._begun = None
        if further is not None:
            self._worker = self._spawn(self._work(further))
        else:
            self._start_worker()

    def _start_worker(self) -> None:
        busy = self._begun is not None or self._worker is not None
        if self._inbox and self._announced and not busy:
            self._worker = self._spawn(self._work())

    async def _work(self, under_way: Resumed | None = None) -> None:
        """Answer what is in the inbox, in order; ends when it is empty."""
        try:
            if under_way is not None:
                await under_way
            await self._after_predecessor()
            while self._inbox:
                call, at, heard_s = self._inbox.popleft()
                await self._turn(call, at, heard_s)
                if not self._inbox:
                    self._inbox_bytes = 0
        finally:
            self._worker = None

    async def _turn(self, call: Call, at: datetime, heard_s: float) -> None:
        """One call, from its payload to its answer."""
        exchange = Exchange(self._chargers, self._sessions, self._station, call.message_id, at)
        try:
            entry = self._admitted(call.action)
            request = call.request
            if request is None:
                request = entry.reader.read(call.payload, self._dialect.words, exchange.flag)
            response = await entry.handler(exchange, request)
            if call.action == _BOOT:
                self._booted(exchange, response)
            payload = b"{}" if response is None else _encode(response)
        except (CallRejected, VoltyardError) as error:
            reply = self._refused(call, heard_s, error, exchange)
        except Exception as error:
            log.exception("%s: %s failed", self._station.identity, call.action)
            reply = self._refused(call, heard_s, error, exchange)
        else:
            self._journal.answered(call, "result", payload, heard_s, None, exchange.flags)
            reply = framing.result(call.id_json, payload)
        if call.answered and not (self._goodbye is None and self._transport.push(reply)):
            await self._reply(reply)

    async def _after_predecessor(self) -> None:
        """What the replaced connection was still handling comes first, for a while."""
        predecessor, self._predecessor = self._predecessor, None
        if predecessor is not None and not predecessor.done():
            await self._wait(predecessor, PREDECESSOR_WAIT_S)

    async def _wait(self, task: asyncio.Task[None], timeout_s: float) -> None:
        try:
            async with self._clock.timeout(timeout_s):
                await asyncio.wait([task])
        except TimeoutError:
            log.warning("%s: a message takes long to handle", self._station.identity)

    def _refused(self, call: Call, heard_s: float, error: Exception, exchange: Exchange) -> bytes:
        word, description = self._complaint(call, error)
        return self._error_reply(call, heard_s, word, description, tuple(exchange.flags))

    def _complaint(self, call: Call, error: Exception) -> tuple[str, str]:
        """Word and description of the CALLERROR."""
        words = self._dialect.words
        if isinstance(error, CallRejected):
            return error.word, error.description
        if isinstance(error, (Unauthenticated, Forbidden)):
            return words.security, error.message
        if isinstance(error, Invalid):
            return words.property, error.message
        if isinstance(error, VoltyardError):
            log.warning("%s: %s: %r", self._station.identity, call.action, error)
        return words.internal, "the message could not be handled"

    def _admitted(self, action: str) -> Entry:
        """Who handles it; raises CallRejected if nobody does, or not yet."""
        entry = self._dialect.routes.get(action) or self._unrouted(action)
        if self._held:
            self._check_held(action)
        if not self._accepted and action not in _BEFORE_ACCEPTED | self._asker.triggered:
            raise CallRejected(self._dialect.words.security, "the station is not accepted yet")
        return entry

    def _booted(self, exchange: Exchange, response: Any) -> None:
        self._held = exchange.held
        self._accepted = exchange.held or getattr(response, "status", "") == "Accepted"

    def _check_held(self, action: str) -> None:
        """A charger held back for its limit should be silent (1.6 §4.2, 2.0.1 B02).

        What it tells nevertheless has happened, and is kept; only nobody new is let charge.
        """
        if action in _BEFORE_ACCEPTED | self._asker.triggered:
            return
        self._flag("spoke_while_pending", action)
        if action == "Authorize":
            raise CallRejected(self._dialect.words.security, "the station is not accepted yet")

    def _unrouted(self, action: str) -> NoReturn:
        words = self._dialect.words
        if action in self._dialect.known_actions:
            self._flag("action_unsupported", action)
            raise CallRejected(words.unsupported_action, f"{action} is not supported here")
        self._flag("action_unknown", action)
        raise CallRejected(words.unknown_action, f"{action} is not known")

    def _error_reply(
        self,
        call: Call,
        heard_s: float,
        word: str,
        description: str,
        flags: tuple[str, ...] = (),
    ) -> bytes:
        self._journal.answered(call, "error", description.encode(), heard_s, word, flags)
        return framing.error(call.id_json, word, description)

    async def _reply(self, reply: bytes) -> None:
        """An answer that cannot be delivered is dropped: the charger asks again."""
        if self._goodbye is not None or self._transport.push(reply):
            return
        try:
            await self._transport.send(reply)
        except ChargerOffline as error:
            self.lost(error.detail or error.message)

    def _reply_aside(self, reply: bytes) -> None:
        """Out of order, for what never reached the inbox; of very many, some stay unanswered."""
        if self._asides < ASIDES_MAX:
            self._asides += 1
            self._spawn(self._reply(reply)).add_done_callback(self._aside_done)

    def _aside_done(self, task: asyncio.Task[None]) -> None:
        self._asides -= 1

    def _accept_unreadable(self, frame: Unreadable, data: bytes) -> None:
        self._flag("frame_unreadable", frame.reason)
        now = self._clock.now()
        self._journal.note(
            now, "in", "unreadable", "", "", data[:4096], error_code=frame.word or None
        )
        if frame.reply is not None:
            self._journal.note(now, "out", "error", "", "", frame.reply, error_code=frame.word)
            self._reply_aside(frame.reply)

    def _start_outbox(self) -> None:
        self._spawn(self._asker.outbox.run())

    def _flag(self, name: str, detail: str) -> None:
        self._chargers.flag(self._station, name, detail[:200])

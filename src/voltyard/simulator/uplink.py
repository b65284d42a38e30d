"""A charger's connection to the server: connecting again, booting, and messages kept until heard.

Knows neither version's messages beyond BootNotification and Heartbeat, which are alike in both.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from voltyard.clock import Clock
from voltyard.errors import VoltyardError
from voltyard.simulator.faults import Mischief
from voltyard.simulator.link import BasicAuth, Connection, Link, LinkClosed, LinkRefused
from voltyard.simulator.rpc import CallFailed, CallTimeout, Payload, Reply, Rpc

_CALL_TIMEOUT_S = 30.0
_FIRST_BACKOFF_S = 2.0
_LONGEST_BACKOFF_S = 120.0
_BOOT_RETRY_S = 60.0
_TIMEOUTS_UNTIL_DEAD = 2
_MOST_KEPT = 5000
_LONG_BACKLOG = 50
_LOOK_AT_INTERVAL_S = 60.0


class Offline(VoltyardError):
    """The server cannot be asked now."""

    code = "offline"


@dataclass(slots=True, eq=False)
class Kept:
    """A message of a transaction: kept, in order, until it is answered or given up.

    ``payload`` is built when it is sent, because a 1.6 transaction id may become known late.
    ``droppable`` messages (samples) make room when the queue is full.
    """

    action: str
    payload: Callable[[], Payload]
    answered: Callable[[Payload], None] | None = None
    given_up: Callable[[], None] | None = None
    droppable: bool = False
    attempts: int = 0
    order: int = 0


@dataclass(slots=True)
class UplinkSettings:
    """Retry rules, changed by configuration; heartbeat as the server said at boot."""

    heartbeat_s: float = 300.0
    attempts: int = 3
    retry_s: float = 60.0


class Device(Protocol):
    """The charger, as its uplink sees it."""

    @property
    def subprotocol(self) -> str: ...

    def boot_payload(self, reason: str) -> Payload: ...

    def handle(self, action: str, payload: Payload) -> Reply: ...

    def accepted(self, *, booted: bool) -> None:
        """The server talks to us (again): report every status."""

    def link_lost(self) -> None: ...


@dataclass(slots=True, eq=False)
class _Request:
    action: str
    payload: Payload
    order: int
    answer: asyncio.Future[Payload] | None = None


@dataclass(slots=True)
class _State:
    rpc: Rpc | None = None
    connection: Connection | None = None
    accepted: bool = False
    needs_boot: bool = True
    boot_reason: str = "PowerUp"
    boots: int = 0
    messages: int = 0
    order: int = 0
    timeouts: int = 0
    down_until_s: float = 0.0
    retry_not_before_s: float = 0.0


@dataclass(slots=True)
class Uplink:
    """Runs for as long as the charger does; ``run`` ends only by cancellation."""

    identity: str
    link: Link
    clock: Clock
    device: Device
    mischief: Mischief
    rng: random.Random
    basic_auth: BasicAuth | None = None
    observe: Callable[[str, str, str], None] | None = None
    boots_on_reconnect: bool = False
    message_ids_restart: bool = False
    settings: UplinkSettings = field(default_factory=UplinkSettings)
    kept: deque[Kept] = field(default_factory=deque)
    dropped: int = 0
    _requests: deque[_Request] = field(default_factory=deque)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _boot_now: asyncio.Event = field(default_factory=asyncio.Event)
    _admitted: asyncio.Event = field(default_factory=asyncio.Event)
    _state: _State = field(default_factory=_State)
    _timers: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def online(self) -> bool:
        """Connected and accepted by the server, as far as the charger knows."""
        return self._state.accepted

    @property
    def admitted(self) -> bool:
        """The server's last word on a boot was Accepted; before, nobody may charge (1.6 §4.2)."""
        return self._admitted.is_set()

    async def until_admitted(self) -> None:
        await self._admitted.wait()

    async def run(self) -> None:
        failures = 0
        while True:
            await self._wait_until_up()
            try:
                connection = await self.link.connect(
                    self.identity, [self.device.subprotocol], self.basic_auth
                )
            except (LinkClosed, LinkRefused):
                failures += 1
                await self.clock.sleep(self._backoff_s(failures))
                continue
            failures = 0 if await self._serve(connection) else failures + 1
            await self.clock.sleep(self._backoff_s(failures))

    async def request(self, action: str, payload: Payload) -> Payload:
        """Ask before anything else. Raises ``Offline``, ``CallFailed`` or ``CallTimeout``."""
        if not self.online:
            raise Offline("not connected")
        answer: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
        self._requests.appendleft(_Request(action, payload, 0, answer))
        self._wake.set()
        return await answer

    def notify(self, action: str, payload: Payload) -> None:
        """Tell the server if it can be told now; otherwise it is forgotten."""
        if self.online:
            self._requests.append(_Request(action, payload, self._next_order()))
            self._wake.set()

    def keep(self, message: Kept) -> None:
        """Tell the server sooner or later. A full queue gives up every other old sample."""
        if len(self.kept) >= _MOST_KEPT:
            self._thin_out()
        message.order = self._next_order()
        self.kept.append(message)
        self._wake.set()

    def drop(self, offline_s: float) -> None:
        """The cable is cut for a while."""
        self._state.down_until_s = max(
            self._state.down_until_s, self.clock.monotonic_s() + offline_s
        )
        if self._state.connection is not None:
            self._state.connection.abort()

    def restart(self, reason: str, down_s: float) -> None:
        """The charger restarts: it will send a BootNotification with ``reason``."""
        self._state.needs_boot = True
        self._state.accepted = False
        self._state.boot_reason = reason
        if self.message_ids_restart:
            self._state.messages = 0
        self._fail_requests()
        self.drop(down_s)

    def boot_again(self, reason: str) -> None:
        """The server asked for a BootNotification (TriggerMessage), while pending or later."""
        self._boot_now.set()
        self.notify("BootNotification", self.device.boot_payload(reason))

    async def _wait_until_up(self) -> None:
        while (wait_s := self._state.down_until_s - self.clock.monotonic_s()) > 0:
            await self.clock.sleep(wait_s)

    def _backoff_s(self, failures: int) -> float:
        ceiling_s = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2.0 ** min(failures, 10))
        return self.rng.uniform(0.5, 1.0) * ceiling_s

    async def _serve(self, connection: Connection) -> bool:
        """Until the connection ends; whether the server accepted us on it."""
        state = self._state
        if connection.subprotocol != self.device.subprotocol:
            await connection.close()
            return False
        observe = None
        if self.observe is not None:
            observe = _observer(self.observe, self.identity)
        state.rpc = Rpc(connection, self.clock, self.device.handle, self.mischief, observe)
        state.connection = connection
        state.timeouts = 0
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(state.rpc.run())
                group.create_task(self._talk(state.rpc))
        except* LinkClosed:
            pass
        was_accepted, state.accepted = state.accepted, False
        state.rpc = state.connection = None
        if self.mischief.muted:
            connection.abandon()
            self.mischief.muted = False  # the next connection takes another way
        else:
            connection.abort()
        self._fail_requests()
        self.device.link_lost()
        return was_accepted

    async def _talk(self, rpc: Rpc) -> None:
        state = self._state
        booted = state.needs_boot or self.boots_on_reconnect
        if booted:
            await self._boot(rpc)
        state.accepted = True
        if self.mischief.reorder:
            self._reorder()
        self.device.accepted(booted=booted)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._send_all(rpc))
            group.create_task(self._heartbeats(rpc))

    async def _boot(self, rpc: Rpc) -> None:
        """Until accepted. Pending and Rejected wait as long as the server says (1.6 §4.2)."""
        while True:
            payload = self.device.boot_payload(self._state.boot_reason)
            wait_s = _BOOT_RETRY_S
            try:
                answer = await self._call(rpc, "BootNotification", payload)
            except CallFailed:
                pass
            except CallTimeout as error:
                raise LinkClosed("no answer to the BootNotification") from error
            else:
                interval_s = float(answer.get("interval") or 0)
                if answer.get("status") == "Accepted":
                    self.settings.heartbeat_s = interval_s or self.settings.heartbeat_s
                    self._state.needs_boot = False
                    self._admitted.set()
                    return
                self._admitted.clear()
                wait_s = interval_s or _BOOT_RETRY_S
            self._boot_now.clear()
            with suppress(TimeoutError):
                async with self.clock.timeout(wait_s):
                    await self._boot_now.wait()

    async def _heartbeats(self, rpc: Rpc) -> None:
        """A sign of life whenever nothing else was sent for the interval."""
        while True:
            interval_s = max(1.0, self.settings.heartbeat_s)
            idle_s = self.clock.monotonic_s() - rpc.last_sent_s
            if idle_s >= interval_s - 1e-6:
                self.notify("Heartbeat", {})
                idle_s = 0.0
            await self.clock.sleep(min(interval_s - idle_s, _LOOK_AT_INTERVAL_S))

    async def _send_all(self, rpc: Rpc) -> None:
        while True:
            if self._requests and not self._kept_is_first():
                await self._send_request(rpc, self._requests.popleft())
            elif self.kept and self._may_send_kept():
                await self._send_kept(rpc, self.kept[0])
            else:
                self._wake.clear()
                await self._wake.wait()

    def _kept_is_first(self) -> bool:
        """Messages go in the order they came to be; a long backlog holds nothing else up."""
        if not self.kept or len(self.kept) > _LONG_BACKLOG or not self._may_send_kept():
            return False
        return self.kept[0].order < self._requests[0].order

    def _next_order(self) -> int:
        self._state.order += 1
        return self._state.order

    def _may_send_kept(self) -> bool:
        return self.clock.monotonic_s() >= self._state.retry_not_before_s - 1e-6

    async def _send_request(self, rpc: Rpc, request: _Request) -> None:
        try:
            payload = await self._call(rpc, request.action, request.payload)
        except (CallFailed, CallTimeout) as error:
            if request.answer is not None and not request.answer.done():
                request.answer.set_exception(error)
        except LinkClosed:
            self._requests.appendleft(request)
            raise
        else:
            if request.answer is not None and not request.answer.done():
                request.answer.set_result(payload)

    async def _send_kept(self, rpc: Rpc, message: Kept) -> None:
        try:
            payload = await self._call(rpc, message.action, message.payload())
            if self.mischief.duplicates():
                payload = await self._call(rpc, message.action, message.payload())
        except (CallFailed, CallTimeout):
            self._tried_in_vain(message)
            return
        self._unkeep(message)
        if message.answered is not None:
            message.answered(payload)

    def _tried_in_vain(self, message: Kept) -> None:
        """Try later, a longer time each time (1.6 §3.7.1; 2.0.1 E13.FR.03)."""
        message.attempts += 1
        if message.attempts >= self.settings.attempts:
            self._unkeep(message)
            self.dropped += 1
            if message.given_up is not None:
                message.given_up()
            return
        wait_s = self.settings.retry_s * message.attempts
        self._state.retry_not_before_s = self.clock.monotonic_s() + wait_s
        task = asyncio.create_task(self._wake_after(wait_s))
        self._timers.add(task)
        task.add_done_callback(self._timers.discard)

    def _unkeep(self, message: Kept) -> None:
        if self.kept and self.kept[0] is message:
            self.kept.popleft()
        elif message in self.kept:
            self.kept.remove(message)

    async def _wake_after(self, seconds: float) -> None:
        await self.clock.sleep(seconds)
        self._wake.set()

    async def _call(self, rpc: Rpc, action: str, payload: Payload) -> Payload:
        state = self._state
        state.messages += 1
        message_id = f"{self.identity[-20:]}-{state.messages}"
        copies = 2 if self.mischief.duplicates() else 1
        try:
            answer = await rpc.call(message_id, action, payload, _CALL_TIMEOUT_S, copies)
        except CallTimeout as error:
            state.timeouts += 1
            if state.timeouts >= _TIMEOUTS_UNTIL_DEAD:
                raise LinkClosed("the server does not answer any more") from error
            raise
        state.timeouts = 0
        return answer

    def _fail_requests(self) -> None:
        requests, self._requests = self._requests, deque()
        for request in requests:
            if request.answer is not None and not request.answer.done():
                request.answer.set_exception(Offline("the connection was lost"))

    def _reorder(self) -> None:
        """Swap neighbours among the first kept messages."""
        for index in range(min(len(self.kept), 20) - 1):
            if self.rng.random() < 0.3:
                self.kept[index], self.kept[index + 1] = self.kept[index + 1], self.kept[index]

    def _thin_out(self) -> None:
        """2.0.1 E04.FR.08: of the samples drop every other one, never a start or an end."""
        thinned: deque[Kept] = deque()
        drop = False
        for message in self.kept:
            if message.droppable:
                drop = not drop
                if drop:
                    self.dropped += 1
                    continue
            thinned.append(message)
        self.kept = thinned


def _observer(
    observe: Callable[[str, str, str], None], identity: str
) -> Callable[[str, str], None]:
    return lambda direction, text: observe(identity, direction, text)

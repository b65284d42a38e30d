"""One WebSocket a tab: topics, JSON deltas, sequence numbers, a snapshot after every gap.

A topic's state is asked for once a flush while somebody looks at it; what changed is encoded
once and offered to every subscriber. A client's queue is bounded and drops its oldest frame: the
client sees the gap in the topic's sequence and asks for a snapshot.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

import msgspec
from litestar import WebSocket
from litestar.exceptions import WebSocketDisconnect

from voltyard.clock import Clock, SystemClock
from voltyard.errors import VoltyardError
from voltyard.storage.groupcommit import REFUSALS
from voltyard.tenancy.model import Principal
from voltyard.web.console.data import LiveRecord

log = logging.getLogger(__name__)

Records = Mapping[str, LiveRecord]
Reader = Callable[[Principal, str], Awaitable[Records]]
Still = Callable[[], Awaitable[Principal | None]]
"""Who a socket's cookie stands for now."""
Socket = WebSocket[Any, Any, Any]
Key = tuple[UUID, str, str]

LIVE_REFUSED = 4401
"""The close code that sends a tab to the log-in page."""
STILL_S = 10.0
"""How often a socket asks whether its person is still signed in."""
FLUSH_S = 1.0
QUICK_FLUSH_S = 0.5
SLOW_FLUSH_S = 5.0
QUICK_TOPICS = frozenset({"station", "log"})
SLOW_TOPICS = frozenset({"load"})
"""Topics that are read from the database and move by the minute."""
WORDED_TOPICS = frozenset({"alerts"})
"""Topics that carry sentences, so that each language has its own state."""
QUEUE_FRAMES = 32
TOPICS_PER_CLIENT = 16


class _SignedOut(Exception):
    """Whoever opened the socket may not look any more."""


class Ask(msgspec.Struct):
    """What a tab may say: topics to add, to leave, and to be sent whole again."""

    sub: list[str] = []
    unsub: list[str] = []
    snap: list[str] = []


class Client:
    """One tab: its bounded queue of encoded frames, oldest dropped when it cannot keep up."""

    def __init__(self, who: Principal, queue_frames: int = QUEUE_FRAMES) -> None:
        self.who = who
        self.topics: set[str] = set()
        self.dropped = 0
        self._queue: deque[bytes] = deque(maxlen=queue_frames)
        self._filled = asyncio.Event()

    def offer(self, frame: bytes) -> None:
        if len(self._queue) == self._queue.maxlen:
            self.dropped += 1
        self._queue.append(frame)
        self._filled.set()

    async def take(self) -> bytes:
        """The next frame, waiting for one."""
        while not self._queue:
            self._filled.clear()
            await self._filled.wait()
        return self._queue.popleft()


class Topic:
    """The last state sent for one topic of one organisation, and who is looking at it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seq = 0
        self.records: dict[str, dict[str, object]] = {}
        self.clients: set[Client] = set()
        self.loaded = False
        self.task: asyncio.Task[None] | None = None

    def snapshot(self) -> bytes:
        return _encode({"t": self.name, "q": self.seq, "s": self.records})

    def advance(self, records: Records) -> bytes | None:
        """Take over the new state; the frame that tells of the change, None when there is none."""
        changed, gone = diff(self.records, records)
        self.records = {key: dict(record) for key, record in records.items()}
        if not changed and not gone:
            return None
        self.seq += 1
        frame: dict[str, object] = {"t": self.name, "q": self.seq, "d": changed}
        if gone:
            frame["x"] = gone
        return _encode(frame)


def diff(
    before: Mapping[str, Mapping[str, object]], after: Records
) -> tuple[dict[str, dict[str, object]], list[str]]:
    """Changed fields by key (all fields of a new key), and the keys that are gone."""
    changed: dict[str, dict[str, object]] = {}
    for key, record in after.items():
        old = before.get(key)
        if old is None:
            changed[key] = dict(record)
        elif old != record:
            fields: dict[str, object] = {name: None for name in old if name not in record}
            fields.update((name, value) for name, value in record.items() if old.get(name) != value)
            changed[key] = fields
    return changed, [key for key in before if key not in after]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Ask).decode


class LiveHub:
    """Owns all topics and their flush tasks. ``clock`` is the viewers' time, never a fast one."""

    def __init__(
        self,
        read: Reader,
        clock: Clock | None = None,
        flush_s: float = FLUSH_S,
        still_s: float = STILL_S,
    ) -> None:
        self._read = read
        self._still_s = still_s
        self._clock = clock or SystemClock()
        self._flush_s = flush_s
        self._topics: dict[Key, Topic] = {}

    @property
    def topic_count(self) -> int:
        return len(self._topics)

    async def join(self, client: Client, name: str) -> None:
        """Subscribe and send a snapshot. NotFound or Forbidden when the topic is not theirs."""
        if len(client.topics) >= TOPICS_PER_CLIENT:
            return
        key = _key(client.who, name)
        topic = self._topics.get(key)
        if topic is None or not topic.loaded:
            records = await self._read(client.who, name)
            topic = self._topics.setdefault(key, Topic(name))
            topic.advance(records)
            topic.loaded = True
        topic.clients.add(client)
        client.topics.add(name)
        client.offer(topic.snapshot())
        if topic.task is None:
            topic.task = asyncio.create_task(self._flush(key, topic), name=f"live {name}")

    def leave(self, client: Client, name: str) -> None:
        key = _key(client.who, name)
        client.topics.discard(name)
        topic = self._topics.get(key)
        if topic is None:
            return
        topic.clients.discard(client)
        if not topic.clients:
            del self._topics[key]
            if topic.task is not None:
                topic.task.cancel()

    def resend(self, client: Client, name: str) -> None:
        topic = self._topics.get(_key(client.who, name))
        if topic is not None and client in topic.clients:
            client.offer(topic.snapshot())

    async def _flush(self, key: Key, topic: Topic) -> None:
        """Until the last one leaves: read, find what changed, encode once, offer to all."""
        every_s = self._every_s(key[2].partition(":")[0])
        while True:
            started_s = self._clock.monotonic_s()
            try:
                await self._advance(topic)
            except VoltyardError as error:
                log.info("live topic %s: %s", topic.name, error)
            except Exception:
                log.exception("live topic %s failed; it goes on", topic.name)
            spent_s = self._clock.monotonic_s() - started_s
            await self._clock.sleep(max(every_s - spent_s, every_s / 4))

    def _every_s(self, kind: str) -> float:
        if kind in QUICK_TOPICS:
            return QUICK_FLUSH_S
        return SLOW_FLUSH_S if kind in SLOW_TOPICS else self._flush_s

    async def _advance(self, topic: Topic) -> None:
        who = next(iter(topic.clients)).who
        frame = topic.advance(await self._read(who, topic.name))
        if frame is not None:
            for client in topic.clients:
                client.offer(frame)

    async def serve(self, socket: Socket, who: Principal, still: Still) -> None:
        """One tab's socket until it closes, or whoever opened it is signed out, switched off, or at
        work somewhere else."""
        client = Client(who)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_send(socket, client))
                tasks.create_task(self._watch(who, still))
                await self._listen(socket, client)
        except* WebSocketDisconnect:
            pass
        except* _SignedOut:
            with suppress(WebSocketDisconnect):
                await socket.close(code=LIVE_REFUSED, reason="sign in")
        finally:
            for name in list(client.topics):
                self.leave(client, name)

    async def _watch(self, who: Principal, still: Still) -> None:
        while True:
            await self._clock.sleep(self._still_s)
            try:
                now = await still()
            except REFUSALS as error:
                log.warning("a live socket of %s could not be checked: %r", who.name, error)
                continue
            if now is None or (now.org_id, now.permissions) != (who.org_id, who.permissions):
                raise _SignedOut

    async def _listen(self, socket: Socket, client: Client) -> None:
        while True:
            try:
                ask = _decode(await socket.receive_data(mode="text"))
            except msgspec.DecodeError:
                log.info("live socket of %s sent nonsense", client.who.name)
                continue
            for name in ask.unsub:
                self.leave(client, name)
            for name in ask.sub:
                await self._try_join(client, name)
            for name in ask.snap:
                self.resend(client, name)

    async def _try_join(self, client: Client, name: str) -> None:
        try:
            await self.join(client, name)
        except VoltyardError as error:
            client.offer(_encode({"t": name, "e": error.code}))

    async def close(self) -> None:
        """Stop all flushing, at shutdown."""
        tasks = [topic.task for topic in self._topics.values() if topic.task is not None]
        self._topics.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _key(who: Principal, name: str) -> Key:
    """Whose state of a topic it is: the organisation's, and the language's where it has words."""
    return who.org_id, who.locale if name in WORDED_TOPICS else "", name


async def _send(socket: Socket, client: Client) -> None:
    while True:
        await socket.send_data((await client.take()).decode(), mode="text")

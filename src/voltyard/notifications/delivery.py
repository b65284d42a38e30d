"""Messages leave: leased, tried, tried again, bundled; each one's end is written down."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from voltyard.clock import Clock
from voltyard.errors import VoltyardError
from voltyard.notifications import store
from voltyard.notifications.desk import Desk
from voltyard.notifications.model import DIGEST, TEST, Channel, Notification, State, Target
from voltyard.notifications.ports import Message, Sealer, Sender, Undeliverable
from voltyard.notifications.wording import Wording
from voltyard.storage.engine import Database
from voltyard.tenancy import scope
from voltyard.units import iso_z

log = logging.getLogger(__name__)

PAUSES_S = (10.0, 60.0, 300.0, 1800.0, 2 * 3600.0, 6 * 3600.0, 12 * 3600.0)
"""After these (about a day) a message has failed."""
LEASE_S = 180.0
IDLE_S = 60.0
AT_ONCE = 8
TROUBLE = 3
"""So many attempts in vain are told."""
SECRET_OVERLAP = timedelta(hours=24)
"""How long a webhook is signed with the secret before the present one, too."""
ANSWER_MAX = 300


class Delivery:
    """``run_due`` is called every few seconds; while nothing is due it costs nothing."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        desk: Desk,
        wording: Wording,
        sealer: Sealer,
        senders: Mapping[Channel, Sender],
        *,
        holder: str,
    ) -> None:
        self._database = database
        self._clock = clock
        self._desk = desk
        self._wording = wording
        self._sealer = sealer
        self._senders = senders
        self._holder = holder
        self._look_at: datetime | None = None
        self.working: dict[UUID, bool] = {}
        """By target: whether its last message arrived. Emptied by whoever reads it."""

    def wake(self) -> None:
        self._look_at = None

    async def recover(self) -> None:
        """At start: what this process had in hand when it died is sent at once.

        Nobody knows whether it arrived; it goes out with the same id.
        """
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            await store.release(tx, self._holder)

    async def run_due(self) -> int:
        """Send what is due; how many arrived."""
        now = self._clock.now()
        if self._look_at is not None and now < self._look_at:
            return 0
        self._look_at = now + timedelta(seconds=IDLE_S)
        await self._bundle(now)
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            until = now + timedelta(seconds=LEASE_S)
            notes = await store.lease(tx, self._holder, now, until)
            following = None if notes else await store.next_due(tx)
        if notes:
            self._look_at = None
        elif following is not None and self._look_at is not None:  # not woken meanwhile
            self._look_at = min(self._look_at, max(following, now + timedelta(seconds=1)))
        return await self._send_all(notes)

    async def _send_all(self, notes: Sequence[Notification]) -> int:
        """Targets beside each other, the messages of one in their order."""
        of_target: dict[UUID | None, list[Notification]] = {}
        for note in notes:
            of_target.setdefault(note.target_id, []).append(note)
        gate = asyncio.Semaphore(AT_ONCE)
        done = await asyncio.gather(
            *(self._send_some(gate, some) for some in of_target.values()), return_exceptions=True
        )
        for each in done:
            if isinstance(each, Exception):
                log.error("sending failed unexpectedly", exc_info=each)
        return sum(each for each in done if isinstance(each, int))

    async def _send_some(self, gate: asyncio.Semaphore, notes: Sequence[Notification]) -> int:
        async with gate:
            for place, note in enumerate(notes):
                try:
                    answer = await self._send(note)
                except VoltyardError as error:
                    log.warning("%s to %s: %s %s", note.topic, note.target, error, error.detail)
                    told = _undeliverable(error)
                    if await self._failed(note, [n.id for n in notes[place + 1 :]], told):
                        return place
                else:
                    await self._arrived(note, answer)
        return len(notes)

    async def _send(self, note: Notification) -> str:
        target = self._desk.book(note.org_id).targets.get(note.target_id or note.id)
        if target is None or not target.enabled:
            raise Undeliverable("The target is switched off.", final=True)
        if target.user_id is not None and not await self._is_there(target):
            raise Undeliverable("This person may not sign in any more.", final=True)
        sender = self._senders.get(note.channel)
        if sender is None:
            raise Undeliverable(
                "The settings name no provider of this channel.", detail=note.channel.value
            )
        message = Message(
            id=note.id,
            address=target.address,
            subject=note.subject,
            body=note.body,
            severity=note.severity,
            topic=note.topic,
            created_at=note.created_at,
            sent_at=self._clock.now(),
            payload=note.payload,
            secrets=await self._secrets(target),
        )
        return await sender.send(message)

    async def _is_there(self, target: Target) -> bool:
        """Whoever has left is not told of what goes on, however many routes still name them."""
        async with scope.transaction(self._database, scope.of(target.org_id)) as tx:
            return await store.user_active(tx, target.org_id, target.user_id)

    async def _secrets(self, target: Target) -> tuple[str, ...]:
        if target.channel not in (Channel.WEBHOOK, Channel.CHAT):
            return ()
        async with scope.transaction(self._database, scope.of(target.org_id)) as tx:
            present, before, changed_at = await store.secrets(tx, target.id)
        fresh = changed_at is not None and self._clock.now() < changed_at + SECRET_OVERLAP
        sealed = [present, before if fresh else None]
        about = str(target.id)
        found = tuple(self._sealer.open(each, about) for each in sealed if each is not None)
        if not found:
            raise Undeliverable("The target has no secret.", final=True)
        return found

    async def _arrived(self, note: Notification, answer: str) -> None:
        async with scope.transaction(self._database, scope.of(note.org_id)) as tx:
            await store.settle(
                tx, note.id, State.SENT, answer[:ANSWER_MAX], sent_at=self._clock.now()
            )
        if note.target_id is not None:
            self.working[note.target_id] = True

    async def _failed(self, note: Notification, rest: Sequence[UUID], error: Undeliverable) -> bool:
        """Whether the rest of the target's messages waits, too."""
        answer = error.message[:ANSWER_MAX]
        last = note.attempts > len(PAUSES_S) or note.topic == TEST
        async with scope.transaction(self._database, scope.of(note.org_id)) as tx:
            if error.final or last:
                await store.settle(tx, note.id, State.FAILED, answer)
                if error.gone and note.target_id is not None:
                    await store.enable_target(tx, note.target_id, enabled=False)
            else:
                planned_s = PAUSES_S[note.attempts - 1]
                pause_s = max(planned_s, error.retry_after_s or 0.0)
                due_at = self._clock.now() + timedelta(seconds=pause_s)
                await store.put_off(tx, note, rest, due_at, answer)
            if error.gone:
                book = self._desk.book(note.org_id)
                self._desk.write(note.org_id, await store.targets(tx), list(book.routes))
        if note.target_id is not None and (error.final or note.attempts >= TROUBLE):
            self.working[note.target_id] = False
        return not (error.final or last)

    async def _bundle(self, now: datetime) -> None:
        """What waits for a digest whose time has come becomes one message a target."""
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            held = await store.due_bundles(tx, now)
            parts: dict[UUID, list[Notification]] = {}
            for note in held:
                if note.target_id is not None:
                    parts.setdefault(note.target_id, []).append(note)
            for target_id, some in parts.items():
                target = self._desk.book(some[0].org_id).targets.get(target_id)
                if target is None:
                    continue
                made = self._digest(target, some, now)
                await store.insert(tx, [made])
                await store.bundle(tx, [note.id for note in some], made.id)

    def _digest(self, target: Target, parts: Sequence[Notification], now: datetime) -> Notification:
        where = self._desk.setting(target.org_id, _one_site(parts))
        subject, body = self._wording.digest(target, parts, where)
        payload = None
        if target.channel is Channel.WEBHOOK:
            entries = [part.payload["data"] for part in parts if part.payload is not None]
            data = {"subject": subject, "body": body, "notifications": entries}
            payload = {"type": "digest", "timestamp": iso_z(now), "data": data}
        return Notification(
            id=uuid5(target.id, " ".join(["digest", *(str(part.id) for part in parts)])),
            org_id=target.org_id,
            target_id=target.id,
            target=target.name,
            channel=target.channel,
            kind=DIGEST,
            severity=max((part.severity for part in parts), key=lambda each: each.rank),
            topic=DIGEST,
            subject=subject,
            body=body,
            payload=payload,
            state=State.WAITING,
            created_at=now,
            due_at=now,
        )


def _undeliverable(error: VoltyardError) -> Undeliverable:
    """What else goes wrong (a secret that this key does not open) no further attempt mends."""
    if isinstance(error, Undeliverable):
        return error
    return Undeliverable(error.message, final=True, detail=error.detail)


def _one_site(parts: Sequence[Notification]) -> UUID | None:
    """The site that all of them are about; its clock is that of the digest."""
    found = {part.site_id for part in parts}
    return found.pop() if len(found) == 1 else None

"""Events that must reach their handlers: kept with the commit of what they tell, and told again.

Whoever commits an event with ``log_write`` and marks it with ``told_write`` once it is published
has it delivered at least once, over crashes. A delivery that failed is retried by its handler.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import msgspec

from voltyard.bus import Bus
from voltyard.clock import Clock
from voltyard.storage.engine import Database, Row
from voltyard.storage.groupcommit import Write
from voltyard.tenancy import scope

log = logging.getLogger(__name__)

_NAMESPACE = UUID("5d1f4b3a-1a55-4f6c-9a35-0f3e5c7f2b10")
RETRY_FIRST_S = 10.0
RETRY_LAST_S = 3600.0
IDLE_LOOK_S = 300.0
MAX_ATTEMPTS = 20
"""After these (about half a day) an event stays in the table but is not tried any more."""


UNTOLD_AT_ONCE = 500
TOLD_KEPT = timedelta(days=30)
TIDY_EVERY = timedelta(days=1)


def log_write(event: Any) -> Write:
    """The event as a row of the log, for the commit of what it tells."""
    return Write(
        "event_log",
        {
            "org_id": event.org_id,
            "at": event.at,
            "kind": type(event).__name__,
            "payload": msgspec.to_builtins(event),
            "key": _key(event),
        },
        ("key",),
    )


def told_write(event: object) -> Write:
    """The event was published. May be lost: then it is published once more after a restart."""
    return Write("event_log", {"key": _key(event), "told": True}, ("key",), update=True)


def _key(event: object) -> UUID:
    """The same event has the same key, whoever asks."""
    return uuid5(_NAMESPACE, f"{type(event).__name__} {msgspec.json.encode(event).decode()}")


async def tell_untold(database: Database, bus: Bus) -> int:
    """Publish what a crash kept from being published, oldest first; how many events.

    For the start, before chargers are let in: handlers get them before what comes after.
    """
    types, count, after = bus.events(), 0, 0
    while True:
        async with scope.transaction(database, scope.SYSTEM) as tx:
            rows = await tx.all(
                "SELECT id, kind, payload FROM event_log WHERE NOT told AND id > :after"
                " ORDER BY id LIMIT :limit",
                {"after": after, "limit": UNTOLD_AT_ONCE},
            )
        if not rows:
            return count
        after = rows[-1]["id"]
        for row in rows:
            event_type = types.get(row["kind"])
            if event_type is not None:
                await bus.publish(_restored(row, event_type))
                count += 1
        async with scope.transaction(database, scope.SYSTEM) as tx:
            await tx.execute(
                "UPDATE event_log SET told = true WHERE NOT told AND id <= :last", {"last": after}
            )


def _restored(row: Row, event_type: type) -> object:
    event: object = msgspec.convert(row["payload"], event_type, strict=False)
    return event


class EventRetries:
    """Keeps failed deliveries in ``event_retries``; ``Bus`` is given this as its retry store."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._look_at: datetime | None = None
        self._tidied_at: datetime | None = None

    async def keep(self, event: object, handler: str, error: str) -> None:
        """Store one failed delivery. Never raises: the bus goes on whatever happens here."""
        org_id = getattr(event, "org_id", None)
        if not isinstance(org_id, UUID):
            log.error("%s has no organisation; its delivery is not retried", type(event).__name__)
            return
        self._look_at = None
        try:
            await self._insert(event, org_id, handler, error)
        except Exception:
            log.exception("a failed delivery of %s could not be kept", type(event).__name__)

    async def _insert(self, event: object, org_id: UUID, handler: str, error: str) -> None:
        payload = msgspec.json.encode(event).decode()
        kind = type(event).__name__
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            await tx.execute(
                "INSERT INTO event_retries (event_key, org_id, handler, kind, payload, attempts,"
                " next_at, error) VALUES (:key, :org_id, :handler, :kind,"
                " CAST(:payload AS jsonb), 1, :next_at, :error)"
                " ON CONFLICT (event_key, handler) DO UPDATE SET error = excluded.error",
                {
                    "key": _key(event),
                    "org_id": org_id,
                    "handler": handler,
                    "kind": kind,
                    "payload": payload,
                    "next_at": self._clock.now() + timedelta(seconds=RETRY_FIRST_S),
                    "error": error,
                },
            )

    async def redeliver(self, bus: Bus, limit: int = 100) -> int:
        """Try what is due; how many deliveries succeeded.

        While nothing waits, the table is looked at now and then only, for what others kept.
        """
        now = self._clock.now()
        if self._tidied_at is None or now - self._tidied_at >= TIDY_EVERY:
            self._tidied_at = now
            await self._tidy(now - TOLD_KEPT)
        if self._look_at is not None and now < self._look_at:
            return 0
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            rows = await tx.all(
                "SELECT event_key, handler, kind, payload, attempts FROM event_retries"
                " WHERE next_at <= :now AND attempts < :most ORDER BY next_at, event_key, handler"
                " LIMIT :limit",
                {"now": now, "most": MAX_ATTEMPTS, "limit": limit},
            )
            waiting = rows or await tx.all("SELECT 1 FROM event_retries LIMIT 1")
        self._look_at = None if waiting else now + timedelta(seconds=IDLE_LOOK_S)
        types = bus.events()
        done = 0
        for row in rows:
            done += await self._redeliver(bus, types, row)
        return done

    async def _tidy(self, before: datetime) -> None:
        """What was told long ago is of no more use."""
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            await tx.execute("DELETE FROM event_log WHERE told AND at < :at", {"at": before})

    async def _redeliver(self, bus: Bus, types: dict[str, type], row: Row) -> bool:
        key = {"key": row["event_key"], "handler": row["handler"]}
        try:
            event_type = types.get(row["kind"])
            if event_type is None:
                raise LookupError(f"nobody listens to {row['kind']} any more")
            await bus.redeliver(_restored(row, event_type), row["handler"])
        except Exception as error:
            log.warning("%s failed again on %s", row["handler"], row["kind"], exc_info=True)
            await self._later(key, row["attempts"], repr(error))
            return False
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            await tx.execute(
                "DELETE FROM event_retries WHERE event_key = :key AND handler = :handler", key
            )
        return True

    async def _later(self, key: dict[str, Any], attempts: int, error: str) -> None:
        pause_s = min(RETRY_LAST_S, RETRY_FIRST_S * 2.0**attempts)
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            await tx.execute(
                "UPDATE event_retries SET attempts = attempts + 1, next_at = :next_at,"
                " error = :error WHERE event_key = :key AND handler = :handler",
                {
                    **key,
                    "next_at": self._clock.now() + timedelta(seconds=pause_s),
                    "error": error,
                },
            )

    async def waiting(self) -> Sequence[Row]:
        """Deliveries that still fail, oldest first, at most 500."""
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            return await tx.all(
                "SELECT org_id, handler, kind, attempts, next_at, error FROM event_retries"
                " ORDER BY next_at LIMIT 500"
            )

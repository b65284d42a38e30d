"""Background work that survives a crash: leases, leased jobs in PostgreSQL, periodic tasks."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from voltyard.clock import Clock, ticks
from voltyard.ids import new_id
from voltyard.storage.engine import Database, Row
from voltyard.tenancy import scope

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 8
RETRY_FIRST_S = 10.0
RETRY_LAST_S = 3600.0


SPARE_S = 240.0
"""How long a lease of a periodic task outlasts four of its runs: it need not be renewed often.
After a death another process takes over when it ends; one of the same name does at once."""


class Leases:
    """Who does what only one process may do. ``holder`` names this process.

    A process that starts again under its old name takes its own leases over at once.
    """

    def __init__(self, database: Database, clock: Clock, holder: str) -> None:
        self._database = database
        self._clock = clock
        self.holder = holder
        self._held: dict[str, datetime] = {}

    async def hold(self, name: str, ttl_s: float) -> datetime | None:
        """As ``take``, but a lease of ours that has most of its time left is not renewed yet."""
        expires_at = self._held.get(name)
        if expires_at is not None:
            left_s = (expires_at - self._clock.now()).total_seconds()
            if left_s > ttl_s / 2.0:
                return expires_at
        return await self.take(name, ttl_s)

    async def take(self, name: str, ttl_s: float) -> datetime | None:
        """Take or renew; until when it is ours, None while another holds it.

        A lease that ends much later than any could (the clock was set back) does not count.
        """
        now = self._clock.now()
        expires_at = now + timedelta(seconds=ttl_s)
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            row = await tx.one(
                "INSERT INTO leases (name, holder, expires_at) VALUES (:name, :holder, :expires_at)"
                " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder,"
                " expires_at = excluded.expires_at WHERE leases.holder = excluded.holder"
                " OR leases.expires_at <= :now OR leases.expires_at > :absurd RETURNING name",
                {
                    "name": name,
                    "holder": self.holder,
                    "expires_at": expires_at,
                    "now": now,
                    "absurd": now + timedelta(seconds=10.0 * ttl_s),
                },
            )
        self._held.pop(name, None)
        if row is None:
            return None
        self._held[name] = expires_at
        return expires_at

    async def give_up(self, name: str) -> None:
        self._held.pop(name, None)
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            await tx.execute(
                "DELETE FROM leases WHERE name = :name AND holder = :holder",
                {"name": name, "holder": self.holder},
            )


JobHandler = Callable[[Mapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Job:
    id: UUID
    kind: str
    payload: Mapping[str, Any]
    attempts: int


class Jobs:
    """At-least-once: a job whose worker dies is run again when its lease ends."""

    def __init__(
        self, database: Database, clock: Clock, holder: str, *, lease_s: float = 300.0
    ) -> None:
        self._database = database
        self._clock = clock
        self._holder = holder
        self._lease_s = lease_s
        self._handlers: dict[str, JobHandler] = {}

    def handle(self, kind: str, handler: JobHandler) -> None:
        """One handler a kind; it must bear being run twice."""
        if kind in self._handlers:
            raise ValueError(f"{kind} has a handler already")
        self._handlers[kind] = handler

    async def add(
        self,
        kind: str,
        payload: Mapping[str, Any],
        *,
        org_id: UUID | None = None,
        run_at: datetime | None = None,
        unique_key: str | None = None,
    ) -> None:
        """Queue a job; nothing happens while one with the same ``unique_key`` is not done."""
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            await tx.execute(
                "INSERT INTO jobs (id, org_id, kind, payload, run_at, unique_key) VALUES"
                " (:id, :org_id, :kind, CAST(:payload AS jsonb), :run_at, :unique_key)"
                " ON CONFLICT DO NOTHING",
                {
                    "id": new_id(),
                    "org_id": org_id,
                    "kind": kind,
                    "payload": msgspec.json.encode(payload).decode(),
                    "run_at": run_at or self._clock.now(),
                    "unique_key": unique_key,
                },
            )

    async def run(self, every_s: float = 5.0) -> None:
        """Until cancelled."""
        async for _ in ticks(self._clock, every_s):
            try:
                await self.run_due()
            except Exception:
                log.exception("looking for jobs failed")

    async def run_due(self, limit: int = 20) -> int:
        """Run what is due, one after the other; how many were run."""
        if not self._handlers:
            return 0
        jobs = await self._lease(limit)
        for job in jobs:
            await self._run(job)
        return len(jobs)

    async def _lease(self, limit: int) -> list[_Job]:
        now = self._clock.now()
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            rows = await tx.all(
                "UPDATE jobs SET leased_until = :until, leased_by = :holder,"
                " attempts = attempts + 1 WHERE id IN (SELECT id FROM jobs WHERE done_at IS NULL"
                " AND run_at <= :now AND (leased_until IS NULL OR leased_until <= :now)"
                " AND kind = ANY(CAST(:kinds AS text[])) ORDER BY run_at, id LIMIT :limit"
                " FOR UPDATE SKIP LOCKED) RETURNING id, kind, payload, attempts, run_at",
                {
                    "until": now + timedelta(seconds=self._lease_s),
                    "holder": self._holder,
                    "now": now,
                    "kinds": sorted(self._handlers),
                    "limit": limit,
                },
            )
        rows = sorted(rows, key=lambda row: (row["run_at"], row["id"]))
        return [_job(row) for row in rows]

    async def _run(self, job: _Job) -> None:
        try:
            async with self._clock.timeout(self._lease_s):
                await self._handlers[job.kind](job.payload)
        except Exception as error:
            log.exception("job %s %s failed (attempt %d)", job.kind, job.id, job.attempts)
            await self._failed(job, repr(error))
        else:
            await self._close(job, error=None)

    async def _failed(self, job: _Job, error: str) -> None:
        if job.attempts >= MAX_ATTEMPTS:
            await self._close(job, error=error)
            return
        pause_s = min(RETRY_LAST_S, RETRY_FIRST_S * 2.0 ** (job.attempts - 1))
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            await tx.execute(
                "UPDATE jobs SET run_at = :run_at, leased_until = NULL, leased_by = NULL,"
                " error = :error WHERE id = :id",
                {
                    "run_at": self._clock.now() + timedelta(seconds=pause_s),
                    "error": error,
                    "id": job.id,
                },
            )

    async def _close(self, job: _Job, *, error: str | None) -> None:
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            await tx.execute(
                "UPDATE jobs SET done_at = :now, leased_until = NULL, error = :error"
                " WHERE id = :id",
                {"now": self._clock.now(), "error": error, "id": job.id},
            )

    async def forget_done(self, older_than: datetime) -> int:
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            return await tx.execute("DELETE FROM jobs WHERE done_at < :at", {"at": older_than})


def _job(row: Row) -> _Job:
    return _Job(row["id"], row["kind"], row["payload"], row["attempts"])


@dataclass(frozen=True, slots=True)
class Periodic:
    """Work done every ``every_s`` by whichever process holds its lease."""

    name: str
    every_s: float
    work: Callable[[], Awaitable[object]]
    spare_s: float = SPARE_S

    def paced(self, pace: float) -> "Periodic":
        """The same, that many times as seldom."""
        return replace(self, every_s=self.every_s * pace, spare_s=self.spare_s * pace)


async def run_periodic(leases: Leases, clock: Clock, task: Periodic) -> None:
    """Until cancelled; a run that fails is logged and the next one tries again."""
    name = f"periodic:{task.name}"
    try:
        async for _ in ticks(clock, task.every_s):
            try:
                if await leases.hold(name, task.every_s * 4.0 + task.spare_s) is not None:
                    await task.work()
            except Exception:
                log.exception("periodic task %s failed", task.name)
    finally:
        with suppress(asyncio.CancelledError, OSError):
            await leases.give_up(name)

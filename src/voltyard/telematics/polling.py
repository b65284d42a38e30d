"""Systems that are asked: each when it is due, again and again, later when it fails."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.errors import Conflict, Invalid
from voltyard.telematics.fetching import Fetcher
from voltyard.telematics.model import POLLED, Connection, Kind, Outcome, Result, Status
from voltyard.telematics.ports import Page, Secrets, Source, Unreadable
from voltyard.telematics.service import TelematicsService
from voltyard.telematics.sources.geotab import Geotab
from voltyard.telematics.sources.rfms import Rfms
from voltyard.telematics.sources.samsara import Samsara
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal

log = logging.getLogger(__name__)

AT_ONCE_MAX = 8
PAGES_MAX = 10
BACK_OFF_MAX_S = 3600.0
SOON_S = 5.0
REFUSED_S = 900.0
"""Who does not let us in is not asked again soon: accounts are locked for that."""


def sources(fetcher: Fetcher) -> Mapping[Kind, Source]:
    """Every system that can be asked."""
    return {
        Kind.GEOTAB: Geotab(fetcher),
        Kind.SAMSARA: Samsara(fetcher),
        Kind.RFMS: Rfms(fetcher),
    }


@dataclass(frozen=True, slots=True)
class Tried:
    """What one attempt brought. ``why`` is empty when it worked."""

    why: str = ""
    vehicles: int = 0
    unknown: int = 0
    observations: int = 0


class Poller:
    """``tick`` every few seconds by whichever process holds its lease; it begins what is due and
    does not wait for it: one slow system holds up no other."""

    def __init__(
        self, room: TelematicsService, fetcher: Fetcher, known: Mapping[Kind, Source] | None = None
    ) -> None:
        self._room = room
        self._fetcher = fetcher
        self._sources = known or sources(fetcher)
        self._tasks: dict[UUID, asyncio.Task[Tried]] = {}

    async def tick(self) -> int:
        """How many were begun."""
        now, begun = self._room.clock.now(), 0
        for connection, status in self._room.all():
            if len(self._tasks) >= AT_ONCE_MAX:
                break
            due = status.next_at is None or status.next_at <= now
            if connection.enabled and connection.kind in POLLED and due:
                begun += self._begin(connection)
        return begun

    def _begin(self, connection: Connection) -> bool:
        if connection.id in self._tasks:
            return False
        now = self._room.clock.now()
        self._room.begun(connection.id, now + timedelta(seconds=connection.poll_s))
        task = asyncio.get_running_loop().create_task(
            self._asked(connection), name=f"telematics {connection.id}"
        )
        self._tasks[connection.id] = task
        task.add_done_callback(lambda done: self._ended(connection.id, done))
        return True

    def _ended(self, connection_id: UUID, done: asyncio.Task[Tried]) -> None:
        self._tasks.pop(connection_id, None)
        if not done.cancelled() and done.exception() is not None:
            log.error("asking connection %s failed", connection_id, exc_info=done.exception())

    async def settled(self) -> None:
        """When nothing that was begun is under way any more."""
        while self._tasks:
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def soon(self, connection: Connection) -> None:
        """Somebody says that there is news; who fails, or was asked just now, has its turn."""
        known = self._room.current(connection.id)
        if known is None or not connection.enabled or connection.kind not in POLLED:
            return
        asked_at, now = known[1].asked_at, self._room.clock.now()
        rested = asked_at is None or now - asked_at >= timedelta(seconds=SOON_S)
        if rested and known[1].failures == 0:
            self._begin(connection)

    async def ask(self, who: Principal, connection_id: UUID) -> Tried:
        """Ask now, for a person who waits; the answer counts as any other.

        Raises NotFound, Conflict for connections that are not asked.
        """
        require(who, Permission.FLEET_WRITE)
        connection = self._room.view(who, connection_id).connection
        if connection.kind not in POLLED:
            raise Conflict("This connection is not asked, it tells.", code="not_asked")
        self._begin(connection)
        return await asyncio.shield(self._tasks[connection.id])

    async def close(self) -> None:
        for task in list(self._tasks.values()):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self._fetcher.close()

    async def _asked(self, connection: Connection) -> Tried:
        """Page by page; where it stands is stored after what came before it."""
        after_s, outcomes = 0.0, list[Outcome]()
        try:
            secrets = self._room.secrets(connection.id)
            for _ in range(PAGES_MAX):
                known = self._room.current(connection.id)
                if known is None or known[0] != connection:
                    return Tried("It was changed meanwhile.")
                page = await self._page(connection, secrets, known[1])
                outcomes += await self._room.heard(connection, page.told, page.assets)
                after_s = page.after_s or 0.0
                await self._went(connection, page.cursor, after_s, more=page.more)
                if not page.more:
                    break
        except (Unreadable, Invalid) as error:
            await self._failed(connection, error)
            return Tried(f"{error.message} {error.detail}".strip()[:300])
        return _tried(outcomes)

    async def _page(self, connection: Connection, secrets: Secrets, status: Status) -> Page:
        return await self._sources[connection.kind].page(
            connection, secrets, status.cursor, self._room.clock.now()
        )

    async def _went(
        self, connection: Connection, cursor: Mapping[str, str], after_s: float, *, more: bool
    ) -> None:
        known = self._room.current(connection.id)
        if known is None or known[0] != connection:
            return
        now = self._room.clock.now()
        pause_s = after_s if more else max(connection.poll_s, after_s)
        next_at = now + timedelta(seconds=pause_s)
        changed = replace(known[1], cursor=dict(cursor), asked_at=now, next_at=next_at)
        await self._room.asked(connection.id, changed)

    async def _failed(self, connection: Connection, error: Unreadable | Invalid) -> None:
        known = self._room.current(connection.id)
        if known is None or known[0] != connection:
            return
        now, status = self._room.clock.now(), known[1]
        failures = status.failures + 1
        if failures == 1:
            log.info("connection %s: %s %s", connection.name, error.message, error.detail)
        await self._room.asked(
            connection.id,
            replace(
                status,
                failures=failures,
                fault=error.message[:300],
                fault_at=now,
                asked_at=now,
                next_at=again_at(connection, failures, error, now),
            ),
        )


def again_at(
    connection: Connection, failures: int, error: Unreadable | Invalid, now: datetime
) -> datetime:
    """Twice as late each time; as late as it says itself, where it says so."""
    pause_s = min(BACK_OFF_MAX_S, connection.poll_s * 2.0 ** min(failures, 10))
    if not isinstance(error, Unreadable) or error.refused:
        pause_s = max(pause_s, REFUSED_S)
    elif error.after_s is not None:
        pause_s = max(connection.poll_s, error.after_s)
    return now + timedelta(seconds=pause_s)


def _tried(outcomes: list[Outcome]) -> Tried:
    seen = {outcome.vehicle_id for outcome in outcomes if outcome.vehicle_id is not None}
    unknown = sum(outcome.result is Result.UNKNOWN_VEHICLE for outcome in outcomes)
    return Tried("", len(seen), unknown, len(outcomes))

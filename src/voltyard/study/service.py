"""Studies of an organisation: asked for, run in turn beside everything else, kept."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Protocol
from uuid import UUID

import msgspec

from voltyard.clock import Clock, SystemClock
from voltyard.errors import Conflict, Invalid, NotFound, TooMany
from voltyard.ids import new_id
from voltyard.storage.engine import Database, Tx
from voltyard.study import store
from voltyard.study.model import Study
from voltyard.study.orders import (
    TITLE_LONGEST,
    Order,
    Progress,
    Source,
    State,
    Stored,
    StudyFilter,
    Upload,
    check,
)
from voltyard.study.past import Past
from voltyard.study.processes import Answer, Lost, Worker
from voltyard.tenancy import audit, scope
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal

log = logging.getLogger(__name__)

KEPT_MAX = 200
WAITING_MAX = 10
ATTEMPTS_MAX = 3
AT_ONCE = 2
"""Of different organisations: nobody waits for all that another has asked for."""
LONGEST_S = 3_600.0
"""Of the machine's own time: what takes longer is ended."""
_TOLD_EVERY_S = 0.7
ALL = StudyFilter()


class Pasts(Protocol):
    async def past(
        self, who: Principal, site_id: UUID, from_at: datetime, until_at: datetime
    ) -> Past: ...


class StudyService:
    """``create`` returns at once; a process of its own does the work. One study of an organisation
    runs at a time; of those who wait, whoever's last one began longest ago comes next.

    What a study is of is kept with it, so that a run can be repeated after a restart and its
    figures do not change with the site.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        pasts: Pasts,
        worker: Worker,
        machine: Clock | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self.pasts = pasts
        self.worker = worker
        self._machine = machine or SystemClock()  # a process is no faster where time is
        self._running: dict[UUID, asyncio.Task[None]] = {}
        self._next: asyncio.Task[None] | None = None
        self._taking = self._look = False
        self._closing = False

    async def load(self) -> None:
        """At start: what a former process left under way is run again, at most three times."""
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            await store.left_running(tx, ATTEMPTS_MAX, self._clock.now())

    async def close(self) -> None:
        """The server ends: what runs now is run again at the next start."""
        self._closing = True
        tasks = self._under_way()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Asking

    async def create(
        self,
        who: Principal,
        title: str,
        order: Order,
        files: Mapping[str, Upload] | None = None,
        *,
        remote: str = "",
    ) -> Stored:
        """Raises Forbidden, NotFound, TooMany, and Invalid with what period or order lacks."""
        require(who, Permission.DUTIES_WRITE)
        files = files or {}
        check(order, files)
        past: Past | None = None
        if order.source is Source.SITE:
            assert order.site_id is not None
            assert order.from_at is not None
            assert order.until_at is not None
            past = await self.pasts.past(who, order.site_id, order.from_at, order.until_at)
        study = Stored(
            id=new_id(),
            org_id=who.org_id,
            site_id=order.site_id if order.source is Source.SITE else None,
            title=_title(title, order, past, files),
            state=State.WAITING,
            order=order,
            asked_by=who.name,
            asked_at=self._clock.now(),
            remarks=() if past is None else past.remarks,
            facts={} if past is None else past.facts,
        )
        material: dict[str, Any] = {"files": files}
        if past is not None:
            material = {"past": past, "facts": past.facts}
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            await self._make_room(tx)
            await store.insert(tx, study, material)
            detail = {"title": study.title, "source": order.source.value}
            await self._note(tx, who, "study.create", study, detail, remote)
        await self.tick()
        return study

    async def again(self, who: Principal, study_id: UUID, *, remote: str = "") -> None:
        """An ended one is run anew on what it is of. Raises Conflict while it is open."""
        require(who, Permission.DUTIES_WRITE)
        study = await self.one(who, study_id)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            await self._make_room(tx, kept=False)
            if not await store.wait_again(tx, study_id):
                raise Conflict("It runs already.")
            await self._note(tx, who, "study.again", study, {"title": study.title}, remote)
        await self.tick()

    async def cancel(self, who: Principal, study_id: UUID, *, remote: str = "") -> None:
        """Its process is ended. Raises Conflict when it has ended already."""
        require(who, Permission.DUTIES_WRITE)
        study = await self.one(who, study_id)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            if not await store.end(tx, study_id, State.CANCELLED, self._clock.now()):
                raise Conflict("It has ended already.")
            await self._note(tx, who, "study.cancel", study, {"title": study.title}, remote)
        if study_id in self._running:
            self._running[study_id].cancel()

    async def delete(self, who: Principal, study_id: UUID, *, remote: str = "") -> None:
        """With what was found. Raises Conflict while it is open."""
        require(who, Permission.DUTIES_WRITE)
        study = await self.one(who, study_id)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            if not await store.delete(tx, study_id):
                raise Conflict("Cancel it first: it has not ended.")
            await self._note(tx, who, "study.delete", study, {"title": study.title}, remote)

    # Reading

    async def one(self, who: Principal, study_id: UUID) -> Stored:
        require(who, Permission.VIEW)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            study = await store.one(tx, study_id)
        if study is None:
            raise NotFound("There is no such study.")
        return study

    async def found(self, who: Principal, study_id: UUID) -> Study:
        """What was found. Raises Conflict for one that is not done."""
        study = await self.one(who, study_id)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            found = await store.found(tx, study_id)
        if study.state is not State.DONE or found is None:
            raise Conflict("This study has no result.", code="no_result")
        return msgspec.convert(found, Study)

    async def page(
        self, who: Principal, wanted: StudyFilter = ALL, *, limit: int = 50, offset: int = 0
    ) -> tuple[list[Stored], int]:
        """Newest first, and how many there are."""
        require(who, Permission.VIEW)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            return await store.page(tx, wanted, limit=limit, offset=offset)

    # Running

    async def tick(self) -> None:
        """Begin those that may. What is said to run and does not here is begun anew, too."""
        self._look = True
        if self._taking:
            return  # whoever is at it looks once more
        self._taking = True
        try:
            while self._look and len(self._running) < AT_ONCE and not self._closing:
                self._look = False
                now = self._clock.now()
                async with scope.transaction(self._database, scope.SYSTEM) as tx:
                    await store.left_running(tx, ATTEMPTS_MAX, now, besides=list(self._running))
                    study = await store.take(tx, now)
                if study is None:
                    continue
                self._look, work = True, self._run(study)
                task = asyncio.get_running_loop().create_task(work, name=f"study {study.id}")
                self._running[study.id] = task
                task.add_done_callback(partial(self._ended, study.id))
        finally:
            self._taking = False

    async def idle(self) -> None:
        """Until nothing runs or waits here."""
        while tasks := self._under_way():
            await asyncio.gather(*tasks, return_exceptions=True)

    def _under_way(self) -> list[asyncio.Task[None]]:
        tasks = [*self._running.values(), *([] if self._next is None else [self._next])]
        return [task for task in tasks if not task.done()]

    def _ended(self, study_id: UUID, task: asyncio.Task[None]) -> None:
        if self._running.get(study_id) is task:
            del self._running[study_id]
        if not task.cancelled() and task.exception() is not None:
            log.error("%s ended: %r", task.get_name(), task.exception())
        self._look = True  # a tick under way looks once more
        if not self._closing and (self._next is None or self._next.done()):
            self._next = task.get_loop().create_task(self.tick(), name="next study")

    async def _run(self, study: Stored) -> None:
        async with scope.transaction(self._database, scope.of(study.org_id)) as tx:
            material = await store.material(tx, study.id)
        material = {name: value for name, value in material.items() if name in ("past", "files")}
        told = _Telling(self, study)
        try:
            async with self._machine.timeout(LONGEST_S):
                answer = await self.worker.work(study.order, material, told)
        except TimeoutError:
            log.warning("study %s was ended after %g s", study.id, LONGEST_S)
            await self._end(study, State.TOO_LONG, Answer(None))
            return
        except (Lost, OSError) as error:
            detail = error.detail if isinstance(error, Lost) else ""
            log.warning("study %s: %s %s", study.id, error, detail)
            answer = Answer(None, "The study's process ended without an answer.")
            await self._end(study, State.FAILED, answer)
            return
        state = State.REFUSED if answer.found is None else State.DONE
        await self._end(study, state, answer)

    async def _end(self, study: Stored, state: State, answer: Answer) -> None:
        found = None if answer.found is None else answer.found.decode()
        async with scope.transaction(self._database, scope.of(study.org_id)) as tx:
            await store.end(
                tx,
                study.id,
                state,
                self._clock.now(),
                found=found,
                message=answer.message,
                faults=answer.faults,
            )

    async def tell(self, study: Stored, progress: Progress) -> None:
        async with scope.transaction(self._database, scope.of(study.org_id)) as tx:
            await store.tell(tx, study.id, progress)

    def now(self) -> datetime:
        return self._clock.now()

    async def _make_room(self, tx: Tx, *, kept: bool = True) -> None:
        have, waiting = await store.counts(tx)
        if waiting >= WAITING_MAX:
            raise TooMany("Too many studies wait already.")
        if kept and have >= KEPT_MAX:
            raise TooMany("There are too many studies: delete some first.")

    async def _note(
        self,
        tx: Tx,
        who: Principal,
        action: str,
        study: Stored,
        detail: Mapping[str, Any],
        remote: str,
    ) -> None:
        now = self._clock.now()
        await audit.write(tx, who, action, "study", study.id, detail, at=now, remote=remote)


class _Telling:
    """Progress of one study on its way to the database, not more often than people look."""

    def __init__(self, service: StudyService, study: Stored) -> None:
        self._service, self._study = service, study
        self._told_at: datetime | None = None

    async def __call__(self, progress: Progress) -> None:
        now = self._service.now()
        if self._told_at is not None:
            seconds = (now - self._told_at).total_seconds()
            if 0.0 <= seconds < _TOLD_EVERY_S:
                return
        self._told_at = now
        await self._service.tell(self._study, progress)


def _title(title: str, order: Order, past: Past | None, files: Mapping[str, Upload]) -> str:
    """As it was given; else what it is of."""
    text = " ".join(title.split())
    if len(text) > TITLE_LONGEST:
        raise Invalid("This cannot be studied so.", fields={"title": f"{TITLE_LONGEST} characters"})
    if text:
        return text
    if past is not None:
        return past.site
    if order.source is Source.DEMO:
        return "Demo"
    named: Sequence[str] = [file.name for file in files.values()]
    return (named[0] if named else order.source.value)[:TITLE_LONGEST]

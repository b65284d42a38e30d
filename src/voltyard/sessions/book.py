"""The book of sessions: memory in front, database behind, one commit per message, events after."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from voltyard import eventlog
from voltyard.bus import Bus
from voltyard.chargers.model import Evse
from voltyard.clock import Clock
from voltyard.sessions import store
from voltyard.sessions.events import (
    SessionEnded,
    SessionQuarantined,
    SessionStarted,
    SessionUpdated,
)
from voltyard.sessions.fold import GRACE, REGISTER_FLAGS, REPAIRED_ENDS, Tracked
from voltyard.sessions.index import Index
from voltyard.sessions.live import LiveBoard
from voltyard.sessions.model import Flag, MeterReading, Session, SessionState
from voltyard.sessions.ports import Outlets
from voltyard.sessions.register import Point, Register
from voltyard.storage.engine import Database, Tx
from voltyard.storage.groupcommit import GroupCommit, Write
from voltyard.tenancy import scope

log = logging.getLogger(__name__)

TRANSACTION_ID_BLOCK = 100
LOOK_BACK = timedelta(days=30)
LIFETIME_MIN_WH = 1_000.0
READ_AT_ONCE = 50
UNKNOWN_POWER_W = 1_000_000.0

SessionEvent = SessionStarted | SessionUpdated | SessionEnded | SessionQuarantined


@dataclass(frozen=True, slots=True)
class Change:
    """A session and what it was before the message; None if the message made it."""

    tracked: Tracked
    before: Session | None


class _Outcome:
    """What is to be done once a message's rows are committed; ``telling`` is under way then."""

    __slots__ = ("_conclude", "after", "events", "reading", "telling")

    def __init__(
        self,
        conclude: "Callable[[_Outcome, BaseException | None], None]",
        after: Sequence[tuple[Tracked, Session]],
        events: Sequence[SessionEvent],
        reading: MeterReading | None,
    ) -> None:
        self._conclude = conclude
        self.after = after
        self.events = events
        self.reading = reading
        self.telling: asyncio.Task[None] | None = None

    def __call__(self, error: BaseException | None) -> None:
        self._conclude(self, error)


class Book:
    """Finds and keeps sessions. Nothing is published, shown or answered before its commit."""

    def __init__(
        self,
        database: Database,
        commits: GroupCommit,
        bus: Bus,
        clock: Clock,
        outlets: Outlets,
        live: LiveBoard,
    ) -> None:
        self.index = Index()
        self._database = database
        self._commits = commits
        self._bus = bus
        self._clock = clock
        self._outlets = outlets
        self._live = live
        self._ids: deque[int] = deque()
        self._stood: dict[UUID, _Stood] = {}
        self._forgotten: set[UUID] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._unkept = 0
        self._quiet: asyncio.Future[None] | None = None

    async def load(self) -> None:
        """At start: open sessions with their readings, and where each register stood."""
        since = self._clock.now() - LOOK_BACK
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            for session in await store.newest_of_evses(tx, since):
                self._remember_register(session)
            running = await store.open_sessions(tx)
            await self._take_in(tx, running)
        self._live.load(running)

    async def recover(self) -> None:
        """Open sessions that memory had to forget are there again, even if nobody speaks of them.

        Raises what the database says while it is still away.
        """
        forgotten, self._forgotten = self._forgotten, set()
        wanted = [known for known in forgotten if self.index.get(known) is None]
        try:
            async with scope.transaction(self._database, scope.SYSTEM) as tx:
                await self._take_in(tx, await store.open_sessions(tx, wanted))
        except BaseException:
            self._forgotten |= forgotten
            raise

    @property
    def forgetful(self) -> bool:
        """Whether sessions that run may be missing in the index."""
        return bool(self._forgotten)

    async def _take_in(self, tx: Tx, sessions: Sequence[Session]) -> None:
        """With their readings, of a few at a time: of a long night there are millions."""
        for first in range(0, len(sessions), READ_AT_ONCE):
            part = sessions[first : first + READ_AT_ONCE]
            points = await store.points(tx, [session.id for session in part])
            for session in part:
                prior_wh = await self._prior_wh(tx, session)
                if self.index.get(session.id) is None:
                    self.index.put(self._restored(session, points[session.id], prior_wh))

    async def find(self, station_id: UUID, ref: str) -> Tracked | None:
        """By the charger's reference; from the database if it is long over."""
        known = self.index.by_ref(station_id, ref)
        return known or await self._fetch(station_id, ref=ref)

    async def find_start(
        self, station_id: UUID, start_key: str, message_key: str
    ) -> Tracked | None:
        """By the content of its start, else by the message that carried it.

        A charger that counts messages from each boot gives two starts one message id.
        """
        known = self.index.by_start(station_id, start_key)
        if known is not None:
            return known
        found = await self._fetch(station_id, start_key=start_key, start_message=message_key)
        if found is not None and found.session.start_key == start_key:
            return found
        return self.index.by_message(station_id, message_key) or found

    async def get(self, session_id: UUID) -> Tracked | None:
        known = self.index.get(session_id)
        if known is not None:
            return known
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            session = await store.one(tx, session_id)
        return (
            None
            if session is None
            else await self._fetch(session.station_id, ref=session.transaction_ref)
        )

    async def transaction_id(self, station_id: UUID) -> str:
        """A reference of ours for a 1.6 transaction, never one this station has used."""
        while True:
            if not self._ids:
                async with scope.transaction(self._database, scope.SYSTEM) as tx:
                    self._ids.extend(await store.transaction_ids(tx, TRANSACTION_ID_BLOCK))
            ref = str(self._ids.popleft())
            if await self.find(station_id, ref) is None:
                return ref

    def new(self, session: Session, evse: Evse | None) -> Tracked:
        """A session that has just begun, findable from now on."""
        stood = None if session.evse_id is None else self._stood.get(session.evse_id)
        tracked = Tracked(session, _register(evse, None if stood is None else stood.wh))
        self.index.put(tracked)
        return tracked

    async def save(
        self,
        changes: Sequence[Change],
        writes: Sequence[Write] = (),
        reading: MeterReading | None = None,
    ) -> None:
        """Commit, then show and publish, even if the caller is cancelled meanwhile (a lost link).

        If the database refuses, memory forgets what was not kept, and the caller is told.
        """
        rows = list(writes)
        events: list[SessionEvent] = []
        after = [(change.tracked, change.tracked.session) for change in changes]
        for change in changes:
            rows.extend(self._rows(change))
            events.extend(self._events(change))
            change.tracked.in_flight += 1
        rows.extend(eventlog.log_write(event) for event in events if _is_kept(event))
        outcome = _Outcome(self._concluded, after, events, reading)
        self._unkept += 1
        if not rows:
            outcome(None)
        elif self._commits.full:
            await asyncio.shield(self._spawn(self._commits.submit(rows, outcome)))
        else:
            await self._commits.hand_in(rows, outcome)
        if outcome.telling is not None:
            await asyncio.shield(outcome.telling)

    async def drained(self) -> None:
        """When every commit that was under way is done, and told."""
        while self._unkept or self._tasks:
            if self._tasks:
                await asyncio.wait(tuple(self._tasks))
            else:
                self._quiet = self._quiet or asyncio.get_running_loop().create_future()
                await asyncio.shield(self._quiet)

    def _concluded(self, outcome: "_Outcome", error: BaseException | None) -> None:
        """Committed, or refused: shown, or forgotten."""
        self._unkept -= 1
        if not self._unkept and self._quiet is not None:
            self._quiet.set_result(None)
            self._quiet = None
        for tracked, _ in outcome.after:
            tracked.in_flight -= 1
            if error is not None:
                tracked.unsaved = True
                self.index.drop(tracked)
                self._forgotten.add(tracked.session.id)
        if error is not None:
            log.warning("a message about a session was not kept: %s", error)
            return
        if outcome.events:
            outcome.telling = self._spawn(self._tell(outcome.events))
        last = len(outcome.after)
        for place, (_, session) in enumerate(outcome.after, start=1):
            self._remember_register(session)
            self._live.session_changed(session, outcome.reading if place == last else None)

    async def _tell(self, events: Sequence[SessionEvent]) -> None:
        await self._bus.publish(*events)
        told = [eventlog.told_write(event) for event in events if _is_kept(event)]
        if told:
            self._commits.offer(told)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.warning("a message about a session was not told: %s", task.exception())

    def _rows(self, change: Change) -> list[Write]:
        tracked, before = change.tracked, change.before
        session = tracked.session
        if before is not None and not tracked.unsaved:
            same_reading = before.last_reading_at is session.last_reading_at
            if same_reading and before == session:
                return [store.full_write(session)] if tracked.in_flight else []
            if _only_progress(before, session):
                return [store.progress_write(session)]
        tracked.unsaved = False
        self.index.put(tracked)
        return [store.full_write(session)]

    def _events(self, change: Change) -> list[SessionEvent]:
        before, session = change.before, change.tracked.session
        now = self._clock.now()
        place = (session.org_id, session.site_id, session.station_id, session.evse_id, session.id)
        events: list[SessionEvent] = []
        if before is None:
            events.append(SessionStarted(*place, session.vehicle_id, session.started_at))
        if session.state is SessionState.QUARANTINED and (
            before is None or before.state is not SessionState.QUARANTINED
        ):
            events.append(
                SessionQuarantined(
                    session.org_id,
                    session.site_id,
                    session.station_id,
                    session.id,
                    " ".join(session.flags),
                    now,
                )
            )
        if not session.open and (before is None or before.open):
            events.append(
                SessionEnded(
                    *place,
                    session.vehicle_id,
                    session.energy_wh,
                    session.stop_reason,
                    session.ended_at or now,
                )
            )
        elif before is not None and _told(before) != _told(session):
            events.append(SessionUpdated(*place, session.vehicle_id, session.charging_state, now))
        return events

    async def _fetch(
        self,
        station_id: UUID,
        *,
        ref: str | None = None,
        start_key: str | None = None,
        start_message: str | None = None,
    ) -> Tracked | None:
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            session = await store.find(
                tx, station_id, ref=ref, start_key=start_key, start_message=start_message
            )
            if session is None:
                return None
            points = (await store.points(tx, [session.id]))[session.id]
            prior_wh = await self._prior_wh(tx, session)
        known = self.index.get(session.id)
        if known is not None:
            return known
        tracked = self._restored(session, points, prior_wh)
        self.index.put(tracked)
        return tracked

    def _restored(
        self, session: Session, points: Sequence[Point], prior_wh: float | None
    ) -> Tracked:
        evse = None if session.evse_id is None else self._outlets.evse(session.evse_id)
        undated = Flag.CLOCK_OFF.value in session.flags
        register = _register(evse, prior_wh, undated=undated)
        for point in points:
            register.add(point)
        seen_at = session.last_reading_at or session.started_at
        last_seq = session.last_seq_no
        gap = Flag.SEQUENCE_GAP.value in session.flags
        tracked = Tracked(
            session,
            register,
            start_seen=Flag.START_UNSEEN.value not in session.flags,
            stop_seen=not session.open and session.stop_reason not in REPAIRED_ENDS,
            heard_at=self._clock.now(),
            token_at=session.started_at,
            state_rank=(seen_at, -1 if last_seq is None else last_seq),
            soc_start_rank=(session.started_at, 0),
            soc_rank=(seen_at, 0),
            power_rank=(seen_at, 0),
            sequence=_heard(last_seq, gap=gap),
            repairs=[known for known in session.repairs if known.what not in REGISTER_FLAGS],
            unsaved=False,
        )
        if tracked.stop_seen and session.ended_at is not None:
            register.cut((session.ended_at + GRACE).timestamp())
        tracked.noted = register.measured.notes
        return tracked

    async def _prior_wh(self, tx: Tx, session: Session) -> float | None:
        """Where the register stood before a session; later ones may have been since."""
        stood = None if session.evse_id is None else self._stood.get(session.evse_id)
        if stood is not None and stood.started_at >= session.started_at:
            before = await store.session_before(tx, session)
            stood = None if before is None else _stood(before)
        return None if stood is None else stood.wh

    def _remember_register(self, session: Session) -> None:
        """A late word about a former session does not put the register back."""
        if session.evse_id is None or session.open:
            return
        known = self._stood.get(session.evse_id)
        if known is None or known.started_at <= session.started_at:
            self._stood[session.evse_id] = _stood(session)


class _Stood(NamedTuple):
    """Where an outlet's register stood after a session; None if it counts each by itself."""

    started_at: datetime
    wh: float | None


def _stood(session: Session) -> _Stood:
    """A register that did not start near zero counts over all sessions."""
    start_wh = session.meter_start_wh
    counts_on = start_wh is not None and start_wh >= LIFETIME_MIN_WH
    return _Stood(session.started_at, session.meter_last_wh if counts_on else None)


def _register(evse: Evse | None, prior_wh: float | None, *, undated: bool = False) -> Register:
    power_w = UNKNOWN_POWER_W if evse is None else evse.max_power_w
    return Register(power_w, prior_wh, undated=undated)


def _heard(last_seq: int | None, *, gap: bool) -> set[int]:
    """Sequence numbers taken as heard after a restart: all, or with a gap only the last."""
    return set() if last_seq is None else set(range(last_seq if gap else 0, last_seq + 1))


_PROGRESS = frozenset(store.PROGRESS)
_structure = attrgetter(*(part.name for part in fields(Session) if part.name not in _PROGRESS))


def _only_progress(before: Session, after: Session) -> bool:
    """Whether no more changed than what ``progress_write`` writes."""
    return bool(_structure(before) == _structure(after))


def _is_kept(event: SessionEvent) -> bool:
    """Whether it must be published even if the process dies right after the commit."""
    return not isinstance(event, SessionUpdated)


def _told(session: Session) -> tuple[object, ...]:
    """What a change of which is worth an event; energy only once the session is over."""
    return (
        session.vehicle_id,
        session.duty_id,
        session.charging_state,
        session.id_token,
        session.flags,
        session.state,
        session.ended_at,
        None if session.open else session.energy_wh,
    )

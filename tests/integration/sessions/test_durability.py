"""Nothing is acknowledged before its commit, and memory never holds what the database refused."""

import asyncio

import pytest
from session_yard import Yard

from voltyard.errors import TooMany
from voltyard.eventlog import tell_untold
from voltyard.sessions.events import SessionEnded, SessionStarted, SessionUpdated
from voltyard.sessions.model import SessionState
from voltyard.storage.groupcommit import GroupCommit, Told, Write


class Gate:
    """Holds back or refuses what is handed to the real committer."""

    def __init__(self, inner: GroupCommit, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = asyncio.Event()
        self.refuse = False
        self.waiting: asyncio.Queue[None] = asyncio.Queue()
        self._hand_in = inner.hand_in
        self._held: set[asyncio.Task[None]] = set()
        monkeypatch.setattr(inner, "hand_in", self.hand_in)

    def hand_in(self, writes: list[Write], told: Told | None = None) -> asyncio.Future[None]:
        self.waiting.put_nowait(None)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._held.add(asyncio.create_task(self._pass_on(writes, told, done)))
        return done

    async def _pass_on(
        self, writes: list[Write], told: Told | None, done: asyncio.Future[None]
    ) -> None:
        await self.open.wait()
        if not self.refuse:
            await self._hand_in(writes, told)
            if not done.done():
                done.set_result(None)
            return
        error = TooMany("the disk is full")
        if told is not None:
            told(error)
        if not done.done():
            done.set_exception(error)

    async def reached(self) -> None:
        """Until one more message waits at the gate."""
        await self.waiting.get()


async def test_no_answer_and_no_event_before_the_commit(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    await yard.chargers.ensure_evse(yard.station.ref, 1)
    gate = Gate(yard.commits, monkeypatch)
    first = asyncio.create_task(yard.start())
    await gate.reached()
    again = asyncio.create_task(yard.start())
    await gate.reached()
    assert not first.done()
    assert not again.done(), "a repeat is not answered before what it repeats"
    assert yard.seen(SessionStarted) == []
    gate.open.set()
    assert (await first).transaction_ref == (await again).transaction_ref
    assert len(yard.seen(SessionStarted)) == 1


async def test_a_crash_between_commit_and_publication_loses_no_event(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    await yard.start()

    async def die(*events: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as crash:
        crash.setattr(yard.bus, "publish", die)
        with pytest.raises(asyncio.CancelledError):
            await yard.stop((await yard.only()).transaction_ref)
    assert (await yard.only()).state is SessionState.ENDED, "it was committed"
    assert yard.seen(SessionEnded) == []
    await yard.restart()
    yard.events.clear()
    assert await tell_untold(yard.database, yard.bus) == 1
    assert [event.energy_wh for event in yard.seen(SessionEnded)] == [60_000]
    assert yard.seen(SessionStarted) == [], "what was published is not published again"
    assert await tell_untold(yard.database, yard.bus) == 0


async def test_what_the_database_refused_can_be_told_again(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    await yard.chargers.ensure_evse(yard.station.ref, 1)
    gate = Gate(yard.commits, monkeypatch)
    gate.open.set()
    gate.refuse = True
    with pytest.raises(TooMany):
        await yard.start()
    assert yard.sessions.open_sessions() == []
    gate.refuse = False
    ack = await yard.start()
    gate.refuse = True
    with pytest.raises(TooMany):
        await yard.meter(ack.transaction_ref, 10, 510_000)
    gate.refuse = False
    await yard.meter(ack.transaction_ref, 10, 510_000)
    assert (await yard.only()).energy_wh == 10_000
    assert len(await yard.rows("SELECT 1 AS x FROM meter_values")) == 2


async def test_a_link_lost_while_waiting_loses_nothing(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    await yard.chargers.ensure_evse(yard.station.ref, 1)
    gate = Gate(yard.commits, monkeypatch)
    told = asyncio.create_task(yard.start())
    await gate.reached()
    told.cancel()
    with pytest.raises(asyncio.CancelledError):
        await told
    gate.open.set()
    await yard.sessions.close()
    session = await yard.only()
    assert session.state is SessionState.ACTIVE
    assert len(yard.seen(SessionStarted)) == 1
    assert (await yard.start()).transaction_ref == session.transaction_ref


async def test_one_bad_message_harms_one_message(yard: Yard) -> None:
    """Rows the database refuses fail their own message; the batch around them is kept."""
    await yard.chargers.ensure_evse(yard.station.ref, 1)
    await yard.chargers.ensure_evse(yard.station.ref, 2)
    bad = yard.commits.submit([Write("sessions", {"id": None, "org_id": None}, ("id",))])
    results = await asyncio.gather(
        yard.start(outlet=1), bad, yard.start(outlet=2, token="BUS2"), return_exceptions=True
    )
    assert isinstance(results[1], Exception)
    assert len(await yard.stored()) == 2


async def test_sessions_nobody_was_told_of_are_told_after_a_restart(yard: Yard) -> None:
    await yard.start()
    yard.events.clear()
    await yard.restart()
    (event,) = yard.seen(SessionUpdated)
    assert event.session_id == (await yard.only()).id

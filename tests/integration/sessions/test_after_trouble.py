"""Sessions after a restart and after the database was away: the same energy, and they end."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest
from session_yard import Yard

from voltyard.errors import TooMany
from voltyard.eventlog import EventRetries
from voltyard.sessions import book, store
from voltyard.sessions.model import SessionState
from voltyard.sessions.register import Point
from voltyard.storage.engine import Tx
from voltyard.storage.groupcommit import Told, Write


def _refusing(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database takes nothing any more."""

    def hand_in(writes: list[Write], told: Told | None = None) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        error = TooMany("the database is away")
        if told is not None:
            told(error)
        done.set_exception(error)
        return done

    monkeypatch.setattr(yard.commits, "hand_in", hand_in)


async def test_a_stop_told_again_after_a_restart_leaves_the_energy_as_it_was(yard: Yard) -> None:
    """The start said 0 for want of the register: what counts is where it stood before."""
    first = await yard.start(minute=0, meter_wh=900_000)
    await yard.stop(first.transaction_ref, minute=30, meter_wh=910_000)
    second = await yard.start(minute=60, meter_wh=0)
    await yard.stop(second.transaction_ref, minute=120, meter_wh=950_000)
    assert [session.energy_wh for session in await yard.stored()] == [10_000, 40_000]
    await yard.restart()
    await yard.stop(second.transaction_ref, minute=120, meter_wh=950_000)
    assert [session.energy_wh for session in await yard.stored()] == [10_000, 40_000]


async def test_an_old_stop_told_again_does_not_move_where_the_register_stood(yard: Yard) -> None:
    first = await yard.start(minute=0, meter_wh=900_000)
    await yard.stop(first.transaction_ref, minute=30, meter_wh=910_000)
    second = await yard.start(minute=60, meter_wh=910_000)
    await yard.stop(second.transaction_ref, minute=120, meter_wh=950_000)
    await yard.stop(first.transaction_ref, minute=30, meter_wh=910_000)
    third = await yard.start(minute=130, meter_wh=0)
    await yard.stop(third.transaction_ref, minute=150, meter_wh=960_000)
    assert [session.energy_wh for session in await yard.stored()] == [10_000, 40_000, 10_000]


async def test_a_sweep_the_database_refused_closes_the_session_later(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    await yard.start()
    yard.clock.reach(yard.at(60 * 24 * 8))
    with monkeypatch.context() as away:
        _refusing(yard, away)
        with pytest.raises(TooMany):
            await yard.sessions.sweep()
    await yard.sessions.sweep()
    yard.clock.reach(yard.at(60 * 24 * 16))
    await yard.sessions.sweep()
    assert (await yard.only()).state is SessionState.ENDED


async def test_values_without_an_id_find_their_session_after_the_database_was_away(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1.6: the id in MeterValues is optional."""
    await yard.start(meter_wh=500_000)
    with monkeypatch.context() as away:
        _refusing(yard, away)
        with pytest.raises(TooMany):
            await yard.meter(None, 10, 510_000)
    await yard.meter(None, 10, 510_000)
    assert (await yard.only()).energy_wh == 10_000


async def test_a_start_told_again_is_found_by_what_it_says_before_its_message_id(
    yard: Yard,
) -> None:
    """Chargers that count messages from each boot use an id again for another start."""
    first = await yard.start(minute=0, message="1")
    await yard.stop(first.transaction_ref, minute=10, meter_wh=510_000)
    second = await yard.start(minute=20, meter_wh=510_000, message="2")
    await yard.stop(second.transaction_ref, minute=30, meter_wh=520_000)
    await yard.restart()
    again = await yard.start(minute=0, message="2")
    assert again.transaction_ref == first.transaction_ref
    assert len(await yard.stored()) == 2


async def test_a_restart_reads_the_readings_of_a_few_sessions_at_a_time(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all that run, after a long night, they would not fit into memory."""
    for outlet in (1, 2):
        ack = await yard.start(outlet=outlet, token=f"BUS{outlet}")
        await yard.meter(ack.transaction_ref, 10, 510_000, outlet=outlet)
    read, asked = store.points, list[int]()

    async def points(tx: Tx, session_ids: Sequence[UUID]) -> dict[UUID, list[Point]]:
        asked.append(len(session_ids))
        return await read(tx, session_ids)

    monkeypatch.setattr(book, "READ_AT_ONCE", 1)
    monkeypatch.setattr(store, "points", points)
    await yard.restart()
    assert asked == [1, 1]
    assert [session.energy_wh for session in yard.sessions.open_sessions()] == [10_000, 10_000]


async def test_events_that_were_told_long_ago_do_not_fill_the_disk(yard: Yard) -> None:
    ack = await yard.start()
    await yard.stop(ack.transaction_ref)
    await yard.commits.flush()
    kept = "SELECT kind FROM event_log ORDER BY id"
    assert len(await yard.rows(kept)) == 2
    retries = EventRetries(yard.database, yard.clock)
    await retries.redeliver(yard.bus)
    assert len(await yard.rows(kept)) == 2, "of late they may still be looked for"
    yard.clock.reach(yard.at(60 * 24 * 45))
    await retries.redeliver(yard.bus)
    assert await yard.rows(kept) == []

"""The live board as events and readings move it, and what pages read of sessions."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from uuid import uuid4

import pytest
from session_yard import Link, Yard

from voltyard.chargers.model import EvseStatus
from voltyard.errors import NotFound
from voltyard.sessions import reading
from voltyard.sessions.live import EvseLive
from voltyard.sessions.model import SessionFilter, SessionState
from voltyard.sessions.reading import CSV_COLUMNS


def live(yard: Yard, outlet: int = 1) -> EvseLive:
    found = yard.sessions.live.of(yard.evse(outlet).id)
    assert found is not None
    return found


async def test_from_plug_in_to_departure(yard: Yard) -> None:
    await yard.status(EvseStatus.PREPARING, 0)
    assert (live(yard).plugged, live(yard).online, live(yard).session) == (True, True, None)
    ack = await yard.start()
    await yard.status(EvseStatus.CHARGING, 1)
    await yard.meter(ack.transaction_ref, 10, 510_000, soc_pct=42)
    now = live(yard)
    assert (now.power_w, now.energy_wh, now.soc_pct) == (60_000, 10_000, 42)
    assert (now.reading_at, now.id_token) == (yard.at(10), "BUS1")
    assert [found.evse_id for found in yard.sessions.live.running(yard.site_id)] == [now.evse_id]
    await yard.stop(ack.transaction_ref)
    await yard.status(EvseStatus.FINISHING, 60)
    assert (live(yard).power_w, live(yard).energy_wh, live(yard).plugged) == (0, 60_000, True)
    assert yard.sessions.live.running(yard.site_id) == []
    await yard.status(EvseStatus.AVAILABLE, 61)
    assert (live(yard).session, live(yard).plugged, live(yard).soc_pct) == (None, False, None)


async def test_an_offline_charger_keeps_what_was_last_heard(yard: Yard) -> None:
    ack = await yard.start()
    await yard.meter(ack.transaction_ref, 10, 510_000)
    link = yard.chargers.link(yard.station.id)
    assert link is not None
    await yard.chargers.disconnected(link, "lost")
    assert (live(yard).online, live(yard).power_w) == (False, 60_000)
    await yard.chargers.connected(Link(yard.station.ref))
    assert live(yard).online


async def test_a_late_word_about_a_former_session_does_not_hide_the_new(yard: Yard) -> None:
    first = await yard.start()
    await yard.stop(first.transaction_ref, minute=50)
    second = await yard.start(minute=60, meter_wh=560_000)
    await yard.stop(first.transaction_ref, minute=50)
    session = live(yard).session
    assert session is not None
    assert session.transaction_ref == second.transaction_ref


async def test_consumers_get_each_changed_evse_once(yard: Yard) -> None:
    await yard.status(EvseStatus.AVAILABLE, 0, outlet=2)
    feed = yard.sessions.live.changes(site_id=yard.site_id)
    other = yard.sessions.live.changes(site_id=uuid4())
    ack = await yard.start()
    for minute in range(1, 20):
        await yard.meter(ack.transaction_ref, minute, 500_000 + minute)
    await asyncio.wait_for(feed.wait(), 1)
    assert feed.drain() == {yard.evse().id}
    assert feed.drain() == set()
    assert other.drain() == set()
    yard.sessions.live.forget(feed)
    await yard.stop(ack.transaction_ref)
    assert feed.drain() == set()


async def test_lists_filter_and_page(yard: Yard) -> None:
    for number in range(5):
        ack = await yard.start(minute=number * 100, token=f"BUS{number}")
        if number < 4:
            await yard.stop(ack.transaction_ref, minute=number * 100 + 60)
    reads = yard.sessions
    page = await reads.page(yard.org_id, limit=2, offset=1)
    assert page.total == 5
    assert [found.id_token for found in page.sessions] == ["BUS3", "BUS2"]

    async def tokens(**wanted: object) -> list[str | None]:
        found = await reads.page(yard.org_id, SessionFilter(**wanted))  # type: ignore[arg-type]
        return [session.id_token for session in found.sessions]

    assert await tokens(state=SessionState.ACTIVE) == ["BUS4"]
    assert await tokens(text="bus2") == ["BUS2"]
    assert await tokens(from_at=yard.at(150), until_at=yard.at(250)) == ["BUS2"]
    assert await tokens(site_id=uuid4()) == []
    assert await tokens(flagged=True) == []
    assert (await reads.page(uuid4())).total == 0
    assert [found.id_token for found in reads.open_sessions(site_id=yard.site_id)] == ["BUS4"]


async def test_one_session_with_its_curve(yard: Yard) -> None:
    ack = await yard.start()
    await yard.meter(ack.transaction_ref, 10, 510_000, soc_pct=40)
    session = await yard.only()
    curve = await yard.sessions.curve(yard.org_id, session.id)
    assert [(point.energy_wh, point.context) for point in curve] == [
        (500_000, "begin"),
        (510_000, "sample"),
    ]
    assert curve[1].soc_pct == 40
    with pytest.raises(NotFound):
        await yard.sessions.curve(uuid4(), session.id)


async def test_csv_rows_are_all_there_and_harmless(yard: Yard) -> None:
    for number in range(3):
        ack = await yard.start(minute=number * 100, token="=CMD()")
        await yard.stop(ack.transaction_ref, minute=number * 100 + 60)
    rows = [row async for row in yard.sessions.csv_rows(yard.org_id)]
    assert rows[0] == CSV_COLUMNS
    assert len(rows) == 4
    first = dict(zip(rows[0], rows[1], strict=True))
    assert (first["token"], first["energy_wh"], first["duration_s"]) == ("'=CMD()", "60000", "3600")
    assert first["started_at"] == "2026-01-15T18:00:00.000Z"


async def test_the_curve_of_a_very_long_session_reaches_its_end(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is coarser then, not cut off: what it costs hangs on it."""
    ack = await yard.start(meter_wh=500_000)
    for minute in range(1, 30):
        await yard.meter(ack.transaction_ref, minute, 500_000 + minute * 1_000)
    await yard.stop(ack.transaction_ref, minute=30, meter_wh=530_000)
    monkeypatch.setattr(reading, "CURVE_MAX", 10)
    curve = await yard.sessions.curve(yard.org_id, (await yard.only()).id)
    assert 5 <= len(curve) <= 12
    assert (curve[0].energy_wh, curve[-1].energy_wh) == (500_000, 530_000)
    steps = [after.at - before.at for before, after in pairwise(curve)]
    assert max(steps) <= timedelta(minutes=6)

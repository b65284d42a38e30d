"""OCPP 1.6 transactions against the real database: the traps other systems fell into."""

import asyncio

import pytest
from session_yard import START_AT, Yard

from voltyard.chargers.model import EvseStatus
from voltyard.sessions.events import (
    MeterReported,
    SessionEnded,
    SessionQuarantined,
    SessionStarted,
)
from voltyard.sessions.model import Flag, MeterReading, SessionState


async def test_plug_in_charge_and_stop(yard: Yard) -> None:
    bus = yard.tokens.add(yard.org_id, "BUS1")
    ack = await yard.start()
    assert ack.authorisation is not None
    assert ack.authorisation.accepted
    await yard.meter(ack.transaction_ref, 30, 530_000, soc_pct=50)
    await yard.stop(ack.transaction_ref)
    session = await yard.only()
    assert (session.state, session.energy_wh) == (SessionState.ENDED, 60_000)
    assert (session.started_at, session.ended_at) == (yard.at(0), yard.at(60))
    assert (session.vehicle_id, session.soc_last_pct) == (bus.id, 50)
    assert (session.stop_reason, session.flags) == ("EVDisconnected", ())
    assert [len(yard.seen(kind)) for kind in (SessionStarted, SessionEnded)] == [1, 1]
    assert [event.energy_wh for event in yard.seen(MeterReported)] == [0, 30_000, 60_000]
    kinds = await yard.rows("SELECT kind FROM event_log ORDER BY id")
    assert [row["kind"] for row in kinds] == ["SessionStarted", "SessionEnded"]


async def test_a_repeated_start_is_the_same_transaction(yard: Yard) -> None:
    """steve#1294, citrineos#172: a retry is neither a new session nor an error."""
    first = await yard.start()
    assert (await yard.start()).transaction_ref == first.transaction_ref
    await yard.restart()
    again = await yard.start()
    assert again.transaction_ref == first.transaction_ref
    await yard.stop(first.transaction_ref)
    assert (await yard.start()).transaction_ref == first.transaction_ref
    assert (await yard.only()).state is SessionState.ENDED, "a late retry opens nothing"


async def test_starts_at_the_same_time_are_one_session(yard: Yard) -> None:
    acks = await asyncio.gather(*(yard.start() for _ in range(8)))
    assert len({ack.transaction_ref for ack in acks}) == 1
    assert len(await yard.stored()) == 1


async def test_a_retry_dated_anew_is_known_by_its_message_id(yard: Yard) -> None:
    first = await yard.start(message="same")
    await yard.restart()
    again = await yard.start(message="same", minute=2)
    assert again.transaction_ref == first.transaction_ref
    other = await yard.start(message="same", minute=200, meter_wh=700_000)
    assert other.transaction_ref != first.transaction_ref, "ids are counted anew after a reboot"


async def test_a_message_id_used_again_after_the_end_begins_another_session(yard: Yard) -> None:
    first = await yard.start(message="same")
    await yard.stop(first.transaction_ref, minute=30, meter_wh=500_000)
    other = await yard.start(message="same", minute=35)
    assert other.transaction_ref != first.transaction_ref, "nothing was charged, yet it is new"
    assert len(await yard.stored()) == 2


async def test_a_repeated_stop_counts_once(yard: Yard) -> None:
    """citrineos-core PR 880."""
    ack = await yard.start()
    for _ in range(3):
        await yard.stop(ack.transaction_ref)
    await yard.restart()
    await yard.stop(ack.transaction_ref)
    assert (await yard.only()).energy_wh == 60_000
    assert len(await yard.rows("SELECT 1 AS x FROM meter_values")) == 2
    assert len(yard.seen(SessionEnded)) == 1


async def test_a_stop_of_an_unknown_transaction_is_answered_and_set_apart(yard: Yard) -> None:
    """steve#156: without an answer the charger repeats it for ever."""
    for _ in range(2):
        ack = await yard.stop("4711")
        assert ack.transaction_ref == "4711"
    session = await yard.only()
    assert session.state is SessionState.QUARANTINED
    assert session.flags == (Flag.UNKNOWN_TRANSACTION,)
    assert len(yard.seen(SessionQuarantined)) == 1


async def test_a_stop_with_anothers_id_stops_nobody(yard: Yard) -> None:
    """OCPP.Core#34."""
    ack = await yard.start()
    other = await yard.connect("CP2")
    await yard.stop(ack.transaction_ref, station=other)
    own, foreign = await yard.stored()
    if own.station_id != yard.station.id:
        own, foreign = foreign, own
    assert own.state is SessionState.ACTIVE
    assert foreign.state is SessionState.QUARANTINED
    assert Flag.FOREIGN_TRANSACTION in foreign.flags


async def test_a_stop_without_an_id_means_the_one_that_runs(yard: Yard) -> None:
    await yard.start()
    await yard.stop("-1")
    session = await yard.only()
    assert (session.state, session.energy_wh) == (SessionState.ENDED, 60_000)
    assert Flag.STOP_WITHOUT_ID in session.flags
    await yard.stop("-1")
    assert await yard.only() == session, "the same stop again"
    assert len(yard.seen(SessionEnded)) == 1
    await yard.stop("-1", minute=61)
    assert [found.state for found in await yard.stored()].count(SessionState.QUARANTINED) == 1


async def test_a_stop_without_an_id_that_fits_two_or_none_stops_none(yard: Yard) -> None:
    await yard.start(outlet=1)
    await yard.start(outlet=2, token="BUS2")
    await yard.stop("0")
    states = sorted(session.state for session in await yard.stored())
    assert states == ["active", "active", "quarantined"]


async def test_a_new_start_closes_what_was_never_stopped(yard: Yard) -> None:
    first = await yard.start()
    await yard.meter(first.transaction_ref, 30, 530_000)
    second = await yard.start(minute=90, meter_wh=540_000)
    former, latter = await yard.stored()
    assert (former.state, former.ended_at) == (SessionState.ENDED, yard.at(90))
    assert (former.energy_wh, former.flags) == (30_000, (Flag.SUPERSEDED,))
    assert latter.state is SessionState.ACTIVE
    current = yard.sessions.current(yard.evse().id)
    assert current is not None
    assert current.transaction_ref == second.transaction_ref
    await yard.stop(first.transaction_ref, minute=40, meter_wh=540_000)
    former = (await yard.stored())[0]
    assert (former.ended_at, former.energy_wh) == (yard.at(40), 40_000)


async def test_an_old_session_replayed_from_the_queue_does_not_end_the_new(yard: Yard) -> None:
    new = await yard.start(minute=60, meter_wh=540_000)
    old = await yard.start(minute=0)
    assert yard.sessions.current(yard.evse().id).transaction_ref == new.transaction_ref  # type: ignore[union-attr]
    await yard.stop(old.transaction_ref, minute=40, meter_wh=540_000)
    former, latter = await yard.stored()
    assert (former.ended_at, former.energy_wh) == (yard.at(40), 40_000)
    assert latter.state is SessionState.ACTIVE


async def test_unplugged_without_a_stop_is_closed_by_the_sweep(yard: Yard) -> None:
    """OCPP.Core#47; a stop that comes after all corrects the end."""
    ack = await yard.start()
    await yard.status(EvseStatus.CHARGING, 1)
    await yard.meter(ack.transaction_ref, 30, 530_000)
    await yard.status(EvseStatus.AVAILABLE, 40)
    assert await yard.sessions.sweep() == []
    yard.clock.reach(yard.at(46))
    closed = await yard.sessions.sweep()
    assert [session.transaction_ref for session in closed] == [ack.transaction_ref]
    session = await yard.only()
    assert (session.ended_at, session.energy_wh) == (yard.at(40), 30_000)
    assert session.flags == (Flag.NO_STOP,)
    assert session.repairs[0].what == Flag.NO_STOP
    await yard.stop(ack.transaction_ref, minute=39, meter_wh=539_000)
    session = await yard.only()
    assert (session.ended_at, session.energy_wh) == (yard.at(39), 39_000)


async def test_a_session_wrongly_closed_opens_again(yard: Yard) -> None:
    ack = await yard.start()
    await yard.status(EvseStatus.AVAILABLE, 0)
    yard.clock.reach(yard.at(10))
    assert len(await yard.sessions.sweep()) == 1
    await yard.meter(ack.transaction_ref, 10, 510_000)
    session = await yard.only()
    assert (session.state, session.ended_at) == (SessionState.ACTIVE, None)
    assert Flag.REOPENED in session.flags
    assert yard.sessions.current(yard.evse().id) is not None


async def test_a_vehicle_that_waits_for_its_duty_is_no_zombie(yard: Yard) -> None:
    """Plugged in all night with nothing to say: planned, not forgotten."""
    await yard.start()
    await yard.status(EvseStatus.SUSPENDED_EVSE, 1)
    yard.clock.reach(yard.at(14 * 60))
    assert await yard.sessions.sweep() == []


async def test_an_eternal_session_ends(yard: Yard) -> None:
    await yard.start()
    yard.clock.reach(yard.at(7 * 60))
    assert len(await yard.sessions.sweep()) == 1
    session = await yard.only()
    assert (session.flags, session.ended_at) == ((Flag.ETERNAL,), yard.at(0))


async def test_available_may_come_before_the_last_values(yard: Yard) -> None:
    """lbbrhzn/ocpp PR 1777."""
    ack = await yard.start()
    await yard.status(EvseStatus.AVAILABLE, 60)
    await yard.meter(ack.transaction_ref, 59, 559_000)
    await yard.stop(ack.transaction_ref)
    assert (await yard.only()).energy_wh == 60_000


async def test_offline_start_at_zero_is_not_the_odometer(yard: Yard) -> None:
    """citrineos-core PR 1060: 83 Wh, not 910 kWh."""
    before = await yard.start(minute=-120, meter_wh=900_000)
    await yard.stop(before.transaction_ref, minute=-60, meter_wh=910_000)
    ack = await yard.start(meter_wh=0, token="BUS2")
    await yard.stop(ack.transaction_ref, meter_wh=910_083)
    session = (await yard.stored())[-1]
    assert (session.energy_wh, session.meter_start_wh) == (83, 910_000)
    assert session.flags == (Flag.START_PLACEHOLDER,)
    repair = session.repairs[0]
    assert (repair.what, repair.was, repair.now) == ("start_placeholder", "0 Wh", "910000 Wh")


async def test_values_for_an_unknown_transaction_show_what_is_drawn(yard: Yard) -> None:
    """A charger that came from another system goes on with that system's id."""
    await yard.meter("99", 1, 1_000_000)
    await yard.meter("99", 11, 1_010_000)
    session = await yard.only()
    assert (session.state, session.energy_wh) == (SessionState.QUARANTINED, 10_000)
    live = yard.sessions.live.of(yard.evse().id)
    assert live is not None
    assert (live.power_w, live.session_id) == (60_000, session.id)
    await yard.start(minute=20, meter_wh=1_010_000)
    former = (await yard.stored())[0]
    assert former.ended_at == yard.at(20)


async def test_values_without_an_id_belong_to_the_running_session(yard: Yard) -> None:
    await yard.start()
    await yard.meter(None, 30, 530_000)
    assert (await yard.only()).energy_wh == 30_000
    await yard.meter(None, -30, 400_000)
    assert (await yard.only()).energy_wh == 30_000, "older than the session: not of it"
    await yard.meter(None, 5, 100, outlet=2)
    row = (await yard.rows("SELECT session_id FROM meter_values WHERE energy_wh = 100"))[0]
    assert row["session_id"] is None


async def test_values_after_the_end_do_not_count(yard: Yard) -> None:
    ack = await yard.start()
    await yard.meter(ack.transaction_ref, 70, 570_000)
    await yard.stop(ack.transaction_ref)
    session = await yard.only()
    assert (session.energy_wh, session.flags) == (60_000, (Flag.VALUES_AFTER_END,))
    await yard.meter(ack.transaction_ref, 80, 580_000)
    assert (await yard.only()).energy_wh == 60_000


async def test_a_clock_of_1970_is_replaced_and_noted(yard: Yard) -> None:
    ack = await yard.start(minute=-56 * 365 * 24 * 60)
    session = await yard.only()
    assert session.started_at == START_AT
    assert Flag.CLOCK_OFF in session.flags
    again = await yard.start(minute=-56 * 365 * 24 * 60)
    assert again.transaction_ref != ack.transaction_ref, "same content, but no date to go by"


async def test_power_is_derived_where_the_charger_sends_none(yard: Yard) -> None:
    ack = await yard.start()
    await yard.meter(ack.transaction_ref, 6, 506_000, power_w=None)
    assert yard.seen(MeterReported)[-1].power_w == pytest.approx(60_000)
    reading = MeterReading(yard.at(7), current_a=(10.0, 10.0, 10.0), voltage_v=230.0)
    await yard.sessions.meter(yard.station.ref, 1, ack.transaction_ref, [reading])
    assert yard.seen(MeterReported)[-1].power_w == pytest.approx(6_900)


async def test_a_register_in_units_it_does_not_mean_shows_no_power(yard: Yard) -> None:
    """Wh called kWh: a site that believed it would cut everybody else."""
    ack = await yard.start(meter_wh=0)
    await yard.meter(ack.transaction_ref, 0.25, 150_140, power_w=None)
    await yard.meter(ack.transaction_ref, 0.5, 300_190, power_w=None)
    assert {event.power_w for event in yard.seen(MeterReported)} <= {None, 0.0}
    await yard.stop(ack.transaction_ref, minute=1, meter_wh=601)
    assert (await yard.only()).energy_wh == pytest.approx(601, abs=1)


async def test_numbers_that_are_none_harm_nothing(yard: Yard) -> None:
    ack = await yard.start()
    await yard.meter(ack.transaction_ref, 1, float("nan"), power_w=float("inf"), soc_pct=1e300)
    await yard.meter(ack.transaction_ref, 2, -50.0)
    await yard.stop(ack.transaction_ref)
    session = await yard.only()
    assert (session.energy_wh, session.flags) == (60_000, (Flag.NEGATIVE_ENERGY,))


async def test_text_no_database_stores_harms_nothing(yard: Yard) -> None:
    ack = await yard.start(token="BUS\x001")
    await yard.stop(ack.transaction_ref, reason="Odd\x00\ud800")
    session = await yard.only()
    assert (session.id_token, session.stop_reason) == ("BUS1", "Odd?")


async def test_a_new_id_is_never_one_the_station_has_used(yard: Yard) -> None:
    """citrineos#172: a sequence that meets an id already there must not be stuck."""
    row = (await yard.rows("SELECT nextval('transaction_ids') AS id"))[0]
    await yard.stop(str(row["id"] + 1))
    ack = await yard.start()
    assert ack.transaction_ref == str(row["id"] + 2)


async def test_open_sessions_and_energy_survive_a_restart(yard: Yard) -> None:
    ack = await yard.start()
    for minute in range(1, 31):
        await yard.meter(ack.transaction_ref, minute, 500_000 + 1_000 * minute, soc_pct=minute)
    await yard.restart()
    assert [found.energy_wh for found in yard.sessions.open_sessions()] == [30_000]
    live = yard.sessions.live.of(yard.evse().id)
    assert live is not None
    assert (live.power_w, live.energy_wh, live.soc_pct) == (60_000, 30_000, 30)
    await yard.meter(ack.transaction_ref, 15, 515_000)
    await yard.meter(ack.transaction_ref, 40, 540_000)
    await yard.stop(ack.transaction_ref)
    session = await yard.only()
    assert (session.energy_wh, session.soc_start_pct, session.flags) == (60_000, 1, ())
    assert len(await yard.rows("SELECT 1 AS x FROM meter_values")) == 33

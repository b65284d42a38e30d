"""What chargers in the field say of sessions: the figure is right, and each repair is shown."""

from datetime import UTC, datetime, timedelta

import pytest
from session_yard import Yard

from voltyard.chargers.model import EvseStatus
from voltyard.sessions.model import (
    Flag,
    IdToken,
    MeterReading,
    Phase,
    SessionState,
    TransactionReport,
)


async def charged(
    yard: Yard, samples: list[tuple[float, float]], *, start_wh: float, stop_wh: float
) -> None:
    """An hour at 60 kW, told as given: (minute, register) between start and stop."""
    ack = await yard.start(meter_wh=start_wh)
    for minute, meter_wh in samples:
        await yard.meter(ack.transaction_ref, minute, meter_wh)
    await yard.stop(ack.transaction_ref, meter_wh=stop_wh)


@pytest.mark.parametrize(
    ("flag", "samples", "start_wh", "stop_wh", "energy_wh"),
    [
        (
            Flag.UNIT_MIXED,
            [(10, 510.0), (20, 520.0), (30, 530.0), (40, 540.0)],
            500_000,
            560_000,
            60_000,
        ),
        (Flag.DROP_TO_ZERO, [(20, 520_000), (30, 0), (40, 540_000)], 500_000, 560_000, 60_000),
        (Flag.DROP_TO_ZERO, [(20, 520_000), (40, 540_000)], 500_000, 0, 40_000),
        (Flag.REGISTER_RESET, [(20, 520_000), (30, 5_000)], 500_000, 35_000, 55_000),
        (Flag.SESSION_RELATIVE, [(20, 20_000), (40, 40_000)], 500_000, 560_000, 60_000),
    ],
    ids=["samples in kWh", "a zero between", "a zero at the stop", "reset", "session-relative"],
)
async def test_a_register_that_misbehaves_is_repaired_and_the_repair_shown(
    yard: Yard,
    flag: Flag,
    samples: list[tuple[float, float]],
    start_wh: float,
    stop_wh: float,
    energy_wh: float,
) -> None:
    """Row 9."""
    await charged(yard, samples, start_wh=start_wh, stop_wh=stop_wh)
    session = await yard.only()
    assert session.energy_wh == pytest.approx(energy_wh, abs=100)
    assert flag in session.flags
    assert flag in {repair.what for repair in session.repairs}
    assert all(repair.was and repair.now for repair in session.repairs)


async def test_a_session_is_never_negative(yard: Yard) -> None:
    """Row 9."""
    await charged(yard, [], start_wh=500_000, stop_wh=200_000)
    session = await yard.only()
    assert session.energy_wh >= 0.0
    assert session.repairs != ()


async def test_an_id_nobody_gave_does_not_stop_the_one_that_runs(yard: Yard) -> None:
    """Row 6: at the charger where somebody charges, too."""
    ack = await yard.start()
    answer = await yard.stop("987654")
    assert answer.transaction_ref == "987654", "and it is confirmed"
    running, foreign = sorted(await yard.stored(), key=lambda row: row.transaction_ref == "987654")
    assert (running.transaction_ref, running.state) == (ack.transaction_ref, SessionState.ACTIVE)
    assert (foreign.state, foreign.energy_wh) == (SessionState.QUARANTINED, 0.0)


async def test_ended_is_believed_late_over_what_was_assumed(yard: Yard) -> None:
    """Row 7, in 2.0.1: closed for silence, corrected by what the charger kept."""
    await yard.event(Phase.STARTED, 0, 0, meter_wh=500_000)
    await yard.event(Phase.UPDATED, 1, 30, meter_wh=530_000)
    await yard.status(EvseStatus.AVAILABLE, 40)
    yard.clock.reach(yard.at(50))
    assert len(await yard.sessions.sweep()) == 1
    assumed = await yard.only()
    assert (assumed.flags, assumed.ended_at) == ((Flag.NO_STOP,), yard.at(40))
    yard.clock.reach(yard.at(90))
    await yard.event(Phase.ENDED, 2, 39, meter_wh=539_000, stop_reason="EVDisconnected")
    session = await yard.only()
    assert (session.ended_at, session.energy_wh) == (yard.at(39), 39_000)
    assert [repair.what for repair in session.repairs] == [Flag.NO_STOP, Flag.NO_STOP]


async def test_a_repeated_ended_counts_once(yard: Yard) -> None:
    """Row 4, in 2.0.1."""
    await yard.event(Phase.STARTED, 0, 0, meter_wh=500_000)
    for _ in range(3):
        await yard.event(Phase.ENDED, 1, 60, meter_wh=560_000, stop_reason="Local")
    assert (await yard.only()).energy_wh == 60_000
    assert len(await yard.rows("SELECT 1 AS x FROM meter_values")) == 2


async def test_who_stopped_it_is_shown_if_it_was_a_stranger(yard: Yard) -> None:
    for value, group in (("BUS1", "FLEET"), ("MATE", "FLEET"), ("STRANGER", "OTHERS")):
        yard.tokens.add(yard.org_id, value, group_id=group)
    ack = await yard.start()
    await yard.stop(ack.transaction_ref, token="MATE")
    assert (await yard.only()).flags == ()
    ack = await yard.start(minute=90, meter_wh=560_000)
    stopped = await yard.stop(ack.transaction_ref, minute=100, meter_wh=570_000, token="STRANGER")
    assert stopped.authorisation is not None
    assert stopped.authorisation.group == "OTHERS"
    session = (await yard.stored())[-1]
    assert (session.state, session.flags) == (SessionState.ENDED, (Flag.STOPPED_BY_OTHER,))
    (repair,) = session.repairs
    assert (repair.was, repair.now) == ("BUS1", "STRANGER")


async def test_a_repeated_start_is_answered_with_the_group_again(yard: Yard) -> None:
    until_at = yard.at(600)
    yard.tokens.add(yard.org_id, "BUS1", group_id="FLEET", valid_until=until_at)
    for _ in range(2):
        ack = await yard.start()
        assert ack.authorisation is not None
        assert (ack.authorisation.group, ack.authorisation.until_at) == ("FLEET", until_at)


async def test_an_answer_that_a_moment_may_change_does_not_hold_long(yard: Yard) -> None:
    """It must not stay in a charger's cache."""
    yard.tokens.add(yard.org_id, "BUS1")
    await yard.start()
    found = await yard.sessions.authorise(yard.station.ref, 2, IdToken("BUS1"))
    assert found.until_at is not None
    assert 0 < (found.until_at - yard.clock.now()).total_seconds() <= 60


@pytest.mark.parametrize("sampled", [False, True])
async def test_what_was_charged_by_a_clock_that_had_stopped_is_counted(
    yard: Yard, sampled: bool
) -> None:
    """Row 16: without power or link for a while, told hours later within a second."""
    clock = datetime(2020, 1, 1, tzinfo=UTC)
    yard.clock.reach(yard.at(600))

    def told(phase: Phase, hours: float, meter_wh: float, ref: str | None) -> TransactionReport:
        at = clock + timedelta(hours=hours)
        context = "begin" if phase is Phase.STARTED else "end"
        return TransactionReport(
            phase, at, yard.message(), evse_number=1, transaction_ref=ref, id_token=IdToken("BUS1"),
            readings=(MeterReading(at, meter_wh, context=context),), stop_reason="Local",
        )  # fmt: skip

    station = yard.station.ref
    ref = await yard.sessions.report(station, told(Phase.STARTED, 0, 500_000, None))
    if sampled:
        for hours in (1, 2, 3):
            reading = MeterReading(clock + timedelta(hours=hours), 500_000 + 15_000 * hours)
            await yard.sessions.meter(station, 1, ref.transaction_ref, [reading])
    stop = told(Phase.ENDED, 4, 560_000, ref.transaction_ref)
    await yard.sessions.report(station, stop)
    assert (await yard.only()).energy_wh == 60_000
    await yard.restart()
    await yard.sessions.report(station, stop)
    session = await yard.only()
    assert (session.energy_wh, session.flags) == (60_000, (Flag.CLOCK_OFF,))

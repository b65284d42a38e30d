"""Whatever the order, the repeats and the losses: one true plug-in is one session."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltyard.sessions import fold
from voltyard.sessions.fold import Tracked
from voltyard.sessions.model import (
    ChargingState,
    Flag,
    IdToken,
    MeterReading,
    Phase,
    Session,
    SessionState,
    TransactionReport,
)
from voltyard.sessions.register import Register

START_AT = datetime(2026, 1, 15, 18, 0, tzinfo=UTC)
NOW = START_AT + timedelta(hours=30)
ZERO = UUID(int=0)


def at(minutes: float) -> datetime:
    return START_AT + timedelta(minutes=minutes)


def track(first: TransactionReport) -> Tracked:
    """As the service does with the first message it hears about a session."""
    session = Session(
        ZERO, ZERO, None, ZERO, ZERO, 1, "tx", SessionState.ACTIVE, first.at, start_key="ref:tx"
    )
    tracked = Tracked(session, Register(150_000))
    if first.phase is not Phase.STARTED:
        tracked.repair(Flag.START_UNSEEN, first.at)
    return tracked


def told(reports: Sequence[TransactionReport]) -> Tracked:
    tracked = track(reports[0])
    for report in reports:
        fold.apply(tracked, report, NOW)
    return tracked


def core(session: Session) -> tuple[object, ...]:
    """All that must not depend on the order in which it was told."""
    return (
        session.state,
        session.started_at,
        session.ended_at,
        session.id_token,
        round(session.energy_wh, 6),
        session.meter_start_wh,
        session.meter_last_wh,
        session.soc_start_pct,
        session.soc_last_pct,
        session.power_w,
        session.last_seq_no,
        session.last_reading_at,
        session.charging_state,
        session.stop_reason,
        session.flags,
    )


STATES = st.none() | st.sampled_from(ChargingState)
STEP = st.tuples(st.floats(0, 5_000), STATES, st.booleans())


@st.composite
def transaction(draw: st.DrawFn) -> list[TransactionReport]:
    """A true 2.0.1 transaction: a register that only grows, numbered messages, one a minute."""
    meter_wh = draw(st.floats(0, 2e6))
    token_at = draw(st.integers(0, 3))
    reports = []
    steps = draw(st.lists(STEP, min_size=1, max_size=12))
    for number, (step_wh, state, silent) in enumerate(steps):
        meter_wh += step_wh if number else 0.0
        last = number == len(steps) - 1 and draw(st.booleans())
        reading = MeterReading(
            at(number), None if silent else meter_wh, 60 * step_wh, min(100.0, 20.0 + number)
        )
        phase = Phase.STARTED if number == 0 else Phase.ENDED if last else Phase.UPDATED
        reports.append(
            TransactionReport(
                phase,
                at(number),
                f"m{number}",
                transaction_ref="tx",
                seq_no=number,
                id_token=IdToken("BUS1") if number >= token_at and not last else None,
                readings=(reading,),
                stop_reason="EVDisconnected" if last else None,
                charging_state=state,
            )
        )
    return reports


@given(transaction(), st.randoms(use_true_random=False))
def test_any_order_with_any_repeats_converges(
    reports: list[TransactionReport], chance: random.Random
) -> None:
    straight = told(reports)
    mixed = [*reports, *chance.choices(reports, k=len(reports))]
    chance.shuffle(mixed)
    assert core(told(mixed).session) == core(straight.session)


@given(transaction())
def test_energy_only_grows_while_told_in_order(reports: list[TransactionReport]) -> None:
    tracked = track(reports[0])
    before_wh = 0.0
    for report in reports:
        fold.apply(tracked, report, NOW)
        assert tracked.session.energy_wh >= before_wh
        before_wh = tracked.session.energy_wh


@given(transaction(), st.randoms(use_true_random=False))
def test_a_16_transaction_converges_once_its_start_is_known(
    reports: list[TransactionReport], chance: random.Random
) -> None:
    """In 1.6 nothing else can come first: only the answer to the start names the transaction."""
    plain = [
        TransactionReport(
            report.phase,
            report.at,
            report.message_key,
            transaction_ref="tx",
            id_token=IdToken("BUS1") if report.phase is Phase.STARTED else None,
            readings=report.readings,
            stop_reason=report.stop_reason,
        )
        for report in reports
    ]
    rest = [*plain[1:], *chance.choices(plain, k=len(plain))]
    chance.shuffle(rest)
    assert core(told([plain[0], *rest]).session) == core(told(plain).session)


def report(phase: Phase, minute: float, seq_no: int, **columns: object) -> TransactionReport:
    wh = columns.pop("wh", None)
    readings = () if wh is None else (MeterReading(at(minute), float(str(wh))),)
    return TransactionReport(
        phase,
        at(minute),
        f"m{seq_no}",
        transaction_ref="tx",
        seq_no=seq_no,
        readings=readings,
        **columns,  # type: ignore[arg-type]
    )


def test_an_end_without_its_start_is_set_apart_until_the_start_comes() -> None:
    ended = report(Phase.ENDED, 10, 2, wh=3_000, stop_reason="Remote")
    tracked = told([ended])
    assert tracked.session.state is SessionState.QUARANTINED
    assert Flag.START_UNSEEN in tracked.session.flags
    fold.apply(tracked, report(Phase.STARTED, 0, 0, wh=1_000), NOW)
    session = tracked.session
    assert (session.state, session.energy_wh) == (SessionState.ENDED, 2_000)
    assert session.flags == (Flag.SEQUENCE_GAP,)
    assert session.repairs[-1].what == Flag.START_UNSEEN
    fold.apply(tracked, report(Phase.UPDATED, 5, 1, wh=2_000), NOW)
    assert tracked.session.flags == ()


def test_a_session_heard_in_its_middle_runs() -> None:
    tracked = told([report(Phase.UPDATED, 5, 3, wh=2_000), report(Phase.UPDATED, 6, 4, wh=3_000)])
    session = tracked.session
    assert (session.state, session.started_at) == (SessionState.ACTIVE, at(5))
    assert (session.energy_wh, session.flags) == (1_000, (Flag.START_UNSEEN,))


def test_a_repair_is_listed_once_with_what_it_changed() -> None:
    tracked = told([report(Phase.STARTED, 0, 0, wh=500_000)])
    for _ in range(3):
        fold.apply(tracked, report(Phase.UPDATED, 1, 1, wh=400), NOW)
    (repair,) = tracked.session.repairs
    assert (repair.what, repair.was, repair.now) == (Flag.REGISTER_RESET, "500000 Wh", "400 Wh")
    assert repair.at == at(1)


def test_repairs_are_bounded() -> None:
    tracked = told([report(Phase.STARTED, 0, 0, wh=500_000)])
    for number in range(1, 1_000):
        tracked.repair(Flag.CLOCK_OFF, at(number), number, number + 1)
    assert len(tracked.session.repairs) == fold.REPAIRS_MAX


@pytest.mark.parametrize("seq_no", [-1, 2_147_483_647])
def test_absurd_sequence_numbers_are_ignored(seq_no: int) -> None:
    tracked = told([report(Phase.STARTED, 0, 0), report(Phase.ENDED, 1, seq_no)])
    assert tracked.session.last_seq_no == 0
    assert tracked.session.state is SessionState.ENDED

"""When a session whose stop never came is over."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from voltyard.chargers.model import Evse, EvseStatus
from voltyard.sessions.fold import Tracked
from voltyard.sessions.model import Flag, Session, SessionState
from voltyard.sessions.register import Register
from voltyard.sessions.sweep import SessionRules, Verdict, judge

START_AT = datetime(2026, 1, 15, 18, 0, tzinfo=UTC)
ZERO = UUID(int=0)
RULES = SessionRules()
EVSE = Evse(ZERO, ZERO, None, ZERO, 1, "1")
SESSION = Session(ZERO, ZERO, None, ZERO, ZERO, 1, "7", SessionState.ACTIVE, START_AT)


def after(minutes: float) -> datetime:
    return START_AT + timedelta(minutes=minutes)


def judged(
    minutes: float,
    status: EvseStatus = EvseStatus.UNKNOWN,
    *,
    since: float = 0,
    online: bool = True,
    heard: float = 0,
    read: float | None = None,
) -> Verdict | None:
    session = replace(SESSION, last_reading_at=None if read is None else after(read))
    tracked = Tracked(session, Register(1.0), heard_at=after(heard))
    evse = replace(EVSE, status=status, status_at=after(since))
    return judge(tracked, evse, online=online, now=after(minutes), rules=RULES)


def test_an_unplugged_vehicle_ends_when_it_left_or_was_last_measured() -> None:
    free = EvseStatus.AVAILABLE
    assert judged(4, free) is None
    assert judged(5, free) == Verdict(Flag.NO_STOP, after(0))
    assert judged(66, free, since=60, heard=59, read=59) == Verdict(Flag.NO_STOP, after(60))
    assert judged(66, free, since=60, heard=62, read=62) is None
    assert judged(70, free, since=60, heard=62, read=62) == Verdict(Flag.NO_STOP, after(62))


def test_a_charger_that_is_cut_off_is_not_judged_by_its_last_status() -> None:
    assert judged(600, EvseStatus.AVAILABLE, online=False) is None


@pytest.mark.parametrize("status", [EvseStatus.SUSPENDED_EV, EvseStatus.OCCUPIED])
def test_a_vehicle_that_stands_there_may_be_silent_for_a_week(status: EvseStatus) -> None:
    assert judged(6 * 24 * 60, status) is None
    assert judged(7 * 24 * 60, status) == Verdict(Flag.ETERNAL, after(0))


def test_silence_from_an_outlet_that_says_nothing_ends_after_six_hours() -> None:
    assert judged(359, heard=0) is None
    assert judged(360, EvseStatus.FAULTED, read=10) == Verdict(Flag.ETERNAL, after(10))
    assert judged(360, heard=5) is None


def test_without_an_outlet_only_silence_counts() -> None:
    tracked = Tracked(SESSION, Register(1.0))
    verdict = judge(tracked, None, online=True, now=after(360), rules=RULES)
    assert verdict == Verdict(Flag.ETERNAL, after(0))

"""Which part of a limit for a while is a cut."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from voltyard.energy.holding import LimitHold, at_once, loosens
from voltyard.energy.overrides import Override

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
NODE, SITE = uuid4(), uuid4()
POWER = st.sampled_from((0.0, 1e5, 2e5, 3e5))
HOURS = st.integers(-2, 6)


def allowed_w(power_w: float, until_at: datetime, at: datetime) -> float:
    return power_w if at < until_at else float("inf")


@settings(max_examples=200, deadline=None)
@given(POWER, HOURS, POWER, HOURS)
def test_what_is_done_at_once_never_lets_through_more(
    had_w: float, had_h: int, asked_w: float, asked_h: int
) -> None:
    present = Override(NODE, had_w, NOW + timedelta(hours=had_h))
    asked = LimitHold(SITE, NODE, asked_w, NOW + timedelta(hours=asked_h))
    cut = at_once(present, asked, NOW)
    done = cut or (None if loosens(present, asked, NOW) else asked)
    for hour in range(8):
        at = NOW + timedelta(hours=hour, minutes=1)
        before = allowed_w(had_w, present.until_at, at)
        if done is not None:
            assert allowed_w(done.power_w, done.until_at, at) <= before
    if asked_w < had_w and asked_h > 0 and had_h > 0:
        assert done is not None
        assert done.power_w == asked_w


def test_where_nothing_holds_everything_is_a_cut() -> None:
    asked = LimitHold(SITE, NODE, 1e5, NOW + timedelta(hours=1))
    assert not loosens(None, asked, NOW)
    ended = Override(NODE, 1.0, NOW)
    assert not loosens(ended, asked, NOW)

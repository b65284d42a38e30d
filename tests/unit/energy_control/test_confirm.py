"""What must be assumed of a charger between sending and knowing."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from voltyard.energy.confirm import Change, FallbackState, Held, Live

START = datetime(2026, 1, 15, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def test_a_cut_on_its_way_counts_at_the_old_value() -> None:
    held = Held(5_000.0, (Live(100_000.0, at(15)),))
    cut = Change(20_000.0, until_at=at(20))
    assert cut.while_unconfirmed(held).ceiling_w == 100_000
    assert cut.when_confirmed(held).ceiling_w == 20_000


def test_an_unanswered_cut_counts_at_the_old_value_until_that_runs_out() -> None:
    held = Change(20_000.0, until_at=at(20)).while_unconfirmed(
        Held(5_000.0, (Live(100_000.0, at(15)),))
    )
    assert held.at(at(14)).ceiling_w == 100_000
    assert held.at(at(15)).ceiling_w == 20_000
    assert held.at(at(20)).ceiling_w == 5_000


def test_a_charger_never_counts_below_its_failsafe() -> None:
    held = Change(0.0, until_at=at(15)).when_confirmed(Held(5_000.0))
    assert held.ceiling_w == 5_000


def test_a_lower_failsafe_counts_once_it_is_confirmed() -> None:
    held = Held(20_000.0, fallback_state=FallbackState.VERIFIED)
    lower = Change(3_000.0, fallback=True)
    assert lower.while_unconfirmed(held).ceiling_w == 20_000
    assert lower.while_unconfirmed(held).fallback_state is FallbackState.UNKNOWN
    assert lower.when_confirmed(held).ceiling_w == 3_000


def test_a_limit_without_end_never_runs_out() -> None:
    held = Held(5_000.0, (Live(50_000.0, None), Live(70_000.0, at(5))))
    assert held.live_until is None
    assert held.at(at(1000)).ceiling_w == 50_000


changes = st.builds(
    Change,
    power_w=st.integers(0, 150).map(lambda kw: kw * 1000.0),
    fallback=st.booleans(),
    until_at=st.integers(1, 60).map(at),
)


@given(st.lists(st.tuples(changes, st.sampled_from(["yes", "no", "lost", "obeyed"])), max_size=8))
def test_the_ceiling_is_never_below_what_the_charger_holds(
    story: list[tuple[Change, str]],
) -> None:
    held = Held(10_000.0)
    default_w, live = 10_000.0, None
    for change, outcome in story:
        before = held
        held = change.while_unconfirmed(held)
        if outcome in {"yes", "obeyed"}:
            if change.fallback:
                default_w = change.power_w
            else:
                live = (change.power_w, change.until_at)
        if outcome == "yes":
            held = change.when_confirmed(held)
        elif outcome == "no":
            held = before
        for minute in (0, 10, 30, 59, 61):
            now = at(minute)
            drawn_w = live[0] if live is not None and now < live[1] else default_w
            assert held.at(now).ceiling_w >= drawn_w

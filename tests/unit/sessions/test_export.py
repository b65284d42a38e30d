"""What flowed back in a session, whatever the order of the readings."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from voltyard.records import replace
from voltyard.sessions.export import exported
from voltyard.sessions.model import Session, SessionState

START = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
EMPTY = Session(
    UUID(int=1), UUID(int=2), None, UUID(int=3), None, None, "t1", SessionState.ACTIVE, START
)


def told(session: Session, minute: int, wh: float) -> Session:
    at = START + timedelta(minutes=minute)
    changes = exported(session, wh, at)
    last = session.last_reading_at
    newest = at if last is None else max(last, at)
    return replace(session, last_reading_at=newest, **changes)


def test_it_counts_from_where_the_register_stood() -> None:
    session = told(told(told(EMPTY, 0, 40_000.0), 5, 41_000.0), 10, 43_500.0)
    assert session.energy_exported_wh == 3_500.0
    assert session.net_wh == -3_500.0


@given(st.permutations(range(8)), st.integers(0, 7))
def test_any_order_and_any_repeat_converge(order: list[int], again: int) -> None:
    session = EMPTY
    for minute in [*order, order[again]]:
        session = told(session, minute, 1_000.0 * minute**2)
    assert session.energy_exported_wh == 49_000.0


def test_a_register_that_was_reset_counts_on() -> None:
    session = told(told(told(EMPTY, 0, 9_000.0), 5, 9_500.0), 10, 0.0)
    session = told(session, 15, 700.0)
    assert session.energy_exported_wh == 1_200.0


def test_nonsense_counts_for_nothing() -> None:
    session = told(told(EMPTY, 0, 100.0), 5, 1e9)
    assert session.energy_exported_wh == 0.0
    assert exported(EMPTY, -1.0, START) == {}

"""What bookings mean for a vehicle, rule by rule."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from voltyard.bookings.judging import of_session, of_start
from voltyard.bookings.model import Booking, Shown

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
BAY, MINE, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)
ME, OTHERS = Shown("A", MINE), Shown("B", OTHER)


def booking(from_min: float, until_min: float, vehicle: UUID | None = MINE) -> Booking:
    from_at, until_at = (NOON + timedelta(minutes=m) for m in (from_min, until_min))
    buffer = timedelta(minutes=10)
    return Booking(
        uuid4(), BAY, BAY, BAY, from_at, until_at, from_at - buffer, until_at, "x", NOON,
        vehicle_id=vehicle,
    )  # fmt: skip


def test_a_start_in_the_buffer_is_anothers_already() -> None:
    mine = booking(10, 60)
    assert of_start([mine], OTHERS, NOON) is not None
    assert of_start([mine], OTHERS, NOON - timedelta(seconds=1)) is None
    assert of_start([mine], ME, NOON) is None
    assert of_start([mine], OTHERS, NOON + timedelta(minutes=60)) is None


def test_a_token_is_enough_however_it_is_written() -> None:
    kept = replace(booking(0, 60, None), token="04AABB")
    assert of_start([kept], Shown("04aabb"), NOON) is None
    assert of_start([kept], Shown(""), NOON) is not None


def test_lifted_and_cancelled_ones_keep_nobody_away() -> None:
    kept = booking(0, 60)
    assert of_start([replace(kept, lifted_at=NOON)], OTHERS, NOON) is None
    assert of_start([replace(kept, cancelled_at=NOON)], OTHERS, NOON) is None


def judged(bookings: list[Booking], who: Shown, started_min: float, now_min: float) -> bool:
    started, now = (NOON + timedelta(minutes=m) for m in (started_min, now_min))
    return of_session(bookings, who, started, now, end_at_departure=True) is not None


def test_a_session_ends_with_its_own_booking_but_one_begun_later_does_not() -> None:
    mine = booking(0, 60)
    assert not judged([mine], ME, 0, 59)
    assert judged([mine], ME, 0, 60)
    assert not judged([mine], ME, 61, 70)
    after = of_session([mine], ME, NOON, NOON + timedelta(minutes=61), end_at_departure=False)
    assert after is None


def test_one_that_stays_for_its_next_booking_goes_on() -> None:
    assert not judged([booking(0, 60), booking(60, 120)], ME, 0, 65)


def test_another_that_is_due_ends_it_in_the_buffer() -> None:
    next_one = booking(60, 120, OTHER)
    assert not judged([next_one], ME, 0, 49)
    assert judged([next_one], ME, 0, 50)


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 90), st.booleans()), max_size=6),
    st.integers(0, 500),
)
def test_who_is_let_in_is_never_thrown_out_at_once(
    parts: list[tuple[int, int, bool]], now_min: int
) -> None:
    bookings = [booking(a, a + n, MINE if mine else OTHER) for a, n, mine in parts]
    now = NOON + timedelta(minutes=now_min)
    if of_start(bookings, ME, now) is None:
        assert of_session(bookings, ME, now, now, end_at_departure=True) is None

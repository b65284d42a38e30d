"""Bays for duties: nobody behind one that leaves later, whatever the night looks like."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from voltyard.bookings.placing import Spot, Visit, place

DUSK = datetime(2026, 1, 15, 17, tzinfo=UTC)


def visit(number: int, arrives_min: int, leaves_min: int, spot: int | None = None) -> Visit:
    return Visit(
        UUID(int=number),
        DUSK + timedelta(minutes=arrives_min),
        DUSK + timedelta(minutes=leaves_min),
        150_000.0,
        None if spot is None else UUID(int=spot),
    )


def lane(name: str, first: int, length: int) -> list[Spot]:
    return [Spot(UUID(int=first + n), f"{name}{n + 1}", name, n, 150_000.0) for n in range(length)]


def test_a_lane_is_filled_from_its_front_in_the_order_of_leaving() -> None:
    spots = lane("A", 100, 3) + lane("B", 200, 3)
    visits = [visit(1, 0, 700), visit(2, 10, 600), visit(3, 20, 720), visit(4, 30, 650)]
    found = {p.visit.id.int: p.spot.name for p in place(spots, visits) if p.spot}
    assert found == {1: "A1", 2: "B1", 3: "A2", 4: "B2"}


def test_who_would_be_parked_in_gets_no_bay_and_fixed_ones_are_told() -> None:
    spots = lane("A", 100, 2)
    (fixed, late) = place(spots, [visit(1, 0, 700, 100), visit(2, 10, 600)])
    assert fixed.spot is not None and fixed.blocked_by == ()  # noqa: PT018
    assert late.spot is None
    wrong = place(spots, [visit(1, 0, 700, 100), visit(2, 10, 600, 101)])
    assert [p.blocked_by for p in wrong] == [(UUID(int=2),), (UUID(int=1),)]


def test_power_counts_before_order_and_a_gap_is_kept() -> None:
    weak, strong = Spot(UUID(int=1), "W", max_power_w=50e3), Spot(UUID(int=2), "S", max_power_w=2e5)
    gap = timedelta(minutes=10)
    found = place([weak, strong], [visit(5, 0, 60), visit(6, 65, 90)], gap=gap)
    assert [p.spot.name for p in found if p.spot] == ["S", "W"]
    assert [p.short_w for p in found] == [0.0, 100e3]


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 600)), max_size=14),
    st.integers(1, 3),
    st.integers(1, 4),
)
def test_no_placing_ever_blocks_another(
    stays: list[tuple[int, int]], lanes: int, length: int
) -> None:
    spots = [s for n in range(lanes) for s in lane(f"L{n}", 1000 * (n + 1), length)]
    visits = [visit(i + 1, a, a + d) for i, (a, d) in enumerate(stays)]
    found = place(spots, visits)
    again = place(
        spots,
        [
            Visit(p.visit.id, p.visit.arrival_at, p.visit.departure_at, 0.0, p.spot.id)
            for p in found
            if p.spot
        ],
    )
    assert all(p.blocked_by == () for p in again)
    assert len(found) == len(visits)

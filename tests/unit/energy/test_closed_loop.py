"""Whole nights of the real planner and controller: as many ready as physics allows, calmly."""

from statistics import median

import pytest

from tests.unit.energy.closed_loop import Night, run_night
from voltyard.simulator.demo import demo_depot


def night_of(vehicles: int, seed: int, limit_w: float | None) -> Night:
    return run_night(demo_depot(seed, vehicles, limit_w=limit_w))


def never_over(night: Night) -> bool:
    return max(power_w for _, power_w in night.load) <= night.depot.limit_w + 1.0


def test_a_tight_night_ends_as_physics_allows_and_starts_nobody_often() -> None:
    night = night_of(6, 6, 78e3)
    allowed = night.oracle()
    assert allowed.ready_max < 6
    assert night.ready == allowed.ready_max
    assert not night.unannounced()
    assert median(night.starts) <= 2
    assert never_over(night)


def test_the_same_night_twice_is_the_same_night() -> None:
    assert night_of(2, 3, 40e3).load == night_of(2, 3, 40e3).load


@pytest.mark.long
@pytest.mark.parametrize(
    ("vehicles", "seed", "limit_w"),
    [
        (20, 1, 280e3),
        (20, 3, 280e3),
        (20, 4, 290e3),
        (40, 1, 560e3),
        (40, 2, 560e3),
        (40, 3, 540e3),
        (80, 1, 1120e3),
    ],
)
def test_tight_nights_miss_physics_by_one_vehicle_at_most(
    vehicles: int, seed: int, limit_w: float
) -> None:
    night = night_of(vehicles, seed, limit_w)
    assert night.ready >= night.oracle().ready_max - 1
    assert len(night.unannounced()) <= 1
    assert median(night.starts) <= 3
    assert max(night.starts) <= 8
    assert never_over(night)


@pytest.mark.long
@pytest.mark.parametrize(("vehicles", "limit_w"), [(40, None), (40, 720e3)])
def test_feasible_nights_make_everybody_ready(vehicles: int, limit_w: float | None) -> None:
    night = night_of(vehicles, 2, limit_w)
    assert night.ready == night.oracle().ready_max == vehicles
    assert never_over(night)

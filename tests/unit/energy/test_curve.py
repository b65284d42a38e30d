"""Charge curves: power, time and charge agree with each other, whatever the source says."""

from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voltyard.energy.curve import ChargeCurve
from voltyard.errors import Invalid

TAPER = ChargeCurve(((0.0, 150e3), (80.0, 150e3), (100.0, 15e3)))


def test_power_is_linear_between_points_and_flat_outside() -> None:
    curve = ChargeCurve(((20.0, 50e3), (80.0, 110e3)))
    assert curve.power_at(0.0) == 50e3
    assert curve.power_at(50.0) == 80e3
    assert curve.power_at(95.0) == 110e3
    assert curve.power_at(50.0, max_power_w=60e3) == 60e3


def test_absurd_power_is_capped_by_the_vehicle() -> None:
    curve = ChargeCurve(((0.0, 190e3), (80.0, 190e3), (100.0, 1900e3)))
    assert curve.power_at(100.0, 190e3) == 190e3
    assert curve.time_s(0.0, 100.0, 190e3, 190e3) == pytest.approx(3600.0)


def test_flat_curve_takes_energy_over_power() -> None:
    flat = ChargeCurve(((0.0, 100e3),))
    assert flat.time_s(10.0, 60.0, 200e3, 100e3) == pytest.approx(3600.0)
    assert flat.time_s(10.0, 60.0, 200e3, 50e3) == pytest.approx(7200.0)
    assert flat.time_s(10.0, 60.0, 200e3, 100e3, efficiency=0.5) == pytest.approx(7200.0)


def test_taper_takes_longer_than_full_power() -> None:
    assert TAPER.time_s(80.0, 100.0, 300e3, 150e3) == pytest.approx(3683.7, rel=1e-3)


def test_a_curve_that_ends_at_nothing_never_gets_there() -> None:
    assert ChargeCurve(((0.0, 100e3), (100.0, 0.0))).time_s(50.0, 100.0, 100e3, 1e6) == inf
    assert ChargeCurve(((0.0, 0.0),)).time_s(0.0, 1.0, 100e3, 1e6) == inf


def test_a_step_in_the_curve() -> None:
    step = ChargeCurve(((0.0, 100e3), (50.0, 100e3), (50.0, 50e3), (100.0, 50e3)))
    assert step.time_s(0.0, 100.0, 100e3, 1e6) == pytest.approx(1800.0 + 3600.0)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    powers=st.lists(st.floats(1e3, 300e3), min_size=2, max_size=5),
    soc=st.floats(0.0, 99.0),
    seconds=st.floats(1.0, 20_000.0),
    cap_w=st.floats(2e3, 400e3),
)
def test_time_to_reach_and_charge_after_are_inverse(
    powers: list[float], soc: float, seconds: float, cap_w: float
) -> None:
    step = 100.0 / (len(powers) - 1)
    curve = ChargeCurve(tuple((i * step, power) for i, power in enumerate(powers)))
    after = curve.soc_after(soc, seconds, 250e3, cap_w, 0.95)
    assert soc <= after <= 100.0 + 1e-9
    spent = curve.time_s(soc, after, 250e3, cap_w, 0.95)
    if after < 100.0 - 1e-9:
        assert spent == pytest.approx(seconds, rel=1e-6, abs=1e-3)
    else:
        assert spent <= seconds + 1e-3
    assert curve.energy_wh(soc, seconds, 250e3, cap_w) <= cap_w * seconds / 3600.0 + 1e-6


@pytest.mark.parametrize(
    "points",
    [
        (),
        ((50.0, 1e3), (40.0, 1e3)),
        ((0.0, -1.0),),
        ((0.0, float("nan")),),
        ((101.0, 1e3),),
    ],
)
def test_meaningless_curve_is_refused(points: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(Invalid):
        ChargeCurve(points)

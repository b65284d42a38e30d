"""Batteries: curves, steps, exact integration."""

from math import inf

import pytest

from voltyard.errors import Invalid
from voltyard.simulator.vehicle import Battery, BatterySpec

TAPER = ((0.0, 100e3), (80.0, 100e3), (100.0, 20e3))


def test_power_is_flat_then_tapers_and_ends() -> None:
    spec = BatterySpec(200e3, 100e3, TAPER)
    assert spec.accepts_w(0.0) == spec.accepts_w(79.4) == 100e3
    assert spec.accepts_w(90.0) == pytest.approx(58e3)
    assert spec.accepts_w(99.9) == pytest.approx(20e3)
    assert spec.accepts_w(100.0) == 0.0


def test_a_step_never_exceeds_the_curve() -> None:
    spec = BatterySpec(200e3, 300e3, ((0.0, 20e3), (20.0, 100e3), (60.0, 100e3), (100.0, 5e3)))
    for tenth in range(1000):
        soc_pct = tenth / 10.0
        low = 20e3 + soc_pct * 4e3 if soc_pct < 20 else 100e3
        high = 100e3 if soc_pct < 60 else 100e3 - (soc_pct - 60) * 2375.0
        assert spec.accepts_w(soc_pct) <= min(low, high) + 1e-6


def test_an_absurd_point_of_the_curve_is_capped_by_the_maximum() -> None:
    spec = BatterySpec(190e3, 190e3, ((0.0, 190e3), (80.0, 190e3), (100.0, 1_900e3)))
    assert max(spec.steps_w) == 190e3


def test_energy_is_conserved_in_any_steps() -> None:
    spec = BatterySpec(200e3, 100e3, TAPER, efficiency=0.9)
    coarse, fine = Battery(spec, 50.0), Battery(spec, 50.0)
    coarse.charge_for(3600.0, inf)
    for _ in range(3600):
        fine.charge_for(1.0, inf)
    assert fine.soc_pct == pytest.approx(coarse.soc_pct, abs=1e-6)
    assert spec.metered_wh(10.0) == pytest.approx(200e3 * 0.1 / 0.9)


def test_time_to_a_state_of_charge_is_what_charging_takes() -> None:
    spec = BatterySpec(200e3, 100e3, TAPER, efficiency=0.95)
    seconds = spec.seconds_to_reach(30.0, 95.0, 60e3)
    battery = Battery(spec, 30.0)
    battery.charge_for(seconds, 60e3)
    assert battery.soc_pct == pytest.approx(95.0)


def test_too_little_power_never_gets_there() -> None:
    spec = BatterySpec(200e3, 100e3, TAPER, min_power_w=10e3)
    assert spec.seconds_to_reach(50.0, 60.0, 9e3) == inf


def test_driving_empties_but_not_below_empty() -> None:
    battery = Battery(BatterySpec(200e3, 100e3), 20.0)
    battery.consume(30.0)
    assert battery.soc_pct == 0.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"capacity_wh": 0.0},
        {"max_power_w": -1.0},
        {"efficiency": 1.2},
        {"curve": ((50.0, 1e3), (20.0, 1e3))},
        {"curve": ((0.0, -5.0),)},
    ],
)
def test_a_senseless_battery_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        BatterySpec(**{"capacity_wh": 1e5, "max_power_w": 1e5, **wrong})  # type: ignore[arg-type]

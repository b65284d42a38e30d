"""A cabin warms from the outlet before anything reaches the battery, and cools by itself."""

import json
from datetime import UTC, datetime

import pytest

from voltyard.clock import Clock
from voltyard.simulator.cabin import CabinSpec, Conditioned
from voltyard.simulator.loop import run_virtual
from voltyard.simulator.vdv261 import Vdv261Spec, Vdv261Vehicle
from voltyard.simulator.vehicle import BatterySpec

AT = datetime(2026, 1, 16, 3, 0, tzinfo=UTC)
SPEC = Vdv261Spec("WEB62804113456789", "001A2B3C4D5E", "secret", version=1)


def bus(soc_pct: float = 50.0) -> Conditioned:
    return Conditioned(BatterySpec(300e3, 100e3), soc_pct, CabinSpec())


def test_heating_comes_before_the_battery_and_is_metered() -> None:
    made = bus()
    assert made.accepts_w() == 100e3
    made.on = True
    assert made.accepts_w() == 120e3
    metered_wh = made.advance(360.0, 30e3)
    assert metered_wh == pytest.approx(3_000)
    assert made.heated_wh == pytest.approx(2_000)
    assert made.soc_pct == pytest.approx(50.0 + 1_000 / 300e3 * 100)
    assert made.inside_c > made.outside_c


def test_it_is_warm_when_it_said_it_would_be_and_then_held() -> None:
    made = bus(100.0)
    seconds = made.heating_s()
    made.on = True
    assert made.seconds_to_step(20e3) == pytest.approx(seconds)
    made.advance(seconds, 20e3)
    assert made.is_warm
    assert made.hvac_w() == pytest.approx(made.cabin.holds_w(made.outside_c))
    made.warm(3600.0, 0.0)
    assert not made.is_warm


def talked(answers: list[dict[str, object]]) -> tuple[Vdv261Vehicle, list[bool]]:
    """A vehicle that gets these answers, then none."""
    switched: list[bool] = []
    left = list(answers)

    async def main(clock: Clock) -> Vdv261Vehicle:
        async def post(version: int, user: str, password: str, body: bytes) -> tuple[int, bytes]:
            if not left:
                raise OSError("nobody there")
            asked = json.loads(body)
            return 200, json.dumps({"seq": asked["seq"], "vin": user, **left.pop(0)}).encode()

        made = bus()

        def changed(on: bool) -> None:
            made.on = on
            switched.append(on)

        vehicle = Vdv261Vehicle(SPEC, made, clock, post, changed, lambda: 0.0)
        await vehicle.run()
        return vehicle

    return run_virtual(main, AT), switched


def test_it_tells_all_then_changes_and_gives_up_after_three_misses() -> None:
    vehicle, switched = talked([{"driveoff": 300, "prec_dsrd": 1}] * 3)
    assert [message["seq"] for message in vehicle.sent] == [0, 1, 2]
    assert "prec_eamount" in vehicle.sent[0]
    assert set(vehicle.sent[1]) == {"seq", "vin"}
    assert vehicle.gave_up
    assert switched == [], "the departure is far"


def test_it_heats_when_what_is_left_is_the_time_it_takes_and_it_is_wanted() -> None:
    assert talked([{"driveoff": 10, "prec_dsrd": 0}])[1] == []
    assert talked([{"driveoff": 65535, "prec_dsrd": 1}])[1] == []
    assert talked([{"driveoff": 10, "prec_dsrd": 1}])[1] == [True]
    assert talked([{"driveoff": 10, "prec_dsrd": 1}, {"driveoff": 9, "prec_dsrd": 0}])[1] == [
        True,
        False,
    ]

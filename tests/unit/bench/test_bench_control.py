"""The figures of ``voltyard bench control``: what counts as confirmed, and what is left open."""

import pytest

from voltyard.bench import control_report, latency
from voltyard.bench.control import Size
from voltyard.bench.depot import OUTLET_W
from voltyard.bench.depot_charger import DepotCharger, DepotTraffic, Now
from voltyard.clock import SystemClock

SIZE = Size(chargers=2, cuts=1, commands=2, replans=1, rate=1.0)
JOINED = {"connect_s": 1.0, "accepted": 2, "limited": 2, "errors": {}}


def charger(number: int, told: list[float]) -> DepotCharger:
    traffic = DepotTraffic(number, Now(SystemClock()))
    return DepotCharger(number, traffic, lambda _: None, lambda _, what: None, told.append)


def profile(purpose: str, limit_w: float) -> dict[str, object]:
    periods = [{"startPeriod": 0, "limit": limit_w}]
    schedule = {"chargingRateUnit": "W", "chargingSchedulePeriod": periods}
    return {"chargingProfilePurpose": purpose, "chargingSchedule": schedule}


def test_a_live_limit_counts_over_the_one_beneath_in_both_versions() -> None:
    told: list[float] = []
    one, other = charger(0, told), charger(3, told)
    assert one.allowed_w == OUTLET_W
    one._obey("SetChargingProfile", {"csChargingProfiles": profile("TxDefaultProfile", 5_000.0)})
    one._obey("SetChargingProfile", {"csChargingProfiles": profile("TxProfile", 30_000.0)})
    assert one.allowed_w == 30_000.0
    assert told == [5_000.0 - OUTLET_W, 25_000.0]
    wrapped = profile("TxProfile", 20_000.0)
    wrapped["chargingSchedule"] = [wrapped["chargingSchedule"]]
    other._obey("SetChargingProfile", {"chargingProfile": wrapped})
    assert other.allowed_w == other.power.power_w == 20_000.0


@pytest.mark.parametrize("number", [0, 3])
def test_readings_tell_the_power_that_the_limit_leaves(number: int) -> None:
    one = charger(number, [])
    one.power.power_w = 12_345.6
    payload = one.power.next(7)
    mask, body = payload[4:8], payload[8:]
    plain = bytes(byte ^ mask[place % 4] for place, byte in enumerate(body))
    assert b"12345.6" in plain
    assert b"11040" not in plain


def test_a_cut_that_was_never_confirmed_leaves_no_figure() -> None:
    cut = {"confirmed_s": 1.0, "known_s": 2.0, "lowered": 2}
    lost = {"confirmed_s": None, "known_s": None, "lowered": 1}
    answers = [(0.001 * number, number % 2 == 0) for number in range(100)]
    found = control_report.result(SIZE, JOINED, answers, [0.02], [0.001], [cut, cut, cut], {})
    assert (found["cut_confirmed_s"], found["cut_known_s"]) == (1.0, 2.0)
    assert (found["answers"], found["answers_planning"]) == (50, 50)
    assert found["answer_p50_ms"] == pytest.approx(51.0)
    assert "2 chargers" in control_report.table(found)
    found = control_report.result(SIZE, JOINED, [], [], [], [cut, lost], {"no answer": 1})
    assert (found["cut_confirmed_s"], found["cut_confirmed_max_s"]) == (None, None)
    assert found["answer_planning_p99_ms"] is None
    assert "no answer" in control_report.table(found)


def test_latency_is_told_beside_its_floor() -> None:
    seconds = [0.001 * number for number in range(1, 101)]
    found = latency.result(SIZE, JOINED, seconds, [each / 10 for each in seconds], {})
    assert found["orders"] == 100
    assert found["command_p50_ms"] == pytest.approx(51.0)
    assert found["command_p99_ms"] == found["command_max_ms"] == pytest.approx(100.0)
    assert found["floor_p99_ms"] == pytest.approx(10.0)
    assert "100 commands" in latency.table(found)
    nothing = latency.result(SIZE, JOINED, [], [], {"no answer": 1})
    assert nothing["command_p99_ms"] is None
    assert "no answer" in latency.table(nothing)

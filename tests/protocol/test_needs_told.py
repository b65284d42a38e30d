"""K15 to K20 as a charger hears them: what a vehicle asks for, and the schedule it will keep."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from tests.protocol.ocpp_fakes import FakeChargers, FakeSessions
from tests.protocol.schemas import complaints
from tests.protocol.test_schema_oracle import DIALECTS, NOW, exchange, read
from voltyard.chargers.model import PlannedPower, ScheduleOffer
from voltyard.sessions.model import VehicleNeeds

VERSIONS = ("2.0.1", "2.1")
LATER = NOW + timedelta(hours=2)
AC = {"energyAmount": 20_000, "evMinCurrent": 6, "evMaxCurrent": 16, "evMaxVoltage": 230}
DC = {
    "evMaxCurrent": 300,
    "evMaxVoltage": 800,
    "energyAmount": 50_000,
    "evMaxPower": 150_000,
    "stateOfCharge": 31,
    "evEnergyCapacity": 82_000,
    "fullSoC": 100,
    "bulkSoC": 80,
}


async def said(
    version: str, action: str, request: Any, **facts: Any
) -> tuple[dict[str, Any], FakeChargers, FakeSessions]:
    assert complaints(version, action, request) == []
    message, _ = read(version, action, request)
    at_work, chargers = exchange()
    sessions = at_work.sessions
    assert isinstance(sessions, FakeSessions)
    for name, value in facts.items():
        setattr(sessions if hasattr(sessions, name) else chargers, name, value)
    response = await DIALECTS[version].routes[action].handler(at_work, message)
    answer = msgspec.json.decode(msgspec.json.encode(response))
    assert complaints(version, action, answer, response=True) == []
    return answer, chargers, sessions


def needs(transfer: str, **more: Any) -> dict[str, Any]:
    asked = {"requestedEnergyTransfer": transfer, "departureTime": "2026-11-21T20:00:00Z", **more}
    return {"evseId": 1, "maxScheduleTuples": 12, "chargingNeeds": asked}


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_a_vehicle_on_ac_asks_for_is_kept(version: str) -> None:
    asked = needs("AC_three_phase", acChargingParameters=AC)
    answer, _, sessions = await said(
        version, "NotifyEVChargingNeeds", asked, offer=ScheduleOffer.NOW
    )
    assert answer == {"status": "Accepted"}
    told = VehicleNeeds(NOW, "AC_three_phase", LATER, 20_000.0, 11_040.0, 4_140.0)
    assert sessions.wanted == [(1, told)]


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_a_vehicle_on_dc_asks_for_is_kept(version: str) -> None:
    asked = needs("DC", dcChargingParameters=DC)
    _, _, sessions = await said(version, "NotifyEVChargingNeeds", asked)
    [(number, told)] = sessions.wanted
    assert number == 1
    assert (told.energy_wh, told.max_power_w, told.departure_at) == (50_000, 150_000, LATER)
    assert (told.soc_pct, told.target_soc_pct, told.battery_wh) == (31, 80, 82_000)


@pytest.mark.parametrize(
    ("version", "offer", "status"),
    [
        ("2.0.1", "now", "Accepted"),
        ("2.0.1", "later", "Processing"),
        ("2.0.1", "none", "Rejected"),
        ("2.1", "now", "Accepted"),
        ("2.1", "later", "Processing"),
        ("2.1", "none", "Rejected"),
    ],
)
async def test_the_answer_says_whether_a_schedule_comes(
    version: str, offer: str, status: str
) -> None:
    """K15.FR.03 to FR.05."""
    asked = needs("DC", dcChargingParameters=DC)
    answer, _, _ = await said(version, "NotifyEVChargingNeeds", asked, offer=ScheduleOffer(offer))
    assert answer["status"] == status


@pytest.mark.parametrize("version", VERSIONS)
async def test_without_a_transaction_there_is_no_schedule(version: str) -> None:
    asked = needs("DC", dcChargingParameters=DC)
    answer, chargers, _ = await said(
        version, "NotifyEVChargingNeeds", asked, offer=ScheduleOffer.NOW, running=False
    )
    assert answer["status"] == "Rejected"
    assert chargers.flag_names == {"needs_without_session"}


V2X = {
    "minChargePower": 2_000,
    "maxChargePower": 7_000,
    "maxChargePower_L2": 7_000,
    "maxChargePower_L3": 7_000,
    "evTargetEnergyRequest": 30_000,
    "targetSoC": 90,
}


@pytest.mark.parametrize(
    ("mode", "dynamic"), [("ScheduledControl", False), ("DynamicControl", True)]
)
async def test_a_vehicle_of_iso_15118_20_is_understood(mode: str, dynamic: bool) -> None:
    """K18, K19: its powers, its target; and no schedule does not end its transaction."""
    asked = needs("AC_BPT", v2xChargingParameters=V2X, controlMode=mode)
    answer, _, sessions = await said("2.1", "NotifyEVChargingNeeds", asked)
    assert answer["status"] == "NoChargingProfile"
    [(_, told)] = sessions.wanted
    assert (told.energy_wh, told.max_power_w, told.min_power_w) == (30_000, 21_000, 2_000)
    assert (told.target_soc_pct, told.dynamic, told.departure_at) == (90, dynamic, LATER)
    asked["chargingNeeds"]["v2xChargingParameters"] = V2X | {"evTargetEnergyRequest": 10_000}
    answer, _, sessions = await said("2.1", "NotifyEVChargingNeeds", asked, offer=ScheduleOffer.NOW)
    assert answer["status"] == "Accepted"
    assert sessions.wanted[0][1].energy_wh == 10_000


async def test_what_a_vehicle_may_give_is_understood() -> None:
    """Q01.FR.03: its discharge power and what it has to spare; charging alone gives nothing."""
    back = {
        "maxDischargePower": 6_000,
        "maxDischargePower_L2": 6_000,
        "minDischargePower": 500,
        "evMinV2XEnergyRequest": -12_000,
    }
    asked = needs("AC_BPT", v2xChargingParameters=V2X | back, controlMode="DynamicControl")
    asked["chargingNeeds"]["availableEnergyTransfer"] = ["AC_three_phase", "AC_BPT"]
    _, _, sessions = await said("2.1", "NotifyEVChargingNeeds", asked)
    told = sessions.wanted[0][1]
    assert (told.discharge_max_w, told.discharge_min_w, told.cycling_wh) == (12_000, 500, -12_000)
    assert told.gives
    asked["chargingNeeds"]["requestedEnergyTransfer"] = "AC_three_phase"
    _, _, sessions = await said("2.1", "NotifyEVChargingNeeds", asked)
    assert not sessions.wanted[0][1].gives
    assert sessions.wanted[0][1].could_give


async def test_needs_told_late_are_of_when_the_vehicle_told_them() -> None:
    """2.1 K15.FR.20: kept while the charger was offline."""
    asked = needs("DC", dcChargingParameters=DC) | {"timestamp": "2026-11-21T17:30:00Z"}
    _, _, sessions = await said("2.1", "NotifyEVChargingNeeds", asked)
    assert sessions.wanted[0][1].told_at == NOW - timedelta(minutes=30)


@pytest.mark.parametrize(
    ("departure", "odd"),
    [
        ("2026-11-21T17:00:00Z", True),
        ("2026-12-21T17:00:00Z", True),
        ("1970-01-01T00:00:00Z", True),
        ("2026-11-25T18:00:00Z", False),
    ],
)
async def test_a_departure_that_makes_no_sense_is_not_told(departure: str, odd: bool) -> None:
    asked = needs("DC", dcChargingParameters=DC)
    asked["chargingNeeds"]["departureTime"] = departure
    _, chargers, sessions = await said("2.0.1", "NotifyEVChargingNeeds", asked)
    assert (sessions.wanted[0][1].departure_at is None) is odd
    assert ("needs_odd" in chargers.flag_names) is odd


async def test_amounts_that_make_no_sense_are_not_told() -> None:
    odd = DC | {"energyAmount": -5, "evMaxPower": 2_000_000_000}
    asked = needs("DC", dcChargingParameters=odd)
    _, chargers, sessions = await said("2.0.1", "NotifyEVChargingNeeds", asked)
    told = sessions.wanted[0][1]
    assert (told.energy_wh, told.max_power_w) == (None, None)
    assert chargers.flag_names == {"needs_odd"}


def schedule(version: str, unit: str = "W", **more: Any) -> dict[str, Any]:
    periods = [
        {"startPeriod": 0, "limit": 32.0 if unit == "A" else 22_000.0, **more},
        {"startPeriod": 900, "limit": 6.0 if unit == "A" else 4_000.0},
    ]
    made = {"id": 1, "chargingRateUnit": unit, "chargingSchedulePeriod": periods}
    return {"timeBase": "2026-11-21T18:00:00Z", "evseId": 1, "chargingSchedule": made}


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_vehicles_schedule_is_judged(version: str) -> None:
    """K15.FR.11 and FR.12, K16.FR.06 and FR.07."""
    asked = schedule(version, "A", numberPhases=3)
    answer, chargers, _ = await said(version, "NotifyEVChargingSchedule", asked)
    assert answer == {"status": "Accepted"}
    [(number, periods)] = chargers.judged
    assert number == 1
    assert periods == (
        PlannedPower(NOW, 32.0, "A", 3),
        PlannedPower(NOW + timedelta(minutes=15), 6.0, "A", None),
    )
    answer, chargers, _ = await said(
        version, "NotifyEVChargingSchedule", asked, fault="22000 W, 11000 W allowed"
    )
    assert answer["status"] == "Rejected"
    assert answer["statusInfo"]["additionalInfo"] == "22000 W, 11000 W allowed"
    assert chargers.flag_names == {"vehicle_schedule_rejected"}


async def test_phases_that_are_told_apart_count_together() -> None:
    asked = schedule("2.1", limit_L2=1_000.0, limit_L3=1_000.0)
    _, chargers, _ = await said("2.1", "NotifyEVChargingSchedule", asked)
    assert [period.limit for period in chargers.judged[0][1]] == [24_000.0, 4_000.0]


@pytest.mark.parametrize("running", [True, False])
async def test_priority_asked_for_at_the_charger_is_heard(running: bool) -> None:
    """2.1 K21.FR.09, K22."""
    told = {"transactionId": "tx-1", "activated": True}
    answer, chargers, sessions = await said("2.1", "NotifyPriorityCharging", told, running=running)
    assert answer == {}
    assert sessions.urgencies == chargers.priorities == [("tx-1", True)]
    assert chargers.flag_names == (set() if running else {"priority_without_session"})

"""When a limit on the wire begins and ends, for chargers whose clock is wrong."""

from datetime import UTC, datetime, timedelta

import pytest

from voltyard.chargers.commands import LimitPurpose, SetLimit
from voltyard.ocpp.limits import flat
from voltyard.simulator.profiles import Circuit, ProfileStore, parse

NOW = datetime(2027, 1, 19, 21, 19, 35, tzinfo=UTC)
CIRCUIT = Circuit(1, 3, 150_000.0, NOW - timedelta(minutes=10))


def standing(limit_w: float) -> SetLimit:
    return SetLimit(LimitPurpose.TX_DEFAULT, 1, 11, 0, limit_w=limit_w)


@pytest.mark.parametrize("slow_s", [0, 84, 3_600, 14 * 3_600])
def test_a_standing_limit_holds_on_a_charger_whose_clock_is_slow(slow_s: int) -> None:
    limit = flat(standing(0.0), NOW)
    store = ProfileStore()
    schedule = {
        "chargingRateUnit": limit.unit,
        "startSchedule": limit.start_at.isoformat(),
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit.limit}],
    }
    wire = {
        "chargingProfileId": 11,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule,
    }
    store.install(parse(1, wire))
    assert store.evse_limit_w(CIRCUIT, NOW - timedelta(seconds=slow_s)) == 0.0


def test_a_standing_limit_has_no_end() -> None:
    limit = flat(standing(5_000.0), NOW)
    assert (limit.duration_s, limit.until_at) == (None, None)


def test_a_limit_for_a_while_ends_when_it_should_whenever_it_began() -> None:
    command = SetLimit(LimitPurpose.TX_DEFAULT, 1, 12, 1, limit_w=5_000.0, valid_s=600)
    limit = flat(command, NOW)
    assert limit.until_at == NOW + timedelta(seconds=600)
    assert limit.duration_s is not None
    assert limit.start_at + timedelta(seconds=limit.duration_s) == limit.until_at

"""A vehicle that charges slowly makes progress; one whose state of charge is stuck does not."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from tests.unit.energy.energy_cases import CURVE, EVENING
from voltyard.chargers.model import Evse
from voltyard.energy.inputs import Present
from voltyard.energy.ports import LiveSession
from voltyard.energy.watching import _progressed
from voltyard.fleets.model import Vehicle

ONE = UUID(int=1)


def present(energy_wh: float, soc_pct: float | None) -> Present:
    session = LiveSession(ONE, ONE, ONE, "tx", EVENING, energy_wh=energy_wh, soc_pct=soc_pct)
    return Present(
        session=session,
        evse=Evse(ONE, ONE, ONE, ONE, 1, "E1"),
        vehicle=Vehicle(ONE, ONE, "Bus", battery_wh=400e3),
        duty=None,
        stay=None,
        priority=5,
        max_power_w=150e3,
        min_power_w=2e3,
        curve=None,
        soc_pct=soc_pct,
    )


def test_little_energy_need_not_show_in_the_state_of_charge() -> None:
    first = _progressed(None, present(0.0, 40.0), EVENING)
    later = EVENING + timedelta(minutes=40)
    assert _progressed(first, present(1_500.0, 40.0), later).at == later


def test_a_state_of_charge_that_stays_while_energy_flows_is_stuck() -> None:
    first = _progressed(None, present(0.0, 40.0), EVENING)
    later = EVENING + timedelta(minutes=40)
    assert _progressed(first, present(60e3, 40.0), later).at == EVENING
    assert _progressed(first, present(60e3, 55.0), later).at == later


def test_a_tapering_vehicle_is_granted_for_where_it_is_by_now() -> None:
    read = present(10e3, 80.0)
    curved = replace(
        read,
        session=replace(read.session, power_w=120e3, reading_at=EVENING),
        curve=CURVE,
    )
    soon = replace(curved, now=EVENING + timedelta(seconds=60))
    assert soon.takes_w() < replace(curved, now=EVENING).takes_w()
    assert replace(curved, now=EVENING + timedelta(hours=5)).takes_w() > 0.9 * soon.takes_w()
    assert soon.takes_in_w(45.0) < soon.takes_in_w(0.0) < soon.takes_w()


def test_what_came_since_the_last_reading_is_never_more_than_was_granted() -> None:
    read = present(10e3, 80.0)
    now = EVENING + timedelta(seconds=60)
    told = replace(read, session=replace(read.session, power_w=120e3, reading_at=EVENING), now=now)
    assert told.gained_wh() == 2_000.0
    assert told.gained_wh(60e3) == 1_000.0
    assert replace(told, now=None).gained_wh() == 0.0

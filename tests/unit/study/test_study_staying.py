"""From sessions to stays: what each needed, and what is said of what is not known."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from voltyard.chargers.model import Evse
from voltyard.fleets.model import Vehicle
from voltyard.sessions.model import Session, SessionState
from voltyard.study.past import Gap
from voltyard.study.staying import Known, stays_of
from voltyard.timetable.model import Duty

ORG, SITE, STATION = UUID(int=1), UUID(int=2), UUID(int=3)
AT = datetime(2026, 1, 14, 20, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVSE = Evse(UUID(int=10), ORG, SITE, STATION, 1, "A1", max_power_w=100e3)
BUS = Vehicle(UUID(int=20), ORG, "Bus 1", "12m", 200e3, 80e3, 5e3, ((0, 80e3), (100, 20e3)), 0.9)
DUTY = Duty(
    UUID(int=30), ORG, SITE, "D1", AT - HOUR, AT + 9 * HOUR, BUS.id,
    soc_arrival_pct=40.0, target_soc_pct=90.0, priority=2,
)  # fmt: skip
CHARGED = Session(
    UUID(int=40), ORG, SITE, STATION, EVSE.id, 1, "t", SessionState.ENDED, AT, AT + 2 * HOUR,
    energy_wh=60e3, soc_start_pct=30.0,
)  # fmt: skip
KNOWN = Known({DUTY.id: DUTY}, {BUS.id: BUS}, {EVSE.id: EVSE}, None, AT + 12 * HOUR)


def test_a_stay_of_a_duty_needs_its_target_and_leaves_with_it() -> None:
    [stay], gaps = stays_of([replace(CHARGED, duty_id=DUTY.id, vehicle_id=BUS.id)], KNOWN)
    assert (stay.soc_pct, stay.target_soc_pct, stay.planned_soc_pct) == (30.0, 90.0, 40.0)
    assert (stay.arrival_at, stay.departure_at) == (AT, DUTY.departure_at)
    assert (stay.announced, stay.planned_arrival_at, stay.priority) == (True, AT - HOUR, 2)
    assert (stay.battery_wh, stay.max_power_w, stay.min_power_w) == (200e3, 80e3, 5e3)
    assert stay.curve == BUS.charge_curve
    assert stay.label == "Bus 1 D1"
    assert not gaps


def test_without_a_duty_it_needs_what_it_took() -> None:
    [stay], gaps = stays_of([replace(CHARGED, vehicle_id=BUS.id)], KNOWN)
    assert stay.target_soc_pct == pytest.approx(30.0 + 100.0 * 54e3 / 200e3)
    assert (stay.departure_at, stay.announced) == (AT + 2 * HOUR, False)
    assert dict(gaps) == {Gap.NO_DUTY: 1}


def test_of_a_stranger_nothing_but_the_energy_is_known() -> None:
    stranger = replace(CHARGED, soc_start_pct=None, id_token="04AB")
    [stay], gaps = stays_of([stranger], KNOWN)
    took_wh = (stay.target_soc_pct - stay.soc_pct) / 100.0 * stay.battery_wh
    assert took_wh == pytest.approx(60e3)
    assert (stay.vehicle, stay.max_power_w, stay.curve) == ("04AB", 100e3, ())
    assert set(gaps) == {Gap.NO_DUTY, Gap.NO_POWER, Gap.NO_SOC, Gap.NO_BATTERY}


def test_sessions_of_one_duty_are_one_stay() -> None:
    of_duty = replace(CHARGED, duty_id=DUTY.id, vehicle_id=BUS.id)
    again = replace(of_duty, id=UUID(int=41), started_at=AT + 3 * HOUR, soc_start_pct=55.0)
    [stay], _ = stays_of([of_duty, again], KNOWN)
    assert (stay.soc_pct, stay.arrival_at) == (30.0, AT)


def test_what_cannot_be_studied_is_counted_and_left_out() -> None:
    elsewhere = replace(CHARGED, id=UUID(int=42), evse_id=UUID(int=99))
    short = replace(CHARGED, id=UUID(int=43), ended_at=AT + timedelta(minutes=4))
    idle = replace(CHARGED, id=UUID(int=44), energy_wh=0.0)
    assert stays_of([elsewhere, short, idle], KNOWN) == (
        [],
        {Gap.NO_OUTLET: 1, Gap.TOO_SHORT: 2},
    )


def test_nobody_is_at_an_outlet_that_the_next_one_has() -> None:
    of_duty = replace(CHARGED, duty_id=DUTY.id, vehicle_id=BUS.id)
    later = replace(
        CHARGED, id=UUID(int=45), started_at=AT + 4 * HOUR, ended_at=None, vehicle_id=BUS.id
    )
    (first, second), gaps = stays_of([of_duty, later], KNOWN)
    assert first.departure_at == second.arrival_at
    assert second.departure_at == KNOWN.until_at
    assert gaps[Gap.STILL_HERE] == 1

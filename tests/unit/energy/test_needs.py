"""What a vehicle asks for itself is a hint: it lowers, it fills gaps, the duty wins."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from tests.unit.energy.energy_cases import EVENING
from tests.unit.energy_control.rig import Rig
from voltyard.clock import ScaledClock
from voltyard.energy.inputs import Present, Situation, outlook
from voltyard.energy.needs import most_w
from voltyard.energy.ports import LiveSession
from voltyard.fleets.model import Vehicle
from voltyard.sessions.model import Urgency, VehicleNeeds
from voltyard.timetable.model import Duty

NEEDS = VehicleNeeds(
    EVENING,
    "DC",
    EVENING + timedelta(hours=4),
    energy_wh=40_000.0,
    max_power_w=60_000.0,
    soc_pct=30.0,
)
BUS = Vehicle(UUID(int=77), UUID(int=1), "Bus", battery_wh=400e3)


def seen(
    needs: VehicleNeeds | None,
    *,
    duty: Duty | None = None,
    vehicle: Vehicle | None = None,
    energy_wh: float = 0.0,
    soc_pct: float | None = None,
) -> Present:
    setup = Rig(ScaledClock(EVENING, 1.0), chargers=1).setup_now
    evse = setup.evses[0]
    session = LiveSession(
        UUID(int=9),
        evse.station_id,
        evse.id,
        "tx",
        EVENING,
        vehicle_id=None if vehicle is None else vehicle.id,
        energy_wh=energy_wh,
        soc_pct=soc_pct,
        needs=needs,
    )
    vehicles = {} if vehicle is None else {vehicle.id: vehicle}
    duties = () if duty is None else (duty,)
    found = outlook(Situation(EVENING, setup, [session], duties, vehicles))
    return found.present[evse.id]


def duty(**more: object) -> Duty:
    known: dict[str, object] = {
        "id": UUID(int=5),
        "org_id": UUID(int=1),
        "site_id": UUID(int=2),
        "external_id": "B1",
        "vehicle_id": BUS.id,
        "arrival_at": EVENING,
        "departure_at": EVENING + timedelta(hours=10),
    }
    return Duty(**(known | more))  # type: ignore[arg-type]


def test_a_vehicle_of_no_duty_is_planned_by_what_it_asks_for() -> None:
    stay = seen(NEEDS).stay
    assert stay is not None
    assert stay.departure_at == EVENING + timedelta(hours=4)
    assert (stay.energy_needed_wh, stay.max_power_w) == (40_000, 60_000)
    assert stay.evse_id is not None
    assert seen(None).stay is None
    assert seen(replace(NEEDS, departure_at=None)).stay is None
    assert seen(replace(NEEDS, energy_wh=None)).stay is None


def test_the_duty_wins_over_what_the_vehicle_says() -> None:
    stay = seen(NEEDS, duty=duty(target_energy_wh=90_000.0), vehicle=BUS).stay
    assert stay is not None
    assert stay.departure_at == EVENING + timedelta(hours=10)
    assert stay.energy_needed_wh == 90_000


def test_the_vehicle_fills_what_the_duty_leaves_open() -> None:
    unknown = replace(BUS, battery_wh=None)
    stay = seen(NEEDS, duty=duty(target_soc_pct=80.0), vehicle=unknown, energy_wh=10_000.0).stay
    assert stay is not None
    assert stay.departure_at == EVENING + timedelta(hours=10)
    assert stay.energy_needed_wh == 30_000


def test_its_state_of_charge_counts_where_the_charger_tells_none() -> None:
    assert seen(NEEDS, vehicle=BUS).soc_pct == 30
    assert seen(NEEDS, vehicle=BUS, energy_wh=40_000.0).soc_pct == pytest.approx(40)
    assert seen(NEEDS, vehicle=BUS, soc_pct=55.0).soc_pct == 55
    late = replace(NEEDS, delivered_wh=50_000.0)
    assert seen(late, vehicle=BUS).soc_pct == 20


def test_what_was_delivered_is_not_asked_for_again() -> None:
    stay = seen(NEEDS, energy_wh=15_000.0).stay
    assert stay is not None
    assert stay.energy_needed_wh == 25_000
    told_again = replace(NEEDS, energy_wh=20_000.0, delivered_wh=15_000.0)
    stay = seen(told_again, energy_wh=20_000.0).stay
    assert stay is not None
    assert stay.energy_needed_wh == 15_000


def test_one_that_has_what_it_asked_for_is_not_cut_off() -> None:
    assert seen(NEEDS, energy_wh=41_000.0).stay is None


def test_a_wish_that_nobody_could_fulfil_is_no_overload_of_the_site() -> None:
    hurried = replace(NEEDS, departure_at=EVENING + timedelta(minutes=6))
    stay = seen(hurried).stay
    assert stay is not None
    assert stay.energy_needed_wh == pytest.approx(60_000 * 0.1 * 0.95)
    assert seen(replace(NEEDS, departure_at=EVENING + timedelta(seconds=30))).stay is None
    forever = replace(NEEDS, departure_at=EVENING + timedelta(days=6))
    stay = seen(forever).stay
    assert stay is not None
    assert stay.departure_at == EVENING + timedelta(days=1)


def test_its_power_only_lowers_and_only_if_it_is_plausible() -> None:
    assert seen(NEEDS).max_power_w == 60_000
    assert seen(replace(NEEDS, max_power_w=1e6)).max_power_w == 150_000
    assert seen(replace(NEEDS, max_power_w=50.0)).max_power_w == 150_000
    assert most_w(None, 22_000.0, 0.0) == 22_000
    high = seen(replace(NEEDS, min_power_w=99_000.0))
    assert high.min_power_w == high.max_power_w == 60_000


@pytest.mark.parametrize(
    ("urgency", "of_duty", "expected"),
    [
        (Urgency.NONE, None, 9),
        (Urgency.DRIVER, None, 8),
        (Urgency.PERSON, None, 1),
        (Urgency.NONE, 5, 5),
        (Urgency.DRIVER, 5, 5),
        (Urgency.PERSON, 5, 1),
    ],
)
def test_a_driver_goes_before_others_of_no_duty_and_a_person_of_ours_says_who_is_first(
    urgency: Urgency, of_duty: int | None, expected: int
) -> None:
    """OCPP 2.1 K21, K22."""
    told = replace(NEEDS, urgency=urgency)
    served = None if of_duty is None else duty(priority=of_duty, target_energy_wh=1e5)
    found = seen(told, duty=served, vehicle=None if served is None else BUS)
    assert found.priority == expected
    assert found.stay is not None
    assert found.stay.priority == expected

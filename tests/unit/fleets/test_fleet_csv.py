"""Vehicles and tokens as CSV."""

from dataclasses import replace
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from voltyard.fleets.importing import (
    FleetReport,
    read_curve,
    read_tokens,
    read_vehicles,
    write_tokens,
    write_vehicles,
)
from voltyard.fleets.model import Token, Vehicle

ORG = uuid4()
ZONE = ZoneInfo("Europe/Berlin")
BUS = Vehicle(
    uuid4(),
    ORG,
    "Bus 1",
    "12m",
    350_000.0,
    150_000.0,
    charge_curve=((0.0, 150_000.0), (80.0, 150_000.0), (100.0, 20_000.0)),
    vin="WVWZZZ",
)
TOKEN = Token(uuid4(), ORG, "rfid", "04A2", BUS.id, "front")


def vehicles(text: str, *known: Vehicle) -> FleetReport:
    return read_vehicles(text.encode(), ORG, known)


def tokens(text: str, *known: Token) -> FleetReport:
    return read_tokens(text.encode(), ORG, known, {"bus 1": BUS}, ZONE)


def test_new_vehicles_are_read_in_kilowatts() -> None:
    report = vehicles(
        "name;battery_kwh;max_power_kw;charge_curve\nBus 1;350,5;150;0:150 80:150 100:20"
    )
    vehicle = report.new[0]
    assert isinstance(vehicle, Vehicle)
    assert (vehicle.battery_wh, vehicle.max_power_w) == (350_500.0, 150_000.0)
    assert vehicle.charge_curve == BUS.charge_curve


def test_columns_that_are_not_there_leave_a_known_vehicle_as_it_is() -> None:
    report = vehicles("name,vin\nBUS 1,X1", BUS)
    assert report.changed == (replace(BUS, name="BUS 1", vin="X1"),)
    assert vehicles("name\nBus 1", BUS).unchanged == 1


def test_what_is_written_is_read_back_unchanged() -> None:
    again = vehicles(write_vehicles([BUS]), BUS)
    assert (again.faults, again.unchanged) == ((), 1)
    back = tokens(write_tokens([TOKEN], {BUS.id: BUS.name}), TOKEN)
    assert (back.faults, back.unchanged) == ((), 1)


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (",350,150,0:1", "name"),
        ("Bus 2,x,150,", "battery_kwh"),
        ("Bus 2,-5,150,", "battery_kwh"),
        ("Bus 2,350,150,80", "charge_curve"),
        ("Bus 2,350,150,80:1 70:1", "charge_curve"),
        ("Bus 1,350,150,", "name"),
    ],
)
def test_each_bad_vehicle_is_named(row: str, column: str) -> None:
    report = vehicles(f"name,battery_kwh,max_power_kw,charge_curve\nBus 1,350,150,\n{row}")
    assert [(fault.row, fault.column) for fault in report.faults] == [(3, column)]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (",rfid,Bus 1,,,", "value"),
        ("X,card,Bus 1,,,", "kind"),
        ("X,rfid,Bus 9,,,", "vehicle"),
        ("X,rfid,Bus 1,,maybe,", "blocked"),
        ("X,rfid,Bus 1,,,2026-03-29 02:30", "valid_from"),
        ("04a2,rfid,Bus 1,,,", "value"),
    ],
)
def test_each_bad_token_is_named(row: str, column: str) -> None:
    report = tokens(f"value,kind,vehicle,label,blocked,valid_from\n04A2,,,,,\n{row}")
    assert [(fault.row, fault.column) for fault in report.faults] == [(3, column)]


def test_a_token_is_the_same_whatever_its_case() -> None:
    report = tokens("value,blocked\n04a2,yes", TOKEN)
    assert report.changed == (replace(TOKEN, value="04a2", blocked=True),)


def test_a_curve_needs_pairs() -> None:
    assert read_curve("0:100 100:50") == ((0.0, 100_000.0), (100.0, 50_000.0))
    with pytest.raises(ValueError, match="write it as"):
        read_curve("0-100")

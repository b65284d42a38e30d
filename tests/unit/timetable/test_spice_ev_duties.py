"""Duties from SpiceEV scenarios."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from voltyard.fleets.model import Vehicle
from voltyard.sites.model import Site
from voltyard.timetable.scenario import sound_curve
from voltyard.timetable.spice_ev import power_at, read_duties

ORG = uuid4()
SITE = Site(uuid4(), ORG, "Depot A", "Europe/Berlin")
BUS = Vehicle(uuid4(), ORG, "bus_1", battery_wh=100_000.0)


def event(kind: str, at: str, **update: Any) -> dict[str, Any]:
    return {"vehicle_id": "bus_1", "event_type": kind, "start_time": at, "update": update}


def scenario(*events: dict[str, Any]) -> dict[str, Any]:
    return {
        "scenario": {"start_time": "2018-01-02T00:00:00+01:00"},
        "components": {
            "vehicle_types": {
                "solo": {"capacity": 100, "charging_curve": [[0, 100], [0.8, 100], [1, 1000]]}
            },
            "vehicles": {"bus_1": {"vehicle_type": "solo", "soc": 1}},
            "grid_connectors": {"Depot A": {"max_power": 500}, "Stop": {"max_power": 200}},
            "charging_stations": {
                "bus_1_Depot A_deps": {"parent": "Depot A", "max_power": 100},
                "bus_1_Stop_opps": {"parent": "Stop", "max_power": 60},
            },
        },
        "events": {"vehicle_events": list(events)},
    }


DAY = (
    event(
        "arrival",
        "2018-01-02T10:00:00+01:00",
        connected_charging_station="bus_1_Stop_opps",
        estimated_time_of_departure="2018-01-02T10:10:00+01:00",
        soc_delta=-0.5,
        desired_soc=1,
    ),
    event("departure", "2018-01-02T10:10:00+01:00", estimated_time_of_arrival="x"),
    event(
        "arrival",
        "2018-01-02T20:00:00+01:00",
        connected_charging_station="bus_1_Depot A_deps",
        estimated_time_of_departure="2018-01-03T05:00:00+01:00",
        soc_delta=-0.4,
        desired_soc=0.9,
    ),
)


def read(root: dict[str, Any], **options: Any) -> Any:
    return read_duties(json.dumps(root).encode(), SITE, {"bus_1": BUS}, **options)


def test_the_state_at_arrival_follows_from_the_whole_way() -> None:
    root = scenario(*DAY)
    report = read(root)
    assert report.faults == ()
    duty = report.duties[0]
    # 100 % − 50 % + 60 kW for 10 minutes (10 %) − 40 %
    assert duty.soc_arrival_pct == pytest.approx(20.0, abs=0.01)
    assert duty.target_soc_pct == 90.0
    assert duty.arrival_at == datetime(2018, 1, 2, 19, tzinfo=UTC)
    assert duty.departure_at == datetime(2018, 1, 3, 4, tzinfo=UTC)
    assert (duty.vehicle_id, duty.source, report.lines) == (BUS.id, "spice_ev", (3,))


def test_a_stop_elsewhere_is_another_connectors_duty() -> None:
    report = read(scenario(*DAY), connector="stop")
    assert [duty.soc_arrival_pct for duty in report.duties] == [50.0]


def test_a_curve_that_rises_at_the_end_is_cut_and_told() -> None:
    cut = ((0, 190), (80, 190), (100, 190))
    assert sound_curve([(0, 190), (80, 190), (100, 1900)]) == cut
    assert power_at([(0, 100.0), (100, 0.0)], 25.0) == 75.0
    report = read(scenario(*DAY))
    assert [warning.column for warning in report.warnings] == ["charging_curve"]


@pytest.mark.parametrize(
    ("path", "value", "column"),
    [
        (("vehicle_id",), "bus_9", "vehicle_id"),
        (("event_type",), "breakdown", "event_type"),
        (("start_time",), "2018-01-02T10:00:00", "start_time"),
        (("update", "connected_charging_station"), "nowhere", "connected_charging_station"),
    ],
)
def test_references_that_lead_nowhere_are_named(
    path: tuple[str, ...], value: str, column: str
) -> None:
    root = json.loads(json.dumps(scenario(*DAY)))
    target = root["events"]["vehicle_events"][0]
    for name in path[:-1]:
        target = target[name]
    target[path[-1]] = value
    report = read(root)
    assert (1, column) in {(fault.row, fault.column) for fault in report.faults}
    assert report.duties == ()


def test_unknown_vehicles_are_named_once() -> None:
    again = event(
        "arrival",
        "2018-01-03T20:00:00+01:00",
        connected_charging_station="bus_1_Depot A_deps",
        estimated_time_of_departure="2018-01-04T05:00:00+01:00",
    )
    root = scenario(*DAY, event("departure", "2018-01-03T05:00:00+01:00"), again)
    report = read_duties(json.dumps(root).encode(), SITE, {})
    assert [(fault.row, fault.value) for fault in report.faults] == [(3, "bus_1")]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"components": 1}'])
def test_what_is_no_scenario_is_refused(content: bytes) -> None:
    report = read_duties(content, SITE, {})
    assert [fault.row for fault in report.faults] == [0]


def test_an_unknown_connector_names_the_known_ones() -> None:
    report = read(scenario(*DAY), connector="Depot Z")
    assert "Depot A" in report.faults[0].reason

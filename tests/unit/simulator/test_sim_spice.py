"""Reading SpiceEV scenarios: a small one made here, and every way it can be wrong."""

import json
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from voltyard.errors import Invalid
from voltyard.simulator.spice import spice_ev

T0 = datetime.fromisoformat("2018-01-02T00:00:00+02:00")


def at(minutes: float) -> str:
    return (T0 + timedelta(minutes=minutes)).isoformat()


def arrival(minutes: float, station: str | None, until: float, delta: float) -> dict[str, Any]:
    return {
        "signal_time": at(minutes),
        "start_time": at(minutes),
        "vehicle_id": "bus_1",
        "event_type": "arrival",
        "update": {
            "connected_charging_station": station,
            "estimated_time_of_departure": at(until),
            "soc_delta": delta,
            "desired_soc": 1,
        },
    }


def departure(minutes: float) -> dict[str, Any]:
    return {
        "signal_time": at(minutes),
        "start_time": at(minutes),
        "vehicle_id": "bus_1",
        "event_type": "departure",
        "update": {"estimated_time_of_arrival": at(minutes + 10)},
    }


def scenario() -> dict[str, Any]:
    """One bus: a trip, a stop at a terminal, two nights at the depot, the second open-ended."""
    return {
        "scenario": {"start_time": at(0), "interval": 1, "n_intervals": 10},
        "components": {
            "vehicle_types": {
                "solo": {
                    "name": "solo",
                    "capacity": 200,
                    "charging_curve": [[0, 190], [0.8, 190], [1, 1900]],
                    "min_charging_power": 0,
                }
            },
            "vehicles": {"bus_1": {"soc": 1, "vehicle_type": "solo"}},
            "grid_connectors": {
                "Betriebshof": {"max_power": 500},
                "S+U Ende": {"max_power": 200},
            },
            "charging_stations": {
                "bus_1_Betriebshof_deps": {
                    "max_power": 100,
                    "min_power": 10.0,
                    "parent": "Betriebshof",
                },
                "bus_1_S+U Ende_opps": {
                    "max_power": 50,
                    "min_power": 10.0,
                    "parent": "S+U Ende",
                },
            },
        },
        "events": {
            "vehicle_events": [
                arrival(60, None, 60, -0.2),
                departure(60),
                arrival(120, "bus_1_S+U Ende_opps", 132, -0.2),
                departure(132),
                arrival(180, "bus_1_Betriebshof_deps", 600, -0.1),
                departure(600),
                arrival(900, "bus_1_Betriebshof_deps", 1500, -0.5),
            ]
        },
    }


def write(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "scenario.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_depots_with_their_stays(tmp_path: Path) -> None:
    (depot,) = spice_ev(write(tmp_path, scenario()))
    assert (depot.name, depot.timezone, depot.limit_w) == ("Betriebshof", "Etc/GMT-2", 500_000.0)
    first, second = depot.stays
    assert first.arrival_at == datetime(2018, 1, 2, 1, 0, tzinfo=UTC)
    assert first.departure_at == datetime(2018, 1, 2, 8, 0, tzinfo=UTC)
    # 100 - 20 - 20, 12 minutes of 50 kW into 200 kWh, then 10 more to the depot
    assert first.arrival_soc_pct == pytest.approx(100 - 40 + 5 - 10)
    assert [leg.consumed_pct for leg in first.approach] == pytest.approx([20.0, 20.0, 10.0])
    assert [leg.charge_s for leg in first.approach] == [0.0, 720.0, 0.0]
    assert second.arrival_soc_pct == pytest.approx(50.0)
    assert second.departure_at == datetime(2018, 1, 2, 23, 0, tzinfo=UTC)
    assert second.target_soc_pct == 100.0
    (station,) = depot.stations
    assert station.identity == "bus_1_Betriebshof_deps"
    assert (station.evses[0].max_power_w, station.evses[0].min_power_w) == (100e3, 10e3)
    assert depot.evse_id(first) in depot.tree.leaf_of_evse


def test_the_slip_in_the_charge_curve_is_cut(tmp_path: Path) -> None:
    (depot,) = spice_ev(write(tmp_path, scenario()))
    assert depot.vehicles[0].battery.max_power_w == 190e3


def test_terminals_can_be_depots_of_their_own(tmp_path: Path) -> None:
    depots = {d.name: d for d in spice_ev(write(tmp_path, scenario()), terminals=True)}
    assert set(depots) == {"Betriebshof", "S+U Ende"}
    (stop,) = depots["S+U Ende"].stays
    assert stop.arrival_soc_pct == pytest.approx(60.0)
    assert stop.station == "bus_1_S-U-Ende_opps"
    first = depots["Betriebshof"].stays[0]
    assert [leg.consumed_pct for leg in first.approach] == pytest.approx([10.0])


def broken(path: str, value: object) -> dict[str, Any]:
    """The scenario with one value replaced, or removed (``...``)."""
    made = deepcopy(scenario())
    keys = path.split("/")
    target: Any = made
    for key in keys[:-1]:
        target = target[int(key) if isinstance(target, list) else key]
    last: Any = int(keys[-1]) if isinstance(target, list) else keys[-1]
    if value is ...:
        del target[last]
    else:
        target[last] = value
    return made


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("components", ..., "$.components"),
        ("components/vehicles", [], "$.components.vehicles"),
        ("components/vehicles/bus_1/soc", 2, "$.components.vehicles.bus_1.soc"),
        ("components/vehicles/bus_1/soc", ..., "$.components.vehicles.bus_1.soc"),
        ("components/vehicles/bus_1/vehicle_type", "x", "$.components.vehicles.bus_1.vehicle_type"),
        (
            "components/vehicle_types/solo/capacity",
            "big",
            "$.components.vehicle_types.solo.capacity",
        ),
        (
            "components/vehicle_types/solo/charging_curve/1",
            [0.8],
            "$.components.vehicle_types.solo.charging_curve[1]",
        ),
        (
            "components/vehicle_types/solo/charging_curve",
            [],
            "$.components.vehicle_types.solo.charging_curve",
        ),
        (
            "components/charging_stations/bus_1_Betriebshof_deps/parent",
            "nowhere",
            "$.components.charging_stations.bus_1_Betriebshof_deps.parent",
        ),
        (
            "components/grid_connectors/Betriebshof/max_power",
            True,
            "$.components.grid_connectors.Betriebshof.max_power",
        ),
        ("events/vehicle_events", {}, "$.events.vehicle_events"),
        ("events/vehicle_events/0/event_type", "flight", "$.events.vehicle_events[0].event_type"),
        ("events/vehicle_events/0/start_time", "soon", "$.events.vehicle_events[0].start_time"),
        (
            "events/vehicle_events/0/start_time",
            "2018-01-02T00:00:00",
            "$.events.vehicle_events[0].start_time",
        ),
        ("events/vehicle_events/0/vehicle_id", "ghost", "$.events.vehicle_events[0].vehicle_id"),
        (
            "events/vehicle_events/2/update/connected_charging_station",
            "nowhere",
            "$.events.vehicle_events[2].update.connected_charging_station",
        ),
        (
            "events/vehicle_events/2/update/soc_delta",
            0.5,
            "$.events.vehicle_events[2].update.soc_delta",
        ),
        (
            "events/vehicle_events/2/update/estimated_time_of_departure",
            at(0),
            "$.events.vehicle_events[2].update.estimated_time_of_departure",
        ),
        ("events/vehicle_events/3", 7, "$.events.vehicle_events[3]"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, path: str, value: object, named: str) -> None:
    with pytest.raises(Invalid) as caught:
        spice_ev(write(tmp_path, broken(path, value)))
    assert list(caught.value.fields) == [named]
    assert named in caught.value.message


def test_a_file_that_is_no_scenario(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="cannot read"):
        spice_ev(tmp_path / "absent.json")
    for text in ("", "{", "[]", "null"):
        with pytest.raises(Invalid):
            spice_ev(write(tmp_path, text))


def test_a_depot_nobody_comes_to(tmp_path: Path) -> None:
    lonely = scenario()
    lonely["events"]["vehicle_events"] = lonely["events"]["vehicle_events"][:4]
    with pytest.raises(Invalid, match="nobody ever comes"):
        spice_ev(write(tmp_path, lonely))

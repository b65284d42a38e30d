"""Real timetables: the first day of a SpiceEV bus scenario, and a small one made here."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.scenario.conftest import RunNight
from tests.scenario.judging import first_part, kept, ready, ready_max
from voltyard.simulator.depot import DepotSpec
from voltyard.simulator.spice import spice_ev

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data" / "spice_ev_bus_scenario_D.json"
START = datetime.fromisoformat("2018-01-02T00:00:00+01:00")


@pytest.mark.long
def test_the_first_morning_is_as_good_as_physics_allows(night: RunNight, tmp_path: Path) -> None:
    depots = spice_ev(_scenario(tmp_path))
    _as_good_as_physics(night, first_part(depots, timedelta(hours=9)))


@pytest.mark.long
def test_the_first_day_at_both_depots_is_as_good_as_physics_allows(
    night: RunNight, tmp_path: Path
) -> None:
    depots = spice_ev(_scenario(tmp_path))
    assert len(depots) == 2
    _as_good_as_physics(night, first_part(depots, timedelta(hours=30)))


def test_a_small_scenario_in_the_same_format(night: RunNight, tmp_path: Path) -> None:
    path = tmp_path / "made.json"
    path.write_text(json.dumps(_made()))
    _as_good_as_physics(night, spice_ev(path))


def _as_good_as_physics(night: RunNight, depots: list[DepotSpec]) -> None:
    done = night(depots, seed=1)
    kept(done)
    assert done.stays
    assert not any(truth.exceedances for truth in done.truths.values())
    assert ready(done) == ready_max(done)


def _scenario(folder: Path) -> Path:
    """The shared file; where it is not at hand, a scenario of the same kind made here."""
    if SHARED.exists():
        return SHARED
    made = folder / "made.json"
    made.write_text(json.dumps(_made()))
    return made


def _made() -> dict[str, Any]:
    """Two depots of two buses each, one trip in between: arrivals at 18:00, departures at 05:00."""
    buses = [f"bus_{number}" for number in range(1, 5)]
    depots = {bus: "A" if index < 2 else "B" for index, bus in enumerate(buses)}
    events: list[dict[str, Any]] = []
    for index, bus in enumerate(buses):
        out, back = 60.0 + 5 * index, 300.0 + 20 * index
        events.append(_departure(bus, out, back))
        events.append(_arrival(bus, back, f"{bus}_{depots[bus]}_deps", back + 420.0, -0.4))
        events.append(_departure(bus, back + 420.0, back + 900.0))
    return {
        "scenario": {"start_time": _at(0), "interval": 1, "n_intervals": 1200},
        "components": {
            "vehicle_types": {
                "solo": {
                    "name": "solo",
                    "capacity": 200,
                    "charging_curve": [[0, 150], [0.8, 150], [1, 30]],
                    "min_charging_power": 0,
                }
            },
            "vehicles": {bus: {"soc": 1, "vehicle_type": "solo"} for bus in buses},
            "grid_connectors": {name: {"max_power": 60} for name in ("A", "B")},
            "charging_stations": {
                f"{bus}_{depots[bus]}_deps": {"max_power": 150, "parent": depots[bus]}
                for bus in buses
            },
        },
        "events": {"vehicle_events": sorted(events, key=lambda event: str(event["start_time"]))},
    }


def _at(minutes: float) -> str:
    return (START + timedelta(minutes=minutes)).isoformat()


def _departure(bus: str, minutes: float, back: float) -> dict[str, Any]:
    return {
        "signal_time": _at(minutes),
        "start_time": _at(minutes),
        "vehicle_id": bus,
        "event_type": "departure",
        "update": {"estimated_time_of_arrival": _at(back)},
    }


def _arrival(bus: str, minutes: float, station: str, until: float, used: float) -> dict[str, Any]:
    return {
        "signal_time": _at(minutes),
        "start_time": _at(minutes),
        "vehicle_id": bus,
        "event_type": "arrival",
        "update": {
            "connected_charging_station": station,
            "estimated_time_of_departure": _at(until),
            "soc_delta": used,
            "desired_soc": 1,
        },
    }

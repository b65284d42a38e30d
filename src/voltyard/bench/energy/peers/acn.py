"""acnportal's algorithms, asked line by line: a site first, then one line for each step.

Runs in the environment that has acnportal; it imports nothing of voltyard. Everything is on one
phase at the site's voltage (1,000 V where none is told: amps are kilowatts then), so that
acnportal's constraints are our tree's limits. Its steps and its search are in amps.
"""

import json
import sys
import time
from typing import Any

import numpy as np
from acnportal import algorithms  # type: ignore[import-not-found]
from acnportal.acnsim.interface import (  # type: ignore[import-not-found]
    InfrastructureInfo,
    SessionInfo,
)

WATTS_A_KILOWATT = 1000.0


class Site:
    """What acnportal calls an interface: the site, the time, the energy that is missing."""

    def __init__(self, given: dict[str, Any]) -> None:
        count = len(given["most_kw"])
        self.period = given["period_min"]
        self.amps_a_kw = WATTS_A_KILOWATT / given["volts"]
        self.current_time = 0
        self.names = [f"E{number}" for number in range(count)]
        self.infrastructure = InfrastructureInfo(
            constraint_matrix=np.array(given["matrix"], dtype=float).reshape(-1, count),
            constraint_limits=np.array(given["limits_kw"], dtype=float) * self.amps_a_kw,
            phases=np.zeros(count),
            voltages=np.full(count, given["volts"]),
            constraint_ids=[f"N{number}" for number in range(len(given["limits_kw"]))],
            station_ids=self.names,
            max_pilot=np.array(given["most_kw"], dtype=float) * self.amps_a_kw,
            min_pilot=np.zeros(count),
            allowable_pilots=[np.array([0.0, most * self.amps_a_kw]) for most in given["most_kw"]],
            is_continuous=np.ones(count, dtype=bool),
        )

    def infrastructure_info(self) -> Any:
        return self.infrastructure

    def max_pilot_signal(self, station_id: str) -> float:
        return float(self.infrastructure.max_pilot[self.names.index(station_id)])

    def remaining_amp_periods(self, session: Any) -> float:
        return float(session.remaining_demand * self.amps_a_kw * 60.0 / self.period)


def main() -> None:
    given = json.loads(sys.stdin.readline())
    site = Site(given)
    algorithm = _algorithm(sys.argv[1], given["step_a"])
    algorithm.register_interface(site)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        site.current_time = asked["step"]
        site.infrastructure.constraint_limits[0] = asked["root_kw"] * site.amps_a_kw
        sessions = [_session(site, asked["step"], entry) for entry in asked["sessions"]]
        began = time.process_time()
        found = algorithm.schedule(sessions)
        seconds = time.process_time() - began
        granted = [float(found.get(s.station_id, [0.0])[0]) / site.amps_a_kw for s in sessions]
        print(json.dumps({"kw": granted, "seconds": seconds}), flush=True)


def _session(site: Site, step: int, entry: list[float]) -> Any:
    outlet, arrival, departure, missing_kwh, takes_kw = entry
    return SessionInfo(
        station_id=site.names[int(outlet)],
        session_id=f"{int(outlet)}/{int(arrival)}",
        requested_energy=missing_kwh,
        energy_delivered=0.0,
        arrival=int(arrival),
        departure=int(departure),
        current_time=step,
        max_rates=takes_kw * site.amps_a_kw,
    )


def _algorithm(name: str, step_a: float) -> Any:
    order = {
        "fcfs": algorithms.first_come_first_served,
        "edf": algorithms.earliest_deadline_first,
        "llf": algorithms.least_laxity_first,
    }
    if name == "rr":
        return algorithms.RoundRobin(algorithms.first_come_first_served, continuous_inc=step_a)
    return algorithms.SortedSchedulingAlgo(order[name])


if __name__ == "__main__":
    main()

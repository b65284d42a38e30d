"""acnportal's algorithms, asked line by line: a site first, then one line for each step.

Runs in the environment that has acnportal; it imports nothing of voltyard. Amps are kilowatts at
a nominal 1,000 V, all on one phase, so that acnportal's constraints are our tree's limits.
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

VOLTS = 1000.0
ROUND_ROBIN_KW = 0.2


class Site:
    """What acnportal calls an interface: the site, the time, the energy that is missing."""

    def __init__(self, given: dict[str, Any]) -> None:
        count = len(given["most_kw"])
        self.period = given["period_min"]
        self.current_time = 0
        self.names = [f"E{number}" for number in range(count)]
        self.infrastructure = InfrastructureInfo(
            constraint_matrix=np.array(given["matrix"], dtype=float).reshape(-1, count),
            constraint_limits=np.array(given["limits_kw"], dtype=float),
            phases=np.zeros(count),
            voltages=np.full(count, VOLTS),
            constraint_ids=[f"N{number}" for number in range(len(given["limits_kw"]))],
            station_ids=self.names,
            max_pilot=np.array(given["most_kw"], dtype=float),
            min_pilot=np.zeros(count),
            allowable_pilots=[np.array([0.0, most]) for most in given["most_kw"]],
            is_continuous=np.ones(count, dtype=bool),
        )

    def infrastructure_info(self) -> Any:
        return self.infrastructure

    def max_pilot_signal(self, station_id: str) -> float:
        return float(self.infrastructure.max_pilot[self.names.index(station_id)])

    def remaining_amp_periods(self, session: Any) -> float:
        return float(session.remaining_demand * 60.0 / self.period)


def main() -> None:
    site = Site(json.loads(sys.stdin.readline()))
    algorithm = _algorithm(sys.argv[1])
    algorithm.register_interface(site)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        site.current_time = asked["step"]
        site.infrastructure.constraint_limits[0] = asked["root_kw"]
        sessions = [_session(site, asked["step"], entry) for entry in asked["sessions"]]
        began = time.process_time()
        found = algorithm.schedule(sessions)
        seconds = time.process_time() - began
        granted = [float(found.get(s.station_id, [0.0])[0]) for s in sessions]
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
        max_rates=takes_kw,
    )


def _algorithm(name: str) -> Any:
    order = {
        "fcfs": algorithms.first_come_first_served,
        "edf": algorithms.earliest_deadline_first,
        "llf": algorithms.least_laxity_first,
    }
    if name == "rr":
        return algorithms.RoundRobin(
            algorithms.first_come_first_served, continuous_inc=ROUND_ROBIN_KW
        )
    return algorithms.SortedSchedulingAlgo(order[name])


if __name__ == "__main__":
    main()

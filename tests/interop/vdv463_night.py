"""A whole night over real sockets whose timetable comes from a presystem of VDV 463 alone.

    python -m tests.interop.vdv463_night [VEHICLES] [SPEED] [VERSION]

Simulated chargers and vehicles, a clock that runs faster, and the presystem in a process of its
own (presystem.py). It asks for every stay, changes a departure, deletes and asks again, loses its
connection, and sends frames that are none. The verdict is printed: how many were ready, and
whether each message was valid and on time.
"""

import asyncio
import json
import sys
import tempfile
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from voltyard.app import first_organisation, rooms
from voltyard.clock import ScaledClock
from voltyard.config import Settings
from voltyard.serving import Server, database_of, running
from voltyard.serving.demo import sped_up, tick_s
from voltyard.simulator import furnish
from voltyard.simulator.demo import demo_depot
from voltyard.simulator.depot import DepotSpec, StaySpec
from voltyard.simulator.fleet import FleetDriver
from voltyard.simulator.link import WebSocketLink
from voltyard.simulator.night import make_chargers, power_steps
from voltyard.simulator.physics import possible
from voltyard.simulator.truth import check
from voltyard.timetable.service import DutyFilter
from voltyard.timetable.vdv463.model import Presystem, Version

ME = "uri://Customer1/BMS1"
NOBODY = UUID(int=0)


class Driver:
    """Tells the presystem what to do and counts what it tells."""

    def __init__(self, process: asyncio.subprocess.Process, clock: ScaledClock) -> None:
        self.process = process
        self.clock = clock
        self.counts: dict[str, int] = {}
        self.faults: list[Any] = []
        self.last_at: datetime | None = None
        self.longest_s = 0.0

    async def listen(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            told = json.loads(line)
            event = told["event"]
            self.counts[event] = self.counts.get(event, 0) + 1
            if told.get("faults"):
                self.faults.append(told)
            if event in ("closed", "connected"):
                self.last_at = None
                print(f"{self.clock.now():%H:%M} {line.decode().strip()}", flush=True)
            if event == "information":
                at = datetime.fromisoformat(told["at"])
                if self.last_at is not None:
                    self.longest_s = max(self.longest_s, (at - self.last_at).total_seconds())
                self.last_at = at

    async def do(self, what: str, **details: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write((json.dumps({"do": what, **details}) + "\n").encode())
        await self.process.stdin.drain()

    async def open(self) -> None:
        before = self.counts.get("information", 0)
        await self.do("connect")
        await self.do("boot")
        while self.counts.get("information", 0) == before:
            await self.clock.sleep(5.0)

    async def at(self, moment: datetime) -> None:
        await self.clock.sleep((moment - self.clock.now()).total_seconds())


def wish(depot: DepotSpec, stay: StaySpec, earlier: timedelta = timedelta()) -> dict[str, Any]:
    return {
        "vehicleId": stay.vehicle,
        "chargingRequestId": f"{stay.vehicle} {stay.planned_arrival_at:%d%H%M}",
        "chargingPointId": f"{stay.station}/{stay.evse}",
        "chargingRequestData": {
            "expectedArrivalTimeAtChargingPoint": stay.planned_arrival_at.isoformat(),
            "requestedTimeForDeparture": (stay.planned_departure_at - earlier).isoformat(),
            "expectedSocAtArrival": stay.planned_soc_pct or stay.arrival_soc_pct,
            "minTargetSoc": max(1.0, stay.target_soc_pct - 10.0),
            "maxTargetSoc": stay.target_soc_pct,
        },
    }


async def story(driver: Driver, depot: DepotSpec) -> None:
    """What the presystem does in the night."""
    stays, begin = depot.stays, depot.start_at
    all_of_them = [wish(depot, stay) for stay in stays]
    await driver.do("settings", brief=True)
    await driver.open()
    await driver.do("requests", list=all_of_them)
    await driver.at(begin + timedelta(hours=5))
    changed = [wish(depot, stays[0], timedelta(hours=1)), *all_of_them[1:]]
    await driver.do("requests", list=changed)
    await driver.at(begin + timedelta(hours=6))
    for text in ("[", "[1]", "{}", '[1,"BMS"]'):
        await driver.do("raw", text=text)
    await driver.at(begin + timedelta(hours=6, minutes=10))
    await driver.do("requests", list=changed[:-1])
    await driver.at(begin + timedelta(hours=6, minutes=30))
    await driver.do("requests", list=changed)
    await driver.at(begin + timedelta(hours=7))
    await driver.do("drop")
    await driver.at(begin + timedelta(hours=7, minutes=30))
    await driver.open()
    await driver.do("requests", list=changed)


async def night(server: Server, depot: DepotSpec, clock: ScaledClock, speed: float) -> int:
    core = server.core
    who = await first_organisation(core)
    version = Version(sys.argv[3]) if len(sys.argv) > 3 else Version.V11
    await furnish.furnish(rooms(core), who, without_duties(depot))
    draft = Presystem(
        NOBODY, NOBODY, "night", "Night", allow_v2=version is Version.V20,
        version=Version.V11 if version is Version.V20 else version, confirm_s=300.0,
    )  # fmt: skip
    view, password = await core.presystems.create(who, draft)
    url = f"ws://127.0.0.1:{server.http_port}/vdv463/night"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.interop.presystem", url, "night", password,
        version.value, ME, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        limit=2**24,
    )  # fmt: skip
    driver = Driver(process, clock)
    clock.change_speed(speed)
    link = WebSocketLink(f"ws://127.0.0.1:{server.ocpp_port}/ocpp", ping_interval_s=None)
    chargers = make_chargers([depot], link, clock, seed=1, faults={})
    fleet = FleetDriver([depot], chargers, clock)
    told = asyncio.create_task(driver.listen())
    lives = [asyncio.create_task(charger.run()) for charger in chargers.values()]
    telling = asyncio.create_task(story(driver, depot))
    await fleet.run()
    for task in (telling, *lives):
        task.cancel()
    await asyncio.gather(telling, *lives, return_exceptions=True)
    process.kill()
    await told
    found, _ = await core.timetable.find(who.org_id, DutyFilter(limit=1000))
    ready, most = sum(one.ready for one in fleet.results), possible(depot, fleet.results).ready_max
    checked = check(depot.tree, power_steps(chargers), depot.start_at, clock.now())
    print(f"{ready} of {len(fleet.results)} ready (physics allowed {most}), duties {len(found)}")
    print(f"{len(checked.exceedances)} exceedances; told by the presystem: {driver.counts}")
    print(f"longest between two messages of information: {driver.longest_s:.1f} s of the night")
    for fault in driver.faults[:10]:
        print("  invalid:", json.dumps(fault)[:400])
    print({state.value: count for state, count in core.presystems.view(
        who, view.presystem.id).counts.items()})  # fmt: skip
    return 0 if ready == most and not checked.exceedances and not driver.faults else 3


def without_duties(depot: DepotSpec) -> DepotSpec:
    return DepotSpec(
        depot.name, depot.timezone, depot.start_at, depot.end_at, depot.nodes, depot.stations,
        depot.vehicles, (),
    )  # fmt: skip


async def main(url: str, folder: Path) -> int:
    vehicles = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    speed = float(sys.argv[2]) if len(sys.argv) > 2 else 60.0
    depot = demo_depot(1, vehicles)
    clock = ScaledClock(depot.start_at)
    settings = Settings(
        data_dir=folder, http_port=0, ocpp_port=0, heartbeat_s=900, sample_s=60,
        tick_s=tick_s(speed), commit_window_ms=min(1000.0, 5.0 * speed),
    )  # fmt: skip
    async with running(settings, url, clock, control=sped_up(speed)) as server:
        return await night(server, depot, clock, speed)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="voltyard-night-") as name, suppress(KeyboardInterrupt):
        own = Settings(data_dir=Path(name))
        with database_of(own, anew=True) as database_url:
            sys.exit(asyncio.run(main(database_url, Path(name))))

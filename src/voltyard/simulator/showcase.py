"""``make demo``: a depot's winter night over real sockets, on a clock that runs faster."""

import argparse
import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from voltyard.clock import ScaledClock
from voltyard.simulator import truth
from voltyard.simulator.charger import Charger
from voltyard.simulator.demo import demo_depot, lower_limit
from voltyard.simulator.depot import DepotSpec
from voltyard.simulator.fleet import FleetDriver
from voltyard.simulator.link import WebSocketLink
from voltyard.simulator.night import fault_plans, make_chargers, power_steps
from voltyard.simulator.physics import possible

PROGRESS_S = 5.0
SPREAD_S = 20.0


class DemoServer(Protocol):
    """A running server that can be furnished."""

    @property
    def url(self) -> str: ...

    @property
    def ocpp_port(self) -> int: ...

    async def furnish(self, depots: Sequence[DepotSpec], password: str) -> str:
        """Enter the depots; the administrator's e-mail address."""


class OpenServer(Protocol):
    def __call__(self, clock: ScaledClock) -> AbstractAsyncContextManager[DemoServer]: ...


@dataclass(slots=True)
class _Night:
    depot: DepotSpec
    clock: ScaledClock
    chargers: dict[str, Charger]
    driver: FleetDriver
    peak_w: float = 0.0


def depot_of(arguments: argparse.Namespace) -> DepotSpec:
    depot = demo_depot(arguments.seed, arguments.vehicles)
    return depot if arguments.limit_kw is None else lower_limit(depot, arguments.limit_kw * 1000.0)


async def run(
    arguments: argparse.Namespace, open_server: OpenServer, password: str, stop: asyncio.Event
) -> int:
    """Serve, furnish, run the night, sum up; then keep the console open until told to stop.

    Exit status 3 when the site was over a limit or a vehicle that could be ready was not.
    """
    depot = depot_of(arguments)
    clock = ScaledClock(depot.start_at)
    async with open_server(clock) as server:
        _say("entering the depot: site, tree, chargers, vehicles, duties …")
        email = await server.furnish([depot], password)
        _say("")
        _say(f"  console   {server.url}")
        _say(f"  log in    {email}  /  {password}")
        _say("")
        clock.change_speed(arguments.speed)
        link = WebSocketLink(f"ws://127.0.0.1:{server.ocpp_port}/ocpp", ping_interval_s=None)
        plans = fault_plans([depot], arguments.faults, arguments.seed)
        chargers = make_chargers([depot], link, clock, seed=arguments.seed, faults=plans)
        night = _Night(depot, clock, chargers, FleetDriver([depot], chargers, clock))
        status = await _until_stopped(_night(night), stop)
        if status is None:
            return 130
        if not arguments.exit:
            _say("the console stays open; Ctrl-C ends it")
            await stop.wait()
        return status


async def _until_stopped(work: Coroutine[Any, Any, int], stop: asyncio.Event) -> int | None:
    """The night's status, or None when a person ended it first."""
    running = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if running.done():
        return running.result()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return None


async def _night(night: _Night) -> int:
    lives = [asyncio.create_task(_live(night, place, charger)) for place, charger in
             enumerate(night.chargers.values())]  # fmt: skip
    progress = asyncio.create_task(_progress(night))
    try:
        await night.driver.run()
    finally:
        progress.cancel()
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)
    return _summary(night)


async def _live(night: _Night, place: int, charger: Charger) -> None:
    """Chargers come up one after the other, as after a power cut."""
    await night.clock.sleep(SPREAD_S * place)
    await charger.run()


async def _progress(night: _Night) -> None:
    zone = ZoneInfo(night.depot.timezone)
    while True:
        _say(_line(night, night.clock.now().astimezone(zone)))
        await night.clock.sleep(PROGRESS_S * night.clock.speed)


def _line(night: _Night, now: datetime) -> str:
    evses = [evse for charger in night.chargers.values() for evse in charger.evses]
    power_w = sum(evse.power_w for evse in evses)
    plugged = sum(evse.battery is not None for evse in evses)
    charging = sum(evse.power_w > 0 for evse in evses)
    done = night.driver.results
    ready = sum(result.ready for result in done)
    share = power_w / night.depot.limit_w
    bar = "█" * round(20 * share) + "░" * (20 - round(20 * share))
    return (
        f"{now:%H:%M}  {bar} {power_w / 1000:5.0f} of {night.depot.limit_w / 1000:.0f} kW"
        f"  plugged in {plugged:3d}, charging {charging:3d},"
        f" departed {len(done):3d}, ready {ready:3d}"
    )


def _summary(night: _Night) -> int:
    depot, results = night.depot, night.driver.results
    checked = truth.check(
        depot.tree, power_steps(night.chargers), depot.start_at, night.clock.now()
    )
    ready = sum(result.ready for result in results)
    most = possible(depot, results).ready_max
    energy_wh = sum(result.energy_wh for result in results)
    _say("")
    _say(f"{ready} of {len(results)} ready at departure (physics allowed {most})")
    _say(f"{energy_wh / 1e6:.1f} MWh, peak {checked.root_peak_w / 1000:.0f} kW"
         f" of {depot.limit_w / 1000:.0f} kW")  # fmt: skip
    _say(f"{len(checked.exceedances)} exceedances of any node in {checked.samples} samples")
    for result in results:
        if not result.ready:
            short = f"{result.shortfall_wh / 1000:.1f} kWh short"
            _say(f"  late: {result.vehicle}, {short}, {result.departure_soc_pct:.1f} %")
    for found in checked.exceedances[:10]:
        since = found.start_at.astimezone(ZoneInfo(depot.timezone))
        excess = f"{found.excess_w / 1000:.1f} kW for {found.duration_s:.0f} s"
        _say(f"  over: {found.node} at {since:%H:%M:%S} by {excess}")
    return 3 if checked.exceedances or ready < most else 0


def _say(line: str) -> None:
    print(line, flush=True)

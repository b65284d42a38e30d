"""A firmware campaign during a night in the depot: no bus is late for it, no charge interrupted."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from tests.conftest import Databases, fresh_database
from tests.scenario.judging import kept, ready, ready_max
from voltyard.app import SimulatedHost, build_host, first_organisation
from voltyard.chargers.model import StationFilter
from voltyard.clock import Clock
from voltyard.firmware.commands import NewCampaign, NewImage
from voltyard.firmware.events import UpdateChanged
from voltyard.firmware.model import Rollout, Update, UpdateState
from voltyard.simulator.demo import demo_depot
from voltyard.simulator.loop import run_virtual
from voltyard.simulator.night import NightResult, run_night

AFTER = timedelta(minutes=30)


@dataclass
class Technician:
    """Starts a campaign over the whole depot half an hour into the night, and looks on."""

    asked_while_charging: int = 0
    updates: list[Update] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def host(self, url: str, clock: Clock) -> SimulatedHost:
        made = await build_host(url, clock)

        async def on_change(event: UpdateChanged) -> None:
            if event.state == UpdateState.ASKED:
                lives = made.core.sessions.live.station(event.station_id)
                self.asked_while_charging += any(
                    live.session is not None and live.session.open for live in lives
                )
            found = await made.core.firmware.updates(event.org_id, event.campaign_id)
            self.updates[:] = found

        made.core.bus.subscribe(UpdateChanged, on_change, name="technician")
        self.tasks.append(asyncio.create_task(self._work(made, clock)))
        return made

    async def _work(self, host: SimulatedHost, clock: Clock) -> None:
        await clock.sleep(AFTER.total_seconds())
        core = host.core
        who = await first_organisation(core)
        new = NewImage(
            vendor="Voltyard Simulated", version="2.0.0", url="https://files.example/vy-2.0.0.bin"
        )
        image = await core.firmware.add_image(who, new)
        views = core.chargers.list_stations(who.org_id, StationFilter())
        stations = tuple(view.station.id for view in views)
        rollout = Rollout(canary=1, wave=3, margin_s=1800, soak_s=300)
        await core.firmware.start_campaign(who, NewCampaign(image.id, stations, "", rollout))


@pytest.mark.long
def test_every_bus_is_ready_and_chargers_are_updated_between(databases: Databases) -> None:
    depot = demo_depot(5, 6)
    technician = Technician()
    with fresh_database(databases) as url:

        async def main(clock: Clock) -> NightResult:
            return await run_night([depot], lambda same: technician.host(url, same), clock, seed=5)

        done = run_virtual(main, depot.start_at - timedelta(minutes=5))
    kept(done)
    assert ready(done) == ready_max(done)
    assert technician.asked_while_charging == 0
    states = [update.state for update in technician.updates]
    assert states == [UpdateState.DONE] * len(depot.stations)

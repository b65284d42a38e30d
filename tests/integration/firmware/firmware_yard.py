"""A whole server and simulated chargers on real sockets, on a clock that runs thirty times."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid5

from voltyard.app import first_organisation
from voltyard.clock import ScaledClock
from voltyard.config import Settings
from voltyard.diagnostics.events import LogChanged
from voltyard.diagnostics.service import DiagnosticsService
from voltyard.firmware.commands import NewCampaign, NewImage
from voltyard.firmware.events import CampaignChanged, UpdateChanged
from voltyard.firmware.model import FirmwareImage, Rollout, Update, UpdateState
from voltyard.firmware.service import FirmwareService
from voltyard.serving import Server, running
from voltyard.simulator.charger import Charger
from voltyard.simulator.courier import HttpCourier
from voltyard.simulator.evse import EvseSpec, StationSpec
from voltyard.simulator.link import WebSocketLink
from voltyard.simulator.settings import ChargerSettings
from voltyard.simulator.station import make_charger
from voltyard.simulator.upkeep import image_of
from voltyard.tenancy.model import Principal

SPEED = 30.0
START_AT = datetime(2026, 1, 15, 22, 0, tzinfo=UTC)
PATIENCE_S = 60.0
NAMES = UUID(int=77)
QUICK = Rollout(canary=1, wave=0, parallel=50, idle_only=True, margin_s=600, retry_s=10)
PROTOCOLS = ("ocpp1.6", "ocpp2.0.1")


async def chunks(content: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for first in range(0, len(content), size):
        yield content[first : first + size]


@dataclass
class Yard:
    """A server, who acts there, and the chargers that are connected."""

    server: Server
    clock: ScaledClock
    who: Principal
    chargers: dict[str, Charger] = field(default_factory=dict)
    lives: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def firmware(self) -> FirmwareService:
        return self.server.core.firmware

    @property
    def diagnostics(self) -> DiagnosticsService:
        return self.server.core.diagnostics

    def listen(self) -> None:
        for event in (UpdateChanged, CampaignChanged, LogChanged):
            self.server.core.bus.subscribe(event, self._on_change, name="yard")

    async def _on_change(self, event: object) -> None:
        self.changed.set()

    async def until(self, holds: Callable[[], bool] | Callable[[], object]) -> None:
        """Until it holds; looked at after every change. May be a coroutine function."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                self.changed.clear()
                found = holds()
                if asyncio.iscoroutine(found):
                    found = await found
                if found:
                    return
                try:
                    async with asyncio.timeout(0.5):
                        await self.changed.wait()
                except TimeoutError:
                    continue

    def add(self, identity: str, protocol: str = "ocpp1.6", firmware: str = "1.0.0") -> Charger:
        """A charger that begins its life now."""
        evse = EvseSpec(uuid5(NAMES, identity), 1, 50_000.0)
        spec = StationSpec(identity, protocol, (evse,), 50_000.0, firmware=firmware)
        link = WebSocketLink(f"ws://127.0.0.1:{self.server.ocpp_port}/ocpp", ping_interval_s=None)
        settings = ChargerSettings(boot_s=1)
        charger = make_charger(spec, link, self.clock, settings=settings, courier=HttpCourier())
        self.chargers[identity] = charger
        self.lives[identity] = asyncio.create_task(charger.run())
        return charger

    async def add_fleet(self, count: int) -> list[UUID]:
        """Half of them 1.6, half 2.0.1; their ids once all are online."""
        for place in range(count):
            self.add(f"CP{place:02d}", PROTOCOLS[place % 2])
        await self.until(lambda: all(c.uplink.online for c in self.chargers.values()))
        return [self.id_of(identity) for identity in self.chargers]

    def id_of(self, identity: str) -> UUID:
        for view in self.server.core.chargers.list_stations(self.who.org_id):
            if view.station.identity == identity:
                return view.station.id
        raise LookupError(identity)

    async def image(self, version: str = "2.0.0", **changes: str) -> FirmwareImage:
        new = NewImage(
            vendor="Voltyard Simulated", version=version, file_name=f"vy-{version}.bin", **changes
        )
        return await self.firmware.add_image(self.who, new, chunks(image_of(version, 50_000)))

    async def campaign(
        self, image: FirmwareImage, stations: Iterable[UUID], rollout: Rollout = QUICK
    ) -> UUID:
        new = NewCampaign(image.id, tuple(stations), "test", rollout)
        return (await self.firmware.start_campaign(self.who, new)).campaign.id

    async def state_of(self, campaign_id: UUID) -> str:
        return (await self.firmware.campaign(self.who.org_id, campaign_id)).campaign.state.value

    async def updates(self, campaign_id: UUID) -> list[Update]:
        return await self.firmware.updates(self.who.org_id, campaign_id)

    async def states(self, campaign_id: UUID) -> list[UpdateState]:
        return [update.state for update in await self.updates(campaign_id)]

    async def leave(self) -> None:
        for life in self.lives.values():
            life.cancel()
        await asyncio.gather(*self.lives.values(), return_exceptions=True)


@asynccontextmanager
async def yard(url: str, folder: Path, clock: ScaledClock | None = None) -> AsyncIterator[Yard]:
    """``clock``: of the process before, so that time goes on over a restart."""
    settings = Settings(
        data_dir=folder, http_port=0, ocpp_port=0, auto_approve=True, allow_no_password=True
    )
    clock = clock or ScaledClock(START_AT, SPEED)
    async with running(settings, url, clock) as server:
        made = Yard(server, clock, await first_organisation(server.core))
        made.listen()
        try:
            yield made
        finally:
            await made.leave()

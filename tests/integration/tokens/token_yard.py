"""Simulated chargers of every version on the real core and database, in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from voltyard.app import Core, build_host, first_organisation
from voltyard.chargers.model import Evse, Station
from voltyard.clock import Clock, seeded
from voltyard.fleets.commands import TokenDraft
from voltyard.fleets.model import Token
from voltyard.reservations.commands import NewReservation
from voltyard.reservations.model import Reservation
from voltyard.sessions.model import Session
from voltyard.simulator.charger import Charger
from voltyard.simulator.evse import EvseSpec, StationSpec
from voltyard.simulator.evse import Token as Card
from voltyard.simulator.link import MemoryLink
from voltyard.simulator.loop import run_virtual
from voltyard.simulator.settings import ChargerSettings
from voltyard.simulator.station import make_charger
from voltyard.simulator.vehicle import Battery, BatterySpec
from voltyard.sites.commands import AreaDraft, BayDraft, SiteDraft, UnknownToken
from voltyard.sites.model import Site
from voltyard.tenancy.model import Principal

START_AT = datetime(2026, 1, 15, 18, 0, tzinfo=UTC)
VERSIONS = ("ocpp1.6", "ocpp2.0.1", "ocpp2.1")
BUS = BatterySpec(300_000.0, 150_000.0, ((0, 150e3), (80, 150e3), (100, 30e3)))
PASSWORD = "charger password"


def bus() -> Battery:
    return Battery(BUS, 30.0)


@dataclass
class TokenYard:
    """One site that knows its tokens or refuses them; one station, its two outlets in two areas."""

    core: Core
    link: MemoryLink
    clock: Clock
    who: Principal
    site: Site
    protocol: str
    areas: list[UUID] = field(default_factory=list)
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    frames: list[tuple[str, str]] = field(default_factory=list)
    station: Station = field(init=False)
    charger: Charger = field(init=False)

    async def build(self, settings: ChargerSettings | None) -> None:
        self.station = await self.core.chargers.create_station(
            self.who, "CP1", site_id=self.site.id, password=PASSWORD
        )
        for number in (1, 2):
            area = await self.core.sites.save_area(
                self.who, self.site.id, AreaDraft(f"Lane {number}")
            )
            draft = BayDraft(f"Bay {number}", area.id)
            bay = await self.core.sites.save_bay(self.who, self.site.id, draft)
            await self.core.chargers.save_evse(
                self.who, self.station.id, number, bay_id=bay.id, max_power_w=150_000.0
            )
            self.areas.append(area.id)
        self.charger = self.switch_on("CP1", settings)

    def switch_on(self, identity: str, settings: ChargerSettings | None = None) -> Charger:
        evses = tuple(EvseSpec(UUID(int=n), n, 150_000.0) for n in (1, 2))
        spec = StationSpec(identity, self.protocol, evses, 300_000.0, password=PASSWORD)
        charger = make_charger(
            spec, self.link, self.clock, seed=1, settings=settings, observe=self._saw
        )
        self.tasks[identity] = asyncio.get_running_loop().create_task(charger.run())
        return charger

    def _saw(self, identity: str, way: str, text: str) -> None:
        self.frames.append((way, text))

    async def after(self, seconds: float) -> None:
        await self.clock.sleep(seconds)

    @property
    def in_an_hour(self) -> datetime:
        return self.clock.now() + timedelta(hours=1)

    def outlet(self, number: int) -> Evse:
        found = self.core.chargers.outlet(self.station.id, number)
        assert found is not None
        return found

    async def token(self, value: str, **columns: Any) -> Token:
        return await self.core.fleets.save_token(self.who, TokenDraft(value, **columns))

    async def reserve(
        self, value: str, outlet: int | None = 1, *, until_at: datetime | None = None, **more: Any
    ) -> Reservation:
        evse_id = None if outlet is None else self.outlet(outlet).id
        new = NewReservation(self.station.id, value, until_at or self.in_an_hour, evse_id, **more)
        return await self.core.reservations.reserve(self.who, new)

    async def again(self, reservation: Reservation) -> Reservation:
        return await self.core.reservations.reservation(self.who, reservation.id)

    async def sessions(self) -> list[Session]:
        page = await self.core.sessions.page(self.who.org_id)
        return list(reversed(page.sessions))

    def plug(self, outlet: int, value: str) -> None:
        self.charger.plug_in(outlet, bus(), Card(value))

    def asked(self, action: str) -> list[str]:
        """The calls of that action the charger was sent."""
        return [text for way, text in self.frames if way == "in" and f'"{action}"' in text]

    async def cut(self) -> None:
        """The charger loses its power for good."""
        for task in self.tasks.values():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self.tasks.clear()


Play = Callable[[TokenYard], Awaitable[None]]


def on_yard(
    url: str,
    protocol: str,
    play: Play,
    *,
    unknown: UnknownToken = UnknownToken.REJECT,
    settings: ChargerSettings | None = None,
) -> None:
    async def main(clock: Clock) -> None:
        host = await build_host(url, clock)
        await host.start()
        core = host.core
        who = await first_organisation(core)
        site = await core.sites.create_site(who, SiteDraft("Depot", unknown_token=unknown))
        link = MemoryLink(host.acceptor, clock, seeded(1, "link"), 0.05, 0.0)
        yard = TokenYard(core, link, clock, who, site, protocol)
        await yard.build(settings)
        await yard.after(90)
        await play(yard)
        await yard.cut()
        await host.close()

    run_virtual(main, START_AT)

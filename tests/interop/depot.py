"""The whole of voltyard for the interop tests: a site whose grid limit its controller keeps."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from tests.interop.house import PASSWORD, TOKEN
from voltyard.app import Core, build_core, first_organisation
from voltyard.clock import ScaledClock
from voltyard.config import Settings
from voltyard.fleets.commands import TokenDraft, VehicleDraft
from voltyard.ocpp.socket import OcppServer
from voltyard.sites.commands import SiteDraft
from voltyard.sites.model import Node, NodeKind, NodeLimit
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy.model import Principal

GRID_W = 10_000.0
EVSE_W = 22_000.0


@dataclass
class Depot:
    """One station on a grid connection of ``GRID_W``."""

    core: Core
    who: Principal
    port: int

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ocpp"

    async def add(self, identity: str) -> None:
        """A known station with one EVSE, alone below the grid connection."""
        core, who = self.core, self.who
        site = await core.sites.create_site(who, SiteDraft("Yard"))
        station = await core.chargers.create_station(
            who, identity, site_id=site.id, password=PASSWORD
        )
        evse = await core.chargers.save_evse(who, station.id, 1, max_power_w=EVSE_W)
        root = Node(uuid4(), NodeKind.GRID, "Grid", None, (NodeLimit(power_w=GRID_W),))
        leaf = Node(uuid4(), NodeKind.EVSE, identity, root.id, (), evse.id)
        await core.sites.replace_tree(who, site.id, [root, leaf])
        await core.chargers.save_evse(who, station.id, 1, node_id=leaf.id)
        vehicle = await core.fleets.save_vehicle(who, VehicleDraft(name="Van 1"))
        await core.fleets.save_token(who, TokenDraft(TOKEN, vehicle_id=vehicle.id))


@asynccontextmanager
async def depot(database_url: str, *, speed: float = 1.0) -> AsyncIterator[Depot]:
    clock = ScaledClock(datetime.now(UTC), speed)
    database = PostgresDatabase(database_url, pool_size=4)
    core = build_core(Settings(tick_s=0.5), database, clock, holder="interop")
    await core.start()
    server = OcppServer(core.chargers, core.sessions, clock)
    port = await server.start("127.0.0.1", 0)
    try:
        yield Depot(core, await first_organisation(core), port)
    finally:
        await server.close()
        await core.close()

"""A large depot for the bench: one site with its tree, an outlet a charger, vehicles and a key."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from argon2 import PasswordHasher

from voltyard.bench.durable import ADMIN
from voltyard.bench.traffic import IDENTITY, PASSWORD, TOKEN, is_201
from voltyard.bus import Bus
from voltyard.chargers.model import StationState, station_id_of
from voltyard.clock import Clock, SystemClock
from voltyard.fleets.commands import TokenDraft, VehicleDraft
from voltyard.fleets.service import FleetService
from voltyard.ids import new_id
from voltyard.sites.commands import SiteDraft
from voltyard.sites.model import Node, NodeKind, NodeLimit
from voltyard.sites.service import SiteService
from voltyard.storage import partitions
from voltyard.storage.embedded import APP_ROLE, EmbeddedPostgres
from voltyard.storage.engine import Database, PostgresDatabase
from voltyard.storage.groupcommit import GroupCommit, Write
from voltyard.storage.migrate import migrate
from voltyard.tenancy.access import system_principal
from voltyard.tenancy.model import Permission, Principal
from voltyard.tenancy.service import TenancyService

OUTLET_W = 50_000.0
LEAST_W = 5_000.0
CABINET_W, CABINET_OUTLETS = 120_000.0, 3
FEEDER_W, FEEDER_CABINETS = 800_000.0, 8
TRANSFORMER_W, TRANSFORMER_FEEDERS = 3_200_000.0, 5
SHARE_W = 20_000.0
"""Of the grid connection, for each outlet."""


@dataclass(frozen=True, slots=True)
class Depot:
    """What the bench must know. ``vehicles`` by charger; none for those that name no token."""

    key: str
    site_id: UUID
    root_id: UUID
    limit_w: float
    stations: tuple[UUID, ...]
    vehicles: tuple[UUID | None, ...]


def furnish(data_dir: Path, chargers: int) -> Depot:
    """Make the embedded database below ``data_dir`` with such a depot, and stop it."""
    server = EmbeddedPostgres(data_dir / "postgres")
    server.start()
    try:
        return asyncio.run(_fill(server, chargers))
    finally:
        server.stop()


async def _fill(server: EmbeddedPostgres, chargers: int) -> Depot:
    await migrate(server.url(), app_password=server.password(APP_ROLE))
    database, clock = PostgresDatabase(server.url(APP_ROLE), pool_size=4), SystemClock()
    await partitions.make_ahead(database, clock.now().date())
    tenancy = TenancyService(database, clock)
    organisation, _ = await tenancy.create_organisation("Bench", ADMIN)
    who = system_principal(organisation.id)
    key = await tenancy.create_key(who, "bench", frozenset(Permission) & who.permissions)
    sites, fleets = SiteService(database, Bus(), clock), FleetService(database, Bus(), clock)
    site = await sites.create_site(who, SiteDraft("Depot of the bench"))
    stations = tuple(station_id_of(who.org_id, IDENTITY.format(n)) for n in range(chargers))
    outlets = await _chargers(database, clock, who, site.id, stations)
    nodes = _tree(outlets)
    await sites.replace_tree(who, site.id, nodes)
    vehicles = [await _vehicle(fleets, who, number) for number in range(chargers)]
    await database.close()
    limit_w = chargers * SHARE_W
    return Depot(key.text, site.id, nodes[0].id, limit_w, stations, tuple(vehicles))


async def _chargers(
    database: Database, clock: Clock, who: Principal, site_id: UUID, stations: tuple[UUID, ...]
) -> list[UUID]:
    """Their password is hashed cheaply once: what a first log-in costs is argon2's to say."""
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    commits = GroupCommit(database, clock)
    writer = asyncio.create_task(commits.run())
    outlets = [new_id() for _ in stations]
    rows = []
    for number, (station_id, outlet_id) in enumerate(zip(stations, outlets, strict=True)):
        name = IDENTITY.format(number)
        common = {"org_id": who.org_id, "site_id": site_id, "name": name}
        station = {
            "id": station_id,
            "identity": name,
            "state": StationState.APPROVED.value,
            "password_hash": hashed,
            "created_at": clock.now(),
        }
        outlet = {
            "id": outlet_id,
            "station_id": station_id,
            "number": 1,
            "current_type": "dc",
            "max_power_w": OUTLET_W,
            "min_power_w": LEAST_W,
        }
        rows += [Write("stations", common | station), Write("evses", common | outlet)]
    await commits.submit(rows)
    await commits.close()
    writer.cancel()
    return outlets


def _tree(outlets: list[UUID]) -> list[Node]:
    """Outlets on cabinets on feeders on transformers on the grid."""
    feeder = CABINET_OUTLETS * FEEDER_CABINETS
    levels = (
        (NodeKind.TRANSFORMER, TRANSFORMER_W, feeder * TRANSFORMER_FEEDERS),
        (NodeKind.FEEDER, FEEDER_W, feeder),
        (NodeKind.CABINET, CABINET_W, CABINET_OUTLETS),
    )
    nodes = [_node(NodeKind.GRID, 0, None, len(outlets) * SHARE_W)]
    above = [nodes[0]]
    for number, outlet in enumerate(outlets):
        for place, (kind, power_w, members) in enumerate(levels):
            if number % members == 0:
                above[place + 1 :] = [_node(kind, number // members, above[place], power_w)]
                nodes.append(above[place + 1])
        nodes.append(_node(NodeKind.EVSE, number, above[-1], OUTLET_W, outlet))
    return nodes


def _node(
    kind: NodeKind, number: int, above: Node | None, power_w: float, evse_id: UUID | None = None
) -> Node:
    parent_id = None if above is None else above.id
    limits = (NodeLimit(power_w=power_w),)
    return Node(new_id(), kind, f"{kind.value} {number + 1}", parent_id, limits, evse_id)


async def _vehicle(fleets: FleetService, who: Principal, number: int) -> UUID | None:
    """Only 1.6 names a token when a transaction begins: the others' vehicles are unknown."""
    if is_201(number):
        return None
    draft = VehicleDraft(
        f"BUS-{number:04}", battery_wh=300_000.0, max_power_w=OUTLET_W, min_power_w=LEAST_W
    )
    made = await fleets.save_vehicle(who, draft)
    await fleets.save_token(who, TokenDraft(TOKEN.format(number), "rfid", made.id))
    return made.id

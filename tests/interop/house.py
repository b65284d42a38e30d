"""The server's side of the interop tests: OCPP port, chargers, sessions and fleets."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from voltyard.bus import Bus
from voltyard.chargers.commands import Command, CommandResult
from voltyard.chargers.events import StationBooted
from voltyard.chargers.model import Station
from voltyard.chargers.service import ChargerService, ChargerSettings
from voltyard.clock import Clock, SystemClock
from voltyard.fleets.commands import TokenDraft, VehicleDraft
from voltyard.fleets.model import Vehicle
from voltyard.fleets.service import FleetService
from voltyard.ocpp.gateway import DEFAULTS, GatewaySettings
from voltyard.ocpp.socket import OcppServer
from voltyard.sessions.events import (
    MeterReported,
    SessionEnded,
    SessionQuarantined,
    SessionStarted,
)
from voltyard.sessions.model import Session
from voltyard.sessions.ports import SitePolicy
from voltyard.sessions.service import SessionService
from voltyard.storage import partitions
from voltyard.storage.engine import PostgresDatabase, Tx
from voltyard.storage.groupcommit import GroupCommit
from voltyard.tenancy import scope
from voltyard.tenancy.model import ROLE_PERMISSIONS, Principal, Role

PASSWORD = "a-password-of-16+"
TOKEN = "INTEROP01"
WAIT_S = 20.0
EVENTS = (MeterReported, SessionEnded, SessionQuarantined, SessionStarted, StationBooted)


class Policies:
    """Unknown tokens are refused: who charges was recognised."""

    async def policy(self, site_id: UUID) -> SitePolicy:
        return SitePolicy("reject")

    async def area_of(self, site_id: UUID, bay_id: UUID) -> UUID | None:
        return None


@dataclass
class House:
    """A server for the chargers of one organisation."""

    who: Principal
    site_id: UUID
    chargers: ChargerService
    sessions: SessionService
    port: int
    vehicle: Vehicle
    fleets: FleetService
    bus: Bus
    commits: GroupCommit
    events: list[Any] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ocpp"

    async def record(self, event: Any) -> None:
        async with self.changed:
            self.events.append(event)
            self.changed.notify_all()

    async def until(self, true: Callable[[Any], bool]) -> Any:
        """The first event for which ``true`` holds, already here or still to come."""
        async with asyncio.timeout(WAIT_S), self.changed:
            await self.changed.wait_for(lambda: any(map(true, self.events)))
            return next(filter(true, self.events))

    def seen(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def add(self, identity: str, password: str | None = PASSWORD) -> Station:
        """A known station with one EVSE."""
        station = await self.chargers.create_station(
            self.who, identity, site_id=self.site_id, password=password
        )
        await self.chargers.save_evse(self.who, station.id, 1, max_power_w=22_000.0)
        return station

    async def command(self, station: Station, command: Command) -> CommandResult:
        return await self.chargers.command(station.id, command, "test", timeout_s=WAIT_S)

    async def session(self, event: Any) -> Session:
        return await self.sessions.session(self.who.org_id, event.session_id)


@asynccontextmanager
async def house(
    database: PostgresDatabase,
    gateway: GatewaySettings = DEFAULTS,
    settings: ChargerSettings = ChargerSettings(),
    clock: Clock | None = None,
) -> AsyncIterator[House]:
    clock, bus = clock or SystemClock(), Bus()
    await partitions.make_ahead(database, clock.now().date())
    org_id, site_id = uuid4(), uuid4()
    await _organisation(database, org_id, site_id)
    who = Principal(
        kind="user",
        id=uuid4(),
        org_id=org_id,
        name="Interop",
        permissions=ROLE_PERMISSIONS[Role.ADMIN],
    )
    commits = GroupCommit(database, clock)
    committing = asyncio.create_task(commits.run())
    chargers = ChargerService(
        database, commits, bus, clock, audit=_audit, home=_no_home, settings=settings
    )
    fleets = FleetService(database, bus, clock)
    sessions = SessionService(
        database,
        commits,
        bus,
        clock,
        outlets=chargers,
        tokens=fleets,
        policies=Policies(),
        audit=_audit,
    )
    vehicle = await _vehicle(fleets, who)
    await chargers.load()
    await sessions.load()
    server = OcppServer(chargers, sessions, clock, gateway)
    port = await server.start("127.0.0.1", 0)
    made = House(who, site_id, chargers, sessions, port, vehicle, fleets, bus, commits)
    for kind in EVENTS:
        bus.subscribe(kind, made.record, name="interop")
    yield made
    await server.close()
    await chargers.close()
    await commits.close()
    committing.cancel()
    with suppress(asyncio.CancelledError):
        await committing


async def _organisation(database: PostgresDatabase, org_id: UUID, site_id: UUID) -> None:
    async with scope.transaction(database, scope.SYSTEM) as tx:
        await tx.execute(
            "INSERT INTO organisations (id, slug, name, created_at)"
            " VALUES (:id, 'interop', 'Interop', now())",
            {"id": org_id},
        )
        await tx.execute(
            "INSERT INTO sites (id, org_id, name, timezone)"
            " VALUES (:id, :org, 'Yard', 'Europe/Berlin')",
            {"id": site_id, "org": org_id},
        )


async def _vehicle(fleets: FleetService, who: Principal) -> Vehicle:
    vehicle = await fleets.save_vehicle(who, VehicleDraft(name="Van 1"))
    await fleets.save_token(who, TokenDraft(TOKEN, vehicle_id=vehicle.id))
    return vehicle


async def _audit(
    tx: Tx, who: Principal, action: str, kind: str, id_: str, detail: Mapping[str, Any]
) -> None:
    return None


async def _no_home() -> None:
    return None

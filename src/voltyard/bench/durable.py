"""A database for the bench: an organisation, its stations, the tokens of their sessions."""

import asyncio
from pathlib import Path

from argon2 import PasswordHasher

from voltyard.bench.traffic import IDENTITY, PASSWORD, TOKEN, is_201
from voltyard.bus import Bus
from voltyard.chargers.model import StationState, station_id_of
from voltyard.clock import SystemClock
from voltyard.fleets.commands import TokenDraft
from voltyard.fleets.service import FleetService
from voltyard.storage import partitions
from voltyard.storage.embedded import APP_ROLE, EmbeddedPostgres
from voltyard.storage.engine import Database, PostgresDatabase
from voltyard.storage.groupcommit import GroupCommit, Write
from voltyard.storage.migrate import migrate
from voltyard.tenancy import scope
from voltyard.tenancy.access import system_principal
from voltyard.tenancy.model import Principal, Role
from voltyard.tenancy.service import NewUser, TenancyService

ADMIN = NewUser("bench@example.com", "Bench", Role.ADMIN, "no person ever logs in with this")


def furnish(data_dir: Path, stations: int, sending: int) -> None:
    """Make the embedded database below ``data_dir`` with that many stations, and stop it."""
    server = EmbeddedPostgres(data_dir / "postgres")
    server.start()
    try:
        asyncio.run(_fill(server, stations, sending))
    finally:
        server.stop()


def stored_readings(data_dir: Path) -> int:
    """Periodic meter readings in the database below ``data_dir``, whose server is stopped."""
    server = EmbeddedPostgres(data_dir / "postgres")
    server.start()
    try:
        return asyncio.run(_count(server))
    finally:
        server.stop()


async def _count(server: EmbeddedPostgres) -> int:
    database = PostgresDatabase(server.url(APP_ROLE), pool_size=2)
    async with scope.transaction(database, scope.SYSTEM) as tx:
        row = await tx.one("SELECT count(*) AS kept FROM meter_values WHERE context = 'sample'")
    await database.close()
    return int(row["kept"]) if row else 0


async def _fill(server: EmbeddedPostgres, stations: int, sending: int) -> None:
    await migrate(server.url(), app_password=server.password(APP_ROLE))
    database, clock = PostgresDatabase(server.url(APP_ROLE), pool_size=4), SystemClock()
    await partitions.make_ahead(database, clock.now().date())
    organisation, _ = await TenancyService(database, clock).create_organisation("Bench", ADMIN)
    who = system_principal(organisation.id)
    await _stations(database, clock, who, stations)
    await _tokens(FleetService(database, Bus(), clock), who, sending)
    await database.close()


async def _stations(database: Database, clock: SystemClock, who: Principal, count: int) -> None:
    """They belong to no site, so no plan is made. Their password is hashed cheaply once: what a
    first log-in costs is argon2's to say, and a storm of known chargers meets the cache."""
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    commits = GroupCommit(database, clock)
    writer = asyncio.create_task(commits.run())
    now = clock.now()
    rows = [
        {
            "id": station_id_of(who.org_id, IDENTITY.format(number)),
            "org_id": who.org_id,
            "identity": IDENTITY.format(number),
            "state": StationState.APPROVED.value,
            "name": IDENTITY.format(number),
            "password_hash": hashed,
            "created_at": now,
        }
        for number in range(count)
    ]
    await commits.submit([Write("stations", row) for row in rows])
    await commits.close()
    writer.cancel()


async def _tokens(fleets: FleetService, who: Principal, sending: int) -> None:
    """Only 1.6 names a token when a transaction begins."""
    for number in range(sending):
        if not is_201(number):
            await fleets.save_token(who, TokenDraft(TOKEN.format(number)))

"""A night of a depot that two fleet operators share with the depot's own buses."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from tests.conftest import Databases, fresh_database
from tests.scenario.judging import kept, ready
from voltyard.app import SimulatedHost, build_host, first_organisation
from voltyard.clock import Clock
from voltyard.simulator.demo import demo_depot
from voltyard.simulator.depot import DepotSpec
from voltyard.simulator.loop import run_virtual
from voltyard.simulator.night import NightResult, run_night
from voltyard.storage.engine import PostgresDatabase, Row
from voltyard.tenancy import scope
from voltyard.tenancy.model import AdmittedSite, Role
from voltyard.tenancy.service import NewUser

BUSES = 3
OWN = 1
"""How many buses stay the depot operator's."""


@dataclass
class Sharing:
    """Gives the depot's buses to operators once they are entered, each with token and duties."""

    operators: list[UUID] = field(default_factory=list)
    depot_id: UUID | None = None

    async def host(self, url: str, clock: Clock) -> SimulatedHost:
        made = await build_host(url, clock)
        furnish = made.furnish

        async def shared(depots: Sequence[DepotSpec]) -> Mapping[str, UUID]:
            sites = await furnish(depots)
            await self._share(made, next(iter(sites.values())))
            return sites

        made.furnish = shared  # type: ignore[method-assign]
        return made

    async def _share(self, host: SimulatedHost, site_id: UUID) -> None:
        core = host.core
        who = await first_organisation(core)
        self.depot_id = who.org_id
        for name in ("Alpha", "Beta"):
            admin = NewUser(f"{name}@fleet.example", name, Role.ADMIN, "seven buses at dawn")
            places = [AdmittedSite(site_id)]
            made = await core.operators.create(who, name, admin, places=places)
            self.operators.append(made.organisation.id)
        buses = sorted(await core.fleets.all(who.org_id), key=lambda bus: bus.name)
        async with scope.transaction(core.database, scope.SYSTEM) as tx:
            for place, bus in enumerate(buses[OWN:]):
                mine = {"org": self.operators[place % 2], "bus": bus.id}
                await tx.execute("UPDATE vehicles SET org_id = :org WHERE id = :bus", mine)
                for table in ("tokens", "duties"):
                    await tx.execute(
                        f"UPDATE {table} SET org_id = :org WHERE vehicle_id = :bus", mine
                    )
        await core.fleets.changed(who.org_id)


async def seen_by(url: str, org_id: UUID, table: str) -> list[Row]:
    database = PostgresDatabase(url, pool_size=1)
    async with scope.transaction(database, scope.of(org_id)) as tx:
        rows = await tx.all(f"SELECT * FROM {table}")
    await database.close()
    return rows


def test_each_operators_buses_are_known_planned_and_ready_and_seen_by_it_alone(
    databases: Databases,
) -> None:
    depot, sharing = demo_depot(5, BUSES), Sharing()
    with fresh_database(databases) as url:

        async def main(clock: Clock) -> NightResult:
            return await run_night([depot], lambda same: sharing.host(url, same), clock, seed=5)

        done = run_virtual(main, depot.start_at - timedelta(minutes=5))
        sessions = [asyncio.run(seen_by(url, each, "sessions")) for each in sharing.operators]
        duties = [asyncio.run(seen_by(url, each, "duties")) for each in sharing.operators]
        assert sharing.depot_id is not None
        everything = asyncio.run(seen_by(url, sharing.depot_id, "sessions"))
        planned = asyncio.run(seen_by(url, sharing.depot_id, "duties"))
    kept(done)
    assert ready(done) == BUSES
    for operator, theirs, own in zip(sharing.operators, sessions, duties, strict=True):
        assert len(own) == (BUSES - OWN) // 2
        assert {row["org_id"] for row in own} == {operator}
        assert all(row["state"] == "departed" and row["ready"] for row in own)
        assert {row["fleet_org_id"] for row in theirs} == {operator}
        assert {row["duty_id"] for row in theirs} == {row["id"] for row in own}
    assert len(planned) == BUSES
    assert {row["fleet_org_id"] for row in everything} == {None, *sharing.operators}

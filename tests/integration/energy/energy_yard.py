"""An organisation with a small depot on the real database, and a clock moved by hand."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from voltyard.clock import ScaledClock
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy import scope
from voltyard.tenancy.model import Permission, Principal

START = datetime(2026, 1, 15, 20, 0, tzinfo=UTC)


class HandClock(ScaledClock):
    """Stands still until it is moved; sleeping gives the loop a turn."""

    def __init__(self, now: datetime = START) -> None:
        super().__init__(now)
        self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic_s(self) -> float:
        return (self._now - START).total_seconds()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)

    def forward(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


class Depot:
    """Ids of what was inserted."""

    def __init__(self) -> None:
        self.org_id, self.site_id, self.root_id, self.leaf_id = (uuid4() for _ in range(4))
        self.station_id, self.evse_id, self.vehicle_id = (uuid4() for _ in range(3))

    def principal(self, *permissions: Permission) -> Principal:
        return Principal(self.org_id, "user", uuid4(), "Ada", frozenset(permissions))

    async def insert(self, database: PostgresDatabase) -> "Depot":
        async with scope.transaction(database, scope.SYSTEM) as tx:
            for sql in _ROWS:
                await tx.execute(
                    sql,
                    {
                        name: value
                        for name, value in {
                            "org": self.org_id,
                            "slug": self.org_id.hex,
                            "site": self.site_id,
                            "root": self.root_id,
                            "leaf": self.leaf_id,
                            "station": self.station_id,
                            "evse": self.evse_id,
                            "vehicle": self.vehicle_id,
                            "at": START,
                        }.items()
                        if f":{name}" in sql
                    },
                )
        return self

    async def duty(self, database: PostgresDatabase, number: int = 1) -> UUID:
        duty_id = uuid4()
        async with scope.transaction(database, scope.of(self.org_id)) as tx:
            await tx.execute(
                "INSERT INTO duties (id, org_id, site_id, external_id, arrival_at, departure_at,"
                " vehicle_id, target_soc_pct, soc_arrival_pct, updated_at) VALUES"
                " (:id, :org, :site, :name, :arrival, :departure, :vehicle, 90, 30, :arrival)",
                {
                    "id": duty_id,
                    "org": self.org_id,
                    "site": self.site_id,
                    "name": f"duty {number}",
                    "arrival": START - timedelta(hours=1),
                    "departure": START + timedelta(hours=9),
                    "vehicle": self.vehicle_id,
                },
            )
        return duty_id


_ROWS = (
    "INSERT INTO organisations (id, name, slug, created_at) VALUES (:org, 'x', :slug, :at)",
    "INSERT INTO sites (id, org_id, name, timezone) VALUES (:site, :org, 's', 'Europe/Berlin')",
    "INSERT INTO stations (id, org_id, site_id, identity, state, created_at)"
    " VALUES (:station, :org, :site, :slug, 'approved', :at)",
    "INSERT INTO evses (id, org_id, site_id, station_id, number, name, max_power_w)"
    " VALUES (:evse, :org, :site, :station, 1, '1', 150000)",
    "INSERT INTO nodes (id, org_id, site_id, kind, name, limits) VALUES"
    """ (:root, :org, :site, 'grid', 'grid', CAST('[{"power_w": 200000}]' AS jsonb))""",
    "INSERT INTO nodes (id, org_id, site_id, parent_id, kind, name, evse_id)"
    " VALUES (:leaf, :org, :site, :root, 'evse', '1', :evse)",
    "INSERT INTO vehicles (id, org_id, name, battery_wh, max_power_w)"
    " VALUES (:vehicle, :org, 'Bus 1', 300000, 150000)",
)

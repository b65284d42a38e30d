"""A charger service on the real database, with a clock moved by hand."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from voltyard.bus import Bus
from voltyard.chargers.commands import Command, CommandResult, CommandStatus
from voltyard.chargers.events import (
    EvsesChanged,
    EvseStatusChanged,
    StationApproved,
    StationBooted,
    StationChanged,
    StationConnected,
    StationDisconnected,
    StationSeen,
)
from voltyard.chargers.model import StationRef
from voltyard.chargers.passwords import Passwords, in_place
from voltyard.chargers.service import ChargerService, ChargerSettings, Home
from voltyard.storage.engine import PostgresDatabase, Tx
from voltyard.storage.groupcommit import GroupCommit
from voltyard.tenancy import scope
from voltyard.tenancy.model import ROLE_PERMISSIONS, Principal, Role

START_AT = datetime(2026, 1, 15, 18, 0, tzinfo=UTC)
EVENTS = (
    EvseStatusChanged,
    EvsesChanged,
    StationApproved,
    StationBooted,
    StationChanged,
    StationConnected,
    StationDisconnected,
    StationSeen,
)


class HandClock:
    """Stands still until ``advance``; sleeping only lets others run."""

    def __init__(self) -> None:
        self._now = START_AT

    def now(self) -> datetime:
        return self._now

    def monotonic_s(self) -> float:
        return (self._now - START_AT).total_seconds()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)

    def timeout(self, seconds: float) -> asyncio.Timeout:
        return asyncio.timeout(seconds)

    def advance(self, seconds: float) -> datetime:
        self._now += timedelta(seconds=seconds)
        return self._now


@dataclass
class FakeLink:
    """A charger at the other end: answers what it is told to, or raises it."""

    station: StationRef
    version: str = "1.6"
    answer: CommandResult | Exception = field(
        default_factory=lambda: CommandResult(CommandStatus.ACCEPTED, "Accepted")
    )
    sent: list[Command] = field(default_factory=list)
    closed: str | None = None

    async def send(self, command: Command, *, timeout_s: float = 30.0) -> CommandResult:
        self.sent.append(command)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def close(self, reason: str) -> None:
        self.closed = reason


@dataclass
class Yard:
    """The service and everything around it."""

    database: PostgresDatabase
    clock: HandClock
    bus: Bus
    commits: GroupCommit
    org_id: UUID
    site_id: UUID
    events: list[Any] = field(default_factory=list)
    audited: list[tuple[str, str, str, Mapping[str, Any]]] = field(default_factory=list)

    async def service(self, **settings: Any) -> ChargerService:
        async def home() -> Home:
            return Home(self.org_id, self.site_id)

        async def audit(
            tx: Tx, who: Principal, action: str, kind: str, id_: str, detail: Mapping[str, Any]
        ) -> None:
            self.audited.append((action, kind, id_, detail))

        made = ChargerService(
            self.database,
            self.commits,
            self.bus,
            self.clock,
            audit=audit,
            home=home,
            settings=ChargerSettings(**settings),
            passwords=Passwords(in_place),
        )
        await made.load()
        return made

    def principal(self, role: Role = Role.ADMIN) -> Principal:
        return Principal(self.org_id, "user", uuid4(), "Ada", ROLE_PERMISSIONS[role], role)

    def seen(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def rows(self, sql: str, **params: Any) -> list[Mapping[str, Any]]:
        await self.commits.flush()
        async with scope.transaction(self.database, scope.SYSTEM) as tx:
            return list(await tx.all(sql, params))


async def make_organisation(yard: Yard) -> None:
    async with scope.transaction(yard.database, scope.SYSTEM) as tx:
        await tx.execute(
            "INSERT INTO organisations (id, name, slug, created_at)"
            " VALUES (:id, 'Yard', :slug, :at)",
            {"id": yard.org_id, "slug": yard.org_id.hex, "at": START_AT},
        )
        await tx.execute(
            "INSERT INTO sites (id, org_id, name, timezone)"
            " VALUES (:id, :org, 'Depot', 'Europe/Berlin')",
            {"id": yard.site_id, "org": yard.org_id},
        )

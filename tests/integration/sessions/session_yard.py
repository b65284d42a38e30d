"""The session service with real chargers and a real database; tokens and policies by hand."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from voltyard.bus import Bus
from voltyard.chargers.commands import Command, CommandResult, CommandStatus
from voltyard.chargers.model import Evse, EvseStatus, Station, StationRef, StatusReport
from voltyard.chargers.passwords import Passwords, in_place
from voltyard.chargers.service import ChargerService, ChargerSettings, Home
from voltyard.fleets.model import Token, Vehicle
from voltyard.sessions.events import (
    MeterReported,
    SessionEnded,
    SessionQuarantined,
    SessionStarted,
    SessionUpdated,
    UnknownTokenUsed,
)
from voltyard.sessions.model import (
    IdToken,
    MeterReading,
    Phase,
    Session,
    TransactionAck,
    TransactionReport,
)
from voltyard.sessions.ports import SitePolicy
from voltyard.sessions.service import SessionService
from voltyard.storage.engine import PostgresDatabase, Tx
from voltyard.storage.groupcommit import GroupCommit
from voltyard.tenancy import scope
from voltyard.tenancy.model import ROLE_PERMISSIONS, Principal, Role

START_AT = datetime(2026, 1, 15, 18, 0, tzinfo=UTC)
EVENTS = (
    MeterReported,
    SessionEnded,
    SessionQuarantined,
    SessionStarted,
    SessionUpdated,
    UnknownTokenUsed,
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

    def reach(self, at: datetime) -> None:
        """Go forward to ``at``; never back."""
        self._now = max(self._now, at)


@dataclass
class Link:
    station: StationRef
    version: str = "1.6"

    async def send(self, command: Command, *, timeout_s: float = 30.0) -> CommandResult:
        return CommandResult(CommandStatus.ACCEPTED)

    async def close(self, reason: str) -> None:
        return None


@dataclass
class Tokens:
    """Known tokens by upper-case value."""

    known: dict[str, tuple[Token, Vehicle | None]] = field(default_factory=dict)
    asked: int = 0

    async def lookup(self, org_id: UUID, token: IdToken) -> tuple[Token | None, Vehicle | None]:
        self.asked += 1
        return self.known.get(token.value.upper(), (None, None))

    def add(self, org_id: UUID, value: str, **columns: Any) -> Vehicle:
        vehicle = Vehicle(uuid4(), org_id, f"Bus {value}")
        token = Token(uuid4(), org_id, "rfid", value, vehicle.id, **columns)
        self.known[value.upper()] = (token, vehicle)
        return vehicle


@dataclass
class Policies:
    unknown_token: str = "accept"
    areas: dict[UUID, UUID] = field(default_factory=dict)

    async def policy(self, site_id: UUID) -> SitePolicy:
        return SitePolicy(self.unknown_token)

    async def area_of(self, site_id: UUID, bay_id: UUID) -> UUID | None:
        return self.areas.get(bay_id)


@dataclass
class Yard:
    """One station of two outlets and everything around it; ``restart`` forgets all memory."""

    database: PostgresDatabase
    clock: HandClock
    org_id: UUID
    site_id: UUID
    commits: GroupCommit
    tokens: Tokens = field(default_factory=Tokens)
    policies: Policies = field(default_factory=Policies)
    events: list[Any] = field(default_factory=list)
    audited: list[str] = field(default_factory=list)
    messages: int = 0
    bus: Bus = field(default_factory=Bus)

    chargers: ChargerService = field(init=False)
    sessions: SessionService = field(init=False)
    station: Station = field(init=False)

    async def restart(self) -> None:
        async def home() -> Home:
            return Home(self.org_id, self.site_id)

        async def audit(
            tx: Tx, who: Principal, action: str, kind: str, id_: str, detail: Mapping[str, Any]
        ) -> None:
            self.audited.append(action)

        async def record(event: Any) -> None:
            self.events.append(event)

        self.bus = Bus()
        self.chargers = ChargerService(
            self.database,
            self.commits,
            self.bus,
            self.clock,
            audit=audit,
            home=home,
            settings=ChargerSettings(allow_no_password=True, auto_approve=True),
            passwords=Passwords(in_place),
        )
        await self.chargers.load()
        self.sessions = SessionService(
            self.database,
            self.commits,
            self.bus,
            self.clock,
            outlets=self.chargers,
            tokens=self.tokens,
            policies=self.policies,
            audit=audit,
        )
        for kind in EVENTS:
            self.bus.subscribe(kind, record, name="test")
        await self.sessions.load()
        self.station = await self.connect("CP1")

    async def connect(self, identity: str) -> Station:
        admitted = await self.chargers.admit(identity, None, remote="r", subprotocols=[])
        assert admitted.station is not None
        await self.chargers.connected(Link(admitted.station.ref))
        return admitted.station

    def at(self, minutes: float) -> datetime:
        return START_AT + timedelta(minutes=minutes)

    def told(self, minutes: float) -> datetime:
        """The instant of a message that arrives then, or later if the clock is further on."""
        self.clock.reach(self.at(minutes))
        return self.at(minutes)

    def message(self) -> str:
        self.messages += 1
        return f"m{self.messages}"

    async def start(
        self,
        *,
        minute: float = 0,
        meter_wh: float = 500_000,
        token: str = "BUS1",
        outlet: int = 1,
        message: str | None = None,
        station: Station | None = None,
    ) -> TransactionAck:
        """A 1.6 StartTransaction."""
        at = self.told(minute)
        return await self.sessions.report(
            (station or self.station).ref,
            TransactionReport(
                Phase.STARTED,
                at,
                message or self.message(),
                evse_number=outlet,
                connector_number=1,
                id_token=IdToken(token),
                readings=(MeterReading(at, energy_wh=meter_wh, context="begin"),),
            ),
        )

    async def stop(
        self,
        ref: str | None,
        *,
        minute: float = 60,
        meter_wh: float | None = 560_000,
        reason: str = "EVDisconnected",
        token: str | None = None,
        station: Station | None = None,
    ) -> TransactionAck:
        """A 1.6 StopTransaction."""
        at = self.told(minute)
        readings = () if meter_wh is None else (MeterReading(at, meter_wh, context="end"),)
        return await self.sessions.report(
            (station or self.station).ref,
            TransactionReport(
                Phase.ENDED,
                at,
                self.message(),
                transaction_ref=ref,
                id_token=None if token is None else IdToken(token),
                readings=readings,
                stop_reason=reason,
            ),
        )

    async def meter(
        self,
        ref: str | None,
        minute: float,
        meter_wh: float | None = None,
        *,
        power_w: float | None = 60_000,
        soc_pct: float | None = None,
        outlet: int = 1,
    ) -> None:
        """A 1.6 MeterValues with one reading."""
        reading = MeterReading(self.told(minute), meter_wh, power_w, soc_pct)
        await self.sessions.meter(self.station.ref, outlet, ref, [reading])

    async def event(
        self,
        phase: Phase,
        seq_no: int,
        minute: float,
        *,
        ref: str = "tx-1",
        meter_wh: float | None = None,
        outlet: int | None = 1,
        **columns: Any,
    ) -> TransactionAck:
        """A 2.0.1 TransactionEvent."""
        at = self.told(minute)
        readings = () if meter_wh is None else (MeterReading(at, meter_wh, 60_000.0),)
        return await self.sessions.report(
            self.station.ref,
            TransactionReport(
                phase,
                at,
                self.message(),
                evse_number=outlet,
                transaction_ref=ref,
                seq_no=seq_no,
                readings=readings,
                **columns,
            ),
        )

    async def status(self, status: EvseStatus, minute: float, outlet: int = 1) -> None:
        report = StatusReport(outlet, 1, status, self.told(minute))
        await self.chargers.status(self.station.ref, report)

    def evse(self, outlet: int = 1) -> Evse:
        found = self.chargers.outlet(self.station.id, outlet)
        assert found is not None
        return found

    async def stored(self) -> list[Session]:
        """What the database holds, oldest start first."""
        page = await self.sessions.page(self.org_id)
        return list(reversed(page.sessions))

    async def only(self) -> Session:
        (session,) = await self.stored()
        return session

    def seen(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def principal(self, role: Role = Role.ADMIN) -> Principal:
        return Principal(self.org_id, "user", uuid4(), "Ada", ROLE_PERMISSIONS[role], role)

    async def rows(self, sql: str, **params: Any) -> list[Mapping[str, Any]]:
        async with scope.transaction(self.database, scope.SYSTEM) as tx:
            return list(await tx.all(sql, params))


async def make_organisation(database: PostgresDatabase, org_id: UUID, site_id: UUID) -> None:
    async with scope.transaction(database, scope.SYSTEM) as tx:
        await tx.execute(
            "INSERT INTO organisations (id, name, slug, created_at)"
            " VALUES (:id, 'Yard', :slug, :at)",
            {"id": org_id, "slug": org_id.hex, "at": START_AT},
        )
        await tx.execute(
            "INSERT INTO sites (id, org_id, name, timezone)"
            " VALUES (:id, :org, 'Depot', 'Europe/Berlin')",
            {"id": site_id, "org": org_id},
        )

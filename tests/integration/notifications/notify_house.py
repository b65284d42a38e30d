"""An organisation with a site, alerts and notifications on the real database, sent for real."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from voltyard.alerts.departures import DepartureDesk
from voltyard.alerts.model import Cause, Severity
from voltyard.alerts.service import AlertService
from voltyard.bus import Bus
from voltyard.clock import ScaledClock
from voltyard.notifications.channels.built import ChannelSettings, senders
from voltyard.notifications.commands import RouteDraft, TargetDraft
from voltyard.notifications.model import Channel, Target
from voltyard.notifications.service import NotificationService, Places, Setup
from voltyard.notifications.wording import Wording
from voltyard.sitemeters.sealing import Sealer
from voltyard.sites.model import Site
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy import scope
from voltyard.tenancy.model import Organisation, Permission, Principal
from voltyard.timetable.model import Departing
from voltyard.web.console import alert_words

SMS_TAKEN = '{"sid": "SM1", "status": "queued"}'
OFFLINE = Cause(
    "charger_offline",
    Severity.WARNING,
    "charger_offline:1",
    "station",
    "1",
    {"station": "CP7", "reserved_w": 11_000},
)


class HandClock(ScaledClock):
    """Begins now, since receivers look at the time of a signature; moved by hand."""

    def __init__(self, now: datetime | None = None) -> None:
        begins_at = now or datetime.now(UTC).replace(microsecond=0)
        super().__init__(begins_at)
        self._now = begins_at

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)

    def timeout(self, seconds: float) -> asyncio.Timeout:
        return asyncio.timeout(20.0)

    def forward(self, **time: float) -> None:
        self._now += timedelta(**time)


@dataclass
class Yard:
    """What departs; the test changes it."""

    found: list[Departing] = field(default_factory=list)

    async def departing(self, from_at: datetime, until_at: datetime) -> Sequence[Departing]:
        return [each for each in self.found if from_at <= each.duty.departure_at < until_at]


@dataclass
class Readers:
    site: Site
    organisation: Organisation

    async def all(self) -> Sequence[Site]:
        return [self.site]

    async def organisations(self) -> Sequence[Organisation]:
        return [self.organisation]


class House:
    def __init__(
        self,
        database: PostgresDatabase,
        data_dir: Path,
        channels: ChannelSettings,
        ids: tuple[UUID, UUID] | None = None,
        clock: Any = None,
    ) -> None:
        self.org_id, self.site_id = ids or (uuid4(), uuid4())
        self.database = database
        self.clock = clock or HandClock()
        self.bus = Bus()
        self.alerts = AlertService(database, self.bus, self.clock)
        self.yard = Yard()
        self.departures = DepartureDesk(database, self.clock, self.alerts, self.yard)
        site = Site(self.site_id, self.org_id, "Depot Nord", "Europe/Berlin")
        readers = Readers(site, Organisation(self.org_id, "Stadtwerke", "s", "Europe/Berlin"))
        self.notifications = NotificationService(
            database,
            self.bus,
            self.clock,
            self.alerts,
            Places(readers, readers),
            Setup(
                Wording(alert_words.told, "https://yard.example"),
                Sealer(data_dir / "notifications.key"),
                senders(channels, self.clock, asyncio.to_thread),
                frozenset(alert_words.TITLES),
                "house",
            ),
        )
        self.notifications.listen()
        permissions = frozenset(Permission)
        self.who = Principal(self.org_id, "user", uuid4(), "Ada", permissions)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo("Europe/Berlin")

    async def insert(self) -> "House":
        values = {"org": self.org_id, "site": self.site_id, "at": self.clock.now()}
        async with scope.transaction(self.database, scope.SYSTEM) as tx:
            await tx.execute(
                "INSERT INTO organisations (id, name, slug, created_at)"
                " VALUES (:org, 'Stadtwerke', :slug, :at)",
                {**values, "slug": self.org_id.hex},
            )
            await tx.execute(
                "INSERT INTO sites (id, org_id, name, timezone)"
                " VALUES (:site, :org, 'Depot Nord', 'Europe/Berlin')",
                values,
            )
        return await self.open()

    async def open(self) -> "House":
        await self.departures.load()
        await self.notifications.load()
        await self.alerts.load()
        return self

    async def target(self, channel: Channel, address: str, **more: Any) -> tuple[Target, str]:
        name = more.pop("name", f"{channel.value} {address}"[:60])
        draft = TargetDraft(name, channel, address, **more)
        return await self.notifications.save_target(self.who, draft)

    async def route(self, *targets: Target, **more: Any) -> None:
        name = more.pop("name", f"route {len(self.notifications.routes(self.who))}")
        ids = frozenset(target.id for target in targets)
        await self.notifications.save_route(self.who, RouteDraft(name, target_ids=ids, **more))

    async def raise_(self, cause: Cause = OFFLINE) -> None:
        await self.alerts.raise_(self.org_id, self.site_id, cause)

    async def deliver(self) -> int:
        """All that is due, over as many looks as it takes."""
        sent = 0
        while part := await self.notifications.deliver():
            sent += part
        return sent

    async def log(self) -> list[Mapping[str, Any]]:
        """Oldest first: topic, channel, state, attempts."""
        async with scope.transaction(self.database, scope.of(self.org_id)) as tx:
            return list(
                await tx.all(
                    "SELECT topic, channel, state, attempts, subject, answer, due_at, kind"
                    " FROM notifications ORDER BY seq"
                )
            )

    async def close(self) -> None:
        await self.notifications.close()

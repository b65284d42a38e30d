"""A yard with two buses and duties, and a small HTTP server that stands in for other systems."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from voltyard.app import Core, first_organisation
from voltyard.clock import ScaledClock
from voltyard.fleets.commands import VehicleDraft
from voltyard.fleets.model import Vehicle
from voltyard.ids import new_id
from voltyard.sites.commands import NodeDraft, SiteDraft
from voltyard.sites.model import NodeKind, NodeLimit, Site
from voltyard.telematics.commands import ConnectionDraft
from voltyard.telematics.model import Access, Connection, Kind
from voltyard.tenancy.model import Principal
from voltyard.timetable.model import Duty

AT = datetime(2026, 1, 15, 18, tzinfo=UTC)
VIN = "WEB62804113456789"
VIN_2 = "WEB62804113456790"


@dataclass
class Yard:
    core: Core
    clock: ScaledClock
    who: Principal
    site: Site
    bus: Vehicle
    other: Vehicle

    async def connection(self, kind: Kind, access: Access, **given: Any) -> Connection:
        given = {"name": kind.value, "password": "pass word", **given}
        draft = ConnectionDraft(kind=kind, access=access, **given)
        view, _ = await self.core.telematics.service.save(self.who, draft)
        return view.connection

    async def duty(self, **given: Any) -> Duty:
        now = self.clock.now()
        given = {
            "arrival_at": now + timedelta(hours=1),
            "departure_at": now + timedelta(hours=10),
            "vehicle_id": self.bus.id,
            "target_soc_pct": 90.0,
            "source": "csv",
            **given,
        }
        ids = (new_id(), self.who.org_id, self.site.id, f"N{len(given)}")
        (saved,) = await self.core.timetable.save_all(self.who, [Duty(*ids, **given)])
        return saved

    def status(self, connection: Connection) -> Any:
        return self.core.telematics.service.view(self.who, connection.id).status


async def furnished(core: Core, clock: ScaledClock) -> Yard:
    who = await first_organisation(core)
    site = await core.sites.create_site(who, SiteDraft("Nord"))
    grid = NodeDraft(NodeKind.GRID, "Grid", None, limits=(NodeLimit(power_w=500_000.0),))
    await core.sites.add_node(who, site.id, grid)
    station = await core.chargers.create_station(who, "CP1", site_id=site.id, password="x" * 20)
    await core.chargers.save_evse(who, station.id, 1, max_power_w=150_000.0)
    for task in core.tasks:
        if task.get_name().startswith("site "):
            task.cancel()  # who needs a controller starts one
    bus = await core.fleets.save_vehicle(
        who, VehicleDraft("Bus 1", "12m", 400_000.0, max_power_w=100_000.0, vin=VIN)
    )
    other = await core.fleets.save_vehicle(
        who, VehicleDraft("Bus 2", "12m", 400_000.0, max_power_w=100_000.0, vin=VIN_2)
    )
    return Yard(core, clock, who, site, bus, other)


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = tuple[int, Any] | tuple[int, Any, Mapping[str, str]]


@dataclass
class Stand:
    """Answers by ``script``; what was asked is kept."""

    script: Callable[[Asked], Answer]
    port: int = 0
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, target, _ = first.split(" ")
        parts = urlsplit(target)
        asked = Asked(method, parts.path, dict(parse_qsl(parts.query)), headers, body)
        self.asked.append(asked)
        status, content, *more = self.script(asked)
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        told = {"content-type": "application/json", **(more[0] if more else {})}
        text = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        writer.write(
            f"HTTP/1.1 {status} X\r\n{text}content-length: {len(raw)}\r\n"
            "connection: close\r\n\r\n".encode()
            + raw
        )
        await writer.drain()
        writer.close()


@asynccontextmanager
async def standing_in(script: Callable[[Asked], Answer]) -> AsyncIterator[Stand]:
    stand = Stand(script)
    server = await asyncio.start_server(stand.serve, "127.0.0.1", 0)
    stand.port = server.sockets[0].getsockname()[1]
    async with server:
        yield stand


def in_turn(answers: Sequence[Answer]) -> Callable[[Asked], Answer]:
    """Each answer once, the last again and again."""
    left = list(answers)
    return lambda asked: left.pop(0) if len(left) > 1 else left[0]

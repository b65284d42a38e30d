"""Charge points on the PyPI library ``ocpp`` are looked after by a whole server.

Triggered, reserved, given a local list, updated over HTTP by a campaign, asked for their log.
"""

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.interop.house import PASSWORD, TOKEN
from tests.interop.process import WAIT_S, Program, program
from voltyard.app import first_organisation
from voltyard.chargers.commands import (
    CancelReservation,
    Command,
    CommandResult,
    CommandStatus,
    ListEntry,
    ReadLocalListVersion,
    RemoteStop,
    ReserveNow,
    SendLocalList,
    Trigger,
)
from voltyard.chargers.events import EvseStatusChanged, FirmwareReported, StationBooted
from voltyard.clock import ScaledClock
from voltyard.config import Settings
from voltyard.diagnostics.commands import NewLogRequest
from voltyard.diagnostics.events import LogChanged
from voltyard.firmware.commands import NewCampaign, NewImage
from voltyard.firmware.events import CampaignChanged
from voltyard.firmware.model import Rollout
from voltyard.fleets.commands import TokenDraft, VehicleDraft
from voltyard.reservations.commands import NewReservation
from voltyard.reservations.model import ReservationState
from voltyard.serving import Server, running
from voltyard.sessions.events import SessionEnded, SessionStarted
from voltyard.sessions.model import Authorisation, AuthorisationStatus, IdToken
from voltyard.tenancy.model import Principal

VERSIONS = ("16", "201", "21")
EVENTS = (
    CampaignChanged,
    EvseStatusChanged,
    FirmwareReported,
    LogChanged,
    SessionEnded,
    SessionStarted,
    StationBooted,
)
IMAGE = b"an image\nversion=2.0.0\n" + b"\x00\xff" * 40_000


@dataclass
class Yard:
    """A server and the one station that is connected to it."""

    server: Server
    who: Principal
    station_id: UUID
    events: list[Any] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def record(self, event: Any) -> None:
        async with self.changed:
            self.events.append(event)
            self.changed.notify_all()

    async def until(self, true: Callable[[Any], bool]) -> Any:
        async with asyncio.timeout(WAIT_S), self.changed:
            await self.changed.wait_for(lambda: any(map(true, self.events)))
            return next(filter(true, self.events))

    async def status(self, word: str) -> None:
        await self.until(lambda e: isinstance(e, EvseStatusChanged) and e.status == word)
        self.events.clear()

    async def ask(self, command: Command) -> CommandResult:
        chargers = self.server.core.chargers
        return await chargers.command(self.station_id, command, "test", timeout_s=WAIT_S)


@asynccontextmanager
async def visited(
    url: str, folder: Path, version: str, *, speed: float = 1.0
) -> AsyncIterator[tuple[Yard, Program]]:
    """A yard with a charge point of that version, booted."""
    settings = Settings(data_dir=folder, http_port=0, ocpp_port=0)
    clock = ScaledClock(datetime.now(UTC), speed)
    async with running(settings, url, clock) as server:
        core = server.core
        who = await first_organisation(core)
        identity = f"KEPT-{version}"
        station = await core.chargers.create_station(who, identity, password=PASSWORD)
        vehicle = await core.fleets.save_vehicle(who, VehicleDraft(name="Van 1"))
        await core.fleets.save_token(who, TokenDraft(TOKEN, vehicle_id=vehicle.id))
        yard = Yard(server, who, station.id)
        for kind in EVENTS:
            core.bus.subscribe(kind, yard.record, name="interop")
        module = f"tests.interop.kept_point_{version}"
        address = f"ws://127.0.0.1:{server.ocpp_port}/ocpp"
        async with program(sys.executable, "-m", module, address, identity, PASSWORD, TOKEN) as it:
            await it.until("booted")
            await yard.status("available")
            yield yard, it


@pytest.mark.parametrize("version", VERSIONS)
async def test_it_sends_what_it_is_triggered_to_send(
    database_url: str, tmp_path: Path, version: str
) -> None:
    async with visited(database_url, tmp_path, version) as (yard, point):
        logs = "DiagnosticsStatusNotification" if version == "16" else "LogStatusNotification"
        for message, action in (
            ("heartbeat", "Heartbeat"),
            ("status", "StatusNotification"),
            ("firmware", "FirmwareStatusNotification"),
            ("diagnostics", logs),
            ("boot", "BootNotification"),
        ):
            outlet = 1 if message == "status" else None
            assert (await yard.ask(Trigger(message, outlet))).accepted
            await point.until("triggered", message=action)
        await yard.until(lambda event: isinstance(event, StationBooted))
        refused = await yard.ask(Trigger("meter", 1))
        assert refused.status is CommandStatus.NOT_SUPPORTED


@pytest.mark.parametrize("version", VERSIONS)
async def test_it_is_reserved_and_charges_then(
    database_url: str, tmp_path: Path, version: str
) -> None:
    async with visited(database_url, tmp_path, version) as (yard, point):
        until_at = yard.server.core.clock.now() + timedelta(hours=1)
        reserve = ReserveNow(7, IdToken(TOKEN), until_at, evse_number=1)
        assert (await yard.ask(reserve)).accepted
        told = await point.until("reserved", id_tag=TOKEN)
        assert told["until"].endswith("Z")
        await yard.status("reserved")
        assert (await yard.ask(CancelReservation(8))).status is CommandStatus.REJECTED
        assert (await yard.ask(CancelReservation(7))).accepted
        await yard.status("available")

        core = yard.server.core
        (evse,) = core.chargers.station_view(yard.who.org_id, yard.station_id).evses
        wish = NewReservation(yard.station_id, TOKEN, until_at, evse.id)
        kept = await core.reservations.reserve(yard.who, wish)
        await yard.status("reserved")
        await point.press("\n")
        started = await yard.until(lambda event: isinstance(event, SessionStarted))
        session = await core.sessions.session(yard.who.org_id, started.session_id)
        assert (await yard.ask(RemoteStop(session.transaction_ref))).accepted
        await yard.until(lambda event: isinstance(event, SessionEnded))
        used = await core.reservations.reservation(yard.who, kept.id)
        assert (used.state, used.session_id) == (ReservationState.USED, session.id)


@pytest.mark.parametrize("version", VERSIONS)
async def test_it_keeps_a_local_list_by_its_version(
    database_url: str, tmp_path: Path, version: str
) -> None:
    good = Authorisation(AuthorisationStatus.ACCEPTED)
    async with visited(database_url, tmp_path, version) as (yard, point):
        entries = tuple(ListEntry(IdToken(tag), good) for tag in ("A1", "B2"))
        assert (await yard.ask(SendLocalList(3, entries, full=True))).accepted
        await point.until("list", version=3, tags=["A1", "B2"])
        assert (await yard.ask(ReadLocalListVersion())).detail["version"] == 3
        changes = (ListEntry(IdToken("A1"), None), ListEntry(IdToken("C3"), good))
        assert (await yard.ask(SendLocalList(4, changes, full=False))).accepted
        await point.until("list", version=4, tags=["B2", "C3"])


@pytest.mark.parametrize("version", VERSIONS)
async def test_it_is_updated_by_a_campaign_over_http(
    database_url: str, tmp_path: Path, version: str
) -> None:
    """On a faster clock: chargers that have just booted are left alone for a while."""
    async with visited(database_url, tmp_path, version, speed=10.0) as (yard, point):
        firmware = yard.server.core.firmware
        new = NewImage(vendor="PyPI", version="2.0.0", file_name="library-2.0.0.bin")
        image = await firmware.add_image(yard.who, new, _chunks(IMAGE))
        rollout = Rollout(canary=1, margin_s=0)
        view = await firmware.start_campaign(
            yard.who, NewCampaign(image.id, (yard.station_id,), "test", rollout)
        )
        updated = await point.until("updated", version="2.0.0")
        assert updated["digest"] == hashlib.sha256(IMAGE).hexdigest()
        campaign_id = view.campaign.id
        await yard.until(lambda event: isinstance(event, StationBooted))

        async def state() -> str:
            return (await firmware.campaign(yard.who.org_id, campaign_id)).campaign.state.value

        while await state() != "done":
            await yard.server.core.firmware.tick()
        (done,) = await firmware.updates(yard.who.org_id, campaign_id)
        assert (done.state.value, done.to_version) == ("done", "2.0.0")


@pytest.mark.parametrize("version", VERSIONS)
async def test_it_brings_its_log_over_http(database_url: str, tmp_path: Path, version: str) -> None:
    async with visited(database_url, tmp_path, version) as (yard, point):
        diagnostics = yard.server.core.diagnostics
        request = await diagnostics.ask(yard.who, yard.station_id, NewLogRequest())
        told = await point.until("uploaded")
        found = await diagnostics.request(yard.who.org_id, request.id)
        (file,) = found.files
        _, content = await diagnostics.opened(yard.who, file.id)
        got = b"".join([part async for part in content])
        assert hashlib.sha256(got).hexdigest() == told["digest"]


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    yield content

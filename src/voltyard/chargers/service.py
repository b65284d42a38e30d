"""Chargers: who may connect, who is connected, what they report, what is commanded."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID, uuid5

import msgspec

from voltyard.approvals.gate import Gate
from voltyard.billing.ports import Pricing
from voltyard.bus import Bus
from voltyard.chargers import store
from voltyard.chargers.administration import StationAdmin
from voltyard.chargers.admission import (
    ChargerSettings,
    FindHome,
    Gatekeeper,
    Home,
    SecurityDesk,
)
from voltyard.chargers.asking import StationAsking
from voltyard.chargers.commands import (
    Ask,
    Command,
    CommandResult,
    RemoteStart,
    SetLimit,
    StationLink,
    Trigger,
    UpdateLimit,
)
from voltyard.chargers.core import Audit
from voltyard.chargers.directory import Entry
from voltyard.chargers.events import (
    EvseStatusChanged,
    StationBooted,
    StationConnected,
    StationDisconnected,
)
from voltyard.chargers.model import (
    IN_THE_CLEAR,
    Admitted,
    BootDecision,
    BootInfo,
    BootReply,
    BootStatus,
    CommandRecord,
    ConnectorState,
    Evse,
    Frame,
    Peer,
    PlannedPower,
    ScheduleOffer,
    Station,
    StationRef,
    StationState,
    StatusReport,
)
from voltyard.chargers.passwords import Passwords
from voltyard.chargers.reading import StationReads
from voltyard.chargers.secrets import keepable
from voltyard.chargers.upkeep import StationUpkeep
from voltyard.clock import Clock
from voltyard.contracts.model import NoVehicleCertificates, VehicleCertificates
from voltyard.errors import ChargerOffline, Invalid, TooMany, VoltyardError
from voltyard.storage.engine import Database
from voltyard.storage.groupcommit import REFUSALS, GroupCommit, Write
from voltyard.tenancy import scope
from voltyard.tenancy.model import Principal

__all__ = ["Audit", "ChargerService", "ChargerSettings", "FindHome", "Home"]

AHEAD_MAX = timedelta(minutes=15)
BEHIND_MAX = timedelta(days=30)
DataHandler = Callable[[StationRef, str | None, str | None], Awaitable[None]]
DEFAULTS = ChargerSettings()


class BootGuard(Protocol):
    """Who guards a site's limits."""

    def at_boot(self, station: StationRef) -> BootDecision:
        """Asked at each boot of an approved charger that hangs on the electrical tree."""

    def offer_schedule(self, station: StationRef, evse_number: int) -> ScheduleOffer:
        """A vehicle there has told what it needs; if offered, its limit is sent anew."""

    def start_limit(self, station: Station, evse: Evse, power_w: float) -> SetLimit:
        """For a transaction yet to begin. Conflict where it could take more than is counted."""

    def schedule_fault(
        self, station: StationRef, evse_number: int, periods: Sequence[PlannedPower]
    ) -> str:
        """Why what a vehicle means to take does not fit its limit; empty if it does."""

    async def update_pulled(self, station: StationRef, profile_id: int) -> UpdateLimit | None:
        """The value a charger asks for of a limit that is updated; None if it is none of ours."""

    def transfers(self, station: StationRef) -> Sequence[str]:
        """The ways of energy transfer its V2X knows; none without one."""


class ChargerService(StationAdmin, StationReads, StationUpkeep, StationAsking):
    """Implements ``voltyard.ocpp.ports.Chargers``; see its bases for administration and reads."""

    def __init__(
        self,
        database: Database,
        commits: GroupCommit,
        bus: Bus,
        clock: Clock,
        *,
        audit: Audit,
        home: FindHome,
        settings: ChargerSettings = DEFAULTS,
        passwords: Passwords | None = None,
    ) -> None:
        passwords = passwords or Passwords()
        super().__init__(
            database, commits, bus, clock, audit=audit, passwords=passwords, settings=settings
        )
        self._gate = Gatekeeper(database, bus, clock, self._directory, passwords, settings, home)
        self._data_handlers: dict[str, DataHandler] = {}
        self._commands_sent = 0
        self.guard: BootGuard | None = None
        self._desk: SecurityDesk | None = None
        self.vehicle_certificates: VehicleCertificates = NoVehicleCertificates()
        self.pricing: Pricing | None = None
        self._background: set[asyncio.Task[None]] = set()

    def gated_by(self, gate: Gate) -> None:
        """What people change in chargers may wait for a second person."""
        StationAdmin.gated_by(self, gate)
        StationAsking.gated_by(self, gate)

    async def load(self) -> None:
        """At start, before the first connection: every station into memory, none connected."""
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            await store.mark_all_disconnected(tx)
            for entry in await store.load(tx):
                entry.station = replace(entry.station, connected=False)
                self._directory.add(entry)

    def guarded_by(self, desk: SecurityDesk) -> None:
        """Certificates and security profiles count from now on; before the first connection."""
        self._desk = self._gate.door = desk

    async def admit(
        self,
        identity: str,
        password: str | None,
        *,
        remote: str,
        subprotocols: Sequence[str],
        peer: Peer = IN_THE_CLEAR,
    ) -> Admitted:
        return await self._gate.admit(identity, password, remote=remote, peer=peer)

    async def certificate_requested(
        self,
        station: StationRef,
        csr: str,
        *,
        use: str = "station",
        request_id: int | None = None,
    ) -> bool:
        """Whether a station's request for a certificate is taken."""
        if self._desk is None:
            return False
        return await self._desk.certificate_requested(station, csr, use=use, request_id=request_id)

    async def security_event(self, station: StationRef, kind: str, at: datetime, info: str) -> None:
        if self._desk is not None:
            await self._desk.security_event(station, kind, at, info)

    def priority_told(self, station: StationRef, transaction_ref: str, *, active: bool) -> None:
        """Where limits are kept no profile of the charger's own may stand above them: it is told
        to stop, at once."""
        entry = self._entry(station.id)
        kept = any(evse.node_id is not None for evse in entry.evses.values())
        if active and kept:
            self.flag(station, "priority_profile_on_tree", transaction_ref)
            payload = {"transactionId": transaction_ref, "activate": False}
            self._spawn(self._told_to(station, Ask("UsePriorityCharging", payload)))

    async def _told_to(self, station: StationRef, command: Command) -> None:
        try:
            await self.command(station.id, command, "voltyard")
        except VoltyardError as error:
            self.flag(station, "priority_profile_kept", error.message)

    def schedule_offer(self, station: StationRef, evse_number: int) -> ScheduleOffer:
        """None where nobody guards limits: then nobody makes schedules either."""
        if self.guard is None:
            return ScheduleOffer.NONE
        return self.guard.offer_schedule(station, evse_number)

    def schedule_fault(
        self, station: StationRef, evse_number: int, periods: Sequence[PlannedPower]
    ) -> str:
        if self.guard is None:
            return ""
        return self.guard.schedule_fault(station, evse_number, periods)

    async def update_pulled(self, station: StationRef, profile_id: int) -> UpdateLimit | None:
        """An update of a limit, for a charger that asks for it; None if there is none."""
        return None if self.guard is None else await self.guard.update_pulled(station, profile_id)

    def transfers(self, station: StationRef) -> Sequence[str]:
        return () if self.guard is None else self.guard.transfers(station)

    def link(self, station_id: UUID) -> StationLink | None:
        """The live connection of a station, if there is one."""
        entry = self._directory.entry(station_id)
        return None if entry is None else entry.link

    def station_named(self, identity: str) -> Station | None:
        """By what it calls itself, whoever's it is."""
        entry = self._directory.by_identity(identity)
        return None if entry is None else entry.seen

    def all_stations(self) -> list[Station]:
        """Of every organisation, for voltyard's own work."""
        return [entry.seen for entry in self._directory]

    def on_data(self, vendor_id: str, handler: DataHandler) -> None:
        """Give DataTransfer messages of a vendor to ``handler`` (message id, data)."""
        self._data_handlers[vendor_id.casefold()] = handler

    async def connected(self, link: StationLink) -> None:
        entry = self._entry(link.station.id)
        former, entry.link = entry.link, link
        if former is not None and former is not link:
            self._spawn(self._close(former, "replaced by a new connection"))
        now = self._clock.now()
        station = self._change(
            entry,
            connected=True,
            connected_at=now,
            last_seen_at=now,
            ocpp_version=link.version,
        )
        entry.seen_at = entry.seen_written_at = now
        write = store.station_write(
            station.id,
            connected=True,
            connected_at=now,
            last_seen_at=now,
            ocpp_version=link.version,
            remote=entry.remote,
        )
        await self._commits.submit([write])
        await self._bus.publish(
            StationConnected(station.org_id, station.site_id, station.id, link.version, now)
        )

    async def disconnected(self, link: StationLink, reason: str) -> None:
        """A link that was replaced meanwhile changes nothing."""
        entry = self._entry(link.station.id)
        if entry.link is not link:
            return
        entry.link = None
        now = self._clock.now()
        station = self._change(entry, connected=False)
        write = store.station_write(station.id, connected=False, last_seen_at=entry.seen_at or now)
        lost = StationDisconnected(station.org_id, station.site_id, station.id, reason, now)
        await self._kept_and_told([write, *self._flag_writes(entry)], lost)

    async def booted(self, station: StationRef, info: BootInfo) -> BootReply:
        entry = self._entry(station.id)
        now = self._clock.now()
        columns: dict[str, Any] = {
            "vendor": store.storable(info.vendor),
            "model": store.storable(info.model),
            "serial": _clean(info.serial),
            "firmware": _clean(info.firmware),
            "booted_at": now,
            "last_seen_at": now,
        }
        entry.seen_at = now
        self._change(entry, **columns)
        before = entry.station.quirks
        known = self._change(entry, quirks=self._quirks(entry))
        await self._commits.submit([store.station_write(known.id, **columns)])
        if known.quirks != before:
            await self._publish_changed(known)
        await self._bus.publish(
            StationBooted(known.org_id, known.site_id, known.id, info.reason, now)
        )
        if known.state is StationState.APPROVED:
            return self._reply(entry, now)
        waits = known.state is StationState.PENDING
        status = BootStatus.PENDING if waits else BootStatus.REJECTED
        return BootReply(status, self._settings.pending_retry_s, now)

    def _reply(self, entry: Entry, now: datetime) -> BootReply:
        """Accepted, unless its site must first be sure of the limit it falls back to."""
        on_tree = any(evse.node_id is not None for evse in entry.evses.values())
        if self.guard is not None and on_tree:
            decision = self.guard.at_boot(entry.station.ref)
            if decision is BootDecision.WAIT:
                return BootReply(BootStatus.PENDING, self._settings.hold_retry_s, now, held=True)
            if decision is BootDecision.ACCEPT_UNLIMITED:
                entry.note("no_failsafe_at_boot", "accepted without a confirmed limit", now)
        return BootReply(BootStatus.ACCEPTED, self._settings.heartbeat_s, now)

    async def heartbeat(self, station: StationRef) -> datetime:
        return self._seen(self._entry(station.id))

    async def status(self, station: StationRef, report: StatusReport) -> None:
        entry = self._entry(station.id)
        self._seen(entry)
        if report.evse_number <= 0:
            entry.status = report.status
            return
        evse = await self.ensure_evse(station, report.evse_number)
        if evse is None:
            return
        changed, writes = self._apply_status(entry, evse, report)
        told = EvseStatusChanged(
            changed.org_id,
            changed.site_id,
            changed.station_id,
            changed.id,
            changed.status.value,
            changed.error_code,
            report.info,
            changed.status_at or self._clock.now(),
        )
        await self._kept_and_told(writes, told)

    async def _kept_and_told(self, writes: Sequence[Write], event: object) -> None:
        """Of what is so whether or not the database takes it, and is not said again."""
        try:
            await self._commits.submit(writes)
        except (*REFUSALS, TooMany):
            await self._bus.publish(event)
            raise
        await self._bus.publish(event)

    async def data_received(
        self, station: StationRef, vendor_id: str, message_id: str | None, data: str | None
    ) -> bool:
        """Whether somebody here understands this vendor's messages."""
        handler = self._data_handlers.get(vendor_id.casefold())
        if handler is None:
            self.flag(station, "data_transfer_unknown", f"{vendor_id} {message_id or ''}")
            return False
        await handler(station, message_id, data)
        return True

    def flag(self, station: StationRef, flag: str, detail: str) -> None:
        entry = self._directory.entry(station.id)
        if entry is not None:
            entry.note(store.storable(flag)[:64], detail, self._clock.now())

    def frame(self, frame: Frame) -> None:
        """Lazily written and, when half of the writer's queue is taken, dropped (counted there)."""
        if frame.direction == "in":
            entry = self._directory.entry(frame.station_id)
            if entry is not None:
                self._seen(entry)
        self._commits.offer([store.frame_write(frame, self._settings.frame_payload_max)])

    async def command(
        self,
        station_id: UUID,
        command: Command,
        principal_name: str,
        *,
        timeout_s: float = 30.0,
    ) -> CommandResult:
        """Send it and keep what was asked and answered; raises as ``StationLink.send`` does.

        Conflict (code ``limits_kept``): it could lift a limit that the site's control relies on.
        """
        entry = self._entry(station_id)
        self._refuse_danger(entry, command)
        command = self._limited(entry, self._expecting(entry, command))
        record = CommandRecord(
            self._command_id(station_id),
            station_id,
            command.action if isinstance(command, Ask) else type(command).__name__,
            msgspec.to_builtins(keepable(command)),
            principal_name,
            self._clock.now(),
            "requested",
        )
        self._commits.offer([store.command_write(entry.station.org_id, record)])
        started_s = self._clock.monotonic_s()
        try:
            if entry.link is None:
                raise ChargerOffline("the charger is not connected")
            result = await entry.link.send(command, timeout_s=timeout_s)
        except VoltyardError as error:
            answer = {"message": error.message, "detail": error.detail}
            latency_ms = (self._clock.monotonic_s() - started_s) * 1000
            await self._answered(entry, record, error.code, error.code, answer, latency_ms)
            raise
        await self._learned(entry, command, result)
        response = msgspec.to_builtins(dict(result.detail))
        await self._answered(
            entry, record, result.status.value, result.word, response, result.latency_ms
        )
        return result

    def _limited(self, entry: Entry, command: Command) -> Command:
        """A start with a limit, the limit in this charger's words (OCPP 2.0.1 K05)."""
        if not isinstance(command, RemoteStart) or command.limit_w is None:
            return command
        evse = entry.evses.get(command.evse_number or 0)
        if evse is None:
            raise Invalid("a start with a limit names its EVSE", fields={"evse_number": "needed"})
        if self.guard is None:
            raise Invalid("nobody makes limits here", fields={"limit_w": "cannot be set"})
        limit = self.guard.start_limit(entry.station, evse, command.limit_w)
        return replace(command, limit=limit)

    def maintain(self) -> None:
        """Now and then (each tick will do): write counted flags and last-seen times, lazily."""
        writes: list[Write] = []
        for entry in self._directory:
            if entry.flags_dirty:
                writes.extend(self._flag_writes(entry))
        if writes:
            self._commits.offer(writes)

    async def close(self) -> None:
        """Write what was only counted; the links are closed by who opened them."""
        self.maintain()
        if self._background:
            await asyncio.gather(*self._background, return_exceptions=True)

    async def approve(
        self, who: Principal, station_id: UUID, *, site_id: UUID | None = None
    ) -> Station:
        """As ``StationAdmin.approve``; a station that waits is asked to boot again at once."""
        station = await super().approve(who, station_id, site_id=site_id)
        link = self.link(station_id)
        if link is not None:
            self._spawn(self._ask_to_boot(link))
        return station

    def _apply_status(
        self, entry: Entry, evse: Evse, report: StatusReport
    ) -> tuple[Evse, list[Write]]:
        now = self._clock.now()
        at = report.at if now - BEHIND_MAX <= report.at <= now + AHEAD_MAX else now
        error = report.vendor_error or report.error_code
        error = None if error in (None, "NoError") else _clean(error)
        state = ConnectorState(
            report.connector_number, report.status, at, error, _clean(report.info)
        )
        status = entry.connector_reported(evse.number, state)
        changed = replace(evse, status=status, status_at=at, error_code=error)
        self._directory.put_evse(changed)
        writes = [
            store.evse_status_write(changed, state.info),
            store.connector_write(evse, state),
        ]
        return changed, writes

    def _seen(self, entry: Entry) -> datetime:
        now = self._clock.now()
        entry.seen_at = now
        written_at = entry.seen_written_at
        if written_at is None or (now - written_at).total_seconds() >= self._settings.seen_write_s:
            entry.seen_written_at = now
            self._commits.offer([store.station_write(entry.station.id, last_seen_at=now)])
        return now

    def _flag_writes(self, entry: Entry) -> list[Write]:
        if not entry.flags_dirty:
            return []
        entry.flags_dirty = False
        flags = store.flags_json(entry.flags)
        return [store.station_write(entry.station.id, flags=flags)]

    def _command_id(self, station_id: UUID) -> UUID:
        self._commands_sent += 1
        return uuid5(station_id, f"{self._clock.now().isoformat()}#{self._commands_sent}")

    async def _answered(
        self,
        entry: Entry,
        record: CommandRecord,
        status: str,
        word: str,
        response: dict[str, Any],
        latency_ms: float,
    ) -> None:
        answered = replace(
            record,
            status=status,
            word=store.storable(word),
            response=response,
            latency_ms=latency_ms,
            answered_at=self._clock.now(),
        )
        await self._commits.submit([store.command_write(entry.station.org_id, answered)])

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _close(self, link: StationLink, reason: str) -> None:
        await link.close(reason)

    async def _ask_to_boot(self, link: StationLink) -> None:
        try:
            await link.send(Trigger("boot"))
        except VoltyardError as error:
            self.flag(link.station, "boot_trigger_failed", error.message)


def _clean(text: str | None) -> str | None:
    return None if text is None else store.storable(text)

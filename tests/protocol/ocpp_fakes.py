"""The domain behind the OCPP port, in memory: what the ports promise and nothing else."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from voltyard.billing.ports import Pricing
from voltyard.chargers.commands import StationLink, UpdateLimit
from voltyard.chargers.model import (
    IN_THE_CLEAR,
    Admission,
    Admitted,
    BootInfo,
    BootReply,
    BootStatus,
    ConfigRow,
    Frame,
    Monitor,
    Peer,
    PlannedPower,
    ScheduleOffer,
    Station,
    StationRef,
    StationState,
    StatusReport,
    VariableEvent,
)
from voltyard.clock import Clock
from voltyard.contracts.model import NoVehicleCertificates, VehicleCertificates
from voltyard.sessions.model import (
    Authorisation,
    AuthorisationStatus,
    IdToken,
    MeterReading,
    Phase,
    TransactionAck,
    TransactionReport,
    VehicleNeeds,
)


@dataclass
class FakeChargers:
    clock: Clock
    passwords: dict[str, str | None] = field(default_factory=dict)
    state: StationState = StationState.APPROVED
    boot_status: BootStatus = BootStatus.ACCEPTED
    held: bool = False
    busy: bool = False
    data_known: bool = True
    fail: Exception | None = None
    stations: dict[str, Station] = field(default_factory=dict)
    links: dict[UUID, StationLink] = field(default_factory=dict)
    boots: list[BootInfo] = field(default_factory=list)
    heartbeats: int = 0
    statuses: list[StatusReport] = field(default_factory=list)
    rows: list[ConfigRow] = field(default_factory=list)
    report_complete: bool = False
    data: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    flags: list[tuple[str, str]] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    offered: list[Sequence[str]] = field(default_factory=list)
    ended: list[tuple[StationLink, str]] = field(default_factory=list)
    upkeep: list[tuple[str, str, int | None]] = field(default_factory=list)
    requests: list[tuple[str, str, int | None]] = field(default_factory=list)
    request_taken: bool = True
    events: list[tuple[str, datetime, str]] = field(default_factory=list)
    told_events: list[VariableEvent] = field(default_factory=list)
    told_monitors: list[tuple[int, tuple[Monitor, ...], bool]] = field(default_factory=list)
    peers: list[Peer] = field(default_factory=list)
    offer: ScheduleOffer = ScheduleOffer.NONE
    fault: str = ""
    ways: tuple[str, ...] = ()
    updates: dict[int, UpdateLimit] = field(default_factory=dict)
    priorities: list[tuple[str, bool]] = field(default_factory=list)
    judged: list[tuple[int, tuple[PlannedPower, ...]]] = field(default_factory=list)
    vehicle_certificates: VehicleCertificates = field(default_factory=NoVehicleCertificates)
    pricing: Pricing | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    departed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def flag_names(self) -> set[str]:
        return {name for name, _ in self.flags}

    @property
    def link(self) -> StationLink:
        return next(iter(self.links.values()))

    async def linked(self) -> StationLink:
        await self.arrived.wait()
        return self.link

    async def admit(
        self,
        identity: str,
        password: str | None,
        *,
        remote: str,
        subprotocols: Sequence[str],
        peer: Peer = IN_THE_CLEAR,
    ) -> Admitted:
        self.offered.append(tuple(subprotocols))
        self.peers.append(peer)
        if self.busy:
            return Admitted(Admission.BUSY, retry_after_s=17)
        if self.passwords and identity not in self.passwords:
            return Admitted(Admission.UNKNOWN)
        wanted = self.passwords.get(identity)
        if wanted is not None and wanted != password:
            return Admitted(Admission.UNAUTHORISED)
        if identity not in self.stations:
            self.stations[identity] = Station(uuid4(), uuid4(), None, identity, self.state)
        return Admitted(Admission.ACCEPT, self.stations[identity])

    def priority_told(self, station: StationRef, transaction_ref: str, *, active: bool) -> None:
        self.priorities.append((transaction_ref, active))

    def schedule_offer(self, station: StationRef, evse_number: int) -> ScheduleOffer:
        return self.offer

    def schedule_fault(
        self, station: StationRef, evse_number: int, periods: Sequence[PlannedPower]
    ) -> str:
        self.judged.append((evse_number, tuple(periods)))
        return self.fault

    def transfers(self, station: StationRef) -> Sequence[str]:
        return self.ways

    async def update_pulled(self, station: StationRef, profile_id: int) -> UpdateLimit | None:
        return self.updates.get(profile_id)

    async def connected(self, link: StationLink) -> None:
        former = self.links.get(link.station.id)
        self.links[link.station.id] = link
        self.arrived.set()
        if former is not None:
            await former.close("replaced")

    async def disconnected(self, link: StationLink, reason: str) -> None:
        self.ended.append((link, reason))
        if self.links.get(link.station.id) is link:
            del self.links[link.station.id]
            self.arrived.clear()
        self.departed.set()

    async def booted(self, station: StationRef, info: BootInfo) -> BootReply:
        self._maybe_fail()
        self.boots.append(info)
        return BootReply(self.boot_status, 300, self.clock.now(), held=self.held)

    async def heartbeat(self, station: StationRef) -> datetime:
        self._maybe_fail()
        self.heartbeats += 1
        return self.clock.now()

    async def status(self, station: StationRef, report: StatusReport) -> None:
        self.statuses.append(report)

    async def configuration_reported(
        self,
        station: StationRef,
        rows: Sequence[ConfigRow],
        *,
        complete: bool,
        report_id: int | None = None,
    ) -> None:
        self.rows.extend(rows)
        self.report_complete = complete

    async def data_received(
        self, station: StationRef, vendor_id: str, message_id: str | None, data: str | None
    ) -> bool:
        self.data.append((vendor_id, message_id, data))
        return self.data_known

    async def certificate_requested(
        self,
        station: StationRef,
        csr: str,
        *,
        use: str = "station",
        request_id: int | None = None,
    ) -> bool:
        self.requests.append((csr, use, request_id))
        return self.request_taken

    async def security_event(self, station: StationRef, kind: str, at: datetime, info: str) -> None:
        self.events.append((kind, at, info))

    async def firmware_told(self, station: StationRef, told: str, request_id: int | None) -> None:
        self.upkeep.append(("firmware", told, request_id))

    async def log_told(self, station: StationRef, told: str, request_id: int | None) -> None:
        self.upkeep.append(("log", told, request_id))

    async def reservation_told(self, station: StationRef, number: int, told: str) -> None:
        self.upkeep.append(("reservation", told, number))

    async def events_told(self, station: StationRef, events: Sequence[VariableEvent]) -> None:
        self.told_events.extend(events)

    async def monitors_told(
        self, station: StationRef, report_id: int, monitors: Sequence[Monitor], *, complete: bool
    ) -> None:
        self.told_monitors.append((report_id, tuple(monitors), complete))

    def flag(self, station: StationRef, flag: str, detail: str) -> None:
        self.flags.append((flag, detail))

    def frame(self, frame: Frame) -> None:
        self.frames.append(frame)

    def _maybe_fail(self) -> None:
        if self.fail is not None:
            raise self.fail


@dataclass
class FakeSessions:
    """``gate``, when set, holds every report back until it is opened (a slow commit)."""

    status: AuthorisationStatus = AuthorisationStatus.ACCEPTED
    fail: Exception | None = None
    gate: asyncio.Event | None = None
    tokens: list[IdToken] = field(default_factory=list)
    reports: list[TransactionReport] = field(default_factory=list)
    metered: list[tuple[int, str | None, tuple[MeterReading, ...]]] = field(default_factory=list)
    next_id: int = 1001
    running: bool = True
    wanted: list[tuple[int, VehicleNeeds]] = field(default_factory=list)
    urgencies: list[tuple[str, bool]] = field(default_factory=list)

    async def authorise(
        self, station: StationRef, evse_number: int | None, token: IdToken
    ) -> Authorisation:
        self.tokens.append(token)
        return Authorisation(self.status)

    async def urgent(self, station: StationRef, transaction_ref: str, *, urgent: bool) -> bool:
        self.urgencies.append((transaction_ref, urgent))
        return self.running

    async def needs(self, station: StationRef, evse_number: int, needs: VehicleNeeds) -> bool:
        self.wanted.append((evse_number, needs))
        return self.running

    async def report(self, station: StationRef, report: TransactionReport) -> TransactionAck:
        if self.gate is not None:
            await self.gate.wait()
        if self.fail is not None:
            raise self.fail
        self.reports.append(report)
        authorisation = Authorisation(self.status) if report.id_token is not None else None
        if report.transaction_ref is not None:
            return TransactionAck(report.transaction_ref, authorisation)
        if report.phase is not Phase.STARTED:
            return TransactionAck("none", authorisation)
        reference, self.next_id = str(self.next_id), self.next_id + 1
        return TransactionAck(reference, authorisation)

    async def meter(
        self,
        station: StationRef,
        evse_number: int,
        transaction_ref: str | None,
        readings: Sequence[MeterReading],
    ) -> None:
        if self.gate is not None:
            await self.gate.wait()
        self.metered.append((evse_number, transaction_ref, tuple(readings)))

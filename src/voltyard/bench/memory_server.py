"""voltyard without storage, run by itself: the real OCPP port on a domain that only remembers.

Socket, framing, decoding, routes and answers are those of ``voltyard serve``; what comes in is
read into domain words and the newest of it kept, and nothing is written.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from itertools import count
from uuid import UUID

from voltyard.bench.loops import fast_loop
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
    station_id_of,
)
from voltyard.clock import Clock, SystemClock
from voltyard.contracts.model import NoVehicleCertificates, VehicleCertificates
from voltyard.ocpp.socket import OcppServer
from voltyard.process import raise_file_limit, settle_memory
from voltyard.sessions.model import (
    Authorisation,
    AuthorisationStatus,
    IdToken,
    MeterReading,
    TransactionAck,
    TransactionReport,
    VehicleNeeds,
)

HEARTBEAT_S = 300
ORGANISATION = UUID(int=1)


class MemoryChargers:
    """``voltyard.ocpp.ports.Chargers``: everybody is let in."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.links: dict[UUID, StationLink] = {}
        self.seen_at: dict[UUID, datetime] = {}
        self.vehicle_certificates: VehicleCertificates = NoVehicleCertificates()
        self.pricing: Pricing | None = None
        self.flags = 0

    async def admit(
        self,
        identity: str,
        password: str | None,
        *,
        remote: str,
        subprotocols: Sequence[str],
        peer: Peer = IN_THE_CLEAR,
    ) -> Admitted:
        station_id = station_id_of(ORGANISATION, identity)
        station = Station(station_id, ORGANISATION, None, identity, StationState.APPROVED)
        return Admitted(Admission.ACCEPT, station)

    def priority_told(self, station: StationRef, transaction_ref: str, *, active: bool) -> None: ...

    def schedule_offer(self, station: StationRef, evse_number: int) -> ScheduleOffer:
        return ScheduleOffer.NONE

    def schedule_fault(
        self, station: StationRef, evse_number: int, periods: Sequence[PlannedPower]
    ) -> str:
        return ""

    def transfers(self, station: StationRef) -> Sequence[str]:
        return ()

    async def update_pulled(self, station: StationRef, profile_id: int) -> UpdateLimit | None:
        return None

    async def connected(self, link: StationLink) -> None:
        self.links[link.station.id] = link

    async def disconnected(self, link: StationLink, reason: str) -> None:
        if self.links.get(link.station.id) is link:
            del self.links[link.station.id]

    async def booted(self, station: StationRef, info: BootInfo) -> BootReply:
        return BootReply(BootStatus.ACCEPTED, HEARTBEAT_S, self._clock.now())

    async def heartbeat(self, station: StationRef) -> datetime:
        now = self.seen_at[station.id] = self._clock.now()
        return now

    async def status(self, station: StationRef, report: StatusReport) -> None:
        self.seen_at[station.id] = report.at

    async def configuration_reported(
        self,
        station: StationRef,
        rows: Sequence[ConfigRow],
        *,
        complete: bool,
        report_id: int | None = None,
    ) -> None:
        return

    async def data_received(
        self, station: StationRef, vendor_id: str, message_id: str | None, data: str | None
    ) -> bool:
        return False

    async def certificate_requested(
        self,
        station: StationRef,
        csr: str,
        *,
        use: str = "station",
        request_id: int | None = None,
    ) -> bool:
        return False

    async def security_event(self, station: StationRef, kind: str, at: datetime, info: str) -> None:
        self.flags += 1

    async def firmware_told(self, station: StationRef, told: str, request_id: int | None) -> None:
        return

    async def log_told(self, station: StationRef, told: str, request_id: int | None) -> None:
        return

    async def reservation_told(self, station: StationRef, number: int, told: str) -> None:
        return

    async def events_told(self, station: StationRef, events: Sequence[VariableEvent]) -> None:
        """Nothing is done with it here."""

    async def monitors_told(
        self, station: StationRef, report_id: int, monitors: Sequence[Monitor], *, complete: bool
    ) -> None:
        """Nothing is done with it here."""

    def flag(self, station: StationRef, flag: str, detail: str) -> None:
        self.flags += 1

    def frame(self, frame: Frame) -> None:
        """There is no message log without storage."""


class MemorySessions:
    """``voltyard.ocpp.ports.Sessions``: the newest reading of every outlet and transaction."""

    def __init__(self) -> None:
        self.readings: dict[tuple[UUID, int | str | None], MeterReading] = {}
        self._ids = count(1)

    async def authorise(
        self, station: StationRef, evse_number: int | None, token: IdToken
    ) -> Authorisation:
        return Authorisation(AuthorisationStatus.ACCEPTED)

    async def urgent(self, station: StationRef, transaction_ref: str, *, urgent: bool) -> bool:
        return False

    async def needs(self, station: StationRef, evse_number: int, needs: VehicleNeeds) -> bool:
        return False

    async def report(self, station: StationRef, report: TransactionReport) -> TransactionAck:
        ref = report.transaction_ref or str(next(self._ids))
        if report.readings:
            self.readings[station.id, ref] = report.readings[-1]
        authorisation = None
        if report.id_token is not None:
            authorisation = Authorisation(AuthorisationStatus.ACCEPTED)
        return TransactionAck(ref, authorisation)

    async def meter(
        self,
        station: StationRef,
        evse_number: int,
        transaction_ref: str | None,
        readings: Sequence[MeterReading],
    ) -> None:
        self.readings[station.id, transaction_ref or evse_number] = readings[-1]


async def main() -> None:
    clock = SystemClock()
    server = OcppServer(MemoryChargers(clock), MemorySessions(), clock)
    print(f"ready {await server.start('127.0.0.1', 0)}", flush=True)
    settle_memory()
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    raise_file_limit()
    with asyncio.Runner(loop_factory=fast_loop) as runner:
        runner.run(main())

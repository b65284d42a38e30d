"""What the OCPP room needs of the domain: implemented by the services of chargers and sessions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from voltyard.billing.ports import Pricing
from voltyard.chargers.commands import StationLink, UpdateLimit
from voltyard.chargers.model import (
    IN_THE_CLEAR,
    Admitted,
    BootInfo,
    BootReply,
    ConfigRow,
    Frame,
    Monitor,
    Peer,
    PlannedPower,
    ScheduleOffer,
    StationRef,
    StatusReport,
    VariableEvent,
)
from voltyard.contracts.model import VehicleCertificates
from voltyard.sessions.model import (
    Authorisation,
    IdToken,
    MeterReading,
    TransactionAck,
    TransactionReport,
    VehicleNeeds,
)


class Chargers(Protocol):
    """Every method that changes something returns after its commit."""

    @property
    def vehicle_certificates(self) -> VehicleCertificates:
        """Who is asked about contracts of vehicles and the certificates on their way."""

    @property
    def pricing(self) -> Pricing | None:
        """Who knows tariffs and costs; None where nobody does."""

    async def admit(
        self,
        identity: str,
        password: str | None,
        *,
        remote: str,
        subprotocols: Sequence[str],
        peer: Peer = IN_THE_CLEAR,
    ) -> Admitted: ...

    async def connected(self, link: StationLink) -> None:
        """A link is up; one that stood for the same station is closed at once."""

    async def disconnected(self, link: StationLink, reason: str) -> None: ...

    async def booted(self, station: StationRef, info: BootInfo) -> BootReply: ...

    async def heartbeat(self, station: StationRef) -> datetime: ...

    async def status(self, station: StationRef, report: StatusReport) -> None: ...

    async def configuration_reported(
        self,
        station: StationRef,
        rows: Sequence[ConfigRow],
        *,
        complete: bool,
        report_id: int | None = None,
    ) -> None:
        """A report's part; ``complete``: its last. ``report_id`` is what asked for it."""

    async def data_received(
        self, station: StationRef, vendor_id: str, message_id: str | None, data: str | None
    ) -> bool: ...

    async def certificate_requested(
        self,
        station: StationRef,
        csr: str,
        *,
        use: str = "station",
        request_id: int | None = None,
    ) -> bool:
        """Whether the request is taken; the certificate comes as ``GiveCertificate``."""

    async def security_event(
        self, station: StationRef, kind: str, at: datetime, info: str
    ) -> None: ...

    async def firmware_told(self, station: StationRef, told: str, request_id: int | None) -> None:
        """How far an update is; ``told`` in the words of ``voltyard.firmware.model.Told``."""

    async def log_told(self, station: StationRef, told: str, request_id: int | None) -> None:
        """How far an upload is; ``told`` in the words of ``voltyard.diagnostics.model.Told``."""

    async def reservation_told(self, station: StationRef, number: int, told: str) -> None:
        """A reservation ended there: ``expired``, ``removed`` or ``no_transaction``."""

    def priority_told(self, station: StationRef, transaction_ref: str, *, active: bool) -> None:
        """A charger follows its own profile for priority, or not any more."""

    def schedule_offer(self, station: StationRef, evse_number: int) -> ScheduleOffer:
        """Whether a vehicle that told its needs gets a schedule; if so it follows soon."""

    def schedule_fault(
        self, station: StationRef, evse_number: int, periods: Sequence[PlannedPower]
    ) -> str:
        """Why what a vehicle means to take does not fit its limit; empty if it does."""

    async def update_pulled(self, station: StationRef, profile_id: int) -> UpdateLimit | None:
        """The value of a limit that is updated, for a charger that asks; None if none is ours."""

    def transfers(self, station: StationRef) -> Sequence[str]:
        """The ways of energy transfer a station's V2X knows; none without one."""

    async def events_told(self, station: StationRef, events: Sequence[VariableEvent]) -> None: ...

    async def monitors_told(
        self, station: StationRef, report_id: int, monitors: Sequence[Monitor], *, complete: bool
    ) -> None:
        """A part of a report of all monitors; ``complete``: its last."""

    def flag(self, station: StationRef, flag: str, detail: str) -> None:
        """Note an oddity of this charger's messages; counted and shown, never blocking."""

    def frame(self, frame: Frame) -> None:
        """Log a frame; never blocks, drops the oldest (counted) when the log's queue is full."""


class Sessions(Protocol):
    """Every method that changes something returns after its commit."""

    async def authorise(
        self, station: StationRef, evse_number: int | None, token: IdToken
    ) -> Authorisation: ...

    async def report(self, station: StationRef, report: TransactionReport) -> TransactionAck: ...

    async def meter(
        self,
        station: StationRef,
        evse_number: int,
        transaction_ref: str | None,
        readings: Sequence[MeterReading],
    ) -> None: ...

    async def urgent(self, station: StationRef, transaction_ref: str, *, urgent: bool) -> bool:
        """A driver asks at the charger to be charged first; False without such a session."""

    async def needs(self, station: StationRef, evse_number: int, needs: VehicleNeeds) -> bool:
        """What the vehicle at an outlet asks for; False while no session runs there."""

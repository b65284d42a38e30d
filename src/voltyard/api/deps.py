"""What the REST API works with: the services of the rooms, and how callers are known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from litestar import Request

from voltyard.access.service import AccessService
from voltyard.alerts.departures import DepartureDesk
from voltyard.alerts.service import AlertService
from voltyard.approvals.service import ApprovalService
from voltyard.billing.service import BillingService
from voltyard.bookings.service import BookingService
from voltyard.bulk.service import BulkService
from voltyard.chargers.service import ChargerService
from voltyard.clock import Clock
from voltyard.configuration.service import ConfigurationService
from voltyard.diagnostics.service import DiagnosticsService
from voltyard.energy.enquiring import ExplainDesk
from voltyard.energy.policies.service import PolicyService
from voltyard.energy.prices.service import PriceService
from voltyard.energy.service import EnergyService
from voltyard.firmware.service import FirmwareService
from voltyard.fleets.service import FleetService
from voltyard.locallists.service import LocalListService
from voltyard.monitoring.service import MonitoringService
from voltyard.notifications.service import NotificationService
from voltyard.pki.service import PkiService
from voltyard.preconditioning.service import PreconditioningService
from voltyard.reservations.service import ReservationService
from voltyard.sessions.live import LiveBoard
from voltyard.sessions.service import SessionService
from voltyard.signon.service import SignOnService
from voltyard.sitemeters.service import SiteMeterService
from voltyard.sites.service import SiteService
from voltyard.study.service import StudyService
from voltyard.telematics.parts import Telematics
from voltyard.tenancy.operators import OperatorService
from voltyard.tenancy.presence import Presence
from voltyard.tenancy.service import TenancyService
from voltyard.timetable.service import TimetableService
from voltyard.timetable.vdv463.service import PresystemService

AnyRequest = Request[Any, Any, Any]


class FormProof(Protocol):
    """Proof that a change made with a cookie comes from one of our own pages."""

    async def check(self, request: AnyRequest) -> None:
        """Raises Forbidden."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One number for ``/metrics``. ``kind`` is counter or gauge."""

    name: str
    value: float
    labels: Mapping[str, str]
    kind: str = "gauge"
    help: str = ""


class Meters(Protocol):
    """A part of voltyard that counts."""

    def read(self) -> Sequence[Metric]: ...


@dataclass(frozen=True, slots=True)
class Part:
    """Whether a part works; ``why`` is for the operator."""

    name: str
    ok: bool
    why: str = ""


class Health(Protocol):
    async def check(self) -> Sequence[Part]: ...


@dataclass(frozen=True, slots=True)
class ApiDeps:
    """Wired by the composition root.

    ``session_cookie`` is the console's cookie; with ``form_proof`` None it may read, not change.
    """

    tenancy: TenancyService
    sites: SiteService
    fleets: FleetService
    timetable: TimetableService
    chargers: ChargerService
    sessions: SessionService
    live: LiveBoard
    energy: EnergyService
    alerts: AlertService
    notifications: NotificationService
    departures: DepartureDesk
    firmware: FirmwareService
    diagnostics: DiagnosticsService
    pki: PkiService
    configuration: ConfigurationService
    monitoring: MonitoringService
    bulk: BulkService
    reservations: ReservationService
    bookings: BookingService
    local_lists: LocalListService
    preconditioning: PreconditioningService
    billing: BillingService
    operators: OperatorService
    access: AccessService
    presystems: PresystemService
    sign_on: SignOnService
    presence: Presence
    site_meters: SiteMeterService
    prices: PriceService
    policies: PolicyService
    why: ExplainDesk
    studies: StudyService
    telematics: Telematics
    approvals: ApprovalService
    clock: Clock
    health: Health
    meters: Sequence[Meters] = ()
    session_cookie: str = "voltyard_session"
    form_proof: FormProof | None = None

"""Composition root: builds every part and wires them; nobody but the command line imports it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from voltyard.access.service import AccessService
from voltyard.alerts.departures import DepartureDesk
from voltyard.alerts.happenings import Happenings, Places
from voltyard.alerts.service import AlertService
from voltyard.approvals.service import ApprovalService
from voltyard.billing.service import BillingService
from voltyard.bookings.service import BookingService
from voltyard.bulk.service import BulkService
from voltyard.bus import Bus
from voltyard.chargers.passwords import Passwords
from voltyard.chargers.passwords import in_place as station_in_place
from voltyard.chargers.passwords import in_thread as station_in_thread
from voltyard.chargers.service import ChargerService, ChargerSettings, Home
from voltyard.clock import Clock
from voltyard.config import Settings
from voltyard.configuration.service import ConfigurationService
from voltyard.contracts.fetching import Fetcher, read_allowed
from voltyard.contracts.pool import HttpPool, PoolSettings
from voltyard.contracts.service import ContractService, ContractSettings, read_roots
from voltyard.diagnostics.service import DiagnosticsService
from voltyard.energy.control import ControlSettings, Parts
from voltyard.energy.inputs import ASSUMED_ARRIVAL_SOC_PCT
from voltyard.energy.learning import CurveLearning
from voltyard.energy.ledger import StoredLedger
from voltyard.energy.planning import PlanningParts, PlanningSettings
from voltyard.energy.policies.service import PolicyService
from voltyard.energy.prices.fetching import Fetcher as PriceFetcher
from voltyard.energy.prices.service import PriceService
from voltyard.energy.service import LEASE_S, EnergyService
from voltyard.energy.siteinputs import SiteInputs
from voltyard.energy.sources import LiveSessions, SiteSetups
from voltyard.energy.watching import Watching
from voltyard.eventlog import EventRetries, tell_untold
from voltyard.firmware.alerting import FirmwareAlerts
from voltyard.firmware.occupancy import YardOccupancy
from voltyard.firmware.service import FirmwareService
from voltyard.fleets.service import FleetService
from voltyard.jobs import Jobs, Leases, Periodic, run_periodic
from voltyard.locallists.service import LocalListService
from voltyard.monitoring.service import MonitoringService
from voltyard.notifications.channels.built import ChannelSettings, senders
from voltyard.notifications.guard import Guard, read_hosts, read_networks
from voltyard.notifications.service import NotificationService, Setup
from voltyard.notifications.service import Places as Readers
from voltyard.notifications.wording import Wording
from voltyard.ocpp.memory import MemoryServer
from voltyard.ocpp.sampling import Sampling
from voltyard.ocpp.speech import OcppSpeech
from voltyard.ocpp.tariff_words import TariffWords
from voltyard.pki.model import Profile
from voltyard.pki.sealing import Vault
from voltyard.pki.service import PkiService, PkiSettings
from voltyard.preconditioning.keeper import KeeperParts
from voltyard.preconditioning.power import SiteControl
from voltyard.preconditioning.service import PreconditioningService
from voltyard.reservations.service import ReservationService
from voltyard.sessions.model import Session
from voltyard.sessions.service import SessionService
from voltyard.signon.fetching import GuardedFetch
from voltyard.signon.provider import Providers
from voltyard.signon.service import SignOnService
from voltyard.simulator import furnish
from voltyard.simulator.depot import DepotSpec
from voltyard.simulator.host import StoredSession
from voltyard.sitemeters.collecting import Collector
from voltyard.sitemeters.sealing import Sealer
from voltyard.sitemeters.service import SiteMeterService
from voltyard.sites.events import SiteChanged
from voltyard.sites.service import SiteService
from voltyard.storage import partitions
from voltyard.storage.blobs import BlobStore
from voltyard.storage.blocking import BlockingDatabase
from voltyard.storage.engine import Database
from voltyard.storage.groupcommit import GroupCommit
from voltyard.study.gathering import Gathering, PastRooms
from voltyard.study.processes import ProcessWorker
from voltyard.study.service import StudyService
from voltyard.telematics import parts as telematics
from voltyard.telematics.parts import Telematics
from voltyard.telematics.service import OtherRooms
from voltyard.tenancy import audit, passwords
from voltyard.tenancy.access import system_principal
from voltyard.tenancy.login import LoginSettings
from voltyard.tenancy.model import Principal, Role
from voltyard.tenancy.operators import OperatorService
from voltyard.tenancy.presence import Presence
from voltyard.tenancy.service import NewUser, TenancyService
from voltyard.timetable.service import DutyFilter, TimetableService
from voltyard.timetable.vdv463.conditioning import Conditioning
from voltyard.timetable.vdv463.desk import RequestDesk
from voltyard.timetable.vdv463.looking import Looker
from voltyard.timetable.vdv463.plans import SitePlans
from voltyard.timetable.vdv463.service import PresystemService
from voltyard.web.console import alert_words

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What planning and control rest on beside chargers."""

    meters: SiteMeterService
    prices: PriceService
    collector: Collector
    policies: PolicyService


@dataclass(frozen=True, slots=True)
class Telling:
    """Who is told of what: alerts that look around by themselves, and notifications."""

    alerts: AlertService
    departures: DepartureDesk
    happenings: Happenings
    notifications: NotificationService

    async def load(self) -> None:
        await self.departures.load()
        await self.notifications.load()

    def periodic(self) -> Sequence[Periodic]:
        return (
            Periodic("alerts", 15.0, self.alerts.tick),
            Periodic("departure reminders", 15.0, self.departures.tick),
            Periodic("reservations in danger", 30.0, self.happenings.tick),
            Periodic("notifications", 2.0, self.notifications.deliver),
            Periodic("old notifications", 24 * 3600.0, self.notifications.tidy),
        )


@dataclass(slots=True)
class Core:
    """Every room but sockets and HTTP, wired. ``start`` once, then ``close`` or ``crash``."""

    settings: Settings
    database: Database
    clock: Clock
    commits: GroupCommit
    bus: Bus
    retries: EventRetries
    leases: Leases
    jobs: Jobs
    tenancy: TenancyService
    sites: SiteService
    fleets: FleetService
    timetable: TimetableService
    chargers: ChargerService
    sessions: SessionService
    alerts: AlertService
    energy: EnergyService
    inputs: "Inputs"
    sampling: Sampling
    firmware: FirmwareService
    diagnostics: DiagnosticsService
    pki: PkiService
    reservations: ReservationService
    bookings: BookingService
    local_lists: LocalListService
    configuration: ConfigurationService
    monitoring: MonitoringService
    bulk: BulkService
    contracts: ContractService
    billing: BillingService
    operators: OperatorService
    access: AccessService
    pace: float = 1.0
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    controlled: set[UUID] = field(default_factory=set)
    studies: StudyService = field(init=False)
    presystems: PresystemService = field(init=False)
    preconditioning: PreconditioningService = field(init=False)
    telling: Telling = field(init=False)
    approvals: ApprovalService = field(init=False)
    sign_on: SignOnService = field(init=False)
    presence: Presence = field(init=False)
    telematics: Telematics = field(init=False)

    async def start(self) -> None:
        """Load what is stored, then begin to write, plan and control."""
        await partitions.make_ahead(self.database, self.clock.now().date())
        self.spawn(self.commits.run(), "commits")
        await self.chargers.load()
        await self.configuration.load()
        await self.bulk.load()
        await self.studies.load()
        await self.presystems.load()
        await self.preconditioning.load()
        await self.sessions.load()
        await self.telling.load()
        await self.alerts.load()
        await self.firmware.load()
        await self.pki.load()
        await self.reservations.load()
        await self.bookings.load()
        await self.local_lists.load()
        await self.inputs.meters.load()
        await self.inputs.prices.load()
        await self.billing.load()
        await self.approvals.load()
        await self.telematics.service.load()
        await tell_untold(self.database, self.bus)
        for site in await self.sites.all():
            self._control(site.id)
        periodic = (*self._periodic(), *self.telling.periodic(), *self.telematics.periodic())
        for task in periodic:
            work = run_periodic(self.leases, self.clock, task.paced(self.pace))
            self.spawn(work, task.name)
        self.spawn(self.jobs.run(), "jobs")
        self.spawn(self.inputs.collector.run(), "site meters")
        self.spawn(self.telematics.listener.run(), "telematics")
        self.spawn(self.sampling.run(), "sampling")
        self.spawn(self.configuration.keeper.run(), "configuration")
        self.spawn(self.local_lists.run(), "local lists")

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def crash(self) -> None:
        """Die as by ``kill -9``: what was not committed is gone."""
        for task in list(self.tasks):
            task.cancel()

    async def close(self) -> None:
        """Finish: what waits for its commit is committed."""
        await self.approvals.close()
        await self.firmware.close()
        await self.diagnostics.close()
        await self.pki.close()
        await self.bulk.close()
        await self.studies.close()
        await self.presystems.close()
        await self.reservations.close()
        await self.bookings.close()
        await self.contracts.close()
        await self.chargers.close()
        await self.sessions.close()
        await self.commits.close()
        await _cancelled(self.tasks)
        await self.telematics.poller.close()
        await self.telling.notifications.close()
        await self.sign_on.close()
        await self.database.close()

    def reached_at(self, base_url: str) -> None:
        """Where our HTTP is reached: addresses of firmware, for logs, and of sign-ins begin so."""
        self.firmware.reached_at(base_url)
        self.diagnostics.reached_at(base_url)
        self.sign_on.door.reached_at(base_url)

    async def on_site(self, event: SiteChanged) -> None:
        if not event.deleted:
            self._control(event.site_id)

    def _control(self, site_id: UUID) -> None:
        if site_id not in self.controlled:
            self.controlled.add(site_id)
            self.spawn(self.energy.run_site(site_id), f"site {site_id}")

    def _periodic(self) -> Sequence[Periodic]:
        return (
            Periodic("partitions", 6 * 3600.0, self._make_partitions),
            Periodic("retention", 24 * 3600.0, self._drop_partitions),
            Periodic("sessions", 60.0, self.sessions.sweep),
            Periodic("old refusals", 24 * 3600.0, self.sessions.drop_old_refusals),
            Periodic("departures", 30.0, self.timetable.close_overdue),
            Periodic("events", 15.0, lambda: self.retries.redeliver(self.bus)),
            Periodic("chargers", 60.0, self._maintain),
            Periodic("site meters", 15.0, self.inputs.meters.tick),
            Periodic("old readings", 24 * 3600.0, self.inputs.meters.drop_old),
            Periodic("prices", 60.0, self.inputs.prices.tick),
            Periodic("old prices", 24 * 3600.0, self.inputs.prices.drop_old),
            Periodic("firmware", 5.0, self.firmware.tick),
            Periodic("logs", 15.0, self.diagnostics.tick),
            Periodic("old logs", 6 * 3600.0, self.diagnostics.expire),
            Periodic("certificates", 60.0, self.pki.sweep),
            Periodic("reservations", 5.0, self.reservations.tick),
            Periodic("bookings", 10.0, self.bookings.tick),
            Periodic("proposals", 15.0, self.approvals.tick),
            Periodic("bookings ahead", 3600.0, self.bookings.look_ahead),
            Periodic("old decisions", 24 * 3600.0, self.bookings.drop_old),
            Periodic("preconditioning", 5.0, self.preconditioning.tick),
            Periodic("old preconditioning", 24 * 3600.0, self.preconditioning.drop_old),
            Periodic("local lists", 60.0, self.local_lists.tick),
            Periodic("studies", 300.0, self.studies.tick),
            Periodic("costs", 10.0, self.billing.tick),
            Periodic("tariffs on chargers", 5.0, self.billing.devices.tick),
            Periodic("old security events", 24 * 3600.0, self.pki.drop_old),
            Periodic("configuration", 600.0, self.configuration.keeper.sweep),
            Periodic("old events", 24 * 3600.0, self.monitoring.drop_old),
            Periodic("log-ins", 3600.0, self.tenancy.login.clean_up),
            Periodic("sign-ins", 3600.0, self.sign_on.door.clean_up),
        )

    async def _make_partitions(self) -> None:
        await partitions.make_ahead(self.database, self.clock.now().date())

    async def _drop_partitions(self) -> None:
        keep = {
            "ocpp_frames": self.settings.keep_frames_days,
            "meter_values": self.settings.keep_meter_values_days,
            "power_samples": self.settings.keep_power_samples_days,
        }
        await partitions.drop_old(self.database, self.clock.now().date(), keep)

    async def _maintain(self) -> None:
        self.chargers.maintain()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("%s ended: %r", task.get_name(), task.exception())


async def _cancelled(tasks: set[asyncio.Task[Any]]) -> None:
    waiting = list(tasks)
    for task in waiting:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*waiting, return_exceptions=True)


def build_core(
    settings: Settings,
    database: Database,
    clock: Clock,
    *,
    holder: str,
    inline: bool = False,
    commit_window_s: float | None = None,
    log_in: LoginSettings | None = None,
    pace: float = 1.0,
    control: ControlSettings | None = None,
) -> Core:
    """Wire the rooms. ``inline`` runs long computations on the loop, for virtual time."""
    window_s = settings.commit_window_ms / 1000.0 if commit_window_s is None else commit_window_s
    commits = GroupCommit(database, clock, window_s=window_s)
    retries = EventRetries(database, clock)
    bus = Bus(retries)
    leases = Leases(database, clock, holder)
    book = passwords.PasswordBook(passwords.in_place if inline else passwords.in_thread)
    tenancy = TenancyService(database, clock, book, log_in)
    sites = SiteService(database, bus, clock)
    fleets = FleetService(database, bus, clock)
    timetable = TimetableService(database, bus, clock, sites=sites, vehicles=fleets)
    note = audit.Auditor(clock)
    chargers = ChargerService(
        database, commits, bus, clock, audit=note, home=_home(tenancy, sites),
        settings=_charger_settings(settings), passwords=_station_passwords(inline=inline),
    )  # fmt: skip
    sessions = SessionService(
        database, commits, bus, clock,
        outlets=chargers, tokens=fleets, policies=sites, audit=note,
    )  # fmt: skip
    access = AccessService(database, bus, clock, sites, chargers)
    sessions.governed_by(access)
    timetable.sessions = sessions
    timetable.listen()
    alerts = AlertService(database, bus, clock)
    alerts.listen()
    inputs = _inputs(settings, database, bus, clock, sites, alerts)
    energy = _energy(
        settings, database, commits, bus, clock, leases, inputs,
        sites, chargers, sessions, timetable, fleets, alerts,
        inline=inline, control=control, pace=pace,
    )  # fmt: skip
    energy.subscribe(bus)
    chargers.guard, chargers.speech = energy, OcppSpeech()
    sampling = Sampling(chargers, clock, interval_s=settings.sample_s)
    sampling.subscribe(bus)
    upkeep = _upkeep(settings, database, bus, clock, sites, chargers, sessions, timetable, alerts)
    configuration = ConfigurationService(database, bus, clock, chargers)
    configuration.listen()
    sampling.governed_by(configuration.governed)
    monitoring = MonitoringService(database, bus, clock, chargers, alerts)
    monitoring.listen()
    pki = _pki(settings, database, bus, clock, chargers, alerts, note, inline=inline)
    tokens = _tokens(database, commits, bus, clock, sites, fleets, chargers, sessions)
    bookings = _bookings(
        database, commits, bus, clock,
        sites, fleets, chargers, sessions, timetable, tokens[0], alerts,
    )  # fmt: skip
    core = Core(
        settings, database, clock, commits, bus, retries, leases, Jobs(database, clock, holder),
        tenancy, sites, fleets, timetable, chargers, sessions, alerts, energy, inputs, sampling,
        *upkeep, pki, tokens[0], bookings, tokens[1], configuration, monitoring,
        BulkService(database, bus, clock, chargers), _contracts(settings, chargers, pki),
        _billing(database, bus, clock, sites, fleets, chargers, sessions),
        OperatorService(database, bus, clock, tenancy), access, pace,
    )  # fmt: skip
    return _completed(core, book, holder, inline=inline)


def _completed(core: Core, book: passwords.PasswordBook, holder: str, *, inline: bool) -> Core:
    """The rooms that rest on all the others."""
    core.studies = _studies(core)
    core.preconditioning = _preconditioning(core, book)
    core.presystems = _presystems(core, inline=inline)
    core.telling = _telling(core, holder, inline=inline)
    core.approvals = _approvals(core)
    core.sign_on = _sign_on(core)
    core.presence = Presence(core.database, core.clock, core.tenancy.login)
    core.telematics = _telematics(core)
    core.bus.subscribe(SiteChanged, core.on_site, name="app.site")
    return core


def _sign_on(core: Core) -> SignOnService:
    """Providers of identities; the key that seals client secrets lies in the data folder."""
    settings, clock = core.settings, core.clock
    guard = Guard(read_networks(settings.sso_networks))
    made = SignOnService(
        core.database,
        clock,
        core.tenancy,
        Providers(GuardedFetch(clock, guard), clock),
        Sealer(settings.data_dir / "sign_on.key"),
    )
    core.tenancy.login.passwords_allowed_by(made.door)
    return made


def _approvals(core: Core) -> ApprovalService:
    """Asked by the rooms whose changes may need a second person."""
    approvals = ApprovalService(core.database, core.bus, core.clock, core.tenancy)
    for room in (
        core.sites, core.energy.holds, core.chargers, core.bulk, core.configuration, core.pki,
        core.firmware,
    ):  # fmt: skip
        room.gated_by(approvals)
    return approvals


def _telematics(core: Core) -> Telematics:
    """What other systems observe of vehicles; the key of their secrets lies in the data folder."""
    settings = core.settings
    sealer = Sealer(settings.data_dir / "telematics.key")
    made = telematics.built(
        core.database,
        core.bus,
        core.clock,
        OtherRooms(core.fleets, core.timetable, core.sites, core.alerts, sealer),
        core.sessions,
        Guard(read_networks(settings.telematics_networks), read_hosts(settings.telematics_hosts)),
        assumed_pct=ASSUMED_ARRIVAL_SOC_PCT,
        keep_days=settings.keep_telematics_days,
    )
    core.energy.asks_of_charges(made.service.intake)
    return made


def _station_passwords(*, inline: bool) -> Passwords:
    return Passwords(station_in_place if inline else station_in_thread)


def _bookings(
    database: Database,
    commits: GroupCommit,
    bus: Bus,
    clock: Clock,
    sites: SiteService,
    fleets: FleetService,
    chargers: ChargerService,
    sessions: SessionService,
    timetable: TimetableService,
    reservations: ReservationService,
    alerts: AlertService,
) -> BookingService:
    """Bays booked for vehicles, and sessions that keep to it."""
    bookings = BookingService(
        database, commits, bus, clock, stations=chargers, places=sites, vehicles=fleets,
        sessions=sessions, duties=timetable, tokens=fleets, reservations=reservations,
        alerts=alerts,
    )  # fmt: skip
    bookings.listen()
    sessions.booked_by(bookings.gate)
    return bookings


def _tokens(
    database: Database,
    commits: GroupCommit,
    bus: Bus,
    clock: Clock,
    sites: SiteService,
    fleets: FleetService,
    chargers: ChargerService,
    sessions: SessionService,
) -> tuple[ReservationService, LocalListService]:
    """What chargers and reservations know of tokens."""
    reservations = ReservationService(
        database, bus, clock, stations=chargers, tokens=fleets, occupancy=sessions
    )
    reservations.listen()
    sessions.honour(reservations)
    local_lists = LocalListService(
        database, commits, bus, clock, stations=chargers, fleets=fleets, areas=sites
    )
    local_lists.listen()
    return reservations, local_lists


def _billing(
    database: Database,
    bus: Bus,
    clock: Clock,
    sites: SiteService,
    fleets: FleetService,
    chargers: ChargerService,
    sessions: SessionService,
) -> BillingService:
    """Tariffs and costs. No payment provider is built in: kiosks and providers use the REST."""
    billing = BillingService(
        database, bus, clock, stations=chargers, sessions=sessions, tokens=fleets,
        places=sites, words=TariffWords(),
    )  # fmt: skip
    billing.listen()
    chargers.pricing = billing
    sessions.credited_by(billing)
    return billing


def _charger_settings(settings: Settings) -> ChargerSettings:
    return ChargerSettings(
        allow_no_password=settings.allow_no_password,
        auto_approve=settings.auto_approve,
        heartbeat_s=settings.heartbeat_s,
    )


def _upkeep(
    settings: Settings,
    database: Database,
    bus: Bus,
    clock: Clock,
    sites: SiteService,
    chargers: ChargerService,
    sessions: SessionService,
    timetable: TimetableService,
    alerts: AlertService,
) -> tuple[FirmwareService, DiagnosticsService]:
    """Firmware and logs; their files lie in the data folder."""
    occupancy = YardOccupancy(sessions.live, timetable, clock)
    images = BlobStore(settings.data_dir / "firmware")
    firmware = FirmwareService(database, bus, clock, images, chargers, sites, occupancy)
    firmware.listen()
    FirmwareAlerts(alerts, chargers).listen(bus)
    logs = BlobStore(settings.data_dir / "logs")
    diagnostics = DiagnosticsService(
        database, bus, clock, logs, chargers, keep_days=settings.keep_logs_days
    )
    diagnostics.listen()
    return firmware, diagnostics


def _pki(
    settings: Settings,
    database: Database,
    bus: Bus,
    clock: Clock,
    chargers: ChargerService,
    alerts: AlertService,
    note: audit.Auditor,
    *,
    inline: bool,
) -> PkiService:
    """Certificates; the key that seals private keys lies in the data folder, or is a setting."""
    pki = PkiService(
        database,
        bus,
        clock,
        chargers,
        alerts,
        audit=note,
        vault=Vault(settings.data_dir / "pki.key", settings.pki_key),
        run_blocking=_inline if inline else asyncio.to_thread,
        settings=PkiSettings(
            lowest=Profile(settings.min_security_profile),
            tls_offered=settings.charger_tls,
            url=settings.ocpp_url,
        ),
    )
    pki.listen()
    chargers.guarded_by(pki)
    return pki


def _contracts(settings: Settings, chargers: ChargerService, pki: PkiService) -> ContractService:
    """Certificates of vehicles; asks nobody but whom the settings name."""
    fetcher = Fetcher(pki.clock, timeout_s=settings.contract_timeout_s)
    pool = PoolSettings(
        settings.contract_pool_url,
        settings.contract_pool_update_url,
        settings.contract_pool_key,
        settings.contract_pool_party,
    )
    contracts = ContractService(
        pki.clock,
        fetcher,
        ContractSettings(
            read_allowed(settings.revocation_urls), read_roots(settings.contract_roots)
        ),
        pki,
        HttpPool(fetcher, pool) if pool.url else None,
    )
    chargers.vehicle_certificates = contracts
    return contracts


def _inputs(
    settings: Settings,
    database: Database,
    bus: Bus,
    clock: Clock,
    sites: SiteService,
    alerts: AlertService,
) -> Inputs:
    """Site meters and prices; the key that seals brokers' passwords lies in the data folder."""
    meters = SiteMeterService(
        database,
        bus,
        clock,
        sites,
        alerts,
        Sealer(settings.data_dir / "site_meters.key"),
        keep_days=settings.keep_meter_values_days,
    )
    meters.listen()
    collector = Collector(meters)
    collector.listen(bus)
    keys = {"entsoe": settings.entsoe_key}
    prices = PriceService(database, clock, sites, PriceFetcher(clock), keys=keys)
    return Inputs(meters, prices, collector, PolicyService(database, bus, clock, sites))


def _energy(
    settings: Settings,
    database: Database,
    commits: GroupCommit,
    bus: Bus,
    clock: Clock,
    leases: Leases,
    inputs: Inputs,
    sites: SiteService,
    chargers: ChargerService,
    sessions: SessionService,
    timetable: TimetableService,
    fleets: FleetService,
    alerts: AlertService,
    *,
    inline: bool,
    control: ControlSettings | None,
    pace: float,
) -> EnergyService:
    beside = SiteInputs(inputs.meters, inputs.prices)
    curves = CurveLearning(database, clock, fleets, sessions, sites)
    curves.listen(bus)
    parts = Parts(
        ledger=StoredLedger(database, commits),
        bus=bus,
        clock=clock,
        links=chargers,
        live=LiveSessions(sessions.live),
        sites=SiteSetups(sites, chargers, inputs.policies),
        inputs=beside,
    )
    planning = PlanningParts(
        database=database,
        commits=commits,
        bus=bus,
        clock=clock,
        duties=timetable,
        vehicles=curves,
        run_blocking=_inline if inline else asyncio.to_thread,
        inputs=beside,
    )
    return EnergyService(
        parts,
        planning,
        leases,
        lambda site_id: Watching(site_id, commits, alerts),
        control=control or ControlSettings(tick_s=settings.tick_s),
        plan=PlanningSettings(plan_s=settings.plan_s),
        lease_s=LEASE_S * pace,
        curves=curves,
    )


def _preconditioning(core: Core, book: passwords.PasswordBook) -> PreconditioningService:
    """Rules and what vehicles tell by VDV 261; the control of a site asks what must run."""
    made = PreconditioningService(
        KeeperParts(
            core.database, core.bus, core.clock, core.sites, core.timetable, core.fleets,
            core.sessions, core.alerts,
        ),
        book,
    )  # fmt: skip
    made.steered_by(SiteControl(core.energy))
    made.listen()
    core.energy.asks_of_firm_loads(made)
    return made


def _presystems(core: Core, *, inline: bool) -> PresystemService:
    """Depot and traffic systems that connect by VDV 463."""
    plans = SitePlans(core.energy)
    desk = RequestDesk(
        core.database, core.clock, duties=core.timetable, sessions=core.sessions,
        chargers=core.chargers, plans=plans,
    )  # fmt: skip
    looker = Looker(
        core.clock, desk, places=core.sites, vehicles=core.fleets, chargers=core.chargers,
        board=core.sessions.live, sessions=core.sessions, plans=plans,
    )  # fmt: skip
    presystems = PresystemService(
        core.database, core.bus, core.clock, desk=desk, looker=looker,
        passwords=Passwords(station_in_place if inline else station_in_thread),
    )  # fmt: skip
    presystems.preconditioned_by(Conditioning(core.preconditioning, core.clock))
    presystems.listen()
    return presystems


def _telling(core: Core, holder: str, *, inline: bool) -> Telling:
    """Reminders, and the ways to people; the key that seals secrets lies in the data folder."""
    settings, database, clock = core.settings, core.database, core.clock
    run_blocking = _inline if inline else asyncio.to_thread
    named = {name: getattr(settings, name) for name in ChannelSettings.__dataclass_fields__}
    notifications = NotificationService(
        database,
        core.bus,
        clock,
        core.alerts,
        Readers(core.sites, core.tenancy),
        Setup(
            Wording(alert_words.told, settings.public_url),
            Sealer(settings.data_dir / "notifications.key"),
            senders(ChannelSettings(**named), clock, run_blocking),
            frozenset(alert_words.TITLES),
            holder,
            settings.keep_notifications_days,
        ),
    )
    notifications.listen()
    places = Places(core.reservations, core.chargers, core.sessions)
    happenings = Happenings(core.alerts, clock, core.sites, places)
    happenings.listen(core.bus)
    departures = DepartureDesk(database, clock, core.alerts, core.timetable)
    return Telling(core.alerts, departures, happenings, notifications)


def _studies(core: Core) -> StudyService:
    """Each study runs in a process of its own."""
    pasts = PastRooms(
        core.clock, core.sites, core.sessions, core.timetable, core.fleets, core.chargers,
        core.inputs.meters, core.inputs.prices, core.energy,
    )  # fmt: skip
    return StudyService(core.database, core.clock, Gathering(pasts), ProcessWorker())


async def _inline(work: Callable[[], T]) -> T:
    return work()


def _home(tenancy: TenancyService, sites: SiteService) -> Callable[[], Awaitable[Home | None]]:
    """Unknown stations are held by the organisation that was there first."""

    async def home() -> Home | None:
        organisations = await tenancy.organisations()
        if not organisations:
            return None
        first = organisations[0]
        mine = [site for site in await sites.all() if site.org_id == first.id]
        return Home(first.id, mine[0].id if len(mine) == 1 else None)

    return home


SIMULATED = Settings(heartbeat_s=900, sample_s=60, tick_s=10.0)
SIMULATED_WINDOW_S = 2.0
SIMULATED_PACE = 10.0
"""Housekeeping every so many times its usual interval: alone, it has less to look for."""

DEMO_EMAIL = "admin@example.com"


class SimulatedHost:
    """``simulator.host.Host``: the core with pipes in memory instead of sockets."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._memory = MemoryServer(core.chargers, core.sessions, core.clock)

    @property
    def acceptor(self) -> MemoryServer:
        return self._memory

    async def start(self) -> None:
        await self.core.start()

    async def furnish(self, depots: Sequence[DepotSpec]) -> Mapping[str, UUID]:
        who = await first_organisation(self.core)
        return {depot.name: await furnish.furnish(rooms(self.core), who, depot) for depot in depots}

    async def sessions(self) -> Sequence[StoredSession]:
        found: list[Session] = []
        for organisation in await self.core.tenancy.organisations():
            while True:
                page = await self.core.sessions.page(organisation.id, limit=1000, offset=len(found))
                found += page.sessions
                if len(found) >= page.total:
                    break
        return [self._stored(session) for session in found]

    async def announced(self) -> Mapping[str, datetime]:
        first: dict[str, datetime] = {}
        for site in await self.core.sites.all():
            rows = await self.core.energy.forecasts(site.org_id, site.id)
            wanted = DutyFilter(site_id=site.id, limit=10_000)
            duties, _ = await self.core.timetable.find(site.org_id, wanted)
            names = {duty.id: duty.external_id for duty in duties}
            for row in rows:
                if row.first_missed_at is not None and row.duty_id in names:
                    first[names[row.duty_id]] = row.first_missed_at
        return first

    def _stored(self, session: Session) -> StoredSession:
        station = self.core.chargers.station(session.station_id)
        evse = self.core.chargers.evse(session.evse_id) if session.evse_id else None
        return StoredSession(
            station=station.identity if station else "",
            evse_number=evse.number if evse else None,
            transaction_ref=session.transaction_ref,
            state=session.state.value,
            energy_wh=session.energy_wh,
            flags=session.flags,
            token=session.id_token or "",
            started_at=session.started_at,
        )

    def crash(self) -> None:
        self.core.crash()

    async def close(self) -> None:
        await self._memory.close()
        await self.core.close()


async def build_host(database_url: str, clock: Clock) -> SimulatedHost:
    """A host on virtual time: the database seems instantaneous, plans are made inline."""
    core = build_core(
        SIMULATED,
        BlockingDatabase(database_url),
        clock,
        holder="simulated",
        inline=True,
        commit_window_s=SIMULATED_WINDOW_S,
        pace=SIMULATED_PACE,
    )
    return SimulatedHost(core)


def rooms(core: Core) -> furnish.Rooms:
    return furnish.Rooms(
        core.sites, core.chargers, core.fleets, core.timetable, core.operators, core.access
    )


async def first_organisation(core: Core, password: str = "not a person's password") -> Principal:
    """The organisation of a simulation, made if there is none; acting as voltyard itself."""
    organisations = await core.tenancy.organisations()
    if organisations:
        return system_principal(organisations[0].id)
    admin = NewUser(DEMO_EMAIL, "Demo Admin", Role.ADMIN, password)
    made, _ = await core.tenancy.create_organisation("Stadtwerke Demo", admin)
    return system_principal(made.id)

"""Console and REST in one application, over the rooms of a running server."""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from uuid import UUID

from litestar import Litestar
from litestar.exceptions import HTTPException
from sqlalchemy.exc import SQLAlchemyError

from voltyard.api.app import make_api, unrouted
from voltyard.api.deps import ApiDeps, Part
from voltyard.api.files import make_files
from voltyard.api.meters import BusMeters, CommitMeters
from voltyard.api.telematics_door import make_telematics_door
from voltyard.api.vdv463_door import make_door
from voltyard.api.vehicle_door import make_vehicle_door
from voltyard.app import Core
from voltyard.config import Settings
from voltyard.energy.enquiring import ExplainDesk
from voltyard.energy.model import Plan
from voltyard.energy.ordering import DischargeDesk
from voltyard.energy.records import ForecastRow, PowerSample
from voltyard.energy.service import EnergyService
from voltyard.energy.view import SiteView
from voltyard.errors import NotFound
from voltyard.locallists.overview import ListOverview
from voltyard.tenancy.model import Principal, Role
from voltyard.tenancy.service import NewUser, TenancyService
from voltyard.web.app_routes import make_router
from voltyard.web.auth import FormGuard, SetupForm
from voltyard.web.console.rooms import (
    AccessRooms,
    BookingRooms,
    InputRooms,
    TechnicianRooms,
    TellingRooms,
)
from voltyard.web.console.source import ServiceData, Services
from voltyard.web.ui import Deps


def make_http(core: Core, secret: bytes, settings: Settings) -> Litestar:
    """Console and REST API in one application."""
    services = Services(
        clock=core.clock,
        tenancy=core.tenancy,
        sites=core.sites,
        chargers=core.chargers,
        sessions=core.sessions,
        live=core.sessions.live,
        fleets=core.fleets,
        timetable=core.timetable,
        energy=ConsoleEnergy(core.energy),
        alerts=core.alerts,
        bus=core.bus,
    )
    why = ExplainDesk(
        core.energy, core.fleets, core.timetable, core.sessions, core.chargers, core.clock
    )
    console = Deps(
        data=ServiceData(services),
        authenticator=ConsoleLogIn(core.tenancy),
        secret=secret,
        secure_cookies=settings.cookie_secure or bool(settings.http_tls_cert),
        firmware=core.firmware,
        diagnostics=core.diagnostics,
        technician=TechnicianRooms(core.chargers, core.configuration, core.monitoring, core.bulk),
        access=_access(core),
        inputs=InputRooms(core.inputs.meters, core.inputs.prices, core.sites, core.inputs.policies),
        telling=TellingRooms(
            core.alerts, core.telling.departures, core.telling.notifications, core.tenancy
        ),
        pki=core.pki,
        billing=core.billing,
        operators=core.operators,
        rules=core.access,
        studies=core.studies,
        approvals=core.approvals,
        bookings=BookingRooms(core.bookings, core.chargers, core.fleets, core.sessions, core.sites),
        why=why,
        presystems=core.presystems,
        preconditioning=core.preconditioning,
        telematics=core.telematics,
        sign_on=core.sign_on,
        presence=core.presence,
    )
    api = _rest(core, why, secret)
    return Litestar(
        route_handlers=[
            *make_router(console),
            *make_api(api),
            make_files(core.firmware, core.diagnostics),
            make_vehicle_door(core.preconditioning.vdv261, settings.vdv261_paths),
            make_door(core.presystems),
            make_telematics_door(core.telematics.posts),
        ],
        openapi_config=None,
        exception_handlers={HTTPException: unrouted},
        logging_config=None,
        debug=False,
    )


def _rest(core: Core, why: ExplainDesk, secret: bytes) -> ApiDeps:
    return ApiDeps(
        tenancy=core.tenancy,
        sites=core.sites,
        fleets=core.fleets,
        timetable=core.timetable,
        chargers=core.chargers,
        sessions=core.sessions,
        live=core.sessions.live,
        energy=core.energy,
        alerts=core.alerts,
        notifications=core.telling.notifications,
        departures=core.telling.departures,
        firmware=core.firmware,
        diagnostics=core.diagnostics,
        pki=core.pki,
        reservations=core.reservations,
        bookings=core.bookings,
        local_lists=core.local_lists,
        preconditioning=core.preconditioning,
        telematics=core.telematics,
        billing=core.billing,
        operators=core.operators,
        access=core.access,
        presystems=core.presystems,
        sign_on=core.sign_on,
        presence=core.presence,
        configuration=core.configuration,
        monitoring=core.monitoring,
        bulk=core.bulk,
        site_meters=core.inputs.meters,
        prices=core.inputs.prices,
        policies=core.inputs.policies,
        why=why,
        studies=core.studies,
        approvals=core.approvals,
        clock=core.clock,
        health=ServerHealth(core),
        meters=(CommitMeters(core.commits), BusMeters(core.bus)),
        form_proof=FormGuard(secret),
    )


def _access(core: Core) -> AccessRooms:
    overview = ListOverview(core.local_lists, core.chargers, core.fleets, core.sites, core.clock)
    return AccessRooms(
        core.chargers,
        core.fleets,
        core.sessions,
        core.sites,
        core.reservations,
        core.local_lists,
        overview,
    )


class ConsoleEnergy:
    """What the console sees of the energy room; another organisation's site shows nothing."""

    def __init__(self, energy: EnergyService) -> None:
        self._energy = energy

    def view(self, org_id: UUID, site_id: UUID) -> SiteView | None:
        with suppress(NotFound):
            if self._is_of(org_id, site_id):
                return self._energy.live(site_id)
        return None

    def plan(self, org_id: UUID, site_id: UUID) -> Plan | None:
        with suppress(NotFound):
            if self._is_of(org_id, site_id):
                return self._energy.controller(site_id).planning.plan
        return None

    @property
    def discharge(self) -> DischargeDesk:
        return self._energy.discharge

    async def forecasts(self, org_id: UUID, site_id: UUID) -> Sequence[ForecastRow]:
        return await self._energy.forecasts(org_id, site_id)

    async def series(
        self, org_id: UUID, site_id: UUID, node_id: UUID, since: datetime, until: datetime
    ) -> Sequence[PowerSample]:
        if until <= since:
            return ()
        rows = await self._energy.series(org_id, node_id, since, until)
        return [
            PowerSample(
                row["bucket"],
                node_id,
                row["measured_w"],
                row["granted_w"],
                row["reserved_w"],
                row["plan_w"],
                row["limit_w"],
                row["other_w"],
            )
            for row in rows
        ]

    def _is_of(self, org_id: UUID, site_id: UUID) -> bool:
        return self._energy.controller(site_id).board.setup.site.org_id == org_id


class ConsoleLogIn:
    """The console's ``Authenticator`` over the tenancy room."""

    def __init__(self, tenancy: TenancyService) -> None:
        self._tenancy = tenancy

    async def principal(self, session_token: str) -> Principal | None:
        if not session_token:
            return None
        return await self._tenancy.login.principal_of_session(session_token)

    async def still(self, session_token: str) -> Principal | None:
        return await self._tenancy.login.principal_of_session(session_token, used=False)

    async def log_in(self, email: str, password: str, remote: str, user_agent: str = "") -> str:
        made = await self._tenancy.login.log_in(
            email, password, remote=remote, user_agent=user_agent
        )
        return made.token

    async def log_out(self, session_token: str) -> None:
        await self._tenancy.login.log_out(session_token)

    async def setup_open(self, link_token: str) -> bool:
        return await self._tenancy.login.setup_open(link_token)

    async def set_up(self, link_token: str, form: SetupForm) -> str:
        admin = NewUser(form.email, form.name, Role.ADMIN, form.password, form.locale)
        made = await self._tenancy.set_up(
            link_token, form.organisation, admin, timezone=form.timezone, locale=form.locale
        )
        return made.token


class ServerHealth:
    """Ready when the database answers and nothing that must run has ended."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def check(self) -> Sequence[Part]:
        writing = any(task.get_name() == "commits" for task in self._core.tasks)
        return (Part("writer", writing), await self._database())

    async def _database(self) -> Part:
        try:
            async with self._core.database.begin(org_id=None) as tx:
                await tx.one("SELECT 1 AS one")
        except (OSError, SQLAlchemyError) as error:
            return Part("database", ok=False, why=str(error))
        return Part("database", ok=True)


def form_secret(data_dir: Path) -> bytes:
    """The key that binds forms to browsers, made once and kept for its owner only."""
    path = data_dir / "form.secret"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32))
    return path.read_text().strip().encode()

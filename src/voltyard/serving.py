"""Composition root of a running server: database, OCPP port, HTTP port, signals."""

import asyncio
import logging
import secrets
import shutil
import signal
import socket
import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from getpass import getpass
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext, TLSVersion
from uuid import UUID

import uvicorn
from litestar import Litestar
from litestar.exceptions import HTTPException
from sqlalchemy.exc import SQLAlchemyError

from voltyard import __version__, logs
from voltyard.api.app import make_api, unrouted
from voltyard.api.deps import ApiDeps, Part
from voltyard.api.meters import BusMeters, CommitMeters
from voltyard.app import DEMO_EMAIL, Core, build_core, first_organisation, rooms
from voltyard.clock import Clock, SystemClock
from voltyard.config import Settings
from voltyard.energy import planner
from voltyard.energy.control import ControlSettings
from voltyard.energy.model import Plan
from voltyard.energy.outlet import Timing
from voltyard.energy.records import ForecastRow, PowerSample
from voltyard.energy.service import EnergyService
from voltyard.energy.view import SiteView
from voltyard.energy.watch import Rules
from voltyard.errors import Invalid, NotFound, VoltyardError
from voltyard.ocpp.socket import OcppServer
from voltyard.simulator import furnish, showcase
from voltyard.simulator.depot import DepotSpec
from voltyard.storage.embedded import APP_ROLE, EmbeddedPostgres
from voltyard.storage.engine import PostgresDatabase
from voltyard.storage.migrate import migrate
from voltyard.tenancy.access import system_principal
from voltyard.tenancy.login import LoginSettings
from voltyard.tenancy.model import Principal, Role
from voltyard.tenancy.service import NewUser, TenancyService
from voltyard.web.app_routes import make_router
from voltyard.web.auth import FormGuard, SetupForm
from voltyard.web.console.source import ServiceData, Services
from voltyard.web.ui import Deps

log = logging.getLogger(__name__)

LONG_LOG_IN = LoginSettings(session_max=timedelta(days=365), session_idle=timedelta(days=365))
"""On a clock that runs a hundred times as fast nobody shall be logged out after minutes."""


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

    async def log_in(self, email: str, password: str, remote: str) -> str:
        return (await self._tenancy.login.log_in(email, password, remote=remote)).token

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


@dataclass(slots=True)
class Server:
    """A running server. ``http_port`` and ``ocpp_port`` are the ones that were bound."""

    core: Core
    ocpp: OcppServer
    http_port: int
    ocpp_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"


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
    )
    console = Deps(
        data=ServiceData(services),
        authenticator=ConsoleLogIn(core.tenancy),
        secret=secret,
        secure_cookies=settings.cookie_secure,
    )
    api = ApiDeps(
        tenancy=core.tenancy,
        sites=core.sites,
        fleets=core.fleets,
        timetable=core.timetable,
        chargers=core.chargers,
        sessions=core.sessions,
        live=core.sessions.live,
        energy=core.energy,
        alerts=core.alerts,
        clock=core.clock,
        health=ServerHealth(core),
        meters=(CommitMeters(core.commits), BusMeters(core.bus)),
        form_proof=FormGuard(secret),
    )
    return Litestar(
        route_handlers=[*make_router(console), *make_api(api)],
        openapi_config=None,
        exception_handlers={HTTPException: unrouted},
        logging_config=None,
        debug=False,
    )


class _Http(uvicorn.Server):
    """uvicorn without signal handlers of its own: the process has one owner."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def running(
    settings: Settings,
    database_url: str,
    clock: Clock,
    *,
    log_in: LoginSettings | None = None,
    control: ControlSettings | None = None,
) -> AsyncIterator[Server]:
    """A whole server until the block ends; chargers are let go in order."""
    database = PostgresDatabase(database_url, pool_size=settings.pool_size)
    await database.check()
    core = build_core(
        settings,
        database,
        clock,
        holder=f"voltyard-{settings.ocpp_port}",
        log_in=log_in,
        control=control,
    )
    await asyncio.to_thread(planner.warm_up)
    await core.start()
    ocpp = OcppServer(core.chargers, core.sessions, clock, tls=_tls(settings))
    ocpp_port = await ocpp.start(settings.ocpp_host, settings.ocpp_port)
    listener = _listen(settings.http_host, settings.http_port)
    secret = form_secret(settings.data_dir)
    config = uvicorn.Config(
        make_http(core, secret, settings), log_config=None, access_log=False, lifespan="off"
    )
    http = _Http(config)
    serving = asyncio.create_task(http.serve(sockets=[listener]), name="http")
    try:
        yield Server(core, ocpp, listener.getsockname()[1], ocpp_port)
    finally:
        http.should_exit = True
        await serving
        await ocpp.close()
        await core.close()


def form_secret(data_dir: Path) -> bytes:
    """The key that binds forms to browsers, made once and kept for its owner only."""
    path = data_dir / "form.secret"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32))
    return path.read_text().strip().encode()


@contextmanager
def database_of(settings: Settings) -> Iterator[str]:
    """The migrated database's URL: the server given, or the embedded one while the block runs."""
    if settings.database_url:
        asyncio.run(migrate(settings.database_url))
        yield settings.database_url
        return
    server = EmbeddedPostgres(settings.data_dir / "postgres")
    server.start()
    try:
        asyncio.run(migrate(server.url(), app_password=server.password(APP_ROLE)))
        yield server.url(APP_ROLE)
    finally:
        server.stop()


def serve(settings: Settings) -> int:
    """Run until told to stop."""
    logs.setup(settings.log_level, as_json=settings.log_json)
    with database_of(settings) as url, asyncio.Runner(loop_factory=_fast_loop) as runner:
        return runner.run(_serve(settings, url))


async def _serve(settings: Settings, url: str) -> int:
    stop = stop_event()
    async with running(settings, url, SystemClock()) as server:
        _say(f"voltyard {__version__}")
        _say(f"console   {server.url}")
        _say(f"chargers  ws://{settings.ocpp_host}:{server.ocpp_port}/ocpp/<identity>")
        _say(f"data      {settings.data_dir.resolve()}")
        if await server.core.tenancy.login.needs_setup():
            _say(f"first run: open {await _setup_link(server)} (valid for 24 hours, once)")
        await stop.wait()
        _say("stopping: chargers are let go, what waits is committed")
    return 0


async def _setup_link(server: Server) -> str:
    return f"{server.url}/setup?token={await server.core.tenancy.login.make_setup_link()}"


def stop_event() -> asyncio.Event:
    """Set by SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


class _DemoServer:
    """``simulator.showcase.DemoServer``."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.url = server.url
        self.ocpp_port = server.ocpp_port

    async def furnish(self, depots: Sequence[DepotSpec], password: str) -> str:
        core = self._server.core
        who = await first_organisation(core, password)
        for depot in depots:
            await furnish.furnish(rooms(core), who, depot)
        return DEMO_EMAIL


def demo(arguments: Namespace) -> int:
    """The showcase on a database of its own, made anew each time."""
    speed = arguments.speed
    settings = Settings(
        data_dir=arguments.data_dir,
        http_port=arguments.http_port,
        ocpp_port=arguments.ocpp_port,
        heartbeat_s=900,
        tick_s=min(30.0, max(5.0, speed / 5.0)),
        commit_window_ms=min(1000.0, 5.0 * speed),
    )
    shutil.rmtree(settings.data_dir / "postgres", ignore_errors=True)
    password = secrets.token_urlsafe(9)

    @asynccontextmanager
    async def open_server(clock: Clock) -> AsyncIterator[_DemoServer]:
        control = sped_up(settings.tick_s, speed)
        async with running(settings, url, clock, log_in=LONG_LOG_IN, control=control) as server:
            yield _DemoServer(server)

    async def main() -> int:
        return await showcase.run(arguments, open_server, password, stop_event())

    logs.setup("WARNING")
    _say("starting PostgreSQL …")
    with database_of(settings) as url, asyncio.Runner(loop_factory=_fast_loop) as runner:
        return runner.run(main())


def sped_up(tick_s: float, speed: float) -> ControlSettings:
    """Control whose waits last long enough in real seconds: sockets do not get faster.

    Otherwise a quarter of a second between a limit and the next reading would count as half a
    minute of disobedience.
    """
    return ControlSettings(
        tick_s=tick_s,
        commit_timeout_s=max(5.0, 5.0 * speed),
        timing=Timing(
            refresh_s=max(300.0, 6.0 * speed),
            valid_s=int(max(900.0, 20.0 * speed)),
            slack_s=max(90.0, 2.0 * speed),
            send_timeout_s=max(30.0, 5.0 * speed),
        ),
        rules=Rules(
            fence_after_s=max(30.0, 3.0 * speed),
            stop_after_s=max(180.0, 10.0 * speed),
            off_after_s=max(600.0, 30.0 * speed),
            clear_after_s=max(120.0, 4.0 * speed),
        ),
    )


def new_setup_link(settings: Settings) -> str:
    """A new one-time link for a server that has nobody yet."""

    async def make(url: str) -> str:
        database = PostgresDatabase(url, pool_size=1)
        try:
            tenancy = TenancyService(database, SystemClock())
            token = await tenancy.login.make_setup_link()
        finally:
            await database.close()
        return f"http://127.0.0.1:{settings.http_port}/setup?token={token}"

    with database_of(settings) as url:
        return asyncio.run(make(url))


def manage_user(settings: Settings, arguments: Namespace) -> int:
    """Make a user or set a password; the password is asked for, or read from a pipe."""
    password = getpass("password: ") if sys.stdin.isatty() else sys.stdin.readline().strip()

    async def change(url: str) -> None:
        database = PostgresDatabase(url, pool_size=2)
        try:
            tenancy = TenancyService(database, SystemClock())
            who = await _organisation(tenancy, arguments.organisation)
            await _change_user(tenancy, who, arguments, password)
        finally:
            await database.close()

    with database_of(settings) as url:
        asyncio.run(change(url))
    _say("done")
    return 0


async def _organisation(tenancy: TenancyService, slug: str | None) -> Principal:
    found = [o for o in await tenancy.organisations() if slug in (None, o.slug)]
    if len(found) != 1:
        slugs = ", ".join(o.slug for o in await tenancy.organisations()) or "none yet"
        raise Invalid(f"name the organisation with --organisation; there are: {slugs}")
    return system_principal(found[0].id)


async def _change_user(
    tenancy: TenancyService, who: Principal, arguments: Namespace, password: str
) -> None:
    if arguments.action == "create":
        try:
            role = Role(arguments.role)
        except ValueError:
            raise Invalid(f"a role is one of {', '.join(Role)}") from None
        name = arguments.name or arguments.email
        await tenancy.create_user(who, NewUser(arguments.email, name, role, password))
        return
    users = [u for u in await tenancy.users(who) if u.email.lower() == arguments.email.lower()]
    if not users:
        raise NotFound("there is no such user")
    await tenancy.set_password(who, users[0].id, password)


def migrate_only(settings: Settings) -> str:
    """Bring the database to this version; its revision."""
    if settings.database_url:
        return asyncio.run(migrate(settings.database_url))
    server = EmbeddedPostgres(settings.data_dir / "postgres")
    server.start()
    try:
        return asyncio.run(migrate(server.url(), app_password=server.password(APP_ROLE)))
    finally:
        server.stop()


def _fast_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise VoltyardError(f"port {port} on {host} is not free ({error.strerror})") from error
    listener.listen(512)
    return listener


def _tls(settings: Settings) -> SSLContext | None:
    if not settings.tls_cert:
        return None
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.minimum_version = TLSVersion.TLSv1_2
    context.load_cert_chain(settings.tls_cert, settings.tls_key)
    return context


def _say(line: str) -> None:
    print(line, flush=True)

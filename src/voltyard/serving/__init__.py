"""Composition root of a running server: database, OCPP port, HTTP port, signals."""

import asyncio
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from ssl import SSLContext

import uvicorn
from asyncpg import PostgresError
from litestar import Litestar
from sqlalchemy.exc import SQLAlchemyError

from voltyard import __version__
from voltyard.api.vehicle_door import make_vehicle_door
from voltyard.app import Core, build_core
from voltyard.clock import Clock, SystemClock
from voltyard.config import Settings
from voltyard.energy import planner
from voltyard.energy.control import ControlSettings
from voltyard.errors import VoltyardError
from voltyard.ocpp.gateway import GatewaySettings
from voltyard.ocpp.socket import OcppServer
from voltyard.pki.events import TrustChanged
from voltyard.process import raise_file_limit, settle_memory
from voltyard.serving.charger_tls import ChargerTls
from voltyard.serving.http import form_secret, make_http
from voltyard.serving.instance import folder_held, lease_holder
from voltyard.serving.tls import BROWSER_SUITES, CHARGER_SUITES, VEHICLE_SUITES, tls_context
from voltyard.storage.embedded import APP_ROLE, EmbeddedPostgres
from voltyard.storage.engine import PostgresDatabase
from voltyard.storage.migrate import migrate
from voltyard.tenancy.login import LoginSettings

SOCKET_MAX_BYTES = 4 * 1024 * 1024
"""A longer message to the HTTP port ends its WebSocket with close code 1009."""


@dataclass(slots=True)
class Server:
    """A running server. The ports are the ones that were bound; ``wss_port`` if there is one."""

    core: Core
    ocpp: OcppServer
    http_port: int
    ocpp_port: int
    wss_port: int | None = None
    vehicle_port: int | None = None

    @property
    def url(self) -> str:
        return console_url(self.core.settings, self.http_port)

    @property
    def ocpp_url(self) -> str:
        settings = self.core.settings
        scheme = "wss" if settings.charger_tls and settings.wss_port < 0 else "ws"
        return f"{scheme}://{_to_call(settings.ocpp_host)}:{self.ocpp_port}/ocpp"

    @property
    def wss_url(self) -> str | None:
        """Of the second port, which speaks TLS."""
        if self.wss_port is None:
            return None
        return f"wss://{_to_call(self.core.settings.ocpp_host)}:{self.wss_port}/ocpp"


def console_url(settings: Settings, port: int) -> str:
    """Where the console is reached from this machine."""
    scheme = "https" if settings.http_tls_cert else "http"
    return f"{scheme}://{_to_call(settings.http_host)}:{port}"


def _to_call(host: str) -> str:
    """Where a listener on ``host`` is reached from this machine."""
    if host in {"", "0.0.0.0", "::"}:
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


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
    tls_context(settings.tls_cert, settings.tls_key, CHARGER_SUITES)
    http_tls = tls_context(settings.http_tls_cert, settings.http_tls_key, BROWSER_SUITES)
    tls_context(settings.vehicle_tls_cert, settings.vehicle_tls_key, VEHICLE_SUITES)
    database = PostgresDatabase(database_url, pool_size=settings.pool_size)
    await database.check()
    core = build_core(
        settings,
        database,
        clock,
        holder=lease_holder(settings),
        log_in=log_in,
        control=control,
    )
    await asyncio.to_thread(planner.warm_up)
    try:
        await core.start()
        charger_tls = await _charger_tls(core)
        alone = settings.wss_port < 0
        ocpp = OcppServer(
            core.chargers,
            core.sessions,
            clock,
            GatewaySettings(strict=settings.ocpp_strict, clean_close=settings.ocpp_clean_close),
            tls=charger_tls if alone else None,
        )
        async with _listening(core, ocpp, http_tls, None if alone else charger_tls) as server:
            yield server
    finally:
        await core.close()


@asynccontextmanager
async def _listening(
    core: Core, ocpp: OcppServer, tls: SSLContext | None, wss: SSLContext | None
) -> AsyncIterator[Server]:
    """Every port, until the block ends: first HTTP, then the chargers, whose last words count."""
    settings = core.settings
    app = make_http(core, form_secret(settings.data_dir), settings)
    with closing(_listen(settings.http_host, settings.http_port)) as listener:
        ocpp_port = await _bound(ocpp, settings.ocpp_host, settings.ocpp_port)
        http = _Http(_http_config(app, tls))
        serving = asyncio.create_task(http.serve(sockets=[listener]), name="http")
        server = Server(core, ocpp, listener.getsockname()[1], ocpp_port)
        if wss is not None:
            server.wss_port = await _bound_too(ocpp, settings.ocpp_host, settings.wss_port, wss)
        core.reached_at(settings.public_url or server.url)
        try:
            async with _vehicles(core) as server.vehicle_port:
                yield server
        finally:
            http.should_exit = True
            await serving
            await ocpp.close()


@asynccontextmanager
async def _vehicles(core: Core) -> AsyncIterator[int | None]:
    """The port where vehicles alone post, if there is one, until the block ends."""
    settings = core.settings
    if settings.vehicle_port < 0:
        yield None
        return
    door = make_vehicle_door(core.preconditioning.vdv261, settings.vdv261_paths)
    app = Litestar([door], openapi_config=None, logging_config=None, debug=False)
    tls = tls_context(settings.vehicle_tls_cert, settings.vehicle_tls_key, VEHICLE_SUITES)
    host = settings.vehicle_host or settings.http_host
    with closing(_listen(host, settings.vehicle_port)) as listener:
        http = _Http(_http_config(app, tls))
        serving = asyncio.create_task(http.serve(sockets=[listener]), name="vehicles")
        try:
            yield listener.getsockname()[1]
        finally:
            http.should_exit = True
            await serving


async def _bound(ocpp: OcppServer, host: str, port: int) -> int:
    try:
        return await ocpp.start(host, port)
    except OSError as error:
        raise _not_free(host, port, error) from error


async def _bound_too(ocpp: OcppServer, host: str, port: int, tls: SSLContext) -> int:
    try:
        return await ocpp.also(host, port, tls)
    except OSError as error:
        raise _not_free(host, port, error) from error


async def _charger_tls(core: Core) -> SSLContext | None:
    """TLS of the OCPP port, if there is any; it follows what is trusted and renewed."""
    if not core.settings.charger_tls:
        return None
    tls = ChargerTls(core.settings, core.pki, core.clock)
    await tls.load()
    core.bus.subscribe(TrustChanged, tls.on_trust, name="serving.trust")
    core.spawn(tls.watch(), "TLS of the OCPP port")
    return tls.context


def _http_config(app: Litestar, tls: SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        ws_max_size=SOCKET_MAX_BYTES,
        ssl_context_factory=None if tls is None else lambda config, default: tls,
    )


@contextmanager
def database_of(settings: Settings, *, anew: bool = False) -> Iterator[str]:
    """The migrated database's URL: the server given, or the embedded one while the block runs.

    ``anew`` forgets what the embedded one held. Raises Conflict while another process uses it.
    """
    if settings.database_url:
        _migrate_given(settings.database_url)
        yield settings.database_url
        return
    with _embedded(settings, anew=anew) as server:
        asyncio.run(migrate(server.url(), app_password=server.password(APP_ROLE)))
        yield server.url(APP_ROLE)


def _migrate_given(url: str) -> str:
    try:
        return asyncio.run(migrate(url))
    except (OSError, PostgresError, SQLAlchemyError) as error:
        said = f"the database of VOLTYARD_DATABASE_URL cannot be used: {error}"
        raise VoltyardError(said, code="database") from error


@contextmanager
def _embedded(settings: Settings, *, anew: bool = False) -> Iterator[EmbeddedPostgres]:
    with folder_held(settings.data_dir):
        if anew:
            shutil.rmtree(settings.data_dir / "postgres", ignore_errors=True)
        server = EmbeddedPostgres(settings.data_dir / "postgres")
        server.start()
        try:
            yield server
        finally:
            server.stop()


def serve(settings: Settings) -> int:
    """Run until told to stop."""
    raise_file_limit()
    with database_of(settings) as url, asyncio.Runner(loop_factory=fast_loop) as runner:
        return runner.run(_serve(settings, url))


async def _serve(settings: Settings, url: str) -> int:
    stop = stop_event()
    say(f"voltyard {__version__} starts; the first time that takes up to a minute")
    async with running(settings, url, SystemClock()) as server:
        say(f"console   {server.url}")
        say(f"chargers  {server.ocpp_url}/<identity>")
        if server.wss_url is not None:
            say(f"by TLS    {server.wss_url}/<identity>")
        say(f"data      {settings.data_dir.resolve()}")
        if await server.core.tenancy.login.needs_setup():
            say(f"first run: open {await _setup_link(server)} (valid for 24 hours, once)")
        settle_memory()
        await stop.wait()
        say("stopping: chargers are let go, what waits is committed")
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


def migrate_only(settings: Settings) -> str:
    """Bring the database to this version; its revision."""
    if settings.database_url:
        return _migrate_given(settings.database_url)
    with _embedded(settings) as server:
        return asyncio.run(migrate(server.url(), app_password=server.password(APP_ROLE)))


def fast_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if host == "::":
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise _not_free(host, port, error) from error
    listener.listen(512)
    return listener


def _not_free(host: str, port: int, error: OSError) -> VoltyardError:
    return VoltyardError(
        f"port {port} on {host} cannot be used ({error.strerror})", code="port_not_free"
    )


def say(line: str) -> None:
    print(line, flush=True)

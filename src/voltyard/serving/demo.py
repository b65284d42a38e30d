"""The showcase: a depot's night over real sockets, on a clock that runs faster."""

import asyncio
import secrets
from argparse import Namespace
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from voltyard import logs
from voltyard.app import DEMO_EMAIL, first_organisation, rooms
from voltyard.clock import Clock
from voltyard.config import Settings
from voltyard.energy.control import ControlSettings
from voltyard.energy.outlet import Timing
from voltyard.energy.watch import Rules
from voltyard.serving import Server, database_of, fast_loop, running, say, stop_event
from voltyard.simulator import furnish, showcase
from voltyard.simulator.depot import DepotSpec
from voltyard.tenancy.login import LoginSettings

LONG_LOG_IN = LoginSettings(session_max=timedelta(days=365), session_idle=timedelta(days=365))
"""On a clock that runs a hundred times as fast nobody shall be logged out after minutes."""


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
    password = secrets.token_urlsafe(9)

    @asynccontextmanager
    async def open_server(clock: Clock) -> AsyncIterator[_DemoServer]:
        control = sped_up(settings.tick_s, speed)
        async with running(settings, url, clock, log_in=LONG_LOG_IN, control=control) as server:
            yield _DemoServer(server)

    async def main() -> int:
        return await showcase.run(arguments, open_server, password, stop_event())

    logs.setup("WARNING")
    say("starting PostgreSQL …")
    with database_of(settings, anew=True) as url, asyncio.Runner(loop_factory=fast_loop) as runner:
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

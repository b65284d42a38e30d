"""The showcase: a depot's night over real sockets, on a clock that runs faster."""

import asyncio
import secrets
from argparse import Namespace
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from voltyard.app import DEMO_EMAIL, first_organisation, rooms
from voltyard.clock import Clock
from voltyard.config import Settings
from voltyard.energy.control import ControlSettings
from voltyard.energy.outlet import Timing
from voltyard.energy.watch import Rules
from voltyard.errors import Invalid
from voltyard.serving import Server, database_of, fast_loop, running, say, stop_event
from voltyard.simulator import furnish, showcase
from voltyard.simulator.depot import DepotSpec
from voltyard.simulator.night import fault_plans
from voltyard.tenancy.login import LoginSettings

LONG_LOG_IN = LoginSettings(session_max=timedelta(days=365), session_idle=timedelta(days=365))
"""On a clock that runs a hundred times as fast nobody shall be logged out after minutes."""


SPEED_MAX = 120.0
"""A tick of the control takes a fifth of a real second up to here, and sockets answer within it.

Above, a limit needs virtual minutes from decision to obedience, as if every charger were slow:
the night then shows what the machine cannot do, not what voltyard does.
"""


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
    speed = checked_speed(arguments.speed)
    fault_plans([showcase.depot_of(arguments)], arguments.faults, arguments.seed)
    settings = Settings(
        data_dir=arguments.data_dir,
        http_port=arguments.http_port,
        ocpp_port=arguments.ocpp_port,
        heartbeat_s=900,
        sample_s=60,
        tick_s=tick_s(speed),
        commit_window_ms=min(1000.0, 5.0 * speed),
    )
    password = secrets.token_urlsafe(9)

    @asynccontextmanager
    async def open_server(clock: Clock) -> AsyncIterator[_DemoServer]:
        control = sped_up(speed)
        async with running(settings, url, clock, log_in=LONG_LOG_IN, control=control) as server:
            yield _DemoServer(server)

    async def main() -> int:
        return await showcase.run(arguments, open_server, password, stop_event())

    say("starting PostgreSQL …")
    with database_of(settings, anew=True) as url, asyncio.Runner(loop_factory=fast_loop) as runner:
        return runner.run(main())


def checked_speed(speed: float) -> float:
    """Raises Invalid for a speed at which the night would not be true to life."""
    if 1.0 <= speed <= SPEED_MAX:
        return speed
    raise Invalid(
        f"--speed is 1 to {SPEED_MAX:g}, not {speed:g}: over real sockets the control cannot keep"
        " up with a faster clock; `voltyard simulate demo` runs the same night in virtual time",
        code="demo_speed",
    )


def tick_s(speed: float) -> float:
    """Virtual seconds between two looks at the site: a fifth of a real one, if that is enough."""
    return max(5.0, speed / 5.0)


def sped_up(speed: float) -> ControlSettings:
    """Control whose waits last long enough in real seconds: sockets do not get faster.

    Otherwise a quarter of a second between a limit and the next reading would count as half a
    minute of disobedience.
    """
    return ControlSettings(
        tick_s=tick_s(speed),
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

"""What the interop charge points share: the connection, the meter, the tale on standard output."""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import websockets

from tests.interop.limits import Limits

INTERVAL_S = 0.25
HARDWARE_W = 22_000.0


def tell(event: str, **facts: Any) -> None:
    """One line for whoever started this program."""
    print(json.dumps({"event": event, **facts}), flush=True)


class Meter:
    """Draws what is allowed, at most what the hardware can, and counts it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._started_at = self._counted_at = datetime.now(UTC)
        self.power_w = 0.0
        self.energy_wh = 0.0

    def now_text(self) -> str:
        return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def step(self) -> float:
        """The power from now on; energy counts what was drawn until now."""
        now = datetime.now(UTC)
        self.energy_wh += self.power_w * (now - self._counted_at).total_seconds() / 3600
        self._counted_at = now
        self.power_w = self._limits.allowed_w(HARDWARE_W, self._started_at, charging=True)
        return self.power_w

    async def wait(self, stop: asyncio.Event) -> None:
        """Until the next sample is due, or the session is to stop."""
        try:
            async with asyncio.timeout(INTERVAL_S):
                await stop.wait()
        except TimeoutError:
            return


@asynccontextmanager
async def connected(url: str, identity: str, password: str, version: str) -> AsyncIterator[Any]:
    """A WebSocket with HTTP Basic (security profile 1) in the OCPP version."""
    secret = base64.b64encode(f"{identity}:{password}".encode()).decode()
    async with websockets.connect(
        f"{url}/{identity}",
        subprotocols=[websockets.Subprotocol(version)],
        additional_headers={"Authorization": f"Basic {secret}"},
        proxy=None,
    ) as connection:
        assert connection.subprotocol == version
        yield connection


async def run(
    point: Any,
    stop: asyncio.Event,
    boot: Callable[[], Awaitable[None]],
    charge: Callable[[], Awaitable[None]],
) -> None:
    """Listen, boot and charge; ``stop`` on standard input ends the session."""
    listening = asyncio.create_task(point.start())
    asyncio.get_running_loop().add_reader(sys.stdin, lambda: (sys.stdin.readline(), stop.set()))
    await boot()
    await charge()
    listening.cancel()

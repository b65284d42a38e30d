"""A whole voltyard with simulated chargers that update their firmware, in a thread of its own.

python -m tests.e2e.serve_firmware 50     serves it until Ctrl-C and says how to log in
"""

import asyncio
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from uuid import UUID, uuid5

from voltyard.app import DEMO_EMAIL, first_organisation
from voltyard.clock import ScaledClock
from voltyard.config import Settings
from voltyard.serving import Server, database_of, running
from voltyard.serving.demo import LONG_LOG_IN
from voltyard.simulator.charger import Charger
from voltyard.simulator.courier import HttpCourier
from voltyard.simulator.evse import EvseSpec, StationSpec
from voltyard.simulator.link import WebSocketLink
from voltyard.simulator.settings import ChargerSettings
from voltyard.simulator.station import make_charger
from voltyard.simulator.upkeep import image_of
from voltyard.sites.commands import SiteDraft

T = TypeVar("T")

SPEED = 15.0
START_AT = datetime(2026, 1, 15, 22, 0, tzinfo=UTC)
PASSWORD = "a technician at night"
NAMES = UUID(int=78)
PROTOCOLS = ("ocpp1.6", "ocpp2.0.1")


@dataclass
class Place:
    """``url`` is the console's; ``chargers`` by identity, to be spoilt by a test."""

    url: str
    chargers: dict[str, Charger]
    image: Path
    server: Server
    loop: asyncio.AbstractEventLoop

    def call(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something on the server's own loop."""

        async def do() -> T:
            return await work()

        return asyncio.run_coroutine_threadsafe(do(), self.loop).result(60)


@asynccontextmanager
async def serving(database_url: str, folder: Path, count: int) -> AsyncIterator[Place]:
    clock = ScaledClock(START_AT, SPEED)
    settings = Settings(
        data_dir=folder, http_port=0, ocpp_port=0, auto_approve=True, allow_no_password=True
    )
    image = folder / "vy-2.1.0.bin"
    image.write_bytes(image_of("2.1.0", 300_000))
    async with running(settings, database_url, clock, log_in=LONG_LOG_IN) as server:
        who = await first_organisation(server.core, PASSWORD)
        await server.core.sites.create_site(who, SiteDraft("Depot Nord"))
        link = WebSocketLink(f"ws://127.0.0.1:{server.ocpp_port}/ocpp", ping_interval_s=None)
        chargers = {
            f"CP{place:02d}": make_charger(
                _spec(place), link, clock, settings=ChargerSettings(boot_s=5),
                courier=HttpCourier(),
            )
            for place in range(count)
        }  # fmt: skip
        lives = [asyncio.create_task(charger.run()) for charger in chargers.values()]
        while not all(charger.uplink.online for charger in chargers.values()):
            await clock.sleep(1.0)
        try:
            loop = asyncio.get_running_loop()
            yield Place(server.url, chargers, image, server, loop)
        finally:
            for life in lives:
                life.cancel()
            await asyncio.gather(*lives, return_exceptions=True)


def _spec(place: int) -> StationSpec:
    identity = f"CP{place:02d}"
    evse = EvseSpec(uuid5(NAMES, identity), 1, 150_000.0)
    protocol = PROTOCOLS[place % 2]
    return StationSpec(identity, protocol, (evse,), 150_000.0, serial=f"S{place:04d}")


@contextmanager
def in_a_thread(count: int) -> Iterator[Place]:
    """Playwright's loop and the server's need a thread each."""
    with tempfile.TemporaryDirectory(prefix="voltyard-e2e-") as name:
        yield from _threaded(Path(name), count)


def _threaded(folder: Path, count: int) -> Iterator[Place]:
    up, found, failed = threading.Event(), [], []
    stop: list[Callable[[], object]] = []

    async def main(url: str) -> None:
        done = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(done.set))
        async with serving(url, folder, count) as place:
            found.append(place)
            up.set()
            await done.wait()

    def live() -> None:
        try:
            with database_of(Settings(data_dir=folder)) as url:
                asyncio.run(main(url))
        except BaseException as error:
            failed.append(error)
            up.set()
            raise

    thread = threading.Thread(target=live, name="served", daemon=True)
    thread.start()
    up.wait(120)
    if not found:
        raise RuntimeError("the server did not start") from (failed[0] if failed else None)
    try:
        yield found[0]
    finally:
        stop[0]()
        thread.join(60)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with in_a_thread(count) as place:
        print(f"{place.url}  {DEMO_EMAIL}  {PASSWORD}\n{place.image}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()

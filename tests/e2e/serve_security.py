"""A whole voltyard with TLS, and chargers that know certificates, in a thread of its own.

python -m tests.e2e.serve_security 12     serves it until Ctrl-C and says how to log in
"""

import asyncio
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from tests.e2e.guarded import FIRST_PASSWORD, GuardedCharger
from voltyard.app import DEMO_EMAIL, first_organisation
from voltyard.clock import SystemClock
from voltyard.config import Settings
from voltyard.pki.model import Policy
from voltyard.serving import Server, database_of, running
from voltyard.sites.commands import SiteDraft
from voltyard.tenancy.model import Principal

T = TypeVar("T")
PASSWORD = "a technician at night"


@dataclass
class Place:
    """``url`` is the console's; ``chargers`` and ``ids`` by identity."""

    url: str
    chargers: dict[str, GuardedCharger]
    ids: dict[str, UUID]
    who: Principal
    server: Server
    folder: Path
    loop: asyncio.AbstractEventLoop

    def call(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something on the server's own loop."""

        async def do() -> T:
            return await work()

        return asyncio.run_coroutine_threadsafe(do(), self.loop).result(60)


@asynccontextmanager
async def serving(database_url: str, folder: Path, count: int) -> AsyncIterator[Place]:
    settings = Settings(
        data_dir=folder, http_port=0, ocpp_port=0, wss_port=0, tls_names="127.0.0.1,localhost"
    )
    async with running(settings, database_url, SystemClock()) as server:
        core = server.core
        who = await first_organisation(core, PASSWORD)
        site = await core.sites.create_site(who, SiteDraft("Depot Nord"))
        await core.pki.set_policy(who, Policy(organisation="Yard"))
        roots = [view.root for view in await core.pki.authorities(who)]
        chargers, ids = {}, {}
        for place in range(count):
            name = f"CP{place:02d}"
            made = await core.chargers.create_station(
                who, name, password=FIRST_PASSWORD, site_id=site.id
            )
            ids[name] = made.id
            assert server.wss_url is not None
            chargers[name] = GuardedCharger(
                name, server.ocpp_url, server.wss_url, list(roots), "Yard"
            )
        lives = [asyncio.create_task(charger.run()) for charger in chargers.values()]
        async with asyncio.timeout(60):
            for charger in chargers.values():
                await charger.online.wait()
        try:
            loop = asyncio.get_running_loop()
            yield Place(server.url, chargers, ids, who, server, folder, loop)
        finally:
            for life in lives:
                life.cancel()
            await asyncio.gather(*lives, return_exceptions=True)


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
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    with in_a_thread(count) as place:
        print(f"{place.url}  {DEMO_EMAIL}  {PASSWORD}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()

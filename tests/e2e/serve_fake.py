"""The console over the fake depot on a port of its own: for the browser tests and by hand.

python -m tests.e2e.serve_fake --evses 80
"""

import argparse
import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from litestar import Litestar

from tests.e2e.fake_auth import FakeAuthenticator
from tests.e2e.fake_data import FakeDepot
from voltyard.clock import SystemClock
from voltyard.web.app_routes import make_router
from voltyard.web.console.topics import TopicReader
from voltyard.web.live import LiveHub
from voltyard.web.ui import Deps

SECRET = b"a secret of the tests only"


class FakeConsole:
    """An application over one fake depot."""

    def __init__(self, evses: int = 80, *, moving: bool = True, busy: bool = False) -> None:
        self.depot = FakeDepot(SystemClock(), evses, moving=moving, busy=busy)
        self.people = FakeAuthenticator()
        deps = Deps(self.depot, self.people, SECRET)
        self.hub = LiveHub(TopicReader(self.depot))
        self.app = Litestar(route_handlers=make_router(deps, self.hub), openapi_config=None)

    def reset(self) -> None:
        """As it was at first: no change made, nobody signed out."""
        self.depot.reset()
        self.people.reset()


@contextmanager
def serving(console: FakeConsole) -> Iterator[str]:
    """Run it in a thread of its own; gives the base URL."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    config = uvicorn.Config(console.app, log_level="warning", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True
    )
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def main() -> None:
    parser = argparse.ArgumentParser(description="The console over a fake depot.")
    parser.add_argument("--evses", type=int, default=80)
    parser.add_argument("--still", action="store_true", help="nothing moves")
    asked = parser.parse_args()
    with serving(FakeConsole(asked.evses, moving=not asked.still)) as url:
        print(f"{url}  admin@depot.example / correct horse battery", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()

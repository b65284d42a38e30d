"""What the interop charge points do on request beside charging: files by HTTP, reservations."""

import asyncio
import hashlib
import re
import urllib.request
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from tests.interop.program import tell

LOG = b"2026-11-21 18:00:00 contactor closed\n" * 500
TIMEOUT_S = 20.0
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
_VERSION = re.compile(rb"version=([\w.]+)")

Report = Callable[[str], Awaitable[None]]


class Errands:
    """Work that goes on after a request was answered, one thing after the other."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self.reservations: set[int] = set()
        self.list_version = 0
        self.local_list: dict[str, Any] = {}

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            tell("failed", error=repr(error))

    def take_list(self, version: int, *, full: bool, entries: dict[str, Any]) -> None:
        """Full replaces; else an entry without information leaves (1.6 §5.15, 2.0.1 D01)."""
        self.local_list = {} if full else self.local_list
        self.local_list |= entries
        self.local_list = {tag: info for tag, info in self.local_list.items() if info is not None}
        self.list_version = version
        tell("list", version=version, tags=sorted(self.local_list))


async def update(location: str, report: Report, boot: Callable[[str], Awaitable[None]]) -> None:
    """Fetch an image, look into it, boot with the version it holds."""
    await report("Downloading")
    content = await asyncio.to_thread(_fetched, location)
    await report("Downloaded")
    await report("Installing")
    found = _VERSION.search(content)
    assert found is not None
    version = found.group(1).decode()
    await report("Installed")
    await boot(version)
    tell("updated", version=version, digest=hashlib.sha256(content).hexdigest())


async def upload(location: str, name: str, report: Report) -> None:
    await report("Uploading")
    await asyncio.to_thread(_put, f"{location.rstrip('/')}/{name}", LOG)
    await report("Uploaded")
    tell("uploaded", digest=hashlib.sha256(LOG).hexdigest())


def _fetched(location: str) -> bytes:
    with _open(location, timeout=TIMEOUT_S) as answer:
        return bytes(answer.read())


def _put(location: str, content: bytes) -> None:
    request = urllib.request.Request(location, data=content, method="PUT")
    with _open(request, timeout=TIMEOUT_S) as answer:
        assert answer.status in (200, 201, 204)

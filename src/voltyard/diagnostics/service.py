"""Logs of chargers: asked for, taken in at an address of ours, kept for a while, handed out."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from voltyard.bus import Bus
from voltyard.chargers.commands import Command, CommandResult, CommandStatus, LogKind, RequestLog
from voltyard.chargers.events import LogReported
from voltyard.chargers.model import Station
from voltyard.clock import Clock
from voltyard.diagnostics import store
from voltyard.diagnostics.commands import NewLogRequest, checked
from voltyard.diagnostics.events import LogChanged
from voltyard.diagnostics.model import (
    FILE_NAME_MAX,
    SILENT_S,
    LogFailure,
    LogFile,
    LogRequest,
    LogState,
    answered,
    arrived,
    ended,
    failed,
    heard,
    overdue,
    takes_files,
)
from voltyard.errors import (
    ChargerOffline,
    ChargerRefused,
    ChargerTimeout,
    Conflict,
    Invalid,
    NotFound,
    VoltyardError,
)
from voltyard.ids import new_id
from voltyard.storage.blobs import BlobStore
from voltyard.storage.engine import Database
from voltyard.tenancy import audit
from voltyard.tenancy.access import require
from voltyard.tenancy.keys import digest
from voltyard.tenancy.model import Permission, Principal
from voltyard.tenancy.scope import SYSTEM, of, transaction

log = logging.getLogger(__name__)

NOWHERE = "http://files.voltyard.invalid"
"""Stands in addresses where no HTTP is served: in virtual time."""
LOG_MAX_BYTES = 256_000_000
RETRIES = 2
RETRY_S = 60
UNKNOWN_MESSAGE = frozenset({"NotImplemented", "NotSupported"})
_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")


class Stations(Protocol):
    """``ChargerService`` is one."""

    def station(self, station_id: UUID) -> Station | None: ...

    async def command(
        self, station_id: UUID, command: Command, principal_name: str, *, timeout_s: float = ...
    ) -> CommandResult: ...


@dataclass(frozen=True, slots=True)
class LogView:
    """A request and the files that came of it."""

    request: LogRequest
    files: tuple[LogFile, ...]


Step = Callable[[LogRequest], LogRequest]


class DiagnosticsService:
    """``base_url`` is where chargers reach our HTTP; ``keep_days`` how long files stay."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        clock: Clock,
        blobs: BlobStore,
        stations: Stations,
        *,
        keep_days: int = 90,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self.blobs = blobs
        self._stations = stations
        self._keep_days = keep_days
        self._base_url = NOWHERE
        self._tasks: set[asyncio.Task[None]] = set()

    def listen(self) -> None:
        self._bus.subscribe(LogReported, self._on_told, name="diagnostics.told")

    def reached_at(self, base_url: str) -> None:
        """Where chargers reach our HTTP, as the beginning of an address."""
        self._base_url = base_url.rstrip("/")

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def settle(self) -> None:
        """Until every request on its way has its answer: for tests."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    # People

    async def ask(
        self, who: Principal, station_id: UUID, new: NewLogRequest, *, remote: str = ""
    ) -> LogRequest:
        """Ask a charger for a log; returns at once, the answer changes the request.

        One upload a charger: an open request of before is given up (N01.FR.12). Raises
        NotFound, Invalid, Conflict while the charger is not connected.
        """
        require(who, Permission.CHARGERS_COMMAND)
        checked(new)
        station = self._stations.station(station_id)
        if station is None or station.org_id != who.org_id:
            raise NotFound("There is no such charger.")
        if not station.connected:
            raise Conflict("The charger is not connected.", code="charger_offline")
        now = self._clock.now()
        key = None if new.address else new_id().hex
        async with transaction(self._database, of(who.org_id)) as tx:
            for former in await store.open_of(tx, station_id):
                await store.save(tx, ended(former, LogState.CANCELLED, now))
            request = LogRequest(
                id=new_id(),
                org_id=who.org_id,
                station_id=station_id,
                site_id=station.site_id,
                kind=new.kind,
                state=LogState.ASKED,
                request_id=await store.next_request_id(tx),
                asked_by=who.name,
                asked_at=now,
                changed_at=now,
                due_at=now + timedelta(seconds=SILENT_S),
                since=new.since,
                until=new.until,
                address=new.address,
                link=None if key is None else digest(key),
            )
            await store.insert(tx, request)
            detail = {"kind": new.kind.value, "station": station.identity}
            await audit.write(
                tx, who, "log.ask", "log_request", request.id, detail, at=now, remote=remote
            )
        location = new.address or self._address(key or "", as_password=new.as_password)
        self._spawn(self._send(request, station, location))
        await self._publish(request)
        return request

    def _address(self, key: str, *, as_password: bool) -> str:
        if not as_password:
            return f"{self._base_url}/files/logs/{key}/"
        scheme, _, host = self._base_url.partition("://")
        return f"{scheme}://log:{key}@{host}/files/logs/"

    async def requests(
        self, org_id: UUID, station_id: UUID | None = None, *, limit: int = 50, offset: int = 0
    ) -> tuple[list[LogView], int]:
        """Newest first, and how many there are; of one charger or of all."""
        async with transaction(self._database, of(org_id)) as tx:
            found, total = await store.of_station(tx, station_id, limit=limit, offset=offset)
            files = await store.files(tx, [request.id for request in found])
        return [
            LogView(each, tuple(f for f in files if f.log_request_id == each.id)) for each in found
        ], total

    async def request(self, org_id: UUID, request_id: UUID) -> LogView:
        """Raises NotFound."""
        async with transaction(self._database, of(org_id)) as tx:
            found = await store.request(tx, request_id)
            files = await store.files(tx, [request_id])
        if found is None:
            raise NotFound("There is no such request for a log.")
        return LogView(found, tuple(files))

    async def opened(
        self, who: Principal, file_id: UUID, *, remote: str = ""
    ) -> tuple[LogFile, AsyncIterator[bytes]]:
        """A file and its content; audited, because logs tell of people. Raises NotFound."""
        require(who, Permission.CHARGERS_COMMAND)
        async with transaction(self._database, of(who.org_id)) as tx:
            found = await store.file(tx, file_id)
            if found is None or not self.blobs.has(found.sha256):
                raise NotFound("There is no such file.")
            detail = {"name": found.name, "station": str(found.station_id)}
            await audit.write(
                tx, who, "log.read", "log_file", file_id, detail, at=self._clock.now(),
                remote=remote,
            )  # fmt: skip
        return found, self.blobs.read(found.sha256)

    async def delete_file(self, who: Principal, file_id: UUID, *, remote: str = "") -> None:
        """Raises NotFound."""
        require(who, Permission.CHARGERS_COMMAND)
        async with transaction(self._database, of(who.org_id)) as tx:
            found = await store.file(tx, file_id)
            if found is None:
                raise NotFound("There is no such file.")
            await store.delete_files(tx, [file_id])
            detail = {"name": found.name, "station": str(found.station_id)}
            await audit.write(
                tx, who, "log.delete", "log_file", file_id, detail, at=self._clock.now(),
                remote=remote,
            )  # fmt: skip
        await self._forget([found])

    # Chargers

    async def taking(self, key: str) -> LogRequest | None:
        """The request whose address has this key, while it takes files."""
        async with transaction(self._database, SYSTEM) as tx:
            found = await store.by_link(tx, digest(key))
        if found is None or not takes_files(found, self._clock.now()):
            return None
        return found

    async def take(
        self, request: LogRequest, name: str, content: AsyncIterator[bytes], *, remote: str = ""
    ) -> LogFile:
        """Store what a charger brings. Raises Invalid (too large, empty), TooMany (disk full)."""
        blob = await self.blobs.put(content, LOG_MAX_BYTES)
        if blob.size_bytes == 0:
            raise Invalid("The file is empty.", code="file_empty")
        now = self._clock.now()
        async with transaction(self._database, of(request.org_id)) as tx:
            before = await store.request(tx, request.id, lock=True)
            assert before is not None
            file = LogFile(
                id=new_id(),
                org_id=request.org_id,
                log_request_id=request.id,
                station_id=request.station_id,
                name=safe_name(name or before.announced or _unnamed(request)),
                size_bytes=blob.size_bytes,
                sha256=blob.sha256,
                received_at=now,
                remote=remote,
            )
            await store.insert_file(tx, file)
            after = arrived(before, now)
            await store.save(tx, after)
        await self._publish(after)
        return file

    async def _send(self, request: LogRequest, station: Station, location: str) -> None:
        """1.6 knows the old message and, with its security extension, the new one; either may
        be all a charger has."""
        old = station.ocpp_version == "1.6" and request.kind is LogKind.DIAGNOSTICS
        for plain in (True, False) if old else (False,):
            command = RequestLog(
                request_id=request.request_id,
                location=location,
                kind=request.kind,
                since=request.since,
                until=request.until,
                retries=RETRIES,
                retry_interval_s=RETRY_S,
                plain=plain,
            )
            failure, detail = await self._asked(request, command)
            if failure is not LogFailure.UNSUPPORTED:
                break
        if failure is not None:
            now, why = self._clock.now(), failure
            await self._step(
                request.org_id,
                request.id,
                lambda r: failed(r, why, now, detail) if r.state is LogState.ASKED else r,
            )

    async def _asked(
        self, request: LogRequest, command: RequestLog
    ) -> tuple[LogFailure | None, str]:
        """Why the charger did not take it; None when it did, or may have."""
        try:
            result = await self._stations.command(request.station_id, command, request.asked_by)
        except ChargerTimeout:
            return None, ""
        except ChargerOffline as error:
            return LogFailure.OFFLINE, error.message
        except ChargerRefused as error:
            unknown = error.detail in UNKNOWN_MESSAGE
            why = LogFailure.UNSUPPORTED if unknown else LogFailure.REJECTED
            return why, error.detail or error.message
        except Invalid as error:
            return LogFailure.UNSUPPORTED, error.message
        except VoltyardError as error:
            return LogFailure.REJECTED, error.message
        if result.status is not CommandStatus.ACCEPTED:
            return LogFailure.REJECTED, str(result.detail.get("info") or result.word)
        announced = safe_name(str(result.detail.get("file_name") or ""), "")
        now = self._clock.now()
        await self._step(
            request.org_id,
            request.id,
            lambda r: answered(r, announced, plain=command.plain, now=now),
        )
        if announced:  # the file may have been here before the answer that names it
            async with transaction(self._database, of(request.org_id)) as tx:
                await store.name_files(tx, request.id, _unnamed(request), announced)
        return None, ""

    async def _on_told(self, event: LogReported) -> None:
        async with transaction(self._database, of(event.org_id)) as tx:
            found = await store.latest(tx, event.station_id, event.request_id)
        if found is None:
            return
        now = self._clock.now()
        await self._step(event.org_id, found.id, lambda r: heard(r, event.told, now))

    # Time

    async def tick(self) -> None:
        """Requests that were silent for too long."""
        now = self._clock.now()
        async with transaction(self._database, SYSTEM) as tx:
            late = await store.overdue(tx, now)
        for request in late:
            await self._step(request.org_id, request.id, lambda r: overdue(r, now))

    async def expire(self) -> int:
        """Drop files older than is kept; how many."""
        before = self._clock.now() - timedelta(days=self._keep_days)
        dropped = 0
        while True:
            async with transaction(self._database, SYSTEM) as tx:
                old = await store.files_before(tx, before)
                await store.delete_files(tx, [file.id for file in old])
            if not old:
                return dropped
            await self._forget(old)
            dropped += len(old)

    async def _forget(self, files: Sequence[LogFile]) -> None:
        """Content that no log of any organisation is goes from the disk."""
        for sha256 in sorted({file.sha256 for file in files}):
            async with transaction(self._database, SYSTEM) as tx:
                named = await store.is_named(tx, sha256)
            if not named:
                self.blobs.remove(sha256)

    async def _step(self, org_id: UUID, request_id: UUID, step: Step) -> None:
        async with transaction(self._database, of(org_id)) as tx:
            before = await store.request(tx, request_id, lock=True)
            if before is None:
                return
            after = step(before)
            if after == before:
                return
            await store.save(tx, after)
        await self._publish(after)

    async def _publish(self, request: LogRequest) -> None:
        await self._bus.publish(
            LogChanged(
                request.org_id,
                request.site_id,
                request.station_id,
                request.id,
                request.state.value,
                None if request.failure is None else request.failure.value,
                request.changed_at,
            )
        )

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _unnamed(request: LogRequest) -> str:
    """What a file is called whose name nobody has told yet."""
    return f"{request.kind.value}.log"


def safe_name(name: str, fallback: str = "log") -> str:
    """A file name without folders, whatever a charger calls it."""
    kept = _UNSAFE.sub("-", name.rsplit("/", 1)[-1].rsplit("\\", 1)[-1]).strip("-.")
    return kept[-FILE_NAME_MAX:] or fallback

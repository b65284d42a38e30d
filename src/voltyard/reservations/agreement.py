"""What is agreed with a charger about a reservation, and what is kept of it."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any, Protocol
from uuid import UUID

from voltyard.bus import Bus
from voltyard.chargers.commands import CancelReservation, Command, CommandResult, ReserveNow
from voltyard.chargers.model import Evse, Station, StationRef
from voltyard.clock import Clock
from voltyard.errors import (
    ChargerOffline,
    ChargerRefused,
    ChargerTimeout,
    Conflict,
    Invalid,
    VoltyardError,
)
from voltyard.reservations import store
from voltyard.reservations.desk import Desk
from voltyard.reservations.events import ReservationChanged
from voltyard.reservations.model import OPEN, Reservation, ReservationState
from voltyard.sessions.model import IdToken, TokenKind
from voltyard.storage.engine import Database
from voltyard.tenancy.scope import of, transaction

log = logging.getLogger(__name__)

TIMEOUT_S = 30.0
AT_ONCE = 8


class Stations(Protocol):
    """``ChargerService`` is one."""

    def station(self, station_id: UUID) -> Station | None: ...

    def evse(self, evse_id: UUID) -> Evse | None: ...

    def outlets(self, station_id: UUID) -> Sequence[Evse]: ...

    def is_connected(self, station_id: UUID) -> bool: ...

    def flag(self, station: StationRef, flag: str, detail: str) -> None: ...

    async def command(
        self, station_id: UUID, command: Command, principal_name: str, *, timeout_s: float = ...
    ) -> CommandResult: ...


class Agreement:
    """The charger's side of each reservation, and the one place that changes a stored one."""

    def __init__(self, database: Database, bus: Bus, clock: Clock, stations: Stations) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._stations = stations
        self._desk = Desk()
        self._under_way: set[UUID] = set()
        self._shown: set[UUID] = set()
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def settle(self) -> None:
        """Until every message on its way has its answer: for tests."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _agreed(self, row: Reservation, asked_by: str) -> Reservation:
        """Tell the charger; what it refuses is over."""
        evse = None if row.evse_id is None else self._stations.evse(row.evse_id)
        command = ReserveNow(
            row.number,
            IdToken(row.token, TokenKind(row.token_kind)),
            row.until_at,
            None if evse is None else evse.number,
            row.group_id,
            row.connector_type,
        )
        try:
            result = await self._send(row, command, asked_by)
        except ChargerTimeout:
            gone = await self._keep(row, ReservationState.REFUSED, word="timeout", cancel_due=True)
            self._spawn(self._quietly(self._take_back(gone, asked_by)))
            raise
        except VoltyardError as error:
            await self._keep(row, ReservationState.REFUSED, word=error.code)
            if isinstance(error, ChargerRefused):
                raise Conflict(
                    "The charger does not take reservations.", code="refused", detail=error.detail
                ) from error
            raise
        return await self._answered(row, result)

    async def _answered(self, row: Reservation, result: CommandResult) -> Reservation:
        current = self._desk.get(row.id)
        if not result.accepted:
            refused = await self._keep(row, ReservationState.REFUSED, word=result.word)
            reason = f"The charger refuses: {refused.word or 'no reason'}."
            raise Conflict(reason, code="refused", detail=result.word)
        if current is None or current.state is not ReservationState.ASKED:
            return row if current is None else current
        return await self._keep(row, ReservationState.ACTIVE, word=result.word)

    async def _take_back(self, row: Reservation, asked_by: str) -> None:
        """A charger that does not know it has nothing to take back."""
        try:
            result = await self._send(row, CancelReservation(row.number), asked_by)
        except (ChargerOffline, ChargerTimeout):
            return
        except (ChargerRefused, Invalid) as error:
            await self._keep(row, row.state, word=error.code, cancel_due=False)
            return
        await self._keep(row, row.state, word=result.word, cancel_due=False)

    async def _send(self, row: Reservation, command: Command, asked_by: str) -> CommandResult:
        self._under_way.add(row.id)
        try:
            async with self._turn:
                return await self._stations.command(
                    row.station_id, command, asked_by, timeout_s=TIMEOUT_S
                )
        finally:
            self._under_way.discard(row.id)

    async def _keep(self, row: Reservation, state: ReservationState, **columns: Any) -> Reservation:
        changed = replace(row, state=state, changed_at=self._clock.now(), **columns)
        async with transaction(self._database, of(row.org_id)) as tx:
            await store.save(tx, changed)
        self._desk.put(changed)
        if changed.state not in OPEN:
            self._shown.discard(row.id)
        if changed.state is not row.state:
            await self._tell(changed)
        return changed

    async def _tell(self, row: Reservation) -> None:
        await self._bus.publish(
            ReservationChanged(
                row.org_id, row.site_id, row.station_id, row.evse_id, row.id,
                row.state.value, self._clock.now(),
            )
        )  # fmt: skip

    def _flag(self, station_id: UUID, flag: str, detail: str) -> None:
        station = self._stations.station(station_id)
        if station is not None:
            self._stations.flag(station.ref, flag, detail)

    async def _quietly(self, work: Coroutine[Any, Any, object]) -> None:
        """Unasked work has nobody to tell but the log; the reservation says how it ended."""
        try:
            await work
        except VoltyardError as error:
            log.info("a reservation: %s", error)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

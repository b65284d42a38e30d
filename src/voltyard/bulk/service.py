"""One command for many chargers, some at a time, each answer kept."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import msgspec

from voltyard.approvals.gate import Action, Gate, OpenGate
from voltyard.bulk import store
from voltyard.bulk.events import BulkChanged
from voltyard.bulk.model import (
    STATIONS_MAX,
    Bulk,
    BulkResult,
    BulkState,
    BulkView,
    ResultState,
)
from voltyard.bus import Bus
from voltyard.chargers.approving import Order, kind_of, order_change
from voltyard.chargers.commands import Ask, Command, CommandResult, CommandStatus
from voltyard.chargers.model import Station, StationFilter
from voltyard.chargers.secrets import keepable
from voltyard.chargers.service import ChargerService
from voltyard.clock import Clock
from voltyard.errors import Conflict, Invalid, NotFound, TooMany, VoltyardError
from voltyard.ids import new_id
from voltyard.storage.engine import Database
from voltyard.tenancy import audit, scope
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal

AT_ONCE = 32
RUNS_MAX = 8
"""Runs of one process under way at once; a further one is refused."""
DETAIL_MAX = 20_000
_TAKEN = frozenset({CommandStatus.ACCEPTED, CommandStatus.SCHEDULED, CommandStatus.REBOOT_REQUIRED})


class BulkService:
    """``start`` returns at once; the run goes on in the background and ends with the server."""

    def __init__(
        self, database: Database, bus: Bus, clock: Clock, chargers: ChargerService
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._chargers = chargers
        self._runs: dict[UUID, asyncio.Task[None]] = {}
        self._cancelled: set[UUID] = set()
        self._approvals: Gate = OpenGate()

    def gated_by(self, gate: Gate) -> None:
        """Configuration and firmware of many chargers may wait for a second person."""
        self._approvals = gate
        gate.carries_out(Action("chargers.bulk", Order, self._carry_out))

    async def load(self) -> None:
        """At start: what a former process left under way is interrupted."""
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            for bulk in await store.unfinished(tx):
                now = self._clock.now()
                await store.end(tx, replace(bulk, state=BulkState.INTERRUPTED, ended_at=now))

    def chosen(
        self, who: Principal, station_ids: Sequence[UUID], wanted: StationFilter | None
    ) -> list[Station]:
        """The stations named, or those that a filter finds. Raises NotFound, Invalid."""
        if bool(station_ids) == (wanted is not None):
            raise Invalid(
                "Name the chargers, or give a filter.", fields={"station_ids": "or filter"}
            )
        if wanted is not None:
            found = [view.station for view in self._chargers.list_stations(who.org_id, wanted)]
        else:
            ids = dict.fromkeys(station_ids)
            found = [self._chargers.station_view(who.org_id, one).station for one in ids]
        if not found:
            raise Invalid("No charger is chosen.", fields={"filter": "finds none"})
        if len(found) > STATIONS_MAX:
            raise Invalid("Too many chargers at once.", fields={"filter": f"over {STATIONS_MAX}"})
        return found

    async def start(
        self,
        who: Principal,
        stations: Sequence[Station],
        title: str,
        command: Callable[[Station], Command],
        *,
        timeout_s: float = 30.0,
    ) -> BulkView:
        """``command`` makes each charger's own; who may do it was asked before. Audited.

        Raises TooMany, and Proposed where it waits for a second person: one that may wait is the
        same for every charger.
        """
        if len(self._runs) >= RUNS_MAX:
            raise TooMany("Too many commands in bulk are under way.")
        first = command(stations[0])
        await self._permit(who, stations, title, first, timeout_s)
        shown = keepable(first)
        now = self._clock.now()
        bulk = Bulk(
            new_id(),
            who.org_id,
            title,
            msgspec.to_builtins(shown),
            who.name,
            now,
            BulkState.RUNNING,
            len(stations),
        )
        ids = [station.id for station in stations]
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            await store.insert(tx, bulk, ids)
            detail = {"command": title, "stations": len(ids)}
            await audit.write(tx, who, "bulk.start", "bulk", bulk.id, detail, at=now)
        task = asyncio.get_running_loop().create_task(
            self._run(bulk, stations, command, timeout_s), name=f"bulk {bulk.id}"
        )
        self._runs[bulk.id] = task
        task.add_done_callback(lambda _: self._forget(bulk.id))
        return BulkView(bulk, {ResultState.WAITING: len(ids)})

    async def _permit(
        self,
        who: Principal,
        stations: Sequence[Station],
        title: str,
        command: Command,
        timeout_s: float,
    ) -> None:
        kind = kind_of(command)
        if kind is not None:
            async with self._approvals.guarding(who):
                self._approvals.check(
                    who,
                    kind,
                    lambda: order_change(stations, command, title=title, timeout_s=timeout_s),
                )

    async def _carry_out(self, who: Principal, order: Order) -> Mapping[str, Any]:
        require(who, Permission.CHARGERS_COMMAND)
        stations = self.chosen(who, order.station_ids, None)
        view = await self.start(
            who, stations, order.title, lambda _: order.command, timeout_s=order.timeout_s
        )
        return {"bulk": str(view.bulk.id)}

    async def cancel(self, who: Principal, bulk_id: UUID) -> BulkView:
        """Chargers that were not asked yet are skipped; those that were are waited for."""
        view = await self.one(who.org_id, bulk_id)
        if bulk_id not in self._runs:
            raise Conflict("It has ended already.")
        self._cancelled.add(bulk_id)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            now = self._clock.now()
            await audit.write(tx, who, "bulk.cancel", "bulk", bulk_id, {}, at=now)
        return view

    async def one(self, org_id: UUID, bulk_id: UUID) -> BulkView:
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            found = await store.one(tx, bulk_id)
        if found is None:
            raise NotFound("There is no such command in bulk.")
        return found

    async def newest(self, org_id: UUID, *, limit: int = 50, offset: int = 0) -> list[BulkView]:
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            return await store.newest(tx, limit=limit, offset=offset)

    async def results(
        self,
        org_id: UUID,
        bulk_id: UUID,
        state: ResultState | None = None,
        *,
        limit: int = 100,
        offset: int = 0,
    ) -> list[BulkResult]:
        """Those that went wrong first."""
        await self.one(org_id, bulk_id)
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            return await store.results(tx, bulk_id, state, limit=limit, offset=offset)

    async def close(self) -> None:
        """The server ends: what was not asked is not asked any more."""
        runs = list(self._runs.values())
        for task in runs:
            task.cancel()
        await asyncio.gather(*runs, return_exceptions=True)

    def _forget(self, bulk_id: UUID) -> None:
        self._runs.pop(bulk_id, None)
        self._cancelled.discard(bulk_id)

    async def _run(
        self,
        bulk: Bulk,
        stations: Sequence[Station],
        command: Callable[[Station], Command],
        timeout_s: float,
    ) -> None:
        turn, answered = asyncio.Semaphore(AT_ONCE), 0

        async def ask(station: Station) -> None:
            nonlocal answered
            async with turn:
                if bulk.id in self._cancelled:
                    return
                sent = self._chargers.command(
                    station.id, command(station), bulk.requested_by, timeout_s=timeout_s
                )
                await self._keep(bulk, await self._asked(bulk, station, sent))
            answered += 1
            await self._tell(bulk, answered)

        async with asyncio.TaskGroup() as group:
            for station in stations:
                group.create_task(ask(station))
        state = BulkState.CANCELLED if bulk.id in self._cancelled else BulkState.DONE
        ended = replace(bulk, state=state, ended_at=self._clock.now())
        async with scope.transaction(self._database, scope.of(bulk.org_id)) as tx:
            await store.end(tx, ended)
        await self._tell(ended, answered)

    async def _asked(
        self, bulk: Bulk, station: Station, sent: Awaitable[CommandResult]
    ) -> BulkResult:
        try:
            result = await sent
        except VoltyardError as error:
            fields = dict(error.fields)
            return BulkResult(
                bulk.id, station.id, ResultState.FAILED, error.code, error.message, fields,
                self._clock.now(),
            )  # fmt: skip
        state = ResultState.ACCEPTED if result.status in _TAKEN else ResultState.REFUSED
        return BulkResult(
            bulk.id,
            station.id,
            state,
            result.word or result.status.value,
            "",
            _bounded(msgspec.to_builtins(dict(result.detail))),
            self._clock.now(),
            result.latency_ms,
        )

    async def _keep(self, bulk: Bulk, result: BulkResult) -> None:
        async with scope.transaction(self._database, scope.of(bulk.org_id)) as tx:
            await store.save_result(tx, result)

    async def _tell(self, bulk: Bulk, answered: int) -> None:
        now = self._clock.now()
        await self._bus.publish(BulkChanged(bulk.org_id, bulk.id, bulk.state.value, answered, now))


def titled(command: Command) -> str:
    """A command's name for lists."""
    return command.action if isinstance(command, Ask) else type(command).__name__


def _bounded(detail: dict[str, Any]) -> dict[str, Any]:
    """A whole configuration is kept with its charger, not here once more."""
    size = len(msgspec.json.encode(detail))
    return detail if size <= DETAIL_MAX else {"left_out": f"{size} characters"}

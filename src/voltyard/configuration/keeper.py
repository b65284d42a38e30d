"""Looks at chargers' configuration and sets what differs; never fights one that refuses.

A charger is looked at after it booted and every few hours, some at a time. At each look at most
``WRITES_MAX`` keys are set, each once: what it refused, holds read-only or does not know is kept
as such and left alone until the template's value or its firmware changes.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from voltyard.bus import Bus
from voltyard.chargers.arrivals import Arrivals
from voltyard.chargers.commands import (
    CommandResult,
    CommandStatus,
    ReadConfiguration,
    WriteConfiguration,
)
from voltyard.chargers.events import StationApproved, StationBooted
from voltyard.chargers.model import ConfigRow, Station, StationState
from voltyard.chargers.service import ChargerService
from voltyard.chargers.settings import SINGLE_MESSAGE, named
from voltyard.clock import Clock
from voltyard.configuration import store
from voltyard.configuration.events import DriftChanged
from voltyard.configuration.model import Drift, DriftState, Template, Wanted, same
from voltyard.errors import ChargerRefused, Conflict, Invalid, VoltyardError
from voltyard.storage.engine import Database
from voltyard.storage.groupcommit import REFUSALS
from voltyard.tenancy import scope

log = logging.getLogger(__name__)

AFTER_BOOT_S = 30.0
"""Limits and reports come first."""
AGAIN_AFTER = timedelta(hours=6)
AT_ONCE = 16
PER_SWEEP = 200
WRITES_MAX = 20
KEYS_PER_READ = 10
TIMEOUT_S = 30.0
REPAIRED_KEPT = timedelta(days=30)
WHO = "voltyard"
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Goal:
    """What a key should be, and by which template."""

    wanted: Wanted
    template: Template


class Keeper:
    """``run`` drives it; ``templates`` is kept up to date by the service."""

    def __init__(
        self, database: Database, bus: Bus, clock: Clock, chargers: ChargerService
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._chargers = chargers
        self.templates: Mapping[UUID, Sequence[Template]] = {}
        self._arrivals = Arrivals(clock)
        self._looked_at: dict[UUID, datetime] = {}
        self._waiting: asyncio.Queue[tuple[UUID, float]] = asyncio.Queue()
        self._under_way: set[UUID] = set()

    def listen(self) -> None:
        self._arrivals.listen(self._bus, name="configuration.arrivals")
        self._bus.subscribe(StationBooted, self._on_boot, name="configuration.boot")
        self._bus.subscribe(StationApproved, self._on_boot, name="configuration.approved")

    async def run(self) -> None:
        """Until cancelled; one slow charger delays nobody but those beyond ``AT_ONCE``."""
        turn = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            while True:
                station_id, wait_s = await self._waiting.get()
                group.create_task(self._look(station_id, wait_s, turn))

    async def sweep(self) -> None:
        """Queue connected chargers that were not looked at for long, the longest first."""
        due = self._clock.now() - AGAIN_AFTER
        stale: list[tuple[datetime, UUID]] = []
        for org_id in self.templates:
            for view in self._chargers.list_stations(org_id):
                looked_at = self._looked_at.get(view.station.id, NEVER)
                if view.station.connected and looked_at <= due:
                    stale.append((looked_at, view.station.id))
        for _, station_id in sorted(stale)[:PER_SWEEP]:
            self.ask_for(station_id)
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            await store.drop_repaired(tx, self._clock.now() - REPAIRED_KEPT)

    def ask_for(self, station_id: UUID, wait_s: float = 0.0) -> None:
        if station_id not in self._under_way:
            self._under_way.add(station_id)
            self._waiting.put_nowait((station_id, wait_s))

    def goals(self, station: Station, version: str) -> dict[str, Goal]:
        """By key; of several templates the more specific one decides."""
        mine = self.templates.get(station.org_id, ())
        vendor, model = station.vendor or "", station.model or ""
        fitting = [template for template in mine if template.fits(vendor, model, version)]
        found: dict[str, Goal] = {}
        for template in sorted(fitting, key=lambda one: (one.pattern.weight, one.name)):
            for wanted in template.wanted:
                found[wanted.key] = Goal(wanted, template)
        return found

    async def _on_boot(self, event: StationBooted | StationApproved) -> None:
        if self.templates.get(event.org_id):
            self.ask_for(event.station_id, AFTER_BOOT_S)

    async def _look(self, station_id: UUID, wait_s: float, turn: asyncio.Semaphore) -> None:
        try:
            if wait_s:
                await self._clock.sleep(wait_s)
            async with turn:
                await self._arrivals.calm()
                await self.look(station_id)
        except VoltyardError as error:
            log.info("configuration of %s could not be looked at: %s", station_id, error)
        except REFUSALS as error:
            log.warning("configuration of %s is looked at later: %r", station_id, error)
        finally:
            self._under_way.discard(station_id)

    async def look(self, station_id: UUID, *, afresh: bool = False) -> list[Drift]:
        """Compare and repair one charger now; ``afresh`` tries again what it had refused.

        Raises as ``StationLink.send`` does when it cannot be read.
        """
        station, link = self._chargers.station(station_id), self._chargers.link(station_id)
        if station is None or link is None or station.state is not StationState.APPROVED:
            return []
        goals = self.goals(station, link.version)
        async with scope.transaction(self._database, scope.of(station.org_id)) as tx:
            known = {drift.key: drift for drift in await store.drift_of(tx, station_id)}
        stored = list(known)
        rows = await self._read(station_id, goals) if goals else {}
        self._looked_at[station_id] = self._clock.now()
        found, writes = [], 0
        for key, goal in goals.items():
            before = known.pop(key, None)
            drift = self._compared(station, goal, rows.get(key), before, afresh=afresh)
            differs = drift is not None and drift.state is DriftState.DRIFTED
            if drift is not None and differs and goal.template.repairs and writes < WRITES_MAX:
                writes += 1
                drift = await self._repair(drift)
            if drift is not None:
                found.append(drift)
        left = {drift.key for drift in found}
        await self._keep(station, found, gone=[key for key in stored if key not in left])
        return found

    async def _read(
        self, station_id: UUID, goals: Mapping[str, Goal]
    ) -> dict[str, ConfigRow | None]:
        """Some keys a message, as chargers bound them; what its version has no key for is none."""
        version = self._chargers.version(station_id)
        keys = [key for key in goals if version in SINGLE_MESSAGE or named(key, version).component]
        told: dict[str, ConfigRow] = {}
        for start in range(0, len(keys), KEYS_PER_READ):
            command = ReadConfiguration(tuple(keys[start : start + KEYS_PER_READ]))
            result = await self._chargers.command(station_id, command, WHO, timeout_s=TIMEOUT_S)
            rows: Iterable[ConfigRow] = result.detail.get("rows", ())
            told |= {row.key.casefold(): row for row in rows if row.attribute == "Actual"}
        return {key: told.get(key.casefold()) for key in goals}

    def _compared(
        self,
        station: Station,
        goal: Goal,
        row: ConfigRow | None,
        before: Drift | None,
        *,
        afresh: bool,
    ) -> Drift | None:
        """None where nothing differs and nothing is worth keeping."""
        now, firmware = self._clock.now(), station.firmware or ""
        found = None if row is None else row.value
        if row is not None and same(goal.wanted.value, found):
            kept = before is not None and before.wanted == goal.wanted.value
            if before is None or not kept:
                return None
            settled = before.state in (DriftState.REPAIRED, DriftState.REBOOT_NEEDED)
            return replace(before, found=found, state=DriftState.REPAIRED) if settled else None
        if before is not None and not afresh:
            if before.still_settled(goal.wanted.value, firmware):
                return replace(before, found=found)
            if before.state is DriftState.REBOOT_NEEDED and not self._booted_since(station, before):
                return replace(before, found=found)
        state = DriftState.DRIFTED
        if row is None:
            state = DriftState.UNKNOWN_KEY
        elif row.readonly:
            state = DriftState.READ_ONLY
        return Drift(
            station.id,
            station.org_id,
            goal.wanted.key,
            goal.wanted.value,
            found,
            state,
            goal.template.name,
            firmware,
            0 if before is None else before.tries,
            "",
            now if before is None else before.since,
            now,
        )

    def _booted_since(self, station: Station, drift: Drift) -> bool:
        return station.booted_at is not None and station.booted_at > drift.changed_at

    async def _repair(self, drift: Drift) -> Drift:
        """One try. No answer leaves it for the next look."""
        command = WriteConfiguration(drift.key, drift.wanted)
        tried = replace(drift, tries=drift.tries + 1, changed_at=self._clock.now())
        try:
            result = await self._chargers.command(
                drift.station_id, command, WHO, timeout_s=TIMEOUT_S
            )
        except (ChargerRefused, Invalid, Conflict) as error:
            return self._refused(tried, error.code)
        except VoltyardError as error:
            return replace(tried, word=error.code)
        return self._answered(tried, result)

    def _answered(self, drift: Drift, result: CommandResult) -> Drift:
        word = result.word or result.status.value
        if result.status is CommandStatus.ACCEPTED:
            return replace(drift, state=DriftState.REPAIRED, word=word)
        if result.status is CommandStatus.REBOOT_REQUIRED:
            return replace(drift, state=DriftState.REBOOT_NEEDED, word=word)
        if result.status is CommandStatus.NOT_SUPPORTED:
            return replace(drift, state=DriftState.UNKNOWN_KEY, word=word)
        return self._refused(drift, word)

    def _refused(self, drift: Drift, word: str) -> Drift:
        station = self._chargers.station(drift.station_id)
        if station is not None:
            self._chargers.flag(
                station.ref, "configuration_refused", f"{drift.key}={drift.wanted}: {word}"
            )
        return replace(drift, state=DriftState.REFUSED, word=word)

    async def _keep(self, station: Station, found: Sequence[Drift], gone: Sequence[str]) -> None:
        if found or gone:
            async with scope.transaction(self._database, scope.of(station.org_id)) as tx:
                await store.save_drift(tx, found)
                await store.drop_drift(tx, station.id, gone)
        still = sum(1 for drift in found if drift.state is not DriftState.REPAIRED)
        await self._bus.publish(
            DriftChanged(station.org_id, station.site_id, station.id, still, self._clock.now())
        )

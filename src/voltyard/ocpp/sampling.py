"""How often chargers report while they charge: looked at after a boot, set where it differs.

What a charger refuses is flagged once and left alone; one that is right is only looked at.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from voltyard.bus import Bus
from voltyard.chargers.arrivals import Arrivals
from voltyard.chargers.commands import (
    Command,
    CommandResult,
    CommandStatus,
    ReadConfiguration,
    StationLink,
    WriteConfiguration,
)
from voltyard.chargers.events import StationApproved, StationBooted, StationConnected
from voltyard.chargers.model import ConfigRow, Station, StationRef, StationState
from voltyard.clock import Clock
from voltyard.errors import ChargerRefused, VoltyardError
from voltyard.storage.groupcommit import REFUSALS

log = logging.getLogger(__name__)

AFTER_S = 10.0
"""Limits come first; so do the reports of a charger that has just booted."""
AT_ONCE = 32
TIMEOUT_S = 30.0
OFTENER = 3
"""A charger that reports up to so many times as often is left alone."""

ENERGY, POWER, SOC = "Energy.Active.Import.Register", "Power.Active.Import", "SoC"
NEEDED = frozenset({ENERGY, POWER, SOC})
LISTS = (
    f"{ENERGY},{POWER},{SOC},Current.Import,Voltage",
    f"{ENERGY},{POWER},{SOC}",
    f"{ENERGY},{POWER}",
)
"""What to report, the best first: chargers refuse a list with one name that they do not know."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Where a version keeps it (1.6 §9.1; 2.0.1 SampledDataCtrlr)."""

    interval: str
    measurands: str


_DEVICE_MODEL = Keys("SampledDataCtrlr.TxUpdatedInterval", "SampledDataCtrlr.TxUpdatedMeasurands")
KEYS: Mapping[str, Keys] = {
    "1.6": Keys("MeterValueSampleInterval", "MeterValuesSampledData"),
    "2.0.1": _DEVICE_MODEL,
    "2.1": _DEVICE_MODEL,
}


class Chargers(Protocol):
    """What it needs of the charger room."""

    def station(self, station_id: UUID) -> Station | None: ...

    def link(self, station_id: UUID) -> StationLink | None: ...

    def flag(self, station: StationRef, flag: str, detail: str) -> None: ...

    async def command(
        self, station_id: UUID, command: Command, principal_name: str, *, timeout_s: float = 30.0
    ) -> CommandResult: ...


class Sampling:
    """Events name stations to look at; ``run`` looks at them."""

    def __init__(self, chargers: Chargers, clock: Clock, *, interval_s: int) -> None:
        self._chargers = chargers
        self._clock = clock
        self._interval_s = interval_s
        self._arrivals = Arrivals(clock)
        self._waiting: asyncio.Queue[UUID] = asyncio.Queue()
        self._under_way: set[UUID] = set()
        self._seen: set[UUID] = set()
        self._refused: set[tuple[UUID, str | None, str, str]] = set()
        self._governed: Callable[[UUID], frozenset[str]] = lambda station_id: frozenset()

    def subscribe(self, bus: Bus) -> None:
        self._arrivals.listen(bus, name="sampling.arrivals")
        bus.subscribe(StationBooted, self._on_boot, name="sampling.booted")
        bus.subscribe(StationApproved, self._on_boot, name="sampling.approved")
        bus.subscribe(StationConnected, self._on_connected, name="sampling.connected")

    async def run(self) -> None:
        """Until cancelled; one slow charger delays nobody but those beyond ``AT_ONCE``."""
        turn = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._look(await self._waiting.get(), turn))

    async def _on_boot(self, event: StationBooted | StationApproved) -> None:
        self._ask_for(event.station_id)

    async def _on_connected(self, event: StationConnected) -> None:
        """A charger that was looked at and only lost its connection kept what it was told."""
        if event.station_id not in self._seen:
            self._ask_for(event.station_id)

    def _ask_for(self, station_id: UUID) -> None:
        if station_id not in self._under_way:
            self._under_way.add(station_id)
            self._waiting.put_nowait(station_id)

    async def _look(self, station_id: UUID, turn: asyncio.Semaphore) -> None:
        again = False
        try:
            await self._clock.sleep(AFTER_S)
            async with turn:
                await self._arrivals.calm()
                await self._set_right(station_id)
        except VoltyardError as error:
            log.info("how often %s reports could not be set: %s", station_id, error)
        except REFUSALS as error:
            log.warning("how often %s reports is looked at later: %r", station_id, error)
            again = True
        finally:
            self._under_way.discard(station_id)
        if again:
            self._ask_for(station_id)

    def governed_by(self, governed: Callable[[UUID], frozenset[str]]) -> None:
        """Keys that somebody else decides for a charger are left to them."""
        self._governed = governed

    async def _set_right(self, station_id: UUID) -> None:
        station, link = self._chargers.station(station_id), self._chargers.link(station_id)
        if station is None or link is None or station.state is not StationState.APPROVED:
            return
        keys = KEYS.get(link.version)
        if keys is None:
            return
        rows = await self._read(link, keys)
        interval, measurands = rows.get(keys.interval), rows.get(keys.measurands)
        governed = self._governed(station_id)
        if keys.interval not in governed and not _often_enough(interval, self._interval_s):
            await self._write(station, keys.interval, interval, [str(self._interval_s)])
        if keys.measurands not in governed and not _names(measurands) >= NEEDED:
            had = _names(measurands)
            better = [text for text in LISTS if not set(text.split(",")) <= had]
            await self._write(station, keys.measurands, measurands, better)
        self._seen.add(station_id)

    async def _read(self, link: StationLink, keys: Keys) -> dict[str, ConfigRow]:
        """A charger that will not tell may still be told."""
        wanted = ReadConfiguration((keys.interval, keys.measurands))
        try:
            result = await link.send(wanted, timeout_s=TIMEOUT_S)
        except ChargerRefused:
            return {}
        rows: Iterable[ConfigRow] = result.detail.get("rows", ())
        return {f"{row.component}.{row.name}" if row.component else row.name: row for row in rows}

    async def _write(
        self, station: Station, key: str, row: ConfigRow | None, values: Iterable[str]
    ) -> None:
        """The first of ``values`` that the charger takes; what it refused is not tried again."""
        if row is not None and row.readonly:
            return self._flag(station, key, "is read-only")
        for value in values:
            refusal = (station.id, station.firmware, key, value)
            if refusal in self._refused:
                continue
            answer = await self._ask(station, key, value)
            if answer in (CommandStatus.ACCEPTED, CommandStatus.REBOOT_REQUIRED):
                return None
            self._refused.add(refusal)
            self._flag(station, key, f"refuses {value}")
        return None

    async def _ask(self, station: Station, key: str, value: str) -> CommandStatus:
        command = WriteConfiguration(key, value)
        try:
            result = await self._chargers.command(
                station.id, command, "voltyard", timeout_s=TIMEOUT_S
            )
        except ChargerRefused:
            return CommandStatus.REJECTED
        return result.status

    def _flag(self, station: Station, key: str, why: str) -> None:
        self._chargers.flag(station.ref, "sampling_refused", f"{key} {why}")


def _often_enough(row: ConfigRow | None, wanted_s: int) -> bool:
    text = "" if row is None or row.value is None else row.value.strip()
    return text.isdecimal() and wanted_s / OFTENER <= int(text) <= wanted_s


def _names(row: ConfigRow | None) -> set[str]:
    text = "" if row is None or row.value is None else row.value
    return {name.strip() for name in text.split(",") if name.strip()}

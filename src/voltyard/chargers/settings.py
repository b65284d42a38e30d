"""Configuration of chargers as they told it: kept, completed, brought up to date by what is set."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from voltyard.chargers import store
from voltyard.chargers.commands import (
    Command,
    CommandResult,
    CommandStatus,
    ReadConfiguration,
    WriteConfiguration,
)
from voltyard.chargers.core import ChargerCore, FullReport
from voltyard.chargers.directory import Entry
from voltyard.chargers.model import ConfigRow, StationRef
from voltyard.chargers.secrets import HIDDEN, is_secret
from voltyard.tenancy import scope

CONFIG_ROWS_MAX = 20_000
SINGLE_MESSAGE = frozenset({"1.6"})
"""Versions that tell the whole configuration in one answer instead of in reports."""
NAME = re.compile(
    r"(?P<component>[^.\[\]@]+)(?:\[(?P<component_instance>[^\]]+)\])?"
    r"(?:@(?P<evse>\d{1,4})(?:/(?P<connector>\d{1,3}))?)?"
    r"\.(?P<variable>[^.\[\]@]+)(?:\[(?P<instance>[^\]]+)\])?"
)


def named(key: str, version: str) -> ConfigRow:
    """The row a key means: a key of 1.6, or ``Component[i]@evse/connector.Variable[i]``."""
    found = None if version in SINGLE_MESSAGE else NAME.fullmatch(key.strip())
    if found is None:
        return ConfigRow(key.strip(), None)
    return ConfigRow(
        name=found["variable"],
        value=None,
        component=found["component"],
        instance=found["instance"] or "",
        evse_number=None if found["evse"] is None else int(found["evse"]),
        component_instance=found["component_instance"] or "",
        connector_number=None if found["connector"] is None else int(found["connector"]),
    )


class StationSettings(ChargerCore):
    """What a charger tells of its configuration, in answers or in reports."""

    async def configuration_reported(
        self,
        station: StationRef,
        rows: Sequence[ConfigRow],
        *,
        complete: bool,
        report_id: int | None = None,
    ) -> None:
        """A report's part; ``complete``: its last. What a full report left out is forgotten."""
        entry = self._entry(station.id)
        await self._keep(entry, rows)
        if not complete:
            return
        full = self._full_reports.get(station.id)
        if report_id is None:
            await self._forget_before(entry, self._clock.now())
        elif full is not None and full.report_id == report_id:
            del self._full_reports[station.id]
            await self._forget_before(entry, full.asked_at)

    def _expecting(self, entry: Entry, command: Command) -> Command:
        """Number the report of a full reading before it is asked for: its parts may come first."""
        if not isinstance(command, ReadConfiguration) or command.keys:
            return command
        now = self._clock.now()
        number = command.report_id or int(now.timestamp()) % 2_000_000_000
        self._full_reports[entry.station.id] = FullReport(number, now)
        return replace(command, report_id=number)

    async def _learned(self, entry: Entry, command: Command, result: CommandResult) -> None:
        """Keep what an answer tells of the configuration."""
        if isinstance(command, ReadConfiguration):
            rows: Sequence[ConfigRow] = result.detail.get("rows", ())
            began = self._clock.now()
            await self._keep(entry, rows)
            if rows and not command.keys and self._version(entry) in SINGLE_MESSAGE:
                self._full_reports.pop(entry.station.id, None)
                await self._forget_before(entry, began)
        elif isinstance(command, WriteConfiguration):
            await self._was_set(entry, command, result.status)

    async def _was_set(
        self, entry: Entry, command: WriteConfiguration, status: CommandStatus
    ) -> None:
        reboot = status is CommandStatus.REBOOT_REQUIRED
        if status is not CommandStatus.ACCEPTED and not reboot:
            return
        row = named(command.key, self._version(entry))
        value = HIDDEN if is_secret(command.key) else command.value
        row = replace(row, value=value, attribute=command.attribute or "Actual")
        needed_at = self._clock.now() if reboot else None
        await self._commits.submit([store.config_set(entry.station.id, row, needed_at)])

    async def _keep(self, entry: Entry, rows: Sequence[ConfigRow]) -> None:
        now = self._clock.now()
        if len(rows) > CONFIG_ROWS_MAX:
            entry.note("configuration_cut", str(len(rows)), now)
        station = entry.station
        writes = [
            store.config_write(station.org_id, station.id, _shown(row), now)
            for row in rows[:CONFIG_ROWS_MAX]
        ]
        await self._commits.submit(writes)

    async def _forget_before(self, entry: Entry, at: datetime) -> None:
        station = entry.station
        async with scope.transaction(self._database, scope.of(station.org_id)) as tx:
            await store.drop_config_before(tx, station.id, at)

    def _version(self, entry: Entry) -> str:
        if entry.link is not None:
            return entry.link.version
        return entry.station.ocpp_version or ""

    def version(self, station_id: UUID) -> str:
        """The OCPP version it speaks, or spoke last; empty if it never did."""
        return self._version(self._entry(station_id))


def _shown(row: ConfigRow) -> ConfigRow:
    secret = row.value and is_secret(row.name)
    return replace(row, value=HIDDEN) if secret else row

"""How often chargers report is set where it differs, and never asked twice of one that refuses."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from voltyard.bus import Bus
from voltyard.chargers.commands import (
    Command,
    CommandResult,
    CommandStatus,
    ReadConfiguration,
    WriteConfiguration,
)
from voltyard.chargers.events import StationBooted, StationConnected
from voltyard.chargers.model import ConfigRow, Station, StationRef, StationState
from voltyard.clock import Clock
from voltyard.errors import ChargerRefused, ChargerTimeout
from voltyard.ocpp.sampling import KEYS, LISTS, Sampling
from voltyard.simulator.loop import run_virtual

START = datetime(2026, 1, 15, 18, 0, tzinfo=UTC)
RIGHT = {"MeterValueSampleInterval": "30", "MeterValuesSampledData": LISTS[1]}


@dataclass
class Charger:
    """The charger room with one charger in it, which holds a configuration."""

    held: dict[str, str]
    version: str = "1.6"
    readonly: bool = False
    refuses: Callable[[str], bool] = lambda value: False
    fails: Exception | None = None
    station_now: Station = field(
        default_factory=lambda: Station(uuid4(), uuid4(), None, "CP1", StationState.APPROVED)
    )
    reads: int = 0
    writes: list[tuple[str, str]] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)

    def station(self, station_id: UUID) -> Station | None:
        return self.station_now

    def link(self, station_id: UUID) -> Any:
        return self

    def flag(self, station: StationRef, flag: str, detail: str) -> None:
        self.flags.append(detail)

    async def send(self, command: Command, *, timeout_s: float = 30.0) -> CommandResult:
        assert isinstance(command, ReadConfiguration)
        self.reads += 1
        if self.fails is not None:
            raise self.fails
        rows = []
        for key in command.keys:
            component, _, name = key.rpartition(".")
            if key in self.held:
                row = ConfigRow(name, self.held[key], readonly=self.readonly, component=component)
                rows.append(row)
        return CommandResult(CommandStatus.ACCEPTED, "", {"rows": tuple(rows)})

    async def command(
        self, station_id: UUID, command: Command, principal_name: str, *, timeout_s: float = 30.0
    ) -> CommandResult:
        assert isinstance(command, WriteConfiguration)
        self.writes.append((command.key, command.value))
        if self.refuses(command.value):
            return CommandResult(CommandStatus.REJECTED, "Rejected")
        self.held[command.key] = command.value
        return CommandResult(CommandStatus.ACCEPTED, "Accepted")


def play(charger: Charger, story: Callable[[Bus, Clock], Awaitable[None]]) -> None:
    async def main(clock: Clock) -> None:
        bus, sampling = Bus(), Sampling(charger, clock, interval_s=30)
        sampling.subscribe(bus)
        running = asyncio.get_running_loop().create_task(sampling.run())
        await story(bus, clock)
        running.cancel()

    run_virtual(main, START)


def booted(charger: Charger) -> StationBooted:
    station = charger.station_now
    return StationBooted(station.org_id, None, station.id, "PowerUp", START)


def connected(charger: Charger) -> StationConnected:
    station = charger.station_now
    return StationConnected(station.org_id, None, station.id, charger.version, START)


def boot(charger: Charger, times: int = 1) -> None:
    async def story(bus: Bus, clock: Clock) -> None:
        for _ in range(times):
            await bus.publish(booted(charger))
            await clock.sleep(60)

    play(charger, story)


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_what_differs_is_set_and_then_left_alone(version: str) -> None:
    keys = KEYS[version]
    held = {keys.interval: "900", keys.measurands: "Energy.Active.Import.Register"}
    charger = Charger(held, version)
    boot(charger, times=2)
    assert charger.writes == [(keys.interval, "30"), (keys.measurands, LISTS[0])]
    assert charger.reads == 2
    assert charger.flags == []


def test_one_that_is_right_is_only_looked_at() -> None:
    charger = Charger(dict(RIGHT))
    boot(charger)
    assert (charger.reads, charger.writes) == (1, [])
    charger.held["MeterValueSampleInterval"] = "10"
    boot(charger)
    assert charger.writes == [], "oftener does no harm"
    charger.held["MeterValueSampleInterval"] = "0"
    boot(charger)
    assert charger.writes == [("MeterValueSampleInterval", "30")], "0 means never"


def test_a_charger_without_state_of_charge_gets_the_list_that_it_takes() -> None:
    charger = Charger({"MeterValueSampleInterval": "30"}, refuses=lambda value: "SoC" in value)
    boot(charger, times=3)
    assert [value for _, value in charger.writes] == list(LISTS), "each is tried once"
    assert len(charger.flags) == 2


def test_what_cannot_be_written_is_flagged_and_not_tried() -> None:
    charger = Charger({"MeterValueSampleInterval": "60", "MeterValuesSampledData": LISTS[0]})
    charger.readonly = True
    boot(charger)
    assert charger.writes == []
    assert charger.flags == ["MeterValueSampleInterval is read-only"]


def test_a_charger_that_refuses_everything_is_asked_once_per_firmware() -> None:
    charger = Charger(dict(RIGHT) | {"MeterValueSampleInterval": "0"}, refuses=lambda value: True)

    async def story(bus: Bus, clock: Clock) -> None:
        for firmware in ("1.0", "1.0", "1.0", "2.0"):
            charger.station_now = replace(charger.station_now, firmware=firmware)
            await bus.publish(booted(charger))
            await clock.sleep(60)

    play(charger, story)
    assert len(charger.writes) == len(charger.flags) == 2, "other firmware may take it"


def test_one_that_will_not_tell_may_still_be_told_and_silence_waits_for_the_next_boot() -> None:
    charger = Charger(dict(RIGHT), fails=ChargerRefused("no"))
    boot(charger)
    assert len(charger.writes) == 2
    charger = Charger(dict(RIGHT), fails=ChargerTimeout("no answer"))
    boot(charger, times=2)
    assert (charger.reads, charger.writes) == (2, [])


def test_a_database_that_is_away_for_a_moment_ends_nothing() -> None:
    charger = Charger({"MeterValueSampleInterval": "900"}, fails=ConnectionResetError("restarts"))

    async def story(bus: Bus, clock: Clock) -> None:
        await bus.publish(booted(charger))
        await clock.sleep(60)
        charger.fails = None
        await bus.publish(booted(charger))
        await clock.sleep(60)

    play(charger, story)
    assert charger.held["MeterValueSampleInterval"] == "30"


def test_connecting_again_asks_nothing_and_boots_in_a_row_ask_once() -> None:
    charger = Charger(dict(RIGHT))

    async def story(bus: Bus, clock: Clock) -> None:
        await bus.publish(connected(charger), booted(charger), booted(charger))
        await clock.sleep(60)
        await bus.publish(connected(charger))
        await clock.sleep(60)

    play(charger, story)
    assert charger.reads == 1


def test_a_station_that_nobody_approved_is_left_alone() -> None:
    charger = Charger({})
    charger.station_now = replace(charger.station_now, state=StationState.PENDING)
    boot(charger)
    assert (charger.reads, charger.writes) == (0, [])

"""The robustness tests and the fuzzer of npm ``ocpp-ws-cli`` against a voltyard on PostgreSQL."""

import asyncio
import json
import logging
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.interop.house import PASSWORD, House, house
from tests.interop.process import NODE, Program, package, program
from tests.protocol.resident import MIB, resident_bytes
from voltyard.chargers.service import ChargerSettings
from voltyard.ocpp.gateway import GatewaySettings
from voltyard.storage.engine import PostgresDatabase

TESTS = 21
# What real chargers do and are served unless the port is strict, and the 1.6 spelling of a word
# that the tests know only as 2.0.1 spells it.
LENIENT = {
    "Server requires subprotocol",
    "Server rejects oversized frames (>128KB)",
    "Server enforces MessageId is a string",
    "Server rejects missing payload in CALL",
}
SPELLING_16 = {"Server rejects non-object payload in CALL"}
WORKERS = 5


def cli(command: str, *more: str) -> list[str]:
    return [str(NODE), str(package("ocpp-ws-cli") / "dist" / "index.js"), command, *more]


async def verdict(here: House, version: str, folder: Path) -> dict[str, Any]:
    """The report of its tests as the station of that version."""
    identity = f"NPM-TESTS-{version}"
    await here.add(identity)
    endpoint = here.url.replace("ws://", f"ws://{identity}:{PASSWORD}@")
    who = ["--endpoint", endpoint, "--identity", identity, "--protocol", f"ocpp{version}"]
    report = ["--suite", "all", "--report", "json", "--reportDir", str(folder)]
    async with program(*cli("test", *who, *report)) as running:
        await asyncio.wait_for(running.process.wait(), 120)
    return report_in(folder)


def report_in(folder: Path) -> dict[str, Any]:
    (file,) = folder.glob("*.json")
    return dict(json.loads(file.read_text()))


def failed(report: dict[str, Any]) -> set[str]:
    results = report["testResults"]
    assert len(results) == TESTS
    return {result["name"] for result in results if not result["passed"]}


async def test_all_of_its_robustness_tests_pass_on_a_strict_port(
    database: PostgresDatabase, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(database, GatewaySettings(strict=True)) as here:
        versions = ("1.6", "2.0.1")
        with caplog.at_level(logging.ERROR, "voltyard"):
            reports = await asyncio.gather(
                *(verdict(here, version, tmp_path / version) for version in versions)
            )
    assert [failed(report) for report in reports] == [set(), set()]
    assert caplog.records == []


async def test_unless_strict_only_what_real_chargers_do_is_let_pass(
    database: PostgresDatabase, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(database) as here:
        with caplog.at_level(logging.ERROR, "voltyard"):
            old, new = await asyncio.gather(
                *(verdict(here, version, tmp_path / version) for version in ("1.6", "2.0.1"))
            )
    assert failed(old) == LENIENT | SPELLING_16
    assert failed(new) == LENIENT
    assert caplog.records == []


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("anomalies", [500, 300_000])
async def test_its_fuzzer_finds_nothing(
    database: PostgresDatabase, tmp_path: Path, caplog: pytest.LogCaptureFixture, anomalies: int
) -> None:
    """Five workers in flood mode; 300,000 anomalies are ten minutes. Nobody is cut off."""
    async with house(database, settings=ChargerSettings(allow_no_password=True)) as here:
        for number in range(1, WORKERS + 1):
            await here.add(f"Fuzzer-{number}", password=None)
        options = ["--endpoint", here.url, "--workers", str(WORKERS), "--flood"]
        report = ["--report", "json", "--reportDir", str(tmp_path)]
        with caplog.at_level(logging.ERROR, "voltyard"):
            async with program(*cli("fuzz", *options, *report)) as fuzzer:
                await sent(fuzzer, min(anomalies, 20_000) // 2, 300)
                before = resident_bytes()
                await sent(fuzzer, anomalies, 1_500)
                grown = resident_bytes() - before
                fuzzer.process.send_signal(signal.SIGINT)
                await fuzzer.shows("Yielding back")
    metrics = report_in(tmp_path)["metrics"]
    assert metrics["serverDrops"] == 0
    assert metrics["serverErrors"] > anomalies / 4
    assert caplog.records == []
    assert grown < 32 * MIB


async def sent(fuzzer: Program, anomalies: int, wait_s: float) -> None:
    """Until its display says so."""

    def reached() -> bool:
        shown = re.findall(r"Anomalies Sent:\D+(\d+)", fuzzer.shown[-2_000:])
        return bool(shown) and int(shown[-1]) >= anomalies

    await fuzzer.comes_to(reached, wait_s)

"""A charge point on the PyPI library ``ocpp`` charges here, and obeys the limit it is sent."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.interop.house import PASSWORD, TOKEN, WAIT_S, House, house
from voltyard.chargers.commands import CommandStatus, LimitPurpose, RemoteStop, SetLimit
from voltyard.chargers.model import Station
from voltyard.sessions.events import MeterReported, SessionEnded, SessionStarted
from voltyard.sessions.model import SessionState
from voltyard.storage.engine import PostgresDatabase

REPOSITORY = Path(__file__).parents[2]
FULL_W = 22_000.0
LIMIT_W = 7_000.0


class Program:
    """A charge point in a process of its own, and what it has told so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.told: list[dict[str, Any]] = []

    async def until(self, event: str, **facts: Any) -> dict[str, Any]:
        """Read its lines up to one with that event and facts."""
        assert self.process.stdout is not None
        wanted = {"event": event, **facts}
        async with asyncio.timeout(WAIT_S):
            while line := await self.process.stdout.readline():
                fact = json.loads(line)
                self.told.append(fact)
                if wanted.items() <= fact.items():
                    return fact
        raise AssertionError(f"it ended before {wanted}: {self.told}")

    async def say(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n".encode())
        await self.process.stdin.drain()


@asynccontextmanager
async def program(*command: str) -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def limit(purpose: LimitPurpose, reference: str | None) -> SetLimit:
    return SetLimit(purpose, 1, 77, 3, limit_w=LIMIT_W, valid_s=600, transaction_ref=reference)


async def charges_under_our_limit(here: House, point: Program, station: Station) -> None:
    """Boot, card, charging at full power, our limit, power dropped, remote stop."""
    await point.until("authorised", status="Accepted")
    started = await here.until(lambda event: isinstance(event, SessionStarted))
    assert started.vehicle_id == here.vehicle.id
    await here.until(lambda event: isinstance(event, MeterReported) and event.power_w == FULL_W)

    session = await here.session(started)
    reference = session.transaction_ref
    result = await here.command(station, limit(LimitPurpose.TX, reference))
    assert result.status is CommandStatus.ACCEPTED
    await point.until("power", power_w=LIMIT_W)
    await here.until(lambda event: isinstance(event, MeterReported) and event.power_w == LIMIT_W)

    assert (await here.command(station, RemoteStop(reference))).accepted
    told = await point.until("stopped")
    ended = await here.until(lambda event: isinstance(event, SessionEnded))
    session = await here.session(ended)
    assert session.state is SessionState.ENDED
    assert session.energy_wh == pytest.approx(told["energy_wh"], abs=1.0)
    assert len(here.seen(SessionStarted)) == len(here.seen(SessionEnded)) == 1


@pytest.mark.parametrize("version", ["16", "201"])
async def test_the_library_charges_under_our_limit(
    database: PostgresDatabase, version: str
) -> None:
    identity = f"PYPI-{version}"
    module = f"tests.interop.charge_point_{version}"
    async with house(database) as here:
        station = await here.add(identity)
        command = [sys.executable, "-m", module, here.url, identity, PASSWORD, TOKEN]
        async with program(*command) as point:
            await charges_under_our_limit(here, point, station)

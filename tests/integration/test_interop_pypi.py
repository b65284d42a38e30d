"""A charge point on the PyPI library ``ocpp`` charges here, and obeys the limit it is sent."""

import sys

import pytest

from tests.interop.depot import GRID_W, depot
from tests.interop.house import PASSWORD, TOKEN, house
from tests.interop.process import program
from tests.interop.tale import charges_under_our_limit
from voltyard.storage.engine import PostgresDatabase


@pytest.mark.parametrize("version", ["16", "201", "21"])
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


@pytest.mark.parametrize("version", ["16", "201", "21"])
async def test_the_library_waits_for_its_fail_safe_limit_and_keeps_the_sites(
    database_url: str, version: str
) -> None:
    """It answers no TriggerMessage: it comes back by itself."""
    identity = f"PYPI-{version}"
    module = f"tests.interop.charge_point_{version}"
    async with depot(database_url) as here:
        await here.add(identity)
        command = [sys.executable, "-m", module, here.url, identity, PASSWORD, TOKEN]
        async with program(*command) as point:
            await point.until("booted")
            told = [fact["event"] for fact in point.told]
            assert told.index("profile") < told.index("booted"), "its fail-safe came first"
            await point.until("power", power_w=GRID_W)
            powers = [fact["power_w"] for fact in point.told if fact["event"] == "power"]
            assert max(powers) <= GRID_W

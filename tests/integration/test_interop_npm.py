"""Charge points from the npm registry, run by the Node of a Python wheel, charge here."""

from pathlib import Path

import pytest

from tests.interop.house import PASSWORD, TOKEN, House, house
from tests.interop.process import INTEROP, NODE, package, program
from tests.interop.tale import charges_under_our_limit, limit
from voltyard.chargers.commands import LimitPurpose, RemoteStop
from voltyard.chargers.events import StationBooted
from voltyard.sessions.events import (
    MeterReported,
    SessionEnded,
    SessionQuarantined,
    SessionStarted,
)
from voltyard.storage.engine import PostgresDatabase


def cli(here: House, command: str, identity: str, *more: str) -> list[str]:
    """``ocpp-ws-cli`` with HTTP Basic in the address, as its WebSocket library takes it."""
    address = here.url.replace("ws://", f"ws://{identity}:{PASSWORD}@")
    script = package("ocpp-ws-cli") / "dist" / "index.js"
    who = ["--endpoint", address, "--identity", identity, "--protocol", "ocpp1.6"]
    return [str(NODE), str(script), command, *who, *more]


@pytest.mark.parametrize("program_file", ["charge_point.mjs", "charge_point_201.mjs"])
async def test_ocpp_rpc_in_strict_mode_charges_under_our_limit(
    database: PostgresDatabase, program_file: str
) -> None:
    package("ocpp-rpc")
    async with house(database) as here:
        station = await here.add("NPM-RPC")
        script = str(INTEROP / program_file)
        command = [str(NODE), script, here.url, "NPM-RPC", PASSWORD, TOKEN]
        async with program(*command) as point:
            await charges_under_our_limit(here, point, station)
            assert not [fact for fact in point.told if fact["event"] == "schema"]


async def test_the_simulator_of_ocpp_ws_cli_charges(
    database: PostgresDatabase, tmp_path: Path
) -> None:
    """It accepts a limit without applying it, so here only that it is taken is looked at."""
    async with house(database) as here:
        station = await here.add("NPM-CLI")
        report = ["--idTag", TOKEN, "--report", "json", "--reportDir", str(tmp_path)]
        async with program(*cli(here, "simulate", "NPM-CLI", *report)) as simulator:
            await simulator.shows("Entering IDLE")
            await here.until(lambda event: isinstance(event, StationBooted))
            await simulator.press("a")
            await simulator.shows("Authoriz")
            await simulator.press("t")
            started = await here.until(lambda event: isinstance(event, SessionStarted))
            assert started.vehicle_id == here.vehicle.id
            await simulator.press("m")
            await here.until(lambda event: isinstance(event, MeterReported) and bool(event.power_w))
            reference = (await here.session(started)).transaction_ref
            assert (await here.command(station, limit(LimitPurpose.TX, reference))).accepted
            assert (await here.command(station, RemoteStop(reference))).accepted
            ended = await here.until(lambda event: isinstance(event, SessionEnded))
            assert ended.energy_wh >= 0
        assert not here.seen(SessionQuarantined)

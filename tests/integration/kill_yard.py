"""A server that can be killed, a small yard of chargers on real sockets, and what it answered."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from voltyard.app import build_core, first_organisation, rooms
from voltyard.clock import SystemClock
from voltyard.config import Settings
from voltyard.energy import planner
from voltyard.ocpp.metering import CONTEXTS
from voltyard.simulator import furnish
from voltyard.simulator.charger import Charger
from voltyard.simulator.demo import demo_depot
from voltyard.simulator.depot import DepotSpec
from voltyard.simulator.link import WebSocketLink
from voltyard.simulator.settings import ChargerSettings
from voltyard.simulator.station import make_charger
from voltyard.simulator.vehicle import Battery
from voltyard.storage.embedded import APP_ROLE, EmbeddedPostgres
from voltyard.storage.engine import PostgresDatabase
from voltyard.storage.migrate import migrate

LIMIT_W = 200_000.0
POLL_S = 0.05
QUICK = {"VOLTYARD_TICK_S": "0.5", "VOLTYARD_PLAN_S": "30", "VOLTYARD_HEARTBEAT_S": "10"}


def yard(now: datetime) -> DepotSpec:
    """Six buses at three cabinets behind 200 kW, all expected now and due to leave in hours."""
    depot = demo_depot(7, 6, limit_w=LIMIT_W, name="Killhof")
    arrival_at, departure_at = now - timedelta(minutes=10), now + timedelta(hours=2)
    stays = tuple(
        replace(
            stay,
            planned_arrival_at=arrival_at,
            planned_departure_at=departure_at,
            arrival_at=arrival_at,
            departure_at=departure_at,
        )
        for stay in depot.stays
    )
    return replace(depot, start_at=now - timedelta(hours=1), end_at=departure_at, stays=stays)


@contextmanager
def embedded(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    """The server's own database while no server runs."""
    postgres = EmbeddedPostgres(data_dir / "postgres")
    postgres.start()
    try:
        yield postgres
    finally:
        postgres.stop()


async def enter(data_dir: Path, depot: DepotSpec) -> None:
    """Enter the depot into the data folder of a server that has not run yet."""
    planner.warm_up()  # compiled once, here, so that no server stands still for it
    with embedded(data_dir) as postgres:
        await migrate(postgres.url(), app_password=postgres.password(APP_ROLE))
        database = PostgresDatabase(postgres.url(APP_ROLE), pool_size=4)
        core = build_core(Settings(data_dir=data_dir), database, SystemClock(), holder="entering")
        await core.start()
        await furnish.furnish(rooms(core), await first_organisation(core), depot)
        await core.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class ServerProcess:
    """``voltyard serve`` as a process of its own, on free ports that a restart keeps."""

    data_dir: Path
    log: Path
    http_port: int = field(default_factory=free_port)
    ocpp_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        process = self.process = self._spawned()
        await until(lambda: self._bound() or process.poll() is not None, self.said)
        assert process.poll() is None, self.said()

    def _spawned(self) -> subprocess.Popen[bytes]:
        settings = QUICK | {
            "VOLTYARD_DATA_DIR": str(self.data_dir),
            "VOLTYARD_HTTP_PORT": str(self.http_port),
            "VOLTYARD_OCPP_PORT": str(self.ocpp_port),
        }
        with self.log.open("wb") as out:
            return subprocess.Popen(
                [sys.executable, "-u", "-m", "voltyard.cli", "serve"],
                env=os.environ | settings,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def kill(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    async def stop(self) -> int | None:
        """Ask it to end; its exit status."""
        process = self.process
        assert process is not None
        process.terminate()
        await until(lambda: process.poll() is not None, self.said)
        return process.returncode

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.ocpp_port}/ocpp"

    def _bound(self) -> bool:
        return "chargers  ws://" in self.said()


async def until(
    true: Callable[[], Any], why: Callable[[], Any] = lambda: "", within_s: float = 40.0
) -> None:
    """Wait for a condition; a deadline passed is a failure that shows ``why``."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + within_s
    while not true():
        assert loop.time() < deadline_s, f"waited {within_s} s in vain: {why()}"
        await asyncio.sleep(POLL_S)


@dataclass(frozen=True, slots=True)
class Value:
    """One energy register reading that the server acknowledged."""

    station: str
    evse: int
    at: datetime
    context: str
    energy_wh: float


@dataclass
class Wire:
    """Every message of a transaction that was answered, as seen at the chargers' end."""

    asked: dict[tuple[str, str], tuple[str, dict[str, Any]]] = field(default_factory=dict)
    started: set[tuple[str, str]] = field(default_factory=set)
    stopped: set[tuple[str, str]] = field(default_factory=set)
    values: set[Value] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)

    def observe(self, identity: str, direction: str, text: str) -> None:
        frame = msgspec.json.decode(text)
        if direction == "out" and frame[0] == 2:
            self.asked[identity, frame[1]] = (frame[2], frame[3])
        elif direction == "in" and frame[0] in (3, 4):
            action, payload = self.asked.pop((identity, frame[1]), ("", {}))
            if frame[0] == 4:
                self.errors.append(text)
            elif action:
                self._answered(identity, action, payload, frame[2])

    def _answered(
        self, identity: str, action: str, payload: Mapping[str, Any], answer: Mapping[str, Any]
    ) -> None:
        evse = payload.get("connectorId") or payload.get("evse", {}).get("id", 0)
        if action == "StartTransaction":
            self.started.add((identity, str(answer["transactionId"])))
        elif action == "StopTransaction":
            self.stopped.add((identity, str(payload["transactionId"])))
        elif action == "TransactionEvent":
            ref = (identity, payload["transactionInfo"]["transactionId"])
            self.started |= {ref} if payload["eventType"] == "Started" else set()
            self.stopped |= {ref} if payload["eventType"] == "Ended" else set()
        for entry in payload.get("meterValue", ()):
            self.values |= set(_energies(identity, evse, entry))


def _energies(identity: str, evse: int, entry: Mapping[str, Any]) -> Iterator[Value]:
    at = datetime.fromisoformat(entry["timestamp"])
    for row in entry["sampledValue"]:
        if row["measurand"] == "Energy.Active.Import.Register":
            yield Value(identity, evse, at, CONTEXTS[row["context"]], float(row["value"]))


@dataclass
class Yard:
    """The chargers and vehicles of a depot, in this process."""

    depot: DepotSpec
    wire: Wire
    chargers: dict[str, Charger]
    lives: list[asyncio.Task[None]] = field(default_factory=list)
    plugged: dict[tuple[str, int], str] = field(default_factory=dict)

    @classmethod
    def at(cls, url: str, depot: DepotSpec) -> "Yard":
        link, clock, wire = WebSocketLink(url, ping_interval_s=2.0), SystemClock(), Wire()
        made = {
            spec.identity: make_charger(
                spec, link, clock, settings=ChargerSettings(sample_s=1), observe=wire.observe
            )
            for spec in depot.stations
        }
        return cls(depot, wire, made)

    def start(self) -> None:
        self.lives = [asyncio.create_task(charger.run()) for charger in self.chargers.values()]

    async def close(self) -> None:
        for life in self.lives:
            life.cancel()
        await asyncio.gather(*self.lives, return_exceptions=True)

    def plug_in(self, place: int) -> tuple[str, int]:
        """The bus of the depot's stay number ``place`` comes; where it stands."""
        stay = self.depot.stays[place]
        vehicle = self.depot.vehicle(stay.vehicle)
        battery = Battery(vehicle.battery, 40.0)
        self.chargers[stay.station].plug_in(stay.evse, battery, vehicle.token)
        self.plugged[stay.station, stay.evse] = stay.vehicle
        return stay.station, stay.evse

    def unplug(self, where: tuple[str, int]) -> None:
        self.chargers[where[0]].unplug(where[1])
        del self.plugged[where]

    @property
    def online(self) -> bool:
        return all(charger.uplink.online for charger in self.chargers.values())

    @property
    def fenced(self) -> bool:
        """Every charger holds a fail-safe limit: before that nothing can keep a new one back."""
        return all(
            charger.stage.limit_w(evse, utc_now()) < evse.spec.max_power_w
            for charger in self.chargers.values()
            for evse in charger.evses
        )

    @property
    def told_all(self) -> bool:
        return self.online and not any(len(c.uplink.kept) for c in self.chargers.values())

    @property
    def power_w(self) -> float:
        return sum(evse.power_w for c in self.chargers.values() for evse in c.evses)

    def powers(self) -> dict[str, tuple[float, float]]:
        """What flows at each outlet with a transaction, and what its profiles allow."""
        return {
            f"{identity}/{evse.spec.number}": (evse.power_w, charger.stage.limit_w(evse, utc_now()))
            for identity, charger in self.chargers.items()
            for evse in charger.evses
            if evse.transaction is not None
        }

    @property
    def begun(self) -> int:
        return sum(evse.transactions_begun for c in self.chargers.values() for evse in c.evses)

    def readings(self, where: tuple[str, int], since: datetime) -> int:
        """How many energy readings of an outlet, taken after ``since``, were answered."""
        return sum(
            (value.station, value.evse) == where and value.at > since for value in self.wire.values
        )


def utc_now() -> datetime:
    return datetime.now(UTC)

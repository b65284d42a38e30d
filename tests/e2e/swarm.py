"""Charging chargers over real OCPP 1.6 sockets, each outlet with a new reading every second.

    python -m tests.e2e.swarm PLACE.json EVENTS.csv

They obey the limits they are sent. ``events.csv`` has a line for each reading: the outlet's key
on the board, the power in kW as the board writes it, and when it left (epoch milliseconds).
"""

import asyncio
import json
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count, groupby
from pathlib import Path
from typing import Any, TextIO

import uvloop
from msgspec.json import decode, encode
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

AT_ONCE = 100
NO_LIMIT_W = 75_000.0
VOLTAGE_V = 400.0 * 3**0.5


class Outlet:
    """What one outlet reports: power under its limit, another value each second."""

    def __init__(self, spec: dict[str, Any], turn: int) -> None:
        self.spec = spec
        self.number: int = spec["number"]
        self.turn = turn
        self.limit_w = NO_LIMIT_W
        self.energy_wh = 1_000.0
        self.transaction: int | None = None

    def reading(self) -> tuple[float, list[dict[str, Any]]]:
        self.turn += 1
        power_w = float(int(self.limit_w / 1000 * (0.75 + (self.turn * 7 % 25) / 100)) * 1000)
        self.energy_wh += power_w / 3600
        soc = min(99.0, self.spec["soc"] + self.energy_wh / 4000)
        values = [
            ("Power.Active.Import", power_w, "W"),
            ("Energy.Active.Import.Register", self.energy_wh, "Wh"),
            ("SoC", soc, "Percent"),
        ]
        return power_w, [
            {"measurand": name, "value": f"{value:.1f}", "unit": unit}
            for name, value, unit in values
        ]


class Charger:
    """One station with its outlets behind one socket."""

    def __init__(self, outlets: list[Outlet], log: TextIO) -> None:
        self.outlets = {outlet.number: outlet for outlet in outlets}
        self._socket: ClientConnection
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._ids = count()
        self._log = log
        self._skew_s = 0.0

    async def begin(self, url: str) -> None:
        """Connect until it works, as a charger does; then start what has not started yet."""
        while True:
            try:
                await self._connect(url)
                return
            except (OSError, WebSocketException):
                await asyncio.sleep(1.0)

    async def _connect(self, url: str) -> None:
        identity = next(iter(self.outlets.values())).spec["station"]
        self._socket = await connect(
            f"{url}/{identity}",
            subprotocols=[Subprotocol("ocpp1.6")],
            ping_interval=None,
            compression=None,
            open_timeout=60,
        )
        self._listener = asyncio.create_task(self._listen())
        boot = {"chargePointVendor": "Voltyard Tests", "chargePointModel": "Swarm"}
        answer = await self._call("BootNotification", boot)
        while answer["status"] != "Accepted":
            await asyncio.sleep(answer["interval"])
            answer = await self._call("BootNotification", boot)
        self._skew_s = _epoch_s(answer["currentTime"]) - time.time()
        await self._start()

    async def _start(self) -> None:
        for number, outlet in self.outlets.items():
            if outlet.transaction is not None:
                continue
            await self._status(number, "Preparing")
            start = {
                "connectorId": number,
                "idTag": outlet.spec["token"],
                "meterStart": 1_000,
                "timestamp": self._now(),
            }
            outlet.transaction = (await self._call("StartTransaction", start))["transactionId"]
            await self._status(number, "Charging")

    async def report(self, outlet: Outlet, url: str) -> None:
        """For ever: one reading a second, at the outlet's own moment of the second."""
        phase_s = (hash(outlet.spec["key"]) % 1000) / 1000
        next_s = int(time.time()) + 1 + phase_s
        while True:
            await asyncio.sleep(max(0.0, next_s - time.time()))
            next_s = max(next_s + 1.0, time.time() - 1.0)
            power_w, values = outlet.reading()
            shown = round(power_w / 1000)
            self._log.write(f"{outlet.spec['key']},{shown},{time.time() * 1000:.1f}\n")
            told = {
                "connectorId": outlet.number,
                "transactionId": outlet.transaction,
                "meterValue": [{"timestamp": self._now(), "sampledValue": values}],
            }
            try:
                await self._call("MeterValues", told)
            except (OSError, WebSocketException):
                if outlet is next(iter(self.outlets.values())):
                    await self.begin(url)

    async def _status(self, number: int, status: str) -> None:
        told = {"connectorId": number, "errorCode": "NoError", "status": status}
        await self._call("StatusNotification", told)

    async def _call(self, action: str, payload: dict[str, Any]) -> Any:
        key = str(next(self._ids))
        self._waiting[key] = asyncio.get_running_loop().create_future()
        await self._socket.send(encode([2, key, action, payload]).decode())
        return await self._waiting[key]

    async def _listen(self) -> None:
        socket = self._socket
        with suppress(WebSocketException):
            await self._hear(socket)
        for waiting in self._waiting.values():
            waiting.set_exception(ConnectionResetError())
        self._waiting.clear()

    async def _hear(self, socket: ClientConnection) -> None:
        async for text in socket:
            frame = decode(text)
            if frame[0] == 2:
                self._obey(frame[2], frame[3])
                await socket.send(encode([3, frame[1], {"status": "Accepted"}]).decode())
            elif frame[1] in self._waiting:
                self._waiting.pop(frame[1]).set_result(frame[2] if frame[0] == 3 else {})

    def _obey(self, action: str, payload: dict[str, Any]) -> None:
        if action != "SetChargingProfile":
            return
        profile = payload["csChargingProfiles"]
        outlet = self.outlets.get(payload["connectorId"])
        if outlet is None or profile["chargingProfilePurpose"] != "TxProfile":
            return
        schedule = profile["chargingSchedule"]
        limit = schedule["chargingSchedulePeriod"][0]["limit"]
        outlet.limit_w = limit * (VOLTAGE_V if schedule["chargingRateUnit"] == "A" else 1.0)

    def _now(self) -> str:
        return datetime.fromtimestamp(time.time() + self._skew_s, UTC).isoformat()


def _epoch_s(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def run(place: dict[str, Any], log: TextIO) -> None:
    specs = sorted(place["outlets"], key=lambda spec: (spec["station"], spec["number"]))
    chargers = [
        Charger([Outlet(spec, turn) for turn, spec in enumerate(group)], log)
        for _, group in groupby(specs, key=lambda spec: spec["station"])
    ]
    for first in range(0, len(chargers), AT_ONCE):
        await asyncio.gather(
            *(charger.begin(place["ocpp"]) for charger in chargers[first : first + AT_ONCE])
        )
    print("all charging", flush=True)
    await asyncio.gather(
        *(
            charger.report(outlet, place["ocpp"])
            for charger in chargers
            for outlet in charger.outlets.values()
        )
    )


def main() -> None:
    place = json.loads(Path(sys.argv[1]).read_text())
    with Path(sys.argv[2]).open("w", buffering=1) as log:
        uvloop.run(run(place, log))


if __name__ == "__main__":
    main()

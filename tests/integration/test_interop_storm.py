"""Row 25: a hundred stations boot and start at once on PostgreSQL, and nobody gets an error."""

import asyncio
import json
import logging
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.interop.house import TOKEN, House, house
from voltyard.chargers.service import ChargerSettings
from voltyard.sessions.events import SessionEnded, SessionStarted
from voltyard.storage.engine import PostgresDatabase

STATIONS = 100
AT = "2026-11-21T08:00:00Z"
BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}


async def life(here: House, number: int, ready: asyncio.Barrier) -> None:
    """Everything in one burst: nothing waits for the answer before it, but the stop for its id."""
    subprotocols = [Subprotocol("ocpp1.6")]
    async with connect(f"{here.url}/CP{number}", subprotocols=subprotocols, proxy=None) as socket:
        await ready.wait()
        status = {"connectorId": 1, "errorCode": "NoError", "status": "Preparing", "timestamp": AT}
        start = {"connectorId": 1, "idTag": f"{TOKEN}{number}", "meterStart": 5, "timestamp": AT}
        values = [{"timestamp": AT, "sampledValue": [{"value": "9"}]}]
        burst: list[tuple[str, Any]] = [
            ("BootNotification", BOOT),
            ("StatusNotification", status),
            ("StartTransaction", start),
            ("MeterValues", {"connectorId": 1, "meterValue": values}),
        ]
        for place, (action, payload) in enumerate(burst):
            await socket.send(json.dumps([2, f"m{place}", action, payload]))
        answers = [json.loads(await socket.recv()) for _ in burst]
        assert [answer[0] for answer in answers] == [3] * len(burst), answers
        stop = {"transactionId": answers[2][2]["transactionId"], "meterStop": 9, "timestamp": AT}
        await socket.send(json.dumps([2, "stop", "StopTransaction", stop]))
        assert json.loads(await socket.recv())[0] == 3


async def test_a_hundred_stations_at_once_get_no_error(
    database: PostgresDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    async with house(database, settings=ChargerSettings(allow_no_password=True)) as here:
        for number in range(STATIONS):
            await here.add(f"CP{number}", password=None)
        ready = asyncio.Barrier(STATIONS)
        with caplog.at_level(logging.ERROR, "voltyard"):
            await asyncio.gather(*(life(here, number, ready) for number in range(STATIONS)))
        assert len(here.seen(SessionStarted)) == len(here.seen(SessionEnded)) == STATIONS
        assert {event.energy_wh for event in here.seen(SessionEnded)} == {4.0}
    assert caplog.records == []

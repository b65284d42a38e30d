"""Whole sessions of chargers that are not quite by the standard, stored in PostgreSQL."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.interop.house import PASSWORD, TOKEN, House, house
from tests.protocol.socket_rig import basic
from voltyard.sessions.events import SessionEnded, SessionQuarantined, SessionStarted
from voltyard.sessions.model import SessionState
from voltyard.storage.engine import PostgresDatabase

BEGAN_AT = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=30)


def at(minute: int) -> str:
    return (BEGAN_AT + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")


def values(minute: int, register_wh: int, *, text: bool = False) -> list[dict[str, Any]]:
    value = str(register_wh) if text else register_wh
    return [{"timestamp": at(minute), "sampledValue": [{"value": value}]}]


def event(
    kind: str, seq_no: int, minute: int, register_wh: int | None, **more: Any
) -> tuple[str, dict[str, Any]]:
    measured = {} if register_wh is None else {"meterValue": values(minute, register_wh)}
    return "TransactionEvent", {
        "eventType": kind,
        "timestamp": at(minute),
        "triggerReason": "MeterValuePeriodic",
        "seqNo": seq_no,
        "transactionInfo": {"transactionId": "odd"},
        **measured,
        **more,
    }


CARD = {"idToken": {"idToken": TOKEN, "type": "ISO14443"}}
START_16 = {"idTag": TOKEN, "meterStart": 1_000, "timestamp": at(0)}
STOP_16 = {"meterStop": 4_000, "timestamp": at(20)}
TALES: dict[str, tuple[str, list[tuple[str, dict[str, Any]]]]] = {
    "seqNo stuck at 0": (
        "ocpp2.0.1",
        [
            event("Started", 0, 0, 1_000, evse={"id": 1}, **CARD),
            event("Updated", 0, 5, 2_000),
            event("Updated", 0, 10, 3_000),
            event("Ended", 0, 20, 4_000),
        ],
    ),
    "MeterValues outside a TransactionEvent": (
        "ocpp2.0.1",
        [
            event("Started", 0, 0, None, evse={"id": 1}, **CARD),
            ("MeterValues", {"evseId": 1, "meterValue": values(1, 1_000)}),
            ("MeterValues", {"evseId": 1, "meterValue": values(19, 4_000)}),
            event("Ended", 1, 20, None),
        ],
    ),
    "evseId 0": (
        "ocpp2.0.1",
        [
            event("Started", 0, 0, 1_000, evse={"id": 0}, **CARD),
            ("StatusNotification", {"timestamp": at(1), "connectorStatus": "Occupied",
                                    "evseId": 0, "connectorId": 0}),
            event("Ended", 1, 20, 4_000, evse={"id": 0}),
        ],
    ),
    "connectorId 0": (
        "ocpp1.6",
        [
            ("StartTransaction", {**START_16, "connectorId": 0}),
            ("MeterValues", {"connectorId": 0, "meterValue": values(5, 2_000, text=True)}),
            ("StopTransaction", {**STOP_16, "transactionId": "started"}),
        ],
    ),
    "transactionId 0 on stop": (
        "ocpp1.6",
        [
            ("StartTransaction", {**START_16, "connectorId": 1}),
            ("StopTransaction", {**STOP_16, "transactionId": 0}),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("tale", TALES)
async def test_an_odd_session_is_one_session_with_its_energy(
    database: PostgresDatabase, tale: str
) -> None:
    version, messages = TALES[tale]
    async with house(database) as here:
        await here.add("ODD")
        await play(here, version, messages)
        ended = await here.until(lambda event: isinstance(event, SessionEnded))
        session = await here.session(ended)
        assert session.state is SessionState.ENDED
        assert session.energy_wh == 3_000
        assert len(here.seen(SessionStarted)) == len(here.seen(SessionEnded)) == 1
        assert not here.seen(SessionQuarantined)


async def play(here: House, version: str, messages: list[tuple[str, dict[str, Any]]]) -> None:
    """Each message twice: one that never heard its answer repeats it under a new id."""
    headers = {"Authorization": basic("ODD", PASSWORD)}
    names = [Subprotocol(version)]
    async with connect(
        f"{here.url}/ODD", subprotocols=names, additional_headers=headers, proxy=None
    ) as socket:
        started = 0
        for number, (action, payload) in enumerate(messages):
            if payload.get("transactionId") == "started":
                payload = {**payload, "transactionId": started}
            for again in (0, 1):
                await socket.send(json.dumps([2, f"m{number}-{again}", action, payload]))
                answer = json.loads(await socket.recv())
                assert answer[0] == 3, answer
                started = answer[2].get("transactionId", started)

"""Messages as a socket hands them over: answered at once where nothing is waited for, in order."""

import asyncio
import json
from typing import Any

import pytest

from tests.protocol.rig import Rig, on_rig
from voltyard.chargers.commands import StationLink
from voltyard.ocpp.connection import Connection

AT = "2026-11-21T18:00:00Z"
START = {"connectorId": 1, "idTag": "AB", "meterStart": 100, "timestamp": AT}
METER = {"connectorId": 1, "meterValue": [{"timestamp": AT, "sampledValue": [{"value": "5"}]}]}


def from_the_socket(link: StationLink, *frames: list[Any]) -> None:
    """Frames as a socket hands them over: from the loop, in no task."""
    assert isinstance(link, Connection)
    for frame in frames:
        asyncio.get_running_loop().call_soon(link.received, json.dumps(frame).encode())


def test_what_waits_for_nothing_is_answered_without_a_task() -> None:
    async def play(rig: Rig) -> None:
        link = await rig.plug()
        assert isinstance(link, Connection)
        from_the_socket(link, [2, "1", "Heartbeat", {}], [2, "2", "MeterValues", METER])
        tasks = len(asyncio.all_tasks())
        await asyncio.sleep(0)
        assert (await rig.pipe.hear())[1] == "1"
        assert (await rig.pipe.hear())[1] == "2"
        assert link.worker is None
        assert len(asyncio.all_tasks()) == tasks

    on_rig(play)


@pytest.mark.parametrize("first", ["MeterValues", "StartTransaction"])
def test_what_comes_from_the_socket_meanwhile_waits_for_its_turn(first: str) -> None:
    payload = METER if first == "MeterValues" else START

    async def play(rig: Rig) -> None:
        link = await rig.plug()
        rig.sessions.gate = asyncio.Event()
        from_the_socket(
            link,
            [2, "1", first, payload],
            [2, "2", "Heartbeat", {}],
            [2, "3", "MeterValues", METER],
        )
        await rig.settle()
        assert rig.chargers.heartbeats == 0
        assert rig.pipe.silent
        rig.sessions.gate.set()
        assert [(await rig.pipe.hear())[1] for _ in range(3)] == ["1", "2", "3"]

    on_rig(play)


def test_a_message_under_way_ends_before_the_next_connections_first() -> None:
    async def play(rig: Rig) -> None:
        former = await rig.plug()
        rig.sessions.gate = asyncio.Event()
        from_the_socket(former, [2, "1", "MeterValues", METER])
        await rig.settle()
        link = await rig.plug()
        from_the_socket(link, [2, "2", "Heartbeat", {}])
        await rig.settle()
        assert (len(rig.sessions.metered), rig.chargers.heartbeats) == (0, 0)
        rig.sessions.gate.set()
        assert (await rig.pipe.hear())[1] == "2"
        assert (len(rig.sessions.metered), rig.chargers.heartbeats) == (1, 1)

    on_rig(play)

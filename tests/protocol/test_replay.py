"""A stretch of a log, exported and replayed: the same calls, the same answers."""

from pathlib import Path
from typing import Any

import pytest

from tests.protocol.replay import replay, stretch
from tests.protocol.rig import Rig, on_rig
from voltyard.chargers.stretch import line
from voltyard.errors import Invalid

NIGHT: list[tuple[str, Any]] = [
    (
        "BootNotification",
        {"chargePointVendor": "Maker", "chargePointModel": "One", "chargePointSerialNumber": "7"},
    ),
    (
        "StatusNotification",
        {"connectorId": 1, "errorCode": "NoError", "status": "Preparing"},
    ),
    (
        "StartTransaction",
        {"connectorId": 1, "idTag": "A", "meterStart": 10, "timestamp": "2026-11-21T18:00:00Z"},
    ),
    ("Dance", {}),
    ("StatusNotification", {"connectorId": "one"}),
    ("Heartbeat", {}),
]


def recorded() -> tuple[list[bytes], Rig]:
    """A charger's night and its exported log."""
    kept: list[Rig] = []

    async def play(rig: Rig) -> None:
        await rig.plug("ocpp1.6", "CP7")
        for number, (action, payload) in enumerate(NIGHT):
            await rig.call(action, payload, f"n{number}")
            await rig.clock.sleep(60.0)
        kept.append(rig)

    on_rig(play)
    return [line(frame, "CP7", "1.6") for frame in kept[0].chargers.frames], kept[0]


def test_a_stretch_replays_to_the_same_answers(tmp_path: Path) -> None:
    lines, then = recorded()
    path = tmp_path / "log-CP7.jsonl"
    path.write_bytes(b"".join(lines))

    async def play(rig: Rig) -> None:
        replayed = await replay(rig.server, rig.clock, stretch(path))
        assert [one.line.action for one in replayed] == [action for action, _ in NIGHT]
        for one in replayed:
            assert one.then is not None
            assert one.kind == one.then.kind
        told = {one.line.action: one for one in replayed}
        assert told["StartTransaction"].payload == told["StartTransaction"].then.payload  # type: ignore[union-attr]
        assert rig.chargers.boots == then.chargers.boots
        assert rig.chargers.heartbeats == then.chargers.heartbeats == 1
        assert len(rig.sessions.reports) == len(then.sessions.reports) == 1
        assert rig.chargers.flag_names == then.chargers.flag_names

    on_rig(play)


def test_what_we_asked_then_is_not_asked_again() -> None:
    lines, _ = recorded()
    asked = (
        b'{"at":"2026-11-21T18:00:30Z","station":"CP7","version":"1.6","direction":"out",'
        b'"kind":"call","message_id":"x1","action":"Reset","payload":{"type":"Soft"}}\n'
        b'{"at":"2026-11-21T18:00:31Z","station":"CP7","version":"1.6","direction":"in",'
        b'"kind":"result","message_id":"x1","action":"Reset","payload":{"status":"Accepted"}}\n'
    )

    async def play(rig: Rig) -> None:
        replayed = await replay(rig.server, rig.clock, stretch([*lines, *asked.splitlines()]))
        assert len(replayed) == len(NIGHT)

    on_rig(play)


def test_a_line_that_is_none_is_told_by_its_number() -> None:
    with pytest.raises(Invalid) as told:
        stretch(["", "{}"])
    assert set(told.value.fields) == {"2"}

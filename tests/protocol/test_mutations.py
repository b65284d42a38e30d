"""Thousands of spoilt frames on each version: none but a protocol answer, and the line stays up."""

import json
import logging
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.protocol.rig import Rig, on_rig
from tests.protocol.schemas import complaints, instances
from tests.protocol.test_schema_oracle import MESSAGES

FRAMES = 1_500
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 2**31, 2**64, 1e308, 1.5, "", "x" * 300, "\ud800", "\u0000", "NaN",
    "2026-13-01T00:00:00Z", [], {}, [[]], [None], {"a": 1}, "9" * 40,
)  # fmt: skip


def mutated(value: Any, chance: random.Random) -> Any:
    if chance.random() < 0.08:
        return chance.choice(ODD)
    if isinstance(value, dict):
        made = {
            key: mutated(item, chance) if chance.random() < 0.3 else item
            for key, item in value.items()
        }
        if made and chance.random() < 0.05:
            del made[chance.choice(list(made))]
        if chance.random() < 0.05:
            made[chance.choice(["x", "customData", "id"])] = chance.choice(ODD)
        return made
    if isinstance(value, list):
        return [mutated(item, chance) for item in value] * chance.choice([0, 1, 1, 1, 5])
    return value


def frames(version: str, chance: random.Random) -> Iterator[tuple[str, str, str]]:
    """Message id, action and text of each."""
    actions = [a for a, m in MESSAGES[version].items() if m.handler is not None]
    sound = {action: list(instances(version, action)) for action in actions}
    for number in range(FRAMES):
        action = chance.choice(actions)
        payload = mutated(chance.choice(sound[action]), chance)
        kind = 6 if version == "2.1" and chance.random() < 0.1 else 2
        text = json.dumps([kind, f"m{number}", action, payload])
        if chance.random() < 0.1:
            place = chance.randrange(text.index(action) + len(action), len(text))
            text = text[:place] + chance.choice('{}[]",:\\x0é') + text[place + 1 :]
        yield f"m{number}", action, text


@pytest.mark.parametrize("version", MESSAGES)
def test_spoilt_frames_get_protocol_answers_and_nothing_else(
    version: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked: dict[str, str] = {}

    async def play(rig: Rig) -> None:
        await rig.plug(f"ocpp{version}")
        for message_id, action, text in frames(version, random.Random(21)):
            asked[message_id] = action
            rig.pipe.say(text)
            await rig.settle()
        answers = 0
        while not rig.pipe.silent:
            answers += 1
            judge(version, asked, await rig.pipe.hear())
        assert answers > FRAMES / 2
        rig.pipe.say([2, "last", "Heartbeat", {}])
        assert (await rig.pipe.hear())[:2] == [3, "last"]

    with caplog.at_level(logging.ERROR):
        on_rig(play)
    assert caplog.records == []


def judge(version: str, asked: dict[str, str], answer: list[Any]) -> None:
    if answer[0] == 4:
        assert answer[2] not in ("", "InternalError"), answer
        return
    kind, message_id, payload = answer
    assert kind == 3
    message = MESSAGES[version].get(asked.get(message_id, ""))
    if message is not None and message.response is not None:
        assert complaints(version, message.action, payload, response=True) == []

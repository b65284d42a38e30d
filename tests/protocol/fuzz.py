"""A coverage-guided fuzz of framing and of every struct, in virtual time.

``python -m tests.protocol.fuzz --frames 1000000 --seed 1``. Sound messages of all versions, made
from the OCPP schemas, are spoilt and read in three ways: as a frame of a charger through framing,
connection and handler; as the answer to each command; as the struct alone. One frame in fifty is
traced: what reached a line of the OCPP room for the first time is spoilt further. Anything but a
protocol answer is a finding; so is memory that grows.
"""

import argparse
import json
import logging
import random
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from types import FrameType
from typing import Any

import msgspec

from tests.protocol.mutation import mutated, torn
from tests.protocol.resident import MIB, resident_bytes
from tests.protocol.rig import Rig, on_rig
from tests.protocol.schemas import complaints, instances
from tests.protocol.test_schema_oracle import COMMANDS, DIALECTS, MESSAGES, NOW
from voltyard.errors import VoltyardError
from voltyard.ocpp.framing import CallRejected, error, parse
from voltyard.ocpp.reader import Reader
from voltyard.ocpp.routing import Outgoing

BATCH = 60
TRACED = 50
CORPUS_MAX = 4_000
FINDINGS_MAX = 20
GROWTH_MAX = 32 * MIB
SHARES = {"frame": 0.5, "torn": 0.1, "answer": 0.1, "struct": 0.3}


@dataclass
class Story:
    """What a run did and found."""

    counts: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    lines: set[tuple[str, int]] = field(default_factory=set)
    corpus: list[tuple[str, str, bool, Any]] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)

    def found(self, what: str, detail: Any) -> None:
        self.counts["findings"] += 1
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(f"{what}: {str(detail)[:2_000]}")

    @property
    def grown(self) -> int:
        """Bytes, since a fifth of the run was over."""
        return self.resident[-1] - self.resident[len(self.resident) // 5]


class Seeds:
    """Sound payloads of one version's messages, and the spoilt ones that reached something new."""

    def __init__(self, version: str, story: Story, chance: random.Random) -> None:
        self._sound = {
            (action, response): list(instances(version, action, response=response))
            for action, message in MESSAGES[version].items()
            for response in (False, True)
            if not response or message.response is not None
        }
        self._version = version
        self._story = story
        self._chance = chance
        self._kinds = list(self._sound)

    def any(self) -> tuple[str, bool]:
        return self._chance.choice(self._kinds)

    def spoilt(self, action: str, response: bool) -> Any:
        """Some payload of that kind with something wrong, or with nothing."""
        chance, corpus = self._chance, self._story.corpus
        if corpus and chance.random() < 0.3:
            version, kept_action, kept_response, payload = chance.choice(corpus)
            if (version, kept_action, kept_response) == (self._version, action, response):
                return mutated(payload, chance)
        payload = chance.choice(self._sound[action, response])
        for _ in range(chance.randint(1, 3)):
            payload = mutated(payload, chance)
        return payload

    def keep(self, action: str, response: bool, payload: Any) -> None:
        corpus = self._story.corpus
        if len(corpus) < CORPUS_MAX:
            corpus.append((self._version, action, response, payload))
        else:
            corpus[self._chance.randrange(CORPUS_MAX)] = (self._version, action, response, payload)


@contextmanager
def traced(story: Story) -> Iterator[list[bool]]:
    """Whether a line of the OCPP room was reached for the first time."""
    new: list[bool] = []

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if "/voltyard/ocpp/" not in frame.f_code.co_filename:
            return None
        line = (frame.f_code.co_filename, frame.f_lineno)
        if line not in story.lines:
            story.lines.add(line)
            new.append(True)
        return trace

    sys.settrace(trace)
    try:
        yield new
    finally:
        sys.settrace(None)


class Fuzzer:
    """One version, played through a connection of a rig."""

    def __init__(self, version: str, rig: Rig, story: Story, chance: random.Random) -> None:
        self.version = version
        self.rig = rig
        self.story = story
        self.chance = chance
        self.seeds = Seeds(version, story, chance)
        self.words = DIALECTS[version].words
        self.readers: dict[type[Any], Reader] = {}
        self.asked: dict[str, str] = {}
        self.actions = [a for a, m in MESSAGES[version].items() if m.handler is not None]
        self.calls = list(self._expressed())

    def _expressed(self) -> Iterator[Outgoing]:
        for command in COMMANDS:
            try:
                calls, _ = DIALECTS[self.version].express(command, NOW)
            except VoltyardError:
                continue
            yield from calls

    async def play(self, frames: int) -> None:
        kinds, weights = list(SHARES), list(SHARES.values())
        for number in range(frames):
            kind = self.chance.choices(kinds, weights)[0]
            self.story.counts[kind] += 1
            if number % TRACED == 0:
                with traced(self.story) as new:
                    spoilt = getattr(self, f"_{kind}")(number)
                    await self._heard()
                if new and spoilt is not None:
                    self.seeds.keep(*spoilt)
            else:
                getattr(self, f"_{kind}")(number)
            if number % BATCH == BATCH - 1:
                await self._heard()
                self._forget()
        await self._heard()
        answer = await self.rig.call("Heartbeat", {}, "last")
        if answer[:2] != [3, "last"]:
            self.story.found("the connection is out of step", answer)

    def _frame(self, number: int) -> tuple[str, bool, Any]:
        action = self.chance.choice(self.actions)
        payload = self.seeds.spoilt(action, False)
        message_id = f"m{number}"
        self.asked[message_id] = action
        kind = 6 if self.words.sends and self.chance.random() < 0.1 else 2
        self.rig.pipe.say(json.dumps([kind, message_id, action, payload]))
        return action, False, payload

    def _torn(self, number: int) -> None:
        """Bytes that are no message any more; what they could be said in reply is looked at."""
        action = self.chance.choice(self.actions)
        kind = self.chance.choice([2, 2, 2, 3, 4, 5, 6, 7, "2", None, [2]])
        frame = json.dumps([kind, f"t{number}", action, self.seeds.spoilt(action, False)])
        data = torn(frame.encode(), self.chance)
        self._guarded("parse", lambda: self._parsed(data), data)
        text = data.decode("utf-8", "replace")
        self.asked[f"t{number}"] = ""
        self.rig.pipe.say(text)

    def _parsed(self, data: bytes) -> None:
        found = parse(data, self.words)
        reply = getattr(found, "reply", None)
        if reply is not None and (json.loads(reply)[0] != 4 or len(json.loads(reply)) != 5):
            self.story.found("no CALLERROR", reply)

    def _answer(self, number: int) -> tuple[str, bool, Any]:
        """To one of our calls."""
        call = self.chance.choice(self.calls)
        payload = self.seeds.spoilt(call.action, True)
        raw = msgspec.Raw(json.dumps(payload).encode())

        def read() -> None:
            call.answer(call.reader.read(raw, self.words, self._note))

        self._guarded(f"answer to {call.action}", read, payload)
        return call.action, True, payload

    def _struct(self, number: int) -> tuple[str, bool, Any]:
        action, response = self.seeds.any()
        payload = self.seeds.spoilt(action, response)
        message = MESSAGES[self.version][action]
        kind = message.response if response else message.request
        assert kind is not None
        reader = self.readers.setdefault(kind, Reader(kind))
        raw = msgspec.Raw(json.dumps(payload).encode())

        def read() -> None:
            msgspec.json.encode(reader.read(raw, self.words, self._note))

        self._guarded(kind.__name__, read, payload)
        return action, response, payload

    def _note(self, name: str, detail: str) -> None:
        self.story.counts["flags"] += 1

    def _guarded(self, what: str, work: Callable[[], None], payload: Any) -> None:
        try:
            work()
        except CallRejected as refused:
            self.story.counts["refused"] += 1
            json.loads(error(b'"m"', refused.word, refused.description))
        except VoltyardError:
            self.story.counts["refused"] += 1
        except Exception:  # noqa: BLE001 - whatever it is, it is a finding
            self.story.found(f"{what} ({payload!r})", traceback.format_exc())
        else:
            self.story.counts["understood"] += 1

    async def _heard(self) -> None:
        await self.rig.settle()
        while not self.rig.pipe.silent:
            self._judge(await self.rig.pipe.hear())

    def _judge(self, answer: list[Any]) -> None:
        self.story.counts["refused" if answer[0] == 4 else "understood"] += 1
        if answer[0] == 4:
            if answer[2] in ("", "InternalError", "GenericError"):
                self.story.found("an answer of ours", answer)
            return
        if answer[0] != 3:
            self.story.found("an answer of ours", answer)
            return
        message = MESSAGES[self.version].get(self.asked.get(str(answer[1]), ""))
        if message is not None and message.response is not None:
            against = complaints(self.version, message.action, answer[2], response=True)
            if against:
                self.story.found("an answer of ours", [answer, against])

    def _forget(self) -> None:
        """The fakes keep all they hear."""
        self.asked.clear()
        for fake in (self.rig.chargers, self.rig.sessions):
            for kept in fields(fake):
                value = getattr(fake, kept.name)
                if isinstance(value, list):
                    value.clear()
        if self.chance.random() < 0.02:
            self.story.resident.append(resident_bytes())


class Complaints(logging.Handler):
    """What the server logs as an error is a finding."""

    def __init__(self, story: Story) -> None:
        super().__init__(logging.ERROR)
        self._story = story

    def emit(self, record: logging.LogRecord) -> None:
        trace = "" if record.exc_info is None else traceback.format_exception(*record.exc_info)
        self._story.found("logged", record.getMessage() + "".join(trace))


def fuzz(frames: int, seed: int, tell: Callable[[str], None] = lambda line: None) -> Story:
    """All versions in turn, in slices, so that a corpus grows over all of them."""
    story = Story()
    complaining = Complaints(story)
    log = logging.getLogger("voltyard")
    log.addHandler(complaining)
    slices = 4 if frames >= 40_000 else 1
    each = frames // (slices * len(MESSAGES))
    try:
        for number in range(slices):
            for version in MESSAGES:
                chance = random.Random(f"{seed}:{number}:{version}")
                _slice(version, story, chance, each)
                story.resident.append(resident_bytes())
                tell(_line(story))
    finally:
        log.removeHandler(complaining)
    return story


def _slice(version: str, story: Story, chance: random.Random, frames: int) -> None:
    async def play(rig: Rig) -> None:
        await rig.plug(f"ocpp{version}")
        await Fuzzer(version, rig, story, chance).play(frames)

    on_rig(play)


def _line(story: Story) -> str:
    done = sum(story.counts[kind] for kind in SHARES)
    return (
        f"{done} frames: {story.counts['understood']} understood,"
        f" {story.counts['refused']} refused, {story.counts['findings']} findings;"
        f" {len(story.lines)} lines reached, corpus {len(story.corpus)};"
        f" {story.resident[-1] / MIB:.0f} MiB"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"start: {resident_bytes() / MIB:.0f} MiB", flush=True)
    story = fuzz(options.frames, options.seed, lambda line: print(line, flush=True))
    for finding in story.findings:
        print(finding)
    print(f"grown: {story.grown / MIB:.1f} MiB since a fifth of the run")
    return int(bool(story.findings) or story.grown > GROWTH_MAX)


if __name__ == "__main__":
    sys.exit(main())

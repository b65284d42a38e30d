"""A stretch of a message log (JSON lines, as exported) fed to an OCPP port as its charger did.

What the charger called is called again, with the gaps of then on the clock of the test; what we
called then is left out, with its answers, since the domain under test decides what it asks.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.protocol.rig import Pipe
from voltyard.chargers.stretch import Line, read
from voltyard.clock import Clock
from voltyard.ocpp.memory import MemoryServer

GAP_MAX_S = 3600.0


@dataclass(frozen=True)
class Replayed:
    """A call of then, what was answered then (None: not in the stretch) and now."""

    line: Line
    then: Line | None
    now: list[Any]

    @property
    def kind(self) -> str:
        return {3: "result", 4: "error"}[self.now[0]]

    @property
    def payload(self) -> Any:
        return self.now[2] if self.now[0] == 3 else None


def stretch(source: Path | Iterable[str | bytes]) -> list[Line]:
    """The lines of a file, or lines at hand, in the order of their instants."""
    lines = source.read_text(encoding="utf-8").splitlines() if isinstance(source, Path) else source
    return sorted(read(lines), key=lambda line: line.at)


async def replay(server: MemoryServer, clock: Clock, lines: Sequence[Line]) -> list[Replayed]:
    """Connect as the charger of the stretch and say what it said; each answer beside its own."""
    first = lines[0]
    pipe = Pipe()
    await server.accept(first.station, [f"ocpp{first.version}"], None, pipe)
    answers = {
        line.message_id: line
        for line in lines
        if line.direction == "out" and line.kind in ("result", "error")
    }
    replayed: list[Replayed] = []
    before: datetime = first.at
    for line in lines:
        if line.direction != "in" or line.kind not in ("call", "unreadable"):
            continue
        await clock.sleep(min(GAP_MAX_S, max(0.0, (line.at - before).total_seconds())))
        before = line.at
        if line.kind == "unreadable":
            pipe.say(line.payload if isinstance(line.payload, str) else json.dumps(line.payload))
            continue
        pipe.say([2, line.message_id, line.action, line.payload])
        now = await _answer(pipe, line.message_id)
        replayed.append(Replayed(line, answers.get(line.message_id), now))
    pipe.cut()
    return replayed


async def _answer(pipe: Pipe, message_id: str) -> list[Any]:
    """Ours to that call; what we ask meanwhile is declined."""
    while True:
        frame: list[Any] = await pipe.hear()
        if frame[0] == 2:
            pipe.say([4, frame[1], "NotSupported", "", {}])
        elif frame[1] == message_id:
            return frame

"""The chargers of ``voltyard bench control``, a process of its own.

It is told what to do on standard input, one JSON object a line, and answers each on standard
output: ``connect``, ``begin``, ``flow``, ``state``, ``watch``, ``answers``, ``echo``.
"""

import asyncio
import gc
import json
import sys
import time
from typing import Any

from voltyard.bench.charger import Charger
from voltyard.bench.depot_charger import DepotCharger, DepotTraffic, Now
from voltyard.bench.floor import MOST
from voltyard.bench.load import Crowd
from voltyard.bench.loops import fast_loop
from voltyard.clock import SystemClock
from voltyard.process import raise_file_limit


class Fleet(Crowd):
    """Chargers that keep limits. ``allowed_w`` is what all of them together may draw."""

    def __init__(self, port: int) -> None:
        super().__init__(port, root=0)
        self._now = Now(SystemClock())
        self.allowed_w = 0.0
        self._lowered_at_s = 0.0
        self._lowered = 0
        self._watched_w: float | None = None
        self._seen = asyncio.Event()
        self._answers: list[tuple[float, float]] = []
        self._flow: asyncio.Task[None] | None = None
        self._echo: asyncio.Task[None] | None = None

    async def flow(self, rate: float) -> dict[str, Any]:
        """``rate`` readings a second from now on, evenly."""
        self._going = self._paced = True
        self._flow = asyncio.create_task(self._send_evenly(rate))
        return {}

    def state(self) -> dict[str, Any]:
        fleet = [charger for charger in self.chargers if isinstance(charger, DepotCharger)]
        self.allowed_w = sum(charger.allowed_w for charger in fleet)
        limited = sum(charger.live_w is not None for charger in fleet)
        return {"allowed_w": self.allowed_w, "limited": limited, "errors": dict(self._faults)}

    async def watch(self, limit_w: float, timeout_s: float) -> dict[str, Any]:
        """When the last charger that must has confirmed; ``at_s`` None if it never did."""
        self.state()
        self._lowered, self._watched_w = 0, limit_w
        self._seen.clear()
        self._look()
        try:
            async with asyncio.timeout(timeout_s):
                await self._seen.wait()
        except TimeoutError:
            return {"at_s": None, "lowered": self._lowered}
        return {"at_s": self._lowered_at_s, "lowered": self._lowered}

    def answers(self) -> dict[str, Any]:
        """Of all readings since last asked: when each was due, and how long it took."""
        found, self._answers = self._answers, []
        return {"answers": found, "errors": dict(self._faults)}

    async def echo(self, port: int) -> dict[str, Any]:
        """Be the far end of the floor."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def back() -> None:
            while data := await reader.read(MOST):
                writer.write(data)

        self._echo = asyncio.create_task(back())
        return {}

    def _charger(self, number: int) -> Charger:
        made = DepotCharger(
            number,
            DepotTraffic(number, self._now),
            self._on_answer,
            self._on_fault,
            self._on_limit,
        )
        made.host = f"127.0.0.1:{self._port}"
        return made

    def _on_limit(self, more_w: float) -> None:
        self.allowed_w += more_w
        if more_w < 0.0:
            self._lowered += 1
            self._lowered_at_s = time.perf_counter()
            self._look()

    def _look(self) -> None:
        if self._watched_w is not None and self.allowed_w <= self._watched_w + 1.0:
            self._watched_w = None
            self._seen.set()

    def _on_answer(self, charger: Charger) -> None:
        if charger.due_s is not None:
            self._answers.append((charger.due_s, time.perf_counter() - charger.due_s))
        super()._on_answer(charger)


async def _obey(fleet: Fleet, order: dict[str, Any]) -> dict[str, Any]:
    match order["do"]:
        case "connect":
            return await fleet.connect(order["count"])
        case "begin":
            return await fleet.begin()
        case "flow":
            return await fleet.flow(order["rate"])
        case "state":
            return fleet.state()
        case "watch":
            return await fleet.watch(order["limit_w"], order["timeout_s"])
        case "answers":
            return fleet.answers()
        case "echo":
            return await fleet.echo(order["port"])
        case unknown:
            raise ValueError(f"no such order: {unknown}")


async def main(port: int) -> None:
    fleet = Fleet(port)
    gc.disable()  # nothing of it is cyclic, and pauses would be counted as the server's
    while line := await asyncio.to_thread(sys.stdin.readline):
        answer = await _obey(fleet, json.loads(line))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    raise_file_limit()
    with asyncio.Runner(loop_factory=fast_loop) as runner:
        runner.run(main(int(sys.argv[1])))

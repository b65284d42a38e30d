"""The load generator of ``voltyard bench ocpp``, a process of its own: one crowd of chargers.

It is told what to do on standard input, one JSON object a line, and answers each on standard
output: ``connect``, ``storm``, ``keep``, ``begin``, ``full``, ``paced``.
"""

import asyncio
import gc
import json
import sys
import time
from array import array
from collections import Counter
from itertools import cycle
from typing import Any

from voltyard.bench import processes
from voltyard.bench.charger import Charger, Refused
from voltyard.bench.loops import fast_loop
from voltyard.bench.traffic import Instants, Traffic
from voltyard.clock import SystemClock
from voltyard.process import raise_file_limit

IN_FLIGHT = 500
ADDRESSES = 8
JOIN_S = 60.0
ATTEMPTS = 5
WARM_S = 0.5
DRAIN_S = 60.0
TICK_S = 0.002


class Crowd:
    """Chargers of one server; ``root`` is the process whose CPU time is counted."""

    def __init__(self, port: int, root: int) -> None:
        self._port = port
        self._root = root
        self._clock = SystemClock()
        self._instants = Instants(self._clock.now())
        self._loop = asyncio.get_running_loop()
        self._gate = asyncio.Semaphore(IN_FLIGHT)
        self.chargers: list[Charger] = []
        self._faults: Counter[str] = Counter()
        self._turned_away = 0
        self._answered = 0
        self._late_s = array("d")
        self._going = False
        self._paced = False

    async def connect(self, count: int) -> dict[str, Any]:
        """Bring ``count`` chargers to Accepted."""
        new = [self._charger(number) for number in range(len(self.chargers), count)]
        self.chargers += new
        return await self._bring(new)

    async def storm(self) -> dict[str, Any]:
        """Every link is cut at once; all come back at once."""
        await self._cut(self.chargers)
        return await self._bring(self.chargers)

    async def keep(self, count: int) -> dict[str, Any]:
        """Let the others go."""
        leaving, self.chargers = self.chargers[count:], self.chargers[:count]
        await self._cut(leaving)
        return {}

    async def begin(self) -> dict[str, Any]:
        """Every charger starts a transaction."""
        self._faults.clear()
        for first in range(0, len(self.chargers), IN_FLIGHT):
            starting = self.chargers[first : first + IN_FLIGHT]
            done = await asyncio.gather(*(c.begin() for c in starting), return_exceptions=True)
            self._faults.update(str(fault) for fault in done if isinstance(fault, Refused))
        return {"errors": dict(self._faults)}

    async def full(self, seconds: float) -> dict[str, Any]:
        """As fast as the server answers, one call outstanding per charger."""
        self._paced = False
        return await self._measure(seconds, self._send_all)

    async def paced(self, seconds: float, rate: float) -> dict[str, Any]:
        """``rate`` calls a second, evenly; waiting for one's turn counts as answer time."""
        self._paced = True
        return await self._measure(seconds, lambda: self._send_evenly(rate))

    def metered(self) -> dict[str, Any]:
        """How many calls with values were sent, all of them answered if there were no errors."""
        return {"metered": sum(charger.traffic.metered for charger in self.chargers)}

    def _charger(self, number: int) -> Charger:
        charger = Charger(number, Traffic(number, self._instants), self._on_answer, self._on_fault)
        charger.host = f"127.0.0.1:{self._port}"
        return charger

    async def _bring(self, chargers: list[Charger]) -> dict[str, Any]:
        self._faults.clear()
        self._turned_away = 0
        began_s = time.perf_counter()
        await asyncio.gather(*(self._accepted(charger) for charger in chargers))
        return {
            "seconds": time.perf_counter() - began_s,
            "accepted": sum(charger.transport is not None for charger in chargers),
            "turned_away": self._turned_away,
            "errors": dict(self._faults),
        }

    async def _accepted(self, charger: Charger) -> None:
        """As often as it takes; whoever is told to come back later does."""
        for _ in range(ATTEMPTS):
            try:
                async with self._gate, self._clock.timeout(JOIN_S):
                    await self._dial(charger)
                    await charger.join()
                return
            except Refused as refusal:
                charger.cut()
                if refusal.retry_after_s is None:
                    self._faults[str(refusal)] += 1
                else:
                    self._turned_away += 1
                    await self._clock.sleep(refusal.retry_after_s)
            except (OSError, TimeoutError) as error:
                charger.cut()
                self._faults[type(error).__name__] += 1

    async def _dial(self, charger: Charger) -> None:
        """From several addresses: one alone has too few ports for several thousand links."""
        source = f"127.0.0.{2 + charger.number % ADDRESSES}"
        await self._loop.create_connection(
            lambda: charger, "127.0.0.1", self._port, local_addr=(source, 0)
        )

    async def _cut(self, chargers: list[Charger]) -> None:
        for charger in chargers:
            charger.cut()
        while any(charger.transport is not None for charger in chargers):
            await self._clock.sleep(0.01)

    async def _measure(self, seconds: float, send: Any) -> dict[str, Any]:
        """Counted is what is answered between two looks at the clocks, after a moment to warm."""
        self._faults.clear()
        self._going = True
        sending = asyncio.ensure_future(send())
        await self._clock.sleep(WARM_S)
        self._late_s = array("d")
        answered, began_s = self._answered, time.perf_counter()
        before, own_s = processes.usage(self._root), time.process_time()
        await self._clock.sleep(seconds)
        after, own_s = processes.usage(self._root), time.process_time() - own_s
        answered, passed_s = self._answered - answered, time.perf_counter() - began_s
        late_s = sorted(self._late_s)
        self._going = False
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await self._drain()
        return {
            "answered": answered,
            "seconds": passed_s,
            "cpu_s": after.cpu_s - before.cpu_s,
            "database_cpu_s": after.database_cpu_s - before.database_cpu_s,
            "load_cpu_s": own_s,
            "p50_ms": _share(late_s, 0.50) * 1000.0,
            "p99_ms": _share(late_s, 0.99) * 1000.0,
            "errors": dict(self._faults),
        }

    async def _send_all(self) -> None:
        for charger in self.chargers:
            charger.next(time.perf_counter())
        await self._loop.create_future()

    async def _send_evenly(self, rate: float) -> None:
        turn = cycle(self.chargers)
        began_s, sent = time.perf_counter(), 0
        while True:
            due = int((time.perf_counter() - began_s) * rate)
            while sent < due:
                sent += 1
                charger, due_s = next(turn), began_s + sent / rate
                if charger.due_s is None:
                    charger.next(due_s)
                else:
                    charger.queued.append(due_s)
            await self._clock.sleep(TICK_S)

    async def _drain(self) -> None:
        """What is under way is still answered, but not counted."""
        for charger in self.chargers:
            charger.queued.clear()
        until_s = time.perf_counter() + DRAIN_S
        while any(charger.due_s is not None for charger in self.chargers):
            if time.perf_counter() > until_s:
                waiting = sum(charger.due_s is not None for charger in self.chargers)
                self._faults["no answer"] += waiting
                return
            await self._clock.sleep(0.02)

    def _on_answer(self, charger: Charger) -> None:
        now_s = time.perf_counter()
        if charger.due_s is not None:
            self._late_s.append(now_s - charger.due_s)
        self._answered += 1
        self._go_on(charger, now_s)

    def _on_fault(self, charger: Charger, what: str) -> None:
        self._faults[what] += 1
        if charger.transport is not None:
            self._go_on(charger, time.perf_counter())

    def _go_on(self, charger: Charger, now_s: float) -> None:
        if charger.queued:
            charger.next(charger.queued.popleft())
        elif self._going and not self._paced:
            charger.next(now_s)
        else:
            charger.due_s = None


def _share(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


async def _obey(crowd: Crowd, order: dict[str, Any]) -> dict[str, Any]:
    match order["do"]:
        case "connect":
            return await crowd.connect(order["count"])
        case "storm":
            return await crowd.storm()
        case "keep":
            return await crowd.keep(order["count"])
        case "begin":
            return await crowd.begin()
        case "full":
            return await crowd.full(order["seconds"])
        case "paced":
            return await crowd.paced(order["seconds"], order["rate"])
        case "metered":
            return crowd.metered()
        case unknown:
            raise ValueError(f"no such order: {unknown}")


async def main(port: int, root: int) -> None:
    crowd = Crowd(port, root)
    gc.disable()  # nothing of a round is cyclic, and pauses would be counted as the server's
    while line := await asyncio.to_thread(sys.stdin.readline):
        answer = await _obey(crowd, json.loads(line))
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    raise_file_limit()
    with asyncio.Runner(loop_factory=fast_loop) as runner:
        runner.run(main(int(sys.argv[1]), int(sys.argv[2])))

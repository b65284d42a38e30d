"""What the live board costs when every outlet changes every second: latency, CPU, bytes, memory.

    python -m tests.e2e.measure_console [--evses 80 1000] [--seconds 30] [--rounds 3]

"flush to DOM" is from the moment the server read the new state to the end of the DOM update,
"painted" is after the next frame;
"event to DOM" adds the wait for the next flush (once a second), by design up to a second.
"""

import argparse
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page

from tests.e2e.browser import launched, signed_in
from tests.e2e.pages import PAGES
from tests.e2e.serve_fake import FakeConsole, serving
from voltyard.tenancy.model import Principal
from voltyard.web.console.data import LiveRecord
from voltyard.web.console.topics import TopicReader

WATCH = """
window.seen = {flush: [], event: [], paint: [], bytes: 0};
const Plain = window.WebSocket;
window.WebSocket = class extends Plain {
  set onmessage(handle) {
    super.onmessage = (message) => {
      handle(message);
      const data = message.data, done = Date.now();
      seen.bytes += data.length;
      const head = /"stamp":([0-9.]+),"event":([0-9.]+)/.exec(data);
      if (!head || data.includes('"s":{"e0"')) return;
      seen.flush.push(done - head[1]);
      seen.event.push(done - head[2]);
      requestAnimationFrame(() => setTimeout(() => seen.paint.push(Date.now() - head[1])));
    };
  }
};
"""
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class StampedReader(TopicReader):
    """Adds to the board's head when it was read, and when the newest change came to be."""

    def __init__(self, console: FakeConsole) -> None:
        super().__init__(console.depot)
        self._depot = console.depot

    async def __call__(self, who: Principal, topic: str) -> Mapping[str, LiveRecord]:
        records = dict(await super().__call__(who, topic))
        if topic.startswith("board:"):
            now_ms = time.time() * 1000
            age_ms = (self._depot.now().timestamp() % 1) * 1000
            stamps = {"stamp": round(now_ms, 1), "event": round(now_ms - age_ms, 1)}
            records["head"] = {**stamps, **records["head"]}
        return records


@dataclass(frozen=True, slots=True)
class Result:
    flush_ms: float
    painted_ms: float
    event_ms: float
    browser_cpu_pct: float
    server_cpu_pct: float
    received_kb_s: float
    busy_ms_s: float
    heap_mb: float
    shown_ms: float


def measure(browser: Browser, evses: int, seconds: int) -> Result:
    """One round against a fresh server."""
    console = FakeConsole(evses, busy=True)
    console.hub._read = StampedReader(console)
    with serving(console) as url:
        page = signed_in(browser, url)
        page.add_init_script(WATCH)
        started = time.perf_counter()
        page.goto(url + PAGES["board"])
        page.wait_for_function(f"() => document.querySelectorAll('.tile').length === {evses}")
        shown_ms = (time.perf_counter() - started) * 1000
        page.wait_for_function("() => seen.flush.length > 2")
        result = _watch(page, seconds, shown_ms)
        page.context.close()
    return result


def _watch(page: Page, seconds: int, shown_ms: float) -> Result:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.evaluate("seen.flush.length = seen.event.length = seen.paint.length = seen.bytes = 0")
    before, browser_s, own_s = _metrics(session), _browser_cpu_s(), time.process_time()
    started = time.perf_counter()
    page.wait_for_timeout(seconds * 1000)
    passed_s = time.perf_counter() - started
    after, seen = _metrics(session), page.evaluate("seen")
    return Result(
        median(seen["flush"]),
        median(seen["paint"]),
        median(seen["event"]),
        100 * (_browser_cpu_s() - browser_s) / passed_s,
        100 * (time.process_time() - own_s) / passed_s,
        seen["bytes"] / 1000 / passed_s,
        1000 * (after["TaskDuration"] - before["TaskDuration"]) / passed_s,
        after["JSHeapUsedSize"] / 1e6,
        shown_ms,
    )


def _metrics(session: CDPSession) -> dict[str, float]:
    found: dict[str, Any] = session.send("Performance.getMetrics")
    return {metric["name"]: metric["value"] for metric in found["metrics"]}


def _browser_cpu_s() -> float:
    """CPU seconds of all Chromium processes that descend from this one."""
    parents: dict[int, tuple[int, str, float]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, tail = stat.read_text().rpartition(")")
        except OSError:
            continue
        pid, name = head.split(" (", 1)
        fields = tail.split()
        used_s = (int(fields[11]) + int(fields[12])) / TICKS_PER_S
        parents[int(pid)] = (int(fields[1]), name, used_s)
    return sum(
        used_s
        for pid, (_, name, used_s) in parents.items()
        if name.startswith("chrom") and _descends(pid, parents)
    )


def _descends(pid: int, parents: Mapping[int, tuple[int, str, float]]) -> bool:
    while pid in parents:
        if pid == os.getpid():
            return True
        pid = parents[pid][0]
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the console's live board.")
    parser.add_argument("--evses", type=int, nargs="+", default=[80, 1000])
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print("evses flush→DOM_ms flush→painted_ms event→DOM_ms browser_% server_% kB/s", end=" ")
    print("busy_ms/s heap_MB shown_ms")
    with launched() as browser:
        for evses in asked.evses:
            rounds = [measure(browser, evses, asked.seconds) for _ in range(asked.rounds)]
            columns = zip(*([getattr(r, f) for f in Result.__slots__] for r in rounds), strict=True)
            print(evses, *(f"{median(c):.1f} ({min(c):.1f}–{max(c):.1f})" for c in columns))


if __name__ == "__main__":
    main()

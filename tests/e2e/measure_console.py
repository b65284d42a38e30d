"""What the live board costs over a real server whose every outlet has a new reading each second.

    python -m tests.e2e.measure_console [--evses 80 1000] [--seconds 30] [--rounds 3]
        [--axe [--pictures DIR]]

Processes of their own: the whole server with its PostgreSQL (``serve_depot``), the chargers on
real OCPP sockets (``swarm``), Chromium. "reading to DOM" is from the moment a charger sent a
reading to the end of the DOM update that shows it: by design it waits up to a second for the next
flush. "flush to DOM" is from the beginning of that flush, "painted" is after the next frame.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page

from tests.e2e.browser import LATE_MS, axe_violations, launched

EVERY_TILE = 20
SETTLE_S = 40
STARTED_WITHIN_S = 300
WATCH = """
window.seen = {dom: [], done: [], paint: [], bytes: 0, watched: null};
const Plain = window.WebSocket;
window.WebSocket = class extends Plain {
  set onmessage(handle) {
    super.onmessage = (message) => {
      handle(message);
      seen.bytes += message.data.length;
      if (!message.data.startsWith('{"t":"board:')) return;
      const done = Date.now();
      seen.done.push(done);
      seen.watched ??= [...document.querySelectorAll('.tile')].filter((_, at) => at % EVERY === 0)
        .map((tile) => ({key: tile.dataset.k, node: tile.querySelector('[data-f="p"]'), last: ''}));
      for (const one of seen.watched) {
        const text = one.node.textContent;
        if (text !== one.last) seen.dom.push([one.key, text, done]);
        one.last = text;
      }
      requestAnimationFrame(() => setTimeout(() => seen.paint.push([done, Date.now()])));
    };
  }
};
""".replace("EVERY", str(EVERY_TILE))
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Result:
    """Times in ms, CPU in percent of one core; of one round."""

    reading_p50_ms: float
    reading_p99_ms: float
    flush_p50_ms: float
    flush_p99_ms: float
    painted_p50_ms: float
    browser_cpu_pct: float
    server_cpu_pct: float
    unwatched_cpu_pct: float
    postgres_cpu_pct: float
    flush_cpu_ms: float
    flush_wall_ms: float
    received_kb_s: float
    busy_ms_s: float
    heap_mb: float
    shown_ms: float
    readings_s: float


class Depot:
    """The server's and the chargers' processes, and what they wrote down."""

    def __init__(self, home: Path, server: subprocess.Popen[str]) -> None:
        self.home = home
        self.server = server
        self.place: dict[str, Any] = json.loads((home / "place.json").read_text())

    def cpu_s(self) -> tuple[float, float]:
        """CPU seconds of the server so far, and of its PostgreSQL."""
        used = _processes()
        return used[self.server.pid][2], sum(
            cpu_s
            for pid, (_, name, cpu_s) in used.items()
            if name.startswith("postgres") and _descends(pid, self.server.pid, used)
        )

    def readings(self) -> Mapping[tuple[str, str], list[float]]:
        """When each value of each outlet was sent, by outlet and value."""
        found: dict[tuple[str, str], list[float]] = {}
        for line in _whole_lines(self.home / "events.csv"):
            key, value, at_ms = line.split(",")
            found.setdefault((key, value), []).append(float(at_ms))
        return found

    def flushes(self, topic: str) -> list[tuple[float, float, float]]:
        """Begin (epoch ms), CPU and wall ms of each flush of a kind of topic."""
        rows = [line.split(",") for line in _whole_lines(self.home / "flushes.csv")]
        return [
            (float(at), float(cpu_s) * 1000, float(wall_s) * 1000)
            for kind, at, cpu_s, wall_s, _ in rows
            if kind == topic
        ]


def _whole_lines(path: Path) -> list[str]:
    return path.read_text().rpartition("\n")[0].split("\n")[1:]


@contextmanager
def depot_of(evses: int) -> Iterator[Depot]:
    """A whole server and its chargers, all of them charging."""
    with tempfile.TemporaryDirectory(prefix="voltyard-measure-") as folder:
        home = Path(folder)
        with _running("serve_depot", "--evses", str(evses), "--out", folder) as server:
            _until((home / "place.json").exists, server)
            depot = Depot(home, server)
            with _running("swarm", str(home / "place.json"), str(home / "events.csv")) as swarm:
                assert swarm.stdout is not None
                assert swarm.stdout.readline().startswith("all charging")
                time.sleep(SETTLE_S)
                yield depot


@contextmanager
def _running(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", f"tests.e2e.{module}", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)


def _until(done: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    for _ in range(STARTED_WITHIN_S * 5):
        if done():
            return
        if process.poll() is not None:
            raise RuntimeError("the server ended")
        time.sleep(0.2)
    raise RuntimeError("the server did not start in time")


def signed_in(browser: Browser, place: Mapping[str, Any], theme: str = "light") -> Page:
    """A page of the depot's administrator, who logged in by the form."""
    context = browser.new_context(
        viewport={"width": 1600, "height": 1000},
        color_scheme="dark" if theme == "dark" else "light",
    )
    context.set_default_timeout(LATE_MS)
    page = context.new_page()
    page.goto(place["url"] + "/login")
    page.fill("input[name=email]", place["email"])
    page.fill("input[name=password]", place["password"])
    page.press("input[name=password]", "Enter")
    page.wait_for_url("**/board")
    return page


def measure(browser: Browser, depot: Depot, evses: int, seconds: int) -> Result:
    """One round: a while with nobody looking, then with one tab."""
    unwatched = _server_share(depot, seconds / 2)
    page = signed_in(browser, depot.place)
    page.add_init_script(WATCH)
    started = time.perf_counter()
    page.goto(f"{depot.place['url']}/sites/{depot.place['site']}/board")
    page.wait_for_function(f"() => document.querySelectorAll('.tile').length === {evses}")
    shown_ms = (time.perf_counter() - started) * 1000
    page.wait_for_function("() => seen.done.length > 3")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.evaluate("seen.dom.length = seen.done.length = seen.paint.length = seen.bytes = 0")
    from_ms, before, browser_s = time.time() * 1000, _metrics(session), _browser_cpu_s()
    watched = _server_share(depot, seconds)
    passed_s = time.time() - from_ms / 1000
    browser_s, after, seen = _browser_cpu_s() - browser_s, _metrics(session), page.evaluate("seen")
    session.send("HeapProfiler.collectGarbage")
    heap_mb = _metrics(session)["JSHeapUsedSize"] / 1e6
    page.context.close()
    time.sleep(2)
    flushes = [flush for flush in depot.flushes("board") if flush[0] >= from_ms]
    reading_ms, flush_ms, painted_ms = _latencies(seen, depot, flushes)
    sent = [at for times in depot.readings().values() for at in times if at >= from_ms]
    return Result(
        median(reading_ms),
        quantiles(reading_ms, n=100)[98],
        median(flush_ms),
        max(flush_ms),
        median(painted_ms),
        100 * browser_s / passed_s,
        watched[0],
        unwatched[0],
        watched[1],
        median(flush[1] for flush in flushes),
        median(flush[2] for flush in flushes),
        seen["bytes"] / 1000 / passed_s,
        1000 * (after["TaskDuration"] - before["TaskDuration"]) / passed_s,
        heap_mb,
        shown_ms,
        sum(at <= from_ms + passed_s * 1000 for at in sent) / passed_s,
    )


def _latencies(
    seen: Mapping[str, Any], depot: Depot, flushes: Sequence[tuple[float, float, float]]
) -> tuple[list[float], list[float], list[float]]:
    """From reading to DOM for the watched tiles; from flush to DOM and to paint for each frame."""
    readings, begun = depot.readings(), [flush[0] for flush in flushes]
    reading_ms: list[float] = []
    for key, text, done in seen["dom"]:
        times = readings.get((key, text), [])
        place = bisect_right(times, done)
        if place:
            reading_ms.append(done - times[place - 1])
    frames = {done: begun[at - 1] for done in seen["done"] if (at := bisect_right(begun, done))}
    painted = [at - frames[done] for done, at in seen["paint"] if done in frames]
    return reading_ms, [done - began for done, began in frames.items()], painted


def _server_share(depot: Depot, seconds: float) -> tuple[float, float]:
    """Percent of a core that server and PostgreSQL use over some seconds."""
    before, started = depot.cpu_s(), time.perf_counter()
    time.sleep(seconds)
    passed_s, after = time.perf_counter() - started, depot.cpu_s()
    return 100 * (after[0] - before[0]) / passed_s, 100 * (after[1] - before[1]) / passed_s


def _metrics(session: CDPSession) -> dict[str, float]:
    found: dict[str, Any] = session.send("Performance.getMetrics")
    return {metric["name"]: metric["value"] for metric in found["metrics"]}


def _browser_cpu_s() -> float:
    """CPU seconds of all Chromium processes that descend from this one."""
    used = _processes()
    return sum(
        cpu_s
        for pid, (_, name, cpu_s) in used.items()
        if name.startswith("chrom") and _descends(pid, os.getpid(), used)
    )


def _processes() -> dict[int, tuple[int, str, float]]:
    """Parent, name and CPU seconds of every process."""
    found: dict[int, tuple[int, str, float]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, tail = stat.read_text().rpartition(")")
        except OSError:
            continue
        pid, name = head.split(" (", 1)
        fields = tail.split()
        used_s = (int(fields[11]) + int(fields[12])) / TICKS_PER_S
        found[int(pid)] = (int(fields[1]), name, used_s)
    return found


def _descends(pid: int, from_pid: int, used: Mapping[int, tuple[int, str, float]]) -> bool:
    while pid in used:
        if pid == from_pid:
            return True
        pid = used[pid][0]
    return False


def check_access(browser: Browser, depot: Depot, pictures: Path | None) -> None:
    """What axe finds on the views of the live board, in both themes; says so either way."""
    for theme in ("light", "dark"):
        page = signed_in(browser, depot.place, theme)
        for view in ("tiles", "compact", "table"):
            page.goto(f"{depot.place['url']}/sites/{depot.place['site']}/board?view={view}")
            found = axe_violations(page)
            print(f"axe {view} {theme}: {len(found)} violations", *found, sep="\n  ")
            if pictures:
                page.screenshot(path=pictures / f"{len(depot.place['outlets'])}-{view}-{theme}.png")
        page.context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the console's live board.")
    parser.add_argument("--evses", type=int, nargs="+", default=[80, 1000])
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--axe", action="store_true", help="also check access at each size")
    parser.add_argument("--pictures", type=Path, help="with --axe: a folder for screenshots")
    asked = parser.parse_args()
    with launched() as browser:
        for evses in asked.evses:
            with depot_of(evses) as depot:
                load = os.getloadavg()[0]
                rounds = [
                    measure(browser, depot, evses, asked.seconds) for _ in range(asked.rounds)
                ]
                print(f"\n{evses} outlets; load average {load:.1f} on {os.cpu_count()} cores")
                _print(rounds)
                if asked.axe:
                    check_access(browser, depot, asked.pictures)


def _print(rounds: Sequence[Result]) -> None:
    for name in asdict(rounds[0]):
        found = [getattr(one, name) for one in rounds]
        print(f"  {name:20} {median(found):9.1f} ({min(found):.1f}–{max(found):.1f})", flush=True)


if __name__ == "__main__":
    main()

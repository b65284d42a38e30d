"""A whole voltyard with its real database over a large depot, as a process that can be measured.

    python -m tests.e2e.serve_depot --evses 1000 --out /tmp/depot

It writes ``place.json`` (addresses, log-in, outlets and who stands there), then ``flushes.csv``
with each flush of a live topic: topic, when it began, CPU and wall seconds, bytes sent.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from voltyard import logs
from voltyard.app import DEMO_EMAIL, first_organisation, rooms
from voltyard.clock import ScaledClock
from voltyard.config import Settings
from voltyard.serving import Server, database_of, fast_loop, running, stop_event
from voltyard.serving.demo import LONG_LOG_IN
from voltyard.simulator import furnish
from voltyard.simulator.demo import demo_depot
from voltyard.simulator.depot import DepotSpec
from voltyard.sites.model import NodeKind, NodeLimit
from voltyard.tenancy.model import Principal
from voltyard.web import live

PASSWORD = "a thousand buses at night"
AMPLE_W = 1e9
INTO_THE_NIGHT = timedelta(hours=6)


def ample_depot(evses: int) -> DepotSpec:
    """The demo's depot, but only its cabinets bind, so that every vehicle can charge at once."""
    depot = demo_depot(1, evses)
    wide = (NodeKind.GRID, NodeKind.TRANSFORMER, NodeKind.FEEDER)
    nodes = [
        replace(node, limits=(NodeLimit(power_w=AMPLE_W),)) if node.kind in wide else node
        for node in depot.nodes
    ]
    stations = [replace(station, password=None) for station in depot.stations]
    return replace(depot, nodes=tuple(nodes), stations=tuple(stations))


class Timed:
    """Awaits something and adds up the thread's CPU time of its own steps alone."""

    def __init__(self, work: Awaitable[Any]) -> None:
        self._work = work
        self.cpu_s = 0.0

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._work.__await__()
        go_on: Callable[[], Any] = partial(next, steps)
        while True:
            began_s = time.thread_time()
            try:
                asked = go_on()
            except StopIteration as end:
                return end.value
            finally:
                self.cpu_s += time.thread_time() - began_s
            try:
                yield asked
                go_on = partial(next, steps)
            except (asyncio.CancelledError, GeneratorExit) as error:
                go_on = partial(steps.throw, error)


@dataclass
class Flushes:
    """Stands in for ``LiveHub._advance`` and writes down what each flush took."""

    out: TextIO

    def install(self) -> None:
        plain, out = live.LiveHub._advance, self.out

        async def advance(hub: live.LiveHub, topic: live.Topic) -> None:
            before = topic.seq
            at_ms, began_s = time.time() * 1000, time.perf_counter()
            timed = Timed(plain(hub, topic))
            await timed
            wall_s = time.perf_counter() - began_s
            kind = topic.name.partition(":")[0]
            sent = topic.seq - before
            out.write(f"{kind},{at_ms:.1f},{timed.cpu_s:.6f},{wall_s:.6f},{sent}\n")
            out.flush()

        live.LiveHub._advance = advance  # type: ignore[assignment, method-assign]


async def _serve(settings: Settings, url: str, evses: int, out: Path) -> None:
    depot = ample_depot(evses)
    clock = ScaledClock(depot.start_at + INTO_THE_NIGHT)
    stop = stop_event()
    async with running(settings, url, clock, log_in=LONG_LOG_IN) as server:
        who = await first_organisation(server.core, PASSWORD)
        site_id = await furnish.furnish(rooms(server.core), who, depot)
        place = {
            "url": server.url,
            "ocpp": f"ws://127.0.0.1:{server.ocpp_port}/ocpp",
            "site": str(site_id),
            "email": DEMO_EMAIL,
            "password": PASSWORD,
            "outlets": _outlets(server, who, depot),
        }
        (out / "place.part").write_text(json.dumps(place))
        (out / "place.part").rename(out / "place.json")
        await stop.wait()


def _outlets(server: Server, who: Principal, depot: DepotSpec) -> list[dict[str, Any]]:
    """Station, outlet, its key on the board, and the token and charge of who stands there."""
    keys = {
        (view.station.identity, evse.number): f"evse-{evse.id}"
        for view in server.core.chargers.list_stations(who.org_id)
        for evse in view.evses
    }
    return [
        {
            "station": stay.station,
            "number": stay.evse,
            "key": keys[stay.station, stay.evse],
            "token": depot.vehicle(stay.vehicle).token.value,
            "soc": stay.arrival_soc_pct,
        }
        for stay in depot.stays
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="A whole server over a large depot.")
    parser.add_argument("--evses", type=int, default=1000)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    settings = Settings(
        data_dir=asked.out / "data", http_port=0, ocpp_port=0, allow_no_password=True
    )
    logs.setup("WARNING", as_json=False)
    with (asked.out / "flushes.csv").open("w") as out:
        Flushes(out).install()
        with database_of(settings) as url, asyncio.Runner(loop_factory=fast_loop) as runner:
            runner.run(_serve(settings, url, asked.evses, asked.out))


if __name__ == "__main__":
    main()

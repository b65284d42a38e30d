"""``voltyard simulate``: a scenario in virtual time against the real core and a real database."""

import argparse
import asyncio
import gc
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from voltyard.clock import Clock, seeded
from voltyard.errors import Invalid
from voltyard.simulator import promises
from voltyard.simulator.demo import demo_depot, lower_limit
from voltyard.simulator.depot import DepotSpec
from voltyard.simulator.fleet import StayResult
from voltyard.simulator.host import Host
from voltyard.simulator.loop import run_virtual
from voltyard.simulator.night import Crash, NightResult, fault_plans, run_night
from voltyard.simulator.physics import possible
from voltyard.simulator.shared import shared_depot
from voltyard.simulator.spice import spice_ev
from voltyard.storage.embedded import APP_ROLE, EmbeddedPostgres
from voltyard.storage.migrate import migrate

DEMO_VEHICLES = 80
SHARED_VEHICLES = 12


class HostFactory(Protocol):
    """Builds the system under test on a database; ``app.build_host``."""

    async def __call__(self, database_url: str, clock: Clock) -> Host: ...


@dataclass(frozen=True, slots=True)
class Summary:
    """The command's JSON; every key is part of the command-line contract."""

    duties: int
    ready: int
    physically_ready_max: int
    late: list[dict[str, Any]]
    limit_violations: int
    max_site_power_w: float
    limit_w: float
    sessions: int
    energy_wh: float
    virtual_s: float
    wall_s: float
    announced_late: int
    not_announced: list[str]
    broken_promises: list[str]


@contextmanager
def scratch_database(keep: Path | None = None) -> Iterator[str]:
    """A migrated database on a server of its own: its application URL.

    Gone afterwards, unless ``keep`` names a new folder: ``voltyard serve`` can open that one.
    """
    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise Invalid(f"{keep} is not empty; --keep makes a new folder")
    home = Path(tempfile.mkdtemp(prefix="voltyard-sim-")) if keep is None else keep
    server = EmbeddedPostgres(home / "postgres", durable=False)
    try:
        server.start()
        asyncio.run(migrate(server.url(), app_password=server.password(APP_ROLE)))
        yield server.url(APP_ROLE)
    finally:
        server.stop()
        if keep is None:
            shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _garbage_left_longer() -> Iterator[None]:
    """A night keeps nearly all it makes; looking through it often costs a tenth of the run."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def _vehicles(arguments: argparse.Namespace, usual: int) -> int:
    return usual if arguments.vehicles is None else int(arguments.vehicles)


def load(arguments: argparse.Namespace) -> list[DepotSpec]:
    """The depots that the command line names."""
    limit_w = None if arguments.limit_kw is None else arguments.limit_kw * 1000.0
    if arguments.scenario == "demo":
        if arguments.until is not None:
            raise Invalid("--until is for SpiceEV scenarios; the demo is one night")
        depot = demo_depot(arguments.seed, _vehicles(arguments, DEMO_VEHICLES))
        return [depot if limit_w is None else lower_limit(depot, limit_w)]
    if arguments.scenario == "shared":
        if arguments.until is not None:
            raise Invalid("--until is for SpiceEV scenarios; a shared depot takes --days")
        buses = _vehicles(arguments, SHARED_VEHICLES) // 3
        return [shared_depot(arguments.seed, buses, arguments.days, limit_w=limit_w)]
    depots = spice_ev(arguments.scenario)
    if arguments.until is not None:
        depots = [_until(depot, arguments.until) for depot in depots]
    return depots if limit_w is None else [lower_limit(depot, limit_w) for depot in depots]


def _until(depot: DepotSpec, end_at: datetime) -> DepotSpec:
    if end_at.tzinfo is None:
        raise Invalid("--until needs a UTC offset, such as 2018-01-03T06:00+01:00")
    stays = tuple(stay for stay in depot.stays if stay.departure_at <= end_at)
    if not stays:
        raise Invalid(f"nobody leaves {depot.name} before {end_at.isoformat()}")
    return replace(depot, stays=stays, end_at=min(depot.end_at, end_at + timedelta(hours=1)))


def simulate(
    depots: Sequence[DepotSpec],
    make_host: HostFactory,
    *,
    seed: int,
    faults: str = "none",
    crash: Crash | None = None,
    keep: Path | None = None,
) -> NightResult:
    """Run the depots once; the same arguments give the same result. ``keep`` its database."""
    start_at = min(depot.start_at for depot in depots) - timedelta(minutes=5)
    with scratch_database(keep) as url, _garbage_left_longer():

        async def main(clock: Clock) -> NightResult:
            return await run_night(
                depots,
                lambda same: make_host(url, same),
                clock,
                seed=seed,
                faults=faults,
                crash=crash,
            )

        return run_virtual(main, start_at)


def summarise(night: NightResult, wall_s: float) -> Summary:
    """Compare with what physics allowed."""
    late = sorted((stay for stay in night.duties if not stay.ready), key=_by_shortfall)
    truths = night.truths.values()
    missed = promises.late_without_warning(night)
    return Summary(
        duties=len(night.duties),
        ready=sum(stay.ready for stay in night.duties),
        physically_ready_max=sum(possible(depot, night.stays).ready_max for depot in night.depots),
        late=[_late(stay) for stay in late],
        limit_violations=sum(len(checked.exceedances) for checked in truths),
        max_site_power_w=round(max(checked.root_peak_w for checked in truths), 1),
        limit_w=max(depot.limit_w for depot in night.depots),
        sessions=sum(session.state != "quarantined" for session in night.sessions),
        energy_wh=round(sum(night.delivered_wh.values()), 1),
        virtual_s=round(night.virtual_s, 1),
        wall_s=round(wall_s, 2),
        announced_late=len(late) - len(missed),
        not_announced=list(missed),
        broken_promises=promises.broken(night),
    )


def _by_shortfall(stay: StayResult) -> tuple[float, str]:
    return (-stay.shortfall_wh, stay.stay.external_id)


def _late(stay: StayResult) -> dict[str, Any]:
    return {
        "vehicle": stay.vehicle,
        "duty": stay.stay.external_id,
        "depot": stay.depot,
        "priority": stay.stay.priority,
        "departure_at": stay.stay.departure_at.isoformat(),
        "soc_pct": round(stay.departure_soc_pct, 2),
        "shortfall_wh": round(stay.shortfall_wh, 1),
    }


def main(arguments: argparse.Namespace, make_host: HostFactory) -> int:
    """Exit status 3 if a promise was broken."""
    began = time.perf_counter()
    depots = load(arguments)
    crash = crash_of(depots, arguments.seed) if arguments.faults in {"crash", "mixed"} else None
    faults = {"crash": "none", "mixed": "heavy"}.get(arguments.faults, arguments.faults)
    fault_plans(depots, faults, arguments.seed)  # an unknown name is told before anything starts
    if not arguments.as_json:
        _say(f"{sum(len(d.duties) for d in depots)} duties at {', '.join(d.name for d in depots)}")
    night = simulate(
        depots, make_host, seed=arguments.seed, faults=faults, crash=crash, keep=arguments.keep
    )
    summary = summarise(night, time.perf_counter() - began)
    if arguments.as_json:
        print(json.dumps({name: getattr(summary, name) for name in Summary.__slots__}, indent=2))
    else:
        _print(summary)
    return 3 if summary.broken_promises else 0


def crash_of(depots: Sequence[DepotSpec], seed: int) -> Crash:
    """A random instant of the run, and an outage of 10 s to 10 min."""
    rng = seeded(seed, "crash")
    start_at = min(depot.start_at for depot in depots)
    span_s = (max(depot.end_at for depot in depots) - start_at).total_seconds()
    at = start_at + timedelta(seconds=round(rng.uniform(0.05, 0.9) * span_s, 3))
    return Crash(at, round(rng.uniform(10, 600), 1))


def _print(summary: Summary) -> None:
    _say(
        f"{summary.ready} of {summary.duties} ready (physics allows"
        f" {summary.physically_ready_max}), {summary.sessions} sessions,"
        f" {summary.energy_wh / 1e6:.2f} MWh"
    )
    _say(
        f"peak {summary.max_site_power_w / 1000:.0f} kW of {summary.limit_w / 1000:.0f} kW,"
        f" {summary.limit_violations} limit violations"
    )
    for stay in summary.late[:20]:
        _say(f"  late: {stay['vehicle']} short by {stay['shortfall_wh'] / 1000:.1f} kWh")
    for line in summary.broken_promises:
        _say(f"  BROKEN {line}")
    _say(f"{summary.virtual_s / 3600:.1f} h in {summary.wall_s:.1f} s")


def _say(line: str) -> None:
    print(line, file=sys.stdout, flush=True)

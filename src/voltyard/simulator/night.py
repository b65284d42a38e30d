"""One seeded run of some depots in virtual time, from first frame to the last departure."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from voltyard import ids
from voltyard.clock import Clock, seeded
from voltyard.simulator import truth
from voltyard.simulator.charger import Charger
from voltyard.simulator.depot import DepotSpec
from voltyard.simulator.faults import FaultKind, FaultPlan, plans
from voltyard.simulator.fleet import Aboard, FleetDriver, StayResult
from voltyard.simulator.host import Host, MakeHost, StoredSession
from voltyard.simulator.link import Link, MemoryLink
from voltyard.simulator.station import make_charger

SETTLE = timedelta(minutes=10)
LATENCY_S = 0.02
JITTER_S = 0.03


@dataclass(frozen=True, slots=True)
class Crash:
    """The server dies at ``at`` and is back after ``outage_s``."""

    at: datetime
    outage_s: float


@dataclass(frozen=True, slots=True)
class NightResult:
    """What happened: physics, timetable, and what the database says of it."""

    depots: tuple[DepotSpec, ...]
    stays: tuple[StayResult, ...]
    truths: Mapping[str, truth.Truth]
    power: Mapping[UUID, Sequence[truth.PowerStep]]
    sessions: tuple[StoredSession, ...]
    announced: Mapping[str, datetime]
    delivered_wh: Mapping[tuple[str, int], float]
    transactions: Mapping[tuple[str, int], int]
    faults: Mapping[str, FaultPlan]
    crash: Crash | None
    virtual_s: float
    errors: tuple[str, ...] = ()

    @property
    def duties(self) -> tuple[StayResult, ...]:
        """Those of the timetable; guests and whoever else came are left out."""
        return tuple(stay for stay in self.stays if stay.stay.is_duty)


@dataclass(slots=True)
class _Watch:
    """Unhandled exceptions of any task: promise 6 says there are none."""

    errors: list[str] = field(default_factory=list)

    def note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.errors.append(f"{context.get('message')}: {context.get('exception')!r}")


def make_chargers(
    depots: Sequence[DepotSpec],
    link: Link,
    clock: Clock,
    *,
    seed: int,
    faults: Mapping[str, FaultPlan],
) -> dict[str, Charger]:
    """Every station of the depots, by identity, not yet running."""
    return {
        station.identity: make_charger(
            station, link, clock, seed=seed, plan=faults.get(station.identity)
        )
        for depot in depots
        for station in depot.stations
    }


def power_steps(chargers: Mapping[str, Charger]) -> dict[Any, list[truth.PowerStep]]:
    """The physical power of every EVSE by its id in the tree."""
    return {
        evse.spec.id: list(evse.trace) for charger in chargers.values() for evse in charger.evses
    }


async def run_night(
    depots: Sequence[DepotSpec],
    make_host: MakeHost,
    clock: Clock,
    *,
    seed: int,
    faults: str = "none",
    crash: Crash | None = None,
    aboard: Aboard | None = None,
) -> NightResult:
    """Furnish a host, run every charger and vehicle, and collect what came of it."""
    with ids.repeatable(seeded(seed, "ids")):
        return await _night(
            depots, make_host, clock, seed=seed, faults=faults, crash=crash, aboard=aboard
        )


async def _night(
    depots: Sequence[DepotSpec],
    make_host: MakeHost,
    clock: Clock,
    *,
    seed: int,
    faults: str,
    crash: Crash | None,
    aboard: Aboard | None,
) -> NightResult:
    watch = _Watch()
    asyncio.get_running_loop().set_exception_handler(watch.note)
    start_at = min(depot.start_at for depot in depots)
    end_at = max(depot.end_at for depot in depots)
    host = await make_host(clock)
    await host.furnish(depots)
    await host.start()
    link = MemoryLink(host.acceptor, clock, seeded(seed, "link"), LATENCY_S, JITTER_S)
    planned = fault_plans(depots, faults, seed)
    chargers = make_chargers(depots, link, clock, seed=seed, faults=planned)
    counted = _count_transactions(chargers)
    lives = [asyncio.create_task(charger.run()) for charger in chargers.values()]
    driver = FleetDriver(depots, chargers, clock, aboard=aboard)
    drive = asyncio.create_task(driver.run())
    if crash is not None:
        host = await _crash(crash, host, make_host, link, clock)
    await drive
    await clock.sleep((end_at - clock.now()).total_seconds() + SETTLE.total_seconds())
    sessions, announced = await host.sessions(), await host.announced()
    for life in lives:
        life.cancel()
    await asyncio.gather(*lives, return_exceptions=True)
    steps = power_steps(chargers)
    truths = {d.name: truth.check(d.tree, steps, start_at, end_at) for d in depots}
    delivered = {
        (identity, evse.spec.number): charger.energy_wh(evse.spec.number)
        for identity, charger in chargers.items()
        for evse in charger.evses
    }
    await host.close()
    return NightResult(
        depots=tuple(depots),
        stays=tuple(driver.results),
        truths=truths,
        power=steps,
        sessions=tuple(sessions),
        announced=announced,
        delivered_wh=delivered,
        transactions=counted,
        faults=planned,
        crash=crash,
        virtual_s=(clock.now() - start_at).total_seconds(),
        errors=tuple(watch.errors),
    )


def fault_plans(depots: Sequence[DepotSpec], name: str, seed: int) -> dict[str, FaultPlan]:
    """What every charger will do wrong."""
    planned: dict[str, FaultPlan] = {}
    for depot in depots:
        identities = [station.identity for station in depot.stations]
        planned.update(plans(seed, name, identities, depot.start_at, depot.end_at))
    return planned


def lying_spans(
    planned: Mapping[str, FaultPlan],
) -> list[tuple[str, datetime, datetime]]:
    """Which charger did not obey limits that it accepted, from when to when."""
    liars = {FaultKind.IGNORE_LIMIT, FaultKind.DRAW_FULL}
    return [
        (identity, fault.at, fault.at + timedelta(seconds=fault.duration_s))
        for identity, plan in planned.items()
        for fault in plan.faults
        if fault.kind in liars
    ]


async def _crash(
    crash: Crash, host: Host, make_host: MakeHost, link: MemoryLink, clock: Clock
) -> Host:
    await clock.sleep((crash.at - clock.now()).total_seconds())
    link.acceptor = None
    host.crash()
    link.break_all()
    await clock.sleep(crash.outage_s)
    again = await make_host(clock)
    await again.start()
    link.acceptor = again.acceptor
    return again


def _count_transactions(chargers: Mapping[str, Charger]) -> dict[tuple[str, int], int]:
    """Count, at the chargers themselves, how many transactions each EVSE begins."""
    counted: dict[tuple[str, int], int] = {}
    for identity, charger in chargers.items():
        _count_at(identity, charger, counted)
    return counted


def _count_at(identity: str, charger: Charger, counted: dict[tuple[str, int], int]) -> None:
    begin = charger.dialect.started

    def started(evse: Any, transaction: Any) -> None:
        key = (identity, evse.spec.number)
        counted[key] = counted.get(key, 0) + 1
        begin(evse, transaction)

    charger.dialect.started = started  # type: ignore[method-assign]

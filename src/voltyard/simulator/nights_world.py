"""One night of a random depot: the whole control of a site, and everything that goes wrong."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import cast
from uuid import UUID

from voltyard.bus import Bus
from voltyard.chargers.model import PowerMode
from voltyard.clock import Clock, seeded
from voltyard.energy import planner
from voltyard.energy.booting import Verdict
from voltyard.energy.control import ControlSettings, Parts, SiteController
from voltyard.energy.discharging import Order
from voltyard.energy.inputs import Outlook, Situation, outlook, plan_input
from voltyard.energy.model import Plan, Step
from voltyard.energy.otherload import Metered
from voltyard.energy.overrides import Override
from voltyard.energy.planning import Planning, PlanningSettings
from voltyard.energy.policies.registry import SitePolicies
from voltyard.energy.ports import LiveSession, PlanPrices, SiteSetup
from voltyard.energy.records import ForecastRow, GrantRow
from voltyard.energy.watching import Watching
from voltyard.fleets.model import Vehicle
from voltyard.sessions.model import Urgency, VehicleNeeds
from voltyard.simulator.nights_charger import Charger, Link, Mood, Outlet
from voltyard.simulator.nights_depot import ORG, SITE, RandomDepot
from voltyard.simulator.nights_judge import Judge, Signal
from voltyard.sites.limits import lowest_limit_ever_w
from voltyard.timetable.model import Duty

STEP_S = 2.0
METER_S = 30.0
SITE_METER_S = 5.0
MARGIN_W = 8_000.0
RISE_W_PER_S = 100.0
PLAN_S = 300.0
HOLD_S = 30.0
BATTERY_WH = 300_000.0


class MemoryLedger:
    """Rows survive controllers; ``broken`` refuses to save."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.rows: dict[UUID, GrantRow] = {}
        self.signals: list[Override] = []
        self.orders: list[Order] = []
        self.broken = False

    async def grants(self, site_id: UUID) -> Sequence[GrantRow]:
        return list(self.rows.values())

    async def overrides(self, site_id: UUID) -> Sequence[Override]:
        return self.signals

    async def discharges(self, site_id: UUID) -> Sequence[Order]:
        return self.orders

    async def save(self, org_id: UUID, site_id: UUID, rows: Sequence[GrantRow]) -> None:
        await self._clock.sleep(0.01)
        if self.broken:
            raise OSError("the disk is full")
        self.rows.update({row.evse_id: row for row in rows})


class MemoryPlanning:
    """Plans as the real one does, from duties in memory; without them it never plans."""

    def __init__(
        self,
        duties: Mapping[UUID, Duty],
        vehicles: Mapping[UUID, Vehicle],
        prices: Sequence[Step],
        *,
        plans: bool,
    ) -> None:
        self.plan: Plan | None = None
        self.outlook: Outlook | None = None
        self.forecasts: dict[UUID, ForecastRow] = {}
        self.loads_w: Mapping[UUID, float] = {}
        self.settings = PlanningSettings()
        self.hurried = False
        self._duties = duties
        self._vehicles = vehicles
        self._prices = prices
        self._plans = plans
        self._due_at: datetime | None = None

    async def start(self, setup: SiteSetup) -> None: ...

    def mark(self) -> None:
        self._due_at = None

    def hurry(self) -> None:
        self.mark()

    def is_due(self, now: datetime) -> bool:
        return self._plans and (self._due_at is None or now >= self._due_at)

    def begin(self, now: datetime) -> None:
        self._due_at = now + timedelta(seconds=PLAN_S)

    def duty_of(self, session_id: UUID) -> UUID | None:
        return None

    def delivered(self, duty_id: UUID | None, energy_wh: float) -> None: ...

    def situation(
        self, now: datetime, setup: SiteSetup, sessions: Sequence[LiveSession]
    ) -> Situation:
        duties = [duty for duty in self._duties.values() if duty.departure_at > now]
        prices = self._prices
        return Situation(now, setup, sessions, duties, self._vehicles, prices=prices)

    async def make(self, now: datetime, setup: SiteSetup, sessions: Sequence[LiveSession]) -> None:
        situation = self.situation(now, setup, sessions)
        found = outlook(situation)
        given_up = frozenset() if self.plan is None else self.plan.given_up
        given = plan_input(situation, found, horizon_s=6 * 3600.0, slot_s=900, given_up=given_up)
        self.plan, self.outlook = planner.plan(given), found


class NoWatching:
    async def start(self, setup: SiteSetup) -> None: ...

    def sample(self, view: object, now: datetime) -> None: ...

    async def alert(self, *args: object) -> None: ...

    def stopped_early(self, duty_id: UUID | None, reason: str | None) -> None: ...


@dataclass(slots=True)
class SiteMeter:
    """Beside the chargers, at the grid connection. It rises no faster than its margin covers."""

    node_id: UUID
    clock: Clock
    most_w: float
    load_w: float = 0.0
    aim_w: float = 0.0
    silent: bool = False
    reading: tuple[datetime, float] | None = None

    def step(self, seconds: float) -> None:
        change_w = RISE_W_PER_S * seconds
        self.load_w += max(-change_w, min(change_w, self.aim_w - self.load_w))

    def metered(self, site_id: UUID) -> Sequence[Metered]:
        at, power_w = self.reading or (None, 0.0)
        known = at is not None and (self.clock.now() - at).total_seconds() <= HOLD_S
        most_w = self.most_w
        return [Metered(SITE, self.node_id, True, MARGIN_W, known, most_w, most_w, at, power_w)]

    def saw(self, site_id: UUID, loads_w: Mapping[UUID, float], power_w: float) -> None: ...

    def forecast(
        self, meter_id: UUID, present_w: float | None, starts: Sequence[datetime]
    ) -> list[float] | None:
        return None

    def prices(self, site_id: UUID, from_at: datetime, until_at: datetime) -> PlanPrices:
        return PlanPrices()


@dataclass(slots=True)
class World:
    """The depot as it is, and the process in charge of it (or none)."""

    depot: RandomDepot
    clock: Clock
    chance: Random
    judge: Judge
    ledger: MemoryLedger
    chargers: list[Charger]
    setup_now: SiteSetup
    meter: SiteMeter | None
    sessions: dict[UUID, LiveSession] = field(default_factory=dict)
    duties: dict[UUID, Duty] = field(default_factory=dict)
    vehicles: dict[UUID, Vehicle] = field(default_factory=dict)
    prices: Sequence[Step] = ()
    controller: SiteController | None = None
    _stations: dict[UUID, Charger] = field(init=False)
    _loop: asyncio.Task[None] | None = None
    _boots: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)
    _count: int = 0
    _metered_at: datetime | None = None
    _site_read_at: datetime | None = None

    def __post_init__(self) -> None:
        self._stations = {charger.station.id: charger for charger in self.chargers}

    # the views a controller asks for

    def link(self, station_id: UUID) -> Link | None:
        return self._stations[station_id].link

    def running(self, site_id: UUID) -> Sequence[LiveSession]:
        return sorted(self.sessions.values(), key=lambda session: session.session_id.int)

    async def setup(self, site_id: UUID) -> SiteSetup:
        return self.setup_now

    # the process in charge

    async def start(self) -> None:
        parts = Parts(self.ledger, Bus(), self.clock, self, self, self, self.meter)
        planning = cast(Planning, self._planning())
        watching = cast(Watching, NoWatching())
        self.controller = SiteController(SITE, parts, planning, watching, ControlSettings())
        await self.controller.start()
        self._loop = asyncio.get_running_loop().create_task(self.controller.run())

    def _planning(self) -> MemoryPlanning:
        plans = self.depot.planned
        return MemoryPlanning(self.duties, self.vehicles, self.prices, plans=plans)

    async def crash(self) -> None:
        """The process dies: connections break, nothing is tidied up."""
        assert self._loop is not None
        self._loop.cancel()
        await asyncio.gather(self._loop, return_exceptions=True)
        self.controller = None
        for charger in self.chargers:
            self.lose(charger)

    async def end(self) -> None:
        for task in self._boots.values():
            task.cancel()
        await asyncio.gather(*self._boots.values(), return_exceptions=True)
        if self.controller is not None:
            await self.crash()

    # chargers

    def connect(self, charger: Charger) -> None:
        if charger.link is not None:
            charger.link.drop()
        charger.link = Link(charger)
        for outlet in charger.outlets:
            self.tell(charger, outlet)

    def lose(self, charger: Charger) -> None:
        """Out of hearing. Who lied is not looked at any more, so it stops that here."""
        if charger.link is not None:
            charger.link.drop()
        for outlet in charger.outlets:
            outlet.lies_since = None

    def restart(self, charger: Charger, *, forgets: bool) -> None:
        """It loses power and boots; what ran there is over."""
        self.lose(charger)
        for outlet in charger.outlets:
            outlet.stop()
            if forgets:
                outlet.forget()
        charger.boots = True
        before = self._boots.get(charger.station.id)
        if before is not None:
            before.cancel()
        task = asyncio.get_running_loop().create_task(self._boot(charger))
        self._boots[charger.station.id] = task

    async def _boot(self, charger: Charger) -> None:
        """It asks until it is accepted, over as many connections as it takes."""
        await self.clock.sleep(self.chance.uniform(5.0, 90.0))
        while charger.boots:
            charger.asked_to_boot.clear()
            if self.controller is not None:
                if charger.link is None:
                    self.connect(charger)
                self.controller.rebooted(charger.station.id)
                verdict = self.controller.boot_verdict(charger.station.id)
                charger.boots = verdict in (Verdict.WAIT, Verdict.TOO_MUCH)
            if charger.boots:
                with suppress(TimeoutError):
                    async with self.clock.timeout(10.0):
                        await charger.asked_to_boot.wait()

    # vehicles

    def plug_in(self, charger: Charger, outlet: Outlet) -> None:
        """It begins to charge; the system hears of it unless the charger is offline."""
        self._count += 1
        outlet.transaction = f"tx{self._count}"
        outlet.wants_w = self.chance.choice((1e9, 1e9, outlet.evse.max_power_w / 2.0))
        self.judge.check()
        self.tell(charger, outlet)

    def unplug(self, charger: Charger, outlet: Outlet) -> None:
        outlet.stop()
        self.judge.check()
        self.tell(charger, outlet)
        if charger.link is not None:
            self._status(outlet)

    def _status(self, outlet: Outlet) -> None:
        if self.controller is not None and outlet.transaction is None:
            status = "available" if outlet.operative else "unavailable"
            self.controller.status(outlet.evse.id, status, None)

    def tell(self, charger: Charger, outlet: Outlet) -> None:
        """The system learns what runs at an outlet now, if it can."""
        if charger.link is None:
            return
        known = self.sessions.get(outlet.evse.id)
        if outlet.transaction is None:
            self.sessions.pop(outlet.evse.id, None)
        elif known is None or known.transaction_ref != outlet.transaction:
            self.sessions[outlet.evse.id] = self._session(charger, outlet)

    def _session(self, charger: Charger, outlet: Outlet) -> LiveSession:
        assert outlet.transaction is not None
        number, now = int(outlet.transaction.removeprefix("tx")), self.clock.now()
        duty = self._duty(number, outlet, now) if self.chance.random() < 0.7 else None
        urgency = Urgency.PERSON if self.chance.random() < 0.1 else Urgency.NONE
        needs = VehicleNeeds(
            now,
            transfer="DC_BPT" if outlet.abilities.discharges else "DC",
            discharge_max_w=40_000.0 if outlet.abilities.discharges else None,
            battery_wh=BATTERY_WH,
            urgency=urgency,
        )
        return LiveSession(
            session_id=UUID(int=50_000 + number),
            station_id=charger.station.id,
            evse_id=outlet.evse.id,
            transaction_ref=outlet.transaction,
            started_at=now,
            duty_id=None if duty is None else duty.id,
            soc_pct=80.0,
            reading_at=now,
            needs=needs,
        )

    def _duty(self, number: int, outlet: Outlet, now: datetime) -> Duty:
        made = Duty(
            id=UUID(int=90_000 + number),
            org_id=ORG,
            site_id=SITE,
            external_id=f"duty {number}",
            arrival_at=now,
            departure_at=now + timedelta(minutes=self.chance.uniform(20.0, 240.0)),
            target_energy_wh=outlet.evse.max_power_w * self.chance.uniform(0.1, 1.5),
            priority=self.chance.randint(1, 9),
        )
        self.duties[made.id] = made
        return made

    # time

    async def wait(self, seconds: float) -> None:
        """Let time pass; chargers report, and the truth is looked at all the while."""
        until = self.clock.now() + timedelta(seconds=seconds)
        while (now := self.clock.now()) < until:
            step_s = min(STEP_S, (until - now).total_seconds())
            await self.clock.sleep(step_s)
            assert self._loop is None or not self._loop.done() or self.controller is None
            if self.meter is not None:
                self.meter.step(step_s)
                self.judge.other_w = {self.meter.node_id: self.meter.load_w}
            self.judge.listen(in_charge=self.controller is not None)
            self.judge.check()
            self._report()

    def _report(self) -> None:
        """The site's meter every 5 s, chargers' own every 30 s."""
        now = self.clock.now()
        if self.controller is None:
            return
        if self.meter is not None and not self.meter.silent and _due(self._site_read_at, now, 5.0):
            self._site_read_at = now
            power_w = sum(o.power_w() for c in self.chargers for o in c.outlets)
            self.meter.reading = (now, power_w + self.meter.load_w)
            self.controller.site_metered()
        if _due(self._metered_at, now, METER_S):
            self._metered_at = now
            for charger in self.chargers:
                for outlet in charger.outlets:
                    self._read(charger, outlet, now)

    def _read(self, charger: Charger, outlet: Outlet, now: datetime) -> None:
        if charger.link is None or self.controller is None:
            return
        self._status(outlet)
        session = self.sessions.get(outlet.evse.id)
        if session is None:
            return
        power_w, flows_w = outlet.power_w(), outlet.flows_w()
        gained_wh = flows_w * METER_S / 3600.0
        self.sessions[outlet.evse.id] = replace(
            session,
            energy_wh=session.energy_wh + gained_wh,
            soc_pct=min(100.0, (session.soc_pct or 0.0) + gained_wh / BATTERY_WH * 100.0),
            power_w=power_w,
            reading_at=now,
        )
        self.controller.measured(outlet.evse.id, power_w, now)

    # what people and the grid say

    def signal(self, node_id: UUID, power_w: float, seconds: float) -> None:
        """Not more than this for a while, from a grid operator or by hand."""
        assert self.controller is not None
        now = self.clock.now()
        until_at = now + timedelta(seconds=seconds)
        override = Override(node_id, power_w, until_at)
        kept = [known for known in self.ledger.signals if known.node_id != node_id]
        self.ledger.signals = [*kept, override]
        self.controller.overrides.put(override)
        self.controller.mark()
        for known in self.judge.signals:
            known.spoiled = known.spoiled or known.node_id == node_id
        self.judge.signals.append(Signal(node_id, power_w, now, until_at))

    def discharge(self, outlet: Outlet, power_w: float, seconds: float) -> None:
        assert self.controller is not None
        session = self.sessions.get(outlet.evse.id)
        if session is not None:
            until_at = self.clock.now() + timedelta(seconds=seconds)
            order = Order(session.session_id, PowerMode.SETPOINT, power_w, until_at, 40.0)
            self.ledger.orders = [*self.ledger.orders, order]
            self.controller.discharging.put(order)
            self.controller.mark()


def _due(last_at: datetime | None, now: datetime, every_s: float) -> bool:
    return last_at is None or (now - last_at).total_seconds() >= every_s


def build(
    depot: RandomDepot, clock: Clock, policies: SitePolicies, prices: Sequence[Step] = ()
) -> World:
    """The depot with every charger out of hearing and in the best of moods."""
    tree = policies.limited(depot.tree)
    judge = Judge(tree, clock)
    chargers = [
        Charger(
            station,
            [
                Outlet(evse, clock, depot.abilities[evse.id])
                for evse in depot.evses
                if evse.station_id == station.id
            ],
            clock,
            seeded(depot.seed, "charger", station.identity),
            judge,
            Mood(),
        )
        for station in depot.stations
    ]
    judge.watch(chargers)
    meter = None
    if depot.metered is not None:
        most_w = 0.5 * lowest_limit_ever_w(tree.by_id[depot.metered])
        meter = SiteMeter(depot.metered, clock, max(0.0, most_w - MARGIN_W))
    return World(
        depot=depot,
        clock=clock,
        chance=seeded(depot.seed, "world"),
        judge=judge,
        ledger=MemoryLedger(clock),
        chargers=chargers,
        setup_now=SiteSetup(depot.site, tree, depot.stations, depot.evses, policies),
        meter=meter,
        prices=prices,
    )

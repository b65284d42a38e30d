"""A demo night with the real controller and planner, without OCPP and database: seconds each.

Chargers obey after a moment, batteries taper, meters report once a minute; what is left out is
only what carries the words between them.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from tests.unit.energy_control.rig import MemoryLedger, NoWatching
from voltyard.bus import Bus
from voltyard.chargers.commands import (
    Command,
    CommandResult,
    CommandStatus,
    LimitPurpose,
    SetLimit,
)
from voltyard.chargers.model import Evse, Station, StationRef, StationState
from voltyard.clock import Clock, seeded
from voltyard.energy import planner
from voltyard.energy.control import ControlSettings, Parts, SiteController
from voltyard.energy.model import Plan
from voltyard.energy.planning import Planning, PlanningParts, PlanningSettings
from voltyard.energy.ports import LiveSession, SiteSetup
from voltyard.fleets.model import Vehicle
from voltyard.simulator.depot import DepotSpec, StaySpec
from voltyard.simulator.fleet import StayResult
from voltyard.simulator.loop import run_virtual
from voltyard.simulator.oracle import OracleResult
from voltyard.simulator.physics import possible
from voltyard.simulator.vehicle import Battery
from voltyard.sites.model import Site
from voltyard.timetable.model import Duty

ORG, SITE = UUID(int=1), UUID(int=2)
STEP_S = 15.0
SAMPLE_S = 60.0


@dataclass(slots=True)
class Outlet:
    """A charger's outlet and what is plugged in."""

    evse: Evse
    clock: Clock
    stay: StaySpec | None = None
    battery: Battery | None = None
    default_w: float | None = None
    live: tuple[float, datetime] | None = None
    energy_wh: float = 0.0
    power_w: float = 0.0
    settled_at: datetime | None = None
    starts: int = 0
    setpoints: int = 0

    def allowed_w(self, now: datetime) -> float:
        if self.live is not None and now < self.live[1]:
            return self.live[0]
        return self.evse.max_power_w if self.default_w is None else self.default_w

    def settle(self) -> None:
        """Charge since the last change, then look at what is allowed and taken now."""
        now = self.clock.now()
        if self.battery is not None and self.settled_at is not None:
            seconds = (now - self.settled_at).total_seconds()
            before_pct = self.battery.soc_pct
            if self.power_w > 0.0:
                self.battery.charge_for(seconds, self.power_w)
            gained_pct = self.battery.soc_pct - before_pct
            self.energy_wh += self.battery.spec.metered_wh(gained_pct)
        self.settled_at = now
        before_w = self.power_w
        self.power_w = self._takes_w(now)
        self.starts += before_w <= 0.0 < self.power_w

    def _takes_w(self, now: datetime) -> float:
        if self.battery is None:
            return 0.0
        power_w = min(self.battery.accepts_w(), self.allowed_w(now))
        return power_w if power_w >= self.evse.min_power_w else 0.0

    def obey(self, command: Command) -> CommandResult:
        if not isinstance(command, SetLimit):
            return CommandResult(CommandStatus.NOT_SUPPORTED, "NotSupported")
        self.settle()
        assert command.limit_w is not None
        if command.purpose is LimitPurpose.TX_DEFAULT:
            self.default_w = command.limit_w
        elif self.stay is None:
            return CommandResult(CommandStatus.REJECTED, "Rejected")
        else:
            assert command.start_at is not None
            assert command.valid_s is not None
            self.setpoints += self.live is None or abs(self.live[0] - command.limit_w) > 1.0
            self.live = (command.limit_w, command.start_at + timedelta(seconds=command.valid_s))
        self.settle()
        return CommandResult(CommandStatus.ACCEPTED, "Accepted")


class Link:
    version = "2.0.1"

    def __init__(self, night: "ClosedLoop", station: Station) -> None:
        self.station: StationRef = station.ref
        self._night = night

    async def send(self, command: Command, *, timeout_s: float = 30.0) -> CommandResult:
        night = self._night
        await night.clock.sleep(night.chance.uniform(0.02, 0.5))
        if not isinstance(command, SetLimit):
            return CommandResult(CommandStatus.NOT_SUPPORTED, "NotSupported")
        return night.outlet_of[self.station.id, command.evse_number].obey(command)

    async def close(self, reason: str) -> None: ...


class MemoryPlanning(Planning):
    """Plans as always, remembers when who was first announced late, and stores nothing."""

    def __init__(self, night: "ClosedLoop", settings: PlanningSettings) -> None:
        async def inline(work):  # type: ignore[no-untyped-def]
            return work()

        parts = PlanningParts(
            database=None,  # type: ignore[arg-type]
            commits=None,  # type: ignore[arg-type]
            bus=Bus(),
            clock=night.clock,
            duties=night,
            vehicles=night,
            run_blocking=inline,
            plan=planner.plan,
        )
        super().__init__(SITE, parts, settings)
        self._night = night
        self.made = 0

    async def start(self, setup: SiteSetup) -> None: ...

    async def _store(self, setup: SiteSetup, made: Plan, found: object) -> None:
        self.made += 1
        self._night.watch(made)


@dataclass(slots=True)
class Night:
    """What came of a night. ``starts`` and ``setpoints`` are by stay."""

    depot: DepotSpec
    stays: list[StayResult] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    setpoints: list[int] = field(default_factory=list)
    announced: dict[UUID, datetime] = field(default_factory=dict)
    changes_of_mind: dict[UUID, int] = field(default_factory=dict)
    load: list[tuple[datetime, float]] = field(default_factory=list)
    plans: int = 0

    @property
    def ready(self) -> int:
        return sum(stay.ready for stay in self.stays)

    def oracle(self) -> OracleResult:
        return possible(self.depot, self.stays)

    def unannounced(self) -> list[StayResult]:
        """Late without a word an hour before departure."""
        ahead = timedelta(hours=1)
        return [
            stay
            for stay in self.stays
            if not stay.ready
            and self.announced.get(stay.stay.id, stay.stay.departure_at)
            > stay.stay.departure_at - ahead
        ]


class ClosedLoop:
    """Runs one depot's night; the views a controller asks for."""

    def __init__(
        self,
        depot: DepotSpec,
        clock: Clock,
        planning: PlanningSettings | None = None,
        control: ControlSettings | None = None,
    ) -> None:
        self.depot, self.clock = depot, clock
        self.chance = seeded(1, "closed loop", depot.name)
        self.night = Night(depot)
        self.outlets: dict[UUID, Outlet] = {}
        self.outlet_of: dict[tuple[UUID, int], Outlet] = {}
        self.sessions: dict[UUID, LiveSession] = {}
        self._late_now: dict[UUID, bool] = {}
        self.setup_now = self._setup()
        self._links = {s.id: Link(self, s) for s in self.setup_now.stations}
        self.planning = MemoryPlanning(self, planning or PlanningSettings())
        parts = Parts(MemoryLedger(clock), Bus(), clock, self, self, self)  # type: ignore[arg-type]
        self.controller = SiteController(
            SITE,
            parts,
            self.planning,
            NoWatching(),  # type: ignore[arg-type]
            control or ControlSettings(),
        )

    def _setup(self) -> SiteSetup:
        stations, evses = [], []
        for spec in self.depot.stations:
            station_id = uuid5(SITE, spec.identity)
            stations.append(
                Station(
                    station_id,
                    ORG,
                    SITE,
                    spec.identity,
                    StationState.APPROVED,
                    connected_at=self.depot.start_at,
                )
            )
            for one in spec.evses:
                evse = Evse(one.id, ORG, SITE, station_id, one.number, spec.identity, one.id)
                evse = replace(evse, max_power_w=one.max_power_w, min_power_w=one.min_power_w)
                evses.append(evse)
                self.outlets[one.id] = Outlet(evse, self.clock)
                self.outlet_of[station_id, one.number] = self.outlets[one.id]
        site = Site(SITE, ORG, self.depot.name, self.depot.timezone)
        evses.sort(key=lambda evse: evse.id)
        return SiteSetup(site, self.depot.tree, tuple(stations), tuple(evses))

    # the views

    def link(self, station_id: UUID) -> Link:
        return self._links[station_id]

    def running(self, site_id: UUID) -> Sequence[LiveSession]:
        return sorted(self.sessions.values(), key=lambda session: session.session_id)

    async def setup(self, site_id: UUID) -> SiteSetup:
        return self.setup_now

    async def duties(
        self, org_id: UUID, site_id: UUID, from_at: datetime, until_at: datetime
    ) -> Sequence[Duty]:
        return [
            Duty(
                id=stay.id,
                org_id=ORG,
                site_id=SITE,
                external_id=stay.external_id,
                arrival_at=stay.planned_arrival_at,
                departure_at=stay.planned_departure_at,
                vehicle_id=self.depot.vehicle(stay.vehicle).id,
                soc_arrival_pct=stay.planned_soc_pct,
                target_soc_pct=stay.target_soc_pct,
                priority=stay.priority,
                bay_id=self.depot.evse_id(stay),
            )
            for stay in self.depot.stays
            if stay.departure_at > self.clock.now()
        ]

    async def vehicles(self, org_id: UUID, ids: Sequence[UUID]) -> Sequence[Vehicle]:
        return [
            Vehicle(
                id=spec.id,
                org_id=ORG,
                name=spec.name,
                battery_wh=spec.battery.capacity_wh,
                max_power_w=spec.battery.max_power_w,
                min_power_w=spec.battery.min_power_w,
                charge_curve=spec.battery.curve,
                efficiency=spec.battery.efficiency,
            )
            for spec in self.depot.vehicles
            if spec.id in set(ids)
        ]

    def watch(self, made: Plan) -> None:
        for stay_id, forecast in made.forecasts.items():
            if forecast.will_miss:
                self.night.announced.setdefault(stay_id, made.made_at)
            if self._late_now.get(stay_id, False) != forecast.will_miss:
                seen = self.night.changes_of_mind
                seen[stay_id] = seen.get(stay_id, 0) + 1
            self._late_now[stay_id] = forecast.will_miss

    # what happens

    async def run(self) -> Night:
        await self.controller.start()
        tasks = [asyncio.create_task(self.controller.run()), asyncio.create_task(self._time())]
        await asyncio.gather(*(self._stay(stay) for stay in self.depot.stays))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.night.plans = self.planning.made
        return self.night

    async def _time(self) -> None:
        while True:
            await self.clock.sleep(STEP_S)
            for outlet in self.outlets.values():
                if outlet.stay is not None:
                    outlet.settle()
            total_w = sum(outlet.power_w for outlet in self.outlets.values())
            self.night.load.append((self.clock.now(), total_w))

    async def _until(self, at: datetime) -> None:
        await self.clock.sleep((at - self.clock.now()).total_seconds())

    async def _stay(self, stay: StaySpec) -> None:
        await self._until(stay.arrival_at)
        outlet = self.outlets[self.depot.evse_id(stay)]
        while outlet.stay is not None:
            await self.clock.sleep(30.0)
        vehicle = self.depot.vehicle(stay.vehicle)
        outlet.battery = Battery(vehicle.battery, stay.arrival_soc_pct)
        outlet.stay, outlet.live, outlet.energy_wh = stay, None, 0.0
        outlet.starts = outlet.setpoints = 0
        outlet.settle()
        await self.clock.sleep(2.0)
        session = LiveSession(
            session_id=uuid5(SITE, stay.external_id),
            station_id=outlet.evse.station_id,
            evse_id=outlet.evse.id,
            transaction_ref=stay.external_id,
            started_at=self.clock.now(),
            vehicle_id=vehicle.id,
            soc_start_pct=round(stay.arrival_soc_pct, 1),
            soc_pct=round(stay.arrival_soc_pct, 1),
        )
        self.sessions[outlet.evse.id] = session
        self.controller.mark_plan()
        meter = asyncio.create_task(self._meter(outlet))
        await self._until(stay.departure_at)
        meter.cancel()
        self._leave(outlet, session.session_id)

    def _leave(self, outlet: Outlet, session_id: UUID) -> None:
        outlet.settle()
        stay, battery = outlet.stay, outlet.battery
        assert stay is not None
        assert battery is not None
        self.night.stays.append(
            StayResult(
                depot=self.depot.name,
                vehicle=stay.vehicle,
                stay=stay,
                plugged_at=stay.arrival_at,
                arrival_soc_pct=stay.arrival_soc_pct,
                departure_soc_pct=battery.soc_pct,
                energy_wh=outlet.energy_wh,
                shortfall_wh=battery.spec.metered_wh(
                    max(0.0, stay.target_soc_pct - battery.soc_pct)
                ),
            )
        )
        self.night.starts.append(outlet.starts)
        self.night.setpoints.append(outlet.setpoints)
        outlet.stay, outlet.battery, outlet.live = None, None, None
        outlet.settle()
        self.sessions.pop(outlet.evse.id)
        self.controller.session_ended(outlet.evse.id, session_id, outlet.energy_wh, None)

    async def _meter(self, outlet: Outlet) -> None:
        while True:
            await self.clock.sleep(SAMPLE_S)
            outlet.settle()
            battery = outlet.battery
            assert battery is not None
            now = self.clock.now()
            self.sessions[outlet.evse.id] = replace(
                self.sessions[outlet.evse.id],
                energy_wh=float(int(outlet.energy_wh)),
                soc_pct=round(battery.soc_pct, 1),
                power_w=round(outlet.power_w, 1),
                reading_at=now,
            )
            self.controller.measured(outlet.evse.id, outlet.power_w, now)


def run_night(
    depot: DepotSpec,
    planning: PlanningSettings | None = None,
    control: ControlSettings | None = None,
) -> Night:
    """The whole night in virtual time; the same depot gives the same night."""

    async def main(clock: Clock) -> Night:
        return await ClosedLoop(depot, clock, planning, control).run()

    return run_virtual(main, depot.start_at - timedelta(minutes=5))

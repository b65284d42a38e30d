"""voltyard itself in the loop: the planner, and the grants that a site's controller would give.

Commands are taken as confirmed at once. What a charger does with them, fail-safe levels and
faults are what the nights of the simulator are for.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from voltyard.bench.energy.case import SITE, Case, Visit, steps_of
from voltyard.bench.energy.stopwatch import timed
from voltyard.bench.energy.world import World
from voltyard.chargers.model import Evse, Station, StationState
from voltyard.energy import planner
from voltyard.energy.board import Board
from voltyard.energy.confirm import Change, Held
from voltyard.energy.control import ControlSettings
from voltyard.energy.granting import GrantInput, targets
from voltyard.energy.inputs import Outlook, Situation, outlook, plan_input
from voltyard.energy.model import Plan, PlanInput, PlanMode
from voltyard.energy.planning import PlanningSettings
from voltyard.energy.ports import LiveSession, SiteSetup
from voltyard.fleets.model import Vehicle
from voltyard.simulator.depot import stable_id
from voltyard.sites.model import Site
from voltyard.timetable.model import Duty

_ORG = stable_id("bench energy organisation")


class Voltyard:
    """Plans every ``plan_steps`` and when somebody comes unannounced, grants every ``pace_min``
    minutes.

    A site's controller looks more often: every five seconds when something happened.
    """

    def __init__(
        self,
        case: Case,
        mode: PlanMode = PlanMode.COST,
        plan_steps: int = 1,
        name: str = "voltyard",
        pace_min: int = 1,
    ) -> None:
        self.name, self.pace_min = name, pace_min
        self.plan: Plan | None = None
        self._case, self._mode, self._plan_steps = case, mode, plan_steps
        self._setup = _setup(case)
        self._board = Board(self._setup)
        self._board.install(self._setup, {})
        for outlet in self._board:
            outlet.came_online()
            outlet.confirmed(Change(0.0, fallback=True), case.start_at)
            outlet.held = Held(0.0)
        self._vehicles = {visit.id: _vehicle(visit) for visit in case.visits}
        self._duties = [_duty(case, visit) for visit in case.visits]
        self._sessions: dict[int, LiveSession] = {}
        self._prices = steps_of(case.prices, case.start_at, 900)
        self._forecast_w = steps_of(case.base_forecast_w, case.start_at, 900)

    def close(self) -> None:
        """Nothing is held."""

    def look(self, world: World) -> None:
        now = world.now
        sessions = self._follow(world, now)
        self._board.follow(sessions, now)
        situation = self._situation(world, now, sessions)
        found = outlook(situation)
        if self._is_due(world, found):
            self._make_plan(world, situation)
        given = GrantInput(
            now=now,
            tree=self._case.tree,
            lead_s=ControlSettings().lead_s,
            plan=self.plan,
            present=found.present,
            levels={},
            other_w={self._case.tree.root.id: world.base_w},
            pace_s=60.0 * self.pace_min,
        )
        _, seconds = timed(lambda: targets(self._board, given))
        world.measured.allocate_s.append(seconds)
        self._obey(world, now)

    def _is_due(self, world: World, found: Outlook) -> bool:
        """From time to time, and as soon as somebody is there whom the plan does not know."""
        if self.plan is None or (world.minute == 0 and world.step % self._plan_steps == 0):
            return True
        known = self.plan.forecasts
        return any(p.stay is not None and p.stay.id not in known for p in found.present.values())

    def _obey(self, world: World, now: datetime) -> None:
        """Every charger confirms its target."""
        granted_w = np.zeros(len(world.rows))
        until_at = now + timedelta(hours=1)
        for place, row in enumerate(world.rows.tolist()):
            evse_id = self._case.outlets[world.fleet.outlet[row]].id
            outlet = self._board.outlets[evse_id]
            live_w = outlet.target.live_w or 0.0
            outlet.in_flight_for = None if outlet.session is None else outlet.session.session_id
            outlet.confirmed(Change(live_w, until_at=until_at), now)
            granted_w[place] = live_w
        world.command(granted_w)

    def _make_plan(self, world: World, situation: Situation) -> None:
        settings = PlanningSettings()
        given = plan_input(
            situation,
            outlook(situation),
            horizon_s=settings.horizon_s,
            slot_s=settings.slot_s,
            mode=self._mode,
            peak_so_far_w=world.peak_so_far_w(),
            given_up=frozenset() if self.plan is None else self.plan.given_up,
        )
        given = self._priced(world, given)
        self.plan, seconds = timed(lambda: planner.plan(given))
        if given.stays:
            world.measured.plan_s.append(seconds)

    def _priced(self, world: World, given: PlanInput) -> PlanInput:
        """The planner's question with what the case knows of money."""
        return replace(given, prices=self._prices, demand_price_per_kw=self._case.demand_eur_per_kw)

    def _situation(self, world: World, now: datetime, sessions: list[LiveSession]) -> Situation:
        """What is announced and to come, and who is there."""
        here = {session.duty_id for session in sessions}
        return Situation(
            now=now,
            setup=self._setup,
            sessions=sessions,
            duties=[
                duty
                for duty, visit in zip(self._duties, self._case.visits, strict=True)
                if duty.departure_at > now and (visit.announced or duty.id in here)
            ],
            vehicles=self._vehicles,
            other_load_w={self._case.tree.root.id: self._forecast_w},
        )

    def _follow(self, world: World, now: datetime) -> list[LiveSession]:
        """Sessions of everybody present, with their newest reading."""
        before, self._sessions = self._sessions, {}
        soc_pct = world.soc_pct.tolist()
        for place, row in enumerate(world.rows.tolist()):
            session = before.get(row)
            if session is None:
                session = self._begin(row, now, soc_pct[place])
            self._sessions[row] = replace(
                session,
                energy_wh=float(int(world.energy_wh[row])),
                soc_pct=soc_pct[place],
                power_w=float(world.draw_w[row]),
                reading_at=now,
            )
        return list(self._sessions.values())

    def _begin(self, row: int, now: datetime, soc_pct: float) -> LiveSession:
        visit = self._case.visits[row]
        outlet_id = self._case.outlets[visit.outlet].id
        evse = self._board.outlets[outlet_id].evse
        return LiveSession(
            session_id=visit.id,
            station_id=evse.station_id,
            evse_id=evse.id,
            transaction_ref=visit.label,
            started_at=now,
            vehicle_id=visit.id,
            duty_id=visit.id,
            soc_start_pct=soc_pct,
        )


def _setup(case: Case) -> SiteSetup:
    site = Site(SITE, _ORG, case.name, str(case.tree.zone))
    stations, evses = [], []
    for number, outlet in enumerate(case.outlets):
        station_id = stable_id("bench energy station", number)
        name = f"C{number + 1}"
        stations.append(
            Station(station_id, _ORG, SITE, name, StationState.APPROVED, connected_at=case.start_at)
        )
        evse = Evse(outlet.id, _ORG, SITE, station_id, 1, name, outlet.id)
        evses.append(replace(evse, max_power_w=outlet.max_power_w, min_power_w=outlet.min_power_w))
    return SiteSetup(site, case.tree, tuple(stations), tuple(sorted(evses, key=lambda e: e.id)))


def _vehicle(visit: Visit) -> Vehicle:
    battery = visit.battery
    return Vehicle(
        id=visit.id,
        org_id=_ORG,
        name=visit.label,
        battery_wh=battery.capacity_wh,
        max_power_w=battery.max_power_w,
        min_power_w=battery.min_power_w,
        charge_curve=battery.curve,
        efficiency=battery.efficiency,
    )


def _duty(case: Case, visit: Visit) -> Duty:
    return Duty(
        id=visit.id,
        org_id=_ORG,
        site_id=SITE,
        external_id=visit.label,
        arrival_at=visit.planned_arrival_at,
        departure_at=visit.departure_at,
        vehicle_id=visit.id,
        soc_arrival_pct=visit.planned_soc_pct,
        target_soc_pct=visit.target_soc_pct,
        priority=visit.priority,
        bay_id=case.outlets[visit.outlet].id,
    )

"""A scenario through its period: the site's own planning and granting, a battery beside it.

The battery and PV are at the grid connection. The battery follows the plan, as far as its charge
and the connection allow; grants are given on what it really does, so no limit depends on it.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from math import sqrt

import numpy as np

from voltyard.bench.energy.case import STEPS_A_QUARTER, Case, Floats, steps_of
from voltyard.bench.energy.ours import Voltyard
from voltyard.bench.energy.world import Fleet, World
from voltyard.energy.model import PlanInput, PlanMode, Storage
from voltyard.simulator.depot import stable_id
from voltyard.study.model import Battery, Outcome, Quarter
from voltyard.study.scenario import NO_LIMIT_W, Scenario

Tick = Callable[[int, int], None]

_BATTERY_ID = stable_id("study battery")
_START_SHARE = 0.5
_MINUTE_H = 1.0 / 60.0


def run(
    scenario: Scenario,
    name: str,
    mode: PlanMode = PlanMode.COST,
    plan_steps: int = 3,
    tick: Tick | None = None,
) -> Outcome:
    """From the first step to the last; a plan every ``plan_steps`` steps of five minutes.

    ``tick(done, steps)`` is told each step. Deterministic, as far as no plan is out of time.
    """
    world = SiteWorld(scenario)
    planned = Planned(scenario, mode, plan_steps)
    while world.step < scenario.case.steps:
        if len(world.rows) or scenario.battery is not None:
            planned.look(world)
        world.advance()
        if tick is not None and world.minute == 0:
            tick(world.step, scenario.case.steps)
    return _outcome(scenario, world, name)


class SiteWorld(World):
    """The world of the bench with a battery. ``battery_w`` is above 0 where it gives."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario.case, Fleet(scenario.case))
        self.battery = scenario.battery
        full_wh = 0.0 if self.battery is None else self.battery.capacity_wh
        self.stored_wh = self.start_wh = _START_SHARE * full_wh
        self.battery_w = 0.0
        self.battery_quarter_wh = np.zeros(len(self.measured.quarter_wh))

    @property
    def base_w(self) -> float:
        """Other load less PV and battery."""
        return self.case.base_w[self.step] - self.battery_w

    def wish(self, power_w: float) -> None:
        """What the battery does from now on, within its charge, its power and the connection."""
        if self.battery is None:
            return
        way = sqrt(self.battery.efficiency)
        gives_w = min(self.battery.power_w, self.stored_wh * way / _MINUTE_H)
        room_wh = self.battery.capacity_wh - self.stored_wh
        takes_w = min(self.battery.power_w, room_wh / way / _MINUTE_H)
        free_w = float(self.fleet.limit_w[0]) - self.case.base_w[self.step]
        takes_w = max(0.0, min(takes_w, free_w))
        self.battery_w = min(max(power_w, -takes_w), gives_w)

    def advance(self) -> None:
        """One minute of everything."""
        if self.battery is not None:
            way = sqrt(self.battery.efficiency)
            flowed_wh = self.battery_w * _MINUTE_H
            self.stored_wh -= flowed_wh / way if flowed_wh > 0.0 else flowed_wh * way
            self.battery_quarter_wh[self.step // STEPS_A_QUARTER] += flowed_wh
        super().advance()

    def site_quarters_w(self) -> Floats:
        """Mean power of the grid connection by quarter, everything included."""
        return super().site_quarters_w() - self.battery_quarter_wh * 4.0


class Planned(Voltyard):
    """voltyard's planner with what the scenario has beside chargers."""

    def __init__(self, scenario: Scenario, mode: PlanMode, plan_steps: int) -> None:
        super().__init__(scenario.case, mode, plan_steps)
        self._battery = scenario.battery
        self._export = steps_of(scenario.export_prices, self._case.start_at, 900)

    def look(self, world: World) -> None:
        """Grants on what the battery does by the plan that there is."""
        assert isinstance(world, SiteWorld)
        world.wish(self._battery_w(world.now))
        super().look(world)

    def _battery_w(self, now: datetime) -> float:
        slot = None if self.plan is None else self.plan.slot_at(now)
        if self.plan is None or slot is None or _BATTERY_ID not in self.plan.storage_w:
            return 0.0
        return self.plan.storage_w[_BATTERY_ID][slot]

    def _priced(self, world: World, given: PlanInput) -> PlanInput:
        assert isinstance(world, SiteWorld)
        given = super()._priced(world, given)
        storages: tuple[Storage, ...] = ()
        if self._battery is not None:
            storages = (storage(self._battery, self._case, world.stored_wh),)
        return replace(given, storages=storages, export_prices=self._export)


def storage(battery: Battery, case: Case, stored_wh: float | None = None) -> Storage:
    """The battery as the planner knows it; without ``stored_wh`` as a period begins."""
    return Storage(
        id=_BATTERY_ID,
        node_id=case.tree.root.id,
        capacity_wh=battery.capacity_wh,
        energy_wh=_START_SHARE * battery.capacity_wh if stored_wh is None else stored_wh,
        max_charge_w=battery.power_w,
        max_discharge_w=battery.power_w,
        efficiency=battery.efficiency,
    )


def _outcome(scenario: Scenario, world: SiteWorld, name: str) -> Outcome:
    case = scenario.case
    grid_w = world.site_quarters_w()
    peak_w = max(0.0, float(grid_w.max()))
    short = world.true_pct < world.fleet.target_pct - _TOLERANCE_PCT
    missed = [visit.label for visit, lacks in zip(case.visits, short, strict=True) if lacks]
    year = case.demand_eur_per_kw_year
    return Outcome(
        name=name,
        limit_w=min(case.limit_w, NO_LIMIT_W),
        chargers=len(case.outlets),
        stays=scenario.stays,
        ready=len(case.visits) - len(missed),
        missed=(*missed, *scenario.unplugged),
        energy_wh=float(world.energy_wh.sum()),
        asked_wh=sum(visit.asked_wh for visit in case.visits),
        peak_w=peak_w,
        energy_cost_eur=_energy_eur(scenario, world, grid_w),
        demand_cost_eur=peak_w / 1000.0 * case.demand_eur_per_kw,
        demand_eur_year=peak_w / 1000.0 * year,
        over_limit_minutes=world.measured.violations,
        quarters=_quarters(scenario, world, grid_w),
    )


_TOLERANCE_PCT = 1.0 + 1e-6
"""As everywhere: ready is one percent below the target."""


def _energy_eur(scenario: Scenario, world: SiteWorld, grid_w: Floats) -> float:
    """Bought at the quarter's price, sold at its export price. What the battery holds less at the
    end than at the beginning is bought again at the period's mean price, with its losses."""
    prices, export = np.array(scenario.case.prices), np.array(scenario.export_prices)
    bought_wh, sold_wh = np.maximum(0.0, grid_w) / 4.0, np.maximum(0.0, -grid_w) / 4.0
    total = float((bought_wh * prices).sum() - (sold_wh * export).sum())
    if world.battery is not None:
        lacks_wh = (world.start_wh - world.stored_wh) / sqrt(world.battery.efficiency)
        total += lacks_wh * float(prices.mean())
    return total / 1e6


def _quarters(scenario: Scenario, world: SiteWorld, grid_w: Floats) -> tuple[Quarter, ...]:
    case = scenario.case
    charging_w = world.measured.quarter_wh * 4.0
    battery_w = world.battery_quarter_wh * 4.0
    other_w, pv_w = (_means(series) for series in (scenario.other_w, scenario.pv_w))
    return tuple(
        Quarter(
            start_at=case.at(quarter * STEPS_A_QUARTER),
            grid_w=float(grid_w[quarter]),
            charging_w=float(charging_w[quarter]),
            other_w=float(other_w[quarter]),
            pv_w=float(pv_w[quarter]),
            battery_w=float(battery_w[quarter]),
        )
        for quarter in range(len(grid_w))
    )


def _means(by_step: tuple[float, ...]) -> Floats:
    found: Floats = np.array(by_step).reshape(-1, STEPS_A_QUARTER).mean(axis=1)
    return found

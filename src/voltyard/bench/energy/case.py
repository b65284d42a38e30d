"""What a case is: a tree, outlets, and who comes when, as announced and as it turns out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from voltyard.energy.model import ChargeCurve, PlanInput, Stay, Step
from voltyard.simulator.depot import stable_id
from voltyard.simulator.vehicle import BatterySpec
from voltyard.sites import tree as trees
from voltyard.sites.limits import lowest_limit_ever_w
from voltyard.sites.model import ElectricalTree, NodeLimit

Floats = NDArray[np.float64]

STEP_S = 300
STEPS_A_QUARTER = 3
READY_SOC_PCT = 1.0
"""Ready is this close below the target."""
DEMAND_EUR_PER_KW_YEAR = 120.0
SITE = stable_id("bench energy")


@dataclass(frozen=True, slots=True)
class Outlet:
    id: UUID
    max_power_w: float
    min_power_w: float


@dataclass(frozen=True, slots=True)
class Visit:
    """One stay. What is ``planned_*`` is known before; the rest is what happens.

    Of one that is not ``announced`` nothing is known before it is plugged in. ``outlet`` is an
    index of the case. True instants lie on whole steps of the case.
    """

    id: UUID
    label: str
    outlet: int
    battery: BatterySpec
    planned_arrival_at: datetime
    arrival_at: datetime
    departure_at: datetime
    planned_soc_pct: float
    soc_pct: float
    target_soc_pct: float
    priority: int = 5
    announced: bool = True

    @property
    def asked_wh(self) -> float:
        """Energy at the meter from true arrival to target."""
        return self.battery.metered_wh(max(0.0, self.target_soc_pct - self.soc_pct))


@dataclass(frozen=True, slots=True)
class Case:
    """One site over ``steps`` steps of five minutes. Limits of its nodes are constant.

    ``prices`` are EUR/MWh by quarter of an hour; ``base_w`` is load that is not ours at the grid
    connection by step, ``base_forecast_w`` what was expected of it by quarter. ``tight`` is the
    limit over ``least_peak_w``, the least peak at which all could get all with perfect foresight.
    ``volts`` is said where a peer's published figures are to be found again: they are in amps.
    """

    name: str
    tree: ElectricalTree
    outlets: tuple[Outlet, ...]
    visits: tuple[Visit, ...]
    start_at: datetime
    steps: int
    prices: tuple[float, ...]
    base_w: tuple[float, ...]
    base_forecast_w: tuple[float, ...]
    least_peak_w: float = 0.0
    tight: float | None = None
    source: str = ""
    demand_eur_per_kw_year: float = DEMAND_EUR_PER_KW_YEAR
    volts: float | None = None

    @property
    def limit_w(self) -> float:
        return lowest_limit_ever_w(self.tree.root)

    @property
    def days(self) -> float:
        return self.steps * STEP_S / 86_400.0

    @property
    def demand_eur_per_kw(self) -> float:
        """The year's price of a kilowatt, for the days of the case."""
        return self.demand_eur_per_kw_year * self.days / 365.0

    @property
    def end_at(self) -> datetime:
        return self.at(self.steps)

    def at(self, step: int) -> datetime:
        return self.start_at + timedelta(seconds=step * STEP_S)

    def steps_until(self, at: datetime) -> int:
        return round((at - self.start_at).total_seconds() / STEP_S)


def with_limit(case: Case, limit_w: float, tight: float | None = None) -> Case:
    """The same behind another grid limit."""
    root = replace(case.tree.root, limits=(NodeLimit(power_w=limit_w),))
    tree = trees.build([root, *case.tree.nodes[1:]], case.tree.zone)
    name = case.name if tight is None else f"{case.name} × {tight:g}"
    return replace(case, tree=tree, tight=tight, name=name)


def on_step(start_at: datetime, at: datetime) -> datetime:
    """The first step of a case that is not before ``at``."""
    return start_at + timedelta(
        seconds=ceil((at - start_at).total_seconds() / STEP_S - 1e-9) * STEP_S
    )


def steps_of(values: Sequence[float], start_at: datetime, seconds: int) -> tuple[Step, ...]:
    """A series at equal distances, from ``start_at`` on."""
    bounds = [start_at + timedelta(seconds=seconds * i) for i in range(len(values) + 1)]
    return tuple(Step(a, b, value) for (a, b), value in zip(pairwise(bounds), values, strict=True))


def foreseen(case: Case) -> PlanInput:
    """The planner's question if everything were known from the start."""
    return PlanInput(
        site_id=SITE,
        now=case.start_at,
        horizon_end=case.end_at,
        tree=case.tree,
        stays=tuple(_stay(case, visit) for visit in case.visits),
        other_load_w={case.tree.root.id: steps_of(case.base_w, case.start_at, STEP_S)},
        prices=steps_of(case.prices, case.start_at, 900),
        demand_price_per_kw=case.demand_eur_per_kw,
        ready_before_s=0,
    )


def _stay(case: Case, visit: Visit) -> Stay:
    outlet, battery = case.outlets[visit.outlet], visit.battery
    return Stay(
        id=visit.id,
        arrival_at=visit.arrival_at,
        departure_at=visit.departure_at,
        energy_needed_wh=visit.asked_wh,
        max_power_w=min(outlet.max_power_w, battery.max_power_w),
        evse_id=outlet.id,
        soc_pct=visit.soc_pct,
        target_soc_pct=visit.target_soc_pct,
        battery_wh=battery.capacity_wh,
        efficiency=battery.efficiency,
        curve=ChargeCurve(battery.curve) if battery.curve else None,
        min_power_w=max(outlet.min_power_w, battery.min_power_w),
        priority=visit.priority,
        label=visit.label,
    )

"""Synthetic depots of any size: a seeded night of buses on a tree of four levels."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import ceil
from zoneinfo import ZoneInfo

from voltyard.bench.energy.case import Case, Outlet, Visit, on_step
from voltyard.clock import seeded
from voltyard.simulator.depot import stable_id
from voltyard.simulator.vehicle import BatterySpec
from voltyard.sites import tree as trees
from voltyard.sites.model import Node, NodeKind, NodeLimit

START_AT = datetime(2026, 1, 14, 11, 0, tzinfo=UTC)
STEPS = 288
_OUTLETS_A_CABINET, _OUTLETS_A_FEEDER, _OUTLETS_A_TRANSFORMER = 3, 24, 120
_CABINET_W, _FEEDER_W_AN_OUTLET, _TRANSFORMER_W_AN_OUTLET = 300e3, 40e3, 37e3
_OUTLET_W, _LEAST_W = 150e3, 2e3
_ARRIVAL_LATE_MIN, _ARRIVAL_ERROR_MIN = 4.0, 12.0
_SOC_ERROR_PCT, _BASE_ERROR = 4.0, 0.03
_BASE_W_AN_OUTLET = 1.5e3
_SECOND_STAY_SHARE = 0.25
_SOLO = ((0.0, 140e3), (80.0, 140e3), (100.0, 20e3))
_LONG = ((0.0, 150e3), (80.0, 150e3), (100.0, 25e3))
_TYPES = (
    BatterySpec(250e3, 140e3, _SOLO, _LEAST_W, 0.95),
    BatterySpec(350e3, 140e3, _SOLO, _LEAST_W, 0.95),
    BatterySpec(450e3, 150e3, _LONG, _LEAST_W, 0.95),
)
_HOURLY_EUR_PER_MWH = (
    118, 109, 104, 101, 103, 114, 139, 171, 183, 165, 148, 136,
    127, 121, 124, 136, 158, 186, 197, 182, 159, 144, 134, 124,
)  # fmt: skip
"""A winter weekday's shape (two peaks, UTC hours from midnight), not a market's own figures."""
_GRID_FEE_EUR_PER_MWH = 80.0


def depot(vehicles: int, seed: int = 1) -> Case:
    """Noon to noon; the grid connection has no limit yet."""
    rng = seeded(seed, "bench energy", vehicles)
    tree, outlets = _tree(vehicles)
    visits = [visit for index in range(vehicles) for visit in _visits(rng, index)]
    base_w, forecast_w = base_load(rng, _BASE_W_AN_OUTLET * vehicles, STEPS)
    return Case(
        name=f"synthetic {vehicles}",
        tree=trees.build(tree, ZoneInfo("Europe/Berlin")),
        outlets=outlets,
        visits=tuple(visits),
        start_at=START_AT,
        steps=STEPS,
        prices=winter_prices(rng, START_AT, STEPS // 3),
        base_w=base_w,
        base_forecast_w=forecast_w,
        source=f"generated, seed {seed}",
    )


def winter_prices(rng: random.Random, start_at: datetime, quarters: int) -> tuple[float, ...]:
    """EUR/MWh with grid fee, by quarter: the shape of an hour, steps within it, some noise."""
    prices: list[float] = []
    for quarter in range(quarters):
        at = start_at + timedelta(minutes=15 * quarter)
        here = _HOURLY_EUR_PER_MWH[at.hour]
        after = _HOURLY_EUR_PER_MWH[(at.hour + 1) % 24]
        share = (at.minute / 60.0 - 0.375) * 0.6
        price = here + share * (after - here) + rng.gauss(0.0, 2.0)
        prices.append(round(price + _GRID_FEE_EUR_PER_MWH, 2))
    return tuple(prices)


def base_load(
    rng: random.Random, mean_w: float, steps: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Load of the house by step, and its forecast by quarter, off by some percent."""
    forecast = tuple(mean_w * (1.0 + 0.2 * rng.uniform(-1.0, 1.0)) for _ in range(ceil(steps / 3)))
    actual: list[float] = []
    error = 0.0
    for step in range(steps):
        error = 0.8 * error + 0.6 * rng.gauss(0.0, _BASE_ERROR)
        actual.append(forecast[step // 3] * (1.0 + error))
    return tuple(actual), forecast


def errors(rng: random.Random, visit: Visit) -> Visit:
    """The same stay with a true arrival and state of charge that nobody announced."""
    late_min = rng.gauss(_ARRIVAL_LATE_MIN, _ARRIVAL_ERROR_MIN)
    late = timedelta(minutes=max(-30.0, min(45.0, late_min)))
    soc_pct = visit.planned_soc_pct + rng.gauss(0.0, _SOC_ERROR_PCT)
    return replace(
        visit,
        arrival_at=on_step(START_AT, max(START_AT, visit.planned_arrival_at + late)),
        soc_pct=round(min(85.0, max(5.0, soc_pct)), 1),
    )


def _visits(rng: random.Random, index: int) -> list[Visit]:
    battery = rng.choices(_TYPES, (3, 4, 3))[0]
    visits: list[Visit] = []
    if rng.random() < _SECOND_STAY_SHARE:
        visits.append(_visit(rng, index, battery, 0, (0.5, 1.5), (3.4, 3.8), (45.0, 75.0), 80.0))
    visits.append(_visit(rng, index, battery, 1, (5.5, 11.5), (16.5, 20.5), (15.0, 50.0), 95.0))
    return visits


def _visit(
    rng: random.Random,
    index: int,
    battery: BatterySpec,
    number: int,
    arrives_h: tuple[float, float],
    departs_h: tuple[float, float],
    soc_pct: tuple[float, float],
    target_soc_pct: float,
) -> Visit:
    """Hours are after noon."""
    arrival_at = START_AT + timedelta(minutes=round(60.0 * rng.uniform(*arrives_h)))
    departs = 300.0 * round(12.0 * rng.uniform(*departs_h))
    planned = Visit(
        id=stable_id("bench energy", index, number),
        label=f"bus {index + 1}/{number}",
        outlet=index,
        battery=battery,
        planned_arrival_at=arrival_at,
        arrival_at=arrival_at,
        departure_at=START_AT + timedelta(seconds=departs),
        planned_soc_pct=round(rng.uniform(*soc_pct), 1),
        soc_pct=0.0,
        target_soc_pct=target_soc_pct,
    )
    return errors(rng, planned)


def _tree(vehicles: int) -> tuple[list[Node], tuple[Outlet, ...]]:
    """Grid, transformers, feeders, cabinets of three outlets."""
    root = Node(stable_id("bench grid"), NodeKind.GRID, "grid", None, (NodeLimit(power_w=1e12),))
    nodes, outlets = [root], []
    transformer = feeder = cabinet = root
    for index in range(vehicles):
        left = vehicles - index
        if index % _OUTLETS_A_TRANSFORMER == 0:
            power_w = _TRANSFORMER_W_AN_OUTLET * min(left, _OUTLETS_A_TRANSFORMER)
            transformer = _node(NodeKind.TRANSFORMER, index, root, max(power_w, 2 * _CABINET_W))
            nodes.append(transformer)
        if index % _OUTLETS_A_FEEDER == 0:
            power_w = _FEEDER_W_AN_OUTLET * min(left, _OUTLETS_A_FEEDER)
            feeder = _node(NodeKind.FEEDER, index, transformer, max(power_w, _CABINET_W))
            nodes.append(feeder)
        if index % _OUTLETS_A_CABINET == 0:
            cabinet = _node(NodeKind.CABINET, index, feeder, _CABINET_W)
            nodes.append(cabinet)
        outlet = Outlet(stable_id("bench outlet", index), _OUTLET_W, _LEAST_W)
        leaf = _node(NodeKind.EVSE, index, cabinet, _OUTLET_W)
        nodes.append(replace(leaf, evse_id=outlet.id))
        outlets.append(outlet)
    return nodes, tuple(outlets)


def _node(kind: NodeKind, index: int, above: Node, power_w: float) -> Node:
    name = f"{kind.value} {index}"
    return Node(stable_id("bench", name), kind, name, above.id, (NodeLimit(power_w=power_w),))

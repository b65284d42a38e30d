"""When each vehicle will be ready, or by how much it will miss and which nodes are the reason."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np

from voltyard.energy import flow, taper
from voltyard.energy.flow import Bools
from voltyard.energy.model import Binding, Forecast, Stay, WaitsFor
from voltyard.energy.problem import Problem, at_seconds, seconds_after
from voltyard.energy.taper import Floats, Outcome

MAX_AHEAD = 20
_ROUNDING_WH = 25.0


@dataclass(frozen=True, slots=True)
class Shortage:
    """Why a stay cannot get its energy: the minimum cut that keeps it away."""

    waits_for: WaitsFor
    binding: tuple[Binding, ...]
    ahead: tuple[int, ...]
    hours: float


def shortage(problem: Problem, row: int, allotted_short: Bools) -> Shortage:
    """Reads the cut from a network that holds a maximum flow. ``allotted_short`` marks the late."""
    net, work = problem.net, problem.work
    need = np.zeros(len(problem.stays), dtype=np.int64)
    need[row] = 1
    flow.reach(net, work, need)
    inside = work.level >= 0
    cells = inside[len(need) :].reshape(net.used.shape)
    above = np.zeros_like(cells)
    above[1:] = cells[net.parent[1:]]
    edge = cells & ~above
    binding = [
        run
        for index in np.flatnonzero(edge.any(axis=1))
        for run in _runs(problem, int(index), edge[index])
    ]
    if not binding:
        return Shortage(WaitsFor.TIME, (), (), 0.0)
    slots = edge.any(axis=0)
    weight = np.where(inside[: len(need)], net.taken[:, slots].sum(axis=1), 0)
    weight[row] = 0
    weight[allotted_short] = 0
    ahead = [int(i) for i in np.argsort(-weight, kind="stable")[:MAX_AHEAD] if weight[i] > 0]
    hours = float(problem.hours[slots].sum())
    return Shortage(WaitsFor.LIMIT, tuple(binding), tuple(ahead), hours)


def _runs(problem: Problem, node: int, edge: Bools) -> list[Binding]:
    """The binding hours of one node, neighbouring slots joined."""
    flags = np.concatenate([[False], edge, [False]])
    borders = np.flatnonzero(flags[1:] != flags[:-1])
    return [
        Binding(problem.nodes[node].id, problem.bounds[start], problem.bounds[end])
        for start, end in borders.reshape(-1, 2)
    ]


class Followed(NamedTuple):
    """The plan through the true curves, what each stay needs within the horizon to be ready, and
    who misses that, by row."""

    outcome: Outcome
    ready_wh: Floats
    missed: Bools


def follow(problem: Problem) -> Followed:
    """Rows are in the order of departure."""
    stays = problem.stays
    reserve_wh = np.array([stay.energy_needed_wh for stay in stays]) - problem.asked_wh
    ready_wh: Floats = np.array([stay.ready_wh for stay in stays]) - reserve_wh
    outcome = taper.follow(
        problem.net,
        problem.cars,
        problem.present_s,
        seconds_after(problem.bounds, stays),
        np.maximum(ready_wh - 1.0, 0.0),
        np.arange(len(stays), dtype=np.int64),
    )
    overdue = np.array([stay.departure_at <= problem.bounds[0] for stay in stays], dtype=np.bool_)
    missed: Bools = np.where(overdue, 0.0, outcome.energy_wh) + _ROUNDING_WH < ready_wh
    return Followed(outcome, ready_wh, missed)


def forecasts(
    problem: Problem, followed: Followed, shortages: dict[int, Shortage]
) -> dict[int, Forecast]:
    """By row of the problem, from the planned flow and the true charge curves."""
    outcome = followed.outcome
    told = zip(
        outcome.energy_wh.tolist(),
        outcome.ready_s.tolist(),
        followed.ready_wh.tolist(),
        problem.asked_wh.tolist(),
        strict=True,
    )
    return {
        row: _forecast(problem, row, *figures, shortages.get(row))
        for row, figures in enumerate(told)
    }


def _forecast(
    problem: Problem,
    row: int,
    energy_wh: float,
    ready_s: float,
    ready_wh: float,
    asked_wh: float,
    why: Shortage | None,
) -> Forecast:
    stay, now = problem.stays[row], problem.bounds[0]
    if stay.departure_at <= now:
        energy_wh = 0.0
    later_wh = stay.energy_needed_wh - asked_wh
    short_wh = max(0.0, stay.energy_needed_wh - later_wh - energy_wh)
    will_miss = energy_wh + _ROUNDING_WH < ready_wh
    ready_at = at_seconds(problem.bounds, ready_s)
    if ready_wh <= 0.0:
        ready_at = max(now, stay.arrival_at) if later_wh <= 0.0 else None
    return Forecast(
        stay_id=stay.id,
        ready_at=ready_at,
        soc_at_departure_pct=_soc(stay, energy_wh + later_wh),
        energy_at_departure_wh=energy_wh + later_wh,
        shortfall_wh=short_wh if will_miss else min(short_wh, stay.tolerance_wh),
        will_miss=will_miss,
        waits_for=_waits_for(will_miss, why),
        binding=why.binding if will_miss and why else (),
        ahead=tuple(problem.stays[i].id for i in why.ahead) if will_miss and why else (),
        fix_w=short_wh / why.hours if will_miss and why and why.hours > 0 else 0.0,
    )


def _waits_for(will_miss: bool, why: Shortage | None) -> WaitsFor:
    if not will_miss:
        return WaitsFor.NOTHING
    return WaitsFor.TIME if why is None else why.waits_for


def _soc(stay: Stay, energy_wh: float) -> float | None:
    if stay.soc_pct is None or not stay.battery_wh:
        return None
    return min(100.0, stay.soc_pct + energy_wh * stay.efficiency / stay.battery_wh * 100.0)


def settled(stay: Stay, now: datetime) -> Forecast:
    """The forecast of a stay that needs nothing."""
    return Forecast(
        stay_id=stay.id,
        ready_at=max(now, stay.arrival_at),
        soc_at_departure_pct=stay.soc_pct,
        energy_at_departure_wh=0.0,
        shortfall_wh=0.0,
        will_miss=False,
    )

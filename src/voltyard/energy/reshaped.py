"""Batteries, V2G and phases first: the linear programme decides them, the flow does the rest.

What a battery does becomes load of its node, what a vehicle gives back load of its outlet; then
the question is one that the flow engine answers, with everything that only that knows. Pure.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from uuid import UUID

import numpy as np

from voltyard.energy import programme
from voltyard.energy.flow import Ints
from voltyard.energy.model import ALL_PHASES, PlanInput, Step
from voltyard.energy.problem import Problem, compile_problem, step_values
from voltyard.energy.programme import Optimum
from voltyard.energy.taper import Floats

ROUNDING_WH = 2.0
"""Whole Wh in, whole Wh out: so much more than the programme found may pass in each slot."""
_SHORT_WH = 1.0


@dataclass(frozen=True, slots=True)
class Reshaped:
    """The question that is left, the site's energy by slot that was found best (None: not looked
    for), and what was decided: mean power by slot of batteries and of vehicles that give."""

    problem: Problem
    profile: Ints | None
    storage_w: Mapping[UUID, tuple[float, ...]]
    discharge_w: Mapping[UUID, tuple[float, ...]]


def reshape(given: PlanInput) -> Reshaped:
    """The question as the flow engine can answer it. Where the programme finds nothing in time,
    batteries rest and nobody gives back.

    Raises ``Invalid`` when a stay names an EVSE or node that the site's tree does not have.
    """
    problem = compile_problem(given)
    if not programme.wanted(given) or not problem.stays:
        return Reshaped(problem, None, {}, {})
    found = programme.solve(given, problem, problem.gentle_cap)
    if found is not None and float(found.short_wh.sum()) > _SHORT_WH:
        found = programme.solve(given, problem, problem.full_cap)
    if found is None:
        return Reshaped(problem, None, {}, {})
    return _applied(given, problem, found)


def _applied(given: PlanInput, problem: Problem, found: Optimum) -> Reshaped:
    hours = problem.hours
    loads = dict(given.other_load_w)
    for node_id, load_w in _decided(given, problem, found):
        load_w = load_w - ROUNDING_WH / hours
        before_w = step_values(loads.get(node_id, 0.0), problem.bounds, highest=True)
        loads[node_id] = _steps(problem, before_w + load_w)
    shaped = compile_problem(replace(given, other_load_w=loads))
    again = found.given_wh.sum(axis=1) / np.array([s.efficiency**2 for s in problem.stays])
    need = problem.need + np.floor(again).astype(np.int64)
    full, gentle = shaped.full_cap.copy(), shaped.gentle_cap.copy()
    for cap in (full, gentle):
        cap[found.given_wh > _SHORT_WH] = 0
        if any(stay.phases != ALL_PHASES for stay in problem.stays):
            most = np.ceil(found.taken_wh + _SHORT_WH).astype(np.int64)
            np.minimum(cap, most, out=cap)
    need = np.minimum(need, full.sum(axis=1))
    taken = np.ceil(found.taken_wh.sum(axis=0) + ROUNDING_WH).astype(np.int64)
    lends = np.flatnonzero(found.given_wh.sum(axis=1) > _SHORT_WH)
    return Reshaped(
        problem=replace(shaped, need=need, full_cap=full, gentle_cap=gentle),
        profile=np.minimum(shaped.root_cap, taken),
        storage_w={s.id: _tuple(found.storage_wh[i] / hours) for i, s in enumerate(given.storages)},
        discharge_w={
            problem.stays[row].id: _tuple(found.given_wh[row] / hours) for row in lends.tolist()
        },
    )


def _decided(given: PlanInput, problem: Problem, found: Optimum) -> Iterator[tuple[UUID, Floats]]:
    """What batteries and vehicles that give add to the load of their nodes, in W by slot."""
    for index, storage in enumerate(given.storages):
        yield storage.node_id, -found.storage_wh[index] / problem.hours
    for row, stay in enumerate(problem.stays):
        if float(found.given_wh[row].sum()) > _SHORT_WH:
            leaf = None if stay.evse_id is None else given.tree.leaf_of_evse.get(stay.evse_id)
            node_id = stay.node_id or given.tree.root.id
            yield (node_id if leaf is None else leaf.id), -found.given_wh[row] / problem.hours


def _steps(problem: Problem, load_w: Floats) -> tuple[Step, ...]:
    return tuple(
        Step(start_at, end_at, float(value))
        for (start_at, end_at), value in zip(pairwise(problem.bounds), load_w, strict=True)
    )


def _tuple(values: Floats) -> tuple[float, ...]:
    return tuple(values.tolist())

"""The site's linear programme (HiGHS): for what is no flow on a tree, and to check the flow by.

Stationary batteries, vehicles that give energy back, phases loaded unevenly and prices for
exported energy are beyond the flow engine. On what both can express they agree on readiness, peak
and cost. Aims are settled one after the other, as in the planner: shortfall by priority, then the
peak and the cost. Pure. Columns and rows are built as arrays; energy is in kWh inside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, sqrt
from uuid import UUID

import highspy
import numpy as np

from voltyard.energy.flow import Ints
from voltyard.energy.matrix import Matrix
from voltyard.energy.model import ALL_PHASES, PlanInput, PlanMode, Storage
from voltyard.energy.problem import Problem, step_values
from voltyard.energy.taper import Floats
from voltyard.sites.limits import limits_during
from voltyard.sites.model import Node
from voltyard.units import NOMINAL_VOLTAGE_V

KWH = 1000.0
SLACK_KWH = 1e-5
"""How far a settled aim may be given way for the next, so that rounding blocks nothing."""
EARLY_SHARE = 1e-5
"""A price difference so small decides nothing but that, at equal price, early comes before late."""
TIME_LIMIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Optimum:
    """Rows are stays or batteries, columns slots; Wh. ``given_wh`` is V2G, ``storage_wh`` net
    (above 0 it gives). ``root_wh`` is what passes the root besides other load; ``cost`` in
    currency units, without other load's; ``peak_w`` with it."""

    taken_wh: Floats
    given_wh: Floats
    storage_wh: Floats
    short_wh: Floats
    root_wh: Floats
    peak_w: float
    cost: float


def wanted(given: PlanInput) -> bool:
    """Whether the flow engine alone cannot express the question."""
    return bool(
        given.storages
        or any(stay.discharge_w > 0.0 or stay.phases != ALL_PHASES for stay in given.stays)
    )


def solve(
    given: PlanInput, problem: Problem, caps: Ints, *, time_limit_s: float = TIME_LIMIT_S
) -> Optimum | None:
    """The optimum with ``caps`` (Wh by stay and slot); None when it was not found in time."""
    return _Programme(given, problem, caps, time_limit_s).optimum()


class _Programme:
    """Columns in blocks: taken, given, short, through nodes, batteries, grid, peak."""

    def __init__(self, given: PlanInput, problem: Problem, caps: Ints, time_limit_s: float) -> None:
        self.given, self.problem = given, problem
        self.slots = len(problem.hours)
        self.base_kwh = problem.base_w * problem.hours / KWH
        self.import_price = _per_kwh(step_values(given.prices, problem.bounds, highest=False))
        exports = given.export_prices
        self.export_price = np.minimum(
            self.import_price,
            _per_kwh(step_values(exports or (), problem.bounds, highest=False)),
        )
        self.matrix = Matrix()
        self._columns(caps / KWH)
        self._energy_rows()
        self._balance_rows()
        self._grid_rows()
        for index, storage in enumerate(given.storages):
            self._storage_rows(index, storage)
        self._charge_rows()
        self._phase_rows()
        self.group_rows = self._group_rows()
        self.solver = self.matrix.solver(time_limit_s)

    # columns

    def _columns(self, caps_kwh: Floats) -> None:
        problem, add = self.problem, self.matrix.columns
        stays, slots = caps_kwh.shape
        self.cells = np.argwhere(caps_kwh > 0.0)
        self.taken = add(0.0, caps_kwh[caps_kwh > 0.0])
        gives_w = np.array([stay.discharge_w for stay in problem.stays])
        gives = (gives_w.reshape(-1, 1) * problem.present_s / 3.6e6).reshape(stays, slots)
        self.giving = np.argwhere(gives > 0.0)
        self.given_back = add(0.0, gives[gives > 0.0])
        self.short = add(0.0, problem.need / KWH)
        cap = problem.net.cap / KWH
        lowest = -cap if (self.given.storages or len(self.giving)) else np.zeros_like(cap)
        cap[0] = problem.root_cap / KWH
        may_export = self.given.export_prices is not None
        lowest[0] = -cap[0] if may_export else np.minimum(0.0, -self.base_kwh)
        self.through = add(lowest.ravel(), cap.ravel()).reshape(cap.shape)
        hours = problem.hours
        self.stored, self.storing, self.restored, self.emptier = [], [], [], []
        for storage in self.given.storages:
            self.storing.append(add(0.0, storage.max_charge_w * hours / KWH))
            self.restored.append(add(0.0, storage.max_discharge_w * hours / KWH))
            least = min(storage.least_wh, storage.energy_wh) / KWH
            full = np.full(slots, storage.capacity_wh / KWH)
            self.stored.append(add(least, full))
            self.emptier.append(int(add(0.0, np.array([storage.capacity_wh / KWH]))[0]))
        self.imported = add(0.0, np.full(slots, inf))
        self.exported = add(0.0, np.full(slots, inf))
        floor_kw = max(0.0, self.given.peak_so_far_w) / KWH
        self.peak = int(add(floor_kw, np.array([inf]))[0])

    # rows

    def _energy_rows(self) -> None:
        """What a stay takes, less what it must take again for what it gave, and its shortfall."""
        stays = len(self.problem.stays)
        need = self.problem.need / KWH
        rows = self.matrix.rows(need, need)
        self.matrix.put(rows[self.cells[:, 0]], self.taken, 1.0)
        back = np.array([1.0 / stay.efficiency**2 for stay in self.problem.stays])
        if len(self.giving):
            lender = self.giving[:, 0]
            self.matrix.put(rows[lender], self.given_back, -back[lender])
        self.matrix.put(rows, self.short, np.ones(stays))

    def _balance_rows(self) -> None:
        net = self.problem.net
        nodes = len(self.problem.nodes)
        zero = np.zeros(self.through.size)
        rows = self.matrix.rows(zero, zero).reshape(nodes, self.slots)
        self.matrix.put(rows.ravel(), self.through.ravel(), -1.0)
        for node in range(1, nodes):
            self.matrix.put(rows[net.parent[node]], self.through[node], 1.0)
        at = net.node_of_stay
        self.matrix.put(rows[at[self.cells[:, 0]], self.cells[:, 1]], self.taken, 1.0)
        if len(self.giving):
            cells = rows[at[self.giving[:, 0]], self.giving[:, 1]]
            self.matrix.put(cells, self.given_back, -1.0)
        for index, storage in enumerate(self.given.storages):
            here = rows[self._node_index(storage.node_id)]
            self.matrix.put(here, self.storing[index], 1.0)
            self.matrix.put(here, self.restored[index], -1.0)

    def _node_index(self, node_id: UUID) -> int:
        index_of = {node.id: index for index, node in enumerate(self.problem.nodes)}
        path = self.given.tree.path_to_root(node_id)
        return next(index_of[node.id] for node in path if node.id in index_of)

    def _grid_rows(self) -> None:
        """Through the root and other load: imported less exported; and never above the peak."""
        rows = self.matrix.rows(-self.base_kwh, -self.base_kwh)
        self.matrix.put(rows, self.through[0], 1.0)
        self.matrix.put(rows, self.imported, -1.0)
        self.matrix.put(rows, self.exported, 1.0)
        below = self.matrix.rows(np.full(self.slots, -inf), -self.base_kwh)
        self.matrix.put(below, self.through[0], 1.0)
        self.matrix.put(below, np.full(self.slots, self.peak), -self.problem.hours)

    def _storage_rows(self, index: int, storage: Storage) -> None:
        way = sqrt(storage.efficiency)
        start = np.zeros(self.slots)
        start[0] = storage.energy_wh / KWH
        rows = self.matrix.rows(start, start)
        self.matrix.put(rows, self.stored[index], 1.0)
        self.matrix.put(rows[1:], self.stored[index][:-1], -1.0)
        self.matrix.put(rows, self.storing[index], -way)
        self.matrix.put(rows, self.restored[index], 1.0 / way)
        end = self.matrix.rows(np.array([storage.energy_wh / KWH]), np.array([inf]))
        self.matrix.put(end, self.stored[index][-1:], 1.0)
        self.matrix.put(end, np.array([self.emptier[index]]), 1.0)

    def _charge_rows(self) -> None:
        """Who gives energy back stays between its lowest state of charge and full, at all times."""
        for row in sorted(set(self.giving[:, 0].tolist())):
            stay = self.problem.stays[row]
            if stay.soc_pct is None or not stay.battery_wh:
                self._no_giving(row)
                continue
            wh_pct = stay.battery_wh / 100.0 / KWH
            low = min(0.0, stay.least_soc_pct - stay.soc_pct) * wh_pct
            high = (100.0 - stay.soc_pct) * wh_pct
            rows = self.matrix.rows(np.full(self.slots, low), np.full(self.slots, high))
            taking = self.cells[:, 0] == row
            for slot, column in zip(self.cells[taking, 1], self.taken[taking], strict=True):
                self.matrix.put(rows[slot:], np.full(self.slots - slot, column), stay.efficiency)
            lending = self.giving[:, 0] == row
            for slot, column in zip(self.giving[lending, 1], self.given_back[lending], strict=True):
                after = np.full(self.slots - slot, column)
                self.matrix.put(rows[slot:], after, -1.0 / stay.efficiency)

    def _no_giving(self, row: int) -> None:
        columns = self.given_back[self.giving[:, 0] == row]
        nothing = self.matrix.rows(np.zeros(len(columns)), np.zeros(len(columns)))
        self.matrix.put(nothing, columns, 1.0)

    def _phase_rows(self) -> None:
        """Amps of each phase, at nodes with such limits above vehicles that load them unevenly."""
        stays = self.problem.stays
        if all(stay.phases == ALL_PHASES for stay in stays):
            return
        below = _stays_below(self.problem)
        for index, node in enumerate(self.problem.nodes):
            limits_a = _lowest_amps(node, self.problem, self.given)
            uneven = any(stays[row].phases != ALL_PHASES for row in below[index])
            if limits_a is None or not uneven:
                continue
            here = np.isin(self.cells[:, 0], below[index])
            rows_of, slots_of = self.cells[here, 0], self.cells[here, 1]
            carried = limits_a * NOMINAL_VOLTAGE_V * self.problem.hours / KWH
            for phase in ALL_PHASES:
                share = np.array([_share(stay.phases, phase) for stay in stays])[rows_of]
                rows = self.matrix.rows(np.full(self.slots, -inf), carried)
                self.matrix.put(rows[slots_of], self.taken[here], share)

    def _group_rows(self) -> list[tuple[int, Ints]]:
        """One row for each priority, the most important first: the shortfall of the group."""
        priority = np.array([stay.priority for stay in self.problem.stays], dtype=np.int64)
        found: list[tuple[int, Ints]] = []
        for group in sorted(set(priority.tolist())):
            members: Ints = self.short[priority == group]
            row = self.matrix.rows(np.zeros(1), np.full(1, inf))
            self.matrix.put(np.repeat(row, len(members)), members, 1.0)
            found.append((int(row[0]), members))
        return found

    # aims, one after the other

    def optimum(self) -> Optimum | None:
        for row, members in self.group_rows:
            least = self._least(_unit(self.matrix.width, members))
            if least is None:
                return None
            self.solver.changeRowBounds(row, 0.0, least + SLACK_KWH)
        if self.given.mode is PlanMode.PEAK:
            least = self._least(_unit(self.matrix.width, np.array([self.peak])))
            if least is None:
                return None
            self.solver.changeColBounds(self.peak, 0.0, least + SLACK_KWH)
        weights = self._bill()
        if self._least(weights + self._early()) is None:
            return None
        return self._read()

    def _least(self, cost: Floats) -> float | None:
        self.solver.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost)
        self.solver.run()
        if self.solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        return float(self.solver.getInfo().objective_function_value)

    def _bill(self) -> Floats:
        """Currency units by column."""
        cost = np.zeros(self.matrix.width)
        if self.given.mode is PlanMode.EARLY:
            cost[self.taken] = self.cells[:, 1]
            return cost
        cost[self.imported] = self.import_price
        cost[self.exported] = -self.export_price
        if self.given.mode is PlanMode.COST:
            cost[self.peak] = self.given.demand_price_per_kw
        dearest = float(np.abs(self.import_price).max(initial=0.0))
        for index, storage in enumerate(self.given.storages):
            wear = storage.wear_per_mwh / 1000.0
            cost[self.restored[index]] = wear + dearest * EARLY_SHARE
            cost[self.emptier[index]] = max(0.1, dearest) / sqrt(storage.efficiency) + wear
        return cost

    def _early(self) -> Floats:
        """At equal price early comes first, and nobody stores or lends without gain."""
        cost = np.zeros(self.matrix.width)
        unit = max(0.1, float(np.abs(self.import_price).max(initial=0.0))) * EARLY_SHARE
        cost[self.taken] = unit * self.cells[:, 1] / max(1, self.slots)
        cost[self.given_back] = unit
        for columns in self.storing:
            cost[columns] = unit
        return cost

    def _read(self) -> Optimum:
        value = np.array(self.solver.getSolution().col_value)
        taken = np.zeros((len(self.problem.stays), self.slots))
        taken[self.cells[:, 0], self.cells[:, 1]] = value[self.taken] * KWH
        given = np.zeros_like(taken)
        if len(self.giving):
            given[self.giving[:, 0], self.giving[:, 1]] = value[self.given_back] * KWH
        both = np.minimum(taken, given)
        storage = np.zeros((len(self.given.storages), self.slots))
        for index in range(len(storage)):
            net = value[self.restored[index]] - value[self.storing[index]]
            storage[index] = net * KWH
        root = value[self.through[0]] * KWH
        grid_w = (root + self.base_kwh * KWH) / self.problem.hours
        return Optimum(
            taken_wh=taken - both,
            given_wh=given - both,
            storage_wh=storage,
            short_wh=value[self.short] * KWH,
            root_wh=root,
            peak_w=float(grid_w.max(initial=0.0)),
            cost=float(self._bill() @ value),
        )


def _unit(width: int, columns: Ints) -> Floats:
    cost = np.zeros(width)
    cost[columns] = 1.0
    return cost


def _per_kwh(per_mwh: Floats) -> Floats:
    return per_mwh / 1000.0


def _share(phases: Sequence[int], phase: int) -> float:
    """How much of its power it takes from one phase."""
    return 1.0 / len(phases) if phase in phases else 0.0


def _stays_below(problem: Problem) -> list[Ints]:
    """Rows of the stays that load each kept node."""
    rows: list[list[int]] = [[] for _ in problem.nodes]
    for row, node in enumerate(problem.net.node_of_stay.tolist()):
        while node >= 0:
            rows[node].append(row)
            node = int(problem.net.parent[node])
    return [np.array(found, dtype=np.int64) for found in rows]


def _lowest_amps(node: Node, problem: Problem, given: PlanInput) -> Floats | None:
    """The lowest limit in amps of each phase by slot; None where the node has none."""
    if all(limit.current_a is None for limit in node.limits):
        return None
    zone = given.tree.zone
    found = [
        min((li.current_a for li in limits if li.current_a is not None), default=inf)
        for limits in (limits_during(node, a, b, zone) for a, b in pairwise(problem.bounds))
    ]
    return np.array(found)

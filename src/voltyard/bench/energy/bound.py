"""The physical bound: a linear programme (HiGHS) that knows everything from the start.

It shares nothing with the planner's engine. Slots are quarters of an hour, tapering an upper bound
of power in each; both only widen what is possible, so no strategy can be cheaper for the same
energy.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import highspy
import numpy as np

from voltyard.bench.energy.case import STEP_S, STEPS_A_QUARTER, Case, Floats
from voltyard.bench.energy.stopwatch import timed
from voltyard.bench.energy.world import Fleet, Ints
from voltyard.errors import VoltyardError

_SHORTAGE_EUR_PER_KWH = 100.0
_PEAK_EUR_PER_KW = 1.0
_MINUTE_H = 1.0 / 60.0
_MINUTES_A_STEP = STEP_S // 60


@dataclass(frozen=True, slots=True)
class Bound:
    """Least cost of the most energy. ``solve_s`` is the solver's time, without building."""

    cost_eur: float
    energy_cost_eur: float
    peak_w: float
    energy_wh: float
    asked_wh: float
    solve_s: float
    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class _Columns:
    """Energy of stay ``stay[i]`` in quarter ``slot[i]``, at most ``most_kwh[i]``."""

    stay: Ints
    slot: Ints
    most_kwh: Floats


def least_cost(case: Case, fleet: Fleet | None = None) -> Bound:
    """The most energy by departure, at the least bill."""
    prices = np.array(case.prices) / 1000.0
    return _solve(case, fleet or Fleet(case), prices, case.demand_eur_per_kw)


def least_peak_w(case: Case, fleet: Fleet | None = None) -> float:
    """The least peak of the grid connection at which all get the most energy."""
    found = _solve(case, fleet or Fleet(case), np.zeros(len(case.prices)), _PEAK_EUR_PER_KW)
    return found.peak_w


def _solve(case: Case, fleet: Fleet, prices: Floats, peak_price: float) -> Bound:
    columns = _most_energy(case, fleet)
    asked_kwh = np.array([visit.asked_wh for visit in case.visits]) / 1000.0
    model = _Model(case, fleet, columns, asked_kwh)
    model.price(prices, peak_price)
    solver = model.solver()
    _, seconds = timed(solver.run)
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise VoltyardError("HiGHS did not solve the bound of a case")
    values = np.array(solver.getSolution().col_value)
    taken = values[: len(columns.stay)]
    energy_eur = float((taken * prices[columns.slot]).sum())
    peak_kw = float(values[-1])
    return Bound(
        cost_eur=energy_eur + peak_price * peak_kw,
        energy_cost_eur=energy_eur,
        peak_w=peak_kw * 1000.0,
        energy_wh=float(taken.sum()) * 1000.0,
        asked_wh=float(asked_kwh.sum()) * 1000.0,
        solve_s=seconds,
        columns=len(values),
        rows=model.rows,
    )


def _most_energy(case: Case, fleet: Fleet) -> _Columns:
    """By stay and quarter, going back from the target at full power, minute by minute.

    No way to the target is ever emptier than this latest one, and power falls with charge.
    """
    envelope_w = np.maximum.accumulate(fleet.table_w[:, ::-1], axis=1)[:, ::-1]
    start_pct = np.array([visit.soc_pct for visit in case.visits])
    stays = np.arange(len(case.visits))
    minutes = (fleet.departure - fleet.arrival) * _MINUTES_A_STEP
    back_pct = fleet.target_pct.copy()
    most_kwh = np.zeros((len(stays), len(case.prices)))
    for minute in range(int(minutes.max(initial=0))):
        power_w = _envelope_at(envelope_w, np.maximum(back_pct, start_pct))
        half_pct = back_pct - power_w * _MINUTE_H / 2.0 / fleet.wh_per_pct
        power_w = _envelope_at(envelope_w, np.maximum(half_pct, start_pct))
        back_pct = back_pct - power_w * _MINUTE_H / fleet.wh_per_pct
        here = minute < minutes
        at = fleet.departure * _MINUTES_A_STEP - 1 - minute
        slot = at // (_MINUTES_A_STEP * STEPS_A_QUARTER)
        most_kwh[stays[here], slot[here]] += power_w[here] * _MINUTE_H / 1000.0
    stay, slot = np.nonzero(most_kwh)
    return _Columns(stay, slot, most_kwh[stay, slot])


def _envelope_at(envelope_w: Floats, soc_pct: Floats) -> Floats:
    place = np.clip(soc_pct, 0.0, 100.0) * 2.0
    low = np.minimum(place.astype(np.int64), envelope_w.shape[1] - 2)
    share = place - low
    rows = np.arange(len(soc_pct))
    found: Floats = envelope_w[rows, low] * (1.0 - share) + envelope_w[rows, low + 1] * share
    return found


class _Model:
    """Columns: energy by stay and quarter, shortage by stay, flow by node and quarter, peak."""

    def __init__(self, case: Case, fleet: Fleet, columns: _Columns, asked_kwh: Floats) -> None:
        self._case, self._fleet, self._columns = case, fleet, columns
        self._slots = len(case.prices)
        self._parts: list[tuple[Ints, Ints, Floats]] = []
        self._low: list[Floats] = []
        self._high: list[Floats] = []
        self.rows = 0
        count, stays = len(columns.stay), len(asked_kwh)
        self._shortage = count
        self._cells(first=count + stays)
        self._peak = count + stays + len(self._cell_node)
        self._upper = np.concatenate(
            [columns.most_kwh, np.full(stays, np.inf), self._cell_kwh, [np.inf]]
        )
        self._cost = np.zeros(self._peak + 1)
        self._energy_rows(asked_kwh)
        self._flow_rows()
        self._peak_rows()

    def price(self, prices: Floats, peak_price: float) -> None:
        """EUR/kWh by quarter, EUR/kW of peak."""
        columns = self._columns
        self._cost[: len(columns.stay)] = prices[columns.slot]
        self._cost[self._shortage : self._shortage + len(self._case.visits)] = _SHORTAGE_EUR_PER_KWH
        self._cost[self._peak] = peak_price

    def _cells(self, first: int) -> None:
        """Cells (node, quarter) that anybody's energy passes, leaves folded into their stays."""
        nodes = self._case.tree.nodes
        index_of = {node.id: index for index, node in enumerate(nodes)}
        self._parent = np.array(
            [-1 if node.parent_id is None else index_of[node.parent_id] for node in nodes]
        )
        self._above = np.array(
            [self._parent[path[0]] if path[0] else 0 for path in self._fleet.paths.tolist()]
        )
        used = np.zeros((len(nodes), self._slots), dtype=np.bool_)
        node = self._above[self._columns.stay]
        while (node >= 0).any():
            inside = node >= 0
            used[node[inside], self._columns.slot[inside]] = True
            node = np.where(inside, self._parent[node], -1)
        self._cell_node, self._cell_slot = np.nonzero(used)
        self._cell_of = np.full(used.shape, -1, dtype=np.int64)
        self._cell_of[used] = first + np.arange(len(self._cell_node))
        self._cell_kwh = self._fleet.limit_w[self._cell_node] / 4000.0
        root = self._cell_node == 0
        self._cell_kwh[root] = self._root_kwh()[self._cell_slot[root]]

    def _root_kwh(self) -> Floats:
        free_w = np.maximum(0.0, self._fleet.limit_w[0] - np.array(self._case.base_w))
        return _by_quarter(free_w, self._slots) / 1000.0

    def _energy_rows(self, asked_kwh: Floats) -> None:
        stays = np.arange(len(asked_kwh))
        columns = self._columns
        self._rows(
            [
                (columns.stay, np.arange(len(columns.stay)), 1.0),
                (stays, self._shortage + stays, 1.0),
            ],
            asked_kwh,
            asked_kwh,
        )

    def _flow_rows(self) -> None:
        """What enters a cell from stays and cells below leaves it upwards."""
        columns, first = self._columns, len(self._columns.stay) + len(self._case.visits)
        cells = np.arange(len(self._cell_node))
        below = self._cell_node > 0
        above = self._cell_of[self._parent[self._cell_node[below]], self._cell_slot[below]]
        zero = np.zeros(len(cells))
        entered = self._cell_of[self._above[columns.stay], columns.slot]
        self._rows(
            [
                (entered - first, np.arange(len(columns.stay)), 1.0),
                (above - first, first + cells[below], 1.0),
                (cells, first + cells, -1.0),
            ],
            zero,
            zero,
        )

    def _peak_rows(self) -> None:
        """Charging and other load of a quarter stay under the peak."""
        base_kwh = _by_quarter(np.array(self._case.base_w), self._slots) / 1000.0
        slots = np.arange(self._slots)
        cell = self._cell_of[0]
        used = cell >= 0
        self._rows(
            [
                (slots[used], cell[used], 1.0),
                (slots, np.full(self._slots, self._peak), -0.25),
            ],
            np.full(self._slots, -np.inf),
            -base_kwh,
        )

    def _rows(self, parts: Sequence[tuple[Ints, Ints, float]], low: Floats, high: Floats) -> None:
        for row, column, value in parts:
            self._parts.append((self.rows + row, column, np.full(len(row), value)))
        self._low.append(low)
        self._high.append(high)
        self.rows += len(low)

    def solver(self) -> highspy.Highs:
        """The loaded model; dual simplex, one thread."""
        row = np.concatenate([part[0] for part in self._parts])
        column = np.concatenate([part[1] for part in self._parts])
        value = np.concatenate([part[2] for part in self._parts])
        order = np.lexsort((row, column))
        start = np.zeros(len(self._cost) + 1, dtype=np.int32)
        np.cumsum(np.bincount(column, minlength=len(self._cost)), out=start[1:])
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(self._cost), self.rows
        lp.col_cost_, lp.col_lower_ = self._cost, np.zeros(len(self._cost))
        lp.col_upper_ = self._upper
        lp.row_lower_, lp.row_upper_ = np.concatenate(self._low), np.concatenate(self._high)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_ = start
        lp.a_matrix_.index_ = row[order].astype(np.int32)
        lp.a_matrix_.value_ = value[order]
        solver = highspy.Highs()  # type: ignore[no-untyped-call]
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("threads", 1)
        solver.setOptionValue("solver", "simplex")
        solver.setOptionValue("simplex_strategy", 1)
        solver.passModel(lp)
        return solver


def _by_quarter(power_w: Floats, slots: int) -> Floats:
    """Watt-hours by quarter of a series by step."""
    found: Floats = np.bincount(
        np.arange(len(power_w)) // STEPS_A_QUARTER, power_w * STEP_S / 3600.0, minlength=slots
    ).astype(np.float64)
    return found

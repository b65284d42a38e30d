"""The oracle's linear and integer programmes, solved by HiGHS."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

import highspy
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Least total energy that members lack to being ready, and by member in their order."""

    missing_wh: float
    short_wh: Floats


@dataclass(frozen=True, slots=True)
class Answer:
    """Members ready together (all groups), how many of the asked group, and an upper bound."""

    ready: Whole
    count: int
    bound: int


@dataclass(frozen=True, slots=True)
class Programme:
    """Energies in kWh inside. Members are the stays that take part; the others stay empty."""

    members: Whole
    ready_wh: Floats
    column_stay: NDArray[np.int32]
    column_most_wh: Floats
    rows: Sequence[tuple[NDArray[np.int32], float]]
    time_limit_s: float

    def least_shortfall(self, must_be_ready: Whole | None = None) -> Shortfall:
        """Lack of every member against ``ready_wh``; 0 is forced for ``must_be_ready``."""
        if len(self.members) == 0:
            return Shortfall(0.0, np.zeros(0))
        solver, columns = self._solver()
        count = len(self.members)
        first = solver.getNumCol()
        most, cost = self.ready_wh[self.members] / 1000.0, np.ones(count)
        if must_be_ready is not None:
            # Tiny, dear slack: the integer programme met these rows only to its own tolerance.
            forced = np.isin(self.members, must_be_ready)
            most = np.where(forced, 1e-3 * most, most)
            cost = np.where(forced, 1e3, 1.0)
        solver.addVars(count, np.zeros(count), most)
        lacking = np.arange(first, first + count, dtype=np.int32)
        solver.changeColsCost(count, lacking, cost)
        for position, stay in enumerate(self.members):
            own = np.append(columns[int(stay)], lacking[position]).astype(np.int32)
            need = float(self.ready_wh[stay]) / 1000.0
            solver.addRow(need, highspy.kHighsInf, len(own), own, np.ones(len(own)))
        solver.run()
        assert solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
        values = np.array(solver.getSolution().col_value)[lacking] * 1000.0
        return Shortfall(float(values.sum()), values)

    def most_ready(self, group: Whole, at_least: Sequence[tuple[Whole, int]]) -> Answer:
        """The most of ``group`` ready while earlier groups keep their counts."""
        solver, columns = self._solver()
        count = len(self.members)
        first = solver.getNumCol()
        solver.addVars(count, np.zeros(count), np.ones(count))
        chosen = np.arange(first, first + count, dtype=np.int32)
        solver.changeColsIntegrality(count, chosen, np.full(count, highspy.HighsVarType.kInteger))
        place = {int(stay): int(chosen[i]) for i, stay in enumerate(self.members)}
        wanted = np.array([place[int(stay)] for stay in group], dtype=np.int32)
        solver.changeColsCost(len(wanted), wanted, -np.ones(len(wanted)))
        for stay in self.members:
            own = np.append(columns[int(stay)], place[int(stay)]).astype(np.int32)
            need = float(self.ready_wh[stay]) / 1000.0
            weights = np.append(np.ones(len(own) - 1), -need)
            solver.addRow(0.0, highspy.kHighsInf, len(own), own, weights)
        for earlier, least in at_least:
            kept = np.array([place[int(stay)] for stay in earlier], dtype=np.int32)
            solver.addRow(float(least), highspy.kHighsInf, len(kept), kept, np.ones(len(kept)))
        solver.setOptionValue("mip_abs_gap", 0.99)
        solver.setOptionValue("mip_rel_gap", 0.0)
        solver.run()
        values = np.array(solver.getSolution().col_value)
        ready = self.members[values[chosen] > 0.5]
        found = int((values[wanted] > 0.5).sum())
        bound = floor(-solver.getInfo().mip_dual_bound + 1e-6)
        return Answer(ready, found, max(found, min(bound, len(group))))

    def _solver(self) -> tuple[highspy.Highs, dict[int, NDArray[np.int32]]]:
        """A programme with the members' energy columns and the nodes' rows."""
        solver = highspy.Highs()  # type: ignore[no-untyped-call]
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("threads", 1)
        solver.setOptionValue("time_limit", self.time_limit_s)
        taking = np.isin(self.column_stay, self.members)
        number = np.cumsum(taking, dtype=np.int32) - 1
        most = self.column_most_wh[taking] / 1000.0
        solver.addVars(len(most), np.zeros(len(most)), most)
        for row, room_wh in self.rows:
            used = number[row[taking[row]]].astype(np.int32)
            if len(used):
                room = room_wh / 1000.0
                solver.addRow(-highspy.kHighsInf, room, len(used), used, np.ones(len(used)))
        owner = self.column_stay[taking]
        order = np.argsort(owner, kind="stable").astype(np.int32)
        starts = np.searchsorted(owner[order], np.arange(len(self.ready_wh) + 1))
        columns = {int(stay): order[starts[stay] : starts[stay + 1]] for stay in self.members}
        return solver, columns

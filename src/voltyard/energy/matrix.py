"""A linear programme put together from blocks of columns and rows, handed to HiGHS as arrays."""

from math import isinf

import highspy
import numpy as np

from voltyard.energy.flow import Ints
from voltyard.energy.taper import Floats


class Matrix:
    """Columns and rows are added in blocks and named by their indices."""

    def __init__(self) -> None:
        self.width = 0
        self.height = 0
        self._low: list[Floats] = []
        self._high: list[Floats] = []
        self._row_low: list[Floats] = []
        self._row_high: list[Floats] = []
        self._at: list[tuple[Ints, Ints, Floats]] = []

    def columns(self, low: float | Floats, high: Floats) -> Ints:
        """Indices of new columns with these bounds."""
        first, self.width = self.width, self.width + len(high)
        self._low.append(np.broadcast_to(np.asarray(low, dtype=np.float64), high.shape))
        self._high.append(high.astype(np.float64))
        return np.arange(first, self.width, dtype=np.int64)

    def rows(self, low: Floats, high: Floats) -> Ints:
        """Indices of new rows with these bounds."""
        first, self.height = self.height, self.height + len(high)
        self._row_low.append(low.astype(np.float64))
        self._row_high.append(high.astype(np.float64))
        return np.arange(first, self.height, dtype=np.int64)

    def put(self, rows: Ints, columns: Ints, value: float | Floats) -> None:
        """Coefficients, one for each pair of row and column."""
        if len(rows):
            values = np.broadcast_to(np.asarray(value, dtype=np.float64), rows.shape)
            self._at.append((rows, columns, values))

    def solver(self, time_limit_s: float) -> highspy.Highs:
        """HiGHS holding the programme, minimising; its costs are still to be set."""
        rows, columns, values = (np.concatenate(part) for part in zip(*self._at, strict=True))
        order = np.lexsort((columns, rows))
        starts = np.zeros(self.height + 1, dtype=np.int32)
        np.cumsum(np.bincount(rows, minlength=self.height), out=starts[1:])
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = self.width, self.height
        model.col_cost_ = np.zeros(self.width)
        model.col_lower_, model.col_upper_ = _bounds(self._low), _bounds(self._high)
        model.row_lower_, model.row_upper_ = _bounds(self._row_low), _bounds(self._row_high)
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.num_col_, model.a_matrix_.num_row_ = self.width, self.height
        model.a_matrix_.start_ = starts
        model.a_matrix_.index_ = columns[order].astype(np.int32)
        model.a_matrix_.value_ = values[order]
        solver = highspy.Highs()  # type: ignore[no-untyped-call]
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("threads", 1)
        solver.setOptionValue("time_limit", time_limit_s)
        solver.passModel(model)
        return solver


def _bounds(parts: list[Floats]) -> Floats:
    whole = np.concatenate(parts)
    infinite = np.array([isinf(value) for value in whole.tolist()], dtype=np.bool_)
    whole[infinite] = np.sign(whole[infinite]) * highspy.kHighsInf
    return whole

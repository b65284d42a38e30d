"""The physical side of a case: who is there, what batteries take, what flows through each node."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from voltyard.bench.energy.case import READY_SOC_PCT, STEP_S, STEPS_A_QUARTER, Case, Floats

Ints = NDArray[np.int64]

MINUTES = STEP_S // 60
_POINTS = 201
_GRID_PCT = np.linspace(0.0, 100.0, _POINTS)
_WATT = 1.0
_TAKES_STEP_W = 1000.0


class Fleet:
    """What is constant of every visit, as arrays. Row v is ``case.visits[v]``.

    ``paths`` are indices of the tree's nodes from the leaf up, filled with one beyond the last.
    ``fill_s`` is the time from empty to each half percent at full power.
    """

    def __init__(self, case: Case) -> None:
        visits = case.visits
        nodes = case.tree.nodes
        index_of = {node.id: index for index, node in enumerate(nodes)}
        self.nodes = len(nodes)
        self.limit_w = np.array(
            [min((limit.total_w for limit in node.limits), default=np.inf) for node in nodes]
            + [np.inf]
        )
        by_outlet = [
            [index_of[node.id] for node in case.tree.path_of_evse(outlet.id)]
            for outlet in case.outlets
        ]
        depth = max(len(path) for path in by_outlet)
        self.outlet_paths = np.array([p + [self.nodes] * (depth - len(p)) for p in by_outlet])
        self.outlet = np.array([visit.outlet for visit in visits], dtype=np.int64)
        self.paths = self.outlet_paths[self.outlet]
        self.arrival = np.array([case.steps_until(v.arrival_at) for v in visits], dtype=np.int64)
        self.departure = np.array(
            [case.steps_until(v.departure_at) for v in visits], dtype=np.int64
        )
        self.target_pct = np.array([visit.target_soc_pct for visit in visits])
        self.wh_per_pct = np.array([visit.battery.metered_wh(1.0) for visit in visits])
        self.least_w = np.array(
            [max(v.battery.min_power_w, case.outlets[v.outlet].min_power_w) for v in visits]
        )
        self.most_w = np.array(
            [min(v.battery.max_power_w, case.outlets[v.outlet].max_power_w) for v in visits]
        )
        self.table_w = np.minimum(
            np.array([_curve(visit.battery.curve) for visit in visits]),
            self.most_w.reshape(-1, 1),
        )
        middle_w = (self.table_w[:, 1:] + self.table_w[:, :-1]) / 2.0
        piece_s = 0.5 * self.wh_per_pct.reshape(-1, 1) * 3600.0 / np.maximum(middle_w, 1.0)
        self.fill_s = np.concatenate(
            [np.zeros((len(visits), 1)), np.cumsum(piece_s, axis=1)], axis=1
        )

    def takes_w(self, rows: Ints, soc_pct: Floats) -> Floats:
        """Most power of the vehicles at these states of charge, nothing from the target on."""
        power_w = _lookup(self.table_w, rows, soc_pct)
        done = soc_pct >= self.target_pct[rows] - 1e-9
        return np.where(done, 0.0, power_w)

    def seconds_to_target(self, rows: Ints, soc_pct: Floats) -> Floats:
        """At full power, through the curve."""
        target = _lookup(self.fill_s, rows, self.target_pct[rows])
        return np.maximum(0.0, target - _lookup(self.fill_s, rows, soc_pct))


def _curve(points: tuple[tuple[float, float], ...]) -> Floats:
    if not points:
        return np.full(_POINTS, np.inf)
    found: Floats = np.interp(_GRID_PCT, [soc for soc, _ in points], [power for _, power in points])
    return found


def _lookup(table: Floats, rows: Ints, soc_pct: Floats) -> Floats:
    place = np.clip(soc_pct, 0.0, 100.0) * 2.0
    low = np.minimum(place.astype(np.int64), _POINTS - 2)
    share = place - low
    found: Floats = table[rows, low] * (1.0 - share) + table[rows, low + 1] * share
    return found


@dataclass(slots=True)
class Measured:
    """Counters of a run. ``violations`` are minutes of a node over its limit."""

    quarter_wh: Floats
    starts: Ints
    changes: Ints
    violations: int = 0
    worst_over: float = 0.0
    plan_s: list[float] = field(default_factory=list)
    allocate_s: list[float] = field(default_factory=list)


class World:
    """One run of a case. A strategy reads what a system would know and sets ``granted_w``."""

    def __init__(self, case: Case, fleet: Fleet) -> None:
        count = len(case.visits)
        self.case, self.fleet = case, fleet
        self.true_pct = np.array([visit.soc_pct for visit in case.visits])
        self.start_pct = self.true_pct.copy()
        self.energy_wh = np.zeros(count)
        self.draw_w = np.zeros(count)
        self.granted_w = np.zeros(count)
        self.measured = Measured(
            quarter_wh=np.zeros(-(-case.steps // STEPS_A_QUARTER)),
            starts=np.zeros(count, dtype=np.int64),
            changes=np.zeros(count, dtype=np.int64),
        )
        self.step = self.minute = 0
        self.rows: Ints = np.zeros(0, dtype=np.int64)
        self.enter()

    def enter(self) -> None:
        """Who is there from this step on."""
        here = (self.fleet.arrival <= self.step) & (self.step < self.fleet.departure)
        self.rows = np.flatnonzero(here)
        self.draw_w[~here] = 0.0
        self.granted_w[~here] = 0.0

    @property
    def soc_pct(self) -> Floats:
        """As vehicles report it, in tenths of a percent; by row of ``rows``."""
        reported: Floats = np.round(self.true_pct[self.rows], 1)
        return reported

    @property
    def takes_w(self) -> Floats:
        """What each vehicle of ``rows`` can take over the step: in steps upwards as it tapers, no
        more than it still needs."""
        exact_w = self.fleet.takes_w(self.rows, self.soc_pct)
        stepped_w = np.ceil(exact_w / _TAKES_STEP_W) * _TAKES_STEP_W
        missing_pct = np.maximum(0.0, self.fleet.target_pct[self.rows] - self.soc_pct)
        rest_w = missing_pct * self.fleet.wh_per_pct[self.rows] * 3600.0 / STEP_S
        rest_w = np.maximum(rest_w, self.fleet.least_w[self.rows])
        taken_w: Floats = np.minimum(
            np.minimum(stepped_w, self.fleet.most_w[self.rows]),
            np.where(exact_w > 0.0, rest_w, 0.0),
        )
        return taken_w

    @property
    def left_s(self) -> Floats:
        left = (self.fleet.departure[self.rows] - self.step).astype(np.float64) * STEP_S
        return left - 60.0 * self.minute

    @property
    def base_w(self) -> float:
        """Other load at the grid connection as the site's meter has it now."""
        return self.case.base_w[self.step]

    def free_w(self) -> Floats:
        """By node: its limit less load that is not ours."""
        free_w = self.fleet.limit_w.copy()
        free_w[0] = max(0.0, free_w[0] - self.base_w)
        return free_w

    def command(self, granted_w: Floats) -> None:
        """New setpoints for ``rows``; those that differ count."""
        before_w = self.granted_w[self.rows]
        self.measured.changes[self.rows] += np.abs(granted_w - before_w) > _WATT
        self.granted_w[self.rows] = granted_w

    @property
    def now(self) -> datetime:
        return self.case.at(self.step) + timedelta(minutes=self.minute)

    def advance(self) -> None:
        """One minute. Vehicles come and leave between steps."""
        self._flow()
        self.minute += 1
        if self.minute == MINUTES:
            self.minute = 0
            self.step += 1
            self.enter()

    def _flow(self) -> None:
        rows, fleet = self.rows, self.fleet
        if not len(rows):
            return
        power_w = np.minimum(fleet.takes_w(rows, self.true_pct[rows]), self.granted_w[rows])
        power_w = np.where(power_w >= fleet.least_w[rows] - 1e-6, power_w, 0.0)
        missing_wh = (fleet.target_pct[rows] - self.true_pct[rows]) * fleet.wh_per_pct[rows]
        gained_wh = np.minimum(power_w / 60.0, np.maximum(0.0, missing_wh))
        self.measured.starts[rows] += (self.draw_w[rows] <= 0.0) & (power_w > 0.0)
        self.draw_w[rows] = power_w
        self.energy_wh[rows] += gained_wh
        self.true_pct[rows] += gained_wh / fleet.wh_per_pct[rows]
        self.measured.quarter_wh[self.step // STEPS_A_QUARTER] += gained_wh.sum()
        self._judge(power_w)

    def _judge(self, power_w: Floats) -> None:
        load_w = np.zeros(self.fleet.nodes + 1)
        for level in range(self.fleet.paths.shape[1]):
            load_w += np.bincount(
                self.fleet.paths[self.rows, level], power_w, minlength=self.fleet.nodes + 1
            )
        load_w[0] += self.base_w
        over = load_w > self.fleet.limit_w + _WATT
        if over.any():
            self.measured.violations += int(over.sum())
            share = float((load_w[over] / self.fleet.limit_w[over]).max()) - 1.0
            self.measured.worst_over = max(self.measured.worst_over, share)

    def ready(self) -> int:
        return int((self.true_pct >= self.fleet.target_pct - READY_SOC_PCT - 1e-6).sum())

    def site_quarters_w(self) -> Floats:
        """Mean power of the grid connection by quarter, other load included."""
        base_w = np.zeros(len(self.measured.quarter_wh))
        np.add.at(
            base_w,
            np.arange(self.case.steps) // STEPS_A_QUARTER,
            np.array(self.case.base_w) / STEPS_A_QUARTER,
        )
        return base_w + self.measured.quarter_wh * 4.0

    def peak_so_far_w(self) -> float:
        """Highest mean of a quarter that is over, other load included."""
        over = self.step // STEPS_A_QUARTER
        return float(self.site_quarters_w()[:over].max()) if over else 0.0

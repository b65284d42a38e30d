"""What really flowed: the physical power at every node, checked against its limit at every instant.

Independent of what voltyard measured or believed: it reads the simulated outlets themselves.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from voltyard.sites.limits import changes, limit_w
from voltyard.sites.model import ElectricalTree, Node

TOLERANCE_W = 1.0
PowerStep = tuple[datetime, float]


@dataclass(frozen=True, slots=True)
class Exceedance:
    """A node was over its limit from ``start_at`` to ``end_at``, by at most ``excess_w``."""

    node_id: UUID
    node: str
    start_at: datetime
    end_at: datetime
    power_w: float
    limit_w: float

    @property
    def excess_w(self) -> float:
        return self.power_w - self.limit_w

    @property
    def duration_s(self) -> float:
        return (self.end_at - self.start_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Truth:
    """Peaks and exceedances of one tree over the whole run. ``samples`` were compared."""

    exceedances: tuple[Exceedance, ...]
    root_peak_w: float
    samples: int
    node_peak_w: Mapping[UUID, float]


def check(
    tree: ElectricalTree,
    steps: Mapping[UUID, Sequence[PowerStep]],
    start_at: datetime,
    end_at: datetime,
) -> Truth:
    """Compare every node with its limit at every change of power or limit.

    ``steps`` gives for each EVSE (by id) its power as (instant, watts) changes, in order.
    Limits in amps per phase are compared as the total of balanced phases.
    """
    found: list[Exceedance] = []
    peaks: dict[UUID, float] = {}
    samples = 0
    below = _evses_below(tree)
    for node in tree.nodes:
        series = _sum(steps, below[node.id])
        instants = [start_at, *changes(node.limits, start_at, end_at, tree.zone)]
        checked = _check_node(tree, node, series, instants, end_at)
        found.extend(checked.exceedances)
        peaks[node.id] = checked.peak_w
        samples += checked.samples
    return Truth(tuple(found), peaks[tree.root.id], samples, peaks)


@dataclass(frozen=True, slots=True)
class _NodeCheck:
    exceedances: list[Exceedance]
    peak_w: float
    samples: int


def _check_node(
    tree: ElectricalTree,
    node: Node,
    series: Sequence[PowerStep],
    limit_instants: Sequence[datetime],
    end_at: datetime,
) -> _NodeCheck:
    found: list[Exceedance] = []
    peak_w = power_w = 0.0
    open_since: datetime | None = None
    worst = (0.0, 0.0)
    marks = sorted({at for at, _ in series} | set(limit_instants))
    position = 0
    allowed_w = limit_w(node, limit_instants[0], tree.zone)
    limit_marks = set(limit_instants)
    for at in marks:
        while position < len(series) and series[position][0] <= at:
            power_w = series[position][1]
            position += 1
        if at in limit_marks:
            allowed_w = limit_w(node, at, tree.zone)
        peak_w = max(peak_w, power_w)
        over = power_w > allowed_w + TOLERANCE_W
        if over:
            open_since = open_since or at
            worst = max(worst, (power_w - allowed_w, allowed_w))
        elif open_since is not None:
            found.append(_exceedance(node, open_since, at, worst))
            open_since, worst = None, (0.0, 0.0)
    if open_since is not None:
        found.append(_exceedance(node, open_since, end_at, worst))
    return _NodeCheck(found, peak_w, len(marks))


def _exceedance(
    node: Node, start_at: datetime, end_at: datetime, worst: tuple[float, float]
) -> Exceedance:
    excess_w, allowed_w = worst
    return Exceedance(node.id, node.name, start_at, end_at, allowed_w + excess_w, allowed_w)


def _evses_below(tree: ElectricalTree) -> dict[UUID, list[UUID]]:
    below: dict[UUID, list[UUID]] = {node.id: [] for node in tree.nodes}
    for evse_id in tree.leaf_of_evse:
        for node in tree.path_of_evse(evse_id):
            below[node.id].append(evse_id)
    return below


def _sum(steps: Mapping[UUID, Sequence[PowerStep]], evse_ids: Iterable[UUID]) -> list[PowerStep]:
    """Total power of some EVSEs as changes; changes at one instant count together. What flows
    back counts as nothing: it may stop at any moment."""
    deltas: dict[datetime, float] = {}
    for evse_id in evse_ids:
        before_w = 0.0
        for at, told_w in steps.get(evse_id, ()):
            power_w = max(0.0, told_w)
            deltas[at] = deltas.get(at, 0.0) + power_w - before_w
            before_w = power_w
    total_w = 0.0
    series: list[PowerStep] = []
    for at in sorted(deltas):
        total_w += deltas[at]
        series.append((at, total_w))
    return series

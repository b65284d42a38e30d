"""Planning with minimums under overload: everybody's minimum before anybody's rest. Pure."""

from dataclasses import dataclass

import numpy as np

from voltyard.energy import flow
from voltyard.energy.flow import Bools, Ints
from voltyard.energy.problem import Problem


def serve(problem: Problem, wanted: Ints) -> bool:
    """Push minimums into the network, the most important first and among equals the smallest;
    then whole vehicles up to ``wanted``, by priority and what they still lack.

    False, and nothing is pushed, where no stay has a minimum.
    """
    least = np.array([stay.least_wh for stay in problem.stays])
    if not (least > 0.0).any():
        return False
    net, work = problem.net, problem.work
    asked: Ints = np.minimum(np.ceil(least).astype(np.int64), problem.need)
    priority = np.array([stay.priority for stay in problem.stays])
    everybody = np.arange(len(asked), dtype=np.int64)
    if not _push(problem, everybody, asked):
        for row in everybody:
            flow.withdraw(net, int(row))
        first = np.lexsort((asked, priority)).astype(np.int64)
        flow.serve_in_order(net, work, first, asked.copy())
    had: Ints = net.taken.sum(axis=1)
    lacks: Ints = np.maximum(wanted - had, 0)
    order = np.lexsort((lacks, priority)).astype(np.int64)
    _top_up(problem, order[lacks[order] > 0], lacks)
    return True


@dataclass(slots=True)
class _Cut:
    """Stays inside take no more together than what they have and ``room``, in Wh."""

    inside: Bools
    room: int


def _top_up(problem: Problem, order: Ints, lacks: Ints) -> None:
    """Each all that it lacks or nothing more, one after the other.

    As many as no known cut forbids are pushed at once. Where they do not fit, that shows another
    cut: it says how many of them may fit, and who has no chance any more.
    """
    net, work = problem.net, problem.work
    cuts: list[_Cut] = []
    while True:
        for cut in cuts:
            order = order[~(cut.inside[order] & (lacks[order] > cut.room))]
        if not len(order):
            return
        run = order[: min((_within(cut, order, lacks) for cut in cuts), default=len(order))]
        taken, used = net.taken.copy(), net.used.copy()
        need = np.zeros_like(lacks)
        need[run] = lacks[run]
        flow.augment(net, work, need)
        if not need.any():
            for cut in cuts:
                cut.room -= int(lacks[run[cut.inside[run]]].sum())
            order = order[len(run) :]
            continue
        inside = work.level[: len(lacks)] >= 0
        held = run[inside[run]]
        cuts.append(_Cut(inside, int((lacks[held] - need[held]).sum())))
        net.taken[:], net.used[:] = taken, used


def _within(cut: _Cut, order: Ints, lacks: Ints) -> int:
    """How many of the first in order fit into its room."""
    wanted = np.where(cut.inside[order], lacks[order], 0).cumsum()
    return int(wanted.searchsorted(cut.room, "right"))


def _push(problem: Problem, rows: Ints, amounts: Ints) -> bool:
    """Whether all of it fitted; what did stays."""
    need = np.zeros(len(problem.stays), dtype=np.int64)
    need[rows] = amounts[rows]
    flow.augment(problem.net, problem.work, need)
    return not need.any()

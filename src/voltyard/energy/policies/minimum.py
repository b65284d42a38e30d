"""Planning with minimums under overload: everybody's minimum before anybody's rest. Pure."""

import numpy as np

from voltyard.energy import flow
from voltyard.energy.flow import Ints
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
    _top_up(problem, order[lacks[order] > 0], lacks, had)
    return True


def _top_up(problem: Problem, order: Ints, lacks: Ints, had: Ints) -> None:
    """Each all that it lacks or nothing more, one after the other; runs of those that fit together
    are pushed at once, and others halved."""
    begin, size = 0, len(order)
    while begin < len(order):
        run = order[begin : begin + size]
        fits = _push(problem, run, lacks)
        if not fits:
            for row in run:
                flow.withdraw(problem.net, int(row))
            again = _push(problem, run, had)
            assert again, "what fitted before the attempt fits again"
        if fits or size == 1:
            begin, size = begin + len(run), max(1, 2 * size)
        else:
            size = max(1, len(run) // 2)


def _push(problem: Problem, rows: Ints, amounts: Ints) -> bool:
    """Whether all of it fitted; what did stays."""
    need = np.zeros(len(problem.stays), dtype=np.int64)
    need[rows] = amounts[rows]
    flow.augment(problem.net, problem.work, need)
    return not need.any()

"""Planning with minimums under overload: everybody's minimum before anybody's rest. Pure."""

import numpy as np

from voltyard.energy import flow, triage
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
        triage.some_in_order(net, work, first, asked.copy())
    had: Ints = net.taken.sum(axis=1)
    lacks: Ints = np.maximum(wanted - had, 0)
    order = np.lexsort((lacks, priority)).astype(np.int64)
    triage.whole_in_order(net, work, order[lacks[order] > 0], lacks)
    return True


def _push(problem: Problem, rows: Ints, amounts: Ints) -> bool:
    """Whether all of it fitted; what did stays."""
    need = np.zeros(len(problem.stays), dtype=np.int64)
    need[rows] = amounts[rows]
    flow.augment(problem.net, problem.work, need)
    return not need.any()

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
    first = np.lexsort((asked, priority)).astype(np.int64)
    flow.serve_in_order(net, work, first, asked.copy())
    had: Ints = net.taken.sum(axis=1)
    lacks: Ints = np.maximum(wanted - had, 0)
    for row in np.lexsort((lacks, priority)).tolist():
        if lacks[row] > 0 and _push(problem, row, int(lacks[row])) > 0:
            flow.withdraw(net, row)
            missing = _push(problem, row, int(had[row]))
            assert missing == 0, "what fitted before the attempt fits again"
    return True


def _push(problem: Problem, row: int, amount: int) -> int:
    """What of it did not fit."""
    need = np.zeros(len(problem.stays), dtype=np.int64)
    need[row] = amount
    flow.augment(problem.net, problem.work, need)
    return int(need[row])

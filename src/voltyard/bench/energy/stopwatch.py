"""CPU seconds of a piece of work. All that is timed here runs in one thread, so that a machine
busy with other things does not count."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What ``work`` returned, and the CPU seconds of this process that it took."""
    began = time.process_time()
    found = work()
    return found, time.process_time() - began

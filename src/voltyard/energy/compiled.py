"""The one place that knows numba: a typed decorator for functions compiled to machine code."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile at first call, keep the result on disk, release the interpreter while running."""
    return cast(Callable[P, R], numba.njit(cache=True, nogil=True)(function))

"""The one place that knows numba: a typed decorator for functions compiled to machine code."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile at first call, keep the result on disk, release the interpreter while running."""
    return cast(Callable[P, R], numba.njit(cache=True, nogil=True)(function))


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """The same for a small one that is called often by compiled ones: a call that hands over many
    arrays costs more than what it does."""
    made = numba.njit(cache=True, nogil=True, forceinline=True)(function)
    return cast(Callable[P, R], made)

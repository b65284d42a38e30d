"""The one place that knows numba: a typed decorator for functions compiled to machine code."""

import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


HERE = Path(__file__).parent
USED_BY = b"from voltyard.energy.compiled import"


def kept_in(sources: Path, beside: Path) -> Path:
    """The folder below ``beside`` for what these sources compile to; those of others are dropped.

    Numba looks only at the file of a function to see whether what it kept still fits. What the
    function is handed is described elsewhere, and after an upgrade may not be there any more.
    """
    digest = sha256()
    for source in sorted(sources.glob("*.py")):
        text = source.read_bytes()
        if USED_BY in text:
            digest.update(text)
    folder = beside / f"compiled-{digest.hexdigest()[:16]}"
    for other in beside.glob("compiled-*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    return folder


_config = cast(Any, numba.config)
if not _config.CACHE_DIR:
    _config.CACHE_DIR = str(kept_in(HERE, HERE / "__pycache__"))


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile at first call, keep the result on disk, release the interpreter while running."""
    return cast(Callable[P, R], numba.njit(cache=True, nogil=True)(function))


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """The same for a small one that is called often by compiled ones: a call that hands over many
    arrays costs more than what it does."""
    made = numba.njit(cache=True, nogil=True, forceinline=True)(function)
    return cast(Callable[P, R], made)

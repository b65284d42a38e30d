"""What a server asks of its own process: many open files, and a collector that looks rarely."""

import gc
import resource

_COLLECT_AFTER = (400_000, 10, 10)
"""Above what a thousand messages under way at once hold: looking through them found nothing and
took a sixth of the server's time."""


def raise_file_limit() -> int:
    """As many open files as the system grants; how many that is. Children inherit it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def settle_memory() -> None:
    """Once all has started: what is here now stays, and need not be looked through again.

    A full collection of a started server takes tenths of a second, and messages wait for it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)

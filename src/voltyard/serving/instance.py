"""Which voltyard this is: the right to a data folder, and the name that leases are held under."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from voltyard.config import Settings
from voltyard.errors import Conflict, VoltyardError
from voltyard.ids import new_id


@contextmanager
def folder_held(data_dir: Path) -> Iterator[None]:
    """Nobody else uses this data folder while the block runs, nor after until a process ends.

    The lock goes with the process, however it dies. Raises Conflict that names who holds
    it, VoltyardError for a folder that cannot be made or written.
    """
    with _lock_file(data_dir) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            pid = file.read().strip() or "unknown"
            raise Conflict(
                f"another voltyard (process {pid}) uses {data_dir}; stop it first",
                code="folder_in_use",
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _lock_file(data_dir: Path) -> TextIO:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        return (data_dir / "instance.lock").open("a+")
    except OSError as error:
        raise VoltyardError(
            f"the data folder {data_dir} cannot be used: {error.strerror}", code="data_folder"
        ) from error


def lease_holder(settings: Settings) -> str:
    """The name this process holds leases under.

    An embedded database has one process at a time (``folder_held``): whoever held its leases
    before is dead, so the name is the folder's own and leases are taken over at once. A database
    of one's own may be shared, and a copied folder may live twice: there each process has a name
    of its own, and what a dead one held is free when the lease ends.
    """
    folder = _folder_id(settings.data_dir)
    return f"{folder}/{new_id()}" if settings.database_url else folder


def _folder_id(data_dir: Path) -> str:
    path = data_dir / "instance.id"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{new_id()}\n")
    return path.read_text().strip()

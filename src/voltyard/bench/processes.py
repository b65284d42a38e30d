"""CPU time and memory of a process and all its descendants, as the kernel counts them (/proc)."""

import os
from dataclasses import dataclass
from pathlib import Path

DATABASE = "postgres"
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """``cpu_s`` and resident ``bytes`` of the server itself, and of its database apart."""

    cpu_s: float
    database_cpu_s: float
    resident_bytes: int

    @property
    def whole_cpu_s(self) -> float:
        return self.cpu_s + self.database_cpu_s


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    parent: int
    name: str
    cpu_s: float
    resident_bytes: int


def usage(root: int) -> Usage:
    """Of ``root`` and its descendants; children that have ended count with who waited for them."""
    processes = {process.pid: process for process in map(_read, _pids()) if process is not None}
    tree = [process for process in processes.values() if _below(process, root, processes)]
    database = [process for process in tree if process.name == DATABASE]
    server = [process for process in tree if process.name != DATABASE]
    return Usage(
        sum(process.cpu_s for process in server),
        sum(process.cpu_s for process in database),
        sum(process.resident_bytes for process in server),
    )


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _read(pid: int) -> _Process | None:
    """proc_pid_stat(5): the name stands in parentheses and may hold anything."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    fields = rest.split()
    ticks = sum(int(field) for field in fields[11:15])
    return _Process(pid, int(fields[1]), name, ticks / _TICKS, int(fields[21]) * _PAGE)


def _below(process: _Process, root: int, processes: dict[int, _Process]) -> bool:
    while process.pid != root:
        parent = processes.get(process.parent)
        if parent is None:
            return False
        process = parent
    return True

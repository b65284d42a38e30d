"""How much memory this process holds, for tests that want it flat."""

import resource
from pathlib import Path

MIB = 1024 * 1024
_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Resident set size; where the system does not tell it, 0, so that growth shows as none."""
    if not _STATM.exists():
        return 0
    return int(_STATM.read_text().split()[1]) * resource.getpagesize()

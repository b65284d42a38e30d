"""Run a command as an ordinary user: as it is, or, for root, in a user namespace without root.

A program of its own because it must unshare before it executes; it uses the standard library only.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
NOBODY = 65534


def leave_root() -> None:
    """Become uid 65534 inside a new user namespace; files stay owned by the outer user."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) == 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{NOBODY} 0 1")
        Path("/proc/self/gid_map").write_text(f"{NOBODY} 0 1")
        return
    raise SystemExit(
        "PostgreSQL does not run as root and this system allows no user namespaces: "
        "run voltyard as an ordinary user, or set VOLTYARD_DATABASE_URL"
    )


def main() -> None:
    command = sys.argv[1:]
    parent = os.getppid()
    if os.geteuid() == 0:
        leave_root()
    if command and command[0] == "--die-with-parent":
        command = command[1:]
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:
            raise SystemExit("the parent is gone")
    os.execv(command[0], command)


if __name__ == "__main__":
    main()

"""The embedded server: durable over a killed process, data where it was said to be."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from voltyard.storage.embedded import EmbeddedPostgres
from voltyard.storage.migrate import migrate

KILLED = """
import sys, os, signal
from pathlib import Path
from voltyard.storage.embedded import EmbeddedPostgres
EmbeddedPostgres(Path(sys.argv[1])).start()
print("up", flush=True)
signal.pause()
"""


async def migrated_twice(server: EmbeddedPostgres) -> bool:
    return await migrate(server.url()) == await migrate(server.url())


def test_a_second_start_after_kill_9_waits_for_the_first_and_works(tmp_path: Path) -> None:
    data = tmp_path / "pg"
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(data)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    server = EmbeddedPostgres(data)
    server.start()
    try:
        assert asyncio.run(migrated_twice(server))
    finally:
        server.stop()
    assert (data / "PG_VERSION").read_text().startswith("18")
    assert not (data / "postmaster.pid").exists()


def test_the_password_file_is_for_its_owner_only(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "pg")
    first = server.password("voltyard_app")
    assert server.password("voltyard_app") == first
    (secret,) = tmp_path.glob("*.secret")
    assert secret.stat().st_mode & 0o077 == 0

"""A whole server on ports of its own, over the test's database."""

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from voltyard.clock import SystemClock
from voltyard.config import Settings
from voltyard.serving import Server, running


@asynccontextmanager
async def server(url: str, data_dir: Path, **settings: Any) -> AsyncIterator[Server]:
    """On ports the system chooses; configured, both are 0."""
    ports = {"http_port": 0, "ocpp_port": 0}
    chosen = Settings(data_dir=data_dir, **(ports | settings))
    async with running(chosen, url, SystemClock()) as opened:
        yield opened


def certificate(folder: Path) -> tuple[str, str]:
    """A self-signed certificate for 127.0.0.1 and its key, as PEM files."""
    made, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=voltyard test", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(key), "-out", str(made)],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return str(made), str(key)

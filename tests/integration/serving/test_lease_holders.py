"""Servers on one database: whose leases are whose."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from voltyard.clock import SystemClock
from voltyard.config import Settings
from voltyard.serving import Server, running


@asynccontextmanager
async def server(url: str, data_dir: Path, *, shared: bool) -> AsyncIterator[Server]:
    """On ports the system chooses; configured, both are 0."""
    settings = Settings(
        data_dir=data_dir, http_port=0, ocpp_port=0, database_url=url if shared else ""
    )
    async with running(settings, url, SystemClock()) as opened:
        yield opened


async def test_two_servers_on_chosen_ports_do_not_share_their_leases(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        server(database_url, tmp_path, shared=True) as one,
        server(database_url, tmp_path, shared=True) as other,
    ):
        assert await one.core.leases.take("site:x", 30) is not None
        assert await other.core.leases.take("site:x", 30) is None


async def test_the_next_process_on_an_embedded_database_does_not_wait(
    database_url: str, tmp_path: Path
) -> None:
    async with server(database_url, tmp_path, shared=False) as first:
        assert await first.core.leases.take("site:x", 30) is not None
    async with server(database_url, tmp_path, shared=False) as second:
        assert second.ocpp_port != first.ocpp_port
        assert await second.core.leases.take("site:x", 30) is not None

"""Servers on one database: whose leases are whose."""

from pathlib import Path

from served import server


async def test_two_servers_on_chosen_ports_do_not_share_their_leases(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        server(database_url, tmp_path, database_url=database_url) as one,
        server(database_url, tmp_path, database_url=database_url) as other,
    ):
        assert await one.core.leases.take("site:x", 30) is not None
        assert await other.core.leases.take("site:x", 30) is None


async def test_the_next_process_on_an_embedded_database_does_not_wait(
    database_url: str, tmp_path: Path
) -> None:
    async with server(database_url, tmp_path) as first:
        assert await first.core.leases.take("site:x", 30) is not None
    async with server(database_url, tmp_path) as second:
        assert second.ocpp_port != first.ocpp_port
        assert await second.core.leases.take("site:x", 30) is not None

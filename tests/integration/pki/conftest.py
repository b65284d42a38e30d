"""A whole server with a plain port and one by TLS, its certificates by the built-in authority."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pki_house import House
from pki_yard import Yard, make_yard, running

from tests.integration.serving.served import server
from voltyard.app import first_organisation
from voltyard.pki.model import Policy
from voltyard.storage.engine import PostgresDatabase


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    settings: dict[str, Any] = {"tls_names": "127.0.0.1,localhost", "wss_port": 0}
    async with server(database_url, tmp_path / "data", **settings) as opened:
        who = await first_organisation(opened.core)
        await opened.core.pki.set_policy(who, Policy(organisation="Yard"))
        folder = tmp_path / "openssl"
        folder.mkdir()
        yield House(opened, who, folder)


@pytest.fixture
async def yard(database: PostgresDatabase, tmp_path: Path) -> AsyncIterator[Yard]:
    made = await make_yard(database, tmp_path)
    writing = running(made)
    yield made
    await made.pki.close()
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)

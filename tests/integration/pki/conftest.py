"""A whole server with a plain port and one by TLS, its certificates by the built-in authority."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pki_house import House

from tests.integration.serving.served import server
from voltyard.app import first_organisation
from voltyard.pki.model import Policy


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    settings: dict[str, Any] = {"tls_names": "127.0.0.1,localhost", "wss_port": 0}
    async with server(database_url, tmp_path / "data", **settings) as opened:
        who = await first_organisation(opened.core)
        await opened.core.pki.set_policy(who, Policy(organisation="Yard"))
        folder = tmp_path / "openssl"
        folder.mkdir()
        yield House(opened, who, folder)

"""A house that prices its sessions."""

from collections.abc import AsyncIterator

import pytest
from billing_yard import Yard, open_yard

from voltyard.storage.engine import PostgresDatabase


@pytest.fixture
async def yard(database: PostgresDatabase) -> AsyncIterator[Yard]:
    async with open_yard(database) as found:
        yield found

"""Telematics over the real rooms, with systems of others on loopback."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from telematics_world import AT, Yard, furnished

from voltyard.app import build_core
from voltyard.clock import ScaledClock
from voltyard.config import Settings
from voltyard.storage.engine import PostgresDatabase


@pytest.fixture
async def yard(database: PostgresDatabase, tmp_path: Path) -> AsyncIterator[Yard]:
    settings = Settings(data_dir=tmp_path, telematics_networks="127.0.0.0/8")
    clock = ScaledClock(AT)
    core = build_core(settings, database, clock, holder="test", inline=True)
    core.spawn(core.commits.run(), "commits")
    yield await furnished(core, clock)
    await core.telematics.poller.close()
    core.crash()

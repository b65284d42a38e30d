"""Whole nights in virtual time, each on a database of its own."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from tests.conftest import Databases, fresh_database
from voltyard.app import build_host
from voltyard.clock import Clock
from voltyard.simulator.depot import DepotSpec
from voltyard.simulator.loop import run_virtual
from voltyard.simulator.night import Crash, NightResult, run_night

RunNight = Callable[..., NightResult]


@pytest.fixture
def night(databases: Databases) -> RunNight:
    """``night(depots, seed=…, faults=…, crash=…)``: run it from the first frame to the last."""

    def run(
        depots: Sequence[DepotSpec], *, seed: int, faults: str = "none", crash: Crash | None = None
    ) -> NightResult:
        with fresh_database(databases) as url:

            async def main(clock: Clock) -> NightResult:
                return await run_night(
                    depots,
                    lambda same: build_host(url, same),
                    clock,
                    seed=seed,
                    faults=faults,
                    crash=crash,
                )

            return run_virtual(main, min(d.start_at for d in depots) - timedelta(minutes=5))

    return run

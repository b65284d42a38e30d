"""Seeded nights in which chargers, links and the server itself fail: no promise is broken."""

import pytest

from tests.scenario.conftest import RunNight
from tests.scenario.judging import kept
from voltyard.simulator.demo import demo_depot
from voltyard.simulator.runner import crash_of


@pytest.mark.parametrize(
    ("seed", "faults"),
    [
        (14, "heavy"),
        pytest.param(11, "links", marks=pytest.mark.long),
        pytest.param(12, "reboots", marks=pytest.mark.long),
        pytest.param(13, "liar", marks=pytest.mark.long),
    ],
)
def test_no_promise_is_broken(night: RunNight, seed: int, faults: str) -> None:
    depots = [demo_depot(seed, 4)]
    done = night(depots, seed=seed, faults=faults, crash=crash_of(depots, seed))
    assert done.crash is not None
    assert any(plan.faults for plan in done.faults.values())
    kept(done)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 110))
def test_no_promise_is_broken_at_a_larger_depot(night: RunNight, seed: int) -> None:
    faults = ("light", "links", "reboots", "liar", "heavy")[seed % 5]
    depots = [demo_depot(seed, 16)]
    kept(night(depots, seed=seed, faults=faults, crash=crash_of(depots, seed)))

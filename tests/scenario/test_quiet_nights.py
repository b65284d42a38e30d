"""A depot's night without faults: everybody ready, no limit passed, and the same again."""

from tests.scenario.conftest import RunNight
from tests.scenario.judging import kept, ready
from voltyard.simulator.demo import demo_depot


def test_everybody_is_ready_and_the_same_seed_gives_the_same_night(night: RunNight) -> None:
    depot = demo_depot(5, 6)
    first = night([depot], seed=5)
    kept(first)
    assert ready(first) == len(first.stays) == 6
    assert sum(truth.samples for truth in first.truths.values()) > 100
    assert not any(truth.exceedances for truth in first.truths.values())
    assert not first.announced, "nobody was said to be late for nothing"
    again = night([depot], seed=5)
    assert again.power == first.power
    assert again.sessions == first.sessions
    assert again.stays == first.stays
    assert again.announced == first.announced

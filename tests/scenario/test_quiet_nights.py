"""A depot's night without faults: everybody ready, no limit passed; and one night twice."""

from datetime import timedelta

from tests.scenario.conftest import RunNight
from tests.scenario.judging import first_part, kept, ready
from voltyard.simulator.demo import demo_depot


def test_everybody_is_ready_within_the_limit(night: RunNight) -> None:
    done = night([demo_depot(5, 3)], seed=5)
    kept(done)
    assert ready(done) == len(done.stays) == 3
    assert sum(truth.samples for truth in done.truths.values()) > 100
    assert not any(truth.exceedances for truth in done.truths.values())
    assert not done.announced, "nobody was said to be late for nothing"


def test_the_same_seed_gives_the_same_night_with_its_faults(night: RunNight) -> None:
    depots = first_part([demo_depot(5, 2)], timedelta(hours=5))
    first, again = (night(depots, seed=5, faults="links") for _ in range(2))
    assert first.stays
    assert any(plan.faults for plan in first.faults.values())
    assert again.power == first.power
    assert again.sessions == first.sessions
    assert again.stays == first.stays
    assert again.announced == first.announced

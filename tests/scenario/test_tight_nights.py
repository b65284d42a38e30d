"""A grid limit so low that not all can be ready: as many as physics allows, the right ones."""

from tests.scenario.conftest import RunNight
from tests.scenario.judging import kept, late, ready, ready_max, ready_max_of
from voltyard.simulator import promises
from voltyard.simulator.demo import demo_depot, lower_limit


def test_a_tight_night_makes_ready_whom_physics_allows_and_says_who_is_late(
    night: RunNight,
) -> None:
    depot = lower_limit(demo_depot(6, 6), 78_000.0)
    done = night([depot], seed=6)
    kept(done)
    most = ready_max(done)
    assert most < len(done.stays), "the limit binds"
    assert ready(done) >= most - len(done.stays) // 100
    for priority in sorted({stay.stay.priority for stay in done.stays}):
        group = [stay for stay in done.stays if stay.stay.priority <= priority]
        assert sum(stay.ready for stay in group) >= min(ready_max_of(depot, group), most)
    important = min(stay.stay.priority for stay in late(done))
    assert all(stay.ready for stay in done.stays if stay.stay.priority < important)
    assert not promises.late_without_warning(done), "each was announced an hour ahead"

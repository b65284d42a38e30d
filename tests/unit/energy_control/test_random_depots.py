"""Depots drawn at random (``voltyard nights --random-depots``): the short run, and its judge."""

import argparse
from dataclasses import replace
from pathlib import Path

import pytest

from voltyard.chargers.model import CurrentType
from voltyard.clock import ScaledClock
from voltyard.energy.policies.registry import SitePolicies
from voltyard.simulator import nights_random
from voltyard.simulator.loop import run_virtual
from voltyard.simulator.nights_depot import START, random_depot
from voltyard.simulator.nights_judge import LIE_S, Signal
from voltyard.simulator.nights_random import RandomVerdict, judge_depot
from voltyard.simulator.nights_world import World, build


@pytest.mark.parametrize("seed", [2, 5, 16, 20])
def test_no_node_of_a_random_depot_is_ever_over(seed: int) -> None:
    verdict = judge_depot(seed)
    assert verdict.exceeded == ()
    assert verdict.samples > 1_000
    assert verdict.energy_wh > 0.0


def test_a_seed_is_the_same_depot_and_seeds_are_of_many_kinds() -> None:
    assert random_depot(7) == random_depot(7)
    depots = [random_depot(seed) for seed in range(60)]
    depths = {len(list(d.tree.path_of_evse(e.id))) for d in depots for e in d.evses}
    assert depths >= {2, 3, 4, 5}
    evses = [evse for depot in depots for evse in depot.evses]
    assert {evse.current_type for evse in evses} == {CurrentType.AC, CurrentType.DC}
    assert len({e.phase_rotation for e in evses if e.phases == 1}) == 6
    limits = [limit for d in depots for node in d.tree.nodes for limit in node.limits]
    assert any(limit.current_a for limit in limits)
    assert any(limit.from_time for limit in limits)
    assert any(len([e for e in d.evses if e.station_id == d.stations[0].id]) > 1 for d in depots)
    assert any(d.metered for d in depots)
    assert any(able.discharges for d in depots for able in d.abilities.values())


def _world(seed: int, check: "list[str]", *, lying: bool = False) -> None:
    """Everybody plugs in with nobody in charge and without a limit: that must be seen."""

    async def story(clock: ScaledClock) -> None:
        world: World = build(random_depot(seed), clock, SitePolicies())
        for charger in world.chargers:
            for outlet in charger.outlets:
                outlet.transaction = "tx1"
                if lying:
                    outlet.default_w, outlet.lies_since = 0.0, clock.now()
        world.judge.check()
        early = list(world.judge.exceeded)
        await clock.sleep(LIE_S + 1.0)
        world.judge.check()
        check.extend([f"early {line}" for line in early] + world.judge.exceeded)

    run_virtual(story, START)


def test_the_judge_sees_too_much_at_once_and_liars_when_there_was_time() -> None:
    seen: list[str] = []
    _world(16, seen)
    assert any(line.startswith("early") for line in seen)
    lied: list[str] = []
    _world(16, lied, lying=True)
    assert lied
    assert not any(line.startswith("early") for line in lied)


def test_a_signal_that_all_heard_is_judged() -> None:
    async def story(clock: ScaledClock) -> None:
        world = build(random_depot(16), clock, SitePolicies())
        judge, root = world.judge, world.depot.tree.root
        outlet = world.chargers[0].outlets[0]
        outlet.transaction, outlet.default_w = "tx1", 5_000.0
        until = START.replace(hour=20)
        judge.signals = [Signal(root.id, 1_000.0, START, until)]
        await clock.sleep(100.0)
        judge.check()
        assert any("signal" in line for line in judge.exceeded)
        judge.exceeded.clear()
        judge.listen(in_charge=True)
        judge.check()
        assert judge.exceeded == [], "nobody was connected: it cannot have been heard"

    run_virtual(story, START)


def test_a_limit_that_outlasts_its_session_goes_down_at_once() -> None:
    """Makes without limits of transactions kept theirs for a quarter of an hour, for whoever
    came next."""

    async def story(clock: ScaledClock) -> tuple[float, float, float]:
        drawn = random_depot(16)
        quirks = replace(drawn.stations[0].quirks, tx_profile=False)
        stations = tuple(replace(station, quirks=quirks) for station in drawn.stations)
        world = build(replace(drawn, stations=stations, planned=False), clock, SitePolicies())
        await world.start()
        for charger in world.chargers:
            world.connect(charger)
        await world.wait(60.0)
        charger = world.chargers[0]
        outlet = charger.outlets[0]
        idle_w = outlet.allowed_w()
        world.plug_in(charger, outlet)
        await world.wait(60.0)
        charging_w = outlet.allowed_w()
        world.unplug(charger, outlet)
        await world.wait(20.0)
        after_w = outlet.allowed_w()
        world.plug_in(charger, outlet)
        await world.wait(60.0)
        assert outlet.allowed_w() == charging_w, "the next one is granted as much as ever"
        assert world.judge.exceeded == []
        await world.end()
        return idle_w, charging_w, after_w

    idle_w, charging_w, after_w = run_virtual(story, START)
    assert idle_w == after_w < charging_w


def test_a_run_goes_on_where_it_stopped_and_names_what_broke(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Here:
        """A pool whose work is done when it is handed in."""

        def __init__(self, workers: int) -> None: ...
        def __enter__(self) -> "Here":
            return self

        def __exit__(self, *args: object) -> None: ...
        def submit(self, work: object, seed: int) -> RandomVerdict:
            over = ("18:00:00 feeder 1: 2 W > 1 W",) if seed == 1 else ()
            return RandomVerdict(seed, "2 outlets", 10, 1.0, over)

    monkeypatch.setattr(nights_random, "ProcessPoolExecutor", Here)
    monkeypatch.setattr(nights_random, "as_completed", lambda runs: [_Done(run) for run in runs])
    given = argparse.Namespace(workers=1, resume=tmp_path / "seeds")
    assert nights_random.main(given, range(3)) == 1
    told = capsys.readouterr()
    assert "seed 1: OVER" in told.out
    assert "feeder 1" in told.out
    assert "--random-depots --seeds 1" in told.err
    assert nights_random.main(given, range(3)) == 1
    assert "2 of 3 nights are in" in capsys.readouterr().out


class _Done:
    def __init__(self, verdict: RandomVerdict) -> None:
        self._verdict = verdict

    def result(self) -> RandomVerdict:
        return self._verdict

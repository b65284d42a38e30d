"""The energy bench: its physics, its baselines, its bound, and what it prints."""

import argparse
import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from voltyard.bench.energy import baselines, bound, depots, measure, report, synthetic, workplace
from voltyard.bench.energy.acnportal import _constraints
from voltyard.bench.energy.baselines import Listed, RoundRobin, Uncontrolled
from voltyard.bench.energy.case import Case, Outlet, Visit, with_limit
from voltyard.bench.energy.loop import Outcome, run
from voltyard.bench.energy.oneshot import growth
from voltyard.bench.energy.oneshot import measure as one_shot
from voltyard.bench.energy.ours import Voltyard
from voltyard.bench.energy.strategies import jobs
from voltyard.bench.energy.world import Fleet, World
from voltyard.energy.model import PlanMode
from voltyard.errors import Invalid
from voltyard.simulator.vehicle import BatterySpec
from voltyard.sites import tree as trees
from voltyard.sites.model import Node, NodeKind, NodeLimit

START_AT = datetime(2026, 1, 14, 18, 0, tzinfo=UTC)
FLAT = BatterySpec(100e3, 50e3, min_power_w=2e3)


def watts(power_w: float) -> tuple[NodeLimit, ...]:
    return (NodeLimit(power_w=power_w),)


def visit(number: int, **more: object) -> Visit:
    """Four hours at outlet ``number``, 50 kWh at up to 50 kW."""
    base = Visit(
        id=UUID(int=900 + number),
        label=f"bus {number}",
        outlet=number,
        battery=FLAT,
        planned_arrival_at=START_AT,
        arrival_at=START_AT,
        departure_at=START_AT + timedelta(hours=4),
        planned_soc_pct=30.0,
        soc_pct=30.0,
        target_soc_pct=80.0,
    )
    return replace(base, **more)  # type: ignore[arg-type]


def site(limit_w: float, *visits: Visit, feeder_w: float = 1e6, **more: object) -> Case:
    """Outlets of 50 kW behind one feeder; four hours, dear at first."""
    root = Node(UUID(int=1), NodeKind.GRID, "grid", None, watts(limit_w))
    feeder = Node(UUID(int=2), NodeKind.FEEDER, "feeder", root.id, watts(feeder_w))
    outlets = tuple(Outlet(UUID(int=100 + i), 50e3, 2e3) for i in range(len(visits)))
    leaves = [
        Node(UUID(int=200 + i), NodeKind.EVSE, "E", feeder.id, watts(50e3), outlet.id)
        for i, outlet in enumerate(outlets)
    ]
    base = Case(
        name="small",
        tree=trees.build([root, feeder, *leaves], ZoneInfo("UTC")),
        outlets=outlets,
        visits=visits,
        start_at=START_AT,
        steps=48,
        prices=(300.0,) * 8 + (100.0,) * 8,
        base_w=(0.0,) * 48,
        base_forecast_w=(0.0,) * 16,
    )
    return replace(base, **more)  # type: ignore[arg-type]


def edf() -> Listed:
    return Listed("EDF", baselines.by_departure)


def through(case: Case, strategy: baselines.Strategy) -> Outcome:
    return run(case, Fleet(case), strategy)


# the world


def test_an_uncontrolled_site_charges_at_once_and_every_minute_over_the_limit_counts() -> None:
    found = through(site(80e3, visit(0), visit(1)), Uncontrolled())
    assert (found.ready, found.stays) == (2, 2)
    assert found.energy_wh == pytest.approx(100e3)
    assert found.peak_w == pytest.approx(100e3)
    assert found.violations == 60
    assert found.worst_over == pytest.approx(0.25)
    assert found.energy_cost_eur == pytest.approx(100.0 * 0.3)


def test_less_than_the_least_power_is_none() -> None:
    case = site(1e6, visit(0))
    world = World(case, Fleet(case))
    world.command(np.array([1.9e3]))
    world.advance()
    assert world.energy_wh[0] == 0.0


def test_tapering_batteries_take_what_their_curve_allows() -> None:
    curve = ((0.0, 50e3), (80.0, 50e3), (100.0, 0.0))
    case = site(1e6, visit(0, battery=BatterySpec(100e3, 50e3, curve), soc_pct=90.0))
    world = World(case, Fleet(case))
    world.true_pct[0], world.fleet.target_pct[0] = 90.0, 95.0
    assert world.takes_w[0] == pytest.approx(25e3)
    # d soc / dt falls with soc: from 90 to 95 % it takes ln 2 of the curve's time constant.
    seconds = world.fleet.seconds_to_target(world.rows, world.soc_pct)[0]
    assert seconds == pytest.approx(np.log(2.0) * 20e3 / 50e3 * 3600.0, rel=0.01)


def test_other_load_counts_for_the_limit_and_for_the_peak() -> None:
    case = site(70e3, visit(0), base_w=(30e3,) * 48, base_forecast_w=(30e3,) * 16)
    found = through(case, edf())
    assert found.peak_w == pytest.approx(70e3)
    assert found.violations == 0
    assert found.ready == 1


# the baselines


@pytest.mark.parametrize("feeder_w", [1e6, 60e3])
def test_lists_and_shares_obey_every_node(feeder_w: float) -> None:
    case = site(90e3, *(visit(i) for i in range(4)), feeder_w=feeder_w)
    for strategy in (edf(), RoundRobin(), Listed("LLF", baselines.by_laxity)):
        found = through(case, strategy)
        assert found.violations == 0
        assert found.peak_w <= min(90e3, feeder_w) + 1.0


def test_the_earliest_departure_is_served_first() -> None:
    early = visit(1, departure_at=START_AT + timedelta(hours=1))
    assert through(site(50e3, visit(0), early), edf()).ready == 2
    first = Listed("FCFS", baselines.by_arrival)
    assert through(site(50e3, visit(0), early), first).ready == 1


def test_a_round_robin_shares_alike() -> None:
    case = site(60e3, *(visit(i) for i in range(3)))
    world = World(case, Fleet(case))
    RoundRobin().look(world)
    assert world.granted_w == pytest.approx([20e3, 20e3, 20e3])


def test_a_round_robin_takes_turns_where_shares_are_below_the_least_power() -> None:
    case = site(3e3, visit(0), visit(1))
    found = through(case, RoundRobin())
    assert found.violations == 0
    assert found.starts_per_stay > 1.0


# the bound


def test_the_bound_waits_for_the_cheap_hours_as_far_as_the_peak_price_allows() -> None:
    case = site(1e6, visit(0), visit(1))
    best = bound.least_cost(case)
    # 100 kWh within two cheap hours: 50 kW all the time.
    assert best.energy_wh == pytest.approx(100e3)
    assert best.peak_w == pytest.approx(50e3)
    assert best.energy_cost_eur == pytest.approx(10.0)
    assert bound.least_peak_w(case) == pytest.approx(25e3)


def test_the_bound_under_overload_is_the_most_energy() -> None:
    case = site(10e3, visit(0), visit(1))
    assert bound.least_cost(case).energy_wh == pytest.approx(40e3)


def test_no_strategy_is_cheaper_than_the_bound() -> None:
    free = synthetic.depot(6)
    case = with_limit(free, 1.2 * bound.least_peak_w(free), 1.2)
    best = bound.least_cost(case)
    least = best.cost_eur / best.energy_wh
    ours = Voltyard(case, PlanMode.COST, 6)
    for strategy in (edf(), RoundRobin(), ours):
        found = through(case, strategy)
        assert found.violations == 0
        assert found.cost_eur / found.energy_wh >= least * 0.9995
    assert found.ready == len(case.visits)
    assert found.plan_s


# cases


def test_a_generated_depot_is_the_same_for_the_same_seed() -> None:
    case = synthetic.depot(30)
    assert case == synthetic.depot(30)
    assert case != synthetic.depot(30, seed=2)
    assert all(v.arrival_at + timedelta(hours=1) <= v.departure_at for v in case.visits)
    assert {n.kind for n in case.tree.nodes} == set(NodeKind)
    late = [v.arrival_at - v.planned_arrival_at for v in case.visits]
    assert min(late) < timedelta(0) < max(late)


def test_the_demo_depot_is_a_case() -> None:
    case = depots.demo(1)
    assert len(case.visits) == 80
    assert case.steps % 3 == 0
    assert all(case.at(case.steps_until(v.arrival_at)) == v.arrival_at for v in case.visits)


def acn_events(path: Path, station: str = "CA-1") -> Path:
    car = {
        "class": "acnportal.acnsim.models.ev.EV",
        "attributes": {
            "_station_id": station,
            "_arrival": 100,
            "_departure": 148,
            "_requested_energy": 6.6,
        },
    }
    text = json.dumps(json.dumps({"context_dict": {"1": car, "2": {"class": "x.Battery"}}}))
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_a_month_of_acnportals_events_is_a_case(tmp_path: Path) -> None:
    case = workplace.from_acn(acn_events(tmp_path / "month.json.gz"), 30e3)
    (only,) = case.visits
    assert not only.announced
    assert only.asked_wh == pytest.approx(6600.0)
    assert case.outlets[0].max_power_w == 32 * 208, "as published: outlets give more than is taken"
    assert through(case, edf()).ready == 1
    with pytest.raises(Invalid):
        workplace.from_acn(tmp_path / "missing.json", 30e3)
    for text in ("{}", '{"context_dict": {}}'):
        (tmp_path / "wrong.json").write_text(text)
        with pytest.raises(Invalid):
            workplace.from_acn(tmp_path / "wrong.json", 30e3)


def test_who_is_not_announced_is_charged_once_there() -> None:
    case = site(1e6, visit(0, announced=False, arrival_at=START_AT + timedelta(hours=1)))
    assert through(case, Voltyard(case, PlanMode.EARLY)).ready == 1


def test_acnportal_is_told_the_limits_of_nodes_that_several_outlets_share() -> None:
    case = site(90e3, visit(0), visit(1), feeder_w=60e3)
    matrix, limits_kw = _constraints(Fleet(case))
    assert matrix.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert limits_kw.tolist() == [90.0, 60.0]


# what is printed


def test_rows_have_the_same_keys_and_the_table_shows_them() -> None:
    case = site(90e3, visit(0), visit(1))
    best = bound.least_cost(case)
    rows = [report.bound_row(case, best), report.row(case, through(case, edf()), best)]
    assert rows[0].keys() == rows[1].keys()
    assert rows[1]["ready_pct"] == 100.0
    assert rows[1]["cost_ratio"] > 1.0
    text = report.table(report.result(rows, [one_shot(6, 1)], ["a peer: why"]))
    assert "small: 2 stays at 2 outlets" in text
    assert "left out: a peer: why" in text


def test_cost_is_not_compared_where_much_energy_is_missing() -> None:
    case = site(90e3, visit(0), visit(1))
    found = through(case, edf())
    poor = replace(found, energy_wh=0.9 * found.energy_wh)
    assert report.row(case, poor, bound.least_cost(case))["cost_ratio"] is None


def test_growth_is_the_exponent_between_the_smallest_and_the_largest() -> None:
    assert growth([100, 400], [1.0, 8.0]) == pytest.approx(1.5)
    assert growth([100], [1.0]) is None


def test_unknown_cases_and_missing_files_are_refused(tmp_path: Path) -> None:
    asked = argparse.Namespace(cases="81", spice=None, acn=None, data_dir=tmp_path, seed=1)
    with pytest.raises(Invalid, match="no such case"):
        measure.main(asked)
    for key, option in (("spice", "--spice"), ("month", "--acn")):
        with pytest.raises(Invalid, match=option):
            list(jobs([key], 1, None, None))

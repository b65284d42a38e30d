"""Studies: what-ifs applied, the smallest site against figures known by hand, and the report."""

import argparse
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from voltyard.bench.energy import bound
from voltyard.bench.energy.case import Case, Outlet, Visit
from voltyard.cli import main
from voltyard.energy.model import PlanMode
from voltyard.errors import Invalid
from voltyard.simulator.vehicle import BatterySpec
from voltyard.sites import tree as trees
from voltyard.sites.model import Node, NodeKind, NodeLimit
from voltyard.study import report, running, sizing, sources, sun
from voltyard.study.model import Outcome, Study, parse
from voltyard.study.scenario import Scenario, apply, cut, from_case, limited
from voltyard.study.sizing import Precision
from voltyard.study.wording import Wording

EVENING = datetime(2026, 1, 14, 18, 0, tzinfo=UTC)
NOON = datetime(2026, 6, 20, 10, 0, tzinfo=UTC)
FLAT = BatterySpec(100e3, 50e3, min_power_w=2e3)
FINE = Precision(share=0.03, least_w=500.0)


def watts(power_w: float) -> tuple[NodeLimit, ...]:
    return (NodeLimit(power_w=power_w),)


def depot(stays: int, start_at: datetime = EVENING, limit_w: float = 200e3) -> Scenario:
    """Four hours; everybody is there throughout and asks for 50 kWh at up to 50 kW, ready at 49.

    Two outlets a cabinet of 100 kW. Everything is as announced.
    """
    root = Node(UUID(int=1), NodeKind.GRID, "grid", None, watts(limit_w))
    nodes, outlets, visits = [root], [], []
    for i in range(stays):
        cabinet = Node(UUID(int=50 + i // 2), NodeKind.CABINET, "C", root.id, watts(100e3))
        nodes += [cabinet] if i % 2 == 0 else []
        outlet = Outlet(UUID(int=100 + i), 50e3, 2e3)
        key = UUID(int=200 + i)
        nodes.append(Node(key, NodeKind.EVSE, "E", cabinet.id, watts(50e3), outlet.id))
        outlets.append(outlet)
        visits.append(
            Visit(
                id=UUID(int=900 + i),
                label=f"bus {i}",
                outlet=i,
                battery=FLAT,
                planned_arrival_at=start_at,
                arrival_at=start_at,
                departure_at=start_at + timedelta(hours=4),
                planned_soc_pct=30.0,
                soc_pct=30.0,
                target_soc_pct=80.0,
            )
        )
    case = Case(
        name="small",
        tree=trees.build(nodes, ZoneInfo("Europe/Berlin")),
        outlets=tuple(outlets),
        visits=tuple(visits),
        start_at=start_at,
        steps=48,
        prices=(200.0,) * 16,
        base_w=(0.0,) * 48,
        base_forecast_w=(0.0,) * 16,
    )
    return from_case(case, {visit.id: visit.label for visit in visits})


def run(scenario: Scenario, name: str = "") -> Outcome:
    return running.run(scenario, name, PlanMode.COST, plan_steps=6)


def smallest_kw(scenario: Scenario) -> float:
    found = sizing.smallest_limit(scenario, run, FINE)
    assert found.outcome.over_limit_minutes == 0
    assert found.outcome.ready == found.wanted
    assert found.bound is not None
    assert found.amount >= found.bound - 1.0
    return found.amount / 1000.0


def test_the_smallest_connection_is_the_one_known_by_hand() -> None:
    """Two buses, 49 kWh each in four hours: 24.5 kW, and so says the flow bound."""
    base = depot(2)
    assert sizing.least_limit_w(base) == pytest.approx(24_500.0, rel=1e-4)
    assert 24.5 <= smallest_kw(base) <= 25.5


def test_who_leaves_early_makes_the_connection_larger() -> None:
    """One must have 49 kWh within two hours: 24.5 kW; both still fit: nothing more is needed. In
    one and a half hours it is 32.7 kW."""
    base = depot(2)
    first, second = base.case.visits
    early = replace(first, departure_at=EVENING + timedelta(minutes=90))
    found = smallest_kw(replace(base, case=replace(base.case, visits=(early, second))))
    assert 32.6 <= found <= 34.0


def test_a_battery_makes_the_smallest_connection_smaller() -> None:
    """It is half full of 40 kWh and gives 19 of them: 79 kWh are left for four hours."""
    found = smallest_kw(apply(depot(2), parse("battery=40/20")))
    assert 19.7 <= found <= 22.0


def test_pv_makes_the_connection_smaller_by_day_and_not_at_night() -> None:
    pv = parse("pv=20")
    assert smallest_kw(apply(depot(2, NOON), pv)) < 24.5 - 3.0
    assert 24.5 <= smallest_kw(apply(depot(2), pv)) <= 25.5
    night = EVENING.replace(hour=23)
    assert max(sun.expected_w(1000.0, night, 12, 300)) == 0.0
    assert 400.0 < max(sun.expected_w(1000.0, NOON, 48, 300)) < 500.0


def test_more_limit_never_makes_fewer_ready_where_all_is_as_announced() -> None:
    ready = [run(limited(depot(3), 1000.0 * kw)).ready for kw in (8, 20, 34, 60)]
    assert ready == sorted(ready)
    assert (ready[0], ready[-1]) == (0, 3)


def test_as_many_chargers_as_stay_at_once_or_fewer_where_they_are_handed_on() -> None:
    """Alone a bus takes an hour: three in four hours share one charger, if somebody changes."""
    base = depot(3)
    staying = sizing.fewest_chargers(base, None, run, FINE)
    shunted = sizing.fewest_chargers(base, 600.0, run, FINE)
    assert (staying.amount, staying.wanted) == (3, 3)
    assert (shunted.amount, shunted.outcome.ready) == (1, 3)


def test_who_never_finds_a_charger_counts_as_not_ready() -> None:
    found = run(apply(depot(3), parse("chargers=2")))
    assert (found.ready, found.stays, found.chargers) == (2, 3, 2)
    assert found.missed == ("bus 2",)


def test_chargers_are_taken_evenly_from_the_cabinets_and_added_beside_them() -> None:
    base = depot(4)
    fewer = apply(base, parse("chargers=2")).case
    kinds = [node.kind for node in fewer.tree.nodes]
    assert kinds.count(NodeKind.CABINET) == 2
    more = apply(base, parse("chargers=5 charger=80")).case
    assert len(more.outlets) == 5
    assert {outlet.max_power_w for outlet in more.outlets} == {80e3}
    cabinets = [node for node in more.tree.nodes if node.kind is NodeKind.CABINET]
    assert [node.limits[0].power_w for node in cabinets] == [160e3] * 3


def test_more_vehicles_come_with_a_charger_each() -> None:
    found = run(apply(depot(2), parse("vehicles=+3")))
    assert (found.stays, found.chargers) == (5, 5)
    assert found.energy_wh > 2.0 * run(depot(2)).energy_wh


def test_a_tariff_is_in_local_time_and_money_follows_the_peak() -> None:
    """18:00 UTC is 19:00 in Berlin; the night begins at 21:00, when the half is over."""
    found = apply(depot(2), parse("price=300 night=21-6:100 demand=0"))
    assert found.case.prices == (300.0,) * 8 + (100.0,) * 8
    outcome = run(found)
    assert outcome.demand_cost_eur == 0.0
    assert outcome.energy_cost_eur == pytest.approx(10.0, rel=0.03)
    dear = run(apply(depot(2), parse("demand=100000")))
    assert dear.peak_w < 32e3
    assert dear.demand_eur_year == pytest.approx(dear.peak_w / 1000.0 * 100_000)


def test_a_battery_is_billed_for_what_it_is_short_of_at_the_end() -> None:
    with_battery = run(apply(depot(2), parse("battery=40/20 limit=22")))
    assert with_battery.ready == 2
    assert with_battery.energy_cost_eur >= 0.98 * 98.0 * 0.2
    quarters = with_battery.quarters
    assert max(quarter.battery_w for quarter in quarters) > 0.0
    for quarter in quarters:
        total_w = quarter.charging_w + quarter.other_w - quarter.pv_w - quarter.battery_w
        assert quarter.grid_w == pytest.approx(total_w, abs=1.0)


def test_a_period_keeps_only_the_stays_within() -> None:
    base = depot(2)
    first, second = base.case.visits
    second = replace(second, departure_at=EVENING + timedelta(hours=2))
    whole = replace(base, case=replace(base.case, visits=(first, second)))
    kept = cut(whole, EVENING, EVENING + timedelta(hours=2))
    assert [visit.label for visit in kept.case.visits] == ["bus 1"]
    assert (kept.case.steps, len(kept.case.prices), len(kept.pv_w)) == (24, 8, 24)
    with pytest.raises(Invalid):
        cut(base, EVENING, EVENING + timedelta(hours=1))


@pytest.mark.parametrize(
    "text",
    ["", "limit", "limit=x", "limit=-5", "chargers=1.5", "colour=red", "night=22-6:100",
     "price=1 night=22:3", "limit=nan", "vehicles=0"],
)  # fmt: skip
def test_a_what_if_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse(text)


def test_the_bound_holds_for_the_demo_depot() -> None:
    """What the study calls the bound is no more than the bench's for the whole of the energy."""
    base = sources.demo(6, 3)
    assert 0.9 <= sizing.least_limit_w(base) / bound.least_peak_w(base.case) <= 1.0


def duties(folder: Path) -> list[str]:
    (folder / "duties.csv").write_text(
        "id;vehicle;arrival;departure;soc_arrival_pct;target_soc_pct;bay\n"
        "a;Bus 1;2026-01-14 19:00;2026-01-14 23:00;30;80;12\n"
        "b;Bus 2;2026-01-14 19:00;2026-01-14 23:00;30;80;\n"
    )
    (folder / "vehicles.csv").write_text(
        "name;battery_kwh;max_power_kw\nBus 1;100;50\nBus 2;100;50\n"
    )
    return ["study", str(folder / "duties.csv"), "--vehicles", str(folder / "vehicles.csv")]


def test_duties_become_json_and_a_report_of_one_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "study.html"
    words = [*duties(tmp_path), "--limit-kw", "1200", "--charger-kw", "50", "--as-it-was"]
    words += ["--quick", "--json", "--what-if", "limit=26 battery=10/5"]
    assert main([*words, "--html", str(page), "--locale", "de"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {
        "source", "zone", "start_at", "end_at", "mode", "currency", "yearly",
        "base", "what_ifs", "smallest_limit", "fewest_chargers", "room",
    }  # fmt: skip
    assert found["base"]["ready"] == found["base"]["stays"] == 2
    assert set(found["smallest_limit"]) == {"base", "limit=26 battery=10/5"}
    assert 24.5 <= found["smallest_limit"]["base"]["amount"] <= 30.0
    assert found["fewest_chargers"]["staying"]["amount"] == 2
    assert set(found["smallest_limit"]["base"]["tried"][0]) == {"amount", "ready"}
    text = page.read_text()
    assert "1.200" in text
    assert not {"http:", "https:", "<script", "src=", "url("} & set(text.split('"'))
    assert all(word not in text for word in ("https://", "<script", "src=", "url("))


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["study", "nothing.csv"], "need --vehicles"),
        (["study", "nothing.txt"], "a study is of"),
        (["study", "demo", "--from", "2027-01-19T18:00"], "both --from and --until"),
        (["study", "demo", "--limit-kw", "0"], "more than 0"),
    ],
)
def test_a_study_that_makes_no_sense_is_a_message(
    words: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 1
    assert part in capsys.readouterr().err


def test_faults_of_a_table_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = duties(tmp_path)
    (tmp_path / "duties.csv").write_text("id,vehicle,arrival,departure\na,Bus 9,x,2026-01-14 23:00")
    assert main([*words, "--limit-kw", "50", "--charger-kw", "50"]) == 1
    assert "row 2, vehicle" in capsys.readouterr().err


def spice_file(folder: Path) -> Path:
    """One bus, one night of eight hours at the depot."""
    night = {"signal_time": "2018-01-02T20:00:00+01:00", "vehicle_id": "bus"}
    update = {
        "connected_charging_station": "bus_deps",
        "estimated_time_of_departure": "2018-01-03T04:00:00+01:00",
        "soc_delta": -0.5,
        "desired_soc": 0.9,
    }
    arrival = night | {"start_time": night["signal_time"], "event_type": "arrival"}
    components = {
        "vehicle_types": {
            "solo": {
                "name": "solo",
                "capacity": 200,
                "charging_curve": [[0, 100], [1, 100]],
                "min_charging_power": 0,
            }
        },
        "vehicles": {"bus": {"soc": 1, "vehicle_type": "solo"}},
        "grid_connectors": {"Hof": {"max_power": 150}},
        "charging_stations": {"bus_deps": {"max_power": 90, "min_power": 5, "parent": "Hof"}},
    }
    scenario = {
        "scenario": {"start_time": "2018-01-02T12:00:00+01:00", "interval": 15, "n_intervals": 96},
        "components": components,
        "events": {"vehicle_events": [arrival | {"update": update}]},
    }
    path = folder / "scenario.json"
    path.write_text(json.dumps(scenario))
    return path


def test_a_depot_of_a_scenario_file_has_no_load_but_what_is_said(tmp_path: Path) -> None:
    path = spice_file(tmp_path)
    base = sources.spice(path, None, 7e3, seed=2)
    assert set(base.other_w) == {7e3}
    found = run(base)
    assert (found.ready, found.stays, found.chargers, found.limit_w) == (1, 1, 1, 150e3)
    assert found.peak_w <= 97e3 + 1.0
    with pytest.raises(Invalid, match="Hof"):
        sources.spice(path, "Ostend", 0.0, seed=2)


def test_names_in_a_report_are_text() -> None:
    outcome = replace(run(depot(1)), name="<b>", missed=("<i>",))
    study = Study("<u>", "Europe/Berlin", EVENING, EVENING, "cost", outcome)
    text = report.html(study, Wording())
    assert not any(f"<{tag}>" in text for tag in "iu")
    assert "&lt;b&gt;" in text
    with pytest.raises(Invalid):
        Wording(locale="klingon")


def test_the_arguments_are_known_without_loading_the_planner() -> None:
    from voltyard.study import arguments

    parser = argparse.ArgumentParser()
    arguments.add(parser)
    found = parser.parse_args(["demo", "--what-if", "pv=5", "--what-if", "limit=9"])
    assert found.what_if == ["pv=5", "limit=9"]

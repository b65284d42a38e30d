"""Runs follow from rules, wishes and what vehicles tell; what began keeps its beginning."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from tests.unit.preconditioning.preconditioning_cases import (
    BERLIN,
    BUS,
    DEPARTS,
    NOW,
    ORG,
    asked,
    before,
    duty,
    rule,
    told,
    wish,
)
from voltyard.preconditioning.feasible import excesses
from voltyard.preconditioning.model import Kind, Run, RunState, Source
from voltyard.preconditioning.ports import Outlet
from voltyard.preconditioning.schedule import Asked, wanted
from voltyard.preconditioning.watching import Facts, Seen, causes, seen
from voltyard.sites.model import Node, NodeKind, NodeLimit
from voltyard.sites.tree import build


def only(given: Asked) -> Run:
    (run,) = wanted(given)
    return run


def test_a_rule_makes_a_run() -> None:
    run = only(asked(rules=[rule()]))
    assert (run.source, run.power_w, run.state) == (Source.RULE, 12e3, RunState.PLANNED)
    assert (run.start_at, run.end_at) == (before(minutes=30), DEPARTS)
    assert wanted(asked()) == []


def test_rules_of_others_do_not_count_but_those_of_the_depot_do() -> None:
    stranger = rule(org_id=UUID(int=77))
    assert wanted(asked(rules=[stranger])) == []
    assert wanted(asked(rules=[stranger], site_org_id=UUID(int=77))) != []


def test_a_person_goes_before_a_presystem_and_that_before_a_rule() -> None:
    mine = wish(id=UUID(int=201), source=Source.PERSON, kind=Kind.VENTILATION, power_w=3e3)
    both = asked(rules=[rule()], wishes=[wish(), mine])
    assert only(both).kind is Kind.VENTILATION
    assert only(replace(both, wishes=[wish()])).kind is Kind.COOLING
    assert only(replace(both, wishes=[])).kind is Kind.HEATING


def test_a_wish_for_a_vehicle_alone_is_for_the_departure_it_falls_before() -> None:
    mine = wish(duty_id=None, vehicle_id=BUS.id, end_at=before(minutes=5), power_w=7e3)
    later = duty(
        id=UUID(int=21), arrival_at=DEPARTS + timedelta(hours=8),
        departure_at=DEPARTS + timedelta(hours=24),
    )  # fmt: skip
    run = only(asked(duties=[later, duty()], wishes=[mine]))
    assert (run.duty_id, run.end_at, run.power_w) == (duty().id, before(minutes=5), 7e3)


def test_the_vehicle_knows_best_how_long_and_how_much() -> None:
    run = only(asked(rules=[rule()], reports={BUS.id: told()}))
    assert run.reported
    assert run.source is Source.RULE
    assert run.start_at == before(minutes=33)
    assert run.power_w == pytest.approx(13_200)


def test_a_vehicle_that_nobody_asked_is_heard_all_the_same() -> None:
    run = only(asked(reports={BUS.id: told()}))
    assert (run.source, run.kind) == (Source.VEHICLE, Kind.HEATING)
    assert wanted(asked(reports={BUS.id: told(climate_wh=0.0, climate_s=0.0)})) == []


def test_an_old_word_and_one_that_is_not_available_do_not_count() -> None:
    old = told(at=NOW - timedelta(minutes=20))
    for report in (old, told(climate_wh=None), told(climate_s=None)):
        run = only(asked(rules=[rule()], reports={BUS.id: report}))
        assert (run.power_w, run.reported) == (12e3, False)


def test_who_says_start_and_power_is_not_overruled_by_the_vehicle() -> None:
    fixed = wish(start_at=before(minutes=50), power_w=20e3)
    run = only(asked(wishes=[fixed], reports={BUS.id: told()}))
    assert (run.start_at, run.power_w, run.reported) == (before(minutes=50), 20e3, False)


def test_what_runs_goes_on_and_is_held_when_the_cabin_is_warm() -> None:
    begun = replace(only(asked(rules=[rule()], reports={BUS.id: told()})), state=RunState.RUNNING)
    now = before(minutes=10)
    warm = told(at=now, climate_s=0.0, climate_wh=0.0)
    given = asked(now=now, rules=[rule()], reports={BUS.id: warm}, runs={begun.id: begun})
    run = only(given)
    assert (run.start_at, run.end_at, run.state) == (begun.start_at, DEPARTS, RunState.RUNNING)
    assert run.power_w == given.usual.hold_w
    slow = told(at=now, climate_s=1200.0, climate_wh=3_000.0)
    hurried = only(replace(given, reports={BUS.id: slow}))
    assert hurried.power_w == pytest.approx(3_000 / 600 * 3600 * 1.1)


def test_the_battery_is_warmed_with_what_goes_beyond_its_charge() -> None:
    report = told(climate_wh=None, battery_s=1800.0, battery_wh=50e3)
    assert wanted(asked(reports={BUS.id: report})) == [], "nobody knows what charging takes"
    run = only(asked(reports={BUS.id: report}, charge_wh={duty().id: 46e3}))
    assert run.kind is Kind.BATTERY
    assert run.power_w == pytest.approx(4_000 / 1800 * 3600 * 1.1)
    assert wanted(asked(reports={BUS.id: report}, charge_wh={duty().id: 60e3})) == []


def facts(run: Run, granted_w: float = 12e3, *, plugged: bool = True) -> Facts:
    outlet = Outlet(UUID(int=5), granted_w, granted_w) if plugged else None
    return Facts(run, "Bus 1", plugged, outlet, run.power_w)


def test_a_run_begins_counts_and_is_done() -> None:
    run = only(asked(rules=[rule()]))
    start = run.start_at
    assert seen(facts(run), None, None, start - timedelta(seconds=5)).run.state is RunState.PLANNED
    begun = seen(facts(run), None, start - timedelta(seconds=5), start)
    assert begun.run.state is RunState.RUNNING
    going = seen(facts(begun.run), begun, start, start + timedelta(minutes=5))
    assert going.run.energy_wh == pytest.approx(1000)
    over = seen(facts(going.run), going, DEPARTS - timedelta(seconds=5), DEPARTS)
    assert (over.run.state, over.run.short_s) == (RunState.DONE, 0.0)


def test_too_little_power_is_told_after_a_while_and_a_run_without_any_is_missed() -> None:
    run = replace(only(asked(rules=[rule()])), state=RunState.RUNNING)
    looked, at = Seen(run), run.start_at
    for _ in range(5):
        at += timedelta(minutes=1)
        fact = facts(looked.run, 4e3)
        looked = seen(fact, looked, at - timedelta(minutes=1), at)
    assert looked.run.short_s == 300.0
    (cause,) = causes([fact], {run.id: looked}, {duty().id: duty()}, [], at)
    assert cause.kind == "preconditioning_short"
    assert (cause.params["granted_w"], cause.params["power_w"]) == (4000, 12000)
    long = replace(looked.run, short_s=1500.0)
    assert seen(facts(long, 0.0), looked, DEPARTS, DEPARTS).run.state is RunState.MISSED


def test_a_vehicle_that_is_not_there_is_told_and_missed() -> None:
    run = only(asked(rules=[rule()]))
    at = run.start_at + timedelta(minutes=1)
    fact = facts(run, plugged=False)
    (cause,) = causes([fact], {}, {duty().id: duty()}, [], at)
    assert cause.kind == "preconditioning_unplugged"
    coming = duty(arrival_at=at + timedelta(minutes=5))
    assert causes([fact], {}, {coming.id: coming}, [], at) == []
    assert seen(fact, None, at, DEPARTS).run.state is RunState.MISSED


def test_what_will_run_at_once_and_does_not_fit_is_known_before() -> None:
    root = Node(UUID(int=31), NodeKind.GRID, "Grid", None, (NodeLimit(power_w=30e3),))
    evse_id = UUID(int=41)
    leaf = Node(UUID(int=32), NodeKind.EVSE, "E1", root.id, (NodeLimit(power_w=11e3),), evse_id)
    tree = build([root, leaf], BERLIN)
    first = only(asked(rules=[rule()]))
    runs = [replace(first, id=UUID(int=50 + i), org_id=ORG) for i in range(3)]
    (third,) = excesses(tree, runs, {})
    assert (third.run.id, third.node.name, third.missing_w) == (UUID(int=52), "Grid", 6e3)
    (narrow,) = excesses(tree, runs[:1], {runs[0].id: evse_id})
    assert narrow.node.name == "E1"
    apart = [runs[0], replace(runs[1], start_at=DEPARTS, end_at=DEPARTS + timedelta(hours=1))]
    assert excesses(tree, apart, {}) == []

"""Why a vehicle is not charging: every reason by its situation, and figures that agree."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from math import isfinite
from random import Random
from uuid import UUID

import pytest

from tests.unit.energy.explaining_depot import NOW, ROOT, Depot, codes, evse_id, hours, remedies
from voltyard.chargers.model import EvseStatus, PowerMode
from voltyard.energy.allocator import Candidate, ReasonKind
from voltyard.energy.explaining import explain
from voltyard.energy.explanation import AheadBy, Doubt, Explanation, State, Sureness, Why
from voltyard.energy.model import Forecast, PlanMode
from voltyard.energy.outlet import Failure
from voltyard.energy.precedence import ahead_by
from voltyard.energy.remedies import sureness
from voltyard.energy.scene import Refused, Subject
from voltyard.energy.steering import Steer
from voltyard.energy.watch import Obedience, Step


@pytest.fixture
def depot() -> Depot:
    return Depot()


def crowd(depot: Depot, count: int, leaves_in_h: float) -> None:
    """Others that charge at full power, by an earlier departure."""
    for number in range(count):
        bus = depot.vehicle(100 + number)
        depot.duty(bus, leaves_in_h)
        depot.plug(bus, number)
        depot.draws(number, 150_000.0)


def test_charging_at_all_it_takes(depot: Depot) -> None:
    bus = depot.vehicle(1)
    depot.duty(bus, 2.0)
    depot.plug(bus, 0)
    depot.draws(0, 150_000.0)
    made = depot.why(bus)
    assert made.state is State.CHARGING
    assert codes(made) == ["all_it_takes"]
    assert made.power_w == made.grant_w == made.takes_w == 150_000.0
    assert made.who.name == "BUS-1"
    assert made.ready_at is not None
    assert made.nodes[-1].node_id == ROOT


def test_a_full_node_and_those_ahead_there(depot: Depot) -> None:
    crowd(depot, 2, 1.5)
    late = depot.vehicle(1)
    depot.duty(late, 9.0)
    depot.plug(late, 2)
    made = depot.why(late)
    assert made.state is State.WAITING
    assert made.grant_w == 0.0
    assert made.reasons[0].code in (Why.LIMIT, Why.MINIMUM, Why.PLAN_LATER)
    if made.reasons[0].code is not Why.PLAN_LATER:
        assert made.ahead
        assert {one.by for one in made.ahead} <= {AheadBy.LESS_TIME, AheadBy.RUNNING}
    assert made.begins_at is not None
    assert made.begins_at < (made.ready_at or NOW)


def test_a_tight_limit_names_its_node_and_figures() -> None:
    depot = Depot(root_w=150_000.0)
    crowd(depot, 1, 1.6)
    late = depot.vehicle(1)
    depot.duty(late, 3.6)
    depot.plug(late, 1)
    made = depot.why(late)
    assert made.state is State.WAITING
    line = next(line for line in made.reasons if line.code in (Why.LIMIT, Why.MINIMUM))
    assert line.facts["node"] == "grid"
    assert line.facts["limit_w"] == 150_000.0
    assert line.facts["carries_w"] == pytest.approx(150_000.0, abs=2.0)
    assert made.ahead[0].name == "BUS-100"
    assert made.nodes[-1].binds


def test_a_miss_says_where_when_and_what_would_fix_it() -> None:
    depot = Depot(root_w=100_000.0)
    crowd(depot, 3, 3.0)
    late = depot.vehicle(1)
    depot.duty(late, 3.0, priority=9)
    depot.plug(late, 3)
    made = depot.why(late)
    assert made.will_miss
    assert made.confidence.level is Sureness.NONE
    assert "miss_limit" in codes(made)
    assert made.shortfall_wh > 0.0
    fixes = remedies(made)
    assert fixes["more_power"]["node"] == "grid"
    assert float(str(fixes["more_power"]["more_w"])) > 0.0
    assert int(str(fixes["later_departure"]["minutes"])) > 0
    assert made.ahead


def test_too_short_a_stay_is_no_matter_of_the_limit(depot: Depot) -> None:
    bus = depot.vehicle(1)
    depot.duty(bus, 0.5)
    depot.plug(bus, 0)
    depot.draws(0, 150_000.0)
    made = depot.why(bus)
    assert made.will_miss
    assert "miss_time" in codes(made)
    fixes = remedies(made)
    assert int(str(fixes["lower_target"]["soc_pct"])) < 95
    missing_s = made.shortfall_wh / 150_000.0 * 3600.0
    assert float(str(fixes["later_departure"]["minutes"])) * 60 == pytest.approx(missing_s, abs=60)


def test_a_stronger_outlet_is_named() -> None:
    depot = Depot()
    weak = replace(depot.setup.evses[0], max_power_w=20_000.0)
    depot.board.outlets[weak.id].evse = weak
    depot.setup = replace(depot.setup, evses=(weak, *depot.setup.evses[1:]))
    for outlet in depot.board:
        outlet.evse = replace(outlet.evse, status=EvseStatus.AVAILABLE)
    bus = depot.vehicle(1)
    depot.duty(bus, 4.0)
    depot.plug(bus, 0)
    depot.draws(0, 20_000.0)
    fixes = remedies(depot.why(bus))
    assert fixes["other_outlet"]["power_w"] == 150_000.0


def test_an_earlier_arrival_would_do(depot: Depot) -> None:
    bus = depot.vehicle(1)
    depot.duty(bus, 3.0, arrives_in_h=2.5, soc_arrival_pct=20.0)
    made = depot.why(bus)
    assert made.state is State.EXPECTED
    assert made.will_miss
    assert Doubt.NOT_PLUGGED in made.confidence.doubts
    minutes = float(str(remedies(made)["earlier_arrival"]["minutes"]))
    assert minutes * 60 == pytest.approx(made.shortfall_wh / 150_000.0 * 3600.0, abs=60)


def test_not_here(depot: Depot) -> None:
    coming, late, unknown = (depot.vehicle(number) for number in (1, 2, 3))
    depot.duty(coming, 9.0, arrives_in_h=2.0)
    depot.duty(late, 9.0, arrives_in_h=-2.0)
    assert depot.why(coming).state is State.EXPECTED
    assert depot.why(late).state is State.OVERDUE
    assert remedies(depot.why(late)).keys() == {"plug_in"}
    assert depot.why(unknown).state is State.ABSENT


def test_a_refused_token_and_a_bay_that_is_plugged(depot: Depot) -> None:
    bus = depot.vehicle(1)
    depot.duty(bus, 9.0, bay_id=UUID(int=4001))
    place = depot.board.outlets[evse_id(1)]
    place.evse = replace(place.evse, status=EvseStatus.PREPARING)
    assert depot.why(bus).state is State.NO_SESSION
    assert depot.why_outlet(1).state is State.NO_SESSION
    depot.refused = Refused(NOW, "LOST", "blocked")
    assert depot.why(bus).state is State.NOT_AUTHORISED
    assert depot.why_outlet(1).reasons[0].facts["token"] == "LOST"
    depot.refused = None
    assert depot.why_outlet(2).state is State.FREE


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (State.OFFLINE, Why.OFFLINE),
        (State.FAULTED, Why.ERROR),
        (State.SWITCHED_OFF, Why.TAKES_NO_LIMIT),
        (State.SWITCHED_OFF, Why.IGNORED_LIMIT),
        (State.SWITCHED_OFF, Why.UNAVAILABLE),
        (State.DISCHARGING, Why.ORDERED_BACK),
        (State.WAITING, Why.FENCED),
        (State.WAITING, Why.LIMIT_REFUSED),
        (State.STARTING, Why.CUTS_FIRST),
        (State.NOT_TAKING, Why.VEHICLE_PAUSED),
        (State.NOT_TAKING, Why.NOT_BEGUN),
        (State.READY, Why.NEEDS_NOTHING),
        (State.CHARGING, Why.TAPER),
        (State.CHARGING, Why.VEHICLE_LESS),
    ],
)
def test_states_of_the_outlet(depot: Depot, state: State, code: Why) -> None:
    curve = ((0.0, 150e3), (60.0, 150e3), (100.0, 20e3)) if code is Why.TAPER else ()
    bus = depot.vehicle(1, charge_curve=curve)
    depot.duty(bus, 2.0)
    full = 95.0 if code is Why.NEEDS_NOTHING else 85.0 if code is Why.TAPER else 30.0
    depot.plug(bus, 0, full)
    place = depot.board.outlets[evse_id(0)]
    match code:
        case Why.OFFLINE:
            place.connected = False
        case Why.ERROR:
            place.evse = replace(place.evse, status=EvseStatus.FAULTED, error_code="GroundFailure")
        case Why.TAKES_NO_LIMIT | Why.IGNORED_LIMIT:
            place.off_since, place.takes_no_limit = NOW, code is Why.TAKES_NO_LIMIT
        case Why.UNAVAILABLE:
            place.evse = replace(place.evse, status=EvseStatus.UNAVAILABLE)
        case Why.ORDERED_BACK:
            place.steer = Steer(PowerMode.SETPOINT, -40_000.0)
        case Why.FENCED:
            place.obedience = Obedience(Step.FENCED, measured_w=0.0, measured_at=NOW)
        case Why.LIMIT_REFUSED:
            place.live_failure = Failure(2, NOW, unsure=False)
        case Why.VEHICLE_PAUSED:
            depot.draws(0, 0.0, 100_000.0)
            place.evse = replace(place.evse, status=EvseStatus.SUSPENDED_EV)
        case Why.NOT_BEGUN:
            depot.draws(0, 0.0, 100_000.0)
        case Why.TAPER:
            depot.draws(0, 68_000.0, 70_000.0)
        case Why.VEHICLE_LESS:
            depot.draws(0, 40_000.0, 150_000.0)
    made = depot.why(bus)
    assert made.state is state
    assert made.reasons[0].code is code


def test_one_without_a_duty_waits_for_those_with_one() -> None:
    depot = Depot(root_w=150_000.0)
    crowd(depot, 1, 1.6)
    guest = depot.vehicle(1)
    depot.plug(guest, 1)
    made = depot.why(guest)
    assert "no_duty" in codes(made)
    assert made.ahead[0].by is AheadBy.PLANNED
    assert made.confidence.level is Sureness.UNKNOWN


def rival(laxity_s: float, **known: object) -> Candidate:
    made = Candidate(UUID(int=1), 1e5, plan_w=1e5, stay_id=UUID(int=9), laxity_s=laxity_s)
    return replace(made, **known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mine", "other", "by"),
    [
        (rival(9e3, plan_w=None), rival(9e3), AheadBy.PLANNED),
        (rival(9e3, plan_w=None), rival(9e3, plan_w=None, priority=1), AheadBy.PRIORITY),
        (rival(9e3, plan_w=None), rival(9e3, plan_w=None), AheadBy.TURN),
        (rival(9e3, late=True), rival(9e4), AheadBy.REACHABLE),
        (rival(float("inf")), rival(9e4), AheadBy.NEEDS),
        (rival(9e3), rival(60.0), AheadBy.URGENT),
        (rival(9e3), rival(4e3), AheadBy.LESS_TIME),
        (rival(9e3), rival(1e4, current_w=1e5), AheadBy.RUNNING),
        (rival(9e3), rival(9e3, priority=1), AheadBy.PRIORITY),
    ],
)
def test_why_another_is_ahead(mine: Candidate, other: Candidate, by: AheadBy) -> None:
    assert ahead_by(mine, other, 360.0) is by


def test_how_sure_it_is() -> None:
    found = Forecast(UUID(int=1), NOW, 95.0, 1e5, 0.0, will_miss=False)
    assert sureness(None, None, 0.0, 1e5) is Sureness.UNKNOWN
    assert sureness(replace(found, will_miss=True), 0.0, 0.0, 1e5) is Sureness.NONE
    assert sureness(found, 3600.0, 0.0, 0.0) is Sureness.DONE
    assert sureness(found, 2700.0, 25e3, 1e5) is Sureness.HIGH
    assert sureness(found, 2700.0, 25e3, 1e5, [Doubt.SOC_ASSUMED]) is Sureness.MEDIUM
    assert sureness(found, 2700.0, 25e3, 1e5, [Doubt.UNHEARD]) is Sureness.LOW
    assert sureness(found, 2699.0, 25e3, 1e5) is Sureness.MEDIUM
    assert sureness(found, 899.0, 25e3, 1e5) is Sureness.LOW
    assert sureness(found, 2700.0, 4e3, 1e5) is Sureness.MEDIUM
    assert sureness(found, 2699.0, 4e3, 1e5) is Sureness.LOW


@pytest.mark.parametrize("seed", range(12))
def test_whatever_the_situation_there_is_an_explanation_whose_figures_agree(seed: int) -> None:
    depot, chance = at_random(seed), Random(seed)
    depot.planned, depot.mode = chance.random() < 0.85, chance.choice(list(PlanMode))
    scene = depot.scene()
    assert scene.allocation is not None
    subjects = [Subject(vehicle) for vehicle in depot.vehicles.values()]
    subjects += [Subject(duty=duty) for duty in depot.duties]
    subjects += [Subject(evse_id=evse.id) for evse in depot.setup.evses]
    subjects += [Subject(session_id=session.session_id) for session in depot.sessions]
    for subject in (*subjects, Subject()):
        made = explain(scene, subject)
        assert made.reasons, made.state
        agrees(depot, scene.allocation.free_w, made)
        grant = scene.grant(made.who.evse_id) if made.who.evse_id else None
        if made.who.session_id is not None:
            assert made.grant_w == (None if grant is None else grant.power_w)
        if made.state is State.WAITING and grant is not None and grant.power_w <= 0.0:
            binds = grant.reason.kind in (ReasonKind.LIMIT, ReasonKind.MINIMUM)
            assert any(node.binds for node in made.nodes) == binds


def agrees(depot: Depot, free_w: object, made: Explanation) -> None:
    assert isinstance(free_w, Mapping)
    for node in made.nodes:
        if node.free_w is not None:
            assert node.free_w == free_w[node.node_id]
            assert node.limit_w is not None
            assert node.carries_w == pytest.approx(node.limit_w - node.free_w)
    for line in (*made.reasons, *made.remedies):
        for name, value in line.facts.items():
            assert not isinstance(value, float) or isfinite(value), (line.code, name)
    for one in made.ahead:
        assert one.evse_id is None or one.evse_id != made.who.evse_id
    assert made.begins_at is None or made.begins_at >= depot.now
    if made.will_miss:
        assert made.confidence.level is Sureness.NONE
        assert made.shortfall_wh > 0.0


def at_random(seed: int) -> Depot:
    """Vehicles with and without duties, charging, waiting, broken, not here."""
    chance = Random(f"explain {seed}")
    depot = Depot(root_w=chance.choice([60e3, 150e3, 300e3, 900e3]))
    for number in range(9):
        bus = depot.vehicle(number)
        if chance.random() < 0.8:
            arrives_in_h = -1.0 if number < 6 else chance.uniform(-1.0, 4.0)
            depot.duty(
                bus,
                chance.uniform(4.1, 9.0) if arrives_in_h > 0 else chance.uniform(0.3, 9.0),
                arrives_in_h=arrives_in_h,
                priority=chance.randint(1, 9),
            )
        if number < 6 and chance.random() < 0.8:
            depot.plug(bus, number, chance.choice([None, 5.0, 50.0, 94.0, 99.0]))
            if chance.random() < 0.5:
                depot.draws(number, chance.choice([0.0, 20e3, 60e3]), 60e3)
    for outlet in depot.board:
        outlet.connected = chance.random() < 0.9
        outlet.evse = replace(outlet.evse, status=chance.choice(list(EvseStatus)))
        if chance.random() < 0.1:
            outlet.live_failure = Failure(1, NOW - timedelta(seconds=5), unsure=True)
        if chance.random() < 0.1:
            outlet.off_since = NOW - hours(0.1)
    return depot


def full_grid(
    root_w: float = 150_000.0, later_s: float = 0.0, target_pct: float = 95.0
) -> tuple[Depot, Explanation]:
    """Two buses of the grid's full power, and time for one and a half."""
    depot = Depot(root_w=root_w)
    crowd(depot, 1, 2.5)
    late = depot.vehicle(1)
    leaves_in_h = 2.5 + later_s / 3600.0
    depot.duty(late, leaves_in_h, priority=9, target_soc_pct=target_pct)
    depot.plug(late, 1)
    return depot, depot.why(late)


def test_each_thing_that_would_help_helps() -> None:
    _, made = full_grid()
    assert made.will_miss
    fixes = remedies(made)
    more_w = float(str(fixes["more_power"]["more_w"]))
    assert more_w % 1000.0 == 0.0
    assert not full_grid(root_w=150_000.0 + more_w)[1].will_miss
    later_s = 60.0 * float(str(fixes["later_departure"]["minutes"]))
    assert not full_grid(later_s=later_s)[1].will_miss
    lower_pct = float(str(fixes["lower_target"]["soc_pct"]))
    assert not full_grid(target_pct=lower_pct)[1].will_miss

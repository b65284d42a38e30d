"""The shared depot as it is described, and the judge of its days: it must see what is wrong."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest

from voltyard.errors import Invalid
from voltyard.simulator import sharing
from voltyard.simulator.depot import DepotSpec, StaySpec
from voltyard.simulator.fleet import StayResult
from voltyard.simulator.host import StoredSession
from voltyard.simulator.night import NightResult
from voltyard.simulator.shared import ALPHA, BETA, LANES, MONDAY, OWN, shared_depot
from voltyard.simulator.truth import PowerStep

DEPOT = shared_depot(1, 2, 3)


def result(stay: StaySpec, energy_wh: float = 0.0, soc_pct: float = 95.0) -> StayResult:
    short_pct = max(0.0, stay.target_soc_pct - soc_pct)
    return StayResult(
        DEPOT.name, stay.vehicle, stay, stay.arrival_at, stay.arrival_soc_pct, soc_pct, energy_wh,
        DEPOT.vehicle(stay.vehicle).battery.metered_wh(short_pct),
    )  # fmt: skip


def session(stay: StaySpec, at: datetime | None = None) -> StoredSession:
    token = DEPOT.vehicle(stay.vehicle).token.value
    at = at or stay.arrival_at + timedelta(seconds=5)
    return StoredSession(stay.station, stay.evse, "1", "ended", 0.0, (), token, at)


def night(
    results: Sequence[StayResult],
    sessions: Sequence[StoredSession] = (),
    power: dict[StaySpec, list[PowerStep]] | None = None,
) -> NightResult:
    steps: dict[object, list[PowerStep]] = {
        evse.id: [] for station in DEPOT.stations for evse in station.evses
    }
    for stay, flow in (power or {}).items():
        steps[DEPOT.evse_id(stay)] = flow
    return NightResult(
        (DEPOT,), tuple(results), {}, steps, tuple(sessions), {}, {}, {}, {}, None, 0.0  # type: ignore[arg-type]
    )  # fmt: skip


def a_guest(*, lane: str = LANES[OWN], at: datetime) -> StaySpec:
    assert DEPOT.guests is not None
    station = next(s for s in DEPOT.stations if DEPOT.areas[s.identity] == lane)
    return replace(
        DEPOT.stays[0], vehicle=DEPOT.guests.vehicles[0], station=station.identity, evse=1,
        arrival_at=at, departure_at=at + timedelta(hours=1), is_duty=False,
    )  # fmt: skip


def a_duty(party: str) -> StaySpec:
    return next(stay for stay in DEPOT.duties if stay.vehicle.startswith(party))


MORNING = datetime(2027, 1, 18, 9, 0, tzinfo=UTC)
EVENING = datetime(2027, 1, 18, 19, 0, tzinfo=UTC)


def test_nobody_stands_where_somebody_stands_and_each_night_has_its_duties() -> None:
    depot = shared_depot(5, 4, 7)
    for one, other in combinations(depot.stays, 2):
        if (one.station, one.evse) == (other.station, other.evse) or one.vehicle == other.vehicle:
            assert one.departure_at <= other.arrival_at or other.departure_at <= one.arrival_at
    nightly = [stay for stay in depot.duties if stay.target_soc_pct == 95.0]
    assert len(nightly) == 7 * 12
    strays = [sharing.refused(depot, s) for s in depot.stays if not depot.is_guest(s.vehicle)]
    assert sum(bool(why) for why in strays) >= 20
    assert {depot.areas[stay.station] for stay in depot.duties} == set(LANES.values())
    assert shared_depot(5, 4, 7) == depot
    with pytest.raises(Invalid):
        shared_depot(5, 1)


def test_an_operators_duty_counts_no_better_than_it_is_granted() -> None:
    assert (a_duty(BETA).priority, DEPOT.priority_of(a_duty(BETA))) == (1, 7)
    assert (a_duty(ALPHA).priority, DEPOT.priority_of(a_duty(ALPHA))) == (3, 3)


@pytest.mark.parametrize(
    ("stay", "why"),
    [
        (replace(a_duty(ALPHA), station=a_duty(BETA).station), "Alpha is bound to Lane 1"),
        (replace(a_duty(OWN), station=a_duty(ALPHA).station), "Lane 1 is kept for Alpha"),
        (a_guest(lane=LANES[BETA], at=MORNING), "Lane 2 is kept for Beta"),
        (a_guest(at=EVENING), "guests may not charge at that time"),
        (a_guest(at=MORNING + timedelta(days=6)), "guests may not charge at that time"),
        (a_guest(at=MORNING), ""),
        (a_duty(ALPHA), ""),
        (a_duty(OWN), ""),
    ],
)
def test_who_is_served_where_it_may_not_is_seen(stay: StaySpec, why: str) -> None:
    assert sharing.refused(DEPOT, stay) == why
    assert sharing.broken(night([result(stay)])) == []
    for seen in (night([result(stay, 900.0)]), night([result(stay)], [session(stay)])):
        assert bool(sharing.broken(seen)) is bool(why)


def test_guests_begin_in_their_hours_and_leave_outlets_free() -> None:
    early = a_guest(at=datetime(2027, 1, 18, 6, 30, tzinfo=UTC))
    assert sharing.refused(DEPOT, early) == ""
    too_soon = night([result(early)], [session(early)])
    assert "when no guest may" in sharing.broken(too_soon)[0]
    opened_at = early.arrival_at + timedelta(minutes=31)
    assert sharing.broken(night([result(early)], [session(early, opened_at)])) == []
    guest = a_guest(at=MORNING)
    lane = [s for s in DEPOT.stations if DEPOT.areas[s.identity] == LANES[OWN]]
    others = [
        result(replace(guest, vehicle=f"Guest {n:02d}", station=s.identity, evse=evse.number,
                       arrival_at=guest.arrival_at - timedelta(hours=1)))
        for n, (s, evse) in enumerate(
            ((s, evse) for s in lane for evse in s.evses), start=2
        )
        if (s.identity, evse.number) != (guest.station, guest.evse)
    ]  # fmt: skip
    crowded = [result(guest), *others[: len(others) - 1]]
    assert "outlets free" in sharing.broken(night(crowded, [session(guest)]))[0]
    assert sharing.broken(night(crowded[:-1], [session(guest)])) == []


def test_a_guest_that_takes_what_a_duty_lacks_is_seen() -> None:
    bus = next(stay for stay in DEPOT.duties if stay.target_soc_pct == 72.0)
    car = a_guest(at=bus.arrival_at)
    other = next(
        s.identity
        for s in DEPOT.stations
        if DEPOT.areas[s.identity] == LANES[OWN] and s.identity != bus.station
    )
    car = replace(car, station=other)
    short = [result(bus, soc_pct=60.0), result(car, 40_000.0)]
    at, end_at = bus.arrival_at, bus.departure_at
    limit_w = DEPOT.tree.root.limits[0].total_w

    def shared(bus_w: float, car_w: float) -> list[str]:
        flows = {bus: [(at, bus_w), (end_at, 0.0)], car: [(at, car_w), (end_at, 0.0)]}
        return sharing.broken(night(short, [session(bus), session(car)], flows))

    assert "fleet first" in shared(20_000.0, limit_w - 20_000.0)[0]
    assert shared(20_000.0, limit_w - 60_000.0) == [], "there was room for both"
    assert shared(limit_w - 1_000.0, 200.0) == [], "it had all that it could take"
    made = night([result(bus), result(car, 9e4)], [session(bus), session(car)])
    assert sharing.broken(made) == [], "nobody left short"


def test_days_of_a_depot_that_nobody_shares_are_not_its_business() -> None:
    alone = replace(DEPOT, operators=(), guests=None)
    seen = replace(night([result(a_guest(at=EVENING), 5_000.0)]), depots=(alone,))
    assert sharing.broken(seen) == []


def test_days_begin_when_they_are_asked_for() -> None:
    later = shared_depot(1, 2, 1, first=MONDAY + timedelta(days=6))
    assert later.start_at.date() == datetime(2027, 1, 24, tzinfo=UTC).date()
    assert isinstance(later, DepotSpec)

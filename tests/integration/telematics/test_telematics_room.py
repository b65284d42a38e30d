"""Observations from the door to the plan: taken once, judged, shown, planned with."""

from dataclasses import replace
from datetime import timedelta

import pytest
from telematics_world import VIN, Yard

from voltyard.telematics.events import VehicleObserved
from voltyard.telematics.model import Access, Departures, Flag, Kind, Result, Told
from voltyard.telematics.rule import Origin, Verdict
from voltyard.telematics.service import TelematicsService
from voltyard.timetable.service import DutyFilter


async def test_an_observation_is_taken_once_and_filled_in(yard: Yard) -> None:
    room, now = yard.core.telematics.service, yard.clock.now()
    events: list[VehicleObserved] = []

    async def heard(event: VehicleObserved) -> None:
        events.append(event)

    yard.core.bus.subscribe(VehicleObserved, heard, name="test")
    told = Told(now, vin=VIN.lower(), soc_pct=43.0)
    wrong = [
        Told(now, name="Bus 99", soc_pct=40.0),
        Told(now, name="bus 2"),
        Told(now, name="bus 2", soc_pct=float("nan")),
        Told(now - timedelta(minutes=1), name=" BUS  2 ", soc_pct=140.0),
    ]
    first = await room.report(yard.who, "own", [told, *wrong])
    assert [one.result for one in first] == [
        Result.TAKEN, Result.UNKNOWN_VEHICLE, Result.INVALID, Result.INVALID, Result.FLAGGED,
    ]  # fmt: skip
    assert first[0].vehicle_id == yard.bus.id
    assert first[4].flags == (Flag.SOC_RANGE,)
    again = await room.report(yard.who, "own", [told, replace(told, odometer_km=100.0), told])
    assert [one.result for one in again] == [Result.KNOWN, Result.TAKEN, Result.KNOWN]
    (kept,) = await room.history(yard.who, yard.bus.id)
    assert (kept.soc_pct, kept.odometer_km, kept.source) == (43.0, 100.0, "own")
    assert [(event.vehicle_id, event.soc_pct) for event in events] == [
        (yard.bus.id, 43.0),
        (yard.bus.id, 43.0),
    ]
    assert yard.core.telematics.service.intake.told(yard.other.id) == ()


async def test_what_was_told_survives_a_restart(yard: Yard) -> None:
    core, now = yard.core, yard.clock.now()
    await core.telematics.service.report(yard.who, "own", [Told(now, name="Bus 1", soc_pct=43.0)])
    parts = core.telematics.service._parts
    fresh = TelematicsService(core.database, core.bus, yard.clock, parts)
    await fresh.load()
    assert [one.soc_pct for one in fresh.intake.told(yard.bus.id)] == [43.0]


async def test_the_plan_is_made_with_what_telematics_tells(yard: Yard) -> None:
    """A bus that comes with 70 % and not with the 20 % of the timetable needs half the energy."""
    core, now = yard.core, yard.clock.now()
    duty = await yard.duty(soc_arrival_pct=20.0)
    controller = await core.energy.start(yard.site.id)
    planning = controller.planning

    async def planned_wh() -> float:
        await planning.make(yard.clock.now(), controller.board.setup, ())
        assert planning.plan is not None
        return planning.plan.allotted_wh[duty.id]

    assert await planned_wh() == pytest.approx(0.7 * 400_000.0, rel=0.01)
    planning.begin(now)
    told = Told(now, vin=VIN, soc_pct=70.0)
    await core.telematics.service.report(yard.who, "own", [told])
    assert planning.is_due(now + timedelta(seconds=20)) is False, "a plan is under way"
    assert await planned_wh() == pytest.approx(0.2 * 400_000.0, rel=0.01)
    assert planning.is_due(now + timedelta(seconds=20)), "the news brought the next plan forward"
    doubted = Told(now + timedelta(hours=3), vin=VIN, soc_pct=5.0)
    await core.telematics.service.report(yard.who, "own", [doubted])
    assert await planned_wh() == pytest.approx(0.2 * 400_000.0, rel=0.01)


async def test_people_see_who_says_what_and_what_is_used(yard: Yard) -> None:
    core, now = yard.core, yard.clock.now()
    await yard.duty(soc_arrival_pct=30.0)
    room = core.telematics
    none = await room.standing.of_vehicle(yard.who, yard.bus.id)
    assert none.used is not None
    assert (none.used.origin, none.used.soc_pct) == (Origin.TIMETABLE, 30.0)
    early, late = now - timedelta(minutes=6), now - timedelta(minutes=2)
    await room.service.report(yard.who, "own", [Told(late, vin=VIN, soc_pct=43.0, plugged=True)])
    await room.service.report(yard.who, "other", [Told(early, vin=VIN, soc_pct=50.0)])
    old = Told(now - timedelta(hours=30), vin=VIN, soc_pct=90.0)
    await room.service.report(yard.who, "slow", [old])
    found = await room.standing.of_vehicle(yard.who, yard.bus.id)
    assert [(c.source, c.verdict) for c in found.claims if c.origin is Origin.TELEMATICS] == [
        ("own", Verdict.USED),
        ("other", Verdict.OUTDONE),
        ("slow", Verdict.DOUBTED),
    ]
    assert found.newest["plugged"].plugged is True
    assert found.arrival_pct == 43.0


async def test_a_told_departure_moves_no_duty_of_others_unless_it_may(yard: Yard) -> None:
    core, now = yard.core, yard.clock.now()
    given = await yard.duty()
    room = core.telematics.service

    async def told(mode: Departures, hours: float, minute: int) -> list[tuple[str, float]]:
        views = {view.connection.name: view.connection for view in room.views(yard.who)}
        access = {"departures": mode, "site_id": yard.site.id, "name": mode.value}
        made = views.get(mode.value) or await yard.connection(Kind.WEBHOOK, Access(), **access)
        at = now + timedelta(minutes=minute)
        departs = now + timedelta(hours=hours)
        await room.heard(made, [Told(at, vin=VIN, soc_pct=50.0, departure_at=departs)])
        assert yard.status(made).fault == ""
        duties, _ = await core.timetable.find(yard.who.org_id, DutyFilter())
        return [
            (duty.source, round((duty.departure_at - now).total_seconds() / 3600.0, 1))
            for duty in duties
        ]

    assert await told(Departures.SHOWN, 11.0, 0) == [("csv", 10.0)]
    assert await told(Departures.NEW, 11.0, 1) == [("csv", 10.0)]
    assert await told(Departures.MOVE, 11.0, 2) == [("csv", 11.0)]
    await core.timetable.save(yard.who, replace(given, departure_at=now + timedelta(hours=10)))
    assert await told(Departures.MOVE, 11.0, 2) == [("csv", 10.0)]
    assert await told(Departures.NEW, 40.0, 3) == [("csv", 10.0)]
    await core.timetable.delete(yard.who, [given.id])
    assert await told(Departures.NEW, 12.0, 4) == [("telematics", 12.0)]
    assert await told(Departures.NEW, 13.0, 5) == [("telematics", 13.0)]

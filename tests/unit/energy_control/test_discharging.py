"""Discharging (OCPP 2.1 Q): never below the floor, never at a departure's cost, never counted."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from tests.unit.energy_control.rig import START, Charger, Mood, Rig
from voltyard.chargers.commands import (
    AllowTransfer,
    ReportDischarge,
    SetLimit,
    UpdateLimit,
)
from voltyard.chargers.model import Abilities, PowerMode
from voltyard.clock import ScaledClock, SystemClock
from voltyard.energy.confirm import FallbackState, Held
from voltyard.energy.discharging import Discharging, Facts, Hindrance, Order, judged
from voltyard.energy.inputs import Present
from voltyard.energy.model import Stay
from voltyard.energy.outlet import Outlet
from voltyard.energy.ports import LiveSession
from voltyard.energy.steering import CHARGING, Steer
from voltyard.sessions.model import VehicleNeeds
from voltyard.simulator.loop import run_virtual
from voltyard.sites.model import NodeLimit

MODES = frozenset({PowerMode.SETPOINT, PowerMode.FREQUENCY, PowerMode.IDLE})
ABLE = Abilities(True, True, MODES, ("DC", "DC_BPT"))
BATTERY_WH = 400_000.0


def virtual(story: Callable[[ScaledClock], Awaitable[None]]) -> None:
    run_virtual(story, START)


def needs(now: datetime, **more: Any) -> VehicleNeeds:
    facts = {"transfer": "DC_BPT", "discharge_max_w": 60_000.0, "battery_wh": BATTERY_WH}
    return VehicleNeeds(now, **(facts | more))


class Yard(Rig):
    """A rig whose vehicles have batteries, told every minute."""

    soc_pct: dict[UUID, float]

    async def ready(self, plugged: int, soc_pct: float = 80.0, **told: Any) -> None:
        self.soc_pct = {}
        for charger in self.chargers:
            charger.abilities = ABLE
        await self.start()
        self.connect_all()
        await self.wait(30)
        for charger in self.chargers[:plugged]:
            self.plug_in(charger)
            self.soc_pct[charger.evse.id] = soc_pct
            self.say(charger, needs=needs(self.clock.now(), **told))
        await self.wait(60)

    def say(self, charger: Charger, **facts: Any) -> None:
        facts |= {"soc_pct": self.soc_pct[charger.evse.id], "reading_at": self.clock.now()}
        self.sessions[charger.evse.id] = replace(self.sessions[charger.evse.id], **facts)

    async def wait(self, seconds: float) -> None:
        until = self.clock.now() + timedelta(seconds=seconds)
        while self.clock.now() < until:
            await super().wait(10)
            for charger in self.chargers:
                if charger.evse.id in getattr(self, "soc_pct", {}):
                    gone_wh = flows_w(charger) * 10 / 3600
                    self.soc_pct[charger.evse.id] += gone_wh / BATTERY_WH * 100
                    if charger.evse.id in self.sessions and charger.link is not None:
                        self.say(charger)

    def order(self, charger: Charger, power_w: float, minutes: float, floor: float = 50.0) -> None:
        assert self.controller is not None
        session = self.sessions[charger.evse.id]
        until = self.clock.now() + timedelta(minutes=minutes)
        self.controller.discharging.put(
            Order(session.session_id, PowerMode.SETPOINT, power_w, until, floor)
        )
        self.controller.mark()

    def why(self, charger: Charger) -> Hindrance:
        assert self.controller is not None
        session = self.sessions[charger.evse.id]
        return self.controller.discharging.verdicts[session.session_id].why


def flows_w(charger: Charger) -> float:
    """Below 0 what flows back; a setpoint ends with its profile."""
    live = charger.live
    holds = live is not None and live[0] == charger.transaction and charger.clock.now() < live[2]
    if charger.transaction is not None and holds and charger.setpoint_w < 0.0:
        return charger.setpoint_w
    return charger.power_w()


def test_a_setpoint_is_followed_until_its_instant() -> None:
    """Q03, Q04: one profile that is updated; then it charges again."""

    async def story(clock: ScaledClock) -> None:
        rig = Yard(clock, chargers=2)
        await rig.ready(2, soc_pct=90.0)
        charger = rig.chargers[0]
        rig.order(charger, 40_000.0, minutes=30)
        await rig.wait(60)
        assert flows_w(charger) == -40_000
        assert rig.why(charger) is Hindrance.NONE
        rig.order(charger, 20_000.0, minutes=30)
        await rig.wait(30)
        assert flows_w(charger) == -20_000
        setpoints = [c for c in charger.received if isinstance(c, SetLimit | UpdateLimit)]
        setpoints = [c for c in setpoints if c.mode is PowerMode.SETPOINT]
        assert isinstance(setpoints[0], SetLimit)
        assert isinstance(setpoints[1], UpdateLimit)
        reported = [c for c in charger.received if isinstance(c, ReportDischarge)]
        assert len(reported) == 2
        await rig.wait(1900)
        assert flows_w(charger) > 100_000
        assert rig.truth.exceeded == []

    virtual(story)


def test_what_flows_back_is_nobody_elses_headroom() -> None:
    """A discharging outlet counts at its fail-safe, never below 0."""

    async def story(clock: ScaledClock) -> None:
        rig = Yard(clock, chargers=3, root=(NodeLimit(power_w=200_000.0),))
        await rig.ready(3, soc_pct=90.0)
        charger = rig.chargers[0]
        rig.order(charger, 60_000.0, minutes=120)
        await rig.wait(900)
        assert flows_w(charger) == -60_000
        others_w = sum(other.power_w() for other in rig.chargers[1:])
        assert rig.controller is not None
        counted = rig.controller.board.outlets[charger.evse.id].counted_w(clock.now())
        assert counted >= 0.0
        assert others_w <= 200_000 - counted + 1
        assert others_w > 100_000
        charger.setpoint_w = 0.0
        rig.truth.check()
        assert rig.truth.exceeded == []

    virtual(story)


def test_the_floor_holds_even_if_nobody_is_left_to_end_it() -> None:
    """The least that may remain is reckoned with the whole time that a setpoint lasts."""

    async def story(clock: ScaledClock) -> None:
        rig = Yard(clock, chargers=1)
        await rig.ready(1, soc_pct=56.0)
        charger = rig.chargers[0]
        rig.order(charger, 60_000.0, minutes=600)
        await rig.wait(1200)
        assert flows_w(charger) < 0.0
        await rig.crash()
        await rig.wait(4000)
        assert rig.soc_pct[charger.evse.id] >= 50.0
        await rig.start()
        rig.connect(charger)
        rig.order(charger, 60_000.0, minutes=600)
        rig.soc_pct[charger.evse.id] = 56.0
        await rig.wait(12_000)
        assert 50.0 <= rig.soc_pct[charger.evse.id] < 51.0
        assert rig.why(charger) is Hindrance.FLOOR
        assert flows_w(charger) == 0.0

    virtual(story)


def test_out_of_contact_it_ends_by_itself_and_comes_back_with_the_charger() -> None:
    """Q11, Q12: the profile's own duration; on return a new one, since nobody can tell."""

    async def story(clock: ScaledClock) -> None:
        rig = Yard(clock, chargers=1)
        await rig.ready(1, soc_pct=95.0)
        charger = rig.chargers[0]
        rig.order(charger, 30_000.0, minutes=300)
        await rig.wait(60)
        assert charger.link is not None
        charger.link.drop()
        await rig.wait(1000)
        assert flows_w(charger) >= 0.0
        assert rig.why(charger) is Hindrance.UNHEARD
        rig.connect(charger)
        await rig.wait(60)
        assert flows_w(charger) == -30_000
        installs = [c for c in charger.received if isinstance(c, SetLimit)]
        installs = [c for c in installs if c.mode is PowerMode.SETPOINT]
        assert all(c.dynamic is not None and c.dynamic.away_s == 900 for c in installs)
        assert len(installs) == 2

    virtual(story)


def test_a_vehicle_that_only_charges_is_told_what_it_may_do() -> None:
    """Q02.FR.05: once; it is discharged when it has asked for it."""

    async def story(clock: ScaledClock) -> None:
        rig = Yard(clock, chargers=1)
        await rig.ready(1, transfer="DC", transfers=("DC", "DC_BPT"))
        charger = rig.chargers[0]
        rig.order(charger, 30_000.0, minutes=300)
        await rig.wait(120)
        told = [c for c in charger.received if isinstance(c, AllowTransfer)]
        assert told == [AllowTransfer("tx1", ("DC", "DC_BPT"))]
        assert rig.why(charger) is Hindrance.NEGOTIATING
        rig.say(charger, needs=needs(clock.now(), transfers=("DC", "DC_BPT")))
        await rig.wait(60)
        assert flows_w(charger) == -30_000

    virtual(story)


def test_a_charger_that_refuses_goes_on_charging() -> None:
    async def story(clock: ScaledClock) -> None:
        rig = Yard(clock, chargers=1)
        await rig.ready(1, soc_pct=95.0)
        charger = rig.chargers[0]
        charger.mood = Mood(refuse=1.0)
        rig.order(charger, 30_000.0, minutes=300)
        await rig.wait(30)
        charger.mood = Mood()
        await rig.wait(100)
        assert rig.why(charger) is Hindrance.REFUSED
        assert flows_w(charger) > 100_000
        await rig.wait(400)
        assert flows_w(charger) == -30_000

    virtual(story)


# By itself, without a site.

NOW = START
STAY = Stay(
    UUID(int=7),
    NOW - timedelta(hours=1),
    NOW + timedelta(hours=8),
    100_000.0,
    100_000.0,
    soc_pct=75.0,
    target_soc_pct=100.0,
    battery_wh=BATTERY_WH,
)


def facts(rig: Rig, **more: Any) -> Facts:
    outlet = Outlet(rig.setup_now.evses[0], rig.setup_now.stations[0], HELD)
    outlet.connected, outlet.reinstall, outlet.abilities = True, False, ABLE
    session = replace(
        SESSION, soc_pct=more.pop("soc_pct", 75.0), needs=more.pop("needs", needs(NOW))
    )
    stay = more.pop("stay", None)
    duty = more.pop("duty", None)
    present = Present(
        session, outlet.evse, None, duty, stay, 5, 100_000.0, 0.0, None, session.soc_pct, NOW
    )
    return Facts(outlet, present, more.pop("plan", None), NOW, 990.0, **more)


def plan(**more: Any) -> Any:
    stats = SimpleNamespace(overload=more.get("overload", False))
    return SimpleNamespace(
        power_w={STAY.id: ()},
        stats=stats,
        given_up=more.get("given_up", frozenset()),
        forecasts={STAY.id: SimpleNamespace(will_miss=more.get("will_miss", False))},
    )


def order(**more: Any) -> Order:
    given = {
        "session_id": SESSION.session_id,
        "mode": PowerMode.SETPOINT,
        "power_w": 50_000.0,
        "until_at": NOW + timedelta(hours=5),
        "soc_floor_pct": 40.0,
    }
    return Order(**(given | more))


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, Hindrance.NONE),
        ({"needs": None}, Hindrance.VEHICLE),
        ({"needs": needs(NOW, transfer="DC")}, Hindrance.VEHICLE),
        ({"soc_pct": None}, Hindrance.SOC_UNKNOWN),
        ({"needs": needs(NOW, battery_wh=None)}, Hindrance.BATTERY_UNKNOWN),
        ({"needs": needs(NOW, cycling_wh=2_000.0)}, Hindrance.FLOOR),
        ({"soc_pct": 39.0}, Hindrance.FLOOR),
        ({"duty": object()}, Hindrance.READINESS),
        ({"stay": STAY}, Hindrance.READINESS),
        ({"stay": STAY, "plan": plan()}, Hindrance.NONE),
        ({"stay": STAY, "plan": plan(overload=True)}, Hindrance.READINESS),
        ({"stay": STAY, "plan": plan(will_miss=True)}, Hindrance.READINESS),
        ({"stay": STAY, "plan": plan(given_up=frozenset({STAY.id}))}, Hindrance.READINESS),
    ],
)
def test_what_forbids_it(more: Mapping[str, Any], why: Hindrance) -> None:
    """Without a plan that has room for all, no vehicle with a departure gives anything."""
    verdict = judged(order(), facts(RIG, **dict(more)))
    assert verdict.why is why
    assert (verdict.steer.setpoint_w == -50_000.0) == (why is Hindrance.NONE)


def test_near_its_departure_it_stops_in_time_to_be_ready() -> None:
    """One hour to charge: half again as long, half an hour, and what flows back unheard."""
    close = replace(STAY, departure_at=NOW + timedelta(hours=2))
    assert judged(order(), facts(RIG, stay=close, plan=plan())).steer is CHARGING
    further = replace(STAY, departure_at=NOW + timedelta(hours=2, minutes=40))
    assert judged(order(), facts(RIG, stay=further, plan=plan())).steer is not CHARGING
    again = judged(order(), facts(RIG, stay=further, plan=plan(), resting=True))
    assert again.why is Hindrance.READINESS


def test_idle_neither_takes_nor_gives() -> None:
    """Q10."""
    verdict = judged(order(mode=PowerMode.IDLE), facts(RIG, needs=None))
    assert verdict.steer == Steer(PowerMode.IDLE, 0.0)
    late = replace(STAY, departure_at=NOW + timedelta(hours=1))
    assert judged(order(mode=PowerMode.IDLE), facts(RIG, stay=late, plan=plan())).steer is CHARGING


def test_an_order_that_is_over_is_none() -> None:
    desk = Discharging()
    desk.put(order(until_at=NOW))
    assert desk.order(SESSION.session_id, NOW) is None
    desk.put(order())
    assert desk.order(SESSION.session_id, NOW) is not None
    desk.drop(SESSION.session_id)
    assert desk.order(SESSION.session_id, NOW) is None


def _facts() -> tuple[Rig, Any, Any]:
    rig = Rig(SystemClock(), chargers=1)
    evse = rig.setup_now.evses[0]
    session = LiveSession(UUID(int=5), evse.station_id, evse.id, "t", NOW, reading_at=NOW)
    return rig, session, Held(20_000.0, (), FallbackState.VERIFIED)


RIG, SESSION, HELD = _facts()

"""A limit that falls reaches the last charger at once, whatever else is under way."""

import asyncio
from datetime import timedelta

import pytest

from tests.unit.energy_control.rig import ROOT, START, Mood, Rig
from voltyard.chargers.commands import (
    Command,
    CommandResult,
    CommandStatus,
    LimitPurpose,
    SetLimit,
    StationLink,
)
from voltyard.chargers.model import Evse, Station, StationState
from voltyard.clock import ScaledClock
from voltyard.energy.confirm import Held, Live
from voltyard.energy.outlet import Outlet, Timing
from voltyard.energy.overrides import Override
from voltyard.energy.ports import LiveSession
from voltyard.energy.sender import MAX_AT_ONCE, Answer, Sender
from voltyard.simulator.loop import run_virtual


def allowed_w(rig: Rig) -> float:
    return sum(charger.allowed_w() for charger in rig.chargers)


async def all_charging(rig: Rig) -> None:
    await rig.start()
    rig.connect_all()
    await rig.clock.sleep(61.0)
    for charger in rig.chargers:
        rig.plug_in(charger)
    await rig.clock.sleep(121.0)


async def seconds_to_obey(rig: Rig, limit_w: float) -> float:
    assert rig.controller is not None
    assert allowed_w(rig) > limit_w
    began_at = rig.clock.now()
    rig.controller.overrides.put(Override(ROOT, limit_w, began_at + timedelta(hours=1)))
    rig.controller.mark_at_once()
    while allowed_w(rig) > limit_w + 1e-6 and rig.clock.now() < began_at + timedelta(minutes=5):
        await rig.clock.sleep(0.05)
    return (rig.clock.now() - began_at).total_seconds()


@pytest.mark.parametrize("less_w", [2.0, 150_000.0])
def test_a_lower_limit_is_obeyed_to_the_watt_at_once(less_w: float) -> None:

    async def story(clock: ScaledClock) -> float:
        rig = Rig(clock, evse_w=50_000.0)
        for charger in rig.chargers:
            charger.mood = Mood(delay_s=(0.05, 0.2))
        await all_charging(rig)
        assert allowed_w(rig) == 300_000.0
        took_s = await seconds_to_obey(rig, 300_000.0 - less_w)
        await rig.crash()
        return took_s

    assert run_virtual(story, START) < 2.0


def test_one_watt_is_a_cut_or_a_raise_of_its_own() -> None:
    """A thousand outlets that each kept one watt too much would be a kilowatt over."""
    session = LiveSession(*(Evse(ROOT, ROOT, ROOT, ROOT, 1, "").id,) * 3, "tx1", START)
    station = Station(ROOT, ROOT, ROOT, "CP", StationState.APPROVED)
    evse = Evse(ROOT, ROOT, ROOT, ROOT, 1, "", max_power_w=50_000.0)
    until = START + timedelta(hours=1)
    for holds_w, sends in ((20_000.0, False), (20_001.0, True), (19_999.0, True)):
        held = Held(0.0, (Live(holds_w, until),))
        outlet = Outlet(evse, station, held, connected=True, session=session, reinstall=False)
        outlet.refreshed_at = START
        outlet.aim(20_000.0, 0.0, 0.0)
        change = outlet.next_change(START, Timing())
        assert (change is not None and change.power_w == 20_000.0) is sends


def test_a_cut_follows_as_soon_as_the_raise_before_it_is_answered() -> None:
    async def story(clock: ScaledClock) -> float:
        rig = Rig(clock, chargers=2)
        await all_charging(rig)
        raised, other = rig.chargers
        for charger in rig.chargers:
            charger.mood = Mood(delay_s=(0.05, 0.05))
        rig.unplug(other)
        rig.unplug(raised)
        await clock.sleep(61.0)
        rig.plug_in(raised)
        raised.mood = Mood(delay_s=(8.0, 8.0))
        while rig.controller is None or not any(
            outlet.in_flight is not None for outlet in rig.controller.board
        ):
            await clock.sleep(0.05)
        raised.received.clear()
        assert rig.controller is not None
        until_at = clock.now() + timedelta(hours=1)
        rig.controller.overrides.put(Override(ROOT, 30_000.0, until_at))
        rig.controller.mark_at_once()
        while not raised.received:
            await clock.sleep(0.05)
        answered_at = clock.now()
        raised.mood = Mood(delay_s=(0.05, 0.05))
        while allowed_w(rig) > 30_000.0:
            await clock.sleep(0.05)
        await rig.crash()
        return (clock.now() - answered_at).total_seconds()

    assert run_virtual(story, START) < 1.0


def test_a_database_that_hangs_keeps_no_cut_waiting() -> None:
    async def story(clock: ScaledClock) -> float:
        rig = Rig(clock)
        await all_charging(rig)
        for charger in rig.chargers:
            charger.mood = Mood(delay_s=(0.05, 0.05))
        rig.ledger.lag_s = 4.0
        took_s = await seconds_to_obey(rig, 150_000.0)
        await rig.crash()
        return took_s

    assert run_virtual(story, START) < 2.0


class Silent:
    """A link whose charger never answers, or at once."""

    def __init__(self, *, answers: bool) -> None:
        self.answers = answers

    async def send(self, command: Command, *, timeout_s: float = 30.0) -> CommandResult:
        if not self.answers:
            await asyncio.get_running_loop().create_future()
        return CommandResult(CommandStatus.ACCEPTED, "Accepted")


def test_chargers_that_do_not_answer_keep_no_cut_waiting() -> None:
    async def story(clock: ScaledClock) -> list[Answer]:
        sender, heard = Sender(clock, timeout_s=30.0), list[Answer]()
        limit = SetLimit(LimitPurpose.TX, 1, 12, 1, limit_w=1_000.0)
        silent: StationLink = Silent(answers=False)  # type: ignore[assignment]
        sound: StationLink = Silent(answers=True)  # type: ignore[assignment]
        for _ in range(MAX_AT_ONCE):
            sender.send(silent, limit, heard.append)
        sender.send(sound, limit, heard.append)
        sender.send(sound, limit, heard.append, cut=True)
        await clock.sleep(1.0)
        await sender.close()
        return heard

    assert len(run_virtual(story, START)) == 1

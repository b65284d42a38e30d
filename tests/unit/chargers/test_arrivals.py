"""While a crowd of chargers comes, what has time waits; a place that never rests is served too."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

from voltyard.bus import Bus
from voltyard.chargers.arrivals import CROWD, HELD_MAX_S, LOOK_S, WITHIN_S, Arrivals
from voltyard.chargers.events import StationConnected
from voltyard.clock import Clock
from voltyard.simulator.loop import run_virtual

START = datetime(2026, 1, 15, 18, 0, tzinfo=UTC)


async def come(bus: Bus, clock: Clock, count: int) -> None:
    for _ in range(count):
        await bus.publish(StationConnected(uuid4(), None, uuid4(), "1.6", clock.now()))


async def never_stop(bus: Bus, clock: Clock) -> None:
    while True:
        await come(bus, clock, CROWD)
        await clock.sleep(WITHIN_S / 2)


def test_nobody_waits_for_a_few_chargers() -> None:
    async def play(clock: Clock) -> None:
        bus, arrivals = Bus(), Arrivals(clock)
        arrivals.listen(bus, name="test")
        await come(bus, clock, CROWD - 1)
        await arrivals.calm()
        assert clock.now() == START

    run_virtual(play, START)


def test_a_crowd_is_waited_for_until_it_is_in() -> None:
    async def play(clock: Clock) -> None:
        bus, arrivals = Bus(), Arrivals(clock)
        arrivals.listen(bus, name="test")
        await come(bus, clock, 5 * CROWD)
        assert arrivals.crowded
        await arrivals.calm()
        assert WITHIN_S <= (clock.now() - START).total_seconds() <= WITHIN_S + LOOK_S
        assert not arrivals.crowded

    run_virtual(play, START)


def test_where_chargers_never_stop_coming_the_work_is_done_nevertheless() -> None:
    async def play(clock: Clock) -> None:
        bus, arrivals = Bus(), Arrivals(clock)
        arrivals.listen(bus, name="test")
        coming = asyncio.get_running_loop().create_task(never_stop(bus, clock))
        await come(bus, clock, CROWD)
        await arrivals.calm()
        coming.cancel()
        assert HELD_MAX_S <= (clock.now() - START).total_seconds() <= HELD_MAX_S + LOOK_S
        assert arrivals.crowded

    run_virtual(play, START)

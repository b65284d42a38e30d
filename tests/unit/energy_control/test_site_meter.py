"""Other load rises, falls and goes silent: with the site meter included, never over the limit."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

import pytest

from tests.unit.energy_control.rig import ROOT, SITE, START, NoPlan, NoWatching, Rig, Truth
from voltyard.clock import ScaledClock
from voltyard.energy.control import Parts, SiteController
from voltyard.energy.otherload import Metered
from voltyard.energy.ports import PlanPrices
from voltyard.simulator.loop import run_virtual
from voltyard.sites.limits import limit_w
from voltyard.sites.model import NodeLimit

METER = UUID(int=77)
METER_S = 5.0
MARGIN_W = 8_000.0
HOLD_S = 30.0


class Meter:
    """A meter at the grid connection of a site, and the load beside its chargers."""

    def __init__(self, clock: ScaledClock, load_w: Callable[[float], float]) -> None:
        self.clock = clock
        self.shape = load_w
        self.silent = False
        self.fallback_w = 0.0
        self.reading: tuple[datetime, float] | None = None
        self.loads_w: Mapping[UUID, float] = {}

    def load_w(self) -> float:
        return self.shape((self.clock.now() - START).total_seconds())

    def metered(self, site_id: UUID) -> Sequence[Metered]:
        at, power_w = self.reading or (None, 0.0)
        known = at is not None and (self.clock.now() - at).total_seconds() <= HOLD_S
        worst_w = self.fallback_w
        return [Metered(METER, ROOT, True, MARGIN_W, known, self.fallback_w, worst_w, at, power_w)]

    def saw(self, site_id: UUID, loads_w: Mapping[UUID, float], power_w: float) -> None:
        self.loads_w = loads_w

    def forecast(self, *args: object) -> None:
        return None

    def prices(self, *args: object) -> PlanPrices:
        return PlanPrices()


class MeteredTruth(Truth):
    meter: Meter

    def check(self) -> None:
        super().check()
        root = self.tree.root
        if not hasattr(self, "meter"):
            return
        power_w = sum(c.power_w() for c in self._below[root.id]) + self.meter.load_w()
        allowed_w = limit_w(root, self.clock.now(), self.tree.zone)
        if power_w > allowed_w + 1.0:
            self.exceeded.append(f"{self.clock.now():%H:%M:%S} {power_w:.0f} > {allowed_w:.0f}")


class MeteredRig(Rig):
    def __init__(self, clock: ScaledClock, load_w: Callable[[float], float], seed: int = 0) -> None:
        super().__init__(clock, root=(NodeLimit(power_w=300_000.0),), seed=seed)
        self.meter_ = Meter(clock, load_w)
        truth = MeteredTruth(self.setup_now.tree, clock)
        truth.watch(self.chargers)
        self.truth = truth
        for charger in self.chargers:
            charger.truth = truth
        truth.meter = self.meter_
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> SiteController:
        parts = Parts(self.ledger, self.bus, self.clock, self, self, self, self.meter_)
        self.controller = SiteController(SITE, parts, NoPlan(), NoWatching(), self.control)
        await self.controller.start()
        loop = asyncio.get_running_loop()
        self._loop = loop.create_task(self.controller.run())
        self._reading = loop.create_task(self._read())
        return self.controller

    async def _read(self) -> None:
        """The site meter every 5 s, the chargers' own every 20 s."""
        count = 0
        while True:
            if not self.meter_.silent:
                power_w = self.power_w() + self.meter_.load_w()
                self.meter_.reading = (self.clock.now(), power_w)
                assert self.controller is not None
                self.controller.site_metered()
            if count % 4 == 0:
                self.meter()
            count += 1
            await self.clock.sleep(METER_S)

    async def ready(self) -> None:
        await self.start()
        self.connect_all()
        await self.wait(60)
        for charger in self.chargers:
            self.plug_in(charger)
        await self.wait(120)


def virtual(story: Callable[[ScaledClock], Awaitable[None]]) -> None:
    run_virtual(story, START)


def ramp(*corners: tuple[float, float]) -> Callable[[float], float]:
    """Straight lines between (second, watts)."""

    def value(second: float) -> float:
        before = corners[0]
        for at in corners:
            if second <= at[0]:
                share = (second - before[0]) / max(1e-9, at[0] - before[0])
                return before[1] + (at[1] - before[1]) * min(1.0, share)
            before = at
        return before[1]

    return value


def test_chargers_give_way_to_other_load_and_come_back() -> None:
    load = ramp((0, 40_000), (600, 40_000), (900, 220_000), (1500, 220_000), (1800, 20_000))

    async def story(clock: ScaledClock) -> None:
        rig = MeteredRig(clock, load)
        await rig.ready()
        assert rig.power_w() == pytest.approx(300_000 - 48_000, rel=0.03)
        await rig.wait(1100)
        assert rig.power_w() == pytest.approx(300_000 - 228_000, rel=0.06)
        assert rig.meter_.loads_w[METER] == pytest.approx(220_000, abs=3_000)
        await rig.wait(900)
        assert rig.power_w() == pytest.approx(300_000 - 28_000, rel=0.03)
        assert rig.truth.exceeded == []

    virtual(story)


def test_in_silence_the_fallback_counts_and_then_the_readings_again() -> None:
    load = ramp((0, 40_000), (400, 40_000), (700, 150_000), (1100, 150_000), (1400, 40_000))

    async def story(clock: ScaledClock) -> None:
        rig = MeteredRig(clock, load)
        rig.meter_.fallback_w = 160_000.0
        await rig.ready()
        rig.meter_.silent = True
        await rig.wait(60)
        assert rig.power_w() == pytest.approx(300_000 - 168_000, rel=0.05)
        await rig.wait(1500)
        assert rig.power_w() == pytest.approx(300_000 - 168_000, rel=0.05)
        rig.meter_.silent = False
        await rig.wait(300)
        assert rig.power_w() == pytest.approx(300_000 - 48_000, rel=0.03)
        assert rig.truth.exceeded == []

    virtual(story)


def test_in_silence_never_less_counts_than_was_seen_last() -> None:
    async def story(clock: ScaledClock) -> None:
        rig = MeteredRig(clock, lambda _: 120_000.0)
        rig.meter_.fallback_w = 10_000.0
        await rig.ready()
        rig.meter_.silent = True
        await rig.wait(3_600)
        assert rig.power_w() == pytest.approx(300_000 - 128_000, rel=0.05)
        assert rig.truth.exceeded == []

    virtual(story)


def test_a_meter_that_fell_silent_before_a_restart_counts_at_what_it_read() -> None:
    async def story(clock: ScaledClock) -> None:
        rig = MeteredRig(clock, lambda _: 120_000.0)
        rig.meter_.silent = True
        rig.meter_.reading = (clock.now() - timedelta(hours=1), 120_000.0)
        await rig.ready()
        assert rig.power_w() == pytest.approx(300_000 - 128_000, rel=0.05)
        assert rig.truth.exceeded == []

    virtual(story)


@pytest.mark.parametrize("seed", [1, 3, 6, 11])
def test_whatever_other_load_and_vehicles_do(seed: int) -> None:
    """The margin covers what load rises in the time that a silent meter is still believed and
    chargers need to follow: 200 W/s. Vehicles come, go and take less than they may."""
    chance = Random(seed)
    corners = [(0.0, 60_000.0)]
    while corners[-1][0] < 4_500.0:
        power_w = chance.uniform(0.0, 280_000.0)
        seconds = abs(power_w - corners[-1][1]) / 200.0 + chance.uniform(10.0, 200.0)
        corners.append((corners[-1][0] + seconds, power_w))

    async def story(clock: ScaledClock) -> None:
        rig = MeteredRig(clock, ramp(*corners), seed)
        rig.meter_.fallback_w = 285_000.0
        await rig.ready()
        for _ in range(40):
            charger = chance.choice(rig.chargers)
            if charger.transaction is None:
                rig.plug_in(charger)
            elif chance.random() < 0.5:
                charger.wants_w = chance.choice([0.0, 30_000.0, 1e9])
            else:
                rig.unplug(charger)
            if chance.random() < 0.15:
                rig.meter_.silent = not rig.meter_.silent
            await rig.wait(chance.uniform(10.0, 120.0))
        assert rig.truth.exceeded == []

    virtual(story)

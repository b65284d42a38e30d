"""One charger, one link and the small server on virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

from sim_csms import START_AT, Csms

from voltyard.clock import ScaledClock, seeded
from voltyard.simulator.charger import Charger
from voltyard.simulator.evse import EvseSpec, StationSpec, Token
from voltyard.simulator.faults import FaultPlan
from voltyard.simulator.link import MemoryLink
from voltyard.simulator.loop import run_virtual
from voltyard.simulator.settings import ChargerSettings
from voltyard.simulator.station import make_charger
from voltyard.simulator.vehicle import Battery, BatterySpec

CARD = Token("04A1B2C3", "ISO14443")
BUS = BatterySpec(300_000.0, 150_000.0, ((0, 150e3), (80, 150e3), (100, 30e3)))
V16, V201, V21 = "ocpp1.6", "ocpp2.0.1", "ocpp2.1"


def station(protocol: str = V16, evses: int = 2, **changes: Any) -> StationSpec:
    power_w = float(changes.pop("evse_power_w", 150_000.0))
    fields: dict[str, Any] = {
        "identity": "C1",
        "protocol": protocol,
        "evses": tuple(
            EvseSpec(UUID(int=n), n, power_w, **changes.pop("evse", {}))
            for n in range(1, evses + 1)
        ),
        "max_power_w": 150_000.0,
        "serial": "S1",
    }
    return StationSpec(**{**fields, **changes})


class World:
    """What a test plays with."""

    def __init__(self, clock: ScaledClock, seed: int = 1, latency_s: float = 0.0) -> None:
        self.clock = clock
        self.seed = seed
        self.csms = Csms(clock)
        jitter_s = latency_s / 2
        self.link = MemoryLink(self.csms, clock, seeded(seed, "link"), latency_s, jitter_s)
        self.chargers: list[asyncio.Task[None]] = []

    def start(
        self,
        spec: StationSpec,
        plan: FaultPlan | None = None,
        settings: ChargerSettings | None = None,
    ) -> Charger:
        charger = make_charger(
            spec, self.link, self.clock, seed=self.seed, plan=plan, settings=settings
        )
        self.chargers.append(asyncio.get_running_loop().create_task(charger.run()))
        return charger

    async def after(self, seconds: float) -> None:
        await self.clock.sleep(seconds)

    async def close(self) -> None:
        for task in self.chargers:
            task.cancel()
        for task in self.chargers:
            with suppress(asyncio.CancelledError):
                await task


def play(scene: Callable[[World], Awaitable[None]], seed: int = 1, latency_s: float = 0.0) -> World:
    """Play a scene to its end; every frame must have been valid."""

    async def main(clock: ScaledClock) -> World:
        world = World(clock, seed, latency_s)
        await scene(world)
        await world.close()
        return world

    world = run_virtual(main, START_AT)
    assert world.csms.invalid == []
    return world


def bus(soc_pct: float = 50.0, spec: BatterySpec = BUS) -> Battery:
    return Battery(spec, soc_pct)


def flat_profile(
    protocol: str,
    limit_w: float,
    *,
    purpose: str = "TxProfile",
    profile_id: int = 1,
    level: int = 0,
    **more: Any,
) -> dict[str, Any]:
    """A SetChargingProfile payload's profile with one period. ``more`` goes into the schedule."""
    schedule = {
        "chargingRateUnit": "W",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit_w}],
        **more,
    }
    profile: dict[str, Any] = {
        "stackLevel": level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute" if "startSchedule" in more else "Relative",
    }
    if protocol == V16:
        return {"chargingProfileId": profile_id, **profile, "chargingSchedule": schedule}
    return {"id": profile_id, **profile, "chargingSchedule": [{"id": 1, **schedule}]}


def set_profile(protocol: str, number: int, profile: dict[str, Any]) -> dict[str, Any]:
    if protocol == V16:
        return {"connectorId": number, "csChargingProfiles": profile}
    return {"evseId": number, "chargingProfile": profile}

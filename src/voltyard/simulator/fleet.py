"""The drivers: every vehicle comes when it really comes, is plugged in, and leaves on time."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from voltyard.clock import Clock
from voltyard.energy.model import READY_TOLERANCE_SOC_PCT
from voltyard.simulator.charger import Charger
from voltyard.simulator.depot import DepotSpec, StaySpec, VehicleSpec
from voltyard.simulator.vehicle import Battery

_LOOK_AGAIN_S = 30.0


@dataclass(frozen=True, slots=True)
class StayResult:
    """How a stay went. ``plugged_at`` None: its outlet was never free."""

    depot: str
    vehicle: str
    stay: StaySpec
    plugged_at: datetime | None
    arrival_soc_pct: float
    departure_soc_pct: float
    energy_wh: float
    shortfall_wh: float

    @property
    def ready(self) -> bool:
        wanted = self.stay.target_soc_pct - READY_TOLERANCE_SOC_PCT
        return self.departure_soc_pct >= wanted - 1e-6


Aboard = Callable[[VehicleSpec, Battery, Charger, StaySpec], Coroutine[Any, Any, None] | None]
"""What a vehicle does by itself while it is plugged in, if anything; cancelled when it leaves."""


@dataclass(frozen=True, slots=True)
class _Visit:
    depot: DepotSpec
    stay: StaySpec


class FleetDriver:
    """Drives all vehicles of some depots. ``chargers`` by identity must be running.

    A vehicle that goes between depots keeps its battery.
    """

    def __init__(
        self,
        depots: Sequence[DepotSpec],
        chargers: Mapping[str, Charger],
        clock: Clock,
        departed: Callable[[StayResult], None] | None = None,
        aboard: Aboard | None = None,
    ) -> None:
        self._chargers = chargers
        self._clock = clock
        self._departed = departed
        self._aboard = aboard
        self._vehicles: dict[str, VehicleSpec] = {}
        self._visits: dict[str, list[_Visit]] = {}
        for depot in depots:
            self._vehicles |= {vehicle.name: vehicle for vehicle in depot.vehicles}
            for stay in depot.stays:
                self._visits.setdefault(stay.vehicle, []).append(_Visit(depot, stay))
        for visits in self._visits.values():
            visits.sort(key=lambda visit: visit.stay.arrival_at)
        self.results: list[StayResult] = []

    async def run(self) -> list[StayResult]:
        """Until the last vehicle has left; results in the order of departure."""
        async with asyncio.TaskGroup() as group:
            for name, visits in self._visits.items():
                group.create_task(self._drive(self._vehicles[name], visits))
        return self.results

    async def _drive(self, vehicle: VehicleSpec, visits: Sequence[_Visit]) -> None:
        battery = vehicle.charged(100.0)
        for position, visit in enumerate(visits):
            stay = visit.stay
            await self._sleep_until(stay.arrival_at)
            if position == 0 or not stay.approach:
                battery.soc_pct = stay.arrival_soc_pct
            else:
                for leg in stay.approach:
                    battery.consume(leg.consumed_pct)
                    battery.charge_for(leg.charge_s, leg.power_w)
            result = await self._stay(vehicle, battery, visit)
            self.results.append(result)
            if self._departed is not None:
                self._departed(result)

    async def _stay(self, vehicle: VehicleSpec, battery: Battery, visit: _Visit) -> StayResult:
        stay = visit.stay
        charger, arrival_soc_pct = self._chargers[stay.station], battery.soc_pct
        plugged_at, energy_wh = None, 0.0
        if await self._free(charger, stay):
            plugged_at = self._clock.now()
            before_wh = charger.energy_wh(stay.evse)
            charger.plug_in(stay.evse, battery, vehicle.token)
            doing = None if self._aboard is None else self._aboard(vehicle, battery, charger, stay)
            task = None if doing is None else asyncio.ensure_future(doing)
            await self._sleep_until(stay.departure_at)
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            charger.unplug(stay.evse)
            energy_wh = charger.energy_wh(stay.evse) - before_wh
        short_pct = max(0.0, stay.target_soc_pct - battery.soc_pct)
        return StayResult(
            depot=visit.depot.name,
            vehicle=vehicle.name,
            stay=stay,
            plugged_at=plugged_at,
            arrival_soc_pct=arrival_soc_pct,
            departure_soc_pct=battery.soc_pct,
            energy_wh=energy_wh,
            shortfall_wh=battery.spec.metered_wh(short_pct),
        )

    async def _free(self, charger: Charger, stay: StaySpec) -> bool:
        """Wait for the outlet, until it is time to leave again."""
        while charger.evse(stay.evse).battery is not None:
            if self._clock.now() >= stay.departure_at:
                return False
            await self._clock.sleep(_LOOK_AGAIN_S)
        return self._clock.now() < stay.departure_at

    async def _sleep_until(self, at: datetime) -> None:
        await self._clock.sleep((at - self._clock.now()).total_seconds())

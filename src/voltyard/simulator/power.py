"""The power stage of a station: at every change it decides what each EVSE gives, exactly then.

Profiles, the station's own maximum, sharing between outlets and the vehicles' appetite meet here.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf
from typing import Any

from voltyard.clock import Clock
from voltyard.simulator.evse import Evse, StationSpec
from voltyard.simulator.faults import Mischief
from voltyard.simulator.profiles import ProfileStore, setpoint_w

_LEAST_WAIT_S = 1e-6


@dataclass(slots=True, eq=False)
class PowerStage:
    """Call ``update`` after anything that may change power; it wakes by itself at known changes.

    ``changed`` is called after each update so that the charger can report new states.
    """

    spec: StationSpec
    evses: Sequence[Evse]
    profiles: ProfileStore
    clock: Clock
    mischief: Mischief
    changed: Callable[[], None]
    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    dead: bool = False
    _held_w: dict[int, float] = field(default_factory=dict)
    _alarm: asyncio.Task[None] | None = None

    def device_now(self) -> datetime:
        """The charger's own clock, which may be wrong."""
        return self.clock.now() + timedelta(seconds=self.mischief.skew_s)

    def settle(self) -> None:
        """Bring all meters and batteries up to now."""
        now_s = self.clock.monotonic_s()
        for evse in self.evses:
            evse.settle(now_s)

    def update(self) -> None:
        self.settle()
        at, true_at = self.device_now(), self.clock.now()
        asked = [self._asked_w(evse, at) for evse in self.evses]
        granted = share([max(0.0, asked_w) for asked_w in asked], self._station_w(at))
        for evse, asked_w, power_w in zip(self.evses, asked, granted, strict=True):
            evse.limited = asked_w <= 0.0 and self._wants_w(evse) > 0.0
            if asked_w < 0.0:
                power_w = asked_w
            elif power_w < _least_w(evse):
                power_w, evse.limited = 0.0, evse.limited or asked_w > 0.0
            evse.set_power(true_at, power_w)
        self._set_alarm(at)
        self.changed()

    def limit_w(self, evse: Evse, at: datetime) -> float:
        """What the profiles allow this EVSE, unless it ignores them just now."""
        number = evse.spec.number
        if self.mischief.draw_full:
            return inf
        if not self.mischief.ignore_limit or number not in self._held_w:
            self._held_w[number] = self.profiles.evse_limit_w(evse.circuit, at)
        return self._held_w[number]

    def stop(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()

    def _wants_w(self, evse: Evse) -> float:
        """What the vehicle would take if there were no limits."""
        if evse.battery is None or evse.transaction is None or evse.transaction.stopping:
            return 0.0
        if evse.faulted or self.dead:
            return 0.0
        return min(evse.battery.accepts_w(), evse.spec.max_power_w)

    def _asked_w(self, evse: Evse, at: datetime) -> float:
        back_w = self._back_w(evse, at)
        if back_w > 0.0:
            return -back_w
        wanted_w = self._wants_w(evse)
        if wanted_w <= 0.0:
            return 0.0
        limit_w = self.limit_w(evse, at)
        return 0.0 if limit_w < _least_w(evse) else min(wanted_w, limit_w)

    def _back_w(self, evse: Evse, at: datetime) -> float:
        """What flows back by a setpoint below 0 (OCPP 2.1 Q03)."""
        transaction = evse.transaction
        if transaction is None or transaction.stopping or evse.faulted or self.dead:
            return 0.0
        if self.mischief.draw_full or self.mischief.ignore_limit:
            return 0.0
        found = self.profiles.prevailing(evse.circuit, at)
        wanted_w = None if found is None else setpoint_w(found, evse.spec.phases)
        return 0.0 if wanted_w is None else min(max(0.0, -wanted_w), evse.gives_w)

    def _station_w(self, at: datetime) -> float:
        if self.mischief.draw_full or self.mischief.ignore_limit:
            return self.spec.max_power_w
        return min(self.spec.max_power_w, self.profiles.station_limit_w(self.spec.phases, at))

    def _set_alarm(self, at: datetime) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        waits = [w for w in (evse.seconds_to_step() for evse in self.evses) if w is not None]
        if self._someone_wants():
            circuits = [evse.circuit for evse in self.evses if evse.transaction is not None]
            following = self.profiles.next_change_at(circuits, at)
            if following is not None:
                waits.append((following - at).total_seconds())
        wait_s = min(waits, default=inf)
        if wait_s < inf:
            self._alarm = self.spawn(self._update_after(max(wait_s, _LEAST_WAIT_S)))

    def _someone_wants(self) -> bool:
        return any(self._wants_w(evse) > 0.0 or evse.power_w < 0.0 for evse in self.evses)

    async def _update_after(self, seconds: float) -> None:
        await self.clock.sleep(seconds)
        self._alarm = None
        self.update()


def share(asked_w: Sequence[float], total_w: float) -> list[float]:
    """Max-min fair: who asks less than an equal part gets it all, the others share the rest."""
    granted = [0.0] * len(asked_w)
    left_w, waiting = total_w, sorted(range(len(asked_w)), key=lambda index: asked_w[index])
    while waiting:
        part_w = left_w / len(waiting)
        index = waiting.pop(0)
        granted[index] = max(0.0, min(asked_w[index], part_w))
        left_w -= granted[index]
    return granted


def _least_w(evse: Evse) -> float:
    """Below this the EVSE or the vehicle takes nothing at all."""
    vehicle_w = 0.0 if evse.battery is None else evse.battery.spec.min_power_w
    return max(evse.spec.min_power_w, vehicle_w)

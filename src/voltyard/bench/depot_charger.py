"""A charger of the bench's depot: it waits to be accepted, keeps its limits, charges under them."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from voltyard.bench.charger import Charger, Refused
from voltyard.bench.depot import OUTLET_W
from voltyard.bench.traffic import (
    METER_VALUES,
    STEP_WH,
    TRANSACTION_EVENT,
    Instants,
    Traffic,
    masked,
)
from voltyard.clock import Clock
from voltyard.units import iso_z

BOOTS = 8
AGAIN_S = 10.0
_AT_16 = (b'"11040.0"', b'"%b"')
_METER_VALUES = METER_VALUES.replace(*_AT_16)
_TRANSACTION_EVENT = TRANSACTION_EVENT.replace(b":11040.0,", b":%b,")


class Now(Instants):
    """The present instant as OCPP writes it, whichever step is asked for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __getitem__(self, step: int) -> bytes:
        return iso_z(self._clock.now()).encode()


class DepotTraffic(Traffic):
    """Readings only, of the power the limit leaves."""

    __slots__ = ("power_w",)

    def __init__(self, number: int, now: Now) -> None:
        super().__init__(number, now)
        self.power_w = 0.0

    def next(self, message_id: int) -> bytes:
        self.metered = step = self.metered + 1
        at, energy_wh, power = self._instants[step], step * STEP_WH, b"%.1f" % self.power_w
        if self._is_201:
            event = (message_id, at, step, self._name, at, energy_wh, power)
            return masked(_TRANSACTION_EVENT % event)
        return masked(_METER_VALUES % (message_id, self.transaction, at, energy_wh, power))


class DepotCharger(Charger):
    """``on_limit`` is told how much less (or more) it may draw from now on, in W."""

    __slots__ = ("_asked", "default_w", "live_w", "on_limit", "power")

    def __init__(
        self,
        number: int,
        power: DepotTraffic,
        on_answer: Callable[[Charger], None],
        on_fault: Callable[[Charger, str], None],
        on_limit: Callable[[float], None],
    ) -> None:
        super().__init__(number, power, on_answer, on_fault)
        self.power = power
        self.on_limit = on_limit
        self.default_w: float | None = None
        self.live_w: float | None = None
        self._asked = asyncio.Event()

    @property
    def allowed_w(self) -> float:
        """Without any limit all its outlet can give."""
        limit_w = self.default_w if self.live_w is None else self.live_w
        return OUTLET_W if limit_w is None else min(OUTLET_W, limit_w)

    async def join(self) -> None:
        """Boot until accepted: when it is asked to again, or as often as it was told."""
        await self.upgrade()
        for _ in range(BOOTS):
            self._asked.clear()
            answer = await self._call(self.traffic.boot)
            if b'"Accepted"' in answer:
                return
            if b'"Pending"' not in answer:
                raise Refused(f"boot answered {answer[:200]!r}")
            try:
                async with asyncio.timeout(AGAIN_S):
                    await self._asked.wait()
            except TimeoutError:
                continue
        raise Refused("boot pending")

    def _other(self, payload: bytes) -> None:
        super()._other(payload)
        try:
            kind, _, *rest = msgspec.json.decode(payload)
        except (msgspec.MsgspecError, ValueError, TypeError):
            return
        if kind == 2:
            self._obey(*rest)

    def _obey(self, action: str, body: dict[str, Any]) -> None:
        """Once it has answered."""
        if action == "TriggerMessage" and body.get("requestedMessage") == "BootNotification":
            self._asked.set()
        elif action == "SetChargingProfile":
            before_w = self.allowed_w
            self._hold(body.get("csChargingProfiles") or body["chargingProfile"])
            self.power.power_w = self.allowed_w
            self.on_limit(self.allowed_w - before_w)

    def _hold(self, profile: dict[str, Any]) -> None:
        schedule = profile["chargingSchedule"]
        schedule = schedule[0] if isinstance(schedule, list) else schedule
        limit_w = float(schedule["chargingSchedulePeriod"][0]["limit"])
        if profile["chargingProfilePurpose"] == "TxDefaultProfile":
            self.default_w = limit_w
        else:
            self.live_w = limit_w

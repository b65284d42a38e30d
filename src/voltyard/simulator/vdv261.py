"""A simulated vehicle that speaks VDV 261: it tells what it needs, and heats when it is told to.

Written from the same public tables as the server and sharing no code with it. Where they leave
something open, it does what most vehicles seem to do; ``CodingOf`` holds those numbers.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from voltyard.clock import Clock
from voltyard.simulator.cabin import Conditioned

Post = Callable[[int, str, str, bytes], Awaitable[tuple[int, bytes]]]
"""Carries a message: version, user, password, body; HTTP status and body of the answer. Raises
OSError when nobody answers."""

SEQ_MAX = 255


@dataclass(frozen=True, slots=True)
class CodingOf:
    """Numbers of one make of vehicle."""

    no_departure: int = 65535
    wanted: int = 1
    ready: int = 0
    charging: int = 1
    both: int = 3
    heating: int = 4
    condition_ok: int = 0


@dataclass(frozen=True, slots=True)
class Vdv261Spec:
    """``margin``: how much longer it reckons with than its heating takes."""

    vin: str
    evccid: str
    password: str
    version: int = 2
    cycle_s: float = 10.0
    misses_max: int = 3
    margin: float = 1.15
    target_soc_pct: float = 95.0
    coding: CodingOf = field(default_factory=CodingOf)


class Vdv261Vehicle:
    """From plug-in until it is unplugged; after three messages without an answer it is silent."""

    def __init__(
        self,
        spec: Vdv261Spec,
        vehicle: Conditioned,
        clock: Clock,
        post: Post,
        changed: Callable[[bool], None],
        power_w: Callable[[], float],
    ) -> None:
        self.spec = spec
        self.vehicle = vehicle
        self.answers: list[Mapping[str, Any]] = []
        self.refused: list[int] = []
        self.sent: list[Mapping[str, Any]] = []
        self.gave_up = False
        self._clock = clock
        self._post = post
        self._changed = changed
        self._power_w = power_w
        self._seq = 0
        self._told: dict[str, Any] = {}
        self._misses = 0

    async def run(self) -> None:
        """Until cancelled, or nobody answers."""
        last_s = self._clock.monotonic_s()
        self.vehicle.passed_s = 0.0
        while self._misses < self.spec.misses_max:
            await self.exchange()
            await self._clock.sleep(self.spec.cycle_s)
            now_s = self._clock.monotonic_s()
            self._cool(now_s - last_s)
            last_s = now_s
        self.gave_up = True

    async def exchange(self) -> None:
        """One message and its answer."""
        message = self._message()
        body = json.dumps(message).encode("ascii")
        try:
            status, answer = await self._post(
                self.spec.version, self.spec.vin, self.spec.password, body
            )
        except OSError:
            self._misses += 1
            return
        if status != 200 or not answer:
            self.refused.append(status)
            self._misses += 1
            return
        self._misses = 0
        self._seq = 0 if self._seq == SEQ_MAX else self._seq + 1
        self._told |= message
        self.sent.append(message)
        self._follow(json.loads(answer), message)

    def _message(self) -> dict[str, Any]:
        """Everything with ``seq`` 0, then what changed; in version 2 always both states."""
        facts = self._facts()
        message: dict[str, Any] = {"seq": self._seq, "vin": self.spec.vin}
        always = ("h2_stat", "bat_stat") if self.spec.version >= 2 else ()
        for name, value in facts.items():
            if self._seq == 0 or name in always or self._told.get(name) != value:
                message[name] = value
        return message

    def _facts(self) -> dict[str, Any]:
        vehicle, coding = self.vehicle, self.spec.coding
        heats_s = vehicle.heating_s()
        facts: dict[str, Any] = {
            "evccid": self.spec.evccid,
            "odo": 48_211,
            "bat_reqtime": 0,
            "bat_eamount": round(vehicle.charging_wh(self.spec.target_soc_pct)),
            "prec_reqtime": ceil(heats_s / 60.0),
            "prec_eamount": round(vehicle.cabin.hvac_w * heats_s / 3600.0),
            "chrg_stat": self._state(coding),
        }
        if self.spec.version >= 2:
            facts |= {"h2_stat": 255, "bat_stat": coding.condition_ok}
        return facts

    def _state(self, coding: CodingOf) -> int:
        charges = self._power_w() > self.vehicle.hvac_w() + 100.0
        if self.vehicle.on:
            return coding.both if charges else coding.heating
        return coding.charging if charges else coding.ready

    def _follow(self, answer: Mapping[str, Any], message: Mapping[str, Any]) -> None:
        """Heat when it is wanted and the time that is left is what heating takes."""
        self.answers.append(answer)
        if (answer.get("seq"), answer.get("vin")) != (message["seq"], self.spec.vin):
            return
        minutes = answer.get("driveoff")
        wanted = answer.get("prec_dsrd") == self.spec.coding.wanted
        known = isinstance(minutes, int) and minutes != self.spec.coding.no_departure
        if not (wanted and known):
            self._switch(False)
            return
        assert isinstance(minutes, int)
        needs_s = self.vehicle.heating_s() * self.spec.margin + 2.0 * self.spec.cycle_s
        self._switch(self.vehicle.on or minutes * 60.0 <= needs_s)

    def _switch(self, on: bool) -> None:
        if on != self.vehicle.on:
            self._changed(on)

    def _cool(self, passed_s: float) -> None:
        """While nothing flowed, it only lost heat."""
        without_s = max(0.0, passed_s - self.vehicle.passed_s)
        self.vehicle.passed_s = 0.0
        self.vehicle.warm(without_s, 0.0)


async def by_timer(
    vehicle: Conditioned, clock: Clock, begin_in_s: float, changed: Callable[[bool], None]
) -> None:
    """A vehicle that speaks no VDV 261: somebody set the timer of its heating."""
    await clock.sleep(max(0.0, begin_in_s))
    changed(True)
    last_s = clock.monotonic_s()
    vehicle.passed_s = 0.0
    while True:
        await clock.sleep(10.0)
        now_s = clock.monotonic_s()
        without_s = max(0.0, now_s - last_s - vehicle.passed_s)
        last_s, vehicle.passed_s = now_s, 0.0
        vehicle.warm(without_s, 0.0)

"""The battery of a simulated vehicle: what it takes at each state of charge, integrated exactly.

The charge curve acts in small steps of SoC, as vehicles ask for power in steps; between two
steps the power is constant, so that energy is a product and every change has an exact instant.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from math import floor, inf

from voltyard.errors import Invalid

CurvePoint = tuple[float, float]

_STEP_PCT = 0.5
_STEPS = 200
_AT_A_STEP = 1e-7


@dataclass(frozen=True, slots=True)
class BatterySpec:
    """``curve`` is (SoC in %, power in W at the inlet) with rising SoC; empty means flat.

    The vehicle never takes more than ``max_power_w`` whatever the curve says, and nothing when
    offered less than ``min_power_w``. ``efficiency`` is stored energy over metered energy.
    ``discharge_w`` is what it gives at most, down to ``discharge_floor_pct``.
    Raises ``Invalid``.
    """

    capacity_wh: float
    max_power_w: float
    curve: tuple[CurvePoint, ...] = ()
    min_power_w: float = 0.0
    efficiency: float = 1.0
    discharge_w: float = 0.0
    discharge_floor_pct: float = 10.0
    steps_w: tuple[float, ...] = field(default=(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.capacity_wh <= 0 or self.max_power_w <= 0 or not 0 < self.efficiency <= 1:
            raise Invalid("a battery needs a capacity, a power and an efficiency in (0, 1]")
        if any(high[0] < low[0] for low, high in pairwise(self.curve)):
            raise Invalid("the points of a charge curve must rise in SoC")
        if any(power_w < 0 for _, power_w in self.curve):
            raise Invalid("a charge curve cannot have negative power")
        marks = [self._curve_w(step * _STEP_PCT) for step in range(_STEPS + 1)]
        object.__setattr__(self, "steps_w", tuple(min(pair) for pair in pairwise(marks)))

    def accepts_w(self, soc_pct: float) -> float:
        """Most power the vehicle takes at a state of charge."""
        step = floor(soc_pct / _STEP_PCT + _AT_A_STEP)
        return self.steps_w[step] if step < _STEPS else 0.0

    def seconds_to_reach(
        self, from_soc_pct: float, to_soc_pct: float, limit_w: float = inf
    ) -> float:
        """Least time from one SoC to another at no more than ``limit_w``; inf if never."""
        soc_pct, seconds = from_soc_pct, 0.0
        while soc_pct < to_soc_pct - _AT_A_STEP:
            power_w = min(self.accepts_w(soc_pct), limit_w)
            if power_w <= 0 or power_w < self.min_power_w:
                return inf
            next_pct = min(to_soc_pct, _next_step_pct(soc_pct))
            seconds += self.metered_wh(next_pct - soc_pct) / power_w * 3600.0
            soc_pct = next_pct
        return seconds

    def metered_wh(self, soc_pct: float) -> float:
        """Energy at the meter that raises the SoC by ``soc_pct`` points."""
        return soc_pct / 100.0 * self.capacity_wh / self.efficiency

    def _curve_w(self, soc_pct: float) -> float:
        if not self.curve:
            return self.max_power_w
        if soc_pct <= self.curve[0][0]:
            return min(self.curve[0][1], self.max_power_w)
        for (low_pct, low_w), (high_pct, high_w) in pairwise(self.curve):
            if soc_pct < high_pct:
                share = (soc_pct - low_pct) / (high_pct - low_pct)
                return min(low_w + share * (high_w - low_w), self.max_power_w)
        return min(self.curve[-1][1], self.max_power_w)


class Battery:
    """A battery in use. Whoever charges it calls ``advance`` before the power changes."""

    __slots__ = ("soc_pct", "spec")

    def __init__(self, spec: BatterySpec, soc_pct: float) -> None:
        if not 0.0 <= soc_pct <= 100.0:
            raise Invalid("a state of charge is between 0 and 100 %")
        self.spec = spec
        self.soc_pct = soc_pct

    def accepts_w(self) -> float:
        return self.spec.accepts_w(self.soc_pct)

    def advance(self, seconds: float, power_w: float) -> float:
        """Charge at constant ``power_w``, below 0 discharge; the metered energy in Wh."""
        metered_wh = power_w * seconds / 3600.0
        if metered_wh < 0.0:
            lost_pct = -metered_wh / self.spec.efficiency / self.spec.capacity_wh * 100.0
            self.soc_pct = max(0.0, self.soc_pct - lost_pct)
            return metered_wh
        gained_pct = metered_wh * self.spec.efficiency / self.spec.capacity_wh * 100.0
        self.soc_pct = min(100.0, self.soc_pct + gained_pct)
        return metered_wh

    def gives_w(self) -> float:
        """The most it gives now."""
        empty = self.soc_pct <= self.spec.discharge_floor_pct + _AT_A_STEP
        return 0.0 if empty else self.spec.discharge_w

    def consume(self, soc_pct: float) -> None:
        """Drive: lose ``soc_pct`` points, never below empty."""
        self.soc_pct = max(0.0, self.soc_pct - soc_pct)

    def charge_for(self, seconds: float, limit_w: float) -> None:
        """Charge at full speed under ``limit_w`` for a while, step by step."""
        left_s = seconds
        while left_s > 1e-9:
            power_w = min(self.accepts_w(), limit_w)
            if power_w <= 0 or power_w < self.spec.min_power_w:
                return
            step_s = min(left_s, self.seconds_to_step(power_w))
            self.advance(step_s, power_w)
            left_s -= step_s

    def seconds_to_step(self, power_w: float) -> float:
        """Until the power it accepts may change, at constant ``power_w``; below 0 until it gives
        no more."""
        if power_w < 0.0:
            spare_pct = max(0.0, self.soc_pct - self.spec.discharge_floor_pct)
            spare_wh = spare_pct / 100.0 * self.spec.capacity_wh * self.spec.efficiency
            return spare_wh / -power_w * 3600.0
        if power_w <= 0.0 or self.soc_pct >= 100.0:
            return inf
        points = _next_step_pct(self.soc_pct) - self.soc_pct
        return self.spec.metered_wh(points) / power_w * 3600.0


def _next_step_pct(soc_pct: float) -> float:
    return (floor(soc_pct / _STEP_PCT + _AT_A_STEP) + 1) * _STEP_PCT

"""The cabin of a simulated vehicle: cold until it is preconditioned, from the outlet.

What the heating draws comes through the inlet before anything reaches the battery. Heat flows in at
constant power and out in proportion to the difference to the outside, integrated exactly.
"""

from dataclasses import dataclass
from math import exp, inf, log

from voltyard.errors import Invalid
from voltyard.simulator.vehicle import Battery, BatterySpec

_AT_TARGET_K = 0.01


@dataclass(frozen=True, slots=True)
class CabinSpec:
    """``hvac_w`` is what the heating draws at most, ``gain`` heat for each Wh of it.

    Raises ``Invalid``.
    """

    hvac_w: float = 20_000.0
    gain: float = 1.0
    heat_wh_per_k: float = 250.0
    loss_w_per_k: float = 300.0
    target_c: float = 18.0

    def __post_init__(self) -> None:
        if min(self.hvac_w, self.gain, self.heat_wh_per_k, self.loss_w_per_k) <= 0.0:
            raise Invalid("a cabin needs a heating, a capacity for heat and a loss")

    def settles_at_c(self, power_w: float, outside_c: float) -> float:
        return outside_c + power_w * self.gain / self.loss_w_per_k

    def holds_w(self, outside_c: float) -> float:
        """What keeps it at its target."""
        lost_w = self.loss_w_per_k * max(0.0, self.target_c - outside_c)
        return min(self.hvac_w, lost_w / self.gain)

    @property
    def time_constant_s(self) -> float:
        return self.heat_wh_per_k * 3600.0 / self.loss_w_per_k


class Conditioned(Battery):
    """A battery in a vehicle whose cabin is heated from the outlet while ``on``."""

    __slots__ = ("cabin", "heated_wh", "inside_c", "on", "outside_c", "passed_s")

    def __init__(
        self, spec: BatterySpec, soc_pct: float, cabin: CabinSpec, *, outside_c: float = -3.0
    ) -> None:
        super().__init__(spec, soc_pct)
        self.cabin = cabin
        self.outside_c = self.inside_c = outside_c
        self.on = False
        self.heated_wh = 0.0
        self.passed_s = 0.0
        """How long it was advanced with power; for the rest of the time it only cools."""

    @property
    def is_warm(self) -> bool:
        return self.inside_c >= self.cabin.target_c - 0.5

    def hvac_w(self) -> float:
        """What the heating wants now."""
        if not self.on:
            return 0.0
        warm = self.inside_c >= self.cabin.target_c - _AT_TARGET_K
        return self.cabin.holds_w(self.outside_c) if warm else self.cabin.hvac_w

    def accepts_w(self) -> float:
        return super().accepts_w() + self.hvac_w()

    def advance(self, seconds: float, power_w: float) -> float:
        if power_w <= 0.0:
            return super().advance(seconds, power_w)
        hvac_w = min(power_w, self.hvac_w())
        self.warm(seconds, hvac_w)
        self.passed_s += seconds
        self.heated_wh += hvac_w * seconds / 3600.0
        charged_wh = super().advance(seconds, power_w - hvac_w) if power_w > hvac_w else 0.0
        return charged_wh + hvac_w * seconds / 3600.0

    def warm(self, seconds: float, hvac_w: float) -> None:
        """Let time pass with the heating at constant power."""
        end_c = self.cabin.settles_at_c(hvac_w, self.outside_c)
        share = exp(-seconds / self.cabin.time_constant_s)
        self.inside_c = end_c + (self.inside_c - end_c) * share

    def seconds_to_step(self, power_w: float) -> float:
        if power_w <= 0.0:
            return super().seconds_to_step(power_w)
        hvac_w = min(power_w, self.hvac_w())
        charging_w = power_w - hvac_w
        battery_s = super().seconds_to_step(charging_w) if charging_w > 0.0 else inf
        return min(battery_s, self._to_target_s(hvac_w))

    def _to_target_s(self, hvac_w: float) -> float:
        """Until the cabin is warm; inf while it never will be at this power, or is."""
        target_c, end_c = self.cabin.target_c, self.cabin.settles_at_c(hvac_w, self.outside_c)
        if not self.on or self.inside_c >= target_c - _AT_TARGET_K or end_c <= target_c:
            return inf
        share = (end_c - target_c) / (end_c - self.inside_c)
        return max(1.0, -log(share) * self.cabin.time_constant_s)

    def heating_s(self) -> float:
        """How long it takes at full power until it is warm."""
        on, self.on = self.on, True
        seconds = self._to_target_s(self.cabin.hvac_w)
        self.on = on
        return 0.0 if seconds == inf else seconds

    def charging_wh(self, target_pct: float) -> float:
        """Energy at the meter up to a state of charge."""
        return self.spec.metered_wh(max(0.0, target_pct - self.soc_pct))

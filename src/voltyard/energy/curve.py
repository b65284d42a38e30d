"""Charge curves: how much power a vehicle takes at which state of charge, and how long it needs."""

from dataclasses import dataclass
from itertools import pairwise
from math import exp, inf, isfinite, log

from voltyard.errors import Invalid

_LEAST_POWER_W = 1.0


@dataclass(frozen=True, slots=True)
class ChargeCurve:
    """Power at the EVSE meter over state of charge, linear between ``points`` (soc_pct, power_w).

    Sources sometimes state absurd powers; every use gives the true ``max_power_w`` and is capped.
    Raises ``Invalid`` when points are missing, out of order, negative or not finite.
    """

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if not self.points:
            raise Invalid("a charge curve needs at least one point", code="curve_invalid")
        for soc_pct, power_w in self.points:
            if not (isfinite(soc_pct) and 0.0 <= soc_pct <= 100.0):
                raise Invalid("a state of charge lies between 0 and 100 %", code="curve_invalid")
            if not (isfinite(power_w) and power_w >= 0.0):
                raise Invalid("a charging power is finite and not negative", code="curve_invalid")
        socs = [soc_pct for soc_pct, _ in self.points]
        if any(later < earlier for earlier, later in pairwise(socs)):
            raise Invalid("a charge curve rises in state of charge", code="curve_invalid")

    def power_at(self, soc_pct: float, max_power_w: float = inf) -> float:
        """Highest power at ``soc_pct``, never above ``max_power_w``."""
        first_soc, first_w = self.points[0]
        if soc_pct <= first_soc:
            return min(first_w, max_power_w)
        for (low_soc, low_w), (high_soc, high_w) in zip(self.points, self.points[1:], strict=False):
            if soc_pct <= high_soc:
                if high_soc == low_soc:
                    return min(high_w, max_power_w)
                share = (soc_pct - low_soc) / (high_soc - low_soc)
                return min(low_w + share * (high_w - low_w), max_power_w)
        return min(self.points[-1][1], max_power_w)

    def time_s(
        self,
        from_soc_pct: float,
        to_soc_pct: float,
        battery_wh: float,
        max_power_w: float,
        efficiency: float = 1.0,
    ) -> float:
        """Seconds of charging as fast as allowed; infinite where the curve ends at no power."""
        total_s = 0.0
        for low_soc, low_w, high_soc, high_w in self._pieces(max_power_w):
            start, end = max(low_soc, from_soc_pct), min(high_soc, to_soc_pct)
            if end <= start:
                continue
            slope = (high_w - low_w) / (high_soc - low_soc)
            start_w, end_w = low_w + slope * (start - low_soc), low_w + slope * (end - low_soc)
            energy_wh = battery_wh * (end - start) / 100.0 / efficiency
            mean_w = _logarithmic_mean(start_w, end_w)
            if mean_w <= 0.0:
                return inf
            total_s += energy_wh * 3600.0 / mean_w
        return total_s

    def soc_after(
        self,
        from_soc_pct: float,
        seconds: float,
        battery_wh: float,
        max_power_w: float,
        efficiency: float = 1.0,
    ) -> float:
        """State of charge after charging as fast as allowed for ``seconds``, at most 100."""
        soc, left_s = from_soc_pct, seconds
        per_watt_second = 100.0 * efficiency / (battery_wh * 3600.0)
        for low_soc, low_w, high_soc, high_w in self._pieces(max_power_w):
            if left_s <= 0.0:
                break
            if soc >= high_soc:
                continue
            slope = (high_w - low_w) / (high_soc - low_soc)
            start_w = low_w + slope * (soc - low_soc)
            piece_s = self.time_s(soc, high_soc, battery_wh, max_power_w, efficiency)
            if piece_s <= left_s:
                soc, left_s = high_soc, left_s - piece_s
                continue
            rate = slope * per_watt_second
            grown = left_s * per_watt_second
            if abs(rate * left_s) > 1e-9:
                grown = (exp(rate * left_s) - 1.0) / slope
            return min(high_soc, soc + start_w * grown)
        return soc

    def energy_wh(
        self, soc_pct: float, seconds: float, battery_wh: float, max_power_w: float
    ) -> float:
        """Energy taken in ``seconds`` as fast as allowed, for a lossless battery."""
        after = self.soc_after(soc_pct, seconds, battery_wh, max_power_w)
        return (after - soc_pct) * battery_wh / 100.0

    def _pieces(self, max_power_w: float) -> list[tuple[float, float, float, float]]:
        """The capped curve over 0..100 % as rising (soc, power, soc, power) pieces."""
        corners = [(0.0, self.points[0][1]), *self.points, (100.0, self.points[-1][1])]
        pieces: list[tuple[float, float, float, float]] = []
        for (low_soc, low_w), (high_soc, high_w) in pairwise(corners):
            if high_soc <= low_soc:
                continue
            cuts = [low_soc, high_soc]
            if (low_w - max_power_w) * (high_w - max_power_w) < 0.0:
                share = (max_power_w - low_w) / (high_w - low_w)
                cuts.insert(1, low_soc + share * (high_soc - low_soc))
            for start, end in pairwise(cuts):
                if end > start:
                    slope = (high_w - low_w) / (high_soc - low_soc)
                    start_w = min(low_w + slope * (start - low_soc), max_power_w)
                    end_w = min(low_w + slope * (end - low_soc), max_power_w)
                    pieces.append((start, start_w, end, end_w))
        return pieces


def _logarithmic_mean(first_w: float, second_w: float) -> float:
    """Mean power over a stretch of charge on which power changes linearly; 0 when it stalls."""
    if min(first_w, second_w) < _LEAST_POWER_W:
        return 0.0
    if abs(first_w - second_w) <= 1e-6 * first_w:
        return first_w
    return (first_w - second_w) / log(first_w / second_w)

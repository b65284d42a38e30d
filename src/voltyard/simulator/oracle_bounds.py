"""How much energy a tapering vehicle can take when, on any way on which it becomes ready.

On such a way its state of charge is never below the latest possible one, so its power is never
above the curve's highest value from there on.
"""

import numpy as np
from numpy.typing import NDArray

from voltyard.energy.model import READY_TOLERANCE_SOC_PCT, Stay

Floats = NDArray[np.float64]
_GRID_PCT = 0.1
_LEAST_W = 20.0


def most_energy_wh(stay: Stay, to_go_from_s: Floats, to_go_until_s: Floats) -> Floats:
    """Upper bound by slot, at the meter. Slots are given as seconds left until departure."""
    flat_wh = stay.max_power_w * np.maximum(0.0, to_go_from_s - to_go_until_s) / 3600.0
    if stay.curve is None or stay.soc_pct is None or not stay.battery_wh:
        return flat_wh
    full_pct = stay.soc_pct + stay.energy_needed_wh * stay.efficiency / stay.battery_wh * 100.0
    wanted_pct = min(100.0, full_pct - READY_TOLERANCE_SOC_PCT)
    if wanted_pct <= stay.soc_pct:
        return flat_wh
    soc_pct = np.arange(stay.soc_pct, wanted_pct + _GRID_PCT, _GRID_PCT)
    soc_pct[-1] = wanted_pct
    power_w = _highest_from(stay, soc_pct)
    wh_per_pct = stay.battery_wh / stay.efficiency / 100.0
    energy_wh = np.diff(soc_pct) * wh_per_pct
    # The larger end of each stretch keeps this an upper bound.
    time_s = energy_wh * 3600.0 / power_w[:-1]
    left_s = np.concatenate([[0.0], np.cumsum(time_s[::-1])])
    given_wh = np.concatenate([[0.0], np.cumsum(energy_wh[::-1])])

    def until_departure_wh(to_go_s: Floats) -> Floats:
        beyond_s = np.maximum(0.0, to_go_s - left_s[-1])
        inside: Floats = np.interp(to_go_s, left_s, given_wh)
        total: Floats = inside + beyond_s * power_w[0] / 3600.0
        return total

    # Power over the remaining tolerance is left out: it is not needed to be ready.
    bounded_wh = until_departure_wh(to_go_from_s) - until_departure_wh(to_go_until_s)
    capped: Floats = np.clip(bounded_wh, 0.0, flat_wh)
    return capped


def _highest_from(stay: Stay, soc_pct: Floats) -> Floats:
    """The highest power of the curve at or above each state of charge."""
    assert stay.curve is not None
    socs = np.array([soc for soc, _ in stay.curve.points])
    powers = np.minimum([power for _, power in stay.curve.points], stay.max_power_w)
    grid = np.unique(np.concatenate([soc_pct, socs, [100.0]]))
    values = np.interp(grid, socs, powers)
    # Capping by the vehicle's power may cut a corner between points: take the exact curve.
    values = np.maximum(values, [stay.curve.power_at(float(soc), stay.max_power_w) for soc in grid])
    highest = np.maximum.accumulate(values[::-1])[::-1]
    found: Floats = np.interp(soc_pct, grid, highest)
    return np.maximum(found, _LEAST_W)

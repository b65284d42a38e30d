"""Power over time of vehicles whose charge curve falls: bounds for the planner, then the outcome.

Curves become tables of 201 points, one each half percent. Energy is at the EVSE meter throughout.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voltyard.energy.compiled import compiled, inlined
from voltyard.energy.flow import Ints, Network
from voltyard.energy.model import Stay

Floats = NDArray[np.float64]
TABLE_POINTS = 201
_STEP_PCT = 100.0 / (TABLE_POINTS - 1)
_SUBSTEP_S = 90.0
_LEAST_W = 50.0


class Vehicles(NamedTuple):
    """By stay: power table (0 rows are flat at ``max_w``), up to where its power is the same,
    state of charge and % per Wh."""

    has_curve: NDArray[np.bool_]
    table_w: Floats
    flat_pct: Floats
    soc_pct: Floats
    pct_per_wh: Floats
    max_w: Floats


def vehicles(stays: tuple[Stay, ...]) -> Vehicles:
    count = len(stays)
    table_w = np.zeros((count, TABLE_POINTS))
    has_curve = np.zeros(count, dtype=np.bool_)
    flat_pct, soc_pct, pct_per_wh = np.zeros(count), np.zeros(count), np.zeros(count)
    grid = np.linspace(0.0, 100.0, TABLE_POINTS)
    known: dict[tuple[object, float], tuple[Floats, float]] = {}
    for index, stay in enumerate(stays):
        if stay.curve is None or stay.soc_pct is None or not stay.battery_wh:
            continue
        kind = stay.curve.points, stay.max_power_w
        if kind not in known:
            socs, powers = zip(*stay.curve.points, strict=True)
            table = np.minimum(np.interp(grid, socs, powers), stay.max_power_w)
            same = int(np.argmin(np.append(table == table[0], False)))
            known[kind] = table, float(grid[same - 1])
        table_w[index], flat_pct[index] = known[kind]
        has_curve[index] = True
        soc_pct[index] = stay.soc_pct
        pct_per_wh[index] = 100.0 * stay.efficiency / stay.battery_wh
    max_w = np.array([stay.max_power_w for stay in stays], dtype=np.float64)
    return Vehicles(has_curve, table_w, flat_pct, soc_pct, pct_per_wh, max_w)


@inlined
def power_at(table_w: Floats, soc_pct: float) -> float:
    """Linear interpolation in one table, clamped to 0..100 %."""
    place = min(max(soc_pct, 0.0), 100.0) / _STEP_PCT
    low = min(int(place), TABLE_POINTS - 2)
    share = place - low
    return float(table_w[low] * (1.0 - share) + table_w[low + 1] * share)


@inlined
def _charge(cars: Vehicles, stay: int, soc_pct: float, seconds: float, enough_wh: float) -> float:
    """Energy taken as fast as its table allows, in Wh, no further than until there is enough."""
    table_w, pct_per_wh = cars.table_w[stay], cars.pct_per_wh[stay]
    total_wh = 0.0
    left_s = seconds
    flat_wh = (cars.flat_pct[stay] - max(soc_pct, 0.0)) / pct_per_wh
    if flat_wh > 0.0 and table_w[0] > 0.0:
        flat_s = min(left_s, flat_wh * 3600.0 / table_w[0])
        if flat_s == left_s:
            return float(table_w[0] * left_s / 3600.0)
        total_wh, left_s = flat_wh, left_s - flat_s
    while left_s > 0.0 and total_wh < enough_wh:
        step_s = min(left_s, _SUBSTEP_S)
        start_w = power_at(table_w, soc_pct + total_wh * pct_per_wh)
        half_wh = start_w * step_s / 7200.0
        middle_w = power_at(table_w, soc_pct + (total_wh + half_wh) * pct_per_wh)
        total_wh += middle_w * step_s / 3600.0
        left_s -= step_s
    return total_wh


@compiled
def bounded_energy(cars: Vehicles, present_s: Floats, need_wh: Floats) -> Floats:
    """Most energy of each stay in each slot, on any way to its need by departure.

    Such a way is never below the latest one, drawn backwards from the target at full power; so
    power never exceeds the curve's highest value from there on. Rows of ``present_s`` are stays.
    """
    stays, slots = present_s.shape
    most_wh = np.zeros((stays, slots))
    for stay in range(stays):
        if not cars.has_curve[stay]:
            for slot in range(slots):
                most_wh[stay, slot] = cars.max_w[stay] * present_s[stay, slot] / 3600.0
            continue
        envelope_w = cars.table_w[stay].copy()
        for point in range(TABLE_POINTS - 2, -1, -1):
            envelope_w[point] = max(envelope_w[point], envelope_w[point + 1])
        now_pct, per_wh = cars.soc_pct[stay], cars.pct_per_wh[stay]
        reachable_wh = _charge(cars, stay, now_pct, present_s[stay].sum(), need_wh[stay])
        back_pct = now_pct + min(need_wh[stay], reachable_wh) * per_wh
        for slot in range(slots - 1, -1, -1):
            left_s = present_s[stay, slot]
            if power_at(envelope_w, max(back_pct, now_pct)) >= envelope_w[0]:
                # Before this there is no taper any more.
                most_wh[stay, slot] = max(envelope_w[0], _LEAST_W) * left_s / 3600.0
                continue
            while left_s > 0.0:
                step_s = min(left_s, _SUBSTEP_S)
                power_w = max(power_at(envelope_w, max(back_pct, now_pct)), _LEAST_W)
                half_pct = back_pct - power_w * step_s / 7200.0 * per_wh
                power_w = max(power_at(envelope_w, max(half_pct, now_pct)), _LEAST_W)
                most_wh[stay, slot] += power_w * step_s / 3600.0
                back_pct -= power_w * step_s / 3600.0 * per_wh
                left_s -= step_s
    return most_wh


class Outcome(NamedTuple):
    """By stay: energy taken by departure and the seconds after now when it is ready (or inf)."""

    energy_wh: Floats
    ready_s: Floats


@compiled
def follow(
    net: Network, cars: Vehicles, present_s: Floats, start_s: Floats, ready_wh: Floats, order: Ints
) -> Outcome:
    """What the planned flow delivers through the true curves.

    A vehicle that takes less than planned catches up later where its nodes have room. ``start_s``
    is when each stay's presence in a slot begins, in seconds after now.
    """
    stays, slots = present_s.shape
    energy_wh = np.zeros(stays)
    ready_s = np.full(stays, np.inf)
    behind_wh = np.zeros(stays)
    room_wh = (net.cap - net.used).astype(np.float64)
    able_wh = np.zeros(stays)
    for slot in range(slots):
        for position in range(order.shape[0]):
            stay = order[position]
            planned_wh = float(net.taken[stay, slot])
            able_wh[stay] = 0.0
            if present_s[stay, slot] <= 0.0 or planned_wh + behind_wh[stay] <= 0.0:
                continue
            able_wh[stay] = able(cars, stay, energy_wh[stay], present_s[stay, slot])
            _release(net, room_wh, stay, slot, max(0.0, planned_wh - able_wh[stay]))
        for position in range(order.shape[0]):
            stay = order[position]
            planned_wh = float(net.taken[stay, slot])
            if present_s[stay, slot] <= 0.0 or planned_wh + behind_wh[stay] <= 0.0:
                continue
            taken_wh = min(planned_wh, able_wh[stay])
            spare_wh = min(behind_wh[stay], able_wh[stay] - taken_wh)
            extra_wh = _most_room(net, room_wh, stay, slot, spare_wh)
            _release(net, room_wh, stay, slot, -extra_wh)
            behind_wh[stay] += planned_wh - taken_wh - extra_wh
            before_wh = energy_wh[stay]
            energy_wh[stay] += taken_wh + extra_wh
            if ready_s[stay] == np.inf and energy_wh[stay] >= ready_wh[stay] > before_wh:
                share = (ready_wh[stay] - before_wh) / (energy_wh[stay] - before_wh)
                ready_s[stay] = start_s[stay, slot] + share * present_s[stay, slot]
    return Outcome(energy_wh, ready_s)


@inlined
def able(cars: Vehicles, stay: int, energy_wh: float, seconds: float) -> float:
    """Energy a stay takes at most in a slot, after ``energy_wh`` since now."""
    if not cars.has_curve[stay]:
        return float(cars.max_w[stay] * seconds / 3600.0)
    soc_pct = cars.soc_pct[stay] + energy_wh * cars.pct_per_wh[stay]
    return float(_charge(cars, stay, soc_pct, seconds, np.inf))


@inlined
def _release(net: Network, room_wh: Floats, stay: int, slot: int, amount_wh: float) -> None:
    node = net.node_of_stay[stay]
    while node >= 0:
        room_wh[node, slot] += amount_wh
        node = net.parent[node]


@inlined
def _most_room(net: Network, room_wh: Floats, stay: int, slot: int, most_wh: float) -> float:
    node = net.node_of_stay[stay]
    while node >= 0:
        most_wh = min(most_wh, room_wh[node, slot])
        node = net.parent[node]
    return max(0.0, most_wh)

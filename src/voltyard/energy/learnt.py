"""Charge curves learnt from sessions: what vehicles of a type took where nothing else held them.

Pure. Powers are kept by step of charge, one value a session, so that a bad meter or a cold battery
is one voice of many. What is learnt only ever lowers a curve, never below a share of full power.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from math import isfinite
from statistics import median
from uuid import UUID

from voltyard.energy.curve import ChargeCurve
from voltyard.errors import Invalid
from voltyard.fleets.model import CurvePoint, Vehicle

STEP_PCT = 5
FIRST_PCT = 50
"""Below this, less than full power says more of the battery's temperature than of its charge."""
SESSIONS_NEEDED = 3
SESSIONS_KEPT = 20
READINGS_NEEDED = 2
HELD_SHARE, HELD_W = 0.08, 1_000.0
"""A vehicle holds itself back when it takes so much less than it was allowed."""
ALL_SHARE = 0.98
"""It takes all it is allowed from here on: it could take at least that."""
SPARE_SHARE = 0.05
"""A learnt curve is used with so much on top, so that one that is too low is found out: limits
follow curves, and a vehicle that takes all of them raises what is known of its type."""
LEAST_SHARE = 0.05
"""Less than this of its full power is no taper but an end."""
DIFFERS_SHARE = 0.15
"""A curve that somebody entered gives way where it promises so much more than was measured."""
RISE_PCT = 3.0
DROP_PCT = 2.0


@dataclass(frozen=True, slots=True)
class Observed:
    """One reading of a session and the power it was allowed then, in W."""

    soc_pct: float
    power_w: float
    allowed_w: float


@dataclass(frozen=True, slots=True)
class Taken:
    """One session, by step of charge: power where the vehicle held itself back, and power that it
    took whole, so that it could take at least that."""

    held_w: Mapping[int, float]
    whole_w: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Learnt:
    """What is known of a vehicle type.

    ``powers_w`` by the lower edge of the step in %, one value a session, the newest last.
    ``session_ids`` are the last sessions it was learnt from: none counts twice.
    """

    vehicle_class: str
    powers_w: Mapping[int, tuple[float, ...]]
    session_ids: tuple[UUID, ...]
    sessions: int
    updated_at: datetime

    def points(self) -> tuple[CurvePoint, ...]:
        """The taper: medians at the middle of each step that enough sessions saw, not rising."""
        found: list[CurvePoint] = []
        most_w = 0.0
        for step in sorted(self.powers_w, reverse=True):
            values = self.powers_w[step]
            if len(values) >= SESSIONS_NEEDED:
                most_w = max(most_w, median(values))
                found.append((step + STEP_PCT / 2.0, most_w))
        return tuple(reversed(found))


def taken(readings: Sequence[Observed], most_w: float) -> Taken:
    """What one session says. ``most_w`` is the vehicle's full power.

    Nothing where the charge that was reported cannot be true: it stands still or falls, or power
    is beyond what the vehicle can. That it was the vehicle and not the charger that held back
    counts only after it took all of a higher limit in the same session.
    """
    held: dict[int, list[float]] = {}
    whole: dict[int, list[float]] = {}
    able_w = 0.0
    for reading in readings if _believable(readings, most_w) else ():
        back_w = reading.allowed_w - reading.power_w
        is_whole = reading.power_w >= ALL_SHARE * reading.allowed_w
        able_w = max(able_w, reading.power_w if is_whole else 0.0)
        if reading.soc_pct < FIRST_PCT or reading.power_w < LEAST_SHARE * most_w:
            continue
        step = min(100 - STEP_PCT, int(reading.soc_pct // STEP_PCT) * STEP_PCT)
        holds = back_w > max(HELD_W, HELD_SHARE * reading.allowed_w)
        if holds and able_w > reading.power_w:
            held.setdefault(step, []).append(reading.power_w)
        elif is_whole:
            whole.setdefault(step, []).append(reading.power_w)
    return Taken(_medians(held), _medians(whole))


def _medians(steps: Mapping[int, Sequence[float]]) -> dict[int, float]:
    return {s: median(powers) for s, powers in steps.items() if len(powers) >= READINGS_NEEDED}


def _believable(readings: Sequence[Observed], most_w: float) -> bool:
    if len(readings) < READINGS_NEEDED or not 0.0 < most_w < 1e9:
        return False
    for reading in readings:
        values = (reading.soc_pct, reading.power_w, reading.allowed_w)
        if not all(isfinite(value) for value in values) or not 0.0 <= reading.soc_pct <= 100.0:
            return False
        if not 0.0 <= reading.power_w <= 1.05 * most_w:
            return False
    socs = [reading.soc_pct for reading in readings]
    falls = any(before - after > DROP_PCT for before, after in pairwise(socs))
    return not falls and socs[-1] - socs[0] >= RISE_PCT


def with_session(
    known: Learnt | None,
    vehicle_class: str,
    session_id: UUID,
    seen: Taken,
    at: datetime,
) -> Learnt:
    """One session more; the oldest beyond the last ``SESSIONS_KEPT`` of a step are forgotten."""
    before = known or Learnt(vehicle_class, {}, (), 0, at)
    powers_w = dict(seen.held_w)
    for step, power_w in seen.whole_w.items():
        values = before.powers_w.get(step, ())
        if step not in powers_w and values and power_w > median(values):
            powers_w[step] = power_w
    if session_id in before.session_ids or not powers_w:
        return before
    kept = dict(before.powers_w)
    for step, power_w in powers_w.items():
        kept[step] = (*kept.get(step, ()), power_w)[-SESSIONS_KEPT:]
    ids = (*before.session_ids, session_id)[-SESSIONS_KEPT:]
    return replace(
        before, powers_w=kept, session_ids=ids, sessions=before.sessions + 1, updated_at=at
    )


def applied(vehicle: Vehicle, learnt: Learnt | None) -> Vehicle:
    """With the curve its type was seen to have, where nobody entered one or it promises too much.

    Unchanged where its full power is not known: a taper has nothing to begin at then.
    """
    most_w = vehicle.max_power_w
    points = () if learnt is None or most_w is None else learnt.points()
    if not points or most_w is None:
        return vehicle
    own = _own(vehicle, most_w)
    points = tuple(
        (soc, max(LEAST_SHARE * most_w, min(power_w * (1.0 + SPARE_SHARE), most_w)))
        for soc, power_w in points
    )
    lower = [p for p in points if p[1] < (1.0 - DIFFERS_SHARE) * own.power_at(p[0], most_w)]
    if not vehicle.charge_curve:
        return replace(vehicle, charge_curve=_joined(own, points, most_w))
    return replace(vehicle, charge_curve=_joined(own, lower, most_w)) if lower else vehicle


def _own(vehicle: Vehicle, most_w: float) -> ChargeCurve:
    """Flat where there is none, or none that makes sense."""
    try:
        return ChargeCurve(vehicle.charge_curve or ((0.0, most_w),))
    except Invalid:
        return ChargeCurve(((0.0, most_w),))


def _joined(own: ChargeCurve, lower: Iterable[CurvePoint], most_w: float) -> tuple[CurvePoint, ...]:
    """The own curve, and the learnt one within the steps that say something."""
    found = dict(lower)
    edges = {min(100.0, max(0.0, soc + side)) for soc in found for side in (-2.5, 2.5)}
    first, last = min(edges), max(edges)
    for soc in {0.0, first, *(soc for soc, _ in own.points)}:
        if soc <= first or soc > last:
            found.setdefault(soc, own.power_at(soc, most_w))
    if last >= 100.0:
        found.setdefault(100.0, found[max(soc for soc in found if soc < 100.0)])
    return tuple(sorted(found.items()))

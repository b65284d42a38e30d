"""Does a charger obey? What it draws against what it may, with hysteresis both ways. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum

SETTLE_S = 20.0
"""Readings this soon after a confirmed change may still show the ramp."""


class Step(IntEnum):
    """How far a charger that takes too much has been dealt with."""

    OBEYS = 0
    SUSPECTED = 1
    """One reading is over; it counts at once, nothing else yet."""
    FENCED = 2
    """Counted at its full power; the others pay for it; an alert is open."""
    STOP = 3
    """Its transaction is to be stopped."""
    SWITCH_OFF = 4
    """It is to be taken out of service."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Over means more than ``tolerance`` (a share) and ``tolerance_w`` above what is allowed."""

    tolerance: float = 0.05
    tolerance_w: float = 500.0
    fence_after_s: float = 30.0
    stop_after_s: float = 180.0
    off_after_s: float = 600.0
    clear_after_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Obedience:
    """What readings said so far. ``over_since`` is when it was first seen above its limit."""

    step: Step = Step.OBEYS
    over_since: datetime | None = None
    obeys_since: datetime | None = None
    readings_over: int = 0
    readings_under: int = 0
    measured_w: float | None = None
    measured_at: datetime | None = None

    def counted_w(self, max_power_w: float) -> float:
        """What must be assumed beyond the limit it was given; 0 when it obeys."""
        if self.step is Step.OBEYS:
            return 0.0
        measured_w = self.measured_w or 0.0
        return measured_w if self.step is Step.SUSPECTED else max(max_power_w, measured_w)

    def fresh_w(self, now: datetime, max_age_s: float = 180.0) -> float | None:
        """The last measured power, None when it is too old to say anything."""
        if self.measured_at is None or now - self.measured_at > timedelta(seconds=max_age_s):
            return None
        return self.measured_w


def is_over(measured_w: float, allowed_w: float, rules: Rules) -> bool:
    return measured_w > allowed_w * (1.0 + rules.tolerance) + rules.tolerance_w


def observe(
    known: Obedience,
    measured_w: float,
    at: datetime,
    allowed_w: float,
    settled_at: datetime | None,
    rules: Rules,
) -> Obedience:
    """Take in one reading; ``allowed_w`` is the most it may draw, in force since ``settled_at``."""
    if known.measured_at is not None and at < known.measured_at:
        return known
    known = replace(known, measured_w=measured_w, measured_at=at)
    if settled_at is not None and at < settled_at + timedelta(seconds=SETTLE_S):
        return known
    if is_over(measured_w, allowed_w, rules):
        return _over(known, at, rules)
    return _under(known, at, rules)


def forget(known: Obedience) -> Obedience:
    """The vehicle is gone and nothing flows: what comes next is judged anew."""
    return Obedience(measured_w=0.0, measured_at=known.measured_at)


def _over(known: Obedience, at: datetime, rules: Rules) -> Obedience:
    since = known.over_since or at
    count = known.readings_over + 1
    lasted_s = (at - since).total_seconds()
    step = max(known.step, Step.SUSPECTED)
    if count >= 2 and lasted_s >= rules.fence_after_s:
        step = max(step, Step.FENCED)
        if lasted_s >= rules.stop_after_s:
            step = max(step, Step.STOP)
        if lasted_s >= rules.off_after_s:
            step = max(step, Step.SWITCH_OFF)
    return replace(
        known,
        step=step,
        over_since=since,
        obeys_since=None,
        readings_over=count,
        readings_under=0,
    )


def _under(known: Obedience, at: datetime, rules: Rules) -> Obedience:
    if known.step is Step.OBEYS:
        return replace(known, over_since=None, obeys_since=at, readings_over=0)
    since = known.obeys_since or at
    count = known.readings_under + 1
    lasted_s = (at - since).total_seconds()
    clear = known.step is Step.SUSPECTED or (count >= 2 and lasted_s >= rules.clear_after_s)
    if clear:
        return Obedience(measured_w=known.measured_w, measured_at=known.measured_at)
    return replace(known, obeys_since=since, readings_under=count)

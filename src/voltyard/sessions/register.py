"""Energy of one session from what its meter said, whatever it said and in whatever order.

Pure: the result is a function of the set of points, so that repeats and reordering change
nothing. Energy counted never includes a step the hardware could not have delivered.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import NamedTuple

from voltyard.sessions.model import Flag

POWER_CAP_MIN_W = 400_000.0
SLACK_WH = 2_000.0
JITTER_WH = 1_000.0
LOOK_AHEAD = 3
POINTS_MAX = 240
ODD_POINTS_MAX = 480
UNIT_EVIDENCE_WH = 1_000.0
UNDATED_MAX_WH = 600_000.0
"""A clock that had stopped says nothing of how long: more than this is in no vehicle."""


class Source(IntEnum):
    """Which of the charger's registers spoke: at start, in between, at the end."""

    BEGIN = 0
    SAMPLE = 1
    END = 2


class Point(NamedTuple):
    """``at_s`` is a POSIX time."""

    at_s: float
    source: Source
    wh: float
    power_w: float | None = None


class Note(NamedTuple):
    """One repair of the register."""

    flag: Flag
    at_s: float
    was_wh: float
    now_wh: float


@dataclass(frozen=True, slots=True)
class Measured:
    energy_wh: float = 0.0
    start_wh: float | None = None
    last_wh: float | None = None
    notes: tuple[Note, ...] = ()


def measure(
    points: Sequence[Point],
    *,
    max_power_w: float,
    prior_wh: float | None = None,
    undated: bool = False,
) -> Measured:
    """What was delivered.

    ``points`` are sorted by time. ``max_power_w`` is the EVSE's. ``prior_wh`` is where its
    register stood after the session before, if it is known to count over all sessions.
    ``undated``: the charger's clock was wrong, so that the time between points is not known.
    """
    return _Measurement(max_power_w, prior_wh, undated=undated).run(points)


class _Measurement:
    def __init__(self, max_power_w: float, prior_wh: float | None, *, undated: bool) -> None:
        self._undated = undated
        self._cap_w = max(2.0 * max_power_w, POWER_CAP_MIN_W)
        self._prior_wh = prior_wh
        self._notes: list[Note] = []
        self._energy_wh = 0.0

    def run(self, points: Sequence[Point]) -> Measured:
        good = [point for point in points if point.wh >= 0]
        for point in points:
            if point.wh < 0:
                self._note(Flag.NEGATIVE_ENERGY, point, point.wh, 0.0)
        if not good:
            return Measured(notes=tuple(self._notes))
        begin, samples, end = _sorted_out(good)
        if not samples:
            start, last = self._ends_only(begin, end)
        else:
            samples = self._right_unit(begin, samples, end)
            start = self._base(begin, samples[0])
            on_samples = start is not samples[0]
            last = self._walk(start, samples, end)
            last = self._finish(begin, last, end, same_register=on_samples)
        return Measured(self._energy_wh, start.wh, last.wh, tuple(self._notes))

    def _ends_only(self, begin: Point | None, end: Point | None) -> tuple[Point, Point]:
        if begin is None or end is None:
            only = begin or end
            assert only is not None
            return only, only
        rescaled = None if self._fits(begin, end) else self._rescaled(begin, end)
        if rescaled is not None:
            self._note(Flag.UNIT_MIXED, end, end.wh, rescaled.wh)
            return begin, self._step(begin, rescaled)
        if end.wh < begin.wh and not self._jitter(begin, end):
            return self._end_below_begin(begin, end)
        start = self._base(begin, end)
        self._energy_wh += max(0.0, end.wh - start.wh)
        return start, end

    def _end_below_begin(self, begin: Point, end: Point) -> tuple[Point, Point]:
        if end.wh == 0:
            self._note(Flag.DROP_TO_ZERO, end, end.wh, begin.wh)
            return begin, begin
        counted = end.wh if end.wh <= self._room_wh(begin, end) else 0.0
        self._note(Flag.REGISTER_RESET, end, begin.wh, end.wh)
        self._energy_wh += counted
        return begin, end

    def _base(self, begin: Point | None, first: Point) -> Point:
        """The register at the start: as reported, or what it must have been."""
        if begin is None:
            return first
        if begin.wh == 0 and self._prior_wh:
            prior = begin._replace(wh=self._prior_wh)
            if self._fits(prior, first):
                self._note(Flag.START_PLACEHOLDER, begin, 0.0, prior.wh)
                return prior
        if self._fits(begin, first) or self._rescaled(begin, first) is not None:
            return begin
        in_kwh = begin._replace(wh=begin.wh * 1000)
        if begin.wh > 0 and self._close(in_kwh, first) and self._fits(in_kwh, first):
            self._note(Flag.UNIT_MIXED, begin, begin.wh, in_kwh.wh)
            return in_kwh
        if self._may_be_long_after(begin, first):
            return begin
        if first.wh < begin.wh:
            self._count_reset(begin, first)
        else:
            flag = Flag.START_PLACEHOLDER if begin.wh == 0 else Flag.REGISTER_JUMP
            self._note(flag, begin, begin.wh, first.wh)
        return first

    def _walk(self, start: Point, samples: Sequence[Point], end: Point | None) -> Point:
        ahead = [*samples, end] if end is not None else samples
        last = start
        for place, point in enumerate(samples):
            if self._fits(last, point):
                last = self._step(last, point)
                continue
            rescaled = self._rescaled(last, point)
            if rescaled is not None:
                self._note(Flag.UNIT_MIXED, point, point.wh, rescaled.wh)
                last = self._step(last, rescaled)
                continue
            later = ahead[place + 1 : place + 1 + LOOK_AHEAD]
            if any(self._fits(last, after) for after in later if after.wh > 0):
                flag = Flag.DROP_TO_ZERO if point.wh == 0 else Flag.GLITCH
                self._note(flag, point, point.wh, last.wh)
                continue
            if self._may_be_long_after(last, point):
                last = self._step(last, point)
                continue
            if point.wh < last.wh:
                self._count_reset(last, point)
            else:
                self._note(Flag.REGISTER_JUMP, point, last.wh, point.wh)
            last = point
        return last

    def _finish(
        self, begin: Point | None, last: Point, end: Point | None, *, same_register: bool
    ) -> Point:
        """Fold in the register at the stop, which may be another one than the samples'."""
        if end is None:
            return last
        if self._fits(last, end):
            return self._step(last, end)
        rescaled = self._rescaled(last, end)
        if rescaled is not None:
            self._note(Flag.UNIT_MIXED, end, end.wh, rescaled.wh)
            return self._step(last, rescaled)
        if end.wh == 0:
            self._note(Flag.DROP_TO_ZERO, end, end.wh, last.wh)
            return last
        if begin is not None and not same_register and self._agrees(begin, last, end):
            total_wh = end.wh - begin.wh
            self._note(Flag.SESSION_RELATIVE, end, self._energy_wh, total_wh)
            self._energy_wh = max(self._energy_wh, total_wh)
            return end
        if self._may_be_long_after(last, end):
            return self._step(last, end)
        if end.wh < last.wh:
            self._count_reset(last, end)
            return end
        self._note(Flag.REGISTER_JUMP, end, end.wh, last.wh)
        return last

    def _agrees(self, begin: Point, last: Point, end: Point) -> bool:
        """Whether start and stop registers tell about the same energy as the samples."""
        total_wh = end.wh - begin.wh
        return total_wh >= 0 and abs(total_wh - self._energy_wh) <= self._room_wh(last, end)

    def _right_unit(
        self, begin: Point | None, samples: list[Point], end: Point | None
    ) -> list[Point]:
        """All samples in Wh, where end register or power show that they were not."""
        factor = self._unit_by_end(samples[-1], end) or _unit_by_power(samples)
        if factor is None:
            return samples
        first = samples[0]
        self._note(Flag.UNIT_MIXED, first, first.wh, first.wh * factor)
        return [point._replace(wh=point.wh * factor) for point in samples]

    def _unit_by_end(self, last: Point, end: Point | None) -> float | None:
        if end is None or last.wh <= 0 or self._fits(last, end):
            return None
        in_wh = last._replace(wh=last.wh * 1000)
        return 1000.0 if self._fits(in_wh, end) and end.wh <= 1_100 * last.wh else None

    def _count_reset(self, last: Point, point: Point) -> None:
        """The register began anew: what it shows since is energy, if it can be."""
        counted = point.wh if point.wh <= self._room_wh(last, point) else 0.0
        self._note(Flag.REGISTER_RESET, point, last.wh, point.wh)
        self._energy_wh += counted

    def _step(self, last: Point, point: Point) -> Point:
        if point.wh < last.wh:
            return last
        self._energy_wh += point.wh - last.wh
        return point

    def _fits(self, last: Point, point: Point) -> bool:
        """Whether ``point`` can follow: no more than the hardware delivers, no real step back."""
        step_wh = point.wh - last.wh
        return 0 <= step_wh <= self._room_wh(last, point) or self._jitter(last, point)

    def _may_be_long_after(self, last: Point, point: Point) -> bool:
        """What was told at once by a clock that had stopped may be hours apart."""
        step_wh = point.wh - last.wh
        return self._undated and last.wh > 0 and 0 <= step_wh <= UNDATED_MAX_WH

    def _rescaled(self, last: Point, point: Point) -> Point | None:
        """The point in the other of Wh and kWh, if only that continues the register."""
        for factor in (1000.0, 0.001):
            other = point._replace(wh=point.wh * factor)
            if self._close(last, point) and self._fits(last, other):
                return other
        return None

    def _close(self, last: Point, point: Point) -> bool:
        """Whether the register is so far from zero that a match by unit is no accident."""
        return last.wh > 2 * self._room_wh(last, point)

    @staticmethod
    def _jitter(last: Point, point: Point) -> bool:
        back_wh = last.wh - point.wh
        return 0 < back_wh <= JITTER_WH and point.wh >= last.wh / 2

    def _room_wh(self, last: Point, point: Point) -> float:
        return self._cap_w * max(0.0, point.at_s - last.at_s) / 3600 + SLACK_WH

    def _note(self, flag: Flag, point: Point, was_wh: float, now_wh: float) -> None:
        self._notes.append(Note(flag, point.at_s, was_wh, now_wh))


def _sorted_out(points: Sequence[Point]) -> tuple[Point | None, list[Point], Point | None]:
    """First begin, last end; what else claims to be one of them is a sample."""
    begin = next((point for point in points if point.source is Source.BEGIN), None)
    end = next((point for point in reversed(points) if point.source is Source.END), None)
    return begin, [point for point in points if point is not begin and point is not end], end


def _unit_by_power(samples: Sequence[Point]) -> float | None:
    """The factor to Wh if the register grew a thousandth or a thousand times of the power."""
    if len(samples) < 3:
        return None
    whole, half = _ratio(samples), _ratio(samples[len(samples) // 2 :])
    for factor in (1000.0, 0.001):
        if 0.5 <= whole * factor <= 2.0 and 0.25 <= half * factor <= 4.0:
            return factor
    return None


def _ratio(samples: Sequence[Point]) -> float:
    """Growth of the register over what the power says; 1 where power says too little."""
    expected_wh = _sum_power_wh(samples)
    grown_wh = samples[-1].wh - samples[0].wh
    return grown_wh / expected_wh if expected_wh >= UNIT_EVIDENCE_WH / 2 else 1.0


def _sum_power_wh(samples: Sequence[Point]) -> float:
    return sum(power_wh(before, after) for before, after in pairwise(samples))


def power_wh(before: Point, after: Point) -> float:
    """Energy between two points by their power; 0 where one of them has none."""
    if before.power_w is None or after.power_w is None:
        return 0.0
    return (before.power_w + after.power_w) / 2 * (after.at_s - before.at_s) / 3600


class Register:
    """The points of one session and what they measure, kept up cheaply as they come."""

    def __init__(
        self, max_power_w: float, prior_wh: float | None = None, *, undated: bool = False
    ) -> None:
        self.measured = Measured()
        self._undated = undated
        self.points: list[Point] = []
        self._max_power_w = max_power_w
        self._prior_wh = prior_wh
        self._by_power_wh = 0.0

    def add(self, point: Point) -> bool:
        """False if it was known already."""
        points = self.points
        newest = not points or points[-1][:3] < point[:3]
        if newest:
            points.append(point)
        else:
            place = bisect_left(points, point[:3], key=_order)
            if _order(points[place]) == point[:3]:
                return False
            points.insert(place, point)
        if not (newest and self._advanced(point)):
            self._recompute()
        if len(self.points) > (ODD_POINTS_MAX if self.measured.notes else POINTS_MAX):
            self._thin()
        return True

    def doubt_time(self) -> None:
        """The charger's clock was wrong: the time between points is not known."""
        if not self._undated:
            self._undated = True
            self._recompute()

    def cut(self, at_s: float) -> bool:
        """Drop samples after ``at_s`` (the session's end); whether there were any."""
        kept = [point for point in self.points if point.at_s <= at_s or point.source is not _S]
        if len(kept) == len(self.points):
            return False
        self.points = kept
        self._recompute()
        return True

    def _advanced(self, point: Point) -> bool:
        """The usual case without looking back: one more sample of a register that behaves."""
        measured = self.measured
        if point.source is not _S or measured.notes or measured.last_wh is None:
            return False
        last = self.points[-2]
        if last.source is Source.END or last.wh != measured.last_wh:
            return False
        step_wh = point.wh - last.wh
        if not 0 <= step_wh <= self.cap_w * (point.at_s - last.at_s) / 3600 + SLACK_WH:
            return False
        if len(self.points) == 2 and last.wh == 0:
            return False
        self._by_power_wh += power_wh(last, point)
        if self._power_disagrees(point.wh - (measured.start_wh or 0.0)):
            return False
        self.measured = Measured(measured.energy_wh + step_wh, measured.start_wh, point.wh)
        return True

    @property
    def cap_w(self) -> float:
        """More than that no outlet of its rating draws, whatever a register says."""
        return max(2.0 * self._max_power_w, POWER_CAP_MIN_W)

    def _power_disagrees(self, grown_wh: float) -> bool:
        expected_wh = self._by_power_wh
        return expected_wh >= UNIT_EVIDENCE_WH and not (
            expected_wh / 100 <= grown_wh <= expected_wh * 100
        )

    def _recompute(self) -> None:
        self.measured = measure(
            self.points,
            max_power_w=self._max_power_w,
            prior_wh=self._prior_wh,
            undated=self._undated,
        )
        samples = [point for point in self.points if point.source is _S]
        self._by_power_wh = _sum_power_wh(samples)

    def _thin(self) -> None:
        """Forget every other sample of the older half; what they measured stays the same."""
        odd = {note.at_s for note in self.measured.notes}
        half = len(self.points) // 2
        old = [
            point
            for place, point in enumerate(self.points[:half])
            if place % 2 == 0
            or point.source is not _S
            or point.at_s in odd
            or self.points[place + 1].at_s in odd
        ]
        self.points = [*old, *self.points[half:]]


_S = Source.SAMPLE


def _order(point: Point) -> tuple[float, Source, float]:
    return (point.at_s, point.source, point.wh)

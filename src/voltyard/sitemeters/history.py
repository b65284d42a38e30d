"""Other load from its past: minutes, quarter hours, the highest at a time of day, a forecast."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from math import exp, inf
from uuid import UUID
from zoneinfo import ZoneInfo

from voltyard.sitemeters.model import LoadSlot, Minute, Reading

SLOT_S = 900
SLOTS_A_DAY = 96
KEPT_DAYS = 35
QUANTILE = 0.8
"""Of alike days, the load of a slot is taken as high as it was on most of them."""
FADES_S = 3600.0
"""What is other than foreseen now is expected to be so for about this long."""
ALIKE_LEAST = 2


def slot_of(at: datetime) -> datetime:
    return datetime.fromtimestamp(int(at.timestamp() // SLOT_S) * SLOT_S, UTC)


def rolled(known: Minute | None, meter_id: UUID, reading: Reading) -> Minute:
    """The minute with one more reading."""
    minute = reading.at.replace(second=0, microsecond=0)
    power_w = reading.power_w
    if known is None:
        return Minute(
            meter_id, minute, 1, reading.at, power_w, power_w, power_w, power_w,
            reading.phases_w, reading.energy_wh,
        )  # fmt: skip
    count = known.readings + 1
    return replace(
        known,
        readings=count,
        last_at=reading.at,
        last_w=power_w,
        mean_w=known.mean_w + (power_w - known.mean_w) / count,
        lowest_w=min(known.lowest_w, power_w),
        highest_w=max(known.highest_w, power_w),
        phases_w=reading.phases_w,
        energy_wh=reading.energy_wh,
    )


@dataclass(slots=True)
class Past:
    """Quarter hours of one meter's other load, the last ``KEPT_DAYS`` days."""

    zone: ZoneInfo
    slots: dict[datetime, LoadSlot] = field(default_factory=dict)

    def add(self, found: Iterable[LoadSlot], now: datetime) -> None:
        self.slots.update({slot.at: slot for slot in found})
        oldest = now - timedelta(days=KEPT_DAYS)
        if len(self.slots) > (KEPT_DAYS + 2) * SLOTS_A_DAY:
            self.slots = {at: slot for at, slot in self.slots.items() if at >= oldest}

    def highest_around(self, at: datetime, days: int) -> float | None:
        """The highest within half an hour of this time of day, today and ``days`` back."""
        local = at.astimezone(self.zone)
        found: list[float] = []
        for back in range(days + 1):
            same = (local - timedelta(days=back)).astimezone(UTC)
            first = slot_of(same)
            for step in range(-2, 3):
                slot = self.slots.get(first + timedelta(seconds=step * SLOT_S))
                if slot is not None:
                    found.append(slot.highest_w)
        return max(found, default=None)

    def highest_of(self, now: datetime, days: int) -> float | None:
        oldest = now - timedelta(days=days)
        return max((s.highest_w for s in self.slots.values() if s.at >= oldest), default=None)

    def forecast(
        self, now: datetime, present_w: float | None, starts: Sequence[datetime]
    ) -> list[float] | None:
        """The load of each slot, below 0 what is fed in; what is other than foreseen now fades into
        it. None: no past."""
        usual = self._usual(now)
        if not usual and present_w is None:
            return None
        expected = [self._expected(at, usual) for at in starts]
        here = self._expected(now, usual)
        if present_w is None:
            return [value or 0.0 for value in expected]
        off_w = 0.0 if here is None else present_w - here
        return [
            max(0.0, present_w)
            if value is None
            else value + off_w * exp(-max(0.0, (at - now).total_seconds()) / FADES_S)
            for at, value in zip(starts, expected, strict=True)
        ]

    def _usual(self, now: datetime) -> dict[tuple[int, int], list[float]]:
        """By kind of day and time of day, the highest of each past day's slot, ascending."""
        oldest = now - timedelta(days=KEPT_DAYS)
        found: dict[tuple[int, int], list[float]] = {}
        for slot in self.slots.values():
            if slot.at >= oldest:
                found.setdefault(self._key(slot.at), []).append(slot.highest_w)
        for values in found.values():
            values.sort()
        return found

    def _expected(self, at: datetime, usual: dict[tuple[int, int], list[float]]) -> float | None:
        kind, place = self._key(at)
        values = usual.get((kind, place), [])
        if len(values) < ALIKE_LEAST:
            values = sorted(value for other in range(3) for value in usual.get((other, place), []))
        if not values:
            return None
        return values[min(len(values) - 1, int(QUANTILE * len(values)))]

    def _key(self, at: datetime) -> tuple[int, int]:
        local = at.astimezone(self.zone)
        return day_kind(local.date()), (local.hour * 60 + local.minute) // 15


def day_kind(day: date) -> int:
    """Alike days: Monday to Friday, Saturday, Sunday."""
    return max(0, day.weekday() - 4)


class SlotMeter:
    """Gathers other load as it is seen into quarter hours."""

    def __init__(self) -> None:
        self._at: datetime | None = None
        self._sum_ws = 0.0
        self._seconds = 0.0
        self._highest_w = -inf
        self._last: tuple[datetime, float] | None = None

    def note(self, meter_id: UUID, now: datetime, load_w: float) -> LoadSlot | None:
        """Take in the load of now; the quarter hour that ended with it, if one did."""
        slot_at, ended = slot_of(now), None
        if self._at is not None and slot_at != self._at:
            ended = self.slot(meter_id)
            self._sum_ws = self._seconds = 0.0
            self._highest_w = -inf
            self._last = None
        self._at = slot_at
        if self._last is not None:
            seconds = max(0.0, (now - self._last[0]).total_seconds())
            self._sum_ws += self._last[1] * seconds
            self._seconds += seconds
        self._last = (now, load_w)
        self._highest_w = max(self._highest_w, load_w)
        return ended

    def slot(self, meter_id: UUID) -> LoadSlot | None:
        """The quarter hour under way, as far as it went; None with too little of it."""
        if self._at is None or self._seconds < SLOT_S / 5:
            return None
        mean_w = self._sum_ws / self._seconds
        return LoadSlot(meter_id, self._at, mean_w, self._highest_w, self._seconds)

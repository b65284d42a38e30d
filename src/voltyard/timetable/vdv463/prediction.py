"""Pure: from the plan in force to when a vehicle has which state of charge."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

from voltyard.energy.model import Plan, Stay

POINTS_MAX = 48
CLOSE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Outlook:
    """The plan of a site and the stays it was made for; power granted now by EVSE."""

    plan: Plan | None = None
    stays: Mapping[UUID, Stay] | None = None
    granted_w: Mapping[UUID, float] | None = None
    limit_w: Mapping[UUID, float] | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """``min_at``, ``max_at``: when the two states of charge are reached, None where never in the
    stay. ``after_at``: when the lower one would be reached if the vehicle stayed on, at its own
    power. ``finished``: there is nothing left to charge."""

    start_at: datetime | None = None
    min_at: datetime | None = None
    max_at: datetime | None = None
    after_at: datetime | None = None
    departure_soc_pct: float | None = None
    finished: bool = False
    progress: tuple[tuple[datetime, float], ...] = ()


def predicted(
    outlook: Outlook,
    stay_id: UUID,
    now: datetime,
    departure_at: datetime,
    min_pct: float,
    max_pct: float,
) -> Prediction:
    """Empty where the plan knows nothing of the stay, or was made for another departure."""
    plan, stay = outlook.plan, (outlook.stays or {}).get(stay_id)
    if plan is None or stay is None or stay_id not in plan.power_w:
        return Prediction()
    if _is_stale(stay, departure_at, now):
        return Prediction()
    start_at = _start(plan, stay_id, now)
    forecast = plan.forecasts.get(stay_id)
    at_departure = None if forecast is None else forecast.soc_at_departure_pct
    course = _course(plan, stay, stay_id, departure_at)
    if not course:
        ready_at = None if forecast is None else forecast.ready_at
        return Prediction(start_at, ready_at, ready_at, ready_at, at_departure)
    if at_departure is None:
        at_departure = course[-1][1]
    min_at, max_at = _reached(course, min_pct, now), _reached(course, max_pct, now)
    return Prediction(
        start_at=start_at,
        min_at=min_at,
        max_at=max_at,
        after_at=min_at or _after(stay, course, min_pct),
        departure_soc_pct=at_departure,
        finished=_at(course, now) >= max_pct - 0.5,
        progress=_thinned([point for point in course if point[0] > now]),
    )


def _is_stale(stay: Stay, departure_at: datetime, now: datetime) -> bool:
    """Close before a departure the plan itself lets stays last a little longer."""
    moved_s = abs((stay.departure_at - departure_at).total_seconds())
    return moved_s > 1.0 and max(stay.departure_at, departure_at) > now + CLOSE


def _start(plan: Plan, stay_id: UUID, now: datetime) -> datetime | None:
    """When power is first planned for it."""
    for index, power_w in enumerate(plan.power_w[stay_id]):
        if power_w > 0.0 and plan.bounds[index + 1] > now:
            return max(now, plan.bounds[index])
    return None


def _course(
    plan: Plan, stay: Stay, stay_id: UUID, departure_at: datetime
) -> list[tuple[datetime, float]]:
    """State of charge at each border of the plan until the departure."""
    if stay.soc_pct is None or not stay.battery_wh:
        return []
    per_wh = stay.efficiency / stay.battery_wh * 100.0
    soc_pct = stay.soc_pct
    course = [(plan.bounds[0], soc_pct)]
    for index, power_w in enumerate(plan.power_w[stay_id]):
        begin_at, end_at = plan.bounds[index], min(plan.bounds[index + 1], departure_at)
        if end_at <= begin_at:
            break
        hours = (end_at - begin_at).total_seconds() / 3600.0
        soc_pct = min(100.0, soc_pct + power_w * hours * per_wh)
        course.append((end_at, soc_pct))
    return course


def _reached(
    course: list[tuple[datetime, float]], wanted_pct: float, now: datetime
) -> datetime | None:
    if course[0][1] >= wanted_pct:
        return now
    for (begin_at, begin_pct), (end_at, end_pct) in pairwise(course):
        if end_pct >= wanted_pct - 0.05 and end_pct > begin_pct:
            share = min(1.0, (wanted_pct - begin_pct) / (end_pct - begin_pct))
            return max(now, begin_at + share * (end_at - begin_at))
    return None


def _after(stay: Stay, course: list[tuple[datetime, float]], wanted_pct: float) -> datetime | None:
    if not stay.battery_wh or stay.max_power_w <= 0.0:
        return None
    last_at, last_pct = course[-1]
    missing_wh = max(0.0, wanted_pct - last_pct) / 100.0 * stay.battery_wh / stay.efficiency
    return last_at + timedelta(hours=missing_wh / stay.max_power_w)


def _at(course: list[tuple[datetime, float]], now: datetime) -> float:
    """The state of charge now, as planned."""
    for (begin_at, begin_pct), (end_at, end_pct) in pairwise(course):
        if now < end_at:
            share = max(0.0, (now - begin_at) / (end_at - begin_at))
            return begin_pct + share * (end_pct - begin_pct)
    return course[-1][1]


def _thinned(course: list[tuple[datetime, float]]) -> tuple[tuple[datetime, float], ...]:
    """Borders where the course bends, at most ``POINTS_MAX``, the last among them."""
    kept = [
        point
        for index, point in enumerate(course)
        if index == len(course) - 1 or abs(course[index + 1][1] - point[1]) > 0.05
    ]
    if len(kept) <= POINTS_MAX:
        return tuple(kept)
    step = -(-len(kept) // POINTS_MAX)
    return (*kept[:-1:step][: POINTS_MAX - 1], kept[-1])

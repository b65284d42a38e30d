"""A study's charts: power over time, ready over what is installed, bays over vehicles."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil, floor, log10
from statistics import fmean
from zoneinfo import ZoneInfo

from voltyard.study.model import Outcome, Room, Sized
from voltyard.study.pictures import (
    BOTTOM,
    HEIGHT,
    LEFT,
    WIDTH,
    Area,
    Dot,
    Path,
    Picture,
    Plane,
    Shape,
    Text,
)
from voltyard.study.wording import NO_LIMIT_W, Wording

_HOURS = (1, 2, 3, 6, 12, 24, 48, 96, 168)
_COLUMNS_MAX = 384


@dataclass(frozen=True, slots=True)
class _Column:
    """Mean powers in kW over one or more quarters of an hour."""

    start_at: datetime
    grid: float
    charging: float
    other: float
    pv: float
    battery: float


def _columns(found: Outcome) -> list[_Column]:
    """As many as a picture can show."""
    size = ceil(len(found.quarters) / _COLUMNS_MAX)
    return [
        _Column(
            start_at=some[0].start_at,
            grid=fmean(q.grid_w for q in some) / 1000.0,
            charging=fmean(q.charging_w for q in some) / 1000.0,
            other=fmean(q.other_w for q in some) / 1000.0,
            pv=fmean(q.pv_w for q in some) / 1000.0,
            battery=fmean(q.battery_w for q in some) / 1000.0,
        )
        for place in range(0, len(found.quarters), size)
        if (some := found.quarters[place : place + size])
    ]


def load(found: Outcome, words: Wording, zone: ZoneInfo) -> Picture:
    """Other load and charging stacked, what the grid gives, battery, PV, the limit; in kW."""
    columns = _columns(found)
    limit_kw = 0.0 if found.limit_w >= NO_LIMIT_W else found.limit_w / 1000.0
    other = [column.other for column in columns]
    both = [column.charging + column.other for column in columns]
    grid = [column.grid for column in columns]
    battery = [column.battery for column in columns]
    pv = [column.pv for column in columns]
    high = 1.05 * max([*both, *grid, *battery, *pv, limit_kw, found.peak_w / 1000.0, 1.0])
    low = min([0.0, *grid, *battery, *other])
    plane = Plane(0.0, float(len(columns)), 1.05 * low, high)
    shapes: list[Shape] = [*_grid_y(plane, words), *_hours(plane, columns, zone)]
    shapes.append(_area(plane, other, [0.0] * len(other), "other"))
    shapes.append(_area(plane, both, other, "charge"))
    shapes.append(_stairs(plane, grid, "grid"))
    shapes += [
        _stairs(plane, values, name)
        for values, name in ((battery, "battery"), (pv, "pv"))
        if any(values)
    ]
    if limit_kw:
        shapes.append(plane.across("limit", limit_kw))
    return Picture(words.load_label(found), tuple(shapes))


def ladder(sized: Sized, words: Wording, *, of_power: bool) -> Picture:
    """Ready by amount: full where as many as can be, hollow where not; the bound as a line."""
    scale = 1000.0 if of_power else 1.0
    points = [(amount / scale, ready) for amount, ready in sized.tried if amount < NO_LIMIT_W]
    marks = [amount for amount, _ in points]
    marks += [] if sized.bound is None else [sized.bound / scale]
    counts = [float(ready) for _, ready in points]
    plane = _roomy(marks, counts)
    shapes: list[Shape] = [*_grid_y(plane, words, whole=True), *_grid_x(plane, words)]
    if sized.bound is not None:
        shapes.append(plane.down("bound", sized.bound / scale))
        shapes.append(Text(plane.x(sized.bound / scale) + 4, HEIGHT - BOTTOM - 6, words.bound()))
    shapes.append(Path("way", tuple((plane.x(at), plane.y(ready)) for at, ready in points)))
    for amount, ready in points:
        kind = "served" if ready >= sized.wanted else "failed"
        title = words.tried(amount, ready, of_power=of_power)
        shapes.append(Dot(kind, plane.x(amount), plane.y(ready), title))
    x, y = plane.x(sized.amount / scale), plane.y(sized.outcome.ready)
    text = words.amount(sized.amount / scale, of_power=of_power)
    shapes.append(Text(x, y - 10, text, "end" if x > WIDTH / 2.0 else "start"))
    return Picture(words.ladder_label(text), tuple(shapes))


def bays(room: Room, installed: int, words: Wording) -> Picture:
    """Bays needed as the fleet grows, plugged in until departure and handed on; what there is."""
    ladder = room.ladder
    high_y = max([float(installed), *(float(step.bays_staying) for step in ladder)])
    vehicles = [float(step.vehicles) for step in ladder]
    span = max(1.0, max(vehicles) - min(vehicles))
    plane = Plane(min(vehicles) - 0.04 * span, max(vehicles) + 0.04 * span, 0.0, 1.15 * high_y)
    shapes: list[Shape] = [*_grid_y(plane, words, whole=True), *_grid_x(plane, words)]
    shapes.append(plane.across("have", installed))
    shapes.append(Text(LEFT + 6, plane.y(installed) - 6, words.installed(installed)))
    for kind, counts in (
        ("staying", [step.bays_staying for step in ladder]),
        ("handed", [step.bays_shunting for step in ladder]),
    ):
        places = [(plane.x(at), plane.y(count)) for at, count in zip(vehicles, counts, strict=True)]
        shapes.append(Path(kind, tuple(places)))
        shapes += [
            Dot(kind, x, y, words.bays_at(at, count))
            for (x, y), at, count in zip(places, vehicles, counts, strict=True)
        ]
    return Picture(words.bays_label(room, installed), tuple(shapes))


def _roomy(marks: Sequence[float], counts: Sequence[float]) -> Plane:
    span, room = max(marks) - min(marks), max(1.0, max(counts) - min(counts))
    return Plane(
        min(marks) - 0.08 * span - 1e-6,
        max(marks) + 0.08 * span + 1e-6,
        min(counts) - 0.25 * room,
        max(counts) + 0.25 * room,
    )


def _area(plane: Plane, top: Sequence[float], bottom: Sequence[float], kind: str) -> Area:
    return Area(kind, (*_steps(plane, top), *reversed(_steps(plane, bottom))))


def _stairs(plane: Plane, values: Sequence[float], kind: str) -> Path:
    return Path(kind, tuple(_steps(plane, values)))


def _steps(plane: Plane, values: Sequence[float]) -> list[tuple[float, float]]:
    """Each value holds for its column."""
    found: list[tuple[float, float]] = []
    for place, value in enumerate(values):
        y = plane.y(value)
        found += [(plane.x(place), y), (plane.x(place + 1), y)]
    return found


def _round_step(span: float, pieces: int) -> float:
    raw = max(span, 1e-9) / pieces
    size = 10.0 ** floor(log10(raw))
    return next(size * times for times in (1.0, 2.0, 5.0, 10.0) if size * times >= raw)


def _marks(low: float, high: float, pieces: int, *, whole: bool = False) -> list[float]:
    step = _round_step(high - low, pieces)
    step = max(1.0, step) if whole else step
    return [step * n for n in range(ceil(low / step), floor(high / step) + 1)]


def _grid_y(plane: Plane, words: Wording, *, whole: bool = False) -> list[Shape]:
    found: list[Shape] = []
    for value in _marks(plane.low_y, plane.high_y, 4, whole=whole):
        found.append(plane.across("axis", value))
        found.append(Text(LEFT - 6, plane.y(value) + 4, words.number(value, 0), "end"))
    return found


def _grid_x(plane: Plane, words: Wording) -> list[Shape]:
    return [
        Text(plane.x(value), HEIGHT - 8, words.number(value, 0), "middle")
        for value in _marks(plane.low_x, plane.high_x, 6, whole=True)
    ]


def _hours(plane: Plane, columns: Sequence[_Column], zone: ZoneInfo) -> list[Shape]:
    """Full hours of local time below, as many as fit; days where the period is long."""
    starts = [column.start_at for column in columns]
    step = starts[1] - starts[0] if len(starts) > 1 else timedelta(minutes=15)
    hours = (starts[-1] - starts[0] + step).total_seconds() / 3600.0
    every = next((step for step in _HOURS if hours / step <= 9), _HOURS[-1])
    texts: list[Shape] = []
    for place, (before, at) in enumerate(pairwise([starts[0] - step, *starts])):
        here, last = at.astimezone(zone), before.astimezone(zone)
        if every < 24:
            shown = here.hour != last.hour and here.hour % every == 0
        else:
            day = here.toordinal()
            shown = here.date() != last.date() and (day * 24) % every == 0
        if shown:
            text = f"{here:%H:%M}" if every < 24 else f"{here:%d.%m.}"
            texts.append(Text(plane.x(place), HEIGHT - 8, text, "middle"))
    return texts

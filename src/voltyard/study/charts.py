"""Charts as inline SVG, from numbers alone: power over time, and ready over what is installed."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from html import escape
from itertools import pairwise
from math import floor, log10
from zoneinfo import ZoneInfo

from voltyard.study.model import Outcome, Sized

Number = Callable[[float, int], str]

_WIDTH, _HEIGHT = 600.0, 250.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 10.0, 14.0, 26.0
_HOURS = (1, 2, 3, 6, 12, 24, 48, 96, 168)
_NO_LIMIT_W = 1e8

LEGEND = (
    "<ul class=legend>"
    '<li><i style="color:var(--charge)"></i>charging</li>'
    '<li><i style="color:var(--other)"></i>other load</li>'
    '<li><i style="color:var(--text);border-top-width:2px"></i>grid connection</li>'
    '<li><i style="color:var(--limit);border-top:2px dashed"></i>limit</li>'
    '<li><i style="color:var(--battery)"></i>battery (above 0: gives)</li>'
    '<li><i style="color:var(--pv)"></i>PV</li></ul>'
)


class _Plane:
    """From values to places in the picture."""

    def __init__(self, low_x: float, high_x: float, low_y: float, high_y: float) -> None:
        self.low_x, self.high_x, self.low_y, self.high_y = low_x, high_x, low_y, high_y

    def x(self, value: float) -> float:
        share = (value - self.low_x) / max(1e-9, self.high_x - self.low_x)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        share = (value - self.low_y) / max(1e-9, self.high_y - self.low_y)
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)


def load(found: Outcome, number: Number, zone: ZoneInfo, limit_w: float | None) -> str:
    """Other load and charging stacked, what the grid gives, battery, PV, the limit; in kW."""
    quarters = found.quarters
    other = [quarter.other_w / 1000.0 for quarter in quarters]
    both = [
        quarter.charging_w / 1000.0 + base for quarter, base in zip(quarters, other, strict=True)
    ]
    grid = [quarter.grid_w / 1000.0 for quarter in quarters]
    battery = [quarter.battery_w / 1000.0 for quarter in quarters]
    pv = [quarter.pv_w / 1000.0 for quarter in quarters]
    limit_kw = 0.0 if limit_w is None else limit_w / 1000.0
    high = 1.05 * max([*both, *grid, *battery, *pv, limit_kw, 1.0])
    low = min([0.0, *grid, *battery])
    plane = _Plane(0.0, float(len(quarters)), 1.05 * low, high)
    parts = [_grid_y(plane, number), _hours(plane, found, zone)]
    parts.append(_area(plane, other, [0.0] * len(other), "otherload"))
    parts.append(_area(plane, both, other, "charge"))
    parts.append(_path(plane, grid, "grid-line"))
    for values, name in ((battery, "battery"), (pv, "pv")):
        if any(values):
            parts.append(_path(plane, values, name))
    if limit_w is not None:
        y = plane.y(limit_kw)
        parts.append(f"<line class=limit x1={_LEFT} x2={_WIDTH - _RIGHT} y1={y} y2={y} />")
    peak = number(found.peak_w / 1000.0, 0)
    return _svg(parts, f"Load of {found.name}: peak {peak} kW")


def ladder(sized: Sized, unit: str, scale: float, number: Number) -> str:
    """Ready by amount: full where as many as can be, hollow where not; the bound as a line."""
    points = [(amount / scale, ready) for amount, ready in sized.tried if amount < _NO_LIMIT_W]
    amounts = [amount for amount, _ in points]
    counts = [ready for _, ready in points]
    marks = [*amounts, *([] if sized.bound is None else [sized.bound / scale])]
    span = max(marks) - min(marks)
    low_y, high_y = float(min(counts)), float(max(counts))
    room = max(1.0, high_y - low_y)
    plane = _Plane(
        min(marks) - 0.08 * span - 1e-6,
        max(marks) + 0.08 * span + 1e-6,
        low_y - 0.25 * room,
        high_y + 0.25 * room,
    )
    parts = [_grid_y(plane, number, whole=True), _grid_x(plane, number)]
    if sized.bound is not None:
        x = plane.x(sized.bound / scale)
        parts.append(f"<line class=bound x1={x} x2={x} y1={_TOP} y2={_HEIGHT - _BOTTOM} />")
        parts.append(f"<text x={x + 4} y={_HEIGHT - _BOTTOM - 6}>bound</text>")
    line = " ".join(f"{plane.x(amount)},{plane.y(ready)}" for amount, ready in points)
    parts.append(f'<polyline class=way points="{line}" />')
    for amount, ready in points:
        kind = "served" if ready >= sized.wanted else "failed"
        title = f"{number(amount, 0)} {unit}: {ready} ready"
        parts.append(
            f"<circle class={kind} cx={plane.x(amount)} cy={plane.y(ready)} r=5>"
            f"<title>{escape(title)}</title></circle>"
        )
    x, y = plane.x(sized.amount / scale), plane.y(sized.outcome.ready)
    anchor = "end" if x > _WIDTH / 2.0 else "start"
    text = f"{number(sized.amount / scale, 0)} {unit}"
    parts.append(f"<text x={x} y={y - 10} text-anchor={anchor}>{escape(text)}</text>")
    return _svg(parts, f"Ready by {unit}: {text} is the least that serves")


def _svg(parts: Sequence[str], label: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role=img aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )


def _area(plane: _Plane, top: Sequence[float], bottom: Sequence[float], name: str) -> str:
    over = " ".join(_stairs(plane, top))
    under = " ".join(reversed(_stairs(plane, bottom)))
    return f'<polygon class={name} points="{over} {under}" />'


def _path(plane: _Plane, values: Sequence[float], name: str) -> str:
    return f'<polyline class={name} points="{" ".join(_stairs(plane, values))}" />'


def _stairs(plane: _Plane, values: Sequence[float]) -> list[str]:
    """Each value holds for its quarter."""
    found: list[str] = []
    for place, value in enumerate(values):
        y = plane.y(value)
        found += [f"{plane.x(place)},{y}", f"{plane.x(place + 1)},{y}"]
    return found


def _round_step(span: float, pieces: int) -> float:
    raw = max(span, 1e-9) / pieces
    size = 10.0 ** floor(log10(raw))
    return next(size * times for times in (1.0, 2.0, 5.0, 10.0) if size * times >= raw)


def _marks(low: float, high: float, pieces: int, *, whole: bool = False) -> list[float]:
    step = _round_step(high - low, pieces)
    step = max(1.0, step) if whole else step
    first = -int(-low // step) if low < 0 else int(-(-low // step))
    return [step * n for n in range(first, int(high // step) + 1)]


def _grid_y(plane: _Plane, number: Number, *, whole: bool = False) -> str:
    found: list[str] = []
    for value in _marks(plane.low_y, plane.high_y, 4, whole=whole):
        y = plane.y(value)
        found.append(f"<line class=axis x1={_LEFT} x2={_WIDTH - _RIGHT} y1={y} y2={y} />")
        found.append(f"<text x={_LEFT - 6} y={y + 4} text-anchor=end>{number(value, 0)}</text>")
    return "".join(found)


def _grid_x(plane: _Plane, number: Number) -> str:
    return "".join(
        f"<text x={plane.x(value)} y={_HEIGHT - 8} text-anchor=middle>{number(value, 0)}</text>"
        for value in _marks(plane.low_x, plane.high_x, 6, whole=True)
    )


def _hours(plane: _Plane, found: Outcome, zone: ZoneInfo) -> str:
    """Full hours of local time below, as many as fit; days where the period is long."""
    starts = [quarter.start_at for quarter in found.quarters]
    hours = (starts[-1] - starts[0] + timedelta(minutes=15)).total_seconds() / 3600.0
    every = next((step for step in _HOURS if hours / step <= 9), _HOURS[-1])
    texts: list[str] = []
    for place, (before, at) in enumerate(pairwise([starts[0] - timedelta(minutes=15), *starts])):
        here, last = at.astimezone(zone), before.astimezone(zone)
        whole = here.hour != last.hour
        daily = every < 24 or (here.toordinal() * 24) % every == 0
        if whole and here.hour % min(24, every) == 0 and daily:
            text = f"{here:%H:%M}" if every < 24 else f"{here:%d.%m.}"
            anchor = "middle"
            texts.append(
                f"<text x={plane.x(place)} y={_HEIGHT - 8} text-anchor={anchor}>{text}</text>"
            )
    return "".join(texts)

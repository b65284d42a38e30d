"""From what a meter says to a reading in W: registers, JSON, units, signs and phases. Pure."""

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from voltyard.errors import Invalid
from voltyard.sitemeters.model import UNITS, NumberKind, Point, Quantity, Reading
from voltyard.units import NOMINAL_VOLTAGE_V

WORDS = {
    NumberKind.U16: 1, NumberKind.S16: 1, NumberKind.U32: 2, NumberKind.S32: 2,
    NumberKind.F32: 2, NumberKind.U64: 4, NumberKind.S64: 4, NumberKind.F64: 4,
}  # fmt: skip
_FORMATS = {
    NumberKind.U16: ">H", NumberKind.S16: ">h", NumberKind.U32: ">I", NumberKind.S32: ">i",
    NumberKind.F32: ">f", NumberKind.U64: ">Q", NumberKind.S64: ">q", NumberKind.F64: ">d",
}  # fmt: skip
_UNSET = {
    NumberKind.U16: 0xFFFF, NumberKind.S16: -0x8000, NumberKind.U32: 0xFFFFFFFF,
    NumberKind.S32: -0x80000000, NumberKind.U64: 0xFFFFFFFFFFFFFFFF, NumberKind.S64: -(1 << 63),
}  # fmt: skip
"""SunSpec and most makes send these for a number they do not have."""
MESSAGE_MAX = 64 * 1024
MILLISECONDS_FROM = 1e11
PHASE_POWERS = (Quantity.POWER_L1, Quantity.POWER_L2, Quantity.POWER_L3)
PHASE_CURRENTS = (Quantity.CURRENT_L1, Quantity.CURRENT_L2, Quantity.CURRENT_L3)


def number_of(words: Sequence[int], kind: NumberKind, *, swapped: bool) -> float:
    """The number that registers hold. Raises Invalid where they say that there is none."""
    ordered = reversed(words) if swapped else words
    data = b"".join(struct.pack(">H", word) for word in ordered)
    value = struct.unpack(_FORMATS[kind], data)[0]
    if value == _UNSET.get(kind):
        raise Invalid("The meter has no value there.", code="no_value")
    return float(value)


def reading_of(points: Sequence[Point], raw: Callable[[Point], float], now: datetime) -> Reading:
    """A reading from every point's raw number. Raises Invalid when no power comes of it.

    Without total power it is the sum of the phases. Phases are taken only when all three are
    told; currents are turned into power at 230 V, which assumes that they are consumption.
    """
    values = {point.quantity: _value(point, raw(point)) for point in points}
    phases_w = _phases(values)
    power_w = values.get(Quantity.POWER)
    if power_w is None and phases_w is not None:
        power_w = sum(phases_w)
    if power_w is None:
        raise Invalid("The meter tells no power.", code="no_value")
    at = now
    if Quantity.TIME in values:
        at = min(now, _instant(values[Quantity.TIME]))
    return Reading(at, power_w, phases_w, values.get(Quantity.ENERGY))


def _value(point: Point, raw: float) -> float:
    if point.quantity is Quantity.TIME:
        return raw
    value = raw * point.scale * UNITS[point.unit]
    if not isfinite(value):
        raise Invalid("The meter tells no number.", code="no_value")
    return -value if point.inverted else value


def _phases(values: Mapping[Quantity, float]) -> tuple[float, float, float] | None:
    for names, factor in ((PHASE_POWERS, 1.0), (PHASE_CURRENTS, NOMINAL_VOLTAGE_V)):
        if all(name in values for name in names):
            first, second, third = (values[name] * factor for name in names)
            return first, second, third
    return None


def _instant(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        raise Invalid("The meter's time makes no sense.", code="no_value") from None


def reading_of_message(points: Sequence[Point], body: bytes, now: datetime) -> Reading:
    """Of a JSON message, or a bare number. Raises Invalid, with what is wrong."""
    if len(body) > MESSAGE_MAX:
        raise Invalid("The message is too long.", code="message")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise Invalid("The message is neither JSON nor a number.", code="message") from None
    return reading_of(points, lambda point: _found(content, point), now)


def _found(content: Any, point: Point) -> float:
    part = content
    for step in point.path.split(".") if point.path else ():
        if isinstance(part, list) and step.isdigit() and int(step) < len(part):
            part = part[int(step)]
        elif isinstance(part, dict) and step in part:
            part = part[step]
        else:
            raise Invalid(f"The message has no {point.path}.", code="no_value")
    return _seconds(part) if point.quantity is Quantity.TIME else _number(part, point.path)


def _number(part: Any, path: str) -> float:
    if isinstance(part, bool) or not isinstance(part, int | float | str):
        raise Invalid(f"There is no number at {path or 'the top'}.", code="no_value")
    try:
        return float(part)
    except (ValueError, OverflowError):
        raise Invalid(f"There is no number at {path or 'the top'}.", code="no_value") from None


def _seconds(part: Any) -> float:
    if isinstance(part, str) and not part.replace(".", "", 1).isdigit():
        try:
            at = datetime.fromisoformat(part)
        except ValueError:
            raise Invalid("The meter's time makes no sense.", code="no_value") from None
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    seconds = _number(part, "time")
    return seconds / 1e3 if seconds > MILLISECONDS_FROM else seconds

"""What PV gives: the sun's height over the horizon, and seeded weather. Pure.

The height is by the usual formulas for declination and hour angle (Cooper 1969), good to a degree;
panels and clouds are one constant share, about 900 kWh a kWp and year in the middle of Germany.
"""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from math import asin, cos, pi, radians, sin

LATITUDE_DEG, LONGITUDE_DEG = 51.0, 10.0
YIELD_SHARE = 0.5
"""Of the panels' peak power with the sun in the zenith, over a usual year's weather."""
_KEPT, _NOISE = 0.9, 0.12
_LEAST, _MOST = 0.3, 1.6


def height_rad(at: datetime) -> float:
    """Of the sun over the horizon at an aware instant (UTC), in the middle of Germany."""
    day = at.timetuple().tm_yday
    declination = radians(23.45) * sin(2.0 * pi * (284 + day) / 365.0)
    hours = at.hour + at.minute / 60.0 + at.second / 3600.0 + LONGITUDE_DEG / 15.0
    angle = radians(15.0 * (hours - 12.0))
    latitude = radians(LATITUDE_DEG)
    return asin(sin(latitude) * sin(declination) + cos(latitude) * cos(declination) * cos(angle))


def expected_w(peak_wp: float, start_at: datetime, steps: int, step_s: int) -> list[float]:
    """By step, taken at its middle."""
    middle = timedelta(seconds=step_s / 2.0)
    instants = (start_at + timedelta(seconds=step_s * step) + middle for step in range(steps))
    return [peak_wp * YIELD_SHARE * max(0.0, sin(height_rad(at))) for at in instants]


def weather(expected: Sequence[float], rng: random.Random) -> list[float]:
    """What comes of it: clouds last for a while."""
    found: list[float] = []
    error = 0.0
    for power_w in expected:
        error = _KEPT * error + rng.gauss(0.0, _NOISE)
        found.append(power_w * min(_MOST, max(_LEAST, 1.0 + error)))
    return found

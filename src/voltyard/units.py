"""Units: watts, watt-hours, amps and instants in plain numbers whose names carry the unit."""

from datetime import UTC, datetime
from math import floor, sqrt

SQRT3 = sqrt(3.0)
NOMINAL_VOLTAGE_V = 230.0


def kw(power_w: float) -> float:
    return power_w / 1000.0


def watts_from_kw(power_kw: float) -> float:
    return power_kw * 1000.0


def amps_to_watts(current_a: float, phases: int, voltage_v: float = NOMINAL_VOLTAGE_V) -> float:
    """Power of ``current_a`` per phase on ``phases`` phases at the phase-to-neutral voltage."""
    return current_a * phases * voltage_v


def watts_to_amps(power_w: float, phases: int, voltage_v: float = NOMINAL_VOLTAGE_V) -> float:
    """Current per phase of ``power_w`` spread evenly over ``phases`` phases."""
    return power_w / (phases * voltage_v)


def floor_amps(current_a: float) -> int:
    """Whole amps, never more than asked (a charger on AC is set in whole amps)."""
    return max(0, floor(current_a + 1e-9))


def iso_z(at: datetime) -> str:
    """RFC 3339 in UTC with ``Z`` and milliseconds, the only form voltyard sends."""
    if at.tzinfo is None:
        raise ValueError("an instant needs a timezone")
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

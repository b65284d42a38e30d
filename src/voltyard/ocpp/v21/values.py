"""The value of a limit or setpoint as OCPP 2.1 writes it."""

import math

from voltyard.chargers.model import PowerMode
from voltyard.errors import Invalid


def value(
    limit_w: float | None, limit_a: float | None, mode: PowerMode
) -> tuple[str, dict[str, float]]:
    """A limit never above what is meant, a setpoint never below it (that discharges more);
    Q03.FR.02, Q07.FR.03 and Q10.FR.01: no limit beside a setpoint, and neither when idle."""
    if (limit_w is None) == (limit_a is None):
        raise Invalid("a limit is either in W or in A")
    unit = "A" if limit_w is None else "W"
    given = limit_a if limit_w is None else limit_w
    assert given is not None
    if not math.isfinite(given) or (given < 0 and mode is PowerMode.LIMIT):
        raise Invalid("a limit is a number that is not negative")
    if mode is PowerMode.IDLE:
        return unit, {}
    tenths = math.floor(abs(given) * 10 + 1e-6) / 10
    value = int(tenths) if tenths == int(tenths) else tenths
    return unit, {
        "limit" if mode is PowerMode.LIMIT else "setpoint": -value if given < 0 else value
    }

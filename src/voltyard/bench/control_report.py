"""What ``voltyard bench control`` found, as JSON with stable keys and as a table."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voltyard.bench.control import Size

_ROWS = (
    ("limit lowered to the last confirmation, median s", "cut_confirmed_s"),
    ("… the slowest of the cuts, s", "cut_confirmed_max_s"),
    ("… and until the server knows of all, median s", "cut_known_s"),
    ("… chargers that were lowered, median", "cut_chargers"),
    ("command by REST to confirmation, p50 ms", "command_p50_ms"),
    ("… p99 ms", "command_p99_ms"),
    ("the same hops over bare sockets, p50 ms", "floor_p50_ms"),
    ("… p99 ms", "floor_p99_ms"),
    ("answer to a reading, no plan in progress, p50 ms", "answer_p50_ms"),
    ("… p99 ms", "answer_p99_ms"),
    ("answer to a reading, plan in progress, p50 ms", "answer_planning_p50_ms"),
    ("… p99 ms", "answer_planning_p99_ms"),
    ("all connected and accepted, s", "connect_s"),
)


def result(
    size: "Size",
    joined: Mapping[str, Any],
    answers: Sequence[tuple[float, bool]],
    commands: Sequence[float],
    floor: Sequence[float],
    cuts: Sequence[Mapping[str, Any]],
    faults: Mapping[str, int],
) -> dict[str, Any]:
    """Null where nothing was seen; a cut that was never confirmed makes the cuts' figures null."""
    confirmed = [cut["confirmed_s"] for cut in cuts]
    known = [cut["known_s"] for cut in cuts]
    calm = [took_s for took_s, planning in answers if not planning]
    planning = [took_s for took_s, planning in answers if planning]
    return {
        "chargers": size.chargers,
        "rate": size.rate,
        "connect_s": joined["connect_s"],
        "accepted": joined["accepted"],
        "limited": joined["limited"],
        "cut_confirmed_s": _median(confirmed),
        "cut_confirmed_max_s": None if None in confirmed or not confirmed else max(confirmed),
        "cut_known_s": _median(known),
        "cut_chargers": _median([cut["lowered"] for cut in cuts]),
        "command_p50_ms": milliseconds(commands, 0.50),
        "command_p99_ms": milliseconds(commands, 0.99),
        "floor_p50_ms": milliseconds(floor, 0.50),
        "floor_p99_ms": milliseconds(floor, 0.99),
        "answer_p50_ms": milliseconds(calm, 0.50),
        "answer_p99_ms": milliseconds(calm, 0.99),
        "answer_planning_p50_ms": milliseconds(planning, 0.50),
        "answer_planning_p99_ms": milliseconds(planning, 0.99),
        "answers": len(calm),
        "answers_planning": len(planning),
        "cuts": [dict(cut) for cut in cuts],
        "errors": {**joined["errors"], **faults},
    }


def table(found: Mapping[str, Any]) -> str:
    lines = [f"{found['chargers']} chargers, {found['rate']:g} readings a second"]
    lines += [f"{title:56} {shown(found[key]):>10}" for title, key in _ROWS]
    if found["errors"]:
        lines.append(f"errors: {found['errors']}")
    return "\n".join(lines)


def shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _median(values: Sequence[float | None]) -> float | None:
    sure = [value for value in values if value is not None]
    return median(sure) if sure and len(sure) == len(values) else None


def milliseconds(seconds: Sequence[float], share: float) -> float | None:
    """The share's quantile, in ms."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return 1000.0 * ordered[min(len(ordered) - 1, int(len(ordered) * share))]

"""What ``voltyard bench ocpp`` found, as JSON with stable keys and as a table."""

from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voltyard.bench.ocpp import Course, Size

_COLUMNS = (
    ("messages / CPU-s", "messages_per_cpu_s", "{:,.0f}"),
    ("without its database", "messages_per_server_cpu_s", "{:,.0f}"),
    ("messages / s", "messages_per_s", "{:,.0f}"),
    ("half load p50 ms", "half_p50_ms", "{:.1f}"),
    ("p99 ms", "half_p99_ms", "{:.1f}"),
    ("idle KiB", "idle_kib", "{:.1f}"),
    ("storm s", "storm_s", "{:.1f}"),
    ("storm errors", "storm_errors", "{:d}"),
    ("errors", "errors", "{:d}"),
)


def result(courses: "Sequence[Course]", size: "Size") -> dict[str, Any]:
    """Medians of the rounds; a ratio is null when one of its two sides was left out."""
    rows = {course.subject.key: _row(course) for course in courses}
    ours = [rows[key] for key in ("durable", "memory") if key in rows]
    return {
        "ratio_vs_ocpp_package": _ratio(rows, "memory", "ocpp_package"),
        "ratio_vs_ocpp_rpc": _ratio(rows, "memory", "ocpp_rpc"),
        "ratio_vs_ws_floor": _ratio(rows, "memory", "ws_floor"),
        "durable_ratio_vs_ocpp_rpc": _ratio(rows, "durable", "ocpp_rpc"),
        "idle_bytes_per_connection": max((row["idle_bytes"] for row in ours), default=None),
        "storm_errors": sum(row["storm_errors"] for row in ours),
        "connections": size.connections,
        "idle_connections": size.idle,
        "rounds": size.rounds,
        "round_s": size.seconds,
        "subjects": rows,
    }


def table(found: dict[str, Any]) -> str:
    """One line per subject, then the ratios."""
    width = max(len(row["title"]) for row in found["subjects"].values())
    lines = [" ".join([" " * width, *(title.rjust(len(title)) for title, _, _ in _COLUMNS)])]
    for row in found["subjects"].values():
        row = row | {"idle_kib": row["idle_bytes"] / 1024}
        cells = [form.format(row[key]).rjust(len(title)) for title, key, form in _COLUMNS]
        lines.append(" ".join([row["title"].ljust(width), *cells]))
    for name in (
        "ratio_vs_ocpp_package",
        "ratio_vs_ocpp_rpc",
        "ratio_vs_ws_floor",
        "durable_ratio_vs_ocpp_rpc",
    ):
        if found[name] is not None:
            lines.append(f"{name:28} {found[name]:8.2f}")
    for row in found["subjects"].values():
        if row["lost"] is not None:
            lines.append(f"acknowledged readings not stored: {row['lost']}")
        lines.extend(f"{row['title']}: {count} × {what}" for what, count in row["faults"].items())
    return "\n".join(lines)


def _row(course: "Course") -> dict[str, Any]:
    full, half = course.full, course.half
    whole = [part["cpu_s"] + part["database_cpu_s"] for part in full]
    faults = dict(course.errors)
    storm = course.storm
    for what, count in storm["errors"].items():
        faults[f"in the storm: {what}"] = count
    return {
        "title": course.subject.title,
        "messages_per_cpu_s": _median_rate([part["answered"] for part in full], whole),
        "messages_per_server_cpu_s": _median_rate(
            [part["answered"] for part in full], [part["cpu_s"] for part in full]
        ),
        "messages_per_s": _median_rate(
            [part["answered"] for part in full], [part["seconds"] for part in full]
        ),
        "database_share": median(
            part["database_cpu_s"] / spent if spent else 0.0
            for part, spent in zip(full, whole, strict=True)
        ),
        "full_p50_ms": median(part["p50_ms"] for part in full),
        "full_p99_ms": median(part["p99_ms"] for part in full),
        "half_p50_ms": median(part["p50_ms"] for part in half),
        "half_p99_ms": median(part["p99_ms"] for part in half),
        "idle_bytes": round(course.idle_bytes),
        "storm_s": storm["seconds"],
        "storm_turned_away": storm["turned_away"],
        "storm_errors": sum(storm["errors"].values()),
        "errors": sum(course.errors.values()),
        "faults": faults,
        "lost": course.lost,
        "load_cpu_share": median(part["load_cpu_s"] / part["seconds"] for part in full),
    }


def _median_rate(counts: Sequence[float], per: Sequence[float]) -> float:
    return median(
        count / amount if amount else 0.0 for count, amount in zip(counts, per, strict=True)
    )


def _ratio(rows: dict[str, Any], ours: str, theirs: str) -> float | None:
    if ours not in rows or theirs not in rows:
        return None
    peer = rows[theirs]["messages_per_cpu_s"]
    return float(rows[ours]["messages_per_cpu_s"] / peer) if peer else None

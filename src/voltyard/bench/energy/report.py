"""What ``voltyard bench energy`` found: rows with stable keys, and the same as a table."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from voltyard.bench.energy.bound import Bound
from voltyard.bench.energy.case import Case
from voltyard.bench.energy.loop import Outcome
from voltyard.bench.energy.oneshot import OneShot, growth

_ALL_THERE_IS = 0.99
_COLUMNS = (
    ("strategy", "strategy", "{}"),
    ("ready %", "ready_pct", "{:.1f}"),
    ("energy %", "energy_pct", "{:.2f}"),
    ("peak kW", "peak_kw", "{:,.0f}"),
    ("peak/least", "peak_ratio", "{:.3f}"),
    ("cost EUR", "cost_eur", "{:,.0f}"),
    ("cost/bound", "cost_ratio", "{:.4f}"),
    ("over min", "violation_minutes", "{:d}"),
    ("worst over %", "worst_over_pct", "{:.1f}"),
    ("changes/h", "changes_per_hour", "{:.2f}"),
    ("starts/stay", "starts_per_stay", "{:.2f}"),
    ("plan p50 s", "plan_p50_s", "{:.3f}"),
    ("max s", "plan_max_s", "{:.3f}"),
    ("alloc p50 ms", "allocate_p50_ms", "{:.2f}"),
    ("max ms", "allocate_max_ms", "{:.2f}"),
)
_ONE_SHOT = (
    ("vehicles", "vehicles", "{:,d}"),
    ("stays", "stays", "{:,d}"),
    ("slots", "slots", "{:d}"),
    ("plan s", "plan_s", "{:.3f}"),
    ("cost mode s", "plan_cost_s", "{:.3f}"),
    ("HiGHS s", "highs_s", "{:.3f}"),
    ("ratio", "ratio", "{:.2f}"),
    ("cost mode", "ratio_cost", "{:.2f}"),
    ("bill over HiGHS %", "gap_pct", "{:.3f}"),
    ("allocator ms", "allocate_ms", "{:.2f}"),
    ("all grants ms", "grants_ms", "{:.2f}"),
)


def bound_row(case: Case, best: Bound) -> dict[str, Any]:
    """Perfect foresight, as a row among the strategies."""
    return _head(case, "bound") | {
        "energy_pct": 100.0 * best.energy_wh / best.asked_wh,
        "peak_kw": best.peak_w / 1000.0,
        "peak_ratio": _over(best.peak_w, case.least_peak_w),
        "cost_eur": best.cost_eur,
        "cost_ratio": 1.0,
        "plan_p50_s": best.solve_s,
        "plan_max_s": best.solve_s,
    }


def row(case: Case, found: Outcome, best: Bound) -> dict[str, Any]:
    """A strategy's row. Cost is compared at equal energy, and only where (nearly) as much of it
    was delivered as could be."""
    complete = found.energy_wh >= _ALL_THERE_IS * best.energy_wh
    unit, least = found.cost_eur / found.energy_wh, best.cost_eur / best.energy_wh
    return _head(case, found.strategy) | {
        "ready_pct": 100.0 * found.ready / found.stays,
        "energy_pct": 100.0 * found.energy_wh / found.asked_wh,
        "peak_kw": found.peak_w / 1000.0,
        "peak_ratio": _over(found.peak_w, case.least_peak_w),
        "cost_eur": found.cost_eur,
        "cost_ratio": unit / least if complete else None,
        "violation_minutes": found.violations,
        "worst_over_pct": 100.0 * found.worst_over,
        "changes_per_hour": found.changes_per_hour,
        "starts_per_stay": found.starts_per_stay,
        "plan_p50_s": median(found.plan_s) if found.plan_s else None,
        "plan_max_s": max(found.plan_s, default=None),
        "allocate_p50_ms": 1000.0 * median(found.allocate_s) if found.allocate_s else None,
        "allocate_max_ms": 1000.0 * max(found.allocate_s) if found.allocate_s else None,
    }


def _head(case: Case, strategy: str) -> dict[str, Any]:
    names = [key for _, key, _ in _COLUMNS if key != "strategy"]
    return {
        "case": case.name,
        "source": case.source,
        "stays": len(case.visits),
        "outlets": len(case.outlets),
        "tight": case.tight,
        "limit_kw": case.limit_w / 1000.0,
        "strategy": strategy,
    } | dict.fromkeys(names)


def _over(peak_w: float, least_w: float) -> float | None:
    return peak_w / least_w if least_w > 0.0 else None


def one_shot_row(found: OneShot) -> dict[str, Any]:
    return {
        "vehicles": found.vehicles,
        "stays": found.stays,
        "slots": found.slots,
        "plan_s": found.plan_s,
        "plan_cost_s": found.plan_cost_s,
        "highs_s": found.highs_s,
        "highs_columns": found.highs_columns,
        "ratio": found.ratio,
        "ratio_cost": found.ratio_cost,
        "gap_pct": 100.0 * found.gap,
        "allocate_ms": found.allocate_ms,
        "grants_ms": found.grants_ms,
    }


def result(
    rows: Sequence[dict[str, Any]], shots: Sequence[OneShot], left_out: Sequence[str]
) -> dict[str, Any]:
    sizes = [shot.vehicles for shot in shots]
    return {
        "rows": list(rows),
        "one_shot": [one_shot_row(shot) for shot in shots],
        "growth_exponent": growth(sizes, [shot.plan_s for shot in shots]),
        "growth_exponent_highs": growth(sizes, [shot.highs_s for shot in shots]),
        "left_out": list(left_out),
    }


def table(found: dict[str, Any]) -> str:
    """A block for each case, one for single plans, and what was left out."""
    lines: list[str] = []
    for name in dict.fromkeys(row["case"] for row in found["rows"]):
        rows = [row for row in found["rows"] if row["case"] == name]
        head = rows[0]
        lines.append(
            f"{name}: {head['stays']} stays at {head['outlets']} outlets, "
            f"limit {head['limit_kw']:,.0f} kW ({head['source']})"
        )
        lines += [*_block(rows, _COLUMNS), ""]
    if found["one_shot"]:
        lines += ["one plan, everything foreseen, limit 1.15 × least peak"]
        lines += _block(found["one_shot"], _ONE_SHOT)
        for key in ("growth_exponent", "growth_exponent_highs"):
            if found[key] is not None:
                lines.append(f"{key} {found[key]:.2f}")
    lines += [f"left out: {reason}" for reason in found["left_out"]]
    return "\n".join(lines)


def _block(rows: Sequence[dict[str, Any]], columns: Sequence[tuple[str, str, str]]) -> list[str]:
    cells = [[title for title, _, _ in columns]]
    for one in rows:
        cells.append(
            ["–" if one[key] is None else form.format(one[key]) for _, key, form in columns]
        )
    widths = [max(len(line[column]) for line in cells) for column in range(len(columns))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    ]

"""What becomes of a run from one look to the next, and what of it a person must know. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.alerts.model import Severity
from voltyard.alerts.service import Cause
from voltyard.preconditioning.feasible import Excess
from voltyard.preconditioning.model import Run, RunState
from voltyard.preconditioning.ports import Outlet
from voltyard.timetable.model import Duty

KINDS = ("preconditioning_unplugged", "preconditioning_short", "preconditioning_over_limit")
TOLERANCE_SHARE = 0.03
TOLERANCE_W = 150.0
SHORT_AFTER = timedelta(seconds=120)
MISSED_SHARE = 0.5
"""Of its time a run may have had too little power and still count as done."""
OVER_LIMIT_AHEAD = timedelta(hours=12)
LOOK_MAX_S = 300.0


@dataclass(frozen=True, slots=True)
class Facts:
    """A run now. ``together_w``: what all runs of its vehicle need at this moment."""

    run: Run
    label: str
    plugged: bool
    outlet: Outlet | None
    together_w: float


@dataclass(frozen=True, slots=True)
class Seen:
    """A run as last looked at; ``short_since``: since when it has had too little power."""

    run: Run
    short_since: datetime | None = None


def seen(facts: Facts, before: Seen | None, since: datetime | None, now: datetime) -> Seen:
    """Begun, gone on or over, with what it got between the looks."""
    run = facts.run
    if now < run.start_at:
        return Seen(run)
    if run.state is RunState.PLANNED and facts.plugged and now < run.end_at:
        run = replace(run, state=RunState.RUNNING, word="")
    passed_s = _passed_s(run, since, now)
    short = run.state is RunState.RUNNING and _is_short(facts)
    if run.state is RunState.RUNNING:
        got_w = _got_w(facts)
        run = replace(
            run,
            energy_wh=run.energy_wh + got_w * passed_s / 3600.0,
            short_s=run.short_s + (passed_s if short and facts.plugged else 0.0),
        )
    if now >= run.end_at:
        return Seen(_over(run))
    short_since = None
    if short:
        short_since = now if before is None or before.short_since is None else before.short_since
    return Seen(run, short_since)


def _passed_s(run: Run, since: datetime | None, now: datetime) -> float:
    if since is None:
        return 0.0
    passed = min(now, run.end_at) - max(since, run.start_at)
    return min(LOOK_MAX_S, max(0.0, passed.total_seconds()))


def _is_short(facts: Facts) -> bool:
    """Whether the outlet is granted less than must run there."""
    if not facts.plugged or facts.outlet is None:
        return True
    tolerance_w = max(TOLERANCE_W, TOLERANCE_SHARE * facts.together_w)
    return facts.outlet.granted_w < facts.together_w - tolerance_w


def _got_w(facts: Facts) -> float:
    """At most its own power; what is drawn beyond is charging."""
    if not facts.plugged or facts.outlet is None:
        return 0.0
    outlet = facts.outlet
    flows_w = outlet.granted_w if outlet.measured_w is None else outlet.measured_w
    share = facts.run.power_w / facts.together_w if facts.together_w > 0.0 else 1.0
    return min(facts.run.power_w, max(0.0, flows_w) * share)


def _over(run: Run) -> Run:
    if run.state is RunState.PLANNED:
        return replace(run, state=RunState.MISSED, word="unplugged")
    lasted_s = (run.end_at - run.start_at).total_seconds()
    if run.short_s > MISSED_SHARE * lasted_s:
        return replace(run, state=RunState.MISSED, word="short")
    return replace(run, state=RunState.DONE, word="short" if run.short_s > 60.0 else "")


def causes(
    facts: Sequence[Facts],
    looked: Mapping[UUID, Seen],
    duties: Mapping[UUID, Duty],
    over: Sequence[Excess],
    now: datetime,
) -> list[Cause]:
    """All of ``KINDS`` that is true now, in a fixed order."""
    labels = {fact.run.id: fact.label for fact in facts}
    found: list[Cause] = []
    for fact in facts:
        found += _of_run(fact, looked.get(fact.run.id), duties, now)
    for excess in over:
        if excess.run.start_at - now <= OVER_LIMIT_AHEAD:
            params = {
                "node": excess.node.name,
                "missing_w": round(excess.missing_w / 100.0) * 100,
                **_shown(excess.run, labels.get(excess.run.id, "")),
            }
            found.append(_cause("preconditioning_over_limit", Severity.WARNING, excess.run, params))
    return found


def _of_run(
    fact: Facts, looked: Seen | None, duties: Mapping[UUID, Duty], now: datetime
) -> Iterator[Cause]:
    run = fact.run
    if not run.start_at <= now < run.end_at:
        return
    shown = _shown(run, fact.label)
    duty = None if run.duty_id is None else duties.get(run.duty_id)
    if not fact.plugged:
        if duty is None or duty.arrival_at <= now:
            yield _cause("preconditioning_unplugged", Severity.WARNING, run, shown)
        return
    since = None if looked is None else looked.short_since
    if since is not None and now - since >= SHORT_AFTER:
        granted_w = 0.0 if fact.outlet is None else fact.outlet.granted_w
        params = {**shown, "granted_w": round(granted_w / 100.0) * 100}
        yield _cause("preconditioning_short", Severity.WARNING, run, params)


def _shown(run: Run, label: str) -> dict[str, object]:
    return {
        "vehicle": label,
        "kind": run.kind.value,
        "power_w": round(run.power_w),
        "start_at": run.start_at.isoformat(),
        "end_at": run.end_at.isoformat(),
    }


def _cause(kind: str, severity: Severity, run: Run, params: Mapping[str, object]) -> Cause:
    about = ("duty", str(run.duty_id)) if run.duty_id is not None else ("", "")
    return Cause(kind, severity, f"{kind}:{run.id}", *about, params)

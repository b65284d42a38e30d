"""Reminders of departures: what is wrong before, at and after one, and how loudly. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from voltyard.alerts.model import Cause, Severity
from voltyard.timetable.model import Departing, DutyState

KIND = "departure_reminder"
KEPT = timedelta(minutes=30)
"""How long after the last step, or after the departure, a reminder stays."""
OFFSET_MAX_MIN = 24 * 60
STEPS_MAX = 8
SOC_STEP_PCT = 5.0


class Condition(StrEnum):
    """What a person must know about a vehicle that is about to leave."""

    NOT_PLUGGED_IN = "not_plugged_in"
    NOT_READY = "not_ready"
    STILL_CHARGING = "still_charging"


@dataclass(frozen=True, slots=True)
class Step:
    """``offset_min`` minutes after the departure; negative is before it."""

    offset_min: int
    severity: Severity


DEFAULT_STEPS = (
    Step(-15, Severity.WARNING),
    Step(0, Severity.WARNING),
    Step(10, Severity.CRITICAL),
)


@dataclass(frozen=True, slots=True)
class DepartureRule:
    """Of a site, or (``site_id`` None) of the organisation where its sites have none."""

    org_id: UUID
    site_id: UUID | None = None
    enabled: bool = True
    steps: tuple[Step, ...] = DEFAULT_STEPS
    conditions: frozenset[Condition] = field(default_factory=lambda: frozenset(Condition))


def problems(rule: DepartureRule) -> dict[str, str]:
    """Field → reason; empty when it can be followed."""
    offsets = [step.offset_min for step in rule.steps]
    if not 1 <= len(offsets) <= STEPS_MAX:
        return {"steps": f"one to {STEPS_MAX} steps"}
    if any(abs(offset) > OFFSET_MAX_MIN for offset in offsets):
        return {"steps": "at most a day before or after the departure"}
    if offsets != sorted(set(offsets)):
        return {"steps": "each later than the one before"}
    ranks = [step.severity.rank for step in rule.steps]
    if ranks != sorted(ranks):
        return {"steps": "none less severe than the one before"}
    if not rule.conditions:
        return {"conditions": "at least one"}
    return {}


@dataclass(frozen=True, slots=True)
class Rules:
    """Every organisation's rules; where there is none, the default holds."""

    of: Mapping[tuple[UUID, UUID | None], DepartureRule] = field(default_factory=dict)

    def rule(self, org_id: UUID, site_id: UUID | None) -> DepartureRule:
        found = self.of.get((org_id, site_id)) or self.of.get((org_id, None))
        return found or DepartureRule(org_id)

    def window(self, now: datetime) -> tuple[datetime, datetime]:
        """Departures outside of it need no look."""
        steps = [step.offset_min for rule in self.of.values() for step in rule.steps]
        steps += [step.offset_min for step in DEFAULT_STEPS]
        latest = timedelta(minutes=max(0, *steps)) + KEPT
        return now - latest, now + timedelta(minutes=max(0, -min(steps)), seconds=60)


def due(
    rules: Rules, found: Sequence[Departing], now: datetime
) -> Iterator[tuple[tuple[UUID, UUID], Cause]]:
    """By organisation and site: what is to be told of departures now.

    Whose duty it is is told, and the depot operator where that is another; each by its own rule.
    """
    for departing in found:
        duty = departing.duty
        for org_id in dict.fromkeys((departing.depot_id or duty.org_id, duty.org_id)):
            rule = rules.rule(org_id, duty.site_id)
            cause = reminder(rule, departing, now) if rule.enabled else None
            if cause is not None:
                yield (org_id, duty.site_id), cause


def reminder(rule: DepartureRule, departing: Departing, now: datetime) -> Cause | None:
    """The latest step that has come, while something is wrong."""
    duty = departing.duty
    reached = [
        (stage, step)
        for stage, step in enumerate(rule.steps, start=1)
        if now >= duty.departure_at + timedelta(minutes=step.offset_min)
    ]
    if not reached:
        return None
    stage, step = reached[-1]
    last = timedelta(minutes=max(0, rule.steps[-1].offset_min))
    if now >= duty.departure_at + last + KEPT:
        return None
    wrong = condition(departing, now)
    if wrong is None or wrong not in rule.conditions:
        return None
    params = {
        "duty": departing.vehicle,
        "departure_at": duty.departure_at.isoformat(),
        "offset_min": step.offset_min,
        "condition": wrong.value,
        "soc_pct": _rounded(departing.soc_pct),
        "target_soc_pct": duty.target_soc_pct,
    }
    key = f"{KIND}:{duty.id}"
    return Cause(KIND, step.severity, key, "duty", str(duty.id), params, stage=stage)


def condition(departing: Departing, now: datetime) -> Condition | None:
    """What is wrong with a vehicle now; None for one that is ready, or gone.

    One that has left is nobody's task any more, short or not. One that never came is, for a while.
    """
    duty = departing.duty
    if departing.plugged:
        if departing.ready is False:
            return Condition.NOT_READY
        late = now >= duty.departure_at
        return Condition.STILL_CHARGING if late and departing.charging else None
    if duty.state is DutyState.DEPARTED and departing.came:
        return None
    return None if departing.ready else Condition.NOT_PLUGGED_IN


def _rounded(soc_pct: float | None) -> float | None:
    """Coarse, so that an alert is not rewritten for every percent."""
    return None if soc_pct is None else round(soc_pct / SOC_STEP_PCT) * SOC_STEP_PCT

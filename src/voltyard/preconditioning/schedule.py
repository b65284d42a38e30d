"""From rules, wishes and what vehicles tell to the runs before departures. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from voltyard.fleets.model import Vehicle
from voltyard.preconditioning.model import (
    LONGEST,
    SHORTEST,
    Channel,
    Kind,
    Reported,
    Rule,
    Run,
    RunState,
    Source,
    Usual,
    Wish,
)
from voltyard.preconditioning.rules import Span, clipped, fitting, span
from voltyard.timetable.model import Duty

LEAST_W = 100.0
LEAST_LEFT_S = 60.0


@dataclass(frozen=True, slots=True)
class Asked:
    """All that a site's runs follow from. ``charge_wh``: what each duty's battery still needs at
    the meter, as far as it is known; ``runs``: those of before, by id. Rules of the duty's own
    organisation and of the site's count."""

    now: datetime
    zone: ZoneInfo
    duties: Sequence[Duty]
    vehicles: Mapping[UUID, Vehicle]
    rules: Sequence[Rule] = ()
    wishes: Sequence[Wish] = ()
    reports: Mapping[UUID, Reported] = field(default_factory=dict)
    charge_wh: Mapping[UUID, float] = field(default_factory=dict)
    runs: Mapping[UUID, Run] = field(default_factory=dict)
    usual: Usual = field(default_factory=Usual)
    site_org_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class _Base:
    """What is wanted before what the vehicle tells of it."""

    kind: Kind
    source: Source
    span: Span
    power_w: float
    rule_id: UUID | None = None
    reported: bool = False
    fixed: bool = False
    """Somebody said both when it starts and how much: the vehicle's word changes nothing."""


def wanted(asked: Asked) -> list[Run]:
    """Every run that is not over yet, by its start; what began keeps its beginning."""
    runs: list[Run] = []
    for duty in sorted(asked.duties, key=lambda duty: (duty.departure_at, duty.id)):
        if duty.departure_at <= asked.now:
            continue
        vehicle = None if duty.vehicle_id is None else asked.vehicles.get(duty.vehicle_id)
        bases = _bases(asked, duty, vehicle)
        report = _trusted(asked, duty.vehicle_id)
        for channel in Channel:
            base = _told(asked, duty, channel, bases.get(channel), report)
            if base is not None:
                runs.append(_run(asked, duty, channel, base))
    return sorted(runs, key=lambda run: (run.start_at, run.id))


def run_id(duty_id: UUID, channel: Channel) -> UUID:
    return uuid5(duty_id, f"preconditioning {channel.value}")


def _trusted(asked: Asked, vehicle_id: UUID | None) -> Reported | None:
    report = None if vehicle_id is None else asked.reports.get(vehicle_id)
    if report is None or asked.now - report.at > timedelta(seconds=asked.usual.trust_s):
        return None
    return report


def _bases(asked: Asked, duty: Duty, vehicle: Vehicle | None) -> dict[Channel, _Base]:
    found: dict[Channel, _Base] = {}
    for wish in _wishes(asked.wishes, duty):
        made = _of_wish(wish, duty, asked.usual)
        if made is not None:
            found.setdefault(wish.kind.channel, made)
    vehicle_class = duty.vehicle_class or ("" if vehicle is None else vehicle.vehicle_class)
    rules = [rule for rule in asked.rules if rule.org_id in (duty.org_id, asked.site_org_id)]
    for channel, rule in fitting(rules, duty, vehicle_class, asked.zone).items():
        at = span(rule, duty, asked.zone)
        if at is not None:
            made = _Base(rule.kind, Source.RULE, at, rule.power_w, rule.id)
            found.setdefault(channel, made)
    return found


def _wishes(wishes: Iterable[Wish], duty: Duty) -> list[Wish]:
    """A person's first, then a presystem's; of equals the latest."""
    mine = [wish for wish in wishes if is_for(wish, duty)]
    oldest = datetime.min.replace(tzinfo=duty.departure_at.tzinfo)
    mine.sort(key=lambda wish: wish.asked_at or oldest, reverse=True)
    return sorted(mine, key=lambda wish: list(Source).index(wish.source))


def is_for(wish: Wish, duty: Duty) -> bool:
    """One that names a vehicle alone is for the departure it falls before."""
    if wish.duty_id is not None:
        return wish.duty_id == duty.id
    if wish.vehicle_id is None or wish.vehicle_id != duty.vehicle_id:
        return False
    at = wish.end_at or wish.start_at
    return at is not None and duty.arrival_at < at <= duty.departure_at


def _of_wish(wish: Wish, duty: Duty, usual: Usual) -> _Base | None:
    end_at = min(wish.end_at or duty.departure_at, duty.departure_at)
    lasts = timedelta(seconds=usual.climate_s)
    at = clipped(wish.start_at or end_at - lasts, end_at, duty)
    if at is None:
        return None
    usual_w = usual.battery_w if wish.kind is Kind.BATTERY else usual.climate_w
    power_w = usual_w if wish.power_w is None else wish.power_w
    fixed = wish.start_at is not None and wish.power_w is not None
    return _Base(wish.kind, wish.source, at, power_w, fixed=fixed)


def _told(
    asked: Asked, duty: Duty, channel: Channel, base: _Base | None, report: Reported | None
) -> _Base | None:
    """With what the vehicle itself says of time and energy, where that may count."""
    if report is None or (base is not None and base.fixed):
        return base
    needs = _needs(asked, duty, channel, report)
    if needs is None:
        return base
    seconds, energy_wh = needs
    if base is None and energy_wh <= 0.0:
        return None
    end_at = duty.departure_at if base is None else base.span.end_at
    margin, running = asked.usual.margin, _running(asked, duty, channel)
    if running is not None:
        left_s = (end_at - asked.now).total_seconds()
        seconds = max(LEAST_LEFT_S, min(seconds, left_s) if seconds > 0.0 else left_s)
        power_w = max(asked.usual.hold_w, energy_wh / seconds * 3600.0 * margin)
        begins_at = running.start_at
    elif energy_wh <= 0.0:
        if base is None:
            return None
        return replace(base, power_w=asked.usual.hold_w, reported=True)
    else:
        seconds = max(LEAST_LEFT_S, seconds)
        power_w = energy_wh / seconds * 3600.0 * margin
        begins_at = end_at - timedelta(seconds=seconds * margin)
    at = clipped(begins_at, end_at, duty)
    if at is None:
        return base
    kind = base.kind if base is not None else _usual_kind(channel)
    source = Source.VEHICLE if base is None else base.source
    rule_id = None if base is None else base.rule_id
    return _Base(kind, source, at, max(LEAST_W, power_w), rule_id, reported=True)


def _usual_kind(channel: Channel) -> Kind:
    return Kind.BATTERY if channel is Channel.BATTERY else Kind.HEATING


def _running(asked: Asked, duty: Duty, channel: Channel) -> Run | None:
    run = asked.runs.get(run_id(duty.id, channel))
    return run if run is not None and run.start_at <= asked.now < run.end_at else None


def _needs(
    asked: Asked, duty: Duty, channel: Channel, report: Reported
) -> tuple[float, float] | None:
    """Seconds and Wh that the vehicle says it takes; None where it says nothing of it.

    ``battery_wh`` holds the charging too: what goes beyond that warms or cools the battery.
    """
    if channel is Channel.CLIMATE:
        if report.climate_wh is None or report.climate_s is None:
            return None
        return min(report.climate_s, LONGEST.total_seconds()), report.climate_wh
    charge_wh = asked.charge_wh.get(duty.id)
    if report.battery_wh is None or not report.battery_s or charge_wh is None:
        return None
    return min(report.battery_s, LONGEST.total_seconds()), max(0.0, report.battery_wh - charge_wh)


def _run(asked: Asked, duty: Duty, channel: Channel, base: _Base) -> Run:
    known = asked.runs.get(run_id(duty.id, channel))
    begun = (
        known is not None
        and known.start_at <= asked.now
        and known.state
        in (
            RunState.RUNNING,
            RunState.PLANNED,
        )
    )
    start_at = known.start_at if known is not None and begun else base.span.start_at
    if base.span.end_at - start_at < SHORTEST:
        start_at = base.span.start_at
    made = Run(
        id=run_id(duty.id, channel),
        org_id=duty.org_id,
        site_id=duty.site_id,
        kind=base.kind,
        source=base.source,
        start_at=start_at,
        end_at=base.span.end_at,
        power_w=float(round(base.power_w)),
        duty_id=duty.id,
        vehicle_id=duty.vehicle_id,
        rule_id=base.rule_id,
        reported=base.reported,
    )
    if known is None or known.state is RunState.CANCELLED:
        return made
    over = known.state in (RunState.DONE, RunState.MISSED)
    if over and made.end_at <= known.end_at:
        return known
    state = RunState.PLANNED if over else known.state
    return replace(
        made,
        state=state,
        energy_wh=known.energy_wh,
        short_s=known.short_s,
        word="" if over else known.word,
        changed_at=known.changed_at,
    )

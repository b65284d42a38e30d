"""Preconditioning: rules of the timetable, wishes, and the runs that come of them. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID

LONGEST = timedelta(hours=6)
SHORTEST = timedelta(minutes=1)
POWER_MAX_W = 200_000.0
NAME_MAX = 200


class Kind(StrEnum):
    HEATING = "heating"
    VENTILATION = "ventilation"
    COOLING = "cooling"
    BATTERY = "battery"

    @property
    def channel(self) -> "Channel":
        return Channel.BATTERY if self is Kind.BATTERY else Channel.CLIMATE


class Channel(StrEnum):
    """What can run at the same time: the air of the vehicle is heated or cooled, not both."""

    CLIMATE = "climate"
    BATTERY = "battery"


class Source(StrEnum):
    """Who wanted it. Of two for one duty and channel the one named first here counts."""

    PERSON = "person"
    PRESYSTEM = "presystem"
    """A depot management or control system, by VDV 463."""
    RULE = "rule"
    VEHICLE = "vehicle"
    """The vehicle itself, by VDV 261, and nobody else."""


class RunState(StrEnum):
    PLANNED = "planned"
    RUNNING = "running"
    DONE = "done"
    MISSED = "missed"
    CANCELLED = "cancelled"


OPEN = (RunState.PLANNED, RunState.RUNNING)


@dataclass(frozen=True, slots=True)
class Rule:
    """When the vehicles it is for are preconditioned before each departure.

    For one vehicle, a class, the duties of ``duty_key`` (an external id; ``*`` at its end stands
    for any end), or all of a site (or of every site). The narrower rule of a channel counts.
    Begins ``start_before_s`` before the departure or at ``start_time`` of the site's clock, ends
    ``end_before_s`` before it or at ``end_time``. ``weekdays`` (0 Monday) of the departure, empty
    for all; ``from_day`` to ``until_day`` is a season of each year, also over its turn.
    """

    id: UUID
    org_id: UUID
    name: str
    kind: Kind
    power_w: float
    site_id: UUID | None = None
    vehicle_id: UUID | None = None
    vehicle_class: str = ""
    duty_key: str = ""
    start_before_s: int | None = 1800
    start_time: time | None = None
    end_before_s: int | None = 0
    end_time: time | None = None
    weekdays: tuple[int, ...] = ()
    from_day: date | None = None
    until_day: date | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asked for one departure. ``start_at`` or ``power_w`` None: as usual, or as the
    vehicle tells; ``end_at`` None: until the departure. ``key`` is the asker's own id of it."""

    id: UUID
    org_id: UUID
    kind: Kind
    source: Source
    duty_id: UUID | None = None
    vehicle_id: UUID | None = None
    start_at: datetime | None = None
    end_at: datetime | None = None
    power_w: float | None = None
    ambient_c: float | None = None
    target_soc_pct: float | None = None
    key: str = ""
    asked_by: str = ""
    asked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One preconditioning before one departure: ``power_w`` is reserved over [start_at, end_at).

    ``short_s``: how long it was to run and had less power; ``word`` why it was missed or is short.
    ``reported``: the vehicle itself told how long and how much it needs.
    """

    id: UUID
    org_id: UUID
    site_id: UUID
    kind: Kind
    source: Source
    start_at: datetime
    end_at: datetime
    power_w: float
    duty_id: UUID | None = None
    vehicle_id: UUID | None = None
    rule_id: UUID | None = None
    state: RunState = RunState.PLANNED
    energy_wh: float = 0.0
    short_s: float = 0.0
    word: str = ""
    reported: bool = False
    changed_at: datetime | None = None

    @property
    def channel(self) -> Channel:
        return self.kind.channel

    @property
    def minutes(self) -> int:
        return round((self.end_at - self.start_at).total_seconds() / 60.0)


@dataclass(frozen=True, slots=True)
class Reported:
    """What a vehicle told of itself last. Times in seconds, energy in Wh at the meter; None where
    it told nothing or "not available"."""

    vehicle_id: UUID
    org_id: UUID
    vin: str
    at: datetime
    version: int = 1
    seq: int = 0
    evccid: str = ""
    odometer_km: float | None = None
    climate_s: float | None = None
    climate_wh: float | None = None
    battery_s: float | None = None
    battery_wh: float | None = None
    charging: str = "unknown"
    battery_ok: bool | None = None
    hydrogen_ok: bool | None = None


@dataclass(frozen=True, slots=True)
class Usual:
    """What holds where nobody says otherwise. ``trust_s``: how long a vehicle's word counts;
    ``margin`` is laid on what it tells; ``hold_w`` is kept there when it is warm already."""

    climate_s: float = 1800.0
    climate_w: float = 10_000.0
    battery_w: float = 5_000.0
    hold_w: float = 3_000.0
    trust_s: float = 900.0
    margin: float = 1.1


def problems(rule: Rule) -> dict[str, str]:
    """What makes a rule meaningless: field → reason; empty when it can be followed."""
    wrong: dict[str, str] = {}
    if not rule.name.strip() or len(rule.name) > NAME_MAX:
        wrong["name"] = f"needs 1 to {NAME_MAX} characters"
    if not 100.0 <= rule.power_w <= POWER_MAX_W:
        wrong["power_w"] = "must be 0.1 to 200 kW"
    named = [rule.vehicle_id is not None, bool(rule.vehicle_class), bool(rule.duty_key)]
    if sum(named) > 1:
        wrong["vehicle_class"] = "name a vehicle, a class or duties, not several of them"
    for text in ("vehicle_class", "duty_key"):
        if len(getattr(rule, text)) > NAME_MAX:
            wrong[text] = f"may have at most {NAME_MAX} characters"
    wrong |= _wrong_times(rule)
    if any(not 0 <= day <= 6 for day in rule.weekdays):
        wrong["weekdays"] = "are 0 (Monday) to 6 (Sunday)"
    if (rule.from_day is None) != (rule.until_day is None):
        wrong["until_day"] = "give both days of a season, or none"
    return wrong


def _wrong_times(rule: Rule) -> dict[str, str]:
    wrong: dict[str, str] = {}
    longest_s = LONGEST.total_seconds()
    for begin in ("start", "end"):
        before_s = getattr(rule, f"{begin}_before_s")
        if (before_s is None) == (getattr(rule, f"{begin}_time") is None):
            wrong[f"{begin}_before_s"] = "give either a time before departure or a time of day"
        elif before_s is not None and not 0 <= before_s <= longest_s:
            wrong[f"{begin}_before_s"] = f"must be 0 to {longest_s / 3600:.0f} hours"
    if not wrong and rule.start_before_s is not None and rule.end_before_s is not None:
        lasts_s = rule.start_before_s - rule.end_before_s
        if lasts_s < SHORTEST.total_seconds():
            wrong["end_before_s"] = "must leave at least a minute after the start"
    if rule.start_time is not None and rule.start_time == rule.end_time:
        wrong["end_time"] = "must differ from the start"
    return wrong

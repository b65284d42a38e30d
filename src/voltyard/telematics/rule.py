"""Which state of charge counts when several systems tell one, and which is not believed. Pure.

The rule, in the order of what is believed (docs/operate/telematics.md says it to people):

1. While a vehicle is plugged in: its charger's reading; what the vehicle told its charger (ISO
   15118); the newest telematics reading; the timetable's figure; the assumption.
2. Before it arrives: the newest telematics reading, carried on to the arrival as it fell lately;
   the timetable's figure; the assumption. Further ahead than ``AHEAD`` it can only lower what the
   timetable says: the day is not over.
3. Readings that are too old, in the future, outside 0 to 100 % or that jump are kept and not used.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import isfinite
from uuid import UUID

from voltyard.telematics.model import Flag, Observation, Told

FUTURE = timedelta(minutes=5)
"""Another system's clock may be so much ahead of ours."""
OLD = timedelta(hours=24)
"""What is told later than that is history when it comes."""
USABLE = timedelta(hours=6)
"""A reading is used for so long."""
AHEAD = timedelta(hours=2)
TREND = timedelta(minutes=90)
TREND_LEAST = timedelta(minutes=10)
FASTEST_FALL_PCT_H = 60.0
BEFORE_PLUG_IN = timedelta(hours=3)
AFTER_PLUG_IN = timedelta(minutes=2)
CARRIED = timedelta(minutes=15)
"""During a session, a reading is carried on by the charger's power for so long."""
DENSE = 20
APART = timedelta(minutes=15)
"""Beyond the newest ``DENSE`` readings of a vehicle, one for so long is remembered."""
JUMP_PCT = 12.0
RISE_PCT_H = 300.0
FALL_PCT_H = 150.0
ODOMETER_MAX_KM = 5_000_000.0
ODOMETER_SLACK_KM = 2.0
RANGE_MAX_KM = 3_000.0
DEPARTURE_MAX = timedelta(days=14)
YEARS = range(2000, 2200)
SOC_FLAGS = frozenset({Flag.FUTURE, Flag.OLD, Flag.SOC_RANGE, Flag.SOC_JUMP})


@dataclass(frozen=True, slots=True)
class Point:
    """A reading that may be used, as far as its age goes."""

    at: datetime
    soc_pct: float
    source: str


def flags_of(
    told: Told,
    before: Point | None,
    doubted: Point | None,
    before_km: float | None,
    now: datetime,
) -> tuple[Flag, ...]:
    """What of it is not to be believed.

    ``before`` is the newest good charge of the same source and vehicle that is older than it,
    ``before_km`` the odometer; ``doubted`` the last of that source that jumped: a second that
    agrees with it is believed, so that a battery that really was swapped, or a source that was
    mended, is not locked out.
    """
    found: list[Flag] = []
    if told.observed_at > now + FUTURE:
        found.append(Flag.FUTURE)
    elif told.observed_at < now - OLD:
        found.append(Flag.OLD)
    if told.soc_pct is not None:
        if not 0.0 <= told.soc_pct <= 100.0:
            found.append(Flag.SOC_RANGE)
        elif _jumps(told, before) and (doubted is None or _jumps(told, doubted)):
            found.append(Flag.SOC_JUMP)
    found += _other_flags(told, before_km, now)
    return tuple(found)


def _jumps(told: Told, before: Point | None) -> bool:
    if before is None or told.soc_pct is None:
        return False
    hours = abs((told.observed_at - before.at).total_seconds()) / 3600.0
    change = told.soc_pct - before.soc_pct
    most = RISE_PCT_H if change > 0 else FALL_PCT_H
    return abs(change) > JUMP_PCT + most * hours


def _other_flags(told: Told, before_km: float | None, now: datetime) -> Iterable[Flag]:
    if told.odometer_km is not None:
        if not 0.0 <= told.odometer_km <= ODOMETER_MAX_KM:
            yield Flag.ODOMETER_RANGE
        elif before_km is not None and told.odometer_km < before_km - ODOMETER_SLACK_KM:
            yield Flag.ODOMETER_BACK
    if told.range_km is not None and not 0.0 <= told.range_km <= RANGE_MAX_KM:
        yield Flag.REACH_RANGE
    if told.latitude is not None or told.longitude is not None:
        fits = told.latitude is not None and abs(told.latitude) <= 90.0
        if not fits or told.longitude is None or abs(told.longitude) > 180.0:
            yield Flag.POSITION_RANGE
    departs = told.departure_at
    if departs is not None and not told.observed_at < departs <= now + DEPARTURE_MAX:
        yield Flag.DEPARTURE_RANGE


def unreadable(told: Told) -> str:
    """Why it cannot even be kept; empty when it can."""
    values = (told.soc_pct, told.odometer_km, told.range_km, told.latitude, told.longitude)
    if any(value is not None and not isfinite(value) for value in values):
        return "a number is none"
    moments = (told.observed_at, told.departure_at)
    if any(at is not None and (at.tzinfo is None or at.year not in YEARS) for at in moments):
        return "a time is none"
    if any(sign in word for word in (told.vin, told.name, told.external_id) for sign in "\0\r\n"):
        return "a name holds signs that none may"
    return ""


def _order(one: Point) -> tuple[datetime, str, float]:
    return one.at, one.source, one.soc_pct


def point(seen: Observation) -> Point | None:
    """None for what tells no state of charge, or one that is not believed."""
    if seen.soc_pct is None or SOC_FLAGS.intersection(seen.flags):
        return None
    return Point(seen.observed_at, seen.soc_pct, seen.source)


def usable(points: Iterable[Point], now: datetime) -> list[Point]:
    """Those young enough, the newest first; of one moment, by the name of the source."""
    fitting = [one for one in points if now - USABLE <= one.at <= now + FUTURE]
    return sorted(fitting, key=_order, reverse=True)


def thinned(points: Iterable[Point]) -> tuple[Point, ...]:
    """What is kept in memory, the newest first: all of the newest, of earlier ones some."""
    kept: list[Point] = []
    for one in sorted(set(points), key=_order, reverse=True):
        if kept and kept[0].at - one.at > OLD:
            break
        same = (other for other in reversed(kept) if other.source == one.source)
        last = next(same, None)
        if len(kept) < DENSE or last is None or last.at - one.at >= APART:
            kept.append(one)
    return tuple(kept)


def falling_pct_h(points: Sequence[Point]) -> float:
    """How fast it fell lately, by the source of the newest; 0 where it did not, or nobody knows."""
    if not points:
        return 0.0
    newest = points[0]
    lately = [one for one in points if one.source == newest.source and newest.at - one.at <= TREND]
    first = min(lately, key=lambda one: one.at)
    span = newest.at - first.at
    if span < TREND_LEAST:
        return 0.0
    rate = (first.soc_pct - newest.soc_pct) / (span.total_seconds() / 3600.0)
    return min(max(0.0, rate), FASTEST_FALL_PCT_H)


def _carried(points: Sequence[Point], until: datetime) -> float:
    newest = points[0]
    hours = max(0.0, (until - newest.at).total_seconds() / 3600.0)
    return max(0.0, newest.soc_pct - falling_pct_h(points) * hours)


def at_arrival_pct(
    points: Sequence[Point], arrival_at: datetime, expected_pct: float, now: datetime
) -> float | None:
    """The state of charge to plan with for a vehicle that is not here yet; None: telematics says
    nothing about it.

    ``expected_pct`` is what the timetable says, or the assumption.
    """
    young = usable(points, now)
    if not young:
        return None
    arrives = max(arrival_at, now)
    reached = _carried(young, arrives)
    return reached if arrives - young[0].at <= AHEAD else min(reached, expected_pct)


def at_plug_in_pct(points: Sequence[Point], started_at: datetime, now: datetime) -> float | None:
    """What it had when it was plugged in; from then on the meter counts. None: nobody told."""
    young = usable(points, now)
    if not young:
        # The reading at plug-in stays true however long the session lasts.
        young = sorted(points, key=_order, reverse=True)
    before = [
        one for one in young if started_at - BEFORE_PLUG_IN <= one.at <= started_at + AFTER_PLUG_IN
    ]
    return _carried(before, started_at) if before else None


def during(points: Sequence[Point], started_at: datetime, now: datetime) -> Point | None:
    """A fresh reading since it was plugged in."""
    young = usable(points, now)
    if young and young[0].at > started_at + AFTER_PLUG_IN and now - young[0].at <= CARRIED:
        return young[0]
    return None


class Origin(StrEnum):
    """Who tells a state of charge; believed in this order while a vehicle is plugged in."""

    CHARGER = "charger"
    VEHICLE = "vehicle"
    """The vehicle itself, through its charger (ISO 15118)."""
    TELEMATICS = "telematics"
    TIMETABLE = "timetable"
    ASSUMED = "assumed"


class Verdict(StrEnum):
    USED = "used"
    OUTDONE = "outdone"
    """Somebody who goes first, or a newer reading, tells it too."""
    STALE = "stale"
    DOUBTED = "doubted"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Claim:
    """What one of them says. ``source`` of telematics as in ``Observation``."""

    origin: Origin
    verdict: Verdict
    soc_pct: float | None = None
    at: datetime | None = None
    source: str = ""
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True, slots=True)
class Plugged:
    """What is known of the charging session of a vehicle."""

    session_id: UUID
    started_at: datetime
    soc_pct: float | None = None
    read_at: datetime | None = None
    vehicle_soc_pct: float | None = None
    vehicle_told_at: datetime | None = None


def claims(
    latest: Sequence[Observation],
    plugged: Plugged | None,
    duty_pct: float | None,
    assumed_pct: float,
    now: datetime,
) -> list[Claim]:
    """Who says what, in the order of belief; the one that is used says so, and it is one only.

    ``latest``: by source the newest that tells a state of charge, and the one that is doubted.
    """
    found: list[Claim] = []
    if plugged is not None:
        found.append(_said(Origin.CHARGER, plugged.soc_pct, plugged.read_at))
        if plugged.vehicle_soc_pct is not None:
            found.append(_said(Origin.VEHICLE, plugged.vehicle_soc_pct, plugged.vehicle_told_at))
    told = [seen for seen in latest if seen.soc_pct is not None]
    for seen in sorted(told, key=lambda seen: (seen.observed_at, seen.source), reverse=True):
        verdict = Verdict.USED
        if point(seen) is None:
            verdict = Verdict.DOUBTED
        elif not now - USABLE <= seen.observed_at <= now + FUTURE:
            verdict = Verdict.STALE
        found.append(
            Claim(
                Origin.TELEMATICS, verdict, seen.soc_pct, seen.observed_at, seen.source, seen.flags
            )
        )
    found.append(_said(Origin.TIMETABLE, duty_pct, None))
    found.append(_said(Origin.ASSUMED, assumed_pct, None))
    return _one_used(found)


def _said(origin: Origin, soc_pct: float | None, at: datetime | None) -> Claim:
    return Claim(origin, Verdict.SILENT if soc_pct is None else Verdict.USED, soc_pct, at)


def _one_used(found: Sequence[Claim]) -> list[Claim]:
    seen, settled = False, list[Claim]()
    for claim in found:
        verdict = claim.verdict
        if verdict is Verdict.USED and seen:
            verdict = Verdict.OUTDONE
        seen = seen or verdict is Verdict.USED
        settled.append(
            Claim(claim.origin, verdict, claim.soc_pct, claim.at, claim.source, claim.flags)
        )
    return settled

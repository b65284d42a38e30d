"""From sessions, duties and vehicles to stays: what each needed, what is unknown of it. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.chargers.model import Evse
from voltyard.fleets.model import Vehicle
from voltyard.sessions.model import Session
from voltyard.study.past import Gap, PastStay
from voltyard.timetable.model import Duty

SHORTEST = timedelta(minutes=10)
LONGEST_AFTER = timedelta(days=1)
LEAST_WH = 100.0
_FLAT_TARGET_PCT, _FLAT_SHARE = 90.0, 0.8
"""A battery that nobody told the size of is taken to be filled to this, by this share of it."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the rooms know beside sessions. ``outlets`` are those of the electrical tree."""

    duties: Mapping[UUID, Duty]
    vehicles: Mapping[UUID, Vehicle]
    outlets: Mapping[UUID, Evse]
    unknown_vehicle_power_w: float | None
    until_at: datetime


def stays_of(sessions: Sequence[Session], known: Known) -> tuple[list[PastStay], Counter[Gap]]:
    """One stay for each session, or for all sessions of one duty; oldest first."""
    gaps: Counter[Gap] = Counter()
    stays: list[PastStay] = []
    for group in _plugged_in(sessions, known, gaps):
        stay = _stay(group, known, gaps)
        if stay is not None:
            stays.append(stay)
    kept = [stay for stay in _apart(stays) if stay.departure_at - stay.arrival_at >= SHORTEST]
    gaps[Gap.TOO_SHORT] += len(stays) - len(kept)
    return sorted(kept, key=lambda stay: (stay.arrival_at, stay.id)), +gaps


def _plugged_in(
    sessions: Sequence[Session], known: Known, gaps: Counter[Gap]
) -> list[list[Session]]:
    """Sessions at outlets that can be studied; those of one duty together, as one stay."""
    groups: dict[UUID, list[Session]] = {}
    for session in sessions:
        if session.evse_id is None or session.evse_id not in known.outlets:
            gaps[Gap.NO_OUTLET] += 1
            continue
        key = session.duty_id if session.duty_id in known.duties else session.id
        groups.setdefault(key or session.id, []).append(session)
    return list(groups.values())


def _apart(stays: Sequence[PastStay]) -> list[PastStay]:
    """Nobody is at an outlet that the next one has: a departure is not after the next arrival."""
    by_outlet: dict[UUID, list[PastStay]] = {}
    for stay in stays:
        by_outlet.setdefault(stay.evse_id, []).append(stay)
    found: list[PastStay] = []
    for row in by_outlet.values():
        row.sort(key=lambda stay: (stay.arrival_at, stay.id))
        follows = [*(stay.arrival_at for stay in row[1:]), None]
        for stay, next_at in zip(row, follows, strict=True):
            late = next_at is not None and stay.departure_at > next_at
            found.append(replace(stay, departure_at=next_at) if late and next_at else stay)
    return found


def _stay(group: Sequence[Session], known: Known, gaps: Counter[Gap]) -> PastStay | None:
    first, last = group[0], group[-1]
    assert first.evse_id is not None
    outlet = known.outlets[first.evse_id]
    duty = None if first.duty_id is None else known.duties.get(first.duty_id)
    vehicle_id = first.vehicle_id or (None if duty is None else duty.vehicle_id)
    vehicle = None if vehicle_id is None else known.vehicles.get(vehicle_id)
    departure_at = _departure(last, duty, known, gaps)
    took_wh = sum(max(0.0, session.net_wh) for session in group)
    there = departure_at - first.started_at
    if there < SHORTEST or (took_wh < LEAST_WH and duty is None):
        gaps[Gap.TOO_SHORT] += 1
        return None
    gaps[Gap.NO_DUTY] += duty is None
    name = vehicle.name if vehicle is not None else first.id_token or first.transaction_ref
    stay = PastStay(
        id=first.id,
        label=name if duty is None else _label(name, duty.external_id),
        vehicle=name,
        evse_id=first.evse_id,
        arrival_at=first.started_at,
        departure_at=departure_at,
        soc_pct=0.0,
        target_soc_pct=0.0,
        battery_wh=1.0,
        max_power_w=_power_w(group, vehicle, outlet, known, gaps),
        efficiency=1.0 if vehicle is None else vehicle.efficiency,
        priority=5 if duty is None else duty.priority,
        announced=duty is not None,
        planned_arrival_at=None if duty is None else duty.arrival_at,
    )
    stay = _with_need(stay, first.soc_start_pct, took_wh, duty, vehicle, gaps)
    least_w = 0.0 if vehicle is None else min(vehicle.min_power_w, stay.max_power_w)
    return replace(stay, min_power_w=least_w)


def _label(name: str, external_id: str) -> str:
    """The vehicle and its duty; the duty alone where that names the vehicle already."""
    return external_id if name in external_id else f"{name} {external_id}".rstrip()


def _departure(last: Session, duty: Duty | None, known: Known, gaps: Counter[Gap]) -> datetime:
    """When it left by its duty; a session ends when charging does on some makes."""
    ended_at = last.ended_at
    if ended_at is None:
        gaps[Gap.STILL_HERE] += duty is None
        ended_at = max(known.until_at, last.started_at)
    if duty is not None:
        ended_at = max(ended_at, duty.departed_at or duty.departure_at)
    return min(ended_at, max(known.until_at, last.started_at) + LONGEST_AFTER)


def _power_w(
    group: Sequence[Session],
    vehicle: Vehicle | None,
    outlet: Evse,
    known: Known,
    gaps: Counter[Gap],
) -> float:
    """The vehicle's most, at least the mean of what it took."""
    if vehicle is not None and vehicle.max_power_w:
        power_w = min(vehicle.max_power_w, outlet.max_power_w)
    else:
        gaps[Gap.NO_POWER] += 1
        power_w = min(known.unknown_vehicle_power_w or outlet.max_power_w, outlet.max_power_w)
    for session in group:
        if session.ended_at is not None and session.ended_at > session.started_at:
            hours = (session.ended_at - session.started_at).total_seconds() / 3600.0
            power_w = max(power_w, min(session.net_wh / hours, outlet.max_power_w))
    return power_w


def _with_need(
    stay: PastStay,
    soc_pct: float | None,
    took_wh: float,
    duty: Duty | None,
    vehicle: Vehicle | None,
    gaps: Counter[Gap],
) -> PastStay:
    """State of charge and target: the duty's; without one, what the vehicle took."""
    planned_pct = None if duty is None else duty.soc_arrival_pct
    soc_pct = planned_pct if soc_pct is None else soc_pct
    gaps[Gap.NO_SOC] += soc_pct is None
    battery_wh = None if vehicle is None else vehicle.battery_wh
    gaps[Gap.NO_BATTERY] += battery_wh is None
    need_wh = took_wh
    if duty is not None and duty.target_energy_wh is not None:
        need_wh = duty.target_energy_wh
    need_wh *= stay.efficiency
    if battery_wh is None or (soc_pct is None and need_wh > battery_wh):
        need_wh = max(need_wh, LEAST_WH)
        target_pct, battery_wh = _FLAT_TARGET_PCT, need_wh / _FLAT_SHARE
        soc_pct, planned_pct = target_pct - 100.0 * _FLAT_SHARE, None
        return replace(stay, soc_pct=soc_pct, target_soc_pct=target_pct, battery_wh=battery_wh)
    if soc_pct is None:
        share_pct = 100.0 * need_wh / battery_wh
        return replace(stay, soc_pct=100.0 - share_pct, target_soc_pct=100.0, battery_wh=battery_wh)
    target_pct = min(100.0, soc_pct + 100.0 * need_wh / battery_wh)
    if duty is not None and duty.target_soc_pct is not None:
        target_pct = duty.target_soc_pct
    return replace(
        stay,
        soc_pct=soc_pct,
        target_soc_pct=target_pct,
        battery_wh=battery_wh,
        planned_soc_pct=planned_pct,
        curve=() if vehicle is None else vehicle.charge_curve,
    )

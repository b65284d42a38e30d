"""From what is live to what the planner may know: stays of present vehicles and expected ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache, partial
from math import inf
from uuid import UUID

from voltyard.chargers.model import Evse
from voltyard.energy import needs
from voltyard.energy.curve import ChargeCurve
from voltyard.energy.model import FirmLoad, MustRun, PlanInput, PlanMode, Stay, Step
from voltyard.energy.ports import LiveSession, SiteSetup
from voltyard.errors import Invalid
from voltyard.fleets.model import Vehicle
from voltyard.telematics import rule
from voltyard.telematics.rule import Point
from voltyard.timetable.model import Duty

ASSUMED_ARRIVAL_SOC_PCT = 20.0
"""State of charge assumed where neither duty nor charger tells it."""
EARLY_ARRIVAL_S = 6 * 3600.0
"""A vehicle plugged in this long before its duty's arrival is taken to be there for that duty."""
STUCK_SOC_PCT = 8.0
LATE_ARRIVAL_S = 900.0
"""A vehicle that should be here and is not is expected this much later, again and again."""
LEAST_STAY_S = 60.0
FIRM_LEAD = timedelta(seconds=60)
"""Power that must run is there so long before: those who give way need a moment."""
NOBODY = UUID(int=0)
READING_AGE_S = 120.0
"""What a reading says about power is carried on for at most this long."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What is true at ``now``. ``earlier_wh``: delivered to a duty in sessions already ended."""

    now: datetime
    setup: SiteSetup
    sessions: Sequence[LiveSession]
    duties: Sequence[Duty]
    vehicles: Mapping[UUID, Vehicle]
    earlier_wh: Mapping[UUID, float] = field(default_factory=dict)
    other_load_w: Mapping[UUID, float | Sequence[Step]] = field(default_factory=dict)
    prices: Sequence[Step] = ()
    export_prices: Sequence[Step] = ()
    surplus_w: Sequence[Step] = ()
    """What the site would feed into the grid without charging; none where nothing is said."""
    demand_price_per_kw: float = 0.0
    firm: Sequence[FirmLoad] = ()
    told: Mapping[UUID, Sequence[Point]] = field(default_factory=dict)
    """What telematics says of the charge of vehicles, the newest first."""


@dataclass(frozen=True, slots=True)
class Present:
    """A vehicle at an EVSE. ``stay`` is None when no duty says what it needs."""

    session: LiveSession
    evse: Evse
    vehicle: Vehicle | None
    duty: Duty | None
    stay: Stay | None
    priority: int
    max_power_w: float
    min_power_w: float
    curve: ChargeCurve | None
    soc_pct: float | None
    soc_told: bool = False
    """Telematics said what it had when it came, or has since."""
    now: datetime | None = None
    firm_w: float = 0.0
    """What must run beside its charging now."""
    spent_wh: float = 0.0
    """What of its energy went there, and not into its battery."""

    def takes_w(self) -> float:
        """The most it can take at its present state of charge, with a little to spare."""
        return min(self.max_power_w, self.takes_in_w(0.0) * 1.01 + 300.0)

    def takes_in_w(self, ahead_s: float) -> float:
        """The most it can take ``ahead_s`` from now if it goes on charging, by its curve."""
        if self.curve is None or self.soc_pct is None:
            return self.max_power_w
        soc_pct = self.soc_pct
        if self.vehicle is not None and self.vehicle.battery_wh:
            soc_pct += _soc_gain(self.vehicle, self.gained_wh())
            now_w = self.curve.power_at(soc_pct, self.max_power_w)
            soc_pct += _soc_gain(self.vehicle, now_w * ahead_s / 3600.0)
        return min(self.max_power_w, self.curve.power_at(min(100.0, soc_pct), self.max_power_w))

    def gained_wh(self, most_w: float = inf) -> float:
        """What it took since the last reading, at the power of that, at most ``most_w``."""
        read_at, power_w = self.session.reading_at, self.session.power_w
        if self.now is None or read_at is None or power_w is None:
            return 0.0
        age_s = min(READING_AGE_S, max(0.0, (self.now - read_at).total_seconds()))
        return min(power_w, most_w) * age_s / 3600.0


@dataclass(frozen=True, slots=True)
class Outlook:
    """Present vehicles by EVSE, and every stay by its id."""

    present: Mapping[UUID, Present]
    stays: Mapping[UUID, Stay]
    duty_of_stay: Mapping[UUID, Duty]
    must_run: tuple[MustRun, ...] = ()


def outlook(situation: Situation) -> Outlook:
    """Who is here and who is expected, each with what is still needed."""
    evses = {evse.id: evse for evse in situation.setup.evses}
    matched = match_duties(situation.sessions, situation.duties, situation.now)
    firm = _by_owner(situation.firm)
    present: dict[UUID, Present] = {}
    for session in sorted(situation.sessions, key=lambda session: session.session_id):
        evse = evses.get(session.evse_id)
        if evse is not None:
            duty = matched.get(session.session_id)
            present[evse.id] = _present(situation, session, evse, duty, firm)
    stays = {p.stay.id: p.stay for p in present.values() if p.stay is not None}
    taken = {duty.id for duty in matched.values()}
    by_bay: dict[UUID | None, Evse] = {
        evse.bay_id: evse for evse in evses.values() if evse.bay_id is not None
    }
    for duty in sorted(situation.duties, key=lambda duty: duty.id):
        if duty.id not in taken:
            expected = _expected(situation, duty, by_bay, present)
            if expected is not None:
                stays[expected.id] = expected
    duties = {duty.id: duty for duty in situation.duties if duty.id in stays}
    found = Outlook(present, stays, duties, tuple(_must_run(situation, present, stays)))
    return situation.setup.policies.shaped(found, situation)


def _must_run(
    situation: Situation, present: Mapping[UUID, Present], stays: Mapping[UUID, Stay]
) -> Iterator[MustRun]:
    """Firm loads at the outlet of their vehicle; where that is not known, at the root."""
    tree = situation.setup.tree
    here: dict[UUID, UUID] = {}
    for evse_id, one in present.items() if situation.firm else ():
        for owner in (one.duty, one.vehicle):
            if owner is not None:
                here.setdefault(owner.id, evse_id)
    for load in situation.firm:
        if load.end_at <= situation.now:
            continue
        stay = None if load.duty_id is None else stays.get(load.duty_id)
        planned = None if stay is None else stay.evse_id
        place = here.get(_owner(load), planned)
        leaf = None if place is None else tree.leaf_of_evse.get(place)
        node = tree.root if leaf is None else leaf
        yield MustRun(node.id, load.start_at - FIRM_LEAD, load.end_at, load.power_w)


def _by_owner(firm: Sequence[FirmLoad]) -> Mapping[UUID, Sequence[FirmLoad]]:
    found: dict[UUID, list[FirmLoad]] = {}
    for load in firm:
        found.setdefault(_owner(load), []).append(load)
    return found


def _owner(load: FirmLoad) -> UUID:
    """Its duty, else its vehicle; a load of neither is nobody's."""
    return load.duty_id or load.vehicle_id or NOBODY


def match_duties(
    sessions: Sequence[LiveSession], duties: Sequence[Duty], now: datetime
) -> dict[UUID, Duty]:
    """By session: the duty it names, else the next departure of its vehicle. A duty goes once."""
    by_id = {duty.id: duty for duty in duties}
    of_vehicle: dict[UUID, list[Duty]] = {}
    for duty in duties:
        if duty.vehicle_id is not None:
            of_vehicle.setdefault(duty.vehicle_id, []).append(duty)
    found: dict[UUID, Duty] = {}
    taken: set[UUID] = set()
    for session in sorted(sessions, key=lambda session: (session.started_at, session.session_id)):
        named = by_id.get(session.duty_id) if session.duty_id is not None else None
        if named is None and session.vehicle_id is not None:
            fitting = [
                duty
                for duty in of_vehicle.get(session.vehicle_id, ())
                if duty.departure_at > now
                and duty.arrival_at <= now + timedelta(seconds=EARLY_ARRIVAL_S)
            ]
            named = min(fitting, key=lambda duty: (duty.departure_at, duty.id), default=None)
        if named is not None and named.id not in taken:
            taken.add(named.id)
            found[session.session_id] = named
    return found


def _present(
    situation: Situation,
    session: LiveSession,
    evse: Evse,
    duty: Duty | None,
    firm_of: Mapping[UUID, Sequence[FirmLoad]],
) -> Present:
    site = situation.setup.site
    vehicle_id = session.vehicle_id or (None if duty is None else duty.vehicle_id)
    vehicle = None if vehicle_id is None else situation.vehicles.get(vehicle_id)
    max_power_w = evse.max_power_w
    if vehicle is not None and vehicle.max_power_w is not None:
        max_power_w = min(max_power_w, vehicle.max_power_w)
    if vehicle is None and site.unknown_vehicle_power_w is not None:
        max_power_w = min(max_power_w, site.unknown_vehicle_power_w)
    max_power_w = needs.most_w(session.needs, max_power_w, evse.min_power_w)
    min_power_w = max(evse.min_power_w, 0.0 if vehicle is None else vehicle.min_power_w)
    min_power_w = needs.least_w(session.needs, min_power_w)
    owners = (None if duty is None else duty.id, vehicle_id)
    firm = [load for owner in owners if owner is not None for load in firm_of.get(owner, ())]
    spent_wh = sum(load.spent_wh(session.started_at, situation.now) for load in firm)
    spent_wh = min(spent_wh, max(0.0, session.energy_wh))
    charged = session
    if spent_wh > 0.0:
        charged = replace(session, energy_wh=session.energy_wh - spent_wh)
    points = () if vehicle is None else situation.told.get(vehicle.id, ())
    since = since_plug_in(charged, points, situation.now)
    soc_pct = present_soc_pct(charged, vehicle, duty, _earlier(situation, duty), since)
    made = partial(
        Present,
        session=session,
        evse=evse,
        vehicle=vehicle,
        duty=duty,
        priority=needs.priority(
            session.needs, site.unknown_vehicle_priority, None if duty is None else duty.priority
        ),
        max_power_w=max_power_w,
        min_power_w=min(min_power_w, max_power_w),
        curve=curve_of(vehicle),
        soc_pct=soc_pct,
        soc_told=since is not None,
        now=situation.now,
        firm_w=sum(
            load.power_w
            for load in firm
            if load.start_at - FIRM_LEAD <= situation.now < load.end_at
        ),
        spent_wh=spent_wh,
    )
    return made(stay=_present_stay(situation, made(stay=None)))


def _earlier(situation: Situation, duty: Duty | None) -> float:
    return 0.0 if duty is None else situation.earlier_wh.get(duty.id, 0.0)


def _present_stay(situation: Situation, present: Present) -> Stay | None:
    duty, session = present.duty, present.session
    least = situation.now + timedelta(seconds=LEAST_STAY_S)
    stay = _own_stay(present, least) if duty is None else _duty_stay(situation, present, duty)
    if stay is None:
        return None
    return replace(
        stay,
        arrival_at=min(session.started_at, situation.now),
        departure_at=max(stay.departure_at, least),
        priority=present.priority,
        evse_id=present.evse.id if _in_tree(situation, present.evse) else None,
        min_power_w=present.min_power_w,
        plugged=True,
        charging_w=session.power_w or 0.0,
    )


def _duty_stay(situation: Situation, present: Present, duty: Duty) -> Stay | None:
    """The duty says when and how much; how much, the vehicle where the duty leaves it open."""
    session = present.session
    delivered_wh = session.energy_wh - present.spent_wh + _earlier(situation, duty)
    needed_wh = energy_needed_wh(duty, present.vehicle, present.soc_pct, delivered_wh)
    if needed_wh is None and session.needs is not None:
        needed_wh = session.needs.missing_wh(session.energy_wh)
    if needed_wh is None:
        return None
    return _stay(duty, present.vehicle, needed_wh, present.soc_pct, present.max_power_w)


def _own_stay(present: Present, least: datetime) -> Stay | None:
    """What a vehicle of no duty asks for itself, as far as it could be had by then.

    One that has it is not cut off: it goes on as one that asked for nothing.
    """
    wish = needs.wish(present.session, present.max_power_w, least, present.now)
    if wish is None:
        return None
    return Stay(
        id=present.session.session_id,
        arrival_at=present.session.started_at,
        departure_at=wish.departure_at,
        energy_needed_wh=wish.energy_wh,
        max_power_w=present.max_power_w,
        vehicle_id=None if present.vehicle is None else present.vehicle.id,
        soc_pct=present.soc_pct,
        battery_wh=None if present.vehicle is None else present.vehicle.battery_wh,
        efficiency=1.0 if present.vehicle is None else present.vehicle.efficiency,
        curve=present.curve,
        priority=present.priority,
        label="" if present.vehicle is None else present.vehicle.name,
    )


def _in_tree(situation: Situation, evse: Evse) -> bool:
    return evse.id in situation.setup.tree.leaf_of_evse


def _expected(
    situation: Situation,
    duty: Duty,
    by_bay: Mapping[UUID | None, Evse],
    present: Mapping[UUID, Present],
) -> Stay | None:
    vehicle = None if duty.vehicle_id is None else situation.vehicles.get(duty.vehicle_id)
    arrival_at = duty.arrival_at
    if arrival_at <= situation.now:
        left_s = (duty.departure_at - situation.now).total_seconds()
        arrival_at = situation.now + timedelta(seconds=min(LATE_ARRIVAL_S, left_s / 2.0))
    if (duty.departure_at - arrival_at).total_seconds() < LEAST_STAY_S:
        return None
    soc_pct = duty.soc_arrival_pct
    if soc_pct is None:
        soc_pct = ASSUMED_ARRIVAL_SOC_PCT
    earlier_wh = _earlier(situation, duty)
    points = () if vehicle is None else situation.told.get(vehicle.id, ())
    seen_pct = rule.at_arrival_pct(points, arrival_at, soc_pct, situation.now)
    if seen_pct is not None:
        # It holds what was charged here before, as far as it was told after that.
        soc_pct = seen_pct
    elif vehicle is not None and vehicle.battery_wh:
        soc_pct = min(100.0, soc_pct + _soc_gain(vehicle, earlier_wh))
    needed_wh = energy_needed_wh(duty, vehicle, soc_pct, earlier_wh)
    if needed_wh is None:
        return None
    evse = _bay_free_at(duty, arrival_at, by_bay, present)
    limits = [evse.max_power_w] if evse is not None else _usual_power(situation)
    if vehicle is not None and vehicle.max_power_w is not None:
        limits.append(vehicle.max_power_w)
    stay = _stay(duty, vehicle, needed_wh, soc_pct, min(limits))
    in_tree = evse is not None and _in_tree(situation, evse)
    return replace(
        stay, arrival_at=arrival_at, evse_id=evse.id if evse is not None and in_tree else None
    )


def _usual_power(situation: Situation) -> list[float]:
    return [max((evse.max_power_w for evse in situation.setup.evses), default=0.0)]


def _bay_free_at(
    duty: Duty,
    arrival_at: datetime,
    by_bay: Mapping[UUID | None, Evse],
    present: Mapping[UUID, Present],
) -> Evse | None:
    """The EVSE of the assigned bay, unless somebody else stands there until later."""
    evse = None if duty.bay_id is None else by_bay.get(duty.bay_id)
    if evse is None:
        return None
    other = present.get(evse.id)
    if other is not None and (other.stay is None or other.stay.departure_at > arrival_at):
        return None
    return evse


def _stay(
    duty: Duty, vehicle: Vehicle | None, needed_wh: float, soc_pct: float | None, max_w: float
) -> Stay:
    target_pct = duty.target_soc_pct
    if target_pct is None and duty.target_energy_wh is None:
        target_pct = 100.0
    return Stay(
        id=duty.id,
        arrival_at=duty.arrival_at,
        departure_at=duty.departure_at,
        energy_needed_wh=needed_wh,
        max_power_w=max_w,
        vehicle_id=duty.vehicle_id,
        soc_pct=soc_pct,
        target_soc_pct=target_pct,
        battery_wh=None if vehicle is None else vehicle.battery_wh,
        efficiency=1.0 if vehicle is None else vehicle.efficiency,
        curve=curve_of(vehicle),
        min_power_w=0.0 if vehicle is None else min(vehicle.min_power_w, max_w),
        priority=duty.priority,
        label=duty.external_id if vehicle is None else vehicle.name,
    )


def curve_of(vehicle: Vehicle | None) -> ChargeCurve | None:
    """None where there is no curve, or one that makes no sense."""
    return None if vehicle is None or not vehicle.charge_curve else _curve(vehicle.charge_curve)


@lru_cache(maxsize=4096)
def _curve(points: tuple[tuple[float, float], ...]) -> ChargeCurve | None:
    try:
        return ChargeCurve(points)
    except Invalid:
        return None


def since_plug_in(
    session: LiveSession, points: Sequence[Point], now: datetime
) -> tuple[float, float] | None:
    """A state of charge that telematics told, and the energy (Wh at the meter) since then."""
    fresh = rule.during(points, session.started_at, now)
    if fresh is not None:
        age_s = max(0.0, (now - fresh.at).total_seconds())
        return fresh.soc_pct, (session.power_w or 0.0) * age_s / 3600.0
    plugged_pct = rule.at_plug_in_pct(points, session.started_at, now)
    return None if plugged_pct is None else (plugged_pct, session.energy_wh)


def present_soc_pct(
    session: LiveSession,
    vehicle: Vehicle | None,
    duty: Duty | None,
    earlier_wh: float,
    told: tuple[float, float] | None = None,
) -> float | None:
    """What the charger reports; else the state at arrival and what was delivered since.

    A report that stays behind while energy flows is stuck: then the meter counts.
    """
    counted_pct = _counted_soc_pct(session, vehicle, duty, earlier_wh, told)
    if session.soc_pct is None:
        return counted_pct
    stuck = session.soc_start_pct is not None and counted_pct is not None
    if stuck and counted_pct is not None and counted_pct > session.soc_pct + STUCK_SOC_PCT:
        return counted_pct
    return session.soc_pct


def _counted_soc_pct(
    session: LiveSession,
    vehicle: Vehicle | None,
    duty: Duty | None,
    earlier_wh: float,
    told: tuple[float, float] | None,
) -> float | None:
    """From the state at plug-in and the meter, or from what telematics told."""
    if vehicle is None or not vehicle.battery_wh:
        return None
    told_pct = needs.started_at_pct(session.needs)
    if session.soc_start_pct is not None:
        start_pct, energy_wh = session.soc_start_pct, session.energy_wh
    elif told_pct is not None:
        start_pct, energy_wh = told_pct, session.energy_wh
    elif told is not None:
        start_pct, energy_wh = told
    else:
        start_pct = ASSUMED_ARRIVAL_SOC_PCT
        if duty is not None and duty.soc_arrival_pct is not None:
            start_pct = duty.soc_arrival_pct
        energy_wh = session.energy_wh + earlier_wh
    return min(100.0, start_pct + _soc_gain(vehicle, energy_wh))


def _soc_gain(vehicle: Vehicle, energy_wh: float) -> float:
    assert vehicle.battery_wh
    return energy_wh * vehicle.efficiency / vehicle.battery_wh * 100.0


def energy_needed_wh(
    duty: Duty, vehicle: Vehicle | None, soc_pct: float | None, delivered_wh: float
) -> float | None:
    """Energy at the meter still missing to the target; None when it cannot be known."""
    if duty.target_energy_wh is not None:
        return max(0.0, duty.target_energy_wh - delivered_wh)
    if vehicle is None or not vehicle.battery_wh or soc_pct is None:
        return None
    target_pct = 100.0 if duty.target_soc_pct is None else duty.target_soc_pct
    missing_pct = max(0.0, target_pct - soc_pct)
    return missing_pct / 100.0 * vehicle.battery_wh / vehicle.efficiency


def plan_input(
    situation: Situation,
    found: Outlook,
    *,
    horizon_s: float,
    slot_s: int,
    mode: PlanMode = PlanMode.PEAK,
    peak_so_far_w: float = 0.0,
    given_up: frozenset[UUID] = frozenset(),
) -> PlanInput:
    """The planner's input: horizon up to the last departure, at most ``horizon_s``."""
    last = max((stay.departure_at for stay in found.stays.values()), default=situation.now)
    end = min(last, situation.now + timedelta(seconds=horizon_s))
    return PlanInput(
        site_id=situation.setup.site.id,
        now=situation.now,
        horizon_end=max(end, situation.now + timedelta(seconds=slot_s)),
        tree=situation.setup.tree,
        stays=tuple(found.stays[key] for key in sorted(found.stays)),
        slot_s=slot_s,
        other_load_w=situation.other_load_w,
        prices=tuple(situation.prices),
        export_prices=tuple(situation.export_prices) or None,
        surplus_w=tuple(situation.surplus_w),
        demand_price_per_kw=situation.demand_price_per_kw,
        peak_so_far_w=peak_so_far_w,
        mode=mode,
        given_up=given_up,
        must_run=found.must_run,
    )

"""What may flow back from a vehicle, and what forbids it. Pure.

An order is a wish: it is followed as far as the vehicle keeps the state of charge it must not
fall below and can still be ready in time, also if voltyard falls silent the moment it is sent.
Nobody's headroom grows by what flows back: such an outlet counts at 0 W under its limit, and at
its fail-safe level beneath.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from math import floor
from uuid import UUID

from voltyard.chargers.model import PowerMode
from voltyard.energy.board import Board
from voltyard.energy.confirm import FallbackState
from voltyard.energy.inputs import Present
from voltyard.energy.model import Plan, Stay
from voltyard.energy.outlet import Outlet, Timing
from voltyard.energy.steering import CHARGING, Steer
from voltyard.energy.watch import Step

LEAST_W = 500.0
"""Less is not worth a command."""
STEP_W = 100.0
SOC_AGE = timedelta(minutes=10)
"""A state of charge heard longer ago says nothing."""
REFUSED_FOR = timedelta(minutes=5)
SPARE_SHARE = 1.5
"""So many times as long as charging takes at its most must be left; more to begin again."""
SPARE_SHARE_AGAIN = 2.0
SPARE_S = 1800.0


class Hindrance(StrEnum):
    """Why an order rests, or why less flows back than was ordered."""

    NONE = ""
    CHARGER = "charger"
    """It cannot, or V2X is switched off there."""
    VEHICLE = "vehicle"
    NEGOTIATING = "negotiating"
    """It could; what it may do was told to it, and it has not asked for it yet."""
    UNHEARD = "unheard"
    """The charger is away, or does not hold its fail-safe limit."""
    DISOBEDIENT = "disobedient"
    REFUSED = "refused"
    SOC_UNKNOWN = "soc_unknown"
    BATTERY_UNKNOWN = "battery_unknown"
    FLOOR = "floor"
    """It is down to where it must not fall below: nothing flows either way."""
    READINESS = "readiness"
    """It could miss its departure, or the site has no power to spare."""


@dataclass(frozen=True, slots=True)
class Order:
    """``power_w`` (0 or more) is to flow back until ``until_at``, down to ``soc_floor_pct``."""

    session_id: UUID
    mode: PowerMode
    power_w: float
    until_at: datetime
    soc_floor_pct: float
    set_by: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What comes of an order now; ``steer`` is charging where it rests."""

    steer: Steer
    why: Hindrance = Hindrance.NONE


@dataclass(frozen=True, slots=True)
class Facts:
    """What an order is judged by."""

    outlet: Outlet
    present: Present
    plan: Plan | None
    now: datetime
    lasts_s: float
    """How long what is sent now may go on with nobody to end it."""
    resting: bool = False
    renewing: bool = False
    """What was sent is about to be sent again."""


class Discharging:
    """The orders of one site and what became of each at the last look."""

    def __init__(self) -> None:
        self._orders: dict[UUID, Order] = {}
        self.verdicts: dict[UUID, Verdict] = {}

    def load(self, orders: Iterable[Order]) -> None:
        self._orders = {order.session_id: order for order in orders}

    def put(self, order: Order) -> None:
        self._orders[order.session_id] = order

    def drop(self, session_id: UUID) -> None:
        self._orders.pop(session_id, None)

    def order(self, session_id: UUID, now: datetime) -> Order | None:
        found = self._orders.get(session_id)
        return None if found is None or found.until_at <= now else found

    def decide(
        self,
        board: Board,
        present: Mapping[UUID, Present],
        plan: Plan | None,
        now: datetime,
        timing: Timing,
    ) -> None:
        """Steer every outlet by its order, or back to charging."""
        before, self.verdicts = self.verdicts, {}
        if not self._orders:
            for outlet in board:
                outlet.steer, outlet.steer_until = CHARGING, None
            return
        for outlet in board:
            session = outlet.session
            order = None if session is None else self.order(session.session_id, now)
            here = present.get(outlet.evse.id)
            if order is None or session is None or here is None:
                outlet.steer, outlet.steer_until = CHARGING, None
                continue
            known = before.get(session.session_id)
            lasts_s = min(timing.valid_s, (order.until_at - now).total_seconds()) + timing.slack_s
            resting = known is not None and known.why is Hindrance.READINESS
            renewing = outlet.renewal_due(now, timing)
            facts = Facts(outlet, here, plan, now, lasts_s, resting, renewing)
            verdict = judged(order, facts)
            self.verdicts[session.session_id] = verdict
            outlet.steer = verdict.steer
            outlet.steer_until = order.until_at if verdict.steer is not CHARGING else None


def judged(order: Order, facts: Facts) -> Verdict:
    """The most of an order that endangers nothing."""
    why = _unable(order, facts)
    if why is not Hindrance.NONE:
        return Verdict(CHARGING, why)
    if facts.present.firm_w > 0.0:
        return Verdict(CHARGING, Hindrance.READINESS)
    if order.mode is PowerMode.IDLE:
        return _held(order, facts, Hindrance.NONE)
    needs = facts.present.session.needs
    if needs is None or not needs.gives:
        able = needs is not None and needs.could_give
        return Verdict(CHARGING, Hindrance.NEGOTIATING if able else Hindrance.VEHICLE)
    spare_wh, why = _spare_wh(order, facts)
    if why is not Hindrance.NONE:
        return Verdict(CHARGING, why)
    most_w = min(order.power_w, needs.discharge_max_w or 0.0, facts.outlet.evse.max_power_w)
    power_w = _power_w(order, facts, most_w, spare_wh)
    if power_w < max(LEAST_W, needs.discharge_min_w or 0.0):
        return _held(order, facts, Hindrance.FLOOR)
    if not _stays_ready(facts, power_w):
        return Verdict(CHARGING, Hindrance.READINESS)
    short = Hindrance.FLOOR if power_w < most_w - STEP_W else Hindrance.NONE
    return Verdict(Steer(order.mode, -power_w), short)


def _unable(order: Order, facts: Facts) -> Hindrance:
    outlet = facts.outlet
    if not outlet.connected or outlet.reinstall:
        return Hindrance.UNHEARD
    if outlet.held.fallback_state is FallbackState.FAILED:
        return Hindrance.UNHEARD
    if order.mode not in outlet.abilities.modes:
        return Hindrance.CHARGER
    if outlet.obedience.step >= Step.FENCED:
        return Hindrance.DISOBEDIENT
    failed_at = outlet.steer_failed_at
    if failed_at is not None and facts.now < failed_at + REFUSED_FOR:
        return Hindrance.REFUSED
    return Hindrance.NONE


def _held(order: Order, facts: Facts, why: Hindrance) -> Verdict:
    """Neither charged nor discharged, as long as that endangers nobody's departure."""
    if not _stays_ready(facts, 0.0):
        return Verdict(CHARGING, Hindrance.READINESS)
    return Verdict(Steer(order.mode, 0.0), why)


def _spare_wh(order: Order, facts: Facts) -> tuple[float, Hindrance]:
    """Energy at the meter above the floor, by the lower of what is told and what is counted."""
    present, session = facts.present, facts.present.session
    needs = session.needs
    told_at = session.reading_at
    if session.soc_pct is None or told_at is None or facts.now - told_at > SOC_AGE:
        return 0.0, Hindrance.SOC_UNKNOWN
    battery_wh, efficiency = _battery(present)
    if battery_wh is None:
        return 0.0, Hindrance.BATTERY_UNKNOWN
    soc_pct = session.soc_pct
    if present.soc_pct is not None:
        soc_pct = min(soc_pct, present.soc_pct)
    spare_wh = (soc_pct - order.soc_floor_pct) / 100.0 * battery_wh * efficiency
    if needs is not None and needs.cycling_wh is not None:
        since_wh = session.energy_wh - needs.delivered_wh
        spare_wh = min(spare_wh, since_wh - needs.cycling_wh)
    return max(0.0, spare_wh), Hindrance.NONE


def _battery(present: Present) -> tuple[float | None, float]:
    vehicle, needs = present.vehicle, present.session.needs
    if vehicle is not None and vehicle.battery_wh:
        return vehicle.battery_wh, vehicle.efficiency
    return (None if needs is None else needs.battery_wh), 1.0


def _power_w(order: Order, facts: Facts, most_w: float, spare_wh: float) -> float:
    """What leaves the floor alone even if nobody ends it. What was sent stays, while that holds
    for the rest of its time: it is reckoned anew when it is renewed."""
    outlet = facts.outlet
    cap_w = floor(min(most_w, spare_wh * 3600.0 / facts.lasts_s) / STEP_W) * STEP_W
    sent_w, until_at = -outlet.applied.setpoint_w, outlet.held.live_until
    if outlet.applied.mode is not order.mode or not 0.0 < sent_w <= most_w or until_at is None:
        return cap_w
    left_wh = sent_w * (until_at - facts.now).total_seconds() / 3600.0
    if facts.renewing or left_wh > spare_wh or cap_w > sent_w:
        return cap_w
    return sent_w


def _stays_ready(facts: Facts, power_w: float) -> bool:
    """Whether it is charged in time if so much flows back until nobody can go on unheard.

    The plan knows what the others need: under overload, or where it misses already, no.
    """
    present, stay, plan = facts.present, facts.present.stay, facts.plan
    if stay is None:
        return present.duty is None
    if stay.energy_needed_wh <= 0.0 and power_w <= 0.0:
        return True
    if plan is None or stay.id not in plan.power_w or plan.stats.overload:
        return False
    forecast = plan.forecasts.get(stay.id)
    if stay.id in plan.given_up or (forecast is not None and forecast.will_miss):
        return False
    share = SPARE_SHARE_AGAIN if facts.resting else SPARE_SHARE
    left_s = (stay.departure_at - facts.now).total_seconds() - facts.lasts_s
    return charging_s(_after(stay, power_w * facts.lasts_s / 3600.0)) * share + SPARE_S <= left_s


def _after(stay: Stay, taken_wh: float) -> Stay:
    """The stay with so much less in its battery."""
    soc_pct = stay.soc_pct
    if soc_pct is not None and stay.battery_wh:
        soc_pct = max(0.0, soc_pct - taken_wh / stay.efficiency / stay.battery_wh * 100.0)
    needed_wh = stay.energy_needed_wh + taken_wh / stay.efficiency**2
    return replace(stay, energy_needed_wh=needed_wh, soc_pct=soc_pct)


def charging_s(stay: Stay) -> float:
    """How long what it needs takes with nobody else there; inf if it never gets it."""
    if stay.energy_needed_wh <= 0.0:
        return 0.0
    if stay.max_power_w <= 0.0:
        return float("inf")
    if stay.curve is None or stay.soc_pct is None or not stay.battery_wh:
        return stay.energy_needed_wh * 3600.0 / stay.max_power_w
    gained = stay.energy_needed_wh * stay.efficiency / stay.battery_wh * 100.0
    reached = min(100.0, stay.soc_pct + gained)
    return stay.curve.time_s(
        stay.soc_pct, reached, stay.battery_wh, stay.max_power_w, stay.efficiency
    )

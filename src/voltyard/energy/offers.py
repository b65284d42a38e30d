"""Schedules for vehicles (ISO 15118): whether one is offered, and whether theirs fits. Pure.

The schedule a vehicle gets is the limit of its transaction: what the control grants it now, for as
long as that lasts, then the fail-safe level beneath. A shape beyond it would either promise what
nobody has confirmed room for, or take back what the next tick may grant.
"""

from collections.abc import Sequence
from datetime import datetime

from voltyard.chargers.model import PlannedPower, ScheduleOffer
from voltyard.energy.confirm import FallbackState
from voltyard.energy.outlet import Outlet
from voltyard.energy.profiles import ends_with_transaction, has_live_layer
from voltyard.energy.watch import Step
from voltyard.units import amps_to_watts

SLACK_SHARE = 0.01
SLACK_W = 100.0


def offered(outlet: Outlet) -> ScheduleOffer:
    """K15.FR.07: by a profile of the transaction, or not at all."""
    quirks = outlet.station.quirks
    if not ends_with_transaction(quirks) or not has_live_layer(quirks):
        return ScheduleOffer.NONE
    if outlet.obedience.step >= Step.FENCED or outlet.takes_no_limit:
        return ScheduleOffer.NONE
    if not outlet.connected or outlet.reinstall:
        return ScheduleOffer.LATER
    return ScheduleOffer.NOW


def start_w(outlet: Outlet) -> float | None:
    """The most a transaction yet to begin may be told, so that it counts at no more than now."""
    sure = outlet.held.fallback_state in (FallbackState.SENT, FallbackState.VERIFIED)
    if not sure or outlet.reinstall or outlet.session is not None or outlet.held.lives:
        return None
    return outlet.held.fallback_w


def fault(outlet: Outlet, periods: Sequence[PlannedPower], now: datetime) -> str:
    """Why a vehicle's schedule is not within its limit (K15.FR.11, FR.12); empty if it is.

    Beyond the end of the limit the higher of it and the fail-safe level counts: the limit is
    renewed before, and a vehicle may plan on that.
    """
    if not periods:
        return ""
    held = outlet.held.at(now)
    later_w = held.ceiling_w
    until_at = held.live_until
    ordered = sorted(periods, key=lambda period: period.start_at)
    ends = [period.start_at for period in ordered[1:]]
    for period, end_at in zip(ordered, [*ends, None], strict=True):
        if end_at is not None and end_at <= now:
            continue
        within = held.lives and (until_at is None or period.start_at < until_at)
        allowed_w = held.live_w if within else later_w
        power_w = watts(outlet, period)
        if power_w > allowed_w * (1.0 + SLACK_SHARE) + SLACK_W:
            return f"{power_w:.0f} W from {period.start_at:%H:%M} UTC, {allowed_w:.0f} W allowed"
    return ""


def watts(outlet: Outlet, period: PlannedPower) -> float:
    if period.unit.upper() != "A":
        return period.limit
    evse = outlet.evse
    return amps_to_watts(period.limit, period.phases or evse.phases, evse.voltage_v)

"""What a vehicle asks for itself, as far as it may be believed; hints to plan by. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from voltyard.energy.ports import LiveSession
from voltyard.sessions.model import Urgency, VehicleNeeds

PLAUSIBLE_W = 1_000.0
"""Less is no vehicle's most: a charger that tells kW for W would starve it."""
LONGEST = timedelta(days=1)
FIRST = 1
STRIDE = 10
"""Ranks of groups lie this far apart; what is left is the own priority, 1 to 9."""
EARLY_WH = 1_000.0
SPARE = 0.95
"""How much of what it could take until it leaves a vehicle may ask for: more would count as
overload of the site, which its wish alone is not."""


@dataclass(frozen=True, slots=True)
class Wish:
    """So much energy (Wh at the meter) until then."""

    energy_wh: float
    departure_at: datetime


def most_w(needs: VehicleNeeds | None, max_power_w: float, evse_min_w: float) -> float:
    """The vehicle knows what it can take at most; it can only lower."""
    if needs is None or needs.max_power_w is None:
        return max_power_w
    believed = needs.max_power_w >= max(PLAUSIBLE_W, evse_min_w)
    return min(max_power_w, needs.max_power_w) if believed else max_power_w


def least_w(needs: VehicleNeeds | None, min_power_w: float) -> float:
    if needs is None or needs.min_power_w is None:
        return min_power_w
    return max(min_power_w, needs.min_power_w)


def started_at_pct(needs: VehicleNeeds | None) -> float | None:
    """The state of charge at plug-in, where the vehicle told its own soon after."""
    if needs is None or needs.delivered_wh > EARLY_WH:
        return None
    return needs.soc_pct


def own_priority(rank: int) -> int:
    """As people entered it, whatever group it is in."""
    return rank % STRIDE or rank


def priority(needs: VehicleNeeds | None, unknown: int, of_duty: int | None) -> int:
    """1 is the most important. A duty says its own, and only a person of ours goes above it; a
    driver goes before others of no duty."""
    urgency = Urgency.NONE if needs is None else needs.urgency
    if urgency is Urgency.PERSON:
        return FIRST
    if of_duty is not None:
        return of_duty
    return max(FIRST, unknown - 1) if urgency is Urgency.DRIVER else unknown


def wish(
    session: LiveSession, max_power_w: float, least: datetime, now: datetime | None
) -> Wish | None:
    """None unless it told both, and there is still something to be had."""
    needs = session.needs
    if needs is None or needs.departure_at is None or now is None:
        return None
    missing_wh = needs.missing_wh(session.energy_wh)
    departure_at = min(needs.departure_at, now + LONGEST)
    if missing_wh is None or departure_at <= least:
        return None
    hours = (departure_at - now).total_seconds() / 3600.0
    energy_wh = min(missing_wh, max_power_w * hours * SPARE)
    return None if energy_wh <= 0.0 else Wish(energy_wh, departure_at)

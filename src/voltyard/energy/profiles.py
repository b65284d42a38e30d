"""From watts to the limit a certain charger understands: unit, whole amps, profile and stack."""

from dataclasses import replace
from datetime import datetime, timedelta
from math import floor

from voltyard.chargers.commands import (
    CommandResult,
    Dynamic,
    LimitPurpose,
    SchedulePeriod,
    SetLimit,
    UpdateLimit,
)
from voltyard.chargers.model import Abilities, CurrentType, Evse, LimitHolder, PowerMode, Quirks
from voltyard.energy.steering import Steer
from voltyard.units import amps_to_watts, floor_amps, watts_to_amps

BACKDATE_S = 300
"""Live limits start this much in the past, so that a charger whose clock is slow obeys at once."""


def in_amps(evse: Evse, quirks: Quirks) -> bool:
    if quirks.unit is not None:
        return quirks.unit.upper() == "A"
    return evse.current_type is CurrentType.AC


def settable_w(evse: Evse, quirks: Quirks, power_w: float) -> float:
    """The highest power the charger can be set to that is not above ``power_w``; never negative.

    AC below the least current that a vehicle takes (6 A by IEC 61851-1) becomes 0.
    """
    power_w = max(0.0, min(power_w, evse.max_power_w))
    if not in_amps(evse, quirks):
        return float(floor(power_w + 1e-6))
    current_a = watts_to_amps(power_w, evse.phases, evse.voltage_v)
    if quirks.integer_amps:
        current_a = float(floor_amps(current_a))
    else:
        current_a = floor(current_a * 10.0 + 1e-6) / 10.0
    if evse.current_type is CurrentType.AC and current_a < quirks.min_current_a:
        return 0.0
    return amps_to_watts(current_a, evse.phases, evse.voltage_v)


def has_live_layer(quirks: Quirks) -> bool:
    """Whether a live limit can lie over the fail-safe one and expire by itself."""
    return (
        ends_with_transaction(quirks)
        or quirks.stack_level_max is None
        or quirks.stack_level_max >= 1
    )


def ends_with_transaction(quirks: Quirks) -> bool:
    """Whether a live limit is one of its transaction; a cap of the station is not."""
    return quirks.tx_profile and quirks.holder is not LimitHolder.STATION


def _stays(quirks: Quirks) -> LimitPurpose:
    station = quirks.holder is LimitHolder.STATION
    return LimitPurpose.STATION_MAX if station else LimitPurpose.TX_DEFAULT


def fallback_limit(evse: Evse, quirks: Quirks, power_w: float) -> SetLimit:
    """The fail-safe: a default for every transaction, without end, on the lowest stack level."""
    return _limit(evse, quirks, power_w, _stays(quirks), 0, evse.number * 10 + 1)


def live_profile_id(evse: Evse) -> int:
    return evse.number * 10 + 2


def live_limit(
    evse: Evse,
    quirks: Quirks,
    power_w: float,
    *,
    now: datetime,
    valid_s: int,
    transaction_ref: str,
) -> SetLimit:
    """The grant of the moment: ends by itself after ``valid_s`` unless it is renewed."""
    in_transaction = ends_with_transaction(quirks)
    purpose = LimitPurpose.TX if in_transaction else _stays(quirks)
    level = quirks.stack_level
    if quirks.stack_level_max is not None:
        level = min(level, quirks.stack_level_max)
    return _limit(
        evse,
        quirks,
        power_w,
        purpose,
        level,
        live_profile_id(evse),
        valid_s=valid_s + BACKDATE_S,
        start_at=now - timedelta(seconds=BACKDATE_S),
        transaction_ref=transaction_ref if in_transaction else None,
    )


def steered(evse: Evse, made: SetLimit, steer: Steer) -> SetLimit:
    """The same as a setpoint; below 0 it flows back. Idle has no value."""
    if steer.mode is PowerMode.LIMIT:
        return made
    if made.limit_a is None:
        return replace(made, mode=steer.mode, limit_w=steer.setpoint_w)
    current_a = watts_to_amps(steer.setpoint_w, evse.phases, evse.voltage_v)
    return replace(made, mode=steer.mode, limit_a=round(current_a, 1))


def updated_limit(made: SetLimit, valid_s: int, abilities: Abilities, quirks: Quirks) -> SetLimit:
    """The same to be updated: it lasts so long after the last update (K28), however long before
    it was sent, and no longer without a connection."""
    dynamic = Dynamic(away_s=valid_s if abilities.away else None, pull_s=quirks.pull_s)
    return replace(made, valid_s=valid_s, start_at=None, dynamic=dynamic)


def update_of(made: SetLimit) -> UpdateLimit:
    """The value alone."""
    return UpdateLimit(made.profile_id, made.limit_w, made.limit_a, made.mode)


def start_limit(
    evse: Evse, quirks: Quirks, power_w: float, *, now: datetime, valid_s: int | None
) -> SetLimit:
    """For a transaction yet to begin, in the place of its first live limit, which replaces it."""
    settable = settable_w(evse, quirks, power_w)
    made = live_limit(evse, quirks, settable, now=now, valid_s=valid_s or 0, transaction_ref="")
    made = replace(made, transaction_ref=None)
    return made if valid_s is not None else replace(made, valid_s=None)


def _limit(
    evse: Evse,
    quirks: Quirks,
    power_w: float,
    purpose: LimitPurpose,
    stack_level: int,
    profile_id: int,
    *,
    valid_s: int | None = None,
    start_at: datetime | None = None,
    transaction_ref: str | None = None,
) -> SetLimit:
    amps = in_amps(evse, quirks)
    current_a = watts_to_amps(power_w, evse.phases, evse.voltage_v)
    return SetLimit(
        purpose=purpose,
        evse_number=0 if purpose is LimitPurpose.STATION_MAX else evse.number,
        profile_id=profile_id,
        stack_level=stack_level,
        limit_w=None if amps else power_w,
        limit_a=round(current_a, 1) if amps else None,
        phases=min(evse.phases, quirks.phases) if quirks.send_phases else None,
        valid_s=valid_s,
        start_at=start_at,
        transaction_ref=transaction_ref,
    )


def shown_w(evse: Evse, result: CommandResult) -> float | None:
    """The highest power a composite schedule allows; None when it cannot be told.

    Without a transaction some chargers show no periods at all: that tells nothing.
    """
    if not result.accepted:
        return None
    periods = result.detail.get("periods")
    if not periods:
        return None
    highest_w = 0.0
    for period in periods:
        assert isinstance(period, SchedulePeriod)
        power_w = period.limit
        if str(result.detail.get("unit", "W")).upper() == "A":
            power_w = amps_to_watts(period.limit, period.phases or evse.phases, evse.voltage_v)
        highest_w = max(highest_w, power_w)
    return highest_w

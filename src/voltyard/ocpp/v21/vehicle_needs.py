"""OCPP 2.1 K15 to K20: what a vehicle asks for, by ISO 15118-2 or -20, and its schedule."""

import math
from dataclasses import replace
from datetime import datetime

from voltyard.chargers.model import PlannedPower, ScheduleOffer
from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v21.dynamic_charging import (
    NotifyPriorityCharging,
    NotifyPriorityChargingResponse,
)
from voltyard.ocpp.v21.ev_needs import (
    ChargingNeeds,
    NotifyEVChargingNeeds,
    NotifyEVChargingNeedsResponse,
    NotifyEVChargingNeedsStatusWord,
    NotifyEVChargingSchedule,
    NotifyEVChargingScheduleResponse,
    V2xChargingParameters,
)
from voltyard.ocpp.v21.smart_charging import ChargingSchedulePeriod
from voltyard.ocpp.v21.types import StatusInfo
from voltyard.ocpp.v201 import ev_needs as ev_needs_201
from voltyard.ocpp.v201.vehicle_needs import (
    ENERGY_MAX_WH,
    INFO_MAX,
    OFFERS,
    POWER_MAX_W,
    after,
    amount,
    begin,
    judged,
    offered,
    percent,
    read_needs,
)
from voltyard.sessions.model import VehicleNeeds


async def charging_needs(
    exchange: Exchange, request: NotifyEVChargingNeeds
) -> NotifyEVChargingNeedsResponse:
    """K15 for ISO 15118-2; K18, K19 and K20 for -20, where Rejected would end the transaction."""
    needs = request.charging_needs
    told = all_needs(exchange, needs)
    if request.timestamp is not None:
        told = replace(told, told_at=exchange.instant(request.timestamp))
    offer = await offered(exchange, request.evse_id, told)
    return NotifyEVChargingNeedsResponse(status=_word(offer, needs))


def _word(offer: ScheduleOffer, needs: ChargingNeeds) -> NotifyEVChargingNeedsStatusWord:
    """K18.FR.04, FR.22: no schedule is another thing than a transfer that is not taken."""
    of_20 = needs.v2x_charging_parameters is not None or needs.control_mode is not None
    if offer is ScheduleOffer.NONE and of_20:
        return "NoChargingProfile"
    return OFFERS[offer]


def all_needs(exchange: Exchange, told: ChargingNeeds) -> VehicleNeeds:
    needs = read_needs(exchange, as_201(told))
    if told.v2x_charging_parameters is not None:
        needs = _of_20(exchange, needs, told.v2x_charging_parameters)
    transfers = tuple(told.available_energy_transfer or ())
    return replace(needs, dynamic=told.control_mode == "DynamicControl", transfers=transfers)


def as_201(told: ChargingNeeds) -> ev_needs_201.ChargingNeeds:
    """The fields both have mean the same; numbers may have a fraction in 2.1."""
    return told  # type: ignore[return-value]


def _of_20(exchange: Exchange, needs: VehicleNeeds, told: V2xChargingParameters) -> VehicleNeeds:
    """Powers are totals, of three phases where a second and third are named."""
    most = _sum(told.max_charge_power, told.max_charge_power_l2, told.max_charge_power_l3)
    least = _sum(told.min_charge_power, told.min_charge_power_l2, told.min_charge_power_l3)
    wanted = told.ev_target_energy_request
    gives = _sum(told.max_discharge_power, told.max_discharge_power_l2, told.max_discharge_power_l3)
    at_least = _sum(
        told.min_discharge_power, told.min_discharge_power_l2, told.min_discharge_power_l3
    )
    return replace(
        needs,
        discharge_max_w=amount(exchange, gives, POWER_MAX_W),
        discharge_min_w=amount(exchange, at_least, POWER_MAX_W),
        cycling_wh=_spare(told.ev_min_v2x_energy_request),
        energy_wh=amount(exchange, wanted, ENERGY_MAX_WH),
        max_power_w=amount(exchange, most, POWER_MAX_W),
        min_power_w=amount(exchange, least, POWER_MAX_W),
        target_soc_pct=percent(told.target_soc),
    )


def _spare(told: float | None) -> float | None:
    """Below 0 for what is to spare."""
    if told is None or not math.isfinite(told) or abs(told) > ENERGY_MAX_WH:
        return None
    return float(told)


def _sum(*parts: float | None) -> float | None:
    found = [part for part in parts if part is not None]
    return sum(found) if found else None


async def charging_schedule(
    exchange: Exchange, request: NotifyEVChargingSchedule
) -> NotifyEVChargingScheduleResponse:
    """K15.FR.11, FR.12, K18.FR.11, FR.12."""
    schedule = request.charging_schedule
    begins_at = begin(exchange, request.time_base, schedule.start_schedule)
    periods = [
        _planned(period, schedule.charging_rate_unit, begins_at)
        for period in schedule.charging_schedule_period
    ]
    why = judged(exchange, request.evse_id, periods)
    if not why:
        return NotifyEVChargingScheduleResponse(status="Accepted")
    info = StatusInfo(reason_code="ValueTooHigh", additional_info=why[:INFO_MAX])
    return NotifyEVChargingScheduleResponse(status="Rejected", status_info=info)


def _planned(period: ChargingSchedulePeriod, unit: str, begins_at: datetime) -> PlannedPower:
    """Watts are summed over phases that are named apart; of amps the highest counts."""
    limits = (period.limit, period.limit_l2, period.limit_l3)
    setpoints = (period.setpoint, period.setpoint_l2, period.setpoint_l3)
    told = [x for x in (limits if period.limit is not None else setpoints) if x is not None]
    power = max(told, default=0.0) if unit == "A" else sum(told)
    number = period.number_phases
    phases = number if number in (1, 2, 3) else None
    return PlannedPower(after(begins_at, period.start_period), power, unit, phases)


async def priority(
    exchange: Exchange, request: NotifyPriorityCharging
) -> NotifyPriorityChargingResponse:
    """K21.FR.09, K22: the wish counts in the order of who is charged, within the site's limits."""
    ref, active = request.transaction_id, request.activated
    if not await exchange.sessions.urgent(exchange.station, ref, urgent=active):
        exchange.flag("priority_without_session", ref)
    exchange.chargers.priority_told(exchange.station, ref, active=active)
    return NotifyPriorityChargingResponse()

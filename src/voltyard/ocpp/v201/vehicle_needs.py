"""OCPP 2.0.1 K15 to K17: what a vehicle asks for, and the schedule it means to follow."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from voltyard.chargers.model import PlannedPower, ScheduleOffer
from voltyard.ocpp.instants import read_instant
from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v201.ev_needs import (
    AcChargingParameters,
    ChargingNeeds,
    DcChargingParameters,
    NotifyEVChargingNeeds,
    NotifyEVChargingNeedsResponse,
    NotifyEVChargingNeedsStatusWord,
    NotifyEVChargingSchedule,
    NotifyEVChargingScheduleResponse,
)
from voltyard.ocpp.v201.smart_charging import ChargingSchedulePeriod
from voltyard.ocpp.v201.types import StatusInfo
from voltyard.sessions.model import VehicleNeeds

PHASES = {"AC_single_phase": 1, "AC_two_phase": 2, "AC_three_phase": 3}
OFFERS: dict[ScheduleOffer, NotifyEVChargingNeedsStatusWord] = {
    ScheduleOffer.NOW: "Accepted",
    ScheduleOffer.LATER: "Processing",
    ScheduleOffer.NONE: "Rejected",
}
DEPARTURE_MAX = timedelta(days=7)
POWER_MAX_W = 10_000_000.0
ENERGY_MAX_WH = 10_000_000.0
INFO_MAX = 512


async def charging_needs(
    exchange: Exchange, request: NotifyEVChargingNeeds
) -> NotifyEVChargingNeedsResponse:
    """K15.FR.02 to FR.05; the schedule is the transaction's limit, sent within seconds."""
    offer = await offered(exchange, request.evse_id, read_needs(exchange, request.charging_needs))
    return NotifyEVChargingNeedsResponse(status=OFFERS[offer])


async def offered(exchange: Exchange, evse_number: int, needs: VehicleNeeds) -> ScheduleOffer:
    """Without a transaction there is nothing that a schedule could be of."""
    if not await exchange.sessions.needs(exchange.station, evse_number, needs):
        exchange.flag("needs_without_session", f"EVSE {evse_number}")
        return ScheduleOffer.NONE
    return exchange.chargers.schedule_offer(exchange.station, evse_number)


def read_needs(exchange: Exchange, told: ChargingNeeds) -> VehicleNeeds:
    ac, dc = told.ac_charging_parameters, told.dc_charging_parameters
    transfer, departure_at = told.requested_energy_transfer, departure(exchange, told)
    if dc is not None:
        return of_dc(exchange, dc, transfer, departure_at)
    if ac is not None:
        return of_ac(exchange, ac, transfer, departure_at)
    return VehicleNeeds(exchange.received_at, transfer, departure_at)


def of_ac(
    exchange: Exchange, ac: AcChargingParameters, transfer: str, departure_at: datetime | None
) -> VehicleNeeds:
    """Currents are per phase; ISO 15118-2 names the voltage between one phase and neutral."""
    volts = float(ac.ev_max_voltage) * PHASES.get(transfer, 1)
    return VehicleNeeds(
        exchange.received_at,
        transfer,
        departure_at,
        energy_wh=amount(exchange, ac.energy_amount, ENERGY_MAX_WH),
        max_power_w=amount(exchange, ac.ev_max_current * volts, POWER_MAX_W),
        min_power_w=amount(exchange, ac.ev_min_current * volts, POWER_MAX_W),
    )


def of_dc(
    exchange: Exchange, dc: DcChargingParameters, transfer: str, departure_at: datetime | None
) -> VehicleNeeds:
    power_w = dc.ev_max_power
    if power_w is None:
        power_w = dc.ev_max_current * dc.ev_max_voltage
    return VehicleNeeds(
        exchange.received_at,
        transfer,
        departure_at,
        energy_wh=amount(exchange, dc.energy_amount, ENERGY_MAX_WH),
        max_power_w=amount(exchange, power_w, POWER_MAX_W),
        soc_pct=percent(dc.state_of_charge),
        target_soc_pct=percent(dc.bulk_soc),
        battery_wh=amount(exchange, dc.ev_energy_capacity, ENERGY_MAX_WH),
    )


def amount(exchange: Exchange, told: float | None, most: float) -> float | None:
    """Nothing, less than nothing and more than any vehicle can mean is not told."""
    if told is None or told == 0:
        return None
    if not math.isfinite(told) or not 0.0 < told <= most:
        exchange.flag("needs_odd", f"{told:g}")
        return None
    return float(told)


def percent(told: float | None) -> float | None:
    return None if told is None or not 0.0 <= told <= 100.0 else float(told)


def departure(exchange: Exchange, told: ChargingNeeds) -> datetime | None:
    """None where it is not told, cannot be read, is past, or further off than anybody plans."""
    text = told.departure_time
    if text is None:
        return None
    now = exchange.received_at
    found, flags = read_instant(text, now + DEPARTURE_MAX)
    guessed = set(flags) - {"timestamp_without_zone", "timestamp_form"}
    if guessed or not now < found <= now + DEPARTURE_MAX:
        exchange.flag("needs_odd", f"departure {text}")
        return None
    return found


async def charging_schedule(
    exchange: Exchange, request: NotifyEVChargingSchedule
) -> NotifyEVChargingScheduleResponse:
    """K15.FR.11, FR.12, K16.FR.06, FR.07: within our limit or not, whatever the charger checked."""
    schedule = request.charging_schedule
    begins_at = begin(exchange, request.time_base, schedule.start_schedule)
    periods = [
        planned(period, schedule.charging_rate_unit, begins_at)
        for period in schedule.charging_schedule_period
    ]
    why = judged(exchange, request.evse_id, periods)
    if not why:
        return NotifyEVChargingScheduleResponse(status="Accepted")
    info = StatusInfo(reason_code="ValueTooHigh", additional_info=why[:INFO_MAX])
    return NotifyEVChargingScheduleResponse(status="Rejected", status_info=info)


def begin(exchange: Exchange, *told: str | None) -> datetime:
    """What periods count from: the time base, else the schedule's own start, else now."""
    text = next((text for text in told if text is not None), None)
    return exchange.received_at if text is None else exchange.instant(text)


def planned(period: ChargingSchedulePeriod, unit: str, begins_at: datetime) -> PlannedPower:
    return PlannedPower(after(begins_at, period.start_period), period.limit, unit, phases(period))


def after(begins_at: datetime, seconds: int) -> datetime:
    return begins_at + timedelta(seconds=max(0, min(seconds, 30 * 86_400)))


def phases(period: ChargingSchedulePeriod) -> int | None:
    number = period.number_phases
    return number if number in (1, 2, 3) else None


def judged(exchange: Exchange, evse_number: int, periods: Sequence[PlannedPower]) -> str:
    why = exchange.chargers.schedule_fault(exchange.station, evse_number, periods)
    if why:
        exchange.flag("vehicle_schedule_rejected", why)
    return why

"""OCPP 2.0.1 messages that are answered and logged, so that nothing locks a charger out.

Their contents are kept in the message log as they came.
"""

from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v201.ev_needs import (
    NotifyEVChargingNeeds,
    NotifyEVChargingNeedsResponse,
    NotifyEVChargingSchedule,
    NotifyEVChargingScheduleResponse,
)


async def charging_needs(
    exchange: Exchange, request: NotifyEVChargingNeeds
) -> NotifyEVChargingNeedsResponse:
    """K15.FR.04: schedules are not negotiated with the vehicle."""
    return NotifyEVChargingNeedsResponse(status="Rejected")


async def charging_schedule(
    exchange: Exchange, request: NotifyEVChargingSchedule
) -> NotifyEVChargingScheduleResponse:
    return NotifyEVChargingScheduleResponse(status="Accepted")

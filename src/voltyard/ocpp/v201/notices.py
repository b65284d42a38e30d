"""OCPP 2.0.1 messages that are answered and logged, so that nothing locks a charger out.

Their contents are kept in the message log as they came.
"""

from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v201.certificates import (
    Get15118EVCertificate,
    Get15118EVCertificateResponse,
    GetCertificateStatus,
    GetCertificateStatusResponse,
)
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


async def certificate_status(
    exchange: Exchange, request: GetCertificateStatus
) -> GetCertificateStatusResponse:
    """M06: no OCSP responder is reached from here."""
    return GetCertificateStatusResponse(status="Failed")


async def ev_certificate(
    exchange: Exchange, request: Get15118EVCertificate
) -> Get15118EVCertificateResponse:
    """M01, M02: no contract certificate provider is reached from here."""
    return Get15118EVCertificateResponse(status="Failed", exi_response="")

"""OCPP 2.0.1 messages that are acknowledged and logged, so that nothing locks a charger out.

Their contents are kept in the message log as they came; only what decides the answer is read.
"""

from typing import ClassVar

from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v201.types import StatusInfo, Wire201
from voltyard.ocpp.wire import Instant, Str50, Str255, Wire, Word


class Notice(Wire201, forbid_unknown_fields=False):
    """Any object."""


class Acknowledgement(Wire201):
    """The empty response."""


async def noted(exchange: Exchange, request: Wire) -> Acknowledgement:
    return Acknowledgement()


class SecurityEventNotification(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("timestamp",)

    type: Str50
    timestamp: Instant | None = None
    tech_info: Str255 | None = None


async def security_event(exchange: Exchange, request: SecurityEventNotification) -> Acknowledgement:
    exchange.flag("security_event", f"{request.type} {request.tech_info or ''}")
    return Acknowledgement()


class StatusResponse(Wire201):
    status: Word
    status_info: StatusInfo | None = None


async def rejected(exchange: Exchange, request: Wire) -> StatusResponse:
    """SignCertificate (A02), NotifyEVChargingNeeds (K15.FR.04): a service we do not give."""
    return StatusResponse(status="Rejected")


async def accepted(exchange: Exchange, request: Wire) -> StatusResponse:
    return StatusResponse(status="Accepted")


class CertificateStatusResponse(Wire201):
    status: Word
    ocsp_result: str | None = None
    status_info: StatusInfo | None = None


async def no_certificate_status(exchange: Exchange, request: Wire) -> CertificateStatusResponse:
    """M06: no OCSP responder is reached from here."""
    return CertificateStatusResponse(status="Failed")


class EvCertificateResponse(Wire201):
    status: Word
    exi_response: str
    status_info: StatusInfo | None = None


async def no_ev_certificate(exchange: Exchange, request: Wire) -> EvCertificateResponse:
    """M01, M02: no contract certificate provider is reached from here."""
    return EvCertificateResponse(status="Failed", exi_response="")

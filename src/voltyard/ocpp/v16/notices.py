"""OCPP 1.6 messages that are acknowledged and logged, so that nothing locks a charger out."""

from typing import ClassVar

from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.wire import Instant, Str50, Str255, Str5500, Wire, Word


class Acknowledgement(Wire):
    """The empty response."""


class StatusOnly(Wire):
    """FirmwareStatusNotification and DiagnosticsStatusNotification."""

    status: Word


class StatusOfRequest(Wire):
    """LogStatusNotification and SignedFirmwareStatusNotification (security extension)."""

    status: Word
    request_id: int | None = None


class SecurityEventNotification(Wire):
    expected: ClassVar[tuple[str, ...]] = ("timestamp",)

    type: Str50
    timestamp: Instant | None = None
    tech_info: Str255 | None = None


async def noted(exchange: Exchange, request: Wire) -> Acknowledgement:
    return Acknowledgement()


async def security_event(exchange: Exchange, request: SecurityEventNotification) -> Acknowledgement:
    exchange.flag("security_event", f"{request.type} {request.tech_info or ''}")
    return Acknowledgement()


class SignCertificate(Wire):
    csr: Str5500


class SignCertificateResponse(Wire):
    status: Word


async def sign_certificate(exchange: Exchange, request: SignCertificate) -> SignCertificateResponse:
    """There is no certificate authority behind this port."""
    return SignCertificateResponse(status="Rejected")

"""OCPP 1.6 messages that are answered and logged, so that nothing locks a charger out."""

from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v16.security import (
    SecurityEventNotification,
    SecurityEventNotificationResponse,
    SignCertificate,
    SignCertificateResponse,
)


async def security_event(
    exchange: Exchange, request: SecurityEventNotification
) -> SecurityEventNotificationResponse:
    exchange.flag("security_event", f"{request.type} {request.tech_info or ''}")
    return SecurityEventNotificationResponse()


async def sign_certificate(exchange: Exchange, request: SignCertificate) -> SignCertificateResponse:
    """There is no certificate authority behind this port."""
    return SignCertificateResponse(status="Rejected")

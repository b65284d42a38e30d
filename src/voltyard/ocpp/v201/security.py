"""OCPP 2.0.1 block A: security events, certificates of the station asked for and handed out."""

from typing import Annotated, ClassVar

from voltyard.ocpp.certifying import use_of
from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v201.types import GenericStatusWord, StatusInfo, Wire201
from voltyard.ocpp.wire import Instant, OneOf, Str50, Str255, Str5500, Str10000, Word

CertificateSigningUseWord = Annotated[Word, OneOf("ChargingStationCertificate", "V2GCertificate")]
CertificateSignedStatusWord = Annotated[Word, OneOf("Accepted", "Rejected")]


class SecurityEventNotification(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("timestamp",)

    type: Str50
    timestamp: Instant | None = None
    tech_info: Str255 | None = None


class SecurityEventNotificationResponse(Wire201):
    pass


async def security_event(
    exchange: Exchange, request: SecurityEventNotification
) -> SecurityEventNotificationResponse:
    """A04: answered once it is kept."""
    at = exchange.instant(request.timestamp)
    info = request.tech_info or ""
    await exchange.chargers.security_event(exchange.station, request.type, at, info)
    return SecurityEventNotificationResponse()


class SignCertificate(Wire201):
    csr: Str5500
    certificate_type: CertificateSigningUseWord | None = None


class SignCertificateResponse(Wire201):
    status: GenericStatusWord
    status_info: StatusInfo | None = None


async def sign_certificate(exchange: Exchange, request: SignCertificate) -> SignCertificateResponse:
    """A02.FR.11, A02.FR.12: the certificate itself follows as CertificateSigned."""
    use = use_of(request.certificate_type)
    taken = await exchange.chargers.certificate_requested(exchange.station, request.csr, use=use)
    return SignCertificateResponse(status="Accepted" if taken else "Rejected")


class CertificateSigned(Wire201):
    certificate_chain: Str10000
    certificate_type: CertificateSigningUseWord | None = None


class CertificateSignedResponse(Wire201):
    status: CertificateSignedStatusWord
    status_info: StatusInfo | None = None

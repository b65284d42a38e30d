"""OCPP 2.1 block A: security events, certificates of the station asked for and handed out."""

from typing import Annotated

from voltyard.ocpp.certifying import use_of
from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v21.types import StatusInfo
from voltyard.ocpp.v201 import security as security_201
from voltyard.ocpp.v201.certificates import CertificateHashData
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import Integer, OneOf, Word

CertificateSigningUseWord = Annotated[
    Word, OneOf("ChargingStationCertificate", "V2GCertificate", "V2G20Certificate")
]


class SecurityEventNotification(security_201.SecurityEventNotification):
    pass


class SecurityEventNotificationResponse(Wire201):
    pass


class SignCertificate(security_201.SignCertificate, kw_only=True):
    certificate_type: CertificateSigningUseWord | None = None
    hash_root_certificate: CertificateHashData | None = None
    request_id: Integer | None = None


class SignCertificateResponse(security_201.SignCertificateResponse, kw_only=True):
    status_info: StatusInfo | None = None


async def sign_certificate(exchange: Exchange, request: SignCertificate) -> SignCertificateResponse:
    """As in 2.0.1; what the station calls its request comes back with the certificate."""
    taken = await exchange.chargers.certificate_requested(
        exchange.station,
        request.csr,
        use=use_of(request.certificate_type),
        request_id=request.request_id,
    )
    return SignCertificateResponse(status="Accepted" if taken else "Rejected")


class CertificateSigned(security_201.CertificateSigned, kw_only=True):
    certificate_type: CertificateSigningUseWord | None = None
    request_id: Integer | None = None


class CertificateSignedResponse(security_201.CertificateSignedResponse, kw_only=True):
    status_info: StatusInfo | None = None

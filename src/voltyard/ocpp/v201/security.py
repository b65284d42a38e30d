"""OCPP 2.0.1 block A: security events, certificates of the station asked for and handed out."""

from typing import Annotated, ClassVar

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


class SignCertificate(Wire201):
    csr: Str5500
    certificate_type: CertificateSigningUseWord | None = None


class SignCertificateResponse(Wire201):
    status: GenericStatusWord
    status_info: StatusInfo | None = None


class CertificateSigned(Wire201):
    certificate_chain: Str10000
    certificate_type: CertificateSigningUseWord | None = None


class CertificateSignedResponse(Wire201):
    status: CertificateSignedStatusWord
    status_info: StatusInfo | None = None

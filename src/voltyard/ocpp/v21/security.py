"""OCPP 2.1 block A: security events, certificates of the station asked for and handed out."""

from typing import Annotated

from voltyard.ocpp.v21.types import StatusInfo
from voltyard.ocpp.v201 import security as security_201
from voltyard.ocpp.v201.certificates import CertificateHashData
from voltyard.ocpp.v201.security import CertificateSignedStatusWord
from voltyard.ocpp.v201.types import GenericStatusWord, Wire201
from voltyard.ocpp.wire import Integer, OneOf, Str5500, Str10000, Word

CertificateSigningUseWord = Annotated[
    Word, OneOf("ChargingStationCertificate", "V2GCertificate", "V2G20Certificate")
]


class SecurityEventNotification(security_201.SecurityEventNotification):
    pass


class SecurityEventNotificationResponse(Wire201):
    pass


class SignCertificate(Wire201):
    csr: Str5500
    certificate_type: CertificateSigningUseWord | None = None
    hash_root_certificate: CertificateHashData | None = None
    request_id: Integer | None = None


class SignCertificateResponse(Wire201):
    status: GenericStatusWord
    status_info: StatusInfo | None = None


class CertificateSigned(Wire201):
    certificate_chain: Str10000
    certificate_type: CertificateSigningUseWord | None = None
    request_id: Integer | None = None


class CertificateSignedResponse(Wire201):
    status: CertificateSignedStatusWord
    status_info: StatusInfo | None = None

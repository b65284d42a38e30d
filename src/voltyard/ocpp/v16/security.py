"""OCPP 1.6 security whitepaper, edition 3: certificates, logs, events, signed firmware."""

from typing import Annotated, ClassVar, Literal

from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v16.types import TriggerMessageStatusWord
from voltyard.ocpp.wire import (
    Instant,
    Integer,
    OneOf,
    Some,
    Str40,
    Str50,
    Str128,
    Str255,
    Str512,
    Str800,
    Str5500,
    Str10000,
    Wire,
    Word,
)

GenericStatusWord = Literal["Accepted", "Rejected"]
CertificateSignedStatusWord = Annotated[Word, OneOf("Accepted", "Rejected")]
CertificateUseWord = Literal["CentralSystemRootCertificate", "ManufacturerRootCertificate"]
InstallCertificateStatusWord = Annotated[Word, OneOf("Accepted", "Failed", "Rejected")]
HashAlgorithmWord = Annotated[Word, OneOf("SHA256", "SHA384", "SHA512")]
DeleteCertificateStatusWord = Annotated[Word, OneOf("Accepted", "Failed", "NotFound")]
GetInstalledCertificateStatusWord = Annotated[Word, OneOf("Accepted", "NotFound")]
MessageTriggerWord = Literal[
    "BootNotification",
    "LogStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "MeterValues",
    "SignChargePointCertificate",
    "StatusNotification",
]
LogWord = Literal["DiagnosticsLog", "SecurityLog"]
LogStatusWord = Annotated[Word, OneOf("Accepted", "Rejected", "AcceptedCanceled")]
UploadLogStatusWord = Annotated[
    Word,
    OneOf(
        "BadMessage",
        "Idle",
        "NotSupportedOperation",
        "PermissionDenied",
        "Uploaded",
        "UploadFailure",
        "Uploading",
    ),
]
UpdateFirmwareStatusWord = Annotated[
    Word,
    OneOf("Accepted", "Rejected", "AcceptedCanceled", "InvalidCertificate", "RevokedCertificate"),
]
FirmwareStatusWord = Annotated[
    Word,
    OneOf(
        "Downloaded",
        "DownloadFailed",
        "Downloading",
        "DownloadScheduled",
        "DownloadPaused",
        "Idle",
        "InstallationFailed",
        "Installing",
        "Installed",
        "InstallRebooting",
        "InstallScheduled",
        "InstallVerificationFailed",
        "InvalidSignature",
        "SignatureVerified",
    ),
]


class CertificateHashData(Wire):
    hash_algorithm: HashAlgorithmWord
    issuer_name_hash: Str128
    issuer_key_hash: Str128
    serial_number: Str40


class LogParameters(Wire):
    remote_location: Str512
    oldest_timestamp: Instant | None = None
    latest_timestamp: Instant | None = None


class Firmware(Wire):
    location: Str512
    retrieve_date_time: Instant
    signing_certificate: Str5500
    signature: Str800
    install_date_time: Instant | None = None


class SecurityEventNotification(Wire):
    expected: ClassVar[tuple[str, ...]] = ("timestamp",)

    type: Str50
    timestamp: Instant | None = None
    tech_info: Str255 | None = None


class SecurityEventNotificationResponse(Wire):
    pass


async def security_event(
    exchange: Exchange, request: SecurityEventNotification
) -> SecurityEventNotificationResponse:
    """A04: answered once it is kept."""
    at = exchange.instant(request.timestamp)
    info = request.tech_info or ""
    await exchange.chargers.security_event(exchange.station, request.type, at, info)
    return SecurityEventNotificationResponse()


class SignCertificate(Wire):
    csr: Str5500


class SignCertificateResponse(Wire):
    status: GenericStatusWord


async def sign_certificate(exchange: Exchange, request: SignCertificate) -> SignCertificateResponse:
    """A02.FR.11, A02.FR.12: the certificate itself follows as CertificateSigned."""
    taken = await exchange.chargers.certificate_requested(exchange.station, request.csr)
    return SignCertificateResponse(status="Accepted" if taken else "Rejected")


class CertificateSigned(Wire):
    certificate_chain: Str10000


class CertificateSignedResponse(Wire):
    status: CertificateSignedStatusWord


class InstallCertificate(Wire):
    certificate_type: CertificateUseWord
    certificate: Str5500


class InstallCertificateResponse(Wire):
    status: InstallCertificateStatusWord


class DeleteCertificate(Wire):
    certificate_hash_data: CertificateHashData


class DeleteCertificateResponse(Wire):
    status: DeleteCertificateStatusWord


class GetInstalledCertificateIds(Wire):
    certificate_type: CertificateUseWord


class GetInstalledCertificateIdsResponse(Wire):
    status: GetInstalledCertificateStatusWord
    certificate_hash_data: Some[CertificateHashData] | None = None


class ExtendedTriggerMessage(Wire):
    requested_message: MessageTriggerWord
    connector_id: Integer | None = None


class ExtendedTriggerMessageResponse(Wire):
    status: TriggerMessageStatusWord


class GetLog(Wire):
    log: LogParameters
    log_type: LogWord
    request_id: Integer
    retries: Integer | None = None
    retry_interval: Integer | None = None


class GetLogResponse(Wire):
    status: LogStatusWord
    filename: Str255 | None = None


class LogStatusNotification(Wire):
    status: UploadLogStatusWord
    request_id: Integer | None = None


class LogStatusNotificationResponse(Wire):
    pass


class SignedUpdateFirmware(Wire):
    request_id: Integer
    firmware: Firmware
    retries: Integer | None = None
    retry_interval: Integer | None = None


class SignedUpdateFirmwareResponse(Wire):
    status: UpdateFirmwareStatusWord


class SignedFirmwareStatusNotification(Wire):
    status: FirmwareStatusWord
    request_id: Integer | None = None


class SignedFirmwareStatusNotificationResponse(Wire):
    pass

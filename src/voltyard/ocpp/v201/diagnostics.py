"""OCPP 2.0.1 block N: logs and customer information."""

from typing import Annotated, ClassVar, Literal

from voltyard.ocpp.v201.certificates import CertificateHashData
from voltyard.ocpp.v201.types import IdTokenWire, StatusInfo, Wire201
from voltyard.ocpp.wire import Instant, Integer, OneOf, Str64, Str255, Str512, Word

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
        "AcceptedCanceled",
    ),
]
LogWord = Literal["DiagnosticsLog", "SecurityLog"]
LogStatusWord = Annotated[Word, OneOf("Accepted", "Rejected", "AcceptedCanceled")]
CustomerInformationStatusWord = Annotated[Word, OneOf("Accepted", "Rejected", "Invalid")]


class LogParameters(Wire201):
    remote_location: Str512
    oldest_timestamp: Instant | None = None
    latest_timestamp: Instant | None = None


class LogStatusNotification(Wire201):
    status: UploadLogStatusWord
    request_id: Integer | None = None


class LogStatusNotificationResponse(Wire201):
    pass


class GetLog(Wire201):
    log: LogParameters
    log_type: LogWord
    request_id: Integer
    retries: Integer | None = None
    retry_interval: Integer | None = None


class GetLogResponse(Wire201):
    status: LogStatusWord
    status_info: StatusInfo | None = None
    filename: Str255 | None = None


class CustomerInformation(Wire201):
    request_id: Integer
    report: bool
    clear: bool
    customer_certificate: CertificateHashData | None = None
    id_token: IdTokenWire | None = None
    customer_identifier: Str64 | None = None


class CustomerInformationResponse(Wire201):
    status: CustomerInformationStatusWord
    status_info: StatusInfo | None = None


class NotifyCustomerInformation(Wire201):
    expected: ClassVar[tuple[str, ...]] = (
        "seqNo",
        "generatedAt",
    )

    data: Str512
    request_id: Integer
    tbc: bool = False
    seq_no: Integer | None = None
    generated_at: Instant | None = None


class NotifyCustomerInformationResponse(Wire201):
    pass

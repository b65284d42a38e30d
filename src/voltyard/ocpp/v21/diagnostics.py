"""OCPP 2.1 block N: logs and customer information."""

from typing import ClassVar, Literal

from voltyard.ocpp.v21.types import IdTokenWire, StatusInfo
from voltyard.ocpp.v201 import diagnostics as diagnostics_201
from voltyard.ocpp.v201.certificates import CertificateHashData
from voltyard.ocpp.v201.diagnostics import CustomerInformationStatusWord, LogStatusWord
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import Instant, Integer, Natural, Str64, Str255, Str512, Str2000

LogWord = Literal["DiagnosticsLog", "SecurityLog", "DataCollectorLog"]


class LogParameters(Wire201):
    remote_location: Str2000
    oldest_timestamp: Instant | None = None
    latest_timestamp: Instant | None = None


class LogStatusNotification(diagnostics_201.LogStatusNotification, kw_only=True):
    status_info: StatusInfo | None = None


class LogStatusNotificationResponse(Wire201):
    pass


class GetLog(Wire201):
    log: LogParameters
    log_type: LogWord
    request_id: Integer
    retries: Natural | None = None
    retry_interval: Integer | None = None


class GetLogResponse(Wire201):
    status: LogStatusWord
    status_info: StatusInfo | None = None
    filename: Str255 | None = None


class CustomerInformation(Wire201):
    request_id: Natural
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
    request_id: Natural
    tbc: bool = False
    seq_no: Natural | None = None
    generated_at: Instant | None = None


class NotifyCustomerInformationResponse(Wire201):
    pass

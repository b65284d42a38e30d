"""OCPP 2.1 block N: logs and customer information."""

from typing import Literal

from voltyard.ocpp.v21.types import IdTokenWire, StatusInfo
from voltyard.ocpp.v201 import diagnostics as diagnostics_201
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import Integer, Natural, Str2000

LogWord = Literal["DiagnosticsLog", "SecurityLog", "DataCollectorLog"]


class LogParameters(diagnostics_201.LogParameters, kw_only=True):
    remote_location: Str2000


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


class GetLogResponse(diagnostics_201.GetLogResponse, kw_only=True):
    status_info: StatusInfo | None = None


class CustomerInformation(diagnostics_201.CustomerInformation, kw_only=True):
    request_id: Natural
    id_token: IdTokenWire | None = None


class CustomerInformationResponse(diagnostics_201.CustomerInformationResponse, kw_only=True):
    status_info: StatusInfo | None = None


class NotifyCustomerInformation(diagnostics_201.NotifyCustomerInformation, kw_only=True):
    request_id: Natural
    seq_no: Natural | None = None


class NotifyCustomerInformationResponse(Wire201):
    pass

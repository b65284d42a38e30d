"""Every OCPP 2.0.1 action a charger may call, and who answers it."""

from voltyard.ocpp.framing import WORDS_201
from voltyard.ocpp.routing import Route, Version, table
from voltyard.ocpp.v201 import notices, provisioning, transactions
from voltyard.ocpp.v201.orders import express

_NOTED = (notices.Notice, notices.Acknowledgement, notices.noted)

ROUTES = (
    Route(
        "BootNotification",
        provisioning.BootNotification,
        provisioning.BootNotificationResponse,
        provisioning.boot,
    ),
    Route(
        "Heartbeat",
        provisioning.Heartbeat,
        provisioning.HeartbeatResponse,
        provisioning.heartbeat,
    ),
    Route(
        "StatusNotification",
        provisioning.StatusNotification,
        provisioning.StatusNotificationResponse,
        provisioning.status,
    ),
    Route(
        "NotifyReport",
        provisioning.NotifyReport,
        provisioning.NotifyReportResponse,
        provisioning.notify_report,
    ),
    Route(
        "DataTransfer",
        provisioning.DataTransfer,
        provisioning.DataTransferResponse,
        provisioning.data_transfer,
    ),
    Route(
        "Authorize",
        transactions.Authorize,
        transactions.AuthorizeResponse,
        transactions.authorise,
    ),
    Route(
        "TransactionEvent",
        transactions.TransactionEvent,
        transactions.TransactionEventResponse,
        transactions.transaction_event,
    ),
    Route(
        "MeterValues",
        transactions.MeterValues,
        transactions.MeterValuesResponse,
        transactions.meter_values,
    ),
    Route(
        "SecurityEventNotification",
        notices.SecurityEventNotification,
        notices.Acknowledgement,
        notices.security_event,
    ),
    Route("ClearedChargingLimit", *_NOTED),
    Route("FirmwareStatusNotification", *_NOTED),
    Route("LogStatusNotification", *_NOTED),
    Route("NotifyChargingLimit", *_NOTED),
    Route("NotifyCustomerInformation", *_NOTED),
    Route("NotifyDisplayMessages", *_NOTED),
    Route("NotifyEvent", *_NOTED),
    Route("NotifyMonitoringReport", *_NOTED),
    Route("PublishFirmwareStatusNotification", *_NOTED),
    Route("ReportChargingProfiles", *_NOTED),
    Route("ReservationStatusUpdate", *_NOTED),
    Route("NotifyEVChargingNeeds", notices.Notice, notices.StatusResponse, notices.rejected),
    Route("NotifyEVChargingSchedule", notices.Notice, notices.StatusResponse, notices.accepted),
    Route("SignCertificate", notices.Notice, notices.StatusResponse, notices.rejected),
    Route(
        "GetCertificateStatus",
        notices.Notice,
        notices.CertificateStatusResponse,
        notices.no_certificate_status,
    ),
    Route(
        "Get15118EVCertificate",
        notices.Notice,
        notices.EvCertificateResponse,
        notices.no_ev_certificate,
    ),
)

# Actions of 2.0.1 that only we call: a charger that calls one is told NotSupported.
OURS = frozenset(
    {
        "CancelReservation",
        "CertificateSigned",
        "ChangeAvailability",
        "ClearCache",
        "ClearChargingProfile",
        "ClearDisplayMessage",
        "ClearVariableMonitoring",
        "CostUpdated",
        "CustomerInformation",
        "DeleteCertificate",
        "GetBaseReport",
        "GetChargingProfiles",
        "GetCompositeSchedule",
        "GetDisplayMessages",
        "GetInstalledCertificateIds",
        "GetLocalListVersion",
        "GetLog",
        "GetMonitoringReport",
        "GetReport",
        "GetTransactionStatus",
        "GetVariables",
        "InstallCertificate",
        "PublishFirmware",
        "RequestStartTransaction",
        "RequestStopTransaction",
        "ReserveNow",
        "Reset",
        "SendLocalList",
        "SetChargingProfile",
        "SetDisplayMessage",
        "SetMonitoringBase",
        "SetMonitoringLevel",
        "SetNetworkProfile",
        "SetVariableMonitoring",
        "SetVariables",
        "TriggerMessage",
        "UnlockConnector",
        "UnpublishFirmware",
        "UpdateFirmware",
    }
)

DIALECT = Version("2.0.1", WORDS_201, table(ROUTES), OURS, express)

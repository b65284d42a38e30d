"""Every OCPP 1.6 action a charger may call, and who answers it."""

from voltyard.ocpp.framing import WORDS_16
from voltyard.ocpp.routing import Route, Version, table
from voltyard.ocpp.v16 import core, notices, transactions
from voltyard.ocpp.v16.orders import express

ROUTES = (
    Route("BootNotification", core.BootNotification, core.BootNotificationResponse, core.boot),
    Route("Heartbeat", core.Heartbeat, core.HeartbeatResponse, core.heartbeat),
    Route(
        "StatusNotification",
        core.StatusNotification,
        core.StatusNotificationResponse,
        core.status,
    ),
    Route("Authorize", core.Authorize, core.AuthorizeResponse, core.authorise),
    Route("DataTransfer", core.DataTransfer, core.DataTransferResponse, core.data_transfer),
    Route(
        "StartTransaction",
        transactions.StartTransaction,
        transactions.StartTransactionResponse,
        transactions.start,
    ),
    Route(
        "StopTransaction",
        transactions.StopTransaction,
        transactions.StopTransactionResponse,
        transactions.stop,
    ),
    Route(
        "MeterValues",
        transactions.MeterValues,
        transactions.MeterValuesResponse,
        transactions.meter_values,
    ),
    Route(
        "FirmwareStatusNotification",
        notices.StatusOnly,
        notices.Acknowledgement,
        notices.noted,
    ),
    Route(
        "DiagnosticsStatusNotification",
        notices.StatusOnly,
        notices.Acknowledgement,
        notices.noted,
    ),
    Route(
        "LogStatusNotification",
        notices.StatusOfRequest,
        notices.Acknowledgement,
        notices.noted,
    ),
    Route(
        "SignedFirmwareStatusNotification",
        notices.StatusOfRequest,
        notices.Acknowledgement,
        notices.noted,
    ),
    Route(
        "SecurityEventNotification",
        notices.SecurityEventNotification,
        notices.Acknowledgement,
        notices.security_event,
    ),
    Route(
        "SignCertificate",
        notices.SignCertificate,
        notices.SignCertificateResponse,
        notices.sign_certificate,
    ),
)

# Actions of 1.6 that only we call: a charger that calls one is told NotSupported.
OURS = frozenset(
    {
        "CancelReservation",
        "CertificateSigned",
        "ChangeAvailability",
        "ChangeConfiguration",
        "ClearCache",
        "ClearChargingProfile",
        "DeleteCertificate",
        "ExtendedTriggerMessage",
        "GetCompositeSchedule",
        "GetConfiguration",
        "GetDiagnostics",
        "GetInstalledCertificateIds",
        "GetLocalListVersion",
        "GetLog",
        "InstallCertificate",
        "RemoteStartTransaction",
        "RemoteStopTransaction",
        "ReserveNow",
        "Reset",
        "SendLocalList",
        "SetChargingProfile",
        "SignedUpdateFirmware",
        "TriggerMessage",
        "UnlockConnector",
        "UpdateFirmware",
    }
)

DIALECT = Version("1.6", WORDS_16, table(ROUTES), OURS, express)

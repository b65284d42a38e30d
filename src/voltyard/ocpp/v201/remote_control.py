"""OCPP 2.0.1 block F: start, stop, unlock and trigger from afar."""

from typing import Annotated, Literal

from voltyard.ocpp.v201.smart_charging import ChargingProfile
from voltyard.ocpp.v201.types import Evse, IdTokenWire, StatusInfo, Wire201
from voltyard.ocpp.wire import Integer, OneOf, Str36, Word

RequestStartStopStatusWord = Annotated[Word, OneOf("Accepted", "Rejected")]
MessageTriggerWord = Literal[
    "BootNotification",
    "LogStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "MeterValues",
    "SignChargingStationCertificate",
    "SignV2GCertificate",
    "StatusNotification",
    "TransactionEvent",
    "SignCombinedCertificate",
    "PublishFirmwareStatusNotification",
]
TriggerMessageStatusWord = Annotated[Word, OneOf("Accepted", "Rejected", "NotImplemented")]
UnlockStatusWord = Annotated[
    Word, OneOf("Unlocked", "UnlockFailed", "OngoingAuthorizedTransaction", "UnknownConnector")
]


class RequestStartTransaction(Wire201):
    id_token: IdTokenWire
    remote_start_id: Integer
    evse_id: Integer | None = None
    group_id_token: IdTokenWire | None = None
    charging_profile: ChargingProfile | None = None


class RequestStartTransactionResponse(Wire201):
    status: RequestStartStopStatusWord
    status_info: StatusInfo | None = None
    transaction_id: Str36 | None = None


class RequestStopTransaction(Wire201):
    transaction_id: Str36


class RequestStopTransactionResponse(Wire201):
    status: RequestStartStopStatusWord
    status_info: StatusInfo | None = None


class TriggerMessage(Wire201):
    requested_message: MessageTriggerWord
    evse: Evse | None = None


class TriggerMessageResponse(Wire201):
    status: TriggerMessageStatusWord
    status_info: StatusInfo | None = None


class UnlockConnector(Wire201):
    evse_id: Integer
    connector_id: Integer


class UnlockConnectorResponse(Wire201):
    status: UnlockStatusWord
    status_info: StatusInfo | None = None

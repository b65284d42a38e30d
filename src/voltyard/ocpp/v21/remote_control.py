"""OCPP 2.1 block F: start, stop, unlock and trigger from afar."""

from typing import Annotated, Literal

from msgspec import Meta

from voltyard.ocpp.v21.smart_charging import ChargingProfile
from voltyard.ocpp.v21.types import IdTokenWire, StatusInfo
from voltyard.ocpp.v201 import remote_control as remote_control_201
from voltyard.ocpp.v201.types import Evse, Wire201
from voltyard.ocpp.wire import Integer, Natural, Str50

MessageTriggerWord = Literal[
    "BootNotification",
    "LogStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "MeterValues",
    "SignChargingStationCertificate",
    "SignV2GCertificate",
    "SignV2G20Certificate",
    "StatusNotification",
    "TransactionEvent",
    "SignCombinedCertificate",
    "PublishFirmwareStatusNotification",
    "CustomTrigger",
]


class RequestStartTransaction(Wire201):
    id_token: IdTokenWire
    remote_start_id: Integer
    evse_id: Annotated[int, Meta(ge=1)] | None = None
    group_id_token: IdTokenWire | None = None
    charging_profile: ChargingProfile | None = None


class RequestStartTransactionResponse(
    remote_control_201.RequestStartTransactionResponse, kw_only=True
):
    status_info: StatusInfo | None = None


class RequestStopTransaction(remote_control_201.RequestStopTransaction):
    pass


class RequestStopTransactionResponse(
    remote_control_201.RequestStopTransactionResponse, kw_only=True
):
    status_info: StatusInfo | None = None


class TriggerMessage(Wire201):
    requested_message: MessageTriggerWord
    evse: Evse | None = None
    custom_trigger: Str50 | None = None


class TriggerMessageResponse(remote_control_201.TriggerMessageResponse, kw_only=True):
    status_info: StatusInfo | None = None


class UnlockConnector(remote_control_201.UnlockConnector, kw_only=True):
    evse_id: Natural
    connector_id: Natural


class UnlockConnectorResponse(remote_control_201.UnlockConnectorResponse, kw_only=True):
    status_info: StatusInfo | None = None

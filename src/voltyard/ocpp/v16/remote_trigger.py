"""OCPP 1.6 Remote Trigger."""

from typing import Literal

from voltyard.ocpp.v16.types import TriggerMessageStatusWord
from voltyard.ocpp.wire import Integer, Wire

MessageTriggerWord = Literal[
    "BootNotification",
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "MeterValues",
    "StatusNotification",
]


class TriggerMessage(Wire):
    requested_message: MessageTriggerWord
    connector_id: Integer | None = None


class TriggerMessageResponse(Wire):
    status: TriggerMessageStatusWord

"""OCPP 2.1 block L: firmware updates."""

from voltyard.ocpp.v21.types import StatusInfo
from voltyard.ocpp.v201 import firmware as firmware_201
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import Natural, Some, Str2000


class Firmware(firmware_201.Firmware, kw_only=True):
    location: Str2000


class FirmwareStatusNotification(firmware_201.FirmwareStatusNotification, kw_only=True):
    status_info: StatusInfo | None = None


class FirmwareStatusNotificationResponse(Wire201):
    pass


class PublishFirmwareStatusNotification(
    firmware_201.PublishFirmwareStatusNotification, kw_only=True
):
    location: Some[Str2000] | None = None
    request_id: Natural | None = None
    status_info: StatusInfo | None = None


class PublishFirmwareStatusNotificationResponse(Wire201):
    pass


class UpdateFirmware(firmware_201.UpdateFirmware, kw_only=True):
    firmware: Firmware
    retries: Natural | None = None


class UpdateFirmwareResponse(firmware_201.UpdateFirmwareResponse, kw_only=True):
    status_info: StatusInfo | None = None


class PublishFirmware(firmware_201.PublishFirmware, kw_only=True):
    location: Str2000
    request_id: Natural
    retries: Natural | None = None
    retry_interval: Natural | None = None


class PublishFirmwareResponse(firmware_201.PublishFirmwareResponse, kw_only=True):
    status_info: StatusInfo | None = None


class UnpublishFirmware(firmware_201.UnpublishFirmware):
    pass


class UnpublishFirmwareResponse(firmware_201.UnpublishFirmwareResponse):
    pass

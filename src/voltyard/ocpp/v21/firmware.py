"""OCPP 2.1 block L: firmware updates."""

from voltyard.ocpp.v21.types import StatusInfo
from voltyard.ocpp.v201 import firmware as firmware_201
from voltyard.ocpp.v201.firmware import PublishFirmwareStatusWord, UpdateFirmwareStatusWord
from voltyard.ocpp.v201.types import GenericStatusWord, Wire201
from voltyard.ocpp.wire import Instant, Integer, Natural, Some, Str32, Str800, Str2000, Str5500


class Firmware(Wire201):
    location: Str2000
    retrieve_date_time: Instant
    install_date_time: Instant | None = None
    signing_certificate: Str5500 | None = None
    signature: Str800 | None = None


class FirmwareStatusNotification(firmware_201.FirmwareStatusNotification, kw_only=True):
    status_info: StatusInfo | None = None


class FirmwareStatusNotificationResponse(Wire201):
    pass


class PublishFirmwareStatusNotification(Wire201):
    status: PublishFirmwareStatusWord
    location: Some[Str2000] | None = None
    request_id: Natural | None = None
    status_info: StatusInfo | None = None


class PublishFirmwareStatusNotificationResponse(Wire201):
    pass


class UpdateFirmware(Wire201):
    request_id: Integer
    firmware: Firmware
    retries: Natural | None = None
    retry_interval: Integer | None = None


class UpdateFirmwareResponse(Wire201):
    status: UpdateFirmwareStatusWord
    status_info: StatusInfo | None = None


class PublishFirmware(Wire201):
    location: Str2000
    checksum: Str32
    request_id: Natural
    retries: Natural | None = None
    retry_interval: Natural | None = None


class PublishFirmwareResponse(Wire201):
    status: GenericStatusWord
    status_info: StatusInfo | None = None


class UnpublishFirmware(firmware_201.UnpublishFirmware):
    pass


class UnpublishFirmwareResponse(firmware_201.UnpublishFirmwareResponse):
    pass

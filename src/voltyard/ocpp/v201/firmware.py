"""OCPP 2.0.1 block L: firmware updates."""

from typing import Annotated

from voltyard.ocpp.v201.types import GenericStatusWord, StatusInfo, Wire201
from voltyard.ocpp.wire import Instant, Integer, OneOf, Some, Str32, Str512, Str800, Str5500, Word

FirmwareStatusWord = Annotated[
    Word,
    OneOf(
        "Downloaded",
        "DownloadFailed",
        "Downloading",
        "DownloadScheduled",
        "DownloadPaused",
        "Idle",
        "InstallationFailed",
        "Installing",
        "Installed",
        "InstallRebooting",
        "InstallScheduled",
        "InstallVerificationFailed",
        "InvalidSignature",
        "SignatureVerified",
    ),
]
PublishFirmwareStatusWord = Annotated[
    Word,
    OneOf(
        "Idle",
        "DownloadScheduled",
        "Downloading",
        "Downloaded",
        "Published",
        "DownloadFailed",
        "DownloadPaused",
        "InvalidChecksum",
        "ChecksumVerified",
        "PublishFailed",
    ),
]
UpdateFirmwareStatusWord = Annotated[
    Word,
    OneOf("Accepted", "Rejected", "AcceptedCanceled", "InvalidCertificate", "RevokedCertificate"),
]
UnpublishFirmwareStatusWord = Annotated[Word, OneOf("DownloadOngoing", "NoFirmware", "Unpublished")]


class Firmware(Wire201):
    location: Str512
    retrieve_date_time: Instant
    install_date_time: Instant | None = None
    signing_certificate: Str5500 | None = None
    signature: Str800 | None = None


class FirmwareStatusNotification(Wire201):
    status: FirmwareStatusWord
    request_id: Integer | None = None


class FirmwareStatusNotificationResponse(Wire201):
    pass


class PublishFirmwareStatusNotification(Wire201):
    status: PublishFirmwareStatusWord
    location: Some[Str512] | None = None
    request_id: Integer | None = None


class PublishFirmwareStatusNotificationResponse(Wire201):
    pass


class UpdateFirmware(Wire201):
    request_id: Integer
    firmware: Firmware
    retries: Integer | None = None
    retry_interval: Integer | None = None


class UpdateFirmwareResponse(Wire201):
    status: UpdateFirmwareStatusWord
    status_info: StatusInfo | None = None


class PublishFirmware(Wire201):
    location: Str512
    checksum: Str32
    request_id: Integer
    retries: Integer | None = None
    retry_interval: Integer | None = None


class PublishFirmwareResponse(Wire201):
    status: GenericStatusWord
    status_info: StatusInfo | None = None


class UnpublishFirmware(Wire201):
    checksum: Str32


class UnpublishFirmwareResponse(Wire201):
    status: UnpublishFirmwareStatusWord

"""OCPP 1.6 Firmware Management."""

from typing import Annotated

from voltyard.ocpp.wire import Instant, Integer, OneOf, Str255, Text, Wire, Word

DiagnosticsStatusNotificationStatusWord = Annotated[
    Word, OneOf("Idle", "Uploaded", "UploadFailed", "Uploading")
]
FirmwareStatusNotificationStatusWord = Annotated[
    Word,
    OneOf(
        "Downloaded",
        "DownloadFailed",
        "Downloading",
        "Idle",
        "InstallationFailed",
        "Installing",
        "Installed",
    ),
]


class DiagnosticsStatusNotification(Wire):
    status: DiagnosticsStatusNotificationStatusWord


class DiagnosticsStatusNotificationResponse(Wire):
    pass


class FirmwareStatusNotification(Wire):
    status: FirmwareStatusNotificationStatusWord


class FirmwareStatusNotificationResponse(Wire):
    pass


class GetDiagnostics(Wire):
    location: Text
    retries: Integer | None = None
    retry_interval: Integer | None = None
    start_time: Instant | None = None
    stop_time: Instant | None = None


class GetDiagnosticsResponse(Wire):
    file_name: Str255 | None = None


class UpdateFirmware(Wire):
    location: Text
    retrieve_date: Instant
    retries: Integer | None = None
    retry_interval: Integer | None = None


class UpdateFirmwareResponse(Wire):
    pass

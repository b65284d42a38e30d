"""Firmware updates and logs asked for in OCPP 2.0.1 (L01, L02, L03, L04, N01)."""

from datetime import datetime
from typing import Protocol

from voltyard.chargers.commands import (
    CommandResult,
    CommandStatus,
    LogKind,
    PublishFirmware,
    RequestLog,
    UnpublishFirmware,
    UpdateFirmware,
)
from voltyard.ocpp.registry import outgoing
from voltyard.ocpp.routing import Expressed, single
from voltyard.ocpp.upkeep import LOG_WORDS, UPDATE_WORDS
from voltyard.ocpp.v201 import diagnostics, firmware
from voltyard.ocpp.v201.messages import MESSAGES
from voltyard.ocpp.v201.types import StatusInfo
from voltyard.units import iso_z

LOGS: dict[LogKind, diagnostics.LogWord] = {
    LogKind.DIAGNOSTICS: "DiagnosticsLog",
    LogKind.SECURITY: "SecurityLog",
}


class HasStatus(Protocol):
    @property
    def status(self) -> str: ...

    @property
    def status_info(self) -> StatusInfo | None: ...


def update_firmware(command: UpdateFirmware, now: datetime) -> Expressed:
    request = firmware.UpdateFirmware(
        request_id=command.request_id,
        firmware=firmware.Firmware(
            location=command.location,
            retrieve_date_time=iso_z(command.retrieve_at),
            install_date_time=None if command.install_at is None else iso_z(command.install_at),
            signing_certificate=command.certificate,
            signature=command.signature,
        ),
        retries=command.retries,
        retry_interval=command.retry_interval_s,
    )
    return single(outgoing(MESSAGES, request, _updating))


def publish_firmware(command: PublishFirmware, now: datetime) -> Expressed:
    request = firmware.PublishFirmware(
        location=command.location,
        checksum=command.md5,
        request_id=command.request_id,
        retries=command.retries,
        retry_interval=command.retry_interval_s,
    )
    return single(outgoing(MESSAGES, request, _updating))


def unpublish_firmware(command: UnpublishFirmware, now: datetime) -> Expressed:
    request = firmware.UnpublishFirmware(checksum=command.md5)
    return single(outgoing(MESSAGES, request, _unpublished))


def request_log(command: RequestLog, now: datetime) -> Expressed:
    request = diagnostics.GetLog(
        log=diagnostics.LogParameters(
            remote_location=command.location,
            oldest_timestamp=None if command.since is None else iso_z(command.since),
            latest_timestamp=None if command.until is None else iso_z(command.until),
        ),
        log_type=LOGS[command.kind],
        request_id=command.request_id,
        retries=command.retries,
        retry_interval=command.retry_interval_s,
    )
    return single(outgoing(MESSAGES, request, _logged))


def _updating(response: HasStatus) -> CommandResult:
    status = UPDATE_WORDS.get(response.status, CommandStatus.UNKNOWN)
    return CommandResult(status, response.status, _why(response))


def _unpublished(response: firmware.UnpublishFirmwareResponse) -> CommandResult:
    """L04: that there was none is what was asked for."""
    gone = response.status in ("Unpublished", "NoFirmware")
    status = CommandStatus.ACCEPTED if gone else CommandStatus.REJECTED
    return CommandResult(status, response.status)


def _logged(response: diagnostics.GetLogResponse) -> CommandResult:
    status = LOG_WORDS.get(response.status, CommandStatus.UNKNOWN)
    detail = {"file_name": response.filename or "", **_why(response)}
    return CommandResult(status, response.status, detail)


def _why(response: HasStatus) -> dict[str, str]:
    info = response.status_info
    if info is None:
        return {}
    return {"reason": info.reason_code, "info": info.additional_info or ""}

"""Firmware updates and logs asked for in OCPP 1.6, with its security extension and without."""

from datetime import datetime

from voltyard.chargers.commands import (
    CommandResult,
    CommandStatus,
    LogKind,
    RequestLog,
    UpdateFirmware,
)
from voltyard.errors import Invalid
from voltyard.ocpp.registry import outgoing
from voltyard.ocpp.routing import Expressed, single
from voltyard.ocpp.upkeep import LOG_WORDS, UPDATE_WORDS
from voltyard.ocpp.v16 import firmware, security
from voltyard.ocpp.v16.messages import MESSAGES
from voltyard.units import iso_z

LOGS: dict[LogKind, security.LogWord] = {
    LogKind.DIAGNOSTICS: "DiagnosticsLog",
    LogKind.SECURITY: "SecurityLog",
}


def update_firmware(command: UpdateFirmware, now: datetime) -> Expressed:
    """Signed by the security extension's message, else by that of 1.6 itself."""
    if not command.signed:
        plain = firmware.UpdateFirmware(
            location=command.location,
            retrieve_date=iso_z(command.retrieve_at),
            retries=command.retries,
            retry_interval=command.retry_interval_s,
        )
        return single(outgoing(MESSAGES, plain, _taken))
    signed = security.SignedUpdateFirmware(
        request_id=command.request_id,
        firmware=security.Firmware(
            location=command.location,
            retrieve_date_time=iso_z(command.retrieve_at),
            install_date_time=None if command.install_at is None else iso_z(command.install_at),
            signing_certificate=command.certificate or "",
            signature=command.signature or "",
        ),
        retries=command.retries,
        retry_interval=command.retry_interval_s,
    )
    return single(outgoing(MESSAGES, signed, _updating))


def _taken(response: firmware.UpdateFirmwareResponse) -> CommandResult:
    """§6.20: the answer says nothing; what comes of it is told by notifications."""
    return CommandResult(CommandStatus.ACCEPTED)


def _updating(response: security.SignedUpdateFirmwareResponse) -> CommandResult:
    status = UPDATE_WORDS.get(response.status, CommandStatus.UNKNOWN)
    return CommandResult(status, response.status)


def request_log(command: RequestLog, now: datetime) -> Expressed:
    if not command.plain:
        return single(outgoing(MESSAGES, _log(command), _logged))
    if command.kind is not LogKind.DIAGNOSTICS:
        raise Invalid("OCPP 1.6 without its security extension has no security log")
    request = firmware.GetDiagnostics(
        location=command.location,
        retries=command.retries,
        retry_interval=command.retry_interval_s,
        start_time=None if command.since is None else iso_z(command.since),
        stop_time=None if command.until is None else iso_z(command.until),
    )
    return single(outgoing(MESSAGES, request, _diagnosed))


def _log(command: RequestLog) -> security.GetLog:
    return security.GetLog(
        log=security.LogParameters(
            remote_location=command.location,
            oldest_timestamp=None if command.since is None else iso_z(command.since),
            latest_timestamp=None if command.until is None else iso_z(command.until),
        ),
        log_type=LOGS[command.kind],
        request_id=command.request_id,
        retries=command.retries,
        retry_interval=command.retry_interval_s,
    )


def _diagnosed(response: firmware.GetDiagnosticsResponse) -> CommandResult:
    """§6.14: without a file name there is nothing to upload."""
    detail = {"file_name": response.file_name or ""}
    return CommandResult(CommandStatus.ACCEPTED, "", detail)


def _logged(response: security.GetLogResponse) -> CommandResult:
    status = LOG_WORDS.get(response.status, CommandStatus.UNKNOWN)
    return CommandResult(status, response.status, {"file_name": response.filename or ""})

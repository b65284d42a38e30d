"""OCPP 1.6 and its security extension: how chargers tell of firmware updates and log uploads."""

from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.upkeep import firmware_told, log_told
from voltyard.ocpp.v16.firmware import (
    DiagnosticsStatusNotification,
    DiagnosticsStatusNotificationResponse,
    FirmwareStatusNotification,
    FirmwareStatusNotificationResponse,
)
from voltyard.ocpp.v16.security import (
    LogStatusNotification,
    LogStatusNotificationResponse,
    SignedFirmwareStatusNotification,
    SignedFirmwareStatusNotificationResponse,
)


async def firmware_status(
    exchange: Exchange, request: FirmwareStatusNotification
) -> FirmwareStatusNotificationResponse:
    await exchange.chargers.firmware_told(exchange.station, firmware_told(request.status), None)
    return FirmwareStatusNotificationResponse()


async def signed_firmware_status(
    exchange: Exchange, request: SignedFirmwareStatusNotification
) -> SignedFirmwareStatusNotificationResponse:
    told = firmware_told(request.status)
    await exchange.chargers.firmware_told(exchange.station, told, request.request_id)
    return SignedFirmwareStatusNotificationResponse()


async def diagnostics_status(
    exchange: Exchange, request: DiagnosticsStatusNotification
) -> DiagnosticsStatusNotificationResponse:
    await exchange.chargers.log_told(exchange.station, log_told(request.status), None)
    return DiagnosticsStatusNotificationResponse()


async def log_status(
    exchange: Exchange, request: LogStatusNotification
) -> LogStatusNotificationResponse:
    told = log_told(request.status)
    await exchange.chargers.log_told(exchange.station, told, request.request_id)
    return LogStatusNotificationResponse()

"""OCPP 2.0.1 blocks L and N: how stations tell of firmware updates and log uploads."""

from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.upkeep import firmware_told, log_told
from voltyard.ocpp.v201.diagnostics import LogStatusNotification, LogStatusNotificationResponse
from voltyard.ocpp.v201.firmware import (
    FirmwareStatusNotification,
    FirmwareStatusNotificationResponse,
)


async def firmware_status(
    exchange: Exchange, request: FirmwareStatusNotification
) -> FirmwareStatusNotificationResponse:
    """L01.FR.01, L02.FR.01."""
    told = firmware_told(request.status)
    await exchange.chargers.firmware_told(exchange.station, told, request.request_id)
    return FirmwareStatusNotificationResponse()


async def log_status(
    exchange: Exchange, request: LogStatusNotification
) -> LogStatusNotificationResponse:
    """N01.FR.07 to FR.12."""
    told = log_told(request.status)
    await exchange.chargers.log_told(exchange.station, told, request.request_id)
    return LogStatusNotificationResponse()

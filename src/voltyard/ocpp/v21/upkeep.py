"""OCPP 2.1 blocks L and N: as in 2.0.1, answered with the structs of 2.1."""

from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v21.diagnostics import LogStatusNotification, LogStatusNotificationResponse
from voltyard.ocpp.v21.firmware import (
    FirmwareStatusNotification,
    FirmwareStatusNotificationResponse,
)
from voltyard.ocpp.v201 import upkeep


async def firmware_status(
    exchange: Exchange, request: FirmwareStatusNotification
) -> FirmwareStatusNotificationResponse:
    await upkeep.firmware_status(exchange, request)
    return FirmwareStatusNotificationResponse()


async def log_status(
    exchange: Exchange, request: LogStatusNotification
) -> LogStatusNotificationResponse:
    await upkeep.log_status(exchange, request)
    return LogStatusNotificationResponse()

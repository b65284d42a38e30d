"""OCPP 2.0.1 block G: signs of life, status, in and out of service."""

from typing import Annotated, ClassVar, Literal

from voltyard.chargers.model import EvseStatus, StatusReport
from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v201.types import Evse, StatusInfo, Wire201
from voltyard.ocpp.wire import Instant, Natural, OneOf, Word
from voltyard.units import iso_z

ConnectorStatusWord = Annotated[
    Word,
    OneOf("Available", "Occupied", "Reserved", "Unavailable", "Faulted", flag="status_unknown"),
]
OperationalStatusWord = Literal["Inoperative", "Operative"]
ChangeAvailabilityStatusWord = Annotated[Word, OneOf("Accepted", "Rejected", "Scheduled")]


class Heartbeat(Wire201):
    pass


class HeartbeatResponse(Wire201):
    current_time: Instant


async def heartbeat(exchange: Exchange, request: Heartbeat) -> HeartbeatResponse:
    at = await exchange.chargers.heartbeat(exchange.station)
    return HeartbeatResponse(current_time=iso_z(at))


class StatusNotification(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("timestamp",)

    connector_status: ConnectorStatusWord
    evse_id: Natural
    connector_id: Natural
    timestamp: Instant | None = None


class StatusNotificationResponse(Wire201):
    pass


STATUS = {
    "Available": EvseStatus.AVAILABLE,
    "Occupied": EvseStatus.OCCUPIED,
    "Reserved": EvseStatus.RESERVED,
    "Unavailable": EvseStatus.UNAVAILABLE,
    "Faulted": EvseStatus.FAULTED,
}


async def status(exchange: Exchange, request: StatusNotification) -> StatusNotificationResponse:
    report = StatusReport(
        evse_number=request.evse_id,
        connector_number=request.connector_id,
        status=STATUS.get(request.connector_status, EvseStatus.UNKNOWN),
        at=exchange.instant(request.timestamp),
    )
    await exchange.chargers.status(exchange.station, report)
    return StatusNotificationResponse()


class ChangeAvailability(Wire201):
    operational_status: OperationalStatusWord
    evse: Evse | None = None


class ChangeAvailabilityResponse(Wire201):
    status: ChangeAvailabilityStatusWord
    status_info: StatusInfo | None = None

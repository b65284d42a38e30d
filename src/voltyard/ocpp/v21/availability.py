"""OCPP 2.1 block G: signs of life, status, in and out of service."""

from typing import ClassVar

from voltyard.ocpp.v21.types import Evse, StatusInfo
from voltyard.ocpp.v201 import availability as availability_201
from voltyard.ocpp.v201.availability import (
    ChangeAvailabilityStatusWord,
    ConnectorStatusWord,
    OperationalStatusWord,
)
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import Instant, Natural


class Heartbeat(Wire201):
    pass


class HeartbeatResponse(availability_201.HeartbeatResponse):
    pass


class StatusNotification(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("timestamp",)

    connector_status: ConnectorStatusWord
    evse_id: Natural
    connector_id: Natural
    timestamp: Instant | None = None


class StatusNotificationResponse(Wire201):
    pass


class ChangeAvailability(Wire201):
    operational_status: OperationalStatusWord
    evse: Evse | None = None


class ChangeAvailabilityResponse(Wire201):
    status: ChangeAvailabilityStatusWord
    status_info: StatusInfo | None = None

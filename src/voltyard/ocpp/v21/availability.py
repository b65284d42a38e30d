"""OCPP 2.1 block G: signs of life, status, in and out of service."""

from voltyard.ocpp.v21.types import StatusInfo
from voltyard.ocpp.v201 import availability as availability_201
from voltyard.ocpp.v201.types import Wire201


class Heartbeat(Wire201):
    pass


class HeartbeatResponse(availability_201.HeartbeatResponse):
    pass


class StatusNotification(availability_201.StatusNotification):
    pass


class StatusNotificationResponse(Wire201):
    pass


class ChangeAvailability(availability_201.ChangeAvailability):
    pass


class ChangeAvailabilityResponse(availability_201.ChangeAvailabilityResponse, kw_only=True):
    status_info: StatusInfo | None = None

"""OCPP 2.1 block H: reservations."""

from typing import Annotated

from voltyard.ocpp.v21.types import IdTokenWire, StatusInfo
from voltyard.ocpp.v201.reservation import CancelReservationStatusWord, ReserveNowStatusWord
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import Instant, Natural, OneOf, Str20, Word

ReservationUpdateStatusWord = Annotated[Word, OneOf("Expired", "Removed", "NoTransaction")]


class ReservationStatusUpdate(Wire201):
    reservation_id: Natural
    reservation_update_status: ReservationUpdateStatusWord


class ReservationStatusUpdateResponse(Wire201):
    pass


class ReserveNow(Wire201):
    id: Natural
    expiry_date_time: Instant
    id_token: IdTokenWire
    connector_type: Str20 | None = None
    evse_id: Natural | None = None
    group_id_token: IdTokenWire | None = None


class ReserveNowResponse(Wire201):
    status: ReserveNowStatusWord
    status_info: StatusInfo | None = None


class CancelReservation(Wire201):
    reservation_id: Natural


class CancelReservationResponse(Wire201):
    status: CancelReservationStatusWord
    status_info: StatusInfo | None = None

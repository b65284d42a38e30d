"""OCPP 2.1 block H: reservations."""

from typing import Annotated

from voltyard.ocpp.v21.types import IdTokenWire, StatusInfo
from voltyard.ocpp.v201 import reservation as reservation_201
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import Instant, Natural, OneOf, Str20, Word

ReservationUpdateStatusWord = Annotated[Word, OneOf("Expired", "Removed", "NoTransaction")]


class ReservationStatusUpdate(reservation_201.ReservationStatusUpdate, kw_only=True):
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


class ReserveNowResponse(reservation_201.ReserveNowResponse, kw_only=True):
    status_info: StatusInfo | None = None


class CancelReservation(reservation_201.CancelReservation, kw_only=True):
    reservation_id: Natural


class CancelReservationResponse(reservation_201.CancelReservationResponse, kw_only=True):
    status_info: StatusInfo | None = None

"""OCPP 1.6 Reservation."""

from typing import Annotated

from voltyard.ocpp.wire import Instant, Integer, OneOf, Str20, Wire, Word

ReserveNowStatusWord = Annotated[
    Word, OneOf("Accepted", "Faulted", "Occupied", "Rejected", "Unavailable")
]
CancelReservationStatusWord = Annotated[Word, OneOf("Accepted", "Rejected")]


class ReserveNow(Wire):
    connector_id: Integer
    expiry_date: Instant
    id_tag: Str20
    reservation_id: Integer
    parent_id_tag: Str20 | None = None


class ReserveNowResponse(Wire):
    status: ReserveNowStatusWord


class CancelReservation(Wire):
    reservation_id: Integer


class CancelReservationResponse(Wire):
    status: CancelReservationStatusWord

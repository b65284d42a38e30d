"""OCPP 2.0.1 block H: reservations."""

from typing import Annotated, Literal

from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v201.types import IdTokenWire, StatusInfo, Wire201
from voltyard.ocpp.wire import Instant, Integer, OneOf, Word

ReservationUpdateStatusWord = Annotated[Word, OneOf("Expired", "Removed")]
ConnectorWord = Literal[
    "cCCS1",
    "cCCS2",
    "cG105",
    "cTesla",
    "cType1",
    "cType2",
    "s309-1P-16A",
    "s309-1P-32A",
    "s309-3P-16A",
    "s309-3P-32A",
    "sBS1361",
    "sCEE-7-7",
    "sType2",
    "sType3",
    "Other1PhMax16A",
    "Other1PhOver16A",
    "Other3Ph",
    "Pan",
    "wInductive",
    "wResonant",
    "Undetermined",
    "Unknown",
]
ReserveNowStatusWord = Annotated[
    Word, OneOf("Accepted", "Faulted", "Occupied", "Rejected", "Unavailable")
]
CancelReservationStatusWord = Annotated[Word, OneOf("Accepted", "Rejected")]


class ReservationStatusUpdate(Wire201):
    reservation_id: Integer
    reservation_update_status: ReservationUpdateStatusWord


class ReservationStatusUpdateResponse(Wire201):
    pass


TOLD = {"Expired": "expired", "Removed": "removed", "NoTransaction": "no_transaction"}


async def status_update(
    exchange: Exchange, request: ReservationStatusUpdate
) -> ReservationStatusUpdateResponse:
    """H03, H04. NoTransaction is a word of 2.1: nobody came."""
    told = TOLD.get(request.reservation_update_status, "removed")
    await exchange.chargers.reservation_told(exchange.station, request.reservation_id, told)
    return ReservationStatusUpdateResponse()


class ReserveNow(Wire201):
    id: Integer
    expiry_date_time: Instant
    id_token: IdTokenWire
    connector_type: ConnectorWord | None = None
    evse_id: Integer | None = None
    group_id_token: IdTokenWire | None = None


class ReserveNowResponse(Wire201):
    status: ReserveNowStatusWord
    status_info: StatusInfo | None = None


class CancelReservation(Wire201):
    reservation_id: Integer


class CancelReservationResponse(Wire201):
    status: CancelReservationStatusWord
    status_info: StatusInfo | None = None

"""OCPP 2.0.1 block P: what vendors say to each other."""

from typing import Annotated

import msgspec

from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v201.types import StatusInfo, Wire201
from voltyard.ocpp.wire import OneOf, Str50, Str255, Word

DataTransferStatusWord = Annotated[
    Word, OneOf("Accepted", "Rejected", "UnknownMessageId", "UnknownVendorId")
]


class DataTransfer(Wire201):
    vendor_id: Str255
    message_id: Str50 | None = None
    data: object = None


class DataTransferResponse(Wire201):
    status: DataTransferStatusWord
    status_info: StatusInfo | None = None
    data: object = None


async def data_transfer(exchange: Exchange, request: DataTransfer) -> DataTransferResponse:
    """2.0.1 data is any JSON; the domain gets text as it is and the rest as JSON text."""
    data = request.data
    if data is not None and not isinstance(data, str):
        data = msgspec.json.encode(data).decode()
    understood = await exchange.chargers.data_received(
        exchange.station, request.vendor_id, request.message_id, data
    )
    return DataTransferResponse(status="Accepted" if understood else "UnknownVendorId")

"""OCPP 2.1 block S: battery swap."""

from typing import Annotated

from msgspec import Meta

from voltyard.ocpp.v21.types import IdTokenWire, StatusInfo
from voltyard.ocpp.v201.types import GenericStatusWord, Wire201
from voltyard.ocpp.wire import Instant, Integer, Natural, OneOf, Some, Str50, Str500, Word

BatterySwapEventWord = Annotated[Word, OneOf("BatteryIn", "BatteryOut", "BatteryOutTimeout")]


class BatteryData(Wire201):
    evse_id: Natural
    serial_number: Str50
    so_c: Annotated[float, Meta(ge=0, le=100)]
    so_h: Annotated[float, Meta(ge=0, le=100)]
    production_date: Instant | None = None
    vendor_info: Str500 | None = None


class BatterySwap(Wire201):
    battery_data: Some[BatteryData]
    event_type: BatterySwapEventWord
    id_token: IdTokenWire
    request_id: Integer


class BatterySwapResponse(Wire201):
    pass


class RequestBatterySwap(Wire201):
    id_token: IdTokenWire
    request_id: Integer


class RequestBatterySwapResponse(Wire201):
    status: GenericStatusWord
    status_info: StatusInfo | None = None

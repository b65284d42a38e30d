"""OCPP 2.0.1 block I: what a session costs, told to the driver."""

from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import Str36


class CostUpdated(Wire201):
    total_cost: float
    transaction_id: Str36


class CostUpdatedResponse(Wire201):
    pass

"""OCPP 2.1 block Q: energy in both directions."""

from typing import Annotated

from voltyard.ocpp.v21.types import EnergyTransferModeWord, StatusInfo
from voltyard.ocpp.v201.types import GenericStatusWord, Wire201
from voltyard.ocpp.wire import Instant, Integer, OneOf, Some, Str36, Word

NotifyAllowedEnergyTransferStatusWord = Annotated[Word, OneOf("Accepted", "Rejected")]


class AFRRSignal(Wire201):
    timestamp: Instant
    signal: Integer


class AFRRSignalResponse(Wire201):
    status: GenericStatusWord
    status_info: StatusInfo | None = None


class NotifyAllowedEnergyTransfer(Wire201):
    transaction_id: Str36
    allowed_energy_transfer: Some[EnergyTransferModeWord]


class NotifyAllowedEnergyTransferResponse(Wire201):
    status: NotifyAllowedEnergyTransferStatusWord
    status_info: StatusInfo | None = None

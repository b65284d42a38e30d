"""OCPP 2.1 block P: what vendors say to each other."""

from voltyard.ocpp.v21.types import StatusInfo
from voltyard.ocpp.v201 import data_transfer as data_transfer_201
from voltyard.ocpp.v201.data_transfer import DataTransferStatusWord
from voltyard.ocpp.v201.types import Wire201


class DataTransfer(data_transfer_201.DataTransfer):
    pass


class DataTransferResponse(Wire201):
    status: DataTransferStatusWord
    status_info: StatusInfo | None = None
    data: object = None

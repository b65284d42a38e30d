"""OCPP 2.1 block P: what vendors say to each other."""

from voltyard.ocpp.v21.types import StatusInfo
from voltyard.ocpp.v201 import data_transfer as data_transfer_201


class DataTransfer(data_transfer_201.DataTransfer):
    pass


class DataTransferResponse(data_transfer_201.DataTransferResponse, kw_only=True):
    status_info: StatusInfo | None = None

"""OCPP 2.1 block C: who may charge, and the cache of who may."""

from collections.abc import Sequence
from typing import Annotated

from voltyard.ocpp.v21.certificates import OcspRequestData
from voltyard.ocpp.v21.tariff_cost import Tariff
from voltyard.ocpp.v21.types import EnergyTransferModeWord, IdTokenInfo, IdTokenWire, StatusInfo
from voltyard.ocpp.v201 import authorization as authorization_201
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import Items, Some, Str10000


class Authorize(authorization_201.Authorize, kw_only=True):
    id_token: IdTokenWire
    certificate: Str10000 | None = None
    iso15118_certificate_hash_data: Annotated[Sequence[OcspRequestData], Items(1, 4)] | None = None


class AuthorizeResponse(authorization_201.AuthorizeResponse, kw_only=True):
    id_token_info: IdTokenInfo
    allowed_energy_transfer: Some[EnergyTransferModeWord] | None = None
    tariff: Tariff | None = None


class ClearCache(Wire201):
    pass


class ClearCacheResponse(authorization_201.ClearCacheResponse, kw_only=True):
    status_info: StatusInfo | None = None

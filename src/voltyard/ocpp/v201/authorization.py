"""OCPP 2.0.1 block C: who may charge, and the cache of who may."""

from collections.abc import Sequence
from typing import Annotated, Literal

from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v201.certificates import OcspRequestData
from voltyard.ocpp.v201.types import (
    IdTokenInfo,
    IdTokenWire,
    StatusInfo,
    Wire201,
    id_token_info,
    read_token,
)
from voltyard.ocpp.wire import Items, OneOf, Str5500, Word

AuthorizeCertificateStatusWord = Literal[
    "Accepted",
    "SignatureError",
    "CertificateExpired",
    "CertificateRevoked",
    "NoCertificateAvailable",
    "CertChainError",
    "ContractCancelled",
]
ClearCacheStatusWord = Annotated[Word, OneOf("Accepted", "Rejected")]


class Authorize(Wire201):
    id_token: IdTokenWire
    certificate: Str5500 | None = None
    iso15118_certificate_hash_data: Annotated[Sequence[OcspRequestData], Items(1, 4)] | None = None


class AuthorizeResponse(Wire201):
    id_token_info: IdTokenInfo
    certificate_status: AuthorizeCertificateStatusWord | None = None


async def authorise(exchange: Exchange, request: Authorize) -> AuthorizeResponse:
    """C01. Contract certificates are not checked here; the token alone decides."""
    if request.certificate is not None or request.iso15118_certificate_hash_data:
        exchange.flag("contract_certificate_ignored")
    authorisation = await exchange.sessions.authorise(
        exchange.station, None, read_token(exchange, request.id_token)
    )
    return AuthorizeResponse(id_token_info=id_token_info(authorisation))


class ClearCache(Wire201):
    pass


class ClearCacheResponse(Wire201):
    status: ClearCacheStatusWord
    status_info: StatusInfo | None = None

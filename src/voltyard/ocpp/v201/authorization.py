"""OCPP 2.0.1 block C: who may charge, and the cache of who may."""

from collections.abc import Sequence
from typing import Annotated, Literal

from voltyard.contracts.model import ContractCheck, ContractStanding
from voltyard.errors import Invalid
from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v201.certificates import OcspRequestData
from voltyard.ocpp.v201.types import (
    IdTokenInfo,
    IdTokenWire,
    MessageContent,
    StatusInfo,
    Wire201,
    id_token_info,
    read_token,
)
from voltyard.ocpp.v201.vehicle_certificates import questions
from voltyard.ocpp.wire import Items, OneOf, Str5500, Word
from voltyard.sessions.model import Authorisation, AuthorisationStatus, IdToken

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
    """C01; with a contract certificate C07, whose standing counts before the token's."""
    token = read_token(exchange, request.id_token)
    authorisation = await exchange.sessions.authorise(exchange.station, None, token)
    if request.certificate is None and not request.iso15118_certificate_hash_data:
        info = await quoted(exchange, token, authorisation)
        return AuthorizeResponse(id_token_info=info)
    found = await _contract_check(exchange, request)
    if found.standing is ContractStanding.UNCHECKED:
        exchange.flag("contract_certificate_ignored")
        return AuthorizeResponse(id_token_info=id_token_info(authorisation))
    if found.standing is ContractStanding.VALID:
        cancelled = authorisation.status in CANCELLED
        return AuthorizeResponse(
            id_token_info=id_token_info(authorisation),
            certificate_status="ContractCancelled" if cancelled else "Accepted",
        )
    exchange.flag("contract_certificate_refused", f"{found.standing}: {found.reason}")
    status, word = REFUSALS[found.standing]
    refused = Authorisation(status, reason=found.reason)
    return AuthorizeResponse(id_token_info=id_token_info(refused), certificate_status=word)


async def quoted(exchange: Exchange, token: IdToken, authorisation: Authorisation) -> IdTokenInfo:
    """I01: with what it will cost, for chargers that can show it."""
    info, pricing = id_token_info(authorisation), exchange.chargers.pricing
    if pricing is None:
        return info
    quote = await pricing.quote(exchange.station, token, authorisation)
    if quote is not None and quote.text:
        info.personal_message = MessageContent(
            format="UTF8", content=quote.text, language=quote.language
        )
    return info


async def _contract_check(exchange: Exchange, request: Authorize) -> ContractCheck:
    try:
        asked = questions(request.iso15118_certificate_hash_data)
    except Invalid as error:
        return ContractCheck(ContractStanding.UNPROVEN, error.message)
    return await exchange.chargers.vehicle_certificates.check(
        request.id_token.id_token, request.certificate, asked
    )


CANCELLED = frozenset(
    {
        AuthorisationStatus.BLOCKED,
        AuthorisationStatus.EXPIRED,
        AuthorisationStatus.INVALID,
        AuthorisationStatus.UNKNOWN,
    }
)
"""C07.FR.13: the certificate is sound, its contract is not."""
REFUSALS: dict[ContractStanding, tuple[AuthorisationStatus, AuthorizeCertificateStatusWord]] = {
    ContractStanding.EXPIRED: (AuthorisationStatus.EXPIRED, "CertificateExpired"),
    ContractStanding.REVOKED: (AuthorisationStatus.INVALID, "CertificateRevoked"),
    ContractStanding.UNPROVEN: (AuthorisationStatus.INVALID, "CertChainError"),
}
"""C07.FR.15 to 17."""


class ClearCache(Wire201):
    pass


class ClearCacheResponse(Wire201):
    status: ClearCacheStatusWord
    status_info: StatusInfo | None = None

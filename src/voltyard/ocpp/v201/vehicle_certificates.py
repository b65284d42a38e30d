"""OCPP 2.0.1 blocks C and M: contracts of vehicles, and whether certificates are revoked."""

import base64
from collections.abc import Sequence
from typing import Any, Protocol

from voltyard.contracts.model import (
    CertificateId,
    ContractAnswer,
    ContractOrder,
    Question,
    Unobtainable,
    certificate_id,
)
from voltyard.errors import Invalid
from voltyard.ocpp.reader import check
from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v201.certificates import (
    CertificateHashData,
    Get15118EVCertificate,
    Get15118EVCertificateResponse,
    GetCertificateStatus,
    GetCertificateStatusResponse,
)
from voltyard.ocpp.v201.types import StatusInfo
from voltyard.ocpp.wire import Wire

INFO_MAX = 512
_REASON = "Unspecified"


class OcspData(Protocol):
    """OCSPRequestDataType of either version."""

    hash_algorithm: str
    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str
    responder_url: str


def identified(data: "CertificateHashData | OcspData") -> CertificateId:
    """Raises Invalid."""
    return certificate_id(
        data.hash_algorithm, data.issuer_name_hash, data.issuer_key_hash, data.serial_number
    )


def question(data: Any) -> Question:
    """Raises Invalid."""
    return Question(identified(data), (data.responder_url,))


def questions(found: Sequence[Any] | None) -> list[Question]:
    """Raises Invalid."""
    return [question(data) for data in found or ()]


def failed(reason: str) -> StatusInfo:
    return StatusInfo(reason_code=_REASON, additional_info=reason[:INFO_MAX])


async def certificate_status(
    exchange: Exchange, request: GetCertificateStatus
) -> GetCertificateStatusResponse:
    return await status_told(exchange, request, GetCertificateStatusResponse)


async def status_told(
    exchange: Exchange,
    request: GetCertificateStatus,
    kind: type[GetCertificateStatusResponse],
) -> GetCertificateStatusResponse:
    """M06: the responder's answer in base64 of DER; that it was had says nothing of what it is."""
    try:
        asked = question(request.ocsp_request_data)
        der = await exchange.chargers.vehicle_certificates.status(asked)
        response = kind(status="Accepted", ocsp_result=base64.b64encode(der).decode())
        check(response)
    except (Unobtainable, Invalid) as error:
        exchange.flag("certificate_status_failed", f"{error.message} {error.detail}")
        return kind(status="Failed", status_info=failed(error.message))
    return response


async def ev_certificate(
    exchange: Exchange, request: Get15118EVCertificate
) -> Get15118EVCertificateResponse:
    """M01, M02: one contract; a vehicle of ISO 15118-2 takes one."""
    try:
        answer = await contract(exchange, ordered(exchange, request))
        response = Get15118EVCertificateResponse(
            status="Accepted", exi_response=answer.exi_response
        )
        fits(response)
    except Unobtainable as error:
        return Get15118EVCertificateResponse(
            status="Failed", exi_response="", status_info=refused(exchange, error)
        )
    return response


def refused(exchange: Exchange, error: Unobtainable) -> StatusInfo:
    exchange.flag("contract_certificate_failed", f"{error.message} {error.detail}")
    return failed(error.message)


def ordered(exchange: Exchange, request: Get15118EVCertificate, **more: Any) -> ContractOrder:
    return ContractOrder(
        exchange.station.id,
        request.exi_request,
        request.iso15118_schema_version,
        update=request.action == "Update",
        **more,
    )


async def contract(exchange: Exchange, order: ContractOrder) -> ContractAnswer:
    """Raises Unobtainable."""
    return await exchange.chargers.vehicle_certificates.contract(order)


def fits(response: Wire) -> None:
    """Raises Unobtainable for what is longer than the version can carry."""
    try:
        check(response)
    except Invalid as error:
        raise Unobtainable("the contract is too long to be told", detail=error.detail) from None
